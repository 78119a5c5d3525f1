"""A day of thousands of outlets, played at speed: python -m benchmarks.replay [--outlets N]

Everything is as it is in use but the network: `pantau run` twice (one stands by), `pantau worker`
processes with RQ's queue in a real Redis, leases and crawls in a real PostgreSQL. In place of what
a unit fetches it waits, as long as its outlet's articles would take at polite speed, by a clock
that runs `--speed` times as fast; leases and slices are as much shorter. With `--fork` each unit
has a process of its own, as in use; without, a place does its units itself, which takes a third of
the processor's time.
A backfill of some outlets is under way when the day begins; workers are killed (SIGKILL, with all
their processes) and replaced, and so is the `pantau run` whose crawl it is.

It checks that each outlet's crawl came to its end exactly once, none was ever at two workers, what
was under way where one was killed was done by another, daily work went before backfills, and turns
were fair; and tells how long the day took beside what the model says (`benchmarks.scale`), and what
each part cost.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import click
from redis import Redis
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from benchmarks.scale import seconds_of_crawl
from benchmarks.storing import databases, server_seconds
from storage.database import open_database
from storage.valkey import open_redis

ROOT = Path(__file__).parent.parent
LOG = "PANTAU_REPLAY_LOG"
SPEED = "PANTAU_REPLAY_SPEED"
LEASE_SECONDS, SLICE_SECONDS = 60, 600  # as by default, by the clock of the replay
TICK = 1.0  # seconds, of the machine's clock, between two looks at whether a slice is over
PAST = 400  # articles of each outlet that the backfill fetches
FIRST_DAY, LAST_DAY = "2024-01-01", "2024-01-31"
BUILT_IN = "nusabali"


# --- outlets --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outlet:
    """How many new articles an outlet has today, and how many seconds it takes to answer."""

    articles: int
    answer: float

    def seconds(self, articles: int | None = None) -> float:
        return seconds_of_crawl(self.articles if articles is None else articles, self.answer)


def outlet(name: str, articles: float) -> Outlet:
    """The outlet `name`, the same in every process: most have fewer articles than the mean, some
    ten times as many; half of all answer within 0.6 s, one in twenty takes more than 2 s."""
    chance = random.Random(name)
    many = chance.lognormvariate(0, 1) / 1.65 * articles  # 1.65: the mean of the former
    return Outlet(min(2_000, round(many)), min(10.0, 0.6 * chance.lognormvariate(0, 0.7)))


def write_catalogue(path: Path, outlets: int) -> list[str]:
    names = [f"outlet-{n:05}" for n in range(outlets)]  # as they are sorted
    path.write_text(
        "\n".join(
            f'[[outlet]]\nname = "{name}"\ntitle = "{name}"\ndomain = "{name}.invalid"\n'
            'sources = [{feed = "/feed.xml"}, {sitemap = "/sitemap.xml"}]\n'
            for name in names
        )
    )
    return names


# --- the worker: `pantau worker`, but that its units wait instead of fetching ---------------------


def work(places: int, articles: float, forks: bool) -> None:
    """What `pantau worker --outlets PLACES` does; unless it `forks`, its places do their units
    themselves, and keep their connections."""
    from rq.job import Job
    from rq.worker import WorkerStatus

    import crawler.shared as crawler_shared
    from crawler.crawl import OutletBusyError, OutletCrawl
    from crawler.run import OutletReport
    from crawler.shared import shared
    from scheduler import worker

    speed, log = float(os.environ[SPEED]), Path(os.environ[LOG])
    pool = os.getpid()

    def note(what: str, unit: tuple[str, int]) -> None:
        line = json.dumps([time.monotonic(), what, *unit, pool, os.getpid()]) + "\n"
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    async def play(name: str, run: str, backfill: int, is_over: Callable[[], bool]) -> Any:
        report, lost = OutletReport(name), asyncio.Event()
        crawl = OutletCrawl(
            shared(), name, run, lambda _: lost.set(), backfill or None, sliced=True
        )
        try:
            await crawl.begin()
        except OutletBusyError:
            note("busy", (name, backfill))
            await crawl.end()
            report.is_cut = crawl.is_cut
            return report
        note("begin", (name, backfill))
        site = outlet(name, articles)
        whole = PAST if backfill else site.articles
        began, left = time.monotonic(), site.seconds(whole - crawl.counts.fetched) / speed
        while (rest := began + left - time.monotonic()) > 0 and not lost.is_set():
            await asyncio.sleep(min(rest, TICK))
            crawl.is_cut = await asyncio.to_thread(is_over)
            crawl.gives_way = bool(backfill) and await crawl.is_wanted()
            if crawl.is_cut or crawl.gives_way:
                break
        share = min(1.0, (time.monotonic() - began) / left)
        crawl.count(fetched=round((whole - crawl.counts.fetched) * share))
        unfinished = crawl.is_cut or crawl.gives_way or lost.is_set()
        note("lost" if lost.is_set() else "cut" if unfinished else "end", (name, backfill))
        await crawl.end()
        report.is_cut = unfinished
        report.state = "stopped" if unfinished else "done"
        return report

    def crawl(
        spiders: Sequence[Any], *, run: str, backfill: int, is_over: Callable[[], bool], **_: Any
    ) -> list[Any]:
        try:
            return [asyncio.run(play(spiders[0].name, run, backfill, is_over))]
        except Exception:
            note("failed", (spiders[0].name, backfill))
            raise

    class Place(worker._Place):
        def execute_job(self, job: Job, queue: Any) -> None:
            execution, over = self.prepare_execution(job), Flag()

            def beat() -> None:
                while not over.wait(self.job_monitoring_interval):
                    self.maintain_heartbeats(job, execution)

            beating = Thread(target=beat, daemon=True)
            beating.start()
            self.perform_job(job, queue, execution)
            over.set()
            beating.join()
            self.set_state(WorkerStatus.IDLE)

    if not forks:
        worker._Place = Place  # type: ignore[misc]
        worker.shared = ExitStack  # type: ignore[assignment]  # it would be closed after each unit
        crawler_shared.Examiners = lambda *_, **__: ExitStack()  # type: ignore[misc,assignment]
    worker.crawl = crawl
    worker.BACKFILL_SECONDS /= speed  # type: ignore[assignment]
    worker.work(places)


# --- the day --------------------------------------------------------------------------------------


@dataclass
class Play:
    """What is being played, in `folder`."""

    folder: Path
    environment: dict[str, str]
    engine: Engine
    redis: Redis
    names: list[str]
    articles: float  # of an outlet, on average
    places: int  # of a worker
    forks: bool
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def outlet(self, name: str) -> Outlet:
        return outlet(name, self.articles)

    def pantau(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self._start("-m", "cli", *arguments)

    def worker(self) -> subprocess.Popen[bytes]:
        arguments = f"{self.places}, {self.articles}, {self.forks}"
        return self._start("-c", f"from benchmarks.replay import work; work({arguments})")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "said").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.environment, stdout=said,
                stderr=said, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.started.append(process)
        return process

    def events(self) -> list["Event"]:
        return [Event(*json.loads(line)) for line in (self.folder / "log").open()]

    def ask(self, sql: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(sql)).scalar()

    def counters(self) -> dict[str, float]:
        redis = self.redis.info()
        sums = "SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database"
        return {
            "commands": redis["total_commands_processed"],
            "redis": redis["used_cpu_user"] + redis["used_cpu_sys"],
            "postgresql": server_seconds(self.folder),
            "transactions": float(self.ask(sums)),
        }


@dataclass(frozen=True)
class Event:
    """What became of a unit at the moment `at`: "begin", then "end", "cut" (it goes on later) or
    "lost" (its lease) or "failed" (the database refused it); "busy": another had the outlet."""

    at: float
    what: str
    outlet: str
    backfill: int
    pool: int
    pid: int


@contextmanager
def playing(
    outlets: int, places: int, speed: float, articles: float, forks: bool
) -> Iterator[Play]:
    with databases(None) as (folder, urls):
        home = folder / "home"
        home.mkdir()
        names = write_catalogue(home / "outlets.toml", outlets - 1)
        (folder / "log").touch()
        begins = datetime.now(UTC) - timedelta(minutes=1)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PANTAU_")} | {
            "PANTAU_HOME": str(home),
            "PANTAU_DATABASE_URL": urls["postgresql"],
            "PANTAU_OUTLETS": BUILT_IN,  # there is no way to say none
            "PANTAU_QUEUE": "true",
            "PANTAU_ZONE": "UTC",
            "PANTAU_CRAWL_AT": f"{begins:%H:%M}",
            "PANTAU_LEASE_SECONDS": str(LEASE_SECONDS / speed),
            "PANTAU_SLICE_SECONDS": str(SLICE_SECONDS / speed),
            "PANTAU_DASHBOARD_ADDRESS": "off",
            "PANTAU_METRICS_ADDRESS": "off",
            "PANTAU_LOG_LEVEL": "WARNING",
            SPEED: str(speed),
            LOG: str(folder / "log"),
        }
        engine = open_database(urls["postgresql"])
        try:
            with open_redis(None, home) as redis:
                names = [BUILT_IN, *names]
                play = Play(folder, environment, engine, redis, names, articles, places, forks)
                try:
                    yield play
                finally:
                    for process in play.started:
                        if process.poll() is None:
                            kill(process)
        finally:
            engine.dispose()


def family(pid: int) -> list[int]:
    """A process and all it has started."""
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(each for child in children for each in family(int(child)))]
    return [pid]


def kill(process: subprocess.Popen[bytes]) -> float:
    """As when its machine loses power; gives when."""
    for pid in family(process.pid):  # the pool first: it would start others
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    return time.monotonic()


def end(process: subprocess.Popen[bytes]) -> float:
    """End it; gives the seconds of processor that it took, with all that it had started."""
    process.terminate()
    _, code, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Figures:
    """What a day was like. `took` and `model` are seconds by the clock of the replay: what the day
    took, and what all its crawls take, divided by the places; `seconds` the machine's. `units` are
    those of the day, of which so many were `cut` after their slice, or `killed` with their worker.
    The counts of Redis and PostgreSQL are of all, `cpu` is seconds of processor by part."""

    outlets: int
    places: int
    speed: float
    seconds: float
    took: float
    model: float
    kills: int
    units: int
    cut: int
    killed: int
    lost: int
    failed: int
    past: int
    commands: int
    transactions: int
    redis_bytes: int
    connections: int
    overtaken: int
    turns_ahead: int
    cpu: dict[str, float]
    wrong: list[str]


def replay(
    outlets: int, workers: int, places: int, speed: float, articles: float, kills: int, most: float,
    forks: bool,
) -> Figures:  # fmt: skip
    """Play a day; it is given up after `most` seconds."""
    with playing(outlets, places, speed, articles, forks) as play:
        deadline = time.monotonic() + most
        before = play.counters()
        running = [play.worker() for _ in range(workers)]
        chosen = (word for name in play.names[::100] for word in ("--outlet", name))
        days = ("--from", FIRST_DAY, "--to", LAST_DAY)
        back = play.pantau("backfill", "--json", *days, *chosen)
        _wait(deadline, lambda: any(event.backfill for event in play.events()))
        runs = [play.pantau("run") for _ in range(2)]
        _wait(deadline, lambda: any(not event.backfill for event in play.events()))
        model = sum(play.outlet(name).seconds() for name in play.names) / (workers * places)
        killed, peaks = _until_done(play, runs, running, kills, model / speed, deadline)
        seconds = time.monotonic() - (deadline - most)
        with suppress(click.ClickException):
            _wait(deadline, lambda: back.poll() is not None)
        after = play.counters()
        cpu = {
            "two pantau run, their crawl": sum(map(end, runs)),
            "workers": sum(map(end, running)),
            "Redis": after["redis"] - before["redis"],
            "PostgreSQL": after["postgresql"] - before["postgresql"],
        }
        spans = spans_of(play.events(), killed)
        daily = [span for span in spans if not span.backfill]
        how = Counter(span.how for span in daily)
        return Figures(
            outlets=outlets,
            places=workers * places,
            speed=speed,
            seconds=seconds,
            took=(max(span.end for span in daily) - daily[0].begin) * speed,
            model=model,
            kills=len(killed) + 2 - len(runs),
            units=len(daily),
            cut=how["cut"],
            killed=how["killed"],
            lost=how["lost"],
            failed=sum(span.how == "failed" for span in spans),
            past=len(spans) - len(daily),
            commands=after["commands"] - before["commands"],
            transactions=int(after["transactions"] - before["transactions"]),
            redis_bytes=peaks["redis"],
            connections=peaks["connections"],
            overtaken=overtaken(spans, 2 * workers * places),
            turns_ahead=most_turns_ahead(spans),
            cpu=cpu,
            wrong=[*wrong(play, spans, workers * places)],
        )


def _until_done(
    play: Play,
    runs: list[subprocess.Popen[bytes]],
    running: list[subprocess.Popen[bytes]],
    kills: int,
    seconds: float,
    deadline: float,
) -> tuple[dict[int, float], Counter[str]]:
    """Wait for the end of the day, which is expected after so many seconds, and kill meanwhile; the
    killed workers and when each was, and the peaks of what was measured."""
    chance = random.Random(7)
    began = time.monotonic()
    moments = [began + seconds * (n + 1) / (kills + 2) for n in range(kills + 1)]
    killed: dict[int, float] = {}
    peaks: Counter[str] = Counter()
    while not play.ask("SELECT count(*) FROM leases WHERE name LIKE 'daily %' AND done"):
        if time.monotonic() > deadline:
            raise click.ClickException("The day did not end in time.")
        if moments and time.monotonic() > moments[0]:
            moments.pop(0)
            if len(moments) == kills:  # first the one whose crawl it is
                leader = next(run for run in runs if len(family(run.pid)) > 1)
                kill(leader)
                runs.remove(leader)
            else:
                doomed = running.pop(chance.randrange(len(running)))
                killed[doomed.pid] = kill(doomed)
                running.append(play.worker())
        peaks |= Counter(
            redis=play.redis.info("memory")["used_memory"],
            connections=play.ask("SELECT count(*) FROM pg_stat_activity"),
        )
        time.sleep(0.5)
    return killed, peaks


def _wait(deadline: float, condition: Callable[[], bool]) -> None:
    while not condition():
        if time.monotonic() > deadline:
            raise click.ClickException("It did not end in time.")
        time.sleep(0.2)


# --- what is checked ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """A worker's time at an outlet, and how it ended: as in Event, or "killed"."""

    outlet: str
    backfill: int
    begin: float
    end: float
    how: str


def spans_of(events: Sequence[Event], killed: dict[int, float]) -> list[Span]:
    """What `events` tell, by when it began; `killed` are the workers and when each was."""
    spans: list[Span] = []
    under_way: dict[int, Event] = {}
    for event in events:
        if event.what == "begin":
            under_way[event.pid] = event
        elif event.what != "busy" and (begin := under_way.pop(event.pid, None)):
            spans.append(Span(begin.outlet, begin.backfill, begin.at, event.at, event.what))
    for begin in under_way.values():
        at = killed.get(begin.pool, -1.0)
        spans.append(Span(begin.outlet, begin.backfill, begin.at, at, "killed"))
    return sorted(spans, key=lambda span: span.begin)


def wrong(play: Play, spans: Sequence[Span], places: int) -> Iterator[str]:
    """What should not have been, in a sentence each."""
    outlets = len(play.names)
    of_outlet: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        of_outlet[span.outlet].append(span)
        if span.end < span.begin:
            yield f"{span.outlet}: a unit vanished"
    for name, its in of_outlet.items():
        for one, after in pairwise(its):
            if after.begin < one.end:
                yield f"{name}: at two workers for {one.end - after.begin:.1f} s"
        ends = [span.how for span in its if not span.backfill]
        if ends and (ends.count("end") != 1 or ends[-1] != "end"):
            yield f"{name}: {ends}"
    daily = [span for span in spans if not span.backfill]
    if len({span.outlet for span in daily}) != outlets:
        yield f"{len({span.outlet for span in daily})} of {outlets} outlets were begun"
    rows = "SELECT {} FROM crawls WHERE backfill_id IS NULL"
    count, finished = (play.ask(rows.format(f"count({x})")) for x in ("*", "finished"))
    fetched = play.ask(rows.format("sum(fetched)"))
    expected = sum(play.outlet(name).articles for name in play.names)
    if (count, finished) != (outlets, outlets):
        yield f"{outlets} outlets have {count} crawls of the day, of which {finished} are done"
    if abs(fetched - expected) > 0.01 * expected:
        yield f"{fetched} articles instead of {expected}"
    began = sorted({span.outlet: span.begin for span in reversed(daily)}.values())
    before = [span for span in spans if span.backfill and began[places] < span.begin < began[-1]]
    if before:
        yield f"{len(before)} units of the backfill were taken while daily ones waited"


def overtaken(spans: Sequence[Span], by: int) -> int:
    """How many outlets of the day were overtaken by more than so many that were offered later."""
    firsts = {span.outlet: span.begin for span in reversed(spans) if not span.backfill}
    offered = {name: place for place, name in enumerate(sorted(firsts))}
    begun = sorted(firsts, key=firsts.__getitem__)
    return sum(place - offered[name] > by for place, name in enumerate(begun))


def most_turns_ahead(spans: Sequence[Span]) -> int:
    """How many turns more than another that still waited an outlet of the backfill ever had had."""
    past = [span for span in spans if span.backfill]
    turns = Counter({span.outlet: 0 for span in past})
    most = 0
    for span in past:
        most = max(most, turns[span.outlet] - min(turns.values(), default=0))
        turns[span.outlet] += 1
        if span.how == "end":
            del turns[span.outlet]
    return most


# --- the figures ----------------------------------------------------------------------------------


@click.command()
@click.option("--outlets", default=5_000, show_default=True, type=click.IntRange(min=100))
@click.option("--workers", default=4, show_default=True, type=click.IntRange(min=1))
@click.option("--places", default=16, show_default=True, type=click.IntRange(min=1),
              help="Outlets that each worker is at, at a time.")  # fmt: skip
@click.option("--speed", default=20.0, show_default=True, type=click.FloatRange(min=1),
              help="How many times as fast the clock runs.")  # fmt: skip
@click.option("--articles", default=20.0, show_default=True, help="New ones an outlet, on average.")
@click.option("--kills", default=3, show_default=True, help="Workers that are killed.")
@click.option("--most", default=600.0, show_default=True, help="Seconds; then it is given up.")
@click.option("--fork", "forks", is_flag=True, help="A process for each unit, as in use.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(
    outlets: int, workers: int, places: int, speed: float, articles: float, kills: int, most: float,
    forks: bool, as_json: bool,
) -> None:  # fmt: skip
    """Plays a day of many outlets through the scheduler, the queue and workers, at speed."""
    figures = replay(outlets, workers, places, speed, articles, kills, most, forks)
    if as_json:
        click.echo(json.dumps(asdict(figures)))
    else:
        table = Table("", "", box=box.SIMPLE)
        for name, value in asdict(figures).items():
            table.add_row(name, f"{value:,.1f}" if isinstance(value, float) else str(value))
        Console().print(table)
    if figures.wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
