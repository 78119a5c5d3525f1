"""What read() makes of pages in the manner of the platforms: every field of every page."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from benchmarks.extraction.measure import Reading, figures
from benchmarks.extraction.pages import Sample
from extract.read import read
from tests.extract.platforms import Case, Expected, cases

CASES = cases()
ARTICLES = [case for case in CASES if case.expected]
NONE = [case for case in CASES if not case.expected]


@pytest.mark.parametrize("case", ARTICLES, ids=lambda case: case.name)
def test_an_article(case: Case) -> None:
    found = read(case.pages, zone=case.zone, outlet=case.outlet, listed=case.listed)
    assert found is not None
    told = Expected(
        title=found.title,
        text=tuple(found.text.split("\n")),
        authors=found.authors,
        published=found.published,
        section=found.section,
        tags=found.tags,
        image=found.image,
        caption=found.caption,
        dateline=found.dateline,
        paid=found.paid,
        inferred=found.published_inferred,
        language=found.language or "",
    )
    assert case.expected is not None
    wrong = {
        field.name: (getattr(told, field.name), getattr(case.expected, field.name))
        for field in fields(Expected)
        if getattr(told, field.name) != getattr(case.expected, field.name)
    }
    assert not wrong, "read, expected"
    if found.published and case.expected.published:
        assert found.published.utcoffset() == case.expected.published.utcoffset()
    assert found.pages == ()


@pytest.mark.parametrize("case", NONE, ids=lambda case: case.name)
def test_no_article(case: Case) -> None:
    assert read(case.pages, zone=case.zone, outlet=case.outlet) is None


def test_the_pages_are_many_and_different() -> None:
    assert len(ARTICLES) >= 40
    assert len(NONE) >= 10
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_benchmark_counts_what_is_wrong() -> None:
    case, index = ARTICLES[0], NONE[0]
    at = datetime(2024, 5, 15, 6, 30, tzinfo=ZoneInfo("Asia/Makassar"))  # in UTC the day before
    known = {"title": "Judul", "text": "satu dua tiga empat", "authors": ("Ani",), "published": at}
    article = Sample("", "", case.pages, ZoneInfo("Asia/Makassar"), expected=known)
    other = Sample("", "", index.pages, index.zone)

    def counted(reading: Reading | None, on_index: Reading | None = None) -> dict[str, Any]:
        return figures([article, other], [reading, on_index])

    right = Reading("Judul", "Satu, dua; tiga EMPAT", ["Ani"], at.isoformat())
    shares = ("precision", "recall", "f1", "mean_f1", "title", "date", "offset", "day", "authors")
    assert {counted(right)[share] for share in shares} == {1}
    assert counted(right)["indexes"] == 0
    assert {counted(None)[share] for share in shares} == {0}
    half = counted(Reading("Judul - Situs", "satu dua lima", ["Ani", "Budi"], None))
    assert (half["precision"], half["recall"], half["title"]) == (2 / 3, 1 / 2, 0)
    assert (half["authors"], half["day"]) == (0, 0)
    utc = counted(Reading("", "", [], at.astimezone(UTC).isoformat()))
    assert (utc["date"], utc["offset"], utc["day"]) == (1, 0, 1)
    local = counted(Reading("", "", [], at.replace(tzinfo=None).isoformat()))
    assert (local["date"], local["offset"]) == (1, 1)
    assert counted(right, Reading("Indeks", "kata " * 50, [], None))["indexes"] == 1
