"""What read() makes of the saved pages of real sites."""

import json
from datetime import timedelta

import pytest

from benchmarks.extraction.measure import Overlap, words
from extract.article import Article
from extract.read import read
from tests.extract.saved import FOLDER, ZONE, Saved, saved_pages

PAGES = list(saved_pages())
pytestmark = pytest.mark.skipif(not PAGES, reason="the saved pages (../shared/html) are not here")


def found(saved: Saved) -> Article | None:
    return read([saved.page], zone=ZONE)


@pytest.mark.parametrize("saved", PAGES, ids=lambda saved: saved.name)
def test_a_saved_page(saved: Saved) -> None:
    article = found(saved)
    if saved.fields is None:
        assert article is None
        return
    assert article is not None
    expected = dict(saved.fields)
    overlap = Overlap.of(words(article.text), words(expected.pop("text")))
    assert overlap.precision > 0.97
    assert overlap.recall > 0.97
    published = expected.pop("published")
    assert article.published is not None
    assert abs(article.published - published) < timedelta(minutes=1)
    assert article.published.utcoffset() == published.utcoffset()
    if caption := expected.pop("caption", None):
        assert "".join((article.caption or "").split()) == "".join(caption.split())
    assert {name: getattr(article, name) for name in expected} == expected
    assert article.language == "id"
    assert not article.paid


@pytest.mark.parametrize("saved", [s for s in PAGES if "mediaindonesia" in s.name])
def test_the_publishers_own_words_are_read_from_the_saved_page(saved: Saved) -> None:
    known = json.loads((FOLDER / f"{saved.name}.expected.json").read_text("utf-8"))["V1"]
    sections = known["body"]["sections"]
    assert saved.fields is not None
    assert saved.fields["text"].split("\n") == [p for s in sections for p in s["paragraphs"]]
    assert saved.fields["title"] == known["title"]
    assert saved.fields["published"].isoformat(" ") == known["publishing_date"]
    assert list(saved.fields["authors"]) == known["authors"]
