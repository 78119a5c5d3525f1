"""The watch over outlets and the daily crawl: it notes what changes, and tells the operators."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

import settings
from alerts.deliver import tell_operators
from crawler.outlets import catalogue
from scheduler import heartbeat
from scheduler.clock import last_due
from storage import crawls, runs, states
from storage.database import reading
from storage.states import Change, Health

MOST_LINES = 30  # in one message


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
        heartbeat.ping(self._settings.heartbeat_url, "fail" if problem else "", problem or "")
        self.look(after_crawl=True)

    def look(self, *, after_crawl: bool = False) -> None:
        """Note how the daily crawl does and, unless one is under way, the outlets; and tell the
        operators what has changed. Outlets are judged when they have been crawled, not before."""
        moment = self._clock()
        with reading(self._engine) as session:
            known = runs.runs(session, moment)
            last = crawls.last_finished(session)
        going = not after_crawl and runs.is_going(known, moment, self._limit)
        judges = not going and last != self._looked
        if judges:
            self._names = self._outlets()  # some may have come or gone
        with Session(self._engine) as session, session.begin():
            changes = []
            daily = runs.daily(
                known, len(self._names), since=self._since(moment), now=moment, limit=self._limit
            )
            # of one under way only that it takes too long: what it found is known at its end
            told = not going or daily.state == "late"
            if told and (change := states.settle_daily(session, daily, moment)):
                changes.append(change)
            if judges:
                changes += states.settle(session, moment, self._names)
            if changes:
                tell_operators(session, title(changes), lines(changes), moment, self._settings)
        if judges:
            self._looked = last

    def _since(self, moment: datetime) -> datetime:
        """Since when a daily crawl must have been completed: the last time one was due that has
        had its hours."""
        return last_due(moment - self._limit, self._settings.crawl_at, self._settings.zone)


def title(changes: Sequence[Change]) -> str:
    """What has changed, in a line."""
    parts = [_DAILY[change.state] for change in changes if change.outlet == states.DAILY]
    outlets = [change for change in changes if change.outlet != states.DAILY]
    if bad := sum(change.state != Health.WELL for change in outlets):
        parts.append(f"{bad} outlet{' needs' if bad == 1 else 's need'} a look")
    if well := sum(change.state == Health.WELL for change in outlets):
        parts.append(f"{well} outlet{' is' if well == 1 else 's are'} well again")
    return f"Pantau: {', '.join(parts)}"


def lines(changes: Sequence[Change]) -> list[str]:
    """A line for each change, the most important first, and not too many."""
    ordered = sorted(changes, key=lambda c: (c.outlet != states.DAILY, c.state == Health.WELL))
    told = [f"{c.outlet}: {c.state} (was {c.before}). {c.why}" for c in ordered[:MOST_LINES]]
    more = len(ordered) - len(told)
    return [*told, f"… and {more} more: `pantau doctor` shows all."] if more else told


_DAILY = {
    "well": "the daily crawl is well again",
    "missing": "the daily crawl did not run",
    "late": "the daily crawl has not come to its end",
    "nothing": "the daily crawl found nothing",
}
