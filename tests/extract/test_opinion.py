"""The learned second opinion: what it reads, and that it is what its training gives."""

import json

import pytest

from benchmarks.opinion import CORPUS, fit, read
from extract import opinion
from extract.article import Article
from extract.judge import judge
from extract.lexicon import default
from extract.sentences import sentences


@pytest.mark.parametrize(
    "forms",
    [
        ("kampanye", "mengkampanyekan", "dikampanyekan", "kampanyenya"),
        ("dukung", "mendukung", "didukung", "dukungan", "dukungannya"),
        ("arahkan", "mengarahkan", "diarahkan", "arahan"),
        ("2018", "45"),
    ],
)
def test_forms_of_a_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({opinion.stem(form) for form in forms}) == 1


def test_other_words_keep_apart() -> None:
    assert opinion.stem("netralitas") != opinion.stem("menetralkan") != opinion.stem("netral")
    assert opinion.stem("camat") == "camat"


def told(title: str, text: str) -> opinion.Opinion:
    read = sentences(Article("", title, text), default())
    return opinion.opinion(read, opinion.load())


def test_the_telling_sentences_are_the_head_and_the_strongest() -> None:
    matter = "Lurah itu mengajak warga mencoblos paslon nomor dua, kata Bawaslu."
    text = "\n".join(
        [
            "Hujan turun sejak pagi.",
            "Pasar tetap ramai.",
            *["Harga cabai turun."] * 5,
            matter,
            "Usai.",
        ]
    )
    said = [" ".join(w.text for w in s.words) for s in told("Kabar dari pasar", text).telling]
    assert said[:3] == ["kabar dari pasar", "hujan turun sejak pagi", "pasar tetap ramai"]
    assert any(sentence.startswith("lurah itu mengajak") for sentence in said)
    assert len(said) < 9


def test_a_sentence_more_is_no_cliff() -> None:
    """Of the labelled articles that are relevant, few are lost by harmless sentences after them."""
    rows = [json.loads(line) for line in (CORPUS / "plain.jsonl").read_text("utf-8").splitlines()]
    found = [row for row in rows if row["label"] == "relevant"][::4]
    harmless = ("Acara berlangsung tertib.", "Cuaca pagi itu cerah.", "Warga lalu pulang.")
    for more in range(len(harmless) + 1):
        text = "\n".join(harmless[:more])
        kept = [judge(Article("", r["title"], f"{r['lead']}\n{text}")).kept for r in found]
        assert sum(kept) > 0.97 * len(found)


def test_the_model_is_what_the_corpus_teaches() -> None:
    """`python -m benchmarks.opinion --write` was run after the last change of corpus, lexicon or
    features. Solvers differ a little from machine to machine."""
    samples = read(sorted(CORPUS.glob("*.jsonl")))
    shipped, taught = opinion.load(), fit(samples)
    assert shipped.kinds == taught.kinds
    some = samples[::7]
    apart = [
        abs(
            opinion.opinion(s.sentences, shipped).score - opinion.opinion(s.sentences, taught).score
        )
        for s in some
    ]
    assert max(apart) < 0.02
