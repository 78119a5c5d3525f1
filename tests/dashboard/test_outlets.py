"""Outlets in the browser: seen, added by their address, crawled, checked and paused."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from sqlalchemy.orm import Session

import settings
from crawler.crawl import TAKEN
from crawler.outlets.checkup import Condition
from crawler.sources.reader import TOO_OLD, UNREADABLE
from dashboard.outlets import HEIGHT, STATES, WIDTH, lines
from dashboard.words import translations
from demo.sites import serve
from scheduler.jobs import working
from storage import crawls
from storage.crawls import Counts
from storage.jobs import JobState
from storage.models import Role
from tests.conftest import Pantau, row
from tests.dashboard.conftest import Browser, Dashboard


def set_up(pantau: Pantau, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the settings of `pantau` those of this process, too, where the dashboard is served."""
    for name, value in pantau.environment.items():
        if name.startswith("PANTAU_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr("settings.load", cache(settings.Settings))


@pytest.fixture
def at_work(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    """A dashboard beside which jobs are done, as by `pantau serve`."""
    set_up(Pantau(dashboard.settings.home), monkeypatch)
    with working(dashboard.engine, [sys.executable, "-m", "cli"], 5):
        yield dashboard


def until(browser: Browser, path: str, holds: Callable[[str], bool], seconds: float = 90) -> str:
    """The page at `path`, as soon as that holds of it."""
    end = time.monotonic() + seconds
    while not holds(html := browser.get(path)):
        assert time.monotonic() < end, html
        time.sleep(0.5)
    return html


def address(browser: Browser, path: str, **values: object) -> str:
    """Where sending a form leads to."""
    form = re.search(r'name="form" value="([\w-]+)"', browser.get("/account"))
    assert form
    answer = browser.client.post(path, data={"form": form[1], **values})
    assert answer.status_code == 200, answer.text
    return answer.url.path


def test_an_outlet_is_added_by_its_address_and_crawled(at_work: Dashboard) -> None:
    browser = at_work.signed_in(Role.OPERATOR)
    with serve(datetime.now(UTC)) as sites:
        study = address(browser, "/outlets/-/add", url=sites["laksara"])
        found = until(browser, f"{study}/now", lambda html: "Add this outlet" in html)
        assert "wordpress" in found.lower()
        assert "requests" in found
        outlet = address(browser, f"{study}/add")
        assert outlet.startswith("/outlets/127.0.0.1")
        again = browser.post("/outlets/-/add", 400, url=f"{sites['laksara']}/")
        assert "is watched already" in again
        assert "not crawled yet" in browser.get(outlet)

        job = address(browser, f"{outlet}/crawl")
        done = until(browser, f"{job}/now", lambda html: "done</span>" in html)
        run = re.search(r'href="(/crawls/runs/[^"]+)"', done)
        assert run
        numbers = browser.get(run[1])
        assert "<dt>Errors</dt><dd>0</dd>" in numbers
        assert int(re.search(r"Pages fetched</dt><dd>(\d+)", numbers)[1]) > 3  # type: ignore[index]

        job = address(browser, f"{outlet}/check")
        checked = until(browser, f"{job}/now", lambda html: "done</span>" in html)
        assert "fresh" in checked
    shown = browser.get("/outlets?q=127.0.0.1")
    assert "1 outlet<" in shown
    assert "not known yet" in shown, "it was read on one day only"
    for what in ("outlet added", "crawl asked for", "check asked for", "site studied"):
        assert what in at_work.signed_in(Role.ADMINISTRATOR).get("/people/audit"), what


def test_what_cannot_be_studied_is_said(at_work: Dashboard) -> None:
    feed = '[{feed = "/feed"}]'
    own = at_work.settings.home / "outlets.toml"
    own.write_text(row("kabar", "https://kabar.example", feed), "utf-8")
    browser = at_work.signed_in(Role.OPERATOR)
    for url in ("--help", "a b", "x" * 600, "user:secret@laksara.id", "javascript:alert(1)"):
        assert "is not the address of a site" in browser.post("/outlets/-/add", 400, url=url)
    assert "is watched already" in browser.post("/outlets/-/add", 400, url="kabar.example/x")
    study = address(browser, "/outlets/-/add", url="nowhere.invalid")
    told = until(browser, f"{study}/now", lambda html: 'role="alert"' in html)
    assert "nowhere.invalid cannot be studied" in told
    browser.post(f"{study}/add", 409)


def test_outlets_are_filtered_sorted_paused_and_resumed(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(Pantau(dashboard.settings.home), monkeypatch)
    now = datetime.now(UTC)
    with Session(dashboard.engine) as session, session.begin():
        for day in range(30):
            for outlet, new in (("laksara", 5), ("nusabali", 50)):
                moment = now - timedelta(days=day)
                id_ = crawls.begin(session, f"run{day}", outlet, moment)
                counts = Counts(links=new, new=new, fetched=new)
                crawls.finish(session, id_, counts, moment + timedelta(minutes=2))
    browser = dashboard.signed_in(Role.OPERATOR)
    page = browser.get("/outlets?sort=habit")
    assert page.index("/outlets/nusabali") < page.index("/outlets/laksara")
    assert "new articles a day: at most 50, at least 50, 50 at last" in page
    assert "/outlets/nusabali" not in browser.get("/outlets?province=Jawa+Timur")
    assert "/outlets/nusabali" not in browser.get("/outlets?q=lak")

    assert "paused" in browser.post("/outlets/laksara/pause")
    assert "/outlets/laksara" in browser.get("/outlets?state=paused")
    assert "resume it first" in browser.post("/outlets/laksara/crawl")
    assert "paused</span>" not in browser.post("/outlets/laksara/resume")
    assert "/outlets/laksara" not in browser.get("/outlets?state=paused")
    browser.get("/outlets/nobody", 404)
    assert 'value="kabar.example"' in browser.get("/outlets/-/add?url=kabar.example")
    assert "Jeda" in dashboard.signed_in(Role.OPERATOR, "id").get("/outlets/laksara")


def test_a_line_has_gaps_and_stays_in_its_frame() -> None:
    known: list[int | None] = [None, 3, 0, None, 7, None, *[1] * 22]
    found = lines(known)
    assert [len(points.split()) for points in found] == [2, 2, 22]
    for point in " ".join(found).split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    assert lines([None] * 28) == []


def test_the_words_of_the_program_are_translated() -> None:
    told = translations("id")
    for word in (
        *STATES,
        *JobState,
        *Condition,
        *("running", "stopping", "stopped", "daily", "spare", "past"),
        *("blocked", "away", "broken", "gone", "forbidden", "unreadable"),
        *("outlet paused", "backfill paused", "backfill cancelled", TOO_OLD, UNREADABLE, TAKEN),
    ):
        assert told.gettext(str(word)) != str(word), word
