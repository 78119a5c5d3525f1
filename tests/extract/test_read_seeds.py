"""The five sample articles, read from pages of their outlets' manner."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawler.outlets.catalogue import spiders
from extract.article import Page
from extract.read import read
from tests import seeds
from tests.conftest import DECLARED


@pytest.mark.parametrize("name", DECLARED)
def test_a_seed_is_read_exactly(name: str, shared: Path) -> None:
    seed = seeds.load(shared / "seeds")[name]
    outlet = spiders()[name].outlet
    url = outlet.url(seed.path)
    page = Page(url, seed.html(url).encode(), datetime(2026, 11, 21, tzinfo=UTC))
    article = read([page], zone=outlet.zone, outlet=outlet.title)
    assert article is not None
    assert article.title == seed.title
    # every line, in order, and nothing else; what stands under the picture is apart
    lines = [line for line in seed.lines if line != article.caption]
    assert article.text.split("\n") == lines
    assert len(lines) == len(seed.lines) - (article.caption is not None)
    assert article.dateline == seed.dateline
    assert article.published is not None
    assert article.published.isoformat() == seed.published
    assert article.paid == seed.paid
    assert article.language == "id"
    assert article.pages == ()
