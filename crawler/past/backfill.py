"""Backfills: beginning one, and going on with it, one process at a time."""

import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

import settings
from crawler.past.files import FilesReport, go_through
from crawler.past.journey import is_monthly, margins, parts
from crawler.run import OutletReport, crawl
from crawler.shared import shared
from crawler.sources.window import months, window_of
from crawler.spider import OutletSpider
from storage import backfills, leases
from storage.backfills import Part
from storage.crawls import Counts
from storage.database import reading

logger = logging.getLogger(__name__)

LEASE_SECONDS = 15  # of the process at a backfill, at the most

Progress = Callable[[Sequence[OutletReport]], None]


class BackfillBusyError(Exception):
    """Another process is at the backfill."""


def begin(
    session: Session,
    spiders: Sequence[type[OutletSpider]],
    first: date,
    last: date,
    *,
    archives: bool = False,
    max_pages: int | None = None,
    delay: float | None = None,
    files: Sequence[str] = (),
) -> int:
    """Note a backfill of what the outlets of `spiders` published from the day `first` to the end of
    the day `last`, by their own clocks; gives its id. With `archives` the web archives are asked
    for each of them; with WARC `files` (paths or addresses) these are read, and nothing else."""
    asked = () if files else spiders
    return backfills.begin(
        session,
        datetime.combine(first, clock.min, UTC),
        datetime.combine(last + timedelta(days=1), clock.min, UTC),
        [spider.name for spider in spiders],
        (part for spider in asked for part in _slices(spider, first, last, archives)),
        datetime.now(UTC),
        max_pages=max_pages,
        delay=delay,
        files=files,
    )


def _slices(spider: type[OutletSpider], first: date, last: date, archives: bool) -> Iterator[Part]:
    zone = spider.outlet.zone
    since, until = window_of(first, last, zone)
    for source in parts(spider, archives=archives):
        before, after = margins(source)
        whole = since - before, until + after
        for span in months(*whole, zone) if is_monthly(source) else [whole]:
            yield Part(spider.name, source.name, *span)


def go_on(
    backfill_id: int,
    spiders: Mapping[str, type[OutletSpider]],
    *,
    progress: Progress | None = None,
    crawl: Callable[..., list[OutletReport]] = crawl,
) -> list[OutletReport]:
    """Do what is left of a backfill, at those of its outlets that are among `spiders`, by `crawl`,
    `crawler.run.crawl` or what does as it does. The others, and those of which nothing reaches
    back, are reported, too. Raises BackfillBusyError."""
    engine = shared().engine
    with _held(engine, backfill_id):
        with Session(engine) as session, session.begin():
            backfill = backfills.get(session, backfill_id, datetime.now(UTC))
            assert backfill
            left = backfills.outlets_left(session, backfill_id)
            reaching = backfills.reaching(session, backfill_id)
            backfills.finish(session, backfill_id, None)
        absent = [
            _nothing(name, "it is not in the catalogue any more", "stopped")
            for name in left
            if name not in spiders
        ]
        reports = crawl(
            [spiders[name] for name in left if name in spiders],
            backfill=backfill_id,
            delay=backfill.delay,
            progress=progress,
        )
        nowhere = [
            _nothing(name, "none of its sources reaches back", "done")
            for name in backfill.outlets
            if name not in reaching
        ]
        reports += absent + nowhere
        if all(report.state == "done" and not _is_spent(report) for report in reports):
            with Session(engine) as session, session.begin():
                if backfills.is_read(session, backfill_id):
                    backfills.finish(session, backfill_id, datetime.now(UTC))
    return reports


def read_files(
    backfill_id: int,
    spiders: Mapping[str, type[OutletSpider]],
    *,
    progress: Callable[[FilesReport], None] = lambda report: None,
) -> FilesReport:
    """Do what is left of a backfill through files; see `crawler.past.files.go_through`. Raises
    BackfillBusyError."""
    engine = shared().engine
    with _held(engine, backfill_id):
        with Session(engine) as session, session.begin():
            backfill = backfills.get(session, backfill_id, datetime.now(UTC))
            assert backfill
            backfills.finish(session, backfill_id, None)
        report = go_through(backfill, spiders, progress)
        with Session(engine) as session, session.begin():
            if backfills.is_read(session, backfill_id):
                backfills.finish(session, backfill_id, datetime.now(UTC))
    return report


def _nothing(name: str, why: str, state: str) -> OutletReport:
    """The report of an outlet that cannot be asked."""
    return OutletReport(name, Counts(errors=1, note=why), state=state)


def seconds_left(reports: Sequence[OutletReport]) -> float | None:
    """How long the outlets will still take, from what those under way have shown; None where none
    has yet. Each is a chain of its own; so many chains run beside each other."""
    known = [r.trip.left for r in reports if r.state == "running" and r.trip and r.trip.left]
    told = [r.seconds + r.trip.left for r in reports if r.trip and r.trip.left is not None]
    if not told:
        return None
    waiting = sum(report.state == "waiting" for report in reports)
    usual = sum(told) / len(told)
    chains = [*known, *[usual] * waiting]
    return max([sum(chains) / settings.load().parallel_outlets, *chains], default=0.0)


def _is_spent(report: OutletReport) -> bool:
    return report.trip is not None and report.trip.spent


@contextmanager
def _held(engine: Engine, backfill_id: int) -> Iterator[None]:
    """Hold the lease of a backfill; that of a process that died is waited for. When somebody asks
    it to pause or to end, this process is told to stop, as Ctrl-C does."""
    name, me = backfills.lease(backfill_id), secrets.token_hex(8)
    seconds = min(LEASE_SECONDS, settings.load().lease_seconds)

    def acquire() -> bool:
        with Session(engine) as session, session.begin():
            return leases.acquire(session, name, me, seconds, datetime.now(UTC))

    def expires() -> datetime | None:
        with Session(engine) as session:
            return leases.expires(session, name)

    def is_asked() -> bool:
        with reading(engine) as session:
            return backfills.asked(session, backfill_id) is not None

    ends = expires()
    while not acquire():
        if expires() != ends:  # it was renewed: its holder lives
            raise BackfillBusyError(f"Another process is at backfill {backfill_id}.")
        time.sleep(0.3)
    with Session(engine) as session, session.begin():
        if backfills.asked(session, backfill_id) == backfills.PAUSE:  # of a process that has died
            backfills.ask(session, backfill_id, None, datetime.now(UTC))
    over = threading.Event()

    def renew() -> None:
        told = False
        while not over.wait(seconds / 5):
            try:
                acquire()
                if not told and is_asked():
                    told = True
                    os.kill(os.getpid(), signal.SIGTERM)
            except SQLAlchemyError:
                logger.exception("the lease of backfill %s could not be renewed", backfill_id)

    keeping = threading.Thread(target=renew, daemon=True)
    keeping.start()
    try:
        yield
    finally:
        over.set()
        keeping.join()
        with Session(engine) as session, session.begin():
            backfills.give_up(session, backfill_id)
            leases.release(session, name, me)
