"""What read() makes of pages in the manner of the platforms: every field of every page."""

from dataclasses import fields

import pytest

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
