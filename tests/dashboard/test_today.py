"""Today: what is new, once; how the night's crawl went."""

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from storage.models import Crawl, Role
from tests.dashboard.conftest import Dashboard
from tests.dashboard.newsroom import CAMAT, article, camat, kades, keep, verdict
from tests.dashboard.test_findings import titles

HOUR = timedelta(hours=1)


def test_what_is_new_is_shown_by_story_until_it_is_marked_as_seen(dashboard: Dashboard) -> None:
    camat(dashboard.engine, ago=5 * HOUR)
    twin = article("Camat Sukasada Dipanggil Bawaslu", CAMAT, outlet="harian")
    keep(dashboard.engine, twin, verdict(CAMAT, []), ago=4 * HOUR)
    kades(dashboard.engine, ago=6 * HOUR)
    browser = dashboard.signed_in(Role.VIEWER)
    for _ in range(2):  # a reload loses nothing
        page = browser.get("/")
        assert titles(page)[0] == "Kades Teke Kena Sanksi"  # the weightiest first
        assert len(titles(page)) == 2
        assert "Kepala Desa Teke menerima sanksi." in page
        assert "2 outlets carry it" in page
    until = re.search(r'name="until" value="([^"]+)"', page)
    assert until
    later = article("Lurah Banjar Berpose", "Lurah Banjar berpose dua jari.", name="later")
    keep(dashboard.engine, later, verdict(later.text, []), ago=timedelta())
    assert titles(browser.post("/seen", until=until[1])) == []  # too fresh to be shown
    assert "Kades Teke" in browser.get("/?last=day")
    assert "You have seen everything." in browser.get("/")
    browser.post("/seen", until=datetime(2020, 1, 1, tzinfo=UTC).isoformat())
    assert titles(browser.get("/")) == []  # an older page takes nothing back
    assert len(titles(dashboard.signed_in(Role.OPERATOR).get("/"))) == 2  # each has their own


def test_what_was_found_after_the_page_stays_new(dashboard: Dashboard) -> None:
    camat(dashboard.engine, ago=5 * HOUR)
    browser = dashboard.signed_in(Role.VIEWER)
    browser.post("/seen", until=(datetime.now(UTC) - HOUR).isoformat())
    assert titles(browser.get("/")) == []
    kades(dashboard.engine, ago=HOUR / 2)
    assert titles(browser.get("/")) == ["Kades Teke Kena Sanksi"]
    browser.post("/seen", until=datetime(2100, 1, 1, tzinfo=UTC).isoformat())
    browser.get("/")


def test_a_story_that_developed_says_so(dashboard: Dashboard) -> None:
    camat(dashboard.engine, ago=30 * HOUR)
    told = article("Camat Sukasada Dijatuhi Sanksi", CAMAT, outlet="harian")
    keep(dashboard.engine, told, verdict(CAMAT, [], kind="sanction"), ago=HOUR)
    page = dashboard.signed_in(Role.VIEWER).get("/?last=day")
    developed = re.search(r"Developed:.*?Allegation.*?→.*?Sanction", page, re.DOTALL)
    assert developed
    assert titles(page) == ["Camat Sukasada Dijatuhi Sanksi"]


def test_the_night_is_told_in_a_line(dashboard: Dashboard) -> None:
    browser = dashboard.signed_in(Role.VIEWER)
    page = browser.get("/")
    assert "No daily crawl has run in the last four weeks." in page
    assert "Nothing has been found in the last week." in page
    now = datetime.now(UTC)
    with Session(dashboard.engine) as session, session.begin():
        for number in range(3):
            session.add(
                Crawl(
                    run="night", outlet=f"outlet{number}", started=now - 5 * HOUR,
                    finished=now - 4 * HOUR, links=40, new=1000, findings=2, errors=number,
                )
            )  # fmt: skip
    page = " ".join(browser.get("/").split())
    assert "3 of 3 outlets done, 3,000 new links, 6 findings, 3 errors." in page
    assert '<span class="badge good">well</span>' in page
