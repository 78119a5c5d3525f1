"""Likeness: what tells that two articles tell the same story, and what tells that they do not."""

from datetime import UTC, datetime, timedelta

import pytest

from extract import likeness
from extract.article import Article
from extract.judge import judge
from extract.likeness import Telling

MONDAY = datetime(2024, 10, 7, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)

CASE = (
    "Lurah Tipo, Hasna Lamakka, diduga memimpin senam bersama calon wali kota di lapangan.\n"
    "Ketua Bawaslu Palu, Rizal Tandra, mengatakan lurah adalah ASN yang wajib netral, "
    "Senin (7/10/2024).\n"
    "Panitia senam membagikan kaus bergambar pasangan Dedi Arta-Sri Muntu kepada peserta."
)
RETOLD = (
    "Kaus bergambar pasangan calon dibagikan kepada peserta senam di Kota Palu.\n"
    "Di panggung berdiri Hasna Lamakka yang menjabat lurah.\n"
    "Pengawas memastikan pejabat kelurahan itu segera dimintai keterangan soal keberpihakan."
)
SANCTION = (
    "Wali Kota Palu menurunkan pangkat Lurah Tipo, Hasna Lamakka.\n"
    "Badan kepegawaian menyatakan ia terbukti melanggar netralitas ASN dan dijatuhi sanksi."
)


def tell(text: str, *, days: float = 0, title: str = "Lurah Diduga Tak Netral") -> Telling:
    article = Article("https://kabar.id/1", title, text)
    return likeness.read(article, judge(article), MONDAY + days * DAY)


def test_who_is_named_and_as_what() -> None:
    case = tell(CASE)
    assert case.actors == {"tipo", "hasna", "lamakka"}
    assert case.voices == {"rizal", "tandra", "dedi", "arta", "sri", "muntu"}
    assert case.areas == {"palu"}
    assert case.regencies == {"72.71"}
    assert case.days == {"7/10"}
    assert {*case.terms} >= {"kaus", "bawaslu"}
    assert not case.names.intersection(case.terms)
    assert tell(
        CASE, title="Guru di kelurahan Mamboro berpose bersama calon"
    ).names - case.names == {"mamboro"}


@pytest.mark.parametrize(
    ("text", "days"),
    [
        pytest.param(CASE, 0, id="the same text"),
        pytest.param("PALU –" + CASE + "\nBaca juga: Debat calon (8/10)", 3, id="a copy"),
        pytest.param(CASE.rpartition("\n")[0], 1, id="shortened"),
        pytest.param(RETOLD, 1, id="told differently"),
        pytest.param(SANCTION, 40, id="the sanction, weeks later"),
    ],
)
def test_one_story(text: str, days: float) -> None:
    one, other = tell(CASE), tell(text, days=days)
    assert likeness.alike(one, other)
    assert likeness.alike(other, one)
    assert set(likeness.marks(one)) & set(likeness.sought(other))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        pytest.param(CASE.replace("Palu", "Bitung"), 0, id="the same form elsewhere"),
        pytest.param(
            CASE.replace("Hasna Lamakka", "Yanto Bauka").replace("Tipo", "Buluri"),
            0,
            id="another official",
        ),
        pytest.param(RETOLD.replace("Hasna Lamakka", "Yanto Bauka"), 1, id="another, told else"),
        pytest.param(SANCTION, 90, id="after months"),
        pytest.param(
            "Lurah Tipo, Hasna Lamakka, mengajak warga Palu menjaga kebersihan saluran air.\n"
            "Ia juga mengimbau pegawai kelurahan menjaga netralitas ASN jelang Pilkada.",
            20,
            id="the same official, another event",
        ),
    ],
)
def test_two_stories(text: str, days: float) -> None:
    one, other = tell(CASE), tell(text, days=days)
    assert not likeness.alike(one, other)
    assert not likeness.alike(other, one)


def test_a_story_does_not_drift() -> None:
    first = tell(CASE)
    middle = tell(RETOLD.replace("Hasna Lamakka yang menjabat", "seorang"), days=1)
    assert likeness.continues(middle, first, first) == likeness.alike(first, middle)
    another = tell(RETOLD.replace("Hasna Lamakka", "Yanto Bauka"), days=2)
    assert likeness.alike(middle, another)  # both may be what the middle one tells of
    assert not likeness.continues(another, first, middle)


def test_a_hostile_text_costs_little_and_marks_are_short() -> None:
    began = datetime.now(UTC)
    glued = "Ab" + "c" * 45
    alike = f"{CASE} Bersama {glued}d Budi hadir pula {glued}e Sari."
    for text in ("", alike, "A" * 10**5, "Camat " + "Abc " * 10**5, "Aa-" * 10**5, "di " * 10**5):
        telling = tell(text)
        marks = likeness.marks(telling)
        assert len({*marks}) == len(marks), "the database takes each once"
        assert all(len(mark) <= 64 for mark in likeness.sought(telling))
        assert len(likeness.sought(telling)) <= likeness.BANDS + 3 * 10
        assert likeness.alike(telling, telling) in (True, False)
    assert datetime.now(UTC) - began < timedelta(seconds=20)
