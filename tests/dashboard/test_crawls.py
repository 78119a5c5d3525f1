"""Crawls and backfills in the browser: seen with their errors, begun, paused, resumed, cancelled,
whoever runs them."""

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from rq import Worker
from rq.serializers import JSONSerializer
from sqlalchemy.orm import Session

from dashboard.crawls import ERRORS
from extract.link import Link
from scheduler import health
from scheduler.jobs import working
from storage import crawls, links, queue
from storage.crawls import Counts
from storage.models import Link as LinkRow
from storage.models import Role, State
from storage.queue import Unit
from storage.valkey import open_redis
from tests.conftest import Pantau, row
from tests.dashboard.conftest import Dashboard
from tests.dashboard.test_outlets import address, set_up, until
from tests.site import Answer, Site, running

NOW = datetime.now(UTC)
MONTH = datetime(2023, 9, 1, tzinfo=UTC)
NUMBER = 40  # articles of the month
ARTICLE = "<html><head><title>Kabar desa</title></head><body><p>Warga panen raya.</p></body></html>"
DAYS = {"first": "2023-09-01", "last": "2023-09-30"}


@pytest.fixture
def site() -> Iterator[Site]:
    """A site with a sitemap of the past; its pages take a moment each, unless it is hurried."""
    with running() as found:
        found.slow = 0.4  # type: ignore[attr-defined]

        def page(_: BaseHTTPRequestHandler) -> Answer:
            time.sleep(found.slow)  # type: ignore[attr-defined]
            return Answer(ARTICLE)

        entries = ""
        for number in range(NUMBER):
            moment = MONTH + timedelta(hours=12 * number + 5)
            found.pages[f"/berita/{number}/kabar-desa-hari-ini"] = page
            entries += (
                f"<url><loc>{found.url}/berita/{number}/kabar-desa-hari-ini</loc>"
                f"<lastmod>{moment.isoformat()}</lastmod></url>"
            )
        found.pages["/sitemap.xml"] = f"<?xml version='1.0'?><urlset>{entries}</urlset>"
        yield found


@pytest.fixture
def installed(dashboard: Dashboard, site: Site, monkeypatch: pytest.MonkeyPatch) -> Pantau:
    """The dashboard's installation: one outlet, "kabar", at `site`."""
    pantau = Pantau(dashboard.settings.home)
    pantau.catalogue(row("kabar", site.url, '[{sitemap = "/sitemap.xml"}]'))
    pantau.set(outlets="laksara")
    set_up(pantau, monkeypatch)
    return pantau


def is_in(*states: str) -> Callable[[str], bool]:
    return lambda html: any(f">{state}</span>" in html for state in states)


def fetched(html: str) -> int:
    found = re.search(r"(\d+) articles are fetched", html)
    assert found
    return int(found[1])


def test_a_backfill_is_begun_paused_resumed_and_comes_to_its_end(
    dashboard: Dashboard, installed: Pantau, site: Site
) -> None:
    browser = dashboard.signed_in(Role.OPERATOR)
    with working(dashboard.engine, [sys.executable, "-m", "cli"], 5):
        page = address(browser, "/crawls/backfills", outlets="kabar", **DAYS)
        until(browser, f"{page}/now", lambda html: is_in("running")(html) and fetched(html) > 1)
        assert "Backfill" in browser.get("/crawls/now")
        browser.post(f"{page}/pause")
        paused = until(browser, f"{page}/now", is_in("stopped"))
        assert 0 < fetched(paused) < NUMBER
        site.slow = 0.0  # type: ignore[attr-defined]
        time.sleep(1)
        assert fetched(browser.get(f"{page}/now")) == fetched(paused), "it rests"
        browser.post(f"{page}/resume")
        done = until(browser, f"{page}/now", is_in("done"))
        assert fetched(done) == NUMBER
    paths = [path for path in site.paths() if path.startswith("/berita/")]
    assert len(paths) == len({*paths}) == NUMBER, "each was fetched once"
    assert ">2023-09</th>" in browser.get(f"{page}/kabar")
    assert f'<td class="number">{NUMBER}</td>' in browser.get(f"{page}/kabar")


def test_what_was_asked_for_outlives_the_process_that_does_it(
    dashboard: Dashboard, installed: Pantau, site: Site
) -> None:
    installed.set(dashboard_address="127.0.0.1:0")
    browser = dashboard.signed_in(Role.OPERATOR)
    page = address(browser, "/crawls/backfills", outlets="kabar", **DAYS)
    assert is_in("waiting")(browser.get(f"{page}/now"))
    with installed.start("serve", "--json") as process:
        until(browser, f"{page}/now", lambda html: is_in("running")(html) and fetched(html) > 1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    left = browser.get(f"{page}/now")
    assert is_in("waiting")(left)
    assert 0 < fetched(left) < NUMBER
    site.slow = 0.0  # type: ignore[attr-defined]
    with installed.start("serve", "--json") as process:
        assert fetched(until(browser, f"{page}/now", is_in("done"))) == NUMBER
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    paths = [path for path in site.paths() if path.startswith("/berita/")]
    assert len(paths) == len({*paths}) == NUMBER, "each was fetched once"


def test_a_backfill_of_the_command_line_is_cancelled_from_the_browser(
    dashboard: Dashboard, installed: Pantau, site: Site
) -> None:
    browser = dashboard.signed_in(Role.OPERATOR)
    days = "--from", DAYS["first"], "--to", DAYS["last"]
    with installed.start("backfill", *days, "--outlet", "kabar") as process:
        page = "/crawls/backfills/1"
        end = time.monotonic() + 60
        while "/crawls/backfills/1" not in browser.get("/crawls/backfills"):
            assert time.monotonic() < end
            time.sleep(0.5)
        until(browser, f"{page}/now", lambda html: is_in("running")(html) and fetched(html) > 1)
        browser.post(f"{page}/cancel")
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Stopped" in said
    cancelled = until(browser, f"{page}/now", is_in("cancelled"))
    assert ", 0 wait" in cancelled
    assert "Resume" not in browser.get(page)
    ran = installed("backfill", "--resume", "1")
    assert (ran.code, ran.err) == (2, "pantau: Backfill 1 was cancelled; begin another.\n")


def test_what_cannot_be_begun_is_said(dashboard: Dashboard, installed: Pantau) -> None:
    browser = dashboard.signed_in(Role.OPERATOR)
    tomorrow = str((NOW + timedelta(days=1)).date())
    for said, given in (
        ("Say which days", {}),
        ("Say which days", {**DAYS, "last": "--help"}),
        ("lies before the first", {"first": "2023-09-02", "last": "2023-09-01"}),
        ("is not over yet", {**DAYS, "last": tomorrow}),
        ("too long ago", {**DAYS, "first": "1066-10-14"}),
        ("There is no outlet “kabor”. Did you mean kabar?", {**DAYS, "outlets": "kabor"}),
        ("There is no outlet “--json”", {**DAYS, "outlets": "--json"}),
        ("“&lt;b&gt;” is not a number", {**DAYS, "delay": "<b>"}),
        ("“nan” is not a number", {**DAYS, "delay": "nan"}),
        ("No outlet is left", {**DAYS, "province": "Atlantis"}),
    ):
        assert said in browser.post("/crawls/backfills", 400, **given), given
    assert "None yet." in browser.get("/crawls/backfills")
    assert 'value="kabar"' in browser.get("/crawls/backfills/new?outlets=kabar")


def test_a_crawl_tells_its_numbers_and_errors(dashboard: Dashboard, installed: Pantau) -> None:
    hostile = "https://laksara.id/<script>alert(1)</script>"
    with Session(dashboard.engine) as session, session.begin():
        ids = [crawls.begin(session, "run", name, NOW) for name in ("laksara", "kabar")]
        failed = [Link(f"{hostile}{n}", f"{hostile}{n}") for n in range(ERRORS + 1)]
        links.record(session, "laksara", failed, now=NOW, known_before=None, oldest=None)
        for link in session.query(LinkRow):
            link.state, link.settled, link.error = State.FAILED, NOW, "HTTP 404 <b>"
        counts = Counts(links=250, new=201, errors=201, note="it is <i>ill</i>",
                        dropped={"of another site": 7, "<u>": 1})  # fmt: skip
        crawls.finish(session, ids[0], counts, NOW + timedelta(minutes=3))
        crawls.finish(session, ids[1], Counts(links=3, findings=1), NOW + timedelta(seconds=30))
    browser = dashboard.signed_in(Role.VIEWER)
    overview = browser.get("/crawls")
    assert "Nothing is under way." in overview
    assert "/crawls/runs/run?only=errors" in overview
    of_run = browser.get("/crawls/runs/run?only=errors")
    assert "/crawls/runs/run/laksara" in of_run
    assert "/crawls/runs/run/kabar" not in of_run
    assert "<dt>of another site</dt><dd>7</dd>" in of_run
    one = browser.get("/crawls/runs/run/laksara")
    assert one.count("HTTP 404 &lt;b&gt;") == ERRORS
    assert "And more" in one
    for page in (overview, of_run, one, browser.get("/outlets/laksara")):
        assert not re.search(r"<(script>|b>|i>|u>)", page)
    assert "Crawl all" not in overview, "a viewer only looks"
    browser.get("/crawls/runs/none", 404)
    browser.get("/crawls/jobs/7", 404)


def test_workers_are_shown_with_what_they_do(dashboard: Dashboard, tmp_path: Path) -> None:
    browser = dashboard.signed_in(Role.VIEWER)
    assert "Workers" not in browser.get("/crawls"), "without the queue there are none"
    object.__setattr__(dashboard.settings, "queue", True)
    assert "There are no workers." in browser.get("/crawls")
    with open_redis(None, tmp_path) as redis:
        queue.offer(redis, [Unit("run", name) for name in ("laksara", "satumeja")], 1)
        said = "Work waits, but no worker takes it"
        for page in ("/", "/crawls", "/crawls/workers/now"):
            assert said in browser.get(page)
        answer = browser.client.get("/api/v1/workers").json()
        assert (health.workers(dashboard.settings).ok, answer["workers"]) == (False, [])
        place = Worker(
            queue.queues(redis), f"mesin.<b>:{77}/a", connection=redis, serializer=JSONSerializer
        )
        place.register_birth()
        job, _ = place.dequeue_job_and_maintain_ttl(None)
        place.prepare_execution(job)
        place.prepare_job_execution(job)
        shown = browser.get("/crawls/workers/now")
        assert said not in shown
        assert 'href="/outlets/laksara">' in shown
        assert "mesin.&lt;b&gt;:77" in shown
        assert "1 daily" in shown
        told = health.workers(dashboard.settings)
        assert (told.ok, told.says) == (True, "1 alive, for 1 outlets at a time; 1 units wait")
        answer = browser.client.get("/api/v1/workers").json()
        assert answer["waiting"] == {"daily": 1, "backfill": 0}
        assert [doing["outlet"] for doing in answer["workers"][0]["doing"]] == ["laksara"]
    object.__setattr__(dashboard.settings, "redis_url", "redis://127.0.0.1:1")
    assert "Redis does not answer" in browser.get("/crawls")
    assert browser.client.get("/api/v1/workers").status_code == 503
