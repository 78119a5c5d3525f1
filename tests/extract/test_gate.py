"""The gate lets every page through that may hold a finding, however its bytes are dressed."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.gate import page
from benchmarks.opinion import CORPUS
from extract import gate
from extract.gate import passes

DEV = Path(__file__).parents[3] / "shared/relevance/dev.jsonl"

RELEVANT = [
    "Camat diminta menjaga netralitas selama Pilkada",
    "Kepala desa mengampanyekan calon bupati di grup WhatsApp",
    "Oknum guru berpose satu jari bersama paslon",
    "Bawaslu panggil lurah yang diduga ikut kampanye",
    "Prajurit TNI dilarang memihak",
    "Anggota PPK diduga menjadi tim sukses calon gubernur",
]
ORDINARY = [
    "Harga beras naik menjelang lebaran, pedagang mengeluh",
    "Tim tuan rumah menang dua gol tanpa balas",
    "Banjir merendam ratusan rumah di tepi sungai",
]


PLAIN = [
    row
    for line in (CORPUS / "plain.jsonl").read_text("utf-8").splitlines()
    if (row := json.loads(line))["label"] == "relevant"
]


def words_of(row: dict[str, str]) -> list[str]:
    """What a labelled article says, in letters that every charset has."""
    text = f"{row['title']}. {row['lead']}"
    return text.encode("latin-1", "ignore").decode("latin-1").split()


def styled(text: str) -> str:
    """Lower-case letters as mathematical sans-serif bold ones."""
    return "".join(chr(0x1D5EE + ord(c) - 97) if "a" <= c <= "z" else c for c in text)


DRESSES = {
    "utf-8": lambda t: t.encode(),
    "latin-1": lambda t: ("é" + t).encode("latin-1"),
    "windows-1252": lambda t: ("“" + t + "”").encode("cp1252"),
    "utf-16 with mark": lambda t: t.encode("utf-16"),
    "utf-16 big-endian": lambda t: b"\xfe\xff" + t.encode("utf-16-be"),
    "utf-16 without mark": lambda t: t.encode("utf-16-le"),
    "utf-32": lambda t: t.encode("utf-32"),
    "decimal entities": lambda t: "".join(f"&#{ord(c)};" for c in t).encode(),
    "hexadecimal entities": lambda t: "".join(f"&#x{ord(c):X};" for c in t).encode(),
    "one letter an entity": lambda t: t.replace("e", "&#101;").replace("a", "&#x61;").encode(),
    "styled letters": lambda t: styled(t.lower()).encode(),
    "styled letters, entities": lambda t: "".join(
        f"&#{ord(c)};" for c in styled(t.lower())
    ).encode(),
    "styled letters, utf-16": lambda t: styled(t.lower()).encode("utf-16"),
    "soft hyphens": lambda t: "&shy;".join(t).encode(),
    "upper case": lambda t: t.upper().encode(),
    "no-break spaces": lambda t: t.replace(" ", "&nbsp;").encode(),
    "raw no-break spaces": lambda t: t.replace(" ", "\xa0").encode("latin-1"),
    "tags between words": lambda t: t.replace(" ", '</b>\n <i class="x">').encode(),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("text", RELEVANT)
def test_every_dress_passes(dress: str, text: str) -> None:
    assert passes(DRESSES[dress](text))


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_news_does_not(dress: str, text: str) -> None:
    assert not passes(DRESSES[dress](text))


@given(
    text=st.sampled_from(RELEVANT),
    hidden=st.lists(st.integers(0, 60), max_size=40),
    form=st.sampled_from(["&#{};", "&#x{:x};", "&#x{:X};", "&#0{};"]),
    before=st.binary(max_size=60),
)
def test_any_letters_may_be_entities(
    text: str, hidden: list[int], form: str, before: bytes
) -> None:
    dressed = "".join(form.format(ord(c)) if n in hidden else c for n, c in enumerate(text))
    # a mark of UTF-16 at the very start would make all that follows something else
    assert passes(b"<p>" + before.replace(b"<", b"").replace(b"&", b"") + b"\n" + dressed.encode())


@given(st.sampled_from(RELEVANT), st.lists(st.booleans(), min_size=60, max_size=60))
def test_any_letters_may_be_styled(text: str, which: list[bool]) -> None:
    dressed = "".join(styled(c) if w else c for c, w in zip(text, which, strict=False))
    assert passes(dressed.encode())


@pytest.mark.parametrize(
    "text",
    [
        "pentingnyanetralitas TNIdaripolitik",
        "paraASNdilarang berpihak",
        "KadesDukung paslon nomor 2",
        "Guru<b>SD</b>mengampanyekanpaslon",
    ],
)
def test_lost_spaces(text: str) -> None:
    assert passes(text.encode())


# "ASN" without its spaces is told by its capitals
KEEPS_CASE = [name for name in DRESSES if not name.startswith(("styled", "upper"))]


@settings(derandomize=True, max_examples=300)
@given(
    row=st.sampled_from(PLAIN),
    dress=st.sampled_from(KEEPS_CASE),
    lost=st.sets(st.integers(0, 60), max_size=10),
)
def test_labelled_articles_in_any_dress_with_spaces_lost(
    row: dict[str, str], dress: str, lost: set[int]
) -> None:
    text = "".join(word + " " * (n not in lost) for n, word in enumerate(words_of(row)))
    assert passes(DRESSES[dress](text))


@pytest.mark.parametrize("dress", DRESSES)
def test_labelled_articles_pass_in_every_dress(dress: str) -> None:
    for row in PLAIN:
        assert passes(DRESSES[dress](" ".join(words_of(row)))), row["title"]


@given(st.binary(max_size=3000))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    assert passes(data) in (True, False)


def test_a_large_page_is_quick() -> None:
    html = page("Selesai")
    assert not passes(html)
    best = min(_seconds(html) for _ in range(20))
    assert best < 0.002  # ten times the aim: other work runs on the machine, too


def _seconds(html: bytes) -> float:
    start = time.perf_counter()
    passes(html)
    return time.perf_counter() - start


def test_all_labelled_relevant_articles_pass() -> None:
    if not DEV.exists():
        pytest.skip("../shared/relevance is not here")
    rows = [json.loads(line) for line in DEV.read_text("utf-8").splitlines()]
    for row in rows:
        if row["label"] == "relevant":
            text = f"<h1>{row.get('title') or ''}</h1><p>{row['lead']}</p>"
            for charset in ("utf-8", "utf-16"):
                assert passes(text.encode(charset)), row["url"]


@pytest.mark.parametrize("broken", [b"", b"x" * 1000, None])
def test_phrases_that_were_kept_and_broke_are_compiled_again(
    tmp_path: Path, broken: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_folder", None)
    gate.prepare(tmp_path)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    middle = len(whole) // 2
    kept.write_bytes(whole[:middle] + b"!!!" + whole[middle + 3 :] if broken is None else broken)
    gate.prepare(tmp_path)
    assert passes(b"netralitas ASN")
    assert not passes(b"harga cabai")
    assert kept.read_bytes() == whole
    kept.touch()
    before = kept.stat().st_mtime_ns
    gate.prepare(tmp_path)
    assert passes(b"netralitas ASN")
    assert kept.stat().st_mtime_ns == before  # it was only read
