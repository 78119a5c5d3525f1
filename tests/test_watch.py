"""The watch: how outlets do, the daily crawl, who hears of it, and what can be asked."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from alerts import channels
from crawler.web.challenge import wall
from scheduler import heartbeat
from scheduler.metrics import serving
from scheduler.watch import Watch
from settings import Settings
from storage import backfills, runs, states
from storage.backfills import Part
from storage.database import open_database
from storage.models import Crawl, Delivery, OutletState
from tests import site as sites
from tests.conftest import Pantau, row
from tests.history import Day, crawled, days
from tests.site import Answer, Site

FIRST = datetime(2026, 3, 1, 22, tzinfo=UTC)  # 05:00 in Jakarta, a Monday
FORBIDDEN = Day(problem="HTTP 403 from https://a.example/1")
CHALLENGED = Day(problem="feed: blocked by Cloudflare")
AWAY = Day(problem="unreachable: it did not answer within 30 s")
SILENT = Day(new=0, judged=0)
OFFICE = [*days((5, Day(4, 1)), (2, SILENT))]  # Monday to Friday
WELL = Day(12, 2)

HISTORY = {
    "steady": days((42, WELL)),
    "office": [*OFFICE * 6],
    "slow": [*[SILENT, SILENT, Day(1, 0)] * 14],
    "flaky": [*[WELL, WELL, AWAY] * 14],
    "silent": days((28, WELL), (5, SILENT), (9, WELL)),
    "dwindled": days((28, Day(80, 2)), (6, Day(2, 1)), (8, Day(80, 2))),
    "forbidden": days((28, WELL), (4, FORBIDDEN), (10, WELL)),
    "challenged": days((28, WELL), (4, CHALLENGED), (10, WELL)),
    "away": days((28, WELL), (1, AWAY), (3, WELL), (3, AWAY), (1, WELL), (1, AWAY), (5, WELL)),
    "redesigned": days((28, WELL), (4, Day(12, 0, empty=2)), (10, WELL)),
    "undated": days((28, WELL), (5, Day(12, 2, dated=False)), (9, WELL)),
    "shell": days((28, Day(60, 4)), (4, Day(60, 0)), (10, Day(60, 4))),
    "young": days((3, WELL), (39, SILENT)),
}
CHANGES = {  # on which day, counted from 0, an outlet's state became what
    "silent": [(29, "quiet"), (33, "well")],
    "dwindled": [(29, "quiet"), (34, "well")],
    "forbidden": [(29, "blocked"), (33, "well")],
    "challenged": [(29, "blocked"), (33, "well")],
    "away": [(33, "failing"), (38, "well")],
    "redesigned": [(30, "changed"), (33, "well")],
    "undated": [(30, "changed"), (34, "well")],
    "shell": [(30, "changed"), (32, "well")],
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = open_database(database_url)
    yield made
    made.dispose()


def test_each_change_of_state_is_said_once(engine: Engine) -> None:
    changes: dict[str, list[tuple[int, str]]] = {}
    for number in range(42):
        at = FIRST + timedelta(days=number)
        with Session(engine) as session, session.begin():
            for outlet, history in HISTORY.items():
                crawled(session, outlet, at, history[number], run=f"{number}")
        for hours in (1, 2):  # the second look finds nothing new
            with Session(engine) as session, session.begin():
                for change in states.settle(session, at + timedelta(hours=hours)):
                    assert hours == 1
                    assert change.why
                    changes.setdefault(change.outlet, []).append((number, change.state))
    assert changes == CHANGES


def test_vital_signs(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        for number, day in enumerate([WELL, *OFFICE * 4, CHALLENGED]):
            crawled(session, "a", FIRST + timedelta(days=number), day, run=f"{number}")
        now = FIRST + timedelta(days=29, hours=1)
        vitals = states.measure(session, now)["a"]
    assert vitals.last_success == FIRST + timedelta(days=28, minutes=1)
    assert vitals.habit == (4, 0)
    assert (vitals.share_extracted, vitals.share_dated) == (1, 1)
    assert (vitals.blocked, dict(vitals.errors)) == (1, {"blocked": 1})


def test_vital_signs_are_shown(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        for number, day in enumerate([*OFFICE * 4, CHALLENGED, CHALLENGED]):
            crawled(session, "a", FIRST + timedelta(days=number), day, run=f"{number}")
        now = FIRST + timedelta(days=29, hours=1)
        states.settle(session, now, ["a"])
        signs = states.vitals(session, ["new", "a"], now + timedelta(hours=1))
    assert [*signs] == ["new", "a"]
    assert (signs["new"].state, signs["new"].last_success) == ("new", None)
    a = signs["a"]
    assert (a.state, a.since) == ("blocked", now)
    assert "Cloudflare" in a.why
    assert (a.latest, a.habit, a.slow) == (0, 4, 0)
    assert (a.share_extracted, a.share_dated, a.errors) == (1, 1, {"blocked": 2})
    assert a.per_day == [*([4, 4, 4, 4, 4, 0, 0] * 4)[2:], None, None]


def test_a_night_without_internet_is_no_outlets_fault(engine: Engine) -> None:
    names = [f"o{number}" for number in range(30)]
    with Session(engine) as session, session.begin():
        for number in range(30):
            at = FIRST + timedelta(days=number)
            if number not in (20, 21):  # two nights on which the machine was off
                run_of(session, f"{number}", at, 30, AWAY if number in (25, 26, 27) else WELL)
            assert not states.settle(session, at + timedelta(hours=1), names)
        assert states.vitals(session, ["o1"], at)["o1"].per_day[-6:-1] == [12, None, None, None, 12]


def test_a_paused_outlet_is_not_watched(engine: Engine) -> None:
    def night(number: int, day: Day) -> list[tuple[str, str]]:
        at = FIRST + timedelta(days=number)
        for outlet in ("a", "b"):
            crawled(session, outlet, at, day, run=f"{number}")
        return [(c.outlet, c.state) for c in states.settle(session, at, ["b"])]

    with Session(engine) as session, session.begin():
        assert not night(0, WELL)
        assert states.pause(session, "b", FIRST)
        assert not states.pause(session, "b", FIRST + timedelta(days=9))
        assert states.paused(session) == {"b": FIRST}
        assert not night(1, AWAY)
        assert not night(2, AWAY)
        assert states.judged(session, FIRST + timedelta(days=2), ["b"]) == []
        signs = states.vitals(session, ["b"], FIRST + timedelta(days=2))["b"]
        assert (signs.state, signs.since, signs.paused) == ("paused", FIRST, FIRST)
        states.settle(session, FIRST, [])  # it is not forgotten, whatever the catalogue says
        assert states.resume(session, "b")
        assert not states.resume(session, "b")
        assert night(3, AWAY) == [("b", "failing")]


@pytest.mark.parametrize(
    ("error", "sort"),
    [
        ("HTTP 429 from https://a.example/", "blocked"),
        ("HTTP 503, it asked to be left alone for 3600 s", "blocked"),
        ("HTTP 502 from https://a.example/", "broken"),
        ("https://a.example/ leads to the front page", "gone"),
        ("robots.txt forbids it", "forbidden"),
        ("https://a.example/: it refuses the connection", "away"),
        ("feed: it is no feed", "unreadable"),
    ],
)
def test_errors_are_sorted(error: str, sort: str) -> None:
    assert states.sort_of(error) == sort


def test_two_schedulers_say_a_change_once(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        for number in range(2):
            crawled(session, "a", FIRST + timedelta(days=number), AWAY, run=f"{number}")
    said: list[states.Change] = []
    start = threading.Barrier(4)

    def settle() -> None:
        start.wait()
        with Session(engine) as session, session.begin():
            said.extend(states.settle(session, FIRST + timedelta(days=1, hours=1)))

    threads = [threading.Thread(target=settle) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [change.state for change in said] == ["failing"]


# --- the daily crawl ------------------------------------------------------------------------------


def run_of(session: Session, name: str, at: datetime, outlets: int, day: Day) -> None:
    for number in range(outlets):
        crawled(session, f"o{number}", at, day, run=name)


def test_the_daily_crawl(engine: Engine) -> None:
    hour, due = timedelta(hours=1), FIRST
    with Session(engine) as session, session.begin():

        def state(now: datetime) -> str:
            known = runs.runs(session, now)
            return runs.daily(known, 30, since=due, now=now, limit=6 * hour).state

        assert state(due) == "missing"
        run_of(session, "before", due - 24 * hour, 30, WELL)
        run_of(session, "one look", due + hour, 1, WELL)
        assert state(due + 2 * hour) == "missing"
        session.add(Crawl(run="hangs", outlet="o1", started=due + 2 * hour, dropped={}))
        assert state(due + 3 * hour) == "going"
        run_of(session, "hangs", due + 2 * hour, 29, WELL)
        assert state(due + 3 * hour) == "well"
        assert state(due + 9 * hour) == "late"
        run_of(session, "barren", due + 10 * hour, 30, AWAY)
        assert state(due + 11 * hour) == "nothing"
        run_of(session, "no news", due + 12 * hour, 30, SILENT)
        assert state(due + 13 * hour) == "nothing"
        run_of(session, "good", due + 14 * hour, 30, WELL)
        assert state(due + 15 * hour) == "well"
        run_of(session, "slow", due + 16 * hour, 29, WELL)
        crawled(session, "o29", due + 16 * hour, WELL, run="slow", seconds=7 * 3600)
        assert state(due + 24 * hour) == "late"
        run_of(session, "ahead", due + 1000 * hour, 30, WELL)  # the clock was wrong for an hour
        assert state(due + 24 * hour) == "late"
        known = runs.runs(session, due + 100 * hour)
        since, now = due + 72 * hour, due + 100 * hour
        assert runs.daily(known, 30, since=since, now=now, limit=6 * hour).state == "missing"


def test_operators_are_told_once(engine: Engine, tmp_path: Path) -> None:
    current = Settings(
        home=tmp_path, operators="team", secret_key=SecretStr(Fernet.generate_key().decode())
    )
    now = datetime.now(UTC)
    with Session(engine) as session, session.begin():
        channels.add(session, "team", channels.parse("json://127.0.0.1", current), now, current)
        for ago in (2, 1):
            at = now - timedelta(days=ago)
            crawled(session, "laksara", at, AWAY, run=f"{ago}")
            crawled(session, "nusabali", at, WELL, run=f"{ago}")
    for _ in range(2):
        watch = Watch(engine, current)
        watch.look(after_crawl=True)
        watch.look()
    with Session(engine) as session, session.begin():
        (told,) = session.scalars(select(Delivery))
        assert told.kind == "operator"
        assert "1 outlet needs a look" in told.message["title"]
        assert "laksara: failing (was well)" in told.message["text"]
        assert AWAY.problem in told.message["text"]
        for minutes in (2, 1):  # two crawls, in the last of which all is well
            at = now - timedelta(minutes=minutes)
            crawled(session, "laksara", at, WELL, run=f"now {minutes}")
        session.get_one(OutletState, "nusabali").state = "quiet"  # and it was read since
    watch.look(after_crawl=True)
    with Session(engine) as session:
        titles = [told.message["title"] for told in session.scalars(select(Delivery))]
    assert len(titles) == 2
    assert "well again" in titles[1]


def test_a_clock_that_was_ahead_stops_no_watch(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    now = datetime.now(UTC)
    with Session(engine) as session, session.begin():
        crawled(session, "laksara", now + timedelta(days=400), WELL, run="ahead")
        crawled(session, "laksara", now - timedelta(days=1), AWAY, run="1")
    watch = Watch(engine, Settings(), outlets=lambda: ["laksara"])
    watch.look(after_crawl=True)
    with Session(engine) as session, session.begin():
        crawled(session, "laksara", now - timedelta(minutes=20), AWAY, run="2")
    watch.look()
    assert "failing (was well): It cannot be read" in caplog.text


# --- the heartbeat --------------------------------------------------------------------------------


def test_the_heartbeat_is_asked_and_never_fails(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.pages["/ping/start"] = site.pages["/ping/fail"] = "ok"
    heartbeat.ping(f"{site.url}/ping", "start")
    heartbeat.ping(f"{site.url}/ping", "fail", "nothing was found")  # it takes no POST: a GET
    heartbeat.ping(f"{site.url}/nowhere")
    heartbeat.ping("http://127.0.0.1:9/secret")
    heartbeat.ping(None)
    assert "was not heard" in caplog.text
    assert "secret" not in caplog.text
    assert site.paths() == ["/ping/start", "/ping/fail", "/nowhere"]


def test_a_crawl_that_found_nothing_is_a_failure(engine: Engine, site: Site) -> None:
    watch = Watch(engine, Settings(heartbeat_url=f"{site.url}/ping"))
    began = datetime.now(UTC)
    watch.ended(began, 0)  # nothing was crawled
    with Session(engine) as session, session.begin():
        crawled(session, "laksara", began, WELL, run="good", seconds=0)
    watch.ended(began, 1)
    watch.ended(began, 2)
    with Session(engine) as session, session.begin():
        crawled(session, "laksara", began + timedelta(seconds=1), AWAY, run="bad", seconds=0)
    watch.ended(began, 1)
    assert site.paths() == ["/ping/fail", "/ping", "/ping/fail", "/ping/fail"]


# --- what can be asked ----------------------------------------------------------------------------


def metrics(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    return {sample.name + _labels(sample.labels): sample.value for sample in samples}


def _labels(labels: dict[str, str]) -> str:
    return json.dumps(labels, sort_keys=True) if labels else ""


def test_metrics(engine: Engine, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Session(engine) as session, session.begin():
        run_of(session, "good", now - timedelta(hours=1), 30, Day(5, 2, empty=1))
        crawled(session, "b", now - timedelta(days=2), Day(7), run="first")
        crawled(session, "b", now - timedelta(days=1), Day(9), run="b")
        session.add(OutletState(outlet='a"\n', state="blocked", since=now, why="HTTP 403"))
        session.add(OutletState(outlet="b", state="well", since=now, why=""))
        states.pause(session, "c", now)
    with serving(engine, Settings(home=tmp_path, metrics_address="127.0.0.1:0")) as address:
        assert address
        got = metrics(address)
        for path in ("/", "/feeds/guess.atom", "/feeds/guess.json"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{address}{path}")
    assert got["pantau_database_up"] == 1
    assert got["pantau_database_bytes"] > 10_000
    assert got["pantau_redis_up"] == 0  # nothing crawls
    assert got["pantau_crawls_total"] == 32
    assert got['pantau_pages_total{"outcome": "fetched"}'] == 166
    assert got['pantau_links{"state": "rejected"}'] == 64
    assert got['pantau_verdicts{"kind": "", "verdict": "rejected"}'] == 64
    assert got['pantau_queue_links{"by": "crawl"}'] == 0
    assert got["pantau_daily_crawl_last_duration_seconds"] == 60
    assert got["pantau_daily_crawl_last_success_timestamp_seconds"] > now.timestamp() - 3600
    assert got['pantau_outlets{"state": "blocked"}'] == 1
    assert got['pantau_outlets{"state": "paused"}'] == 1
    assert got['pantau_outlet_state{"outlet": "a\\"\\n", "state": "blocked"}'] == 1
    success = got['pantau_outlet_last_success_timestamp_seconds{"outlet": "b"}']
    assert now.timestamp() - 24 * 3600 <= success < now.timestamp() - 23 * 3600
    assert got['pantau_outlet_new_articles{"outlet": "b"}'] == 9
    assert got['pantau_outlet_habitual_articles{"outlet": "b"}'] == 9


def test_redis_and_deliveries_are_measured(
    engine: Engine, redis_server: object, tmp_path: Path
) -> None:
    url = redis_server.url  # type: ignore[attr-defined]
    current = Settings(redis_url=url, metrics_address="127.0.0.1:0", home=tmp_path)
    with serving(engine, current) as address:
        assert address
        got = metrics(address)
    assert (got["pantau_redis_up"], got["pantau_redis_keys"]) == (1, 0)
    assert got["pantau_delivery_oldest_pending_seconds"] == 0


def test_run_is_watched_from_outside(pantau: Pantau, site: Site) -> None:
    site.pages["/feed/"] = Answer(sites.rss(site, ["/berita/satu"]))
    site.pages["/berita/satu"] = f"<html><body><h1>Pasar</h1><p>{PROSE}</p></body></html>"
    site.pages["/ping/start"] = site.pages["/ping"] = "ok"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pantau.set(
        outlets="laksara", stand_ins=json.dumps({"laksara": site.url}),
        heartbeat_url=f"{site.url}/ping", log_format="json", metrics_address=f"127.0.0.1:{port}",
    )  # fmt: skip
    before = pantau("doctor", "--since", "26h")
    assert before.code == 1
    assert "No daily crawl was completed" in before.err
    run = pantau.start("run", "--now", "--json")
    assert run.stdout
    assert json.loads(run.stdout.readline())["outlets"][0]["new"] == 1
    deadline = time.monotonic() + 20
    while "/ping" not in site.paths():
        assert time.monotonic() < deadline, site.paths()
        time.sleep(0.05)
    got = metrics(f"http://127.0.0.1:{port}")
    run.terminate()
    run.communicate(timeout=60)
    assert [path for path in site.paths() if "ping" in path] == ["/ping/start", "/ping"]
    assert got['pantau_pages_total{"outcome": "fetched"}'] == 1
    after = pantau("doctor", "--since", "26h", "--json")
    assert (after.code, after.json()["ok"]) == (0, True), after.out
    lines = [json.loads(line) for line in (pantau.home / "pantau.log").open()]
    crawl = {line["crawl"] for line in lines if line["outlet"] == "laksara"}
    assert len(crawl) == 1
    assert None not in crawl
    engine_lines = [line for line in lines if line["logger"].startswith("scrapy")]
    assert engine_lines
    assert {line["outlet"] for line in engine_lines} == {"laksara"}


def test_doctor_tells_cron(pantau: Pantau) -> None:
    names = ("laksara", "nusabali", "satumeja", "transparansi")  # four of five
    now = datetime.now(UTC)

    def doctor(name: str, hours: int, day: Day, seconds: int = 60) -> tuple[int, str]:
        with Session(engine) as session, session.begin():
            session.execute(delete(Crawl))
            for outlet in names:
                at = now - timedelta(hours=hours)
                crawled(session, outlet, at, day, run=name, seconds=seconds)
        ran = pantau("doctor", "--since", "26h")
        return ran.code, ran.err

    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    assert doctor("good", 7, WELL) == (0, "")
    assert "No daily crawl was completed since" in doctor("old", 30, WELL)[1]
    assert "it took 10.0 h" in doctor("slow", 20, WELL, seconds=10 * 3600)[1]
    code, said = doctor("barren", 7, AWAY)
    assert code == 1
    assert "4 of 4 outlets gave nothing but errors" in said
    engine.dispose()


def test_a_paused_outlet_is_left_alone(pantau: Pantau, site: Site) -> None:
    site.pages["/feed"] = Answer(sites.rss(site, ["/berita/satu"]))
    site.pages["/berita/satu"] = f"<html><body><h1>Pasar</h1><p>{PROSE}</p></body></html>"
    pantau.catalogue(row("kabar", site.url, '[{ feed = "/feed" }]'))
    pantau.set(outlets="laksara")
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    window = FIRST, FIRST + timedelta(days=2)
    with Session(engine) as session, session.begin():
        parts = [Part(name, "feed /feed", *window) for name in ("kabar", "laksara")]
        backfills.begin(session, *window, ["kabar", "laksara"], parts, FIRST)
    engine.dispose()
    paused = pantau("outlets", "pause", "kabar", "laksara", "--json")
    assert paused.json() == {"paused": ["kabar", "laksara"], "unchanged": []}
    listed = {outlet["name"]: outlet["state"] for outlet in pantau("outlets", "--json").lines()}
    assert listed == {"kabar": "paused", "laksara": "paused"}
    crawled = pantau("crawl", "--json")
    assert (crawled.code, crawled.json()["outlets"]) == (0, [])
    reports = pantau("backfill", "--resume", "1", "--json").json()["outlets"]
    assert {report["outlet"]: report["state"] for report in reports} == listed
    days = ["--from", "2024-01-01", "--to", "2024-01-02"]
    refused = pantau("backfill", *days, "--outlet", "kabar")
    assert refused.code == 2
    assert "“kabar” is paused" in refused.err
    assert not site.paths()
    assert pantau("outlets", "resume", "kabar").code == 0
    assert pantau.crawl("kabar")["kabar"]["fetched"] == 1
    signs = pantau("outlets", "show", "kabar", "--json").json()
    assert (signs["state"], signs["latest"], signs["paused"]) == ("well", 1, None)
    shown = pantau("outlets", "show", "kabar").out
    assert "1 new article on" in shown


# --- walls ----------------------------------------------------------------------------------------

PROSE = "Petugas menata kursi di balai desa sebelum warga datang. " * 40


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("<title>Just a moment...</title><script>window._cf_chl_opt={}</script>", "Cloudflare"),
        ("<title>Attention Required! | Cloudflare</title><h1>Sorry</h1>", "Cloudflare"),
        ("<title>Sucuri WebSite Firewall - Access Denied</title>", "Sucuri"),
        ("<html><head><title>DDoS-Guard</title></head></html>", "DDoS-Guard"),
        ("<iframe src='/_Incapsula_Resource?x=1'>Incapsula incident ID: 1</iframe>", "Imperva"),
        ("<title>One moment, please...</title><p>Please wait</p>", "Imunify360"),
        ("<meta http-equiv=refresh content='0;/.well-known/sgcaptcha/?r=%2F'>", "SiteGround"),
        ("<script src='/x.js'></script><form><div class='h-captcha'></div></form>", "a captcha"),
        ("<h1>Checking your browser before you go on</h1>", "a browser check"),
    ],
)
def test_walls_are_recognised(page: str, name: str) -> None:
    assert wall(f"<!doctype html><html><style>{PROSE}</style>{page}</html>".encode()) == name


@pytest.mark.parametrize(
    "page",
    [
        f"<h1>Captcha KPU dikeluhkan</h1><p>{PROSE}</p>",
        f"<p>{PROSE}</p><form><div class='g-recaptcha'></div></form>",
        f"<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script><p>{PROSE}</p>",
        f"<title>Just a moment...</title><p>{PROSE}</p>",
        "<h1>Tidak ditemukan</h1>",
    ],
)
def test_articles_are_no_walls(page: str) -> None:
    assert wall(f"<html>{page}</html>".encode()) is None


def test_a_wall_is_no_article_and_no_feed(pantau: Pantau, site: Site) -> None:
    site.pages["/feed"] = Answer(sites.rss(site, ["/berita/satu"]))
    site.pages["/berita/satu"] = "<title>Just a moment...</title>"
    with sites.running() as other:
        other.pages["/feed"] = site.pages["/berita/satu"]
        feed = '[{ feed = "/feed" }]'
        pantau.catalogue(row("kabar", site.url, feed) + row("tembok", other.url, feed))
        crawled = pantau.crawl("kabar", "tembok")
    assert (crawled["kabar"]["fetched"], crawled["kabar"]["errors"]) == (0, 1)
    assert crawled["kabar"]["note"] == f"blocked by Cloudflare: {site.url}/berita/satu"
    assert "blocked by Cloudflare" in crawled["tembok"]["note"]
