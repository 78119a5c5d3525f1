"""Workers: outlets are shared out by the queue, and whatever dies, every finding is there once."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from redis import ConnectionError as NoConnectionError
from redis import Redis
from rq.serializers import JSONSerializer
from sqlalchemy.orm import Session

from cli.workers import _is_elsewhere
from scheduler.outage import Outage
from storage import crawls, leases, queue, states
from storage.crawls import Counts
from storage.database import open_database
from storage.errors import DatabaseError
from storage.queue import Unit, WorkerInfo, look
from storage.valkey import open_redis
from tests import site as sites
from tests.conftest import Pantau, row
from tests.site import Answer, Site, rss
from tests.test_crawl import FILLER, RELEVANT, wait_for

SOURCES = '[{feed = "/feed"}]'
ARTICLES = 6
SLOW = 0.3  # seconds an answer takes, so that there is a middle to be killed in


class Outlets:
    """Sites, each an outlet of the installation; every second article is relevant."""

    def __init__(self, pantau: Pantau, running: list[Site], articles: int = ARTICLES) -> None:
        self.sites = {f"kabar{n}": site for n, site in enumerate(running)}
        self.relevant: set[str] = set()
        self.articles = 0
        self.add(articles)
        pantau.catalogue("".join(row(n, s.url, SOURCES) for n, s in self.sites.items()))
        self.chosen = [word for name in self.sites for word in ("--outlet", name)]

    def add(self, articles: int) -> None:
        """Publish so many more at each."""
        numbers = range(self.articles, self.articles + articles)
        self.articles += articles
        for name, site in self.sites.items():
            for n in numbers:
                form = FILLER if n % 2 else RELEVANT
                site.pages[_path(n)] = _slowly(form.format(title=f"Kabar {n} dari {name}"))
            site.pages["/feed"] = rss(site, map(_path, reversed(range(self.articles))))
            self.relevant |= {site.url + _path(n) for n in numbers if n % 2 == 0}

    def asked(self) -> int:
        """How many requests there were."""
        return sum(len(site.log) for site in self.sites.values())


def _path(number: int) -> str:
    return f"/berita/{number}/camat"


def _slowly(body: str) -> Callable[[object], Answer]:
    def page(_: object) -> Answer:
        time.sleep(SLOW)
        return Answer(body)

    return page


@pytest.fixture
def several() -> Iterator[list[Site]]:
    with ExitStack() as stack:
        yield [stack.enter_context(sites.running()) for _ in range(4)]


class Installation(Pantau):
    """One whose crawls go by the queue; what it has started ends with the test."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.set(queue="true")
        self.started: list[Popen[str]] = []

    def start(self, *arguments: str, **popen: Any) -> Popen[str]:
        self.started.append(super().start(*arguments, **popen))
        return self.started[-1]

    def worker(self, *arguments: str) -> Popen[str]:
        return self.start("worker", *arguments)


@pytest.fixture
def shared_out(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "home")
    yield installation
    for process in installation.started:
        if process.poll() is None:
            kill_all_of(process)


@pytest.fixture
def redis(shared_out: Installation) -> Iterator[Redis]:
    with open_redis(None, shared_out.home) as client:
        yield client


def kill_all_of(process: Popen[str]) -> None:
    """As when its machine loses power."""
    for pid in _tree(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate()


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _tree(int(child)))]


def _busy(redis: Redis) -> list[WorkerInfo]:
    return [worker for worker in look(redis).workers if worker.doing]


def _findings(pantau: Pantau) -> Counter[str]:
    return Counter(line["url"] for line in pantau("findings", "--json").lines())


def test_a_killed_workers_outlets_are_taken_up_by_another(
    shared_out: Installation, redis: Redis, several: list[Site]
) -> None:
    outlets = Outlets(shared_out, several)
    doomed, other = (shared_out.worker("--outlets", "2") for _ in range(2))
    crawl = shared_out.start("crawl", "--json", *outlets.chosen)
    wait_for(lambda: outlets.asked() > 8 and any(w.pid == doomed.pid for w in _busy(redis)))
    [shown] = [w for w in _busy(redis) if w.pid == doomed.pid]
    assert shown.state == "working"
    assert {doing.outlet for doing in shown.doing} <= set(outlets.sites)
    kill_all_of(doomed)
    killed = time.monotonic()
    out, err = crawl.communicate(timeout=90)
    print(f"all is done {time.monotonic() - killed:.1f} s after the kill")
    assert crawl.returncode == 0, err

    assert _findings(shared_out) == Counter(dict.fromkeys(outlets.relevant, 1))
    for site in several:  # one request at a time: never were two at it
        assert all(after.at >= one.until for one, after in pairwise(site.log))
        assert max(Counter(site.paths()).values()) <= 2  # what was in flight, and the feed
    assert {report["findings"] for report in json.loads(out)["outlets"]} == {ARTICLES // 2}

    # a clean end: it is told to end, and what it is at comes back
    outlets.add(ARTICLES)
    crawl = shared_out.start("crawl", "--json", *outlets.chosen)
    before = outlets.asked()
    wait_for(lambda: outlets.asked() > before + 8)
    other.terminate()
    last = shared_out.worker("--outlets", "4")
    other.communicate(timeout=30)
    assert other.returncode == 0
    assert crawl.wait(90) == 0
    assert _findings(shared_out) == Counter(dict.fromkeys(outlets.relevant, 1))
    assert max(max(Counter(site.paths()[-ARTICLES:]).values()) for site in several) == 1
    workers = shared_out("workers", "--json").json()
    pids = {worker["pid"] for worker in workers["workers"] if worker["state"] != "silent"}
    assert last.pid in pids
    assert other.pid not in pids
    assert workers["waiting"] == {"daily": 0, "backfill": 0}


def test_daily_work_goes_first_and_long_work_is_cut_into_slices(
    shared_out: Installation, redis: Redis, several: list[Site]
) -> None:
    outlets = Outlets(shared_out, several[:2], articles=10)
    shared_out.set(slice_seconds=1.5)
    units = [Unit("past", name, backfill=1) for name in outlets.sites]
    queue.offer(redis, units, 1)
    queue.offer(redis, [Unit("now", "kabar1")], 1)
    crawl = shared_out.start("crawl", "--json", "--outlet", "kabar0")
    wait_for(lambda: queue.look(redis).waiting == {"daily": 2, "backfill": 2})
    shared_out.worker("--outlets", "1")
    wait_for(lambda: bool(_busy(redis)))
    [busy] = _busy(redis)
    assert busy.doing[0].run == "now"
    out, err = crawl.communicate(timeout=90)
    assert crawl.returncode == 0, err
    [report] = json.loads(out)["outlets"]
    # one report of several slices, which took turns with the other outlet's
    assert (report["fetched"], report["findings"], report["errors"]) == (10, 5, 0)
    assert several[0].paths().count("/feed") > 1
    assert Counter(several[0].paths())["/berita/9/camat"] == 1


def test_a_worker_is_known_again_when_redis_was_emptied(redis: Redis) -> None:
    from scheduler.worker import _Place

    place = _Place(queue.queues(redis), "here:1/a", connection=redis, serializer=JSONSerializer)
    place.register_birth()
    redis.flushall()
    assert not look(redis).workers
    place.heartbeat()
    assert [worker.name for worker in look(redis).workers] == ["here:1"]


def test_an_outlet_that_is_paused_between_two_slices_is_left_alone(
    pantau: Pantau, redis: Redis
) -> None:
    import settings
    from scheduler.sharing import _Round

    now = datetime.now(UTC)
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    with Session(engine) as session, session.begin():
        crawls.begin(session, "now", "kabar", now)
        leases.acquire(session, crawls.LEASE + "kabar", "a worker", 60, now)
        states.pause(session, "kabar", now)
    offering = _Round(engine, redis, [Unit("now", "kabar")], "now", settings.load(), None)
    offering._look()
    assert not offering._is_done(), "a worker is at it"
    with Session(engine) as session, session.begin():
        leases.release(session, crawls.LEASE + "kabar", "a worker")
    offering._look()
    assert offering._is_done()
    engine.dispose()


def test_a_slice_is_longer_where_the_last_one_brought_no_page(pantau: Pantau, redis: Redis) -> None:
    import settings
    from scheduler.sharing import _Round

    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    offering = _Round(engine, redis, [Unit("now", "kabar")], "now", settings.load(), None)
    lengths = []
    for fetched in (0, 0, 0, 7):
        offering._reports["kabar"].counts = Counts(fetched=fetched)
        offering._look()
        [job] = queue.queue(redis, queue.DAILY).jobs
        lengths.append(job.kwargs["slices"])
        redis.flushall()
        offering._noticed.clear()  # a moment later it is offered again
    assert lengths == [1, 2, 3, 1]
    engine.dispose()


def test_who_dies_each_time_is_given_up_until_the_next_run(pantau: Pantau, redis: Redis) -> None:
    import settings
    from scheduler.sharing import DIED, MOST_TRIES, _Round

    now = datetime.now(UTC)
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    with Session(engine) as session, session.begin():
        crawls.leave(session, crawls.begin(session, "now", "kabar", now), Counts(9, fetched=7))
    for _ in range(MOST_TRIES):
        queue.begin_try(redis, Unit("now", "kabar"))
    given_up = _Round(engine, redis, [Unit("now", "kabar")], "now", settings.load(), None)
    given_up._look()
    [report] = given_up._reports.values()
    assert (report.state, report.counts) == ("stopped", Counts(fetched=7, errors=1, note=DIED))
    with Session(engine) as session:  # what its slices had brought is kept
        [row] = crawls.of_run(session, "now")
        assert row.finished
        assert crawls.counts(row) == Counts(9, fetched=7, errors=1, note=DIED)
    assert look(redis).waiting["daily"] == 0
    _Round(engine, redis, [Unit("later", "kabar")], "later", settings.load(), None)._look()
    assert queue.waiting(redis, "later") == {"kabar"}
    engine.dispose()


def test_a_list_that_each_slice_reads_counts_once(pantau: Pantau) -> None:
    now = datetime.now(UTC)
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    with Session(engine) as session:
        for listed in (8, 9, 0):  # the last time nothing has changed
            id_, so_far = crawls.resume(session, "now", "kabar", now)
            more = {"of another site": 2} if listed else {}
            counts = replace(so_far, links=listed, fetched=so_far.fetched + 5, dropped=more)
            crawls.leave(session, id_, counts)
        [row] = crawls.of_run(session, "now")
        assert crawls.counts(row) == Counts(9, fetched=15, dropped={"of another site": 2})
        # a backfill goes on with its lists
        id_, _ = crawls.resume(session, "past", "kabar", now, backfill_id=1)
        crawls.leave(session, id_, Counts(9))
        assert crawls.resume(session, "past", "kabar", now, backfill_id=1) == (id_, Counts(9))
    engine.dispose()


def test_as_many_backfills_give_way_as_daily_units_wait(redis: Redis) -> None:
    queue.offer(redis, [Unit("now", "satu"), Unit("now", "dua")], 1)
    assert [queue.gives_way(redis) for _ in range(4)] == [True, True, False, False]


def test_an_outage_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("Redis")
    for problem in (None, NoConnectionError("refused"), DatabaseError("locked"), None, None):
        with outage.borne():
            if problem:
                raise problem
    gone, back = caplog.messages
    assert gone == "Redis is away, waiting for it: refused"
    assert back.startswith("Redis is back after")


@pytest.mark.parametrize(
    ("url", "is_elsewhere"),
    [
        ("sqlite:////srv/pantau.db", False),
        ("postgresql://pantau@127.0.0.1/pantau", False),
        ("postgresql:///pantau?host=/var/run/postgresql", False),
        ("postgresql://pantau@/pantau?host=localhost:5433", False),
        ("postgresql://pantau@/pantau?host=db.example.org:5433", True),
        ("redis://[::1]:6379/0", False),
        ("redis://cache.example.org:6379/0", True),
    ],
)
def test_it_is_known_what_is_elsewhere(url: str, is_elsewhere: bool) -> None:
    assert _is_elsewhere(url) == is_elsewhere


def test_nothing_is_asked_once_the_outlet_may_be_anothers(
    pantau: Pantau, several: list[Site]
) -> None:
    outlets = Outlets(pantau, several[:1], articles=30)
    [site] = several[:1]
    crawl = pantau.start("crawl", "--json", *outlets.chosen)
    wait_for(lambda: len(site.log) > 5)
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    with engine.connect() as writing:
        writing.exec_driver_sql("SELECT 1")  # begins what keeps the crawl from writing meanwhile
        crawl.send_signal(signal.SIGSTOP)  # as when its machine hangs, or loses its network

    def is_taken() -> bool:
        with Session(engine) as session, session.begin():
            return leases.acquire(session, "crawl kabar0", "another", 60, datetime.now(UTC))

    wait_for(is_taken)
    engine.dispose()
    before = len(site.log)
    crawl.send_signal(signal.SIGCONT)
    out, _ = crawl.communicate(timeout=60)
    assert crawl.returncode == 1
    assert "its lease is lost" in json.loads(out)["outlets"][0]["note"]
    assert len(site.log) == before


def test_what_nobody_took_meanwhile_is_gone_on_with(pantau: Pantau, several: list[Site]) -> None:
    outlets = Outlets(pantau, several[:1], articles=10)
    crawl = pantau.start("crawl", "--json", *outlets.chosen)
    wait_for(lambda: len(several[0].log) > 3)
    crawl.send_signal(signal.SIGSTOP)  # as when a laptop is closed
    time.sleep(3)  # the lease is over
    crawl.send_signal(signal.SIGCONT)
    out, err = crawl.communicate(timeout=60)
    assert crawl.returncode == 0, err + out
    [report] = json.loads(out)["outlets"]
    assert (report["fetched"], report["errors"]) == (10, 0)
