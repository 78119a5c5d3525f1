"""Crawls that are done by workers: what is owed is offered to them by way of the queue, again and
again, until the database says that it is done.

It does not matter what becomes of an offer: lost with Redis, or with the worker that took it, it is
made again as soon as nobody holds the outlet's lease. Nor does it matter what becomes of this
process: another that goes on with its run finds what is done in the database.
"""

import math
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex
from threading import Event

from redis import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import settings
from crawler.past.journey import Trip
from crawler.run import OutletReport, name_of_run
from crawler.spider import OutletSpider
from scheduler.outage import Outage
from storage import backfills, crawls, queue, states
from storage.crawls import DoneError
from storage.database import open_database, reading
from storage.models import Backfill, Crawl
from storage.queue import Unit
from storage.valkey import open_redis

MOST_TRIES = 5  # at an outlet whose process dies each time
LOOKS = 12  # at what is done, in the length of a lease
LOOK_SHARE = 20  # between two looks so many times what one takes: many outlets take long
DIED = f"the process that crawled it died {MOST_TRIES} times, see pantau.log"

Progress = Callable[[Sequence[OutletReport]], None]


def crawl(
    spiders: Sequence[type[OutletSpider]],
    *,
    limit: int | None = None,
    check: bool = False,
    backfill: int | None = None,
    delay: float | None = None,
    progress: Progress | None = None,
    run: str | None = None,
) -> list[OutletReport]:
    """As `crawler.run.crawl`, done by workers: what `run` has done already is not done again.

    SIGINT and SIGTERM withdraw what waits, and end cleanly what is under way; the second time, this
    ends at once. Where the database or Redis goes away, it waits. Raises DatabaseError and
    RedisUnavailableError before anything is offered."""
    current = settings.load()
    run = run or f"{name_of_run()}{f'b{backfill}' if backfill else 'c'}{token_hex(2)}"
    units = [
        Unit(run, spider.name, backfill or 0, limit or 0, check, delay or 0.0) for spider in spiders
    ]
    engine = open_database(current.database)
    try:
        with open_redis(current.redis_url, current.home) as redis:
            return _Round(engine, redis, units, run, current, progress).until_done()
    finally:
        engine.dispose()


class _Round:
    """What is shared out between the beginning of a crawl and its end."""

    def __init__(
        self,
        engine: Engine,
        redis: Redis,
        units: Sequence[Unit],
        run: str,
        current: settings.Settings,
        progress: Progress | None,
    ) -> None:
        self._engine = engine
        self._redis = redis
        self._run = run
        self._units = {unit.outlet: unit for unit in units}
        self._reports = {unit.outlet: OutletReport(unit.outlet) for unit in units}
        self._is_backfill = any(unit.backfill for unit in units)
        self._progress = progress
        self._lease = current.lease_seconds
        self._pause = self._lease / LOOKS
        self._slice_seconds = current.slice_seconds
        self._noticed: dict[str, float] = {}  # when somebody last was at an outlet, or it waited
        self._offered: dict[str, tuple[int, int]] = {}  # pages there were then, and slices
        self._stopping = Event()
        self._patience = math.inf
        self._outage = Outage("the database or Redis")

    def until_done(self) -> list[OutletReport]:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._stop)
        self._insist(lambda: queue.welcome(self._redis, self._run))
        while not self._is_done() and not self._stopping.is_set():
            began = time.monotonic()
            is_seen = self._look()
            if not self._is_done():
                took = (time.monotonic() - began) if is_seen else 0.0
                self._stopping.wait(min(max(self._pause, LOOK_SHARE * took), self._lease))
        if not self._is_done():
            self._withdraw()
        self._insist(self._name_findings)
        if self._progress:
            self._progress([*self._reports.values()])
        return [*self._reports.values()]

    def _stop(self, *_: object) -> None:
        if self._stopping.is_set():
            raise SystemExit(1)
        self._patience = time.monotonic() + self._lease
        self._stopping.set()

    def _name_findings(self) -> None:
        """Note which findings there are, as of each outlet's report."""
        with reading(self._engine) as session:
            for outlet, id_ in crawls.found(session, self._run):
                if report := self._reports.get(outlet):
                    report.found.append(id_)

    def _is_done(self) -> bool:
        return all(r.state not in ("waiting", "running") for r in self._reports.values())

    def _look(self) -> bool:
        """See what is done, and offer what nobody is at; whether that could be done."""
        is_seen = False
        with self._outage.borne():
            held = self._see()
            held |= queue.taken(self._redis, self._run)
            waiting = queue.waiting(self._redis, self._run)
            tries = queue.tries(self._redis, self._run)
            now = time.monotonic()
            for outlet in held | waiting:
                self._noticed[outlet] = now
            for outlet, report in self._reports.items():
                if report.state not in ("waiting", "running") or outlet in held | waiting:
                    continue
                # between the queue and what tells of it a worker needs a moment
                if now - self._noticed.get(outlet, -self._grace) < self._grace:
                    continue
                tried = tries.get(outlet, 0)
                if tried >= MOST_TRIES:
                    self._give_up(report)
                else:  # one whose worker died has waited already
                    unit = self._unit(report)
                    queue.offer(self._redis, [unit], self._slice_seconds, first=tried > 0)
                    self._noticed[outlet] = now
                    self._offered[outlet] = report.counts.fetched, unit.slices
            is_seen = True
        if self._progress:
            self._progress([*self._reports.values()])
        return is_seen

    def _unit(self, report: OutletReport) -> Unit:
        """What is offered of an outlet. Where a slice has brought no page, its lists may take
        longer than that to be read, and each slice begins with them: it gets a longer one."""
        fetched, slices = self._offered.get(report.outlet, (-1, 0))
        longer = slices + 1 if report.counts.fetched == fetched else 1
        return replace(self._units[report.outlet], slices=longer)

    @property
    def _grace(self) -> float:
        return 2 * self._pause

    def _see(self) -> set[str]:
        """Bring the reports up to date; gives the outlets that some process is at."""
        now = datetime.now(UTC)
        with reading(self._engine) as session:
            held = crawls.held(session, now, for_good=not self._is_backfill)
            paused = states.paused(session)
            for row in crawls.of_run(session, self._run):
                if report := self._reports.get(row.outlet):
                    self._bring_up_to_date(session, report, row, now)
        for report in self._reports.values():
            is_left = report.state == "running" and report.outlet not in held  # between two slices
            if report.outlet in paused and (report.state == "waiting" or is_left):
                report.state, report.counts = "paused", replace(report.counts, note="it is paused")
        return held

    def _bring_up_to_date(
        self, session: Session, report: OutletReport, row: Crawl, now: datetime
    ) -> None:
        if report.state == "done":
            return
        report.counts = crawls.counts(row)
        report.seconds = ((row.finished or now) - row.started).total_seconds()
        report.state = "done" if row.finished else "running"
        unit = self._units[report.outlet]
        if row.finished and unit.backfill:
            backfill = session.get_one(Backfill, unit.backfill)
            fetched = backfills.fetched(session, unit.backfill, report.outlet)
            spent = backfill.max_pages is not None and fetched >= backfill.max_pages
            report.trip = Trip(0, report.counts.fetched, spent, None)

    def _give_up(self, report: OutletReport) -> None:
        """Note that an outlet cannot be crawled: whoever tries it dies."""
        backfill = self._units[report.outlet].backfill or None
        now = datetime.now(UTC)
        with suppress(DoneError), Session(self._engine) as session, session.begin():
            id_, so_far = crawls.resume(session, self._run, report.outlet, now, backfill)
            counts = replace(so_far, errors=so_far.errors + 1, note=DIED)
            crawls.finish(session, id_, counts, now)
            report.state, report.counts = "stopped", counts

    def _withdraw(self) -> None:
        """Have nothing more begun, and wait for what is under way to end."""
        self._insist(lambda: queue.withdraw(self._redis, self._run))
        deadline = time.monotonic() + 2 * self._lease
        while time.monotonic() < deadline:
            is_seen = False
            with self._outage.borne():
                held = self._see()
                if not any(
                    r.state == "running" and r.outlet in held for r in self._reports.values()
                ):
                    break
                is_seen = True
            if not is_seen and time.monotonic() > self._patience:
                break
            time.sleep(min(1.0, self._pause))
        for report in self._reports.values():
            if report.state == "running":
                report.state = "stopped"

    def _insist(self, ask: Callable[[], object]) -> None:
        """Ask the database or Redis until it answers; of who is to end, for a lease at the most."""
        while True:
            with self._outage.borne():
                ask()
                return
            if time.monotonic() > self._patience:
                return
            time.sleep(min(1.0, self._pause))
