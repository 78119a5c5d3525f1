"""The watch over outlets and the daily crawl: it notes what changes, and tells the operators."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

import settings
from alerts import notices
from alerts.deliver import tell_operators
from crawler.outlets import catalogue
from scheduler import heartbeat
from scheduler.clock import last_due
from storage import runs, states
from storage.database import reading

logger = logging.getLogger(__name__)


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def watched() -> list[str]:
    """The names of the outlets. Raises CatalogueError."""
    return [*catalogue.spiders()]


class Watch:
    """Watches the installation whose database is `engine`. What it does may take seconds.

    `clock` gives the time, `outlets` the names of those that are watched now."""

    def __init__(
        self,
        engine: Engine,
        current: settings.Settings,
        clock: Callable[[], datetime] = now,
        outlets: Callable[[], list[str]] = watched,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._outlets = outlets
        self._settings = current
        self._limit = timedelta(hours=current.crawl_hours)
        self._names = outlets()
        self._looked: datetime | None = None  # until when the crawls are known that ended

    def begun(self) -> None:
        """The daily crawl begins."""
        heartbeat.ping(self._settings.heartbeat_url, "start")

    def ended(self, began: datetime, code: int) -> None:
        """The daily crawl that began at `began` came to its end, with this exit code."""
        with reading(self._engine) as session:
            known = runs.runs(session, self._clock())
        run = next((run for run in known if run.started >= began), None)
        problem = run.trouble if run else "nothing was crawled"
        if code not in (0, 1):
            problem = f"the crawl ended with exit code {code}"
        with bound_contextvars(crawl=run.name if run else None):
            logger.info("the daily crawl ended: %s", problem or "all is well")
            heartbeat.ping(self._settings.heartbeat_url, "fail" if problem else "", problem or "")
        self.look(after_crawl=True)

    def look(self, *, after_crawl: bool = False) -> None:
        """Note how the daily crawl does and, unless one is under way, the outlets; and tell the
        operators what has changed. Outlets are judged when they have been crawled, not before."""
        moment = self._clock()
        with reading(self._engine) as session:
            known = runs.runs(session, moment)
            paused = states.paused(session)
        last = max((run.ended for run in known if run.ended), default=None)
        going = not after_crawl and runs.is_going(known, moment, self._limit)
        judges = not going and last != self._looked
        if judges:
            self._names = self._outlets()  # some may have come or gone
        with Session(self._engine) as session, session.begin():
            changes = []
            daily = runs.daily(
                known,
                len({*self._names} - paused.keys()),
                since=self._since(moment),
                now=moment,
                limit=self._limit,
            )
            # of one under way only that it takes too long: what it found is known at its end
            told = not going or daily.state == "late"
            if told and (change := states.settle_daily(session, daily, moment)):
                changes.append(change)
            if judges:
                changes += states.settle(session, moment, self._names)
            for change in changes:
                outlet = None if change.outlet == states.DAILY else change.outlet
                with bound_contextvars(outlet=outlet):
                    logger.warning("%s (was %s): %s", change.state, change.before, change.why)
            if changes:
                language = self._settings.language
                title, lines = notices.title(changes, language), notices.lines(changes, language)
                tell_operators(session, title, lines, moment, self._settings)
        if judges:
            self._looked = last

    def _since(self, moment: datetime) -> datetime:
        """Since when a daily crawl must have been completed: the last time one was due that has
        had its hours."""
        return last_due(moment - self._limit, self._settings.crawl_at, self._settings.zone)
