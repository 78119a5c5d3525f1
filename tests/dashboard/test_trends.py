"""The trends' page: its numbers, and where they lead."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from lxml import html

from dashboard.serve import serving
from settings import Settings
from storage.database import open_database
from storage.models import Role
from tests.dashboard import lived
from tests.dashboard.conftest import Dashboard

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    home = tmp_path_factory.mktemp("lived")
    current = Settings(home=home, dashboard_address="127.0.0.1:0")
    engine = open_database(current.database)
    lived.fill(engine, NOW, days=6)
    with serving(engine, current) as url:
        yield Dashboard(url, engine, current)
    engine.dispose()


def number_in(text: str | None) -> int:
    return int(re.sub(r"\D", "", text or ""))


def test_every_number_leads_to_as_many_findings(lived_in: Dashboard) -> None:
    browser = lived_in.signed_in(Role.VIEWER)
    page = html.fromstring(browser.get("/trends?days=7"))
    links = {
        link.get("href"): number_in(numbers[0].text_content())
        for row in page.cssselect(".bars tbody tr, .legend li")
        for link in row.cssselect('a[href^="/findings"]')
        if (numbers := row.cssselect("td.number, .soft"))
    }
    assert len(links) > 20
    for kind in ("kind=", "province=", "regency=", "outlet=", "subject="):
        assert any(kind in link for link in links), kind
    some = [link for number, link in enumerate(sorted(links)) if number % 7 == 0]
    for link in some:
        shown = html.fromstring(browser.get(link))
        total = shown.xpath("//strong[contains(., 'finding')]")[0].text_content()
        assert number_in(total) == links[link], link


def test_the_picture_is_the_numbers(lived_in: Dashboard) -> None:
    page = html.fromstring(lived_in.signed_in(Role.VIEWER).get("/trends?days=7"))
    bars = page.cssselect("svg.chart .bar a")
    cells = page.cssselect("details table tbody td.number")
    assert len(bars) == sum(number_in(cell.text) > 0 for cell in cells) > 10
    assert len(page.cssselect("svg.map path")) == 38
    chosen = page.cssselect("svg.map path.level-5")
    most = page.cssselect("table.bars tbody tr th a")[0].text
    assert any((path.text_content() or "").startswith(f"{most}:") for path in chosen)
    assert "style" not in {name for element in page.iter() for name in element.attrib}


def test_a_year_is_shown_by_weeks(lived_in: Dashboard) -> None:
    page = html.fromstring(lived_in.signed_in(Role.VIEWER).get("/trends?days=365"))
    assert 0 < len(page.cssselect("details table tbody tr")) <= 3  # six days, in two weeks or so
    newest = page.cssselect("details table tbody a")[0].get("href")
    since, until = re.findall(r"\d{4}-\d\d-\d\d", newest or "")
    assert (date.fromisoformat(until) - date.fromisoformat(since)).days == 6
    numbers = page.cssselect("details table tbody td.number")
    named = page.cssselect(".legend .soft")
    assert sum(number_in(c.text) for c in numbers) == sum(number_in(c.text) for c in named) > 20


def test_a_province_opens_its_regencies(lived_in: Dashboard) -> None:
    browser = lived_in.signed_in(Role.VIEWER, "id")
    page = html.fromstring(browser.get("/trends?days=7&province=35"))
    regencies = page.cssselect("#regencies a")
    assert page.cssselect("#regencies h3")[0].text == "Jawa Timur"
    assert all("regency=35." in link.get("href", "") for link in regencies)
    assert "Batas provinsi:" in page.text_content()


def test_what_cannot_be_is_refused(lived_in: Dashboard) -> None:
    browser = lived_in.signed_in(Role.VIEWER)
    for query in ("days=0", "days=99999", "until=yesterday", "province=x"):
        browser.get(f"/trends?{query}", 422)
    for query in ("until=0001-01-01", "until=9999-12-31", "province=99"):
        browser.get(f"/trends?{query}")
