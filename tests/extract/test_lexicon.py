"""The lexicon's checks and its phrases."""

from pathlib import Path

import pytest

from extract import lexicon
from extract.lexicon import LexiconError, Phrases, core, forms, words

OWN = (lexicon.DATA / "lexicon.toml").read_text("utf-8")


def load(tmp_path: Path, text: str) -> lexicon.Lexicon:
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    return lexicon.load(path)


def test_an_operator_can_add_a_word(tmp_path: Path) -> None:
    changed = load(
        tmp_path, OWN.replace('duty = [\n  "netral",', 'duty = [\n  "netralan", "netral",')
    )
    assert "netralan" in changed.groups["duty"]
    assert "netralan" not in lexicon.default().groups["duty"]


def test_a_file_of_ones_own_adds_to_the_projects(tmp_path: Path) -> None:
    more = tmp_path / "words.toml"
    more.write_text(
        'threshold = 0.6\nborderline = [0.2, 0.8]\n[groups]\nduty = ["netralan"]\n'
        '[subjects.village_official]\nnames = ["opu lao"]\n'
        '[[rules]]\nname = "own"\nneeds = ["official"]\nreach = 0\nscore = 0.1\n',
        "utf-8",
    )
    own, both = lexicon.load(), lexicon.load(more=more)
    assert set(both.groups["duty"]) == {*own.groups["duty"], "netralan"}
    assert "opu lao" in both.subjects["village_official"].names
    assert both.subjects["civil_servant"] == own.subjects["civil_servant"]
    assert (both.threshold, both.borderline) == (0.6, (0.2, 0.8))
    assert len(both.rules) == len(own.rules) + 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[groups]\nduties = []", "groups: 'duties' is not known"),
        ('[groups]\nduty = "netralan"', "groups.duty: must be a list"),
        ("borderline = [0.8, 0.2]", "borderline: must give the lower number first"),
        ("borderline = 0.2", "borderline: must be two numbers, not 0.2"),
        ("borderline = [0.7, 0.9]", "borderline: must lie about the threshold, 0.3"),
        ('related = ["baca"]', "related: 'baca' must be two plain words"),
        ("[kinds.pledge]\nweight = inf", "kinds.pledge.weight"),
        ('[[rules]]\nname = ""\nneeds = ["duty"]\nreach = 1.0\nscore = 1', "must be 0, 1 or 2"),
    ],
)
def test_a_mistake_in_it_is_named_too(tmp_path: Path, text: str, says: str) -> None:
    more = tmp_path / "words.toml"
    more.write_text(text, "utf-8")
    with pytest.raises(LexiconError) as error:
        lexicon.load(more=more)
    assert str(more) in str(error.value)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("threshold = 0.3", "threshold = 5", "threshold: must be a number from 0 to 1, not 5"),
        ("threshold = 0.3", "", "'threshold' is missing"),
        ("threshold = 0.3", "threshold = 0.3\ntreshold = 1", "'treshold' is not known"),
        (
            '"asn", "pns"',
            '"ASN", "pns"',
            "subjects.civil_servant.names: 'ASN' must be in lower case",
        ),
        ('"asn", "pns"', '"asn", 7', "subjects.civil_servant.names: 7 is not a phrase"),
        ('"asn", "pns"', '"asn", "tni-polri"', "'tni-polri' is not a word"),
        ('needs = ["official", "duty"]', 'needs = ["officials"]', "rules[0].needs: 'officials'"),
        ("reach = 0", "reach = 9", "rules[0].reach: must be 0, 1 or 2, not 9"),
        ("[kinds.pledge]\nweight = 5", "[kinds.pledge]\nweight = -5", "kinds.pledge.weight"),
        ("[groups]", "[groups", "is not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_file_and_entry(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in OWN
    with pytest.raises(LexiconError) as error:
        load(tmp_path, OWN.replace(old, new, 1))
    assert says in str(error.value)
    assert "own.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_a_lexicon_error(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match="cannot be read"):
        lexicon.load(tmp_path / "none.toml")


def test_words_fold_styled_letters_and_mend_lost_spaces() -> None:
    assert [w.text for w in words("𝗡𝗲𝘁𝗿𝗮𝗹 ＡＳＮ")] == ["netral", "asn"]
    assert [w.text for w in words("DenpasarAnggota TNIdari P3K")] == [
        "denpasar",
        "anggota",
        "tni",
        "dari",
        "p3k",
    ]
    text = "Pj. Bupati, ASN!"
    assert [text[w.start : w.end] for w in words(text)] == ["Pj", "Bupati", "ASN"]


def test_phrases_with_wildcards_and_numbers() -> None:
    phrases = Phrases([("kepala desa", 1), ("kampanye*", 2), ("*netral*", 3), ("# kasus", 4)])
    said = "12 kasus kepala desa kampanyenya pentingnyanetralitas kepala dinas"
    assert [(h.label, h.start, h.end) for h in phrases.find(said.split())] == [
        (4, 0, 2),
        (1, 2, 4),
        (2, 4, 5),
        (3, 5, 6),
    ]


def test_verbs_in_all_their_forms() -> None:
    assert {"ajak", "mengajak", "diajak", "ngajak"} <= forms("ajak")
    assert {"pilih", "memilih", "dipilih", "milih"} <= forms("pilih")
    assert {"menyebarkan", "tersebar", "sebarkan"} <= forms("sebar")
    assert {"mengerahkan", "dikerahkan"} <= forms("kerahkan")
    assert "pemilih" not in forms("pilih")
    phrases = Phrases([("~ajak warga", 1), ("~dukung", 2)])
    said = "mengajak warganya didukung pendukung"
    assert [(h.label, h.start, h.end) for h in phrases.find(said.split())] == [(1, 0, 2), (2, 2, 3)]


@pytest.mark.parametrize("root", ["ajak", "kerah", "pilih", "sebar", "tuding", "bagi", "lapor"])
def test_each_form_holds_the_core(root: str) -> None:
    assert all(any(part in form for part in core(root)) for form in forms(root))
