"""Runs: the crawls that were started together, and whether the daily one is well."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from storage.models import Crawl

WINDOW = timedelta(days=28)
MANY = 20  # outlets: among so many there is news every day
MOST = 0.9  # of the outlets: a few may have been left hanging when it was killed
PAUSE = timedelta(minutes=10)  # the longest in which a run that goes on crawls no outlet


@dataclass(frozen=True, slots=True)
class Run:
    """Crawls of several outlets that were started together.

    `finished` of its `outlets` have come to their end, the last of them at `ended`; `barren` of
    them gave no link, only errors. `links` were listed, `new` of them unknown."""

    name: str
    started: datetime
    ended: datetime | None
    outlets: int
    finished: int
    barren: int
    links: int
    new: int
    findings: int
    errors: int

    @property
    def is_barren(self) -> bool:
        """Whether most of its outlets gave nothing but errors."""
        return self.barren * 2 > self.outlets

    @property
    def is_outage(self) -> bool:
        """Whether so many outlets failed at once that the fault lies with us, not with them."""
        return self.outlets >= MANY and self.is_barren

    @property
    def trouble(self) -> str | None:
        """Why the run cannot have done what it is for; None where it did."""
        if self.is_barren:
            return f"{self.barren} of {self.outlets} outlets gave nothing but errors"
        if not self.new and self.outlets >= MANY:
            return f"{self.outlets} outlets gave no new link at all"
        return None


@dataclass(frozen=True, slots=True)
class Daily:
    """How the daily crawl does: `state` is "well", "going" (it is under way), "missing" (it did
    not run), "late" (it ran too long, or was cut short) or "nothing" (it found nothing); `why` says
    it in one sentence."""

    state: str
    why: str


def runs(session: Session, now: datetime) -> list[Run]:
    """The runs of the last four weeks, the newest first; backfills are none, and neither is what
    was begun under a clock that went wrong, in what is still to come."""
    barren = and_(Crawl.finished.is_not(None), Crawl.links == 0, Crawl.errors > 0)
    rows = session.execute(
        select(
            Crawl.run,
            func.min(Crawl.started),
            func.max(Crawl.finished),
            func.count(),
            func.count(Crawl.finished),
            func.sum(case((barren, 1), else_=0)),
            func.sum(Crawl.links),
            func.sum(Crawl.new),
            func.sum(Crawl.findings),
            func.sum(Crawl.errors),
        )
        .where(Crawl.started.between(now - WINDOW, now + PAUSE), Crawl.backfill_id.is_(None))
        .group_by(Crawl.run)
        .order_by(func.min(Crawl.started).desc())
    )
    return [Run(*row) for row in rows]


def whole(known: Sequence[Run], watched: int | None = None) -> list[Run]:
    """The daily crawls among the `known` runs. They are told by their size, whoever starts them:
    half of the outlets `watched`, or half of the largest run there was, where that is less. A look
    at one outlet is none."""
    sizes = [run.outlets for run in known]
    least = min(max(sizes, default=0), watched or max(sizes, default=0))
    return [run for run in known if run.outlets * 2 >= least]


def daily(
    known: Sequence[Run], watched: int, *, since: datetime, now: datetime, limit: timedelta
) -> Daily:
    """Whether a daily crawl of the `watched` outlets was completed since `since` and found
    something, and whether the newest of the `known` runs ends within `limit`."""
    daily_ones = whole(known, watched)
    last = daily_ones[0] if daily_ones else None
    if last and last.finished < last.outlets and now - last.started > limit:
        return Daily("late", f"{_named(last)} has not come to its end: {_progress(last)}.")
    for run in daily_ones:
        if run.ended and run.ended >= since and run.finished >= run.outlets * MOST:
            if run.trouble:
                return Daily("nothing", f"{_named(run)} found nothing: {run.trouble}.")
            if run.ended - run.started > limit:
                took = (run.ended - run.started).total_seconds() / 3600
                return Daily("late", f"{_named(run)} ended {_at(run.ended)}: it took {took:.1f} h.")
            return Daily(
                "well",
                f"{_named(run)} ended {_at(run.ended)}: {run.outlets} outlets, {run.new} new "
                f"links, {run.findings} findings, {run.errors} errors.",
            )
    if is_going(known, now, limit) and known[0].started >= since:
        return Daily("going", f"{_named(known[0])} is under way: {_progress(known[0])}.")
    before = f"the last one began {_at(last.started)}" if last else "there has been none"
    return Daily("missing", f"No daily crawl was completed since {_at(since)}; {before}.")


def is_going(known: Sequence[Run], now: datetime, limit: timedelta) -> bool:
    """Whether the newest run may be under way still."""
    if not known:
        return False
    run = known[0]
    if run.finished < run.outlets:
        return now - run.started <= limit
    return now - (run.ended or run.started) <= PAUSE


def _named(run: Run) -> str:
    return f"The daily crawl that began {_at(run.started)}"


def _progress(run: Run) -> str:
    return f"{run.finished} of {run.outlets} outlets are done"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
