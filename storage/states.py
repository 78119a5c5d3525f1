"""How each outlet does, measured against its own habit, and what changed in it.

The habit is what the outlet did on the days it was read in the last six weeks: a day is one of
Western Indonesia's, and counts what its crawls gave together; the last of them says whether the
outlet could be read. Nothing flaps: it takes two days in a row to call an outlet failing or
blocked, two good ones to take that back, and more to call it quiet or changed (see the constants).
"""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from statistics import mean, median, quantiles

from sqlalchemy import and_, case, delete, func, select
from sqlalchemy.orm import Session

from storage import runs
from storage.coverage import CHECK
from storage.models import Crawl, Link, OutletState, Source, State
from storage.runs import Daily

WINDOW = timedelta(days=42)  # four weeks of habit, and two in which it may have been left
LATELY = timedelta(days=7)  # for errors and blocked pages
DAY = timezone(timedelta(hours=7))  # where the days of most outlets begin
STALE = timedelta(days=3)  # an outlet not crawled for longer is not judged

ENOUGH_DAYS = 14  # of habit: two of each weekday
SILENT_DAYS = 2  # the least; and more than twice the longest silence there was before
MISSED_ARTICLES = 6  # that the habit lets expect meanwhile: by chance there are none in 1 of 400
A_TENTH = 10  # of what its slow days bring is silence, too: 5 a day where there were 50 at least
PAGES = 6  # examined in a row without an article or a date: 1 in 4,000 where 3 of 4 have one
HABITUAL = 0.75  # of the pages examined before had it
MISSED_PAGES = 12  # that could have passed the gate, by habit: topics come in waves
FEW_ERRORS = 3  # links that failed: dead links, as long as more than a quarter is fetched

SHOWN_DAYS = 28  # of which VitalSigns tells the articles
NEW, PAUSED = "new", "paused"  # what is shown for a state where there is none

DAILY = "daily crawl"  # stands among the outlets' states for the crawl of all of them


class Health(StrEnum):
    """What an outlet's state may be."""

    WELL = "well"
    QUIET = "quiet"  # it can be read, and has no news for much longer than it ever had none
    FAILING = "failing"  # it cannot be read
    BLOCKED = "blocked"  # it does not let us read
    CHANGED = "changed"  # it can be read, and all at once there are no articles, or no dates


@dataclass(slots=True)
class Day:
    """What the crawls of one day gave: `new` articles, pages `fetched`, those of them that `passed`
    the gate; `problem` is why the last of them failed, in words, `sort` of which sort. The `first`
    day of all brought a week's articles at once."""

    date: date
    first: bool = False
    new: int = 0
    fetched: int = 0
    passed: int = 0
    problem: str | None = None
    sort: str | None = None


@dataclass(frozen=True, slots=True)
class Pages:
    """Of `examined` pages, how many had an article, and how many of these a date."""

    examined: int = 0
    extracted: int = 0
    dated: int = 0


@dataclass(slots=True)
class Measured:
    """What is measured of an outlet: when a source was last read to its end, the days it was
    crawled on (the oldest first), the last PAGES pages examined and those `before` them, errors of
    the last week by sort."""

    outlet: str
    last_success: datetime | None = None
    days: list[Day] = field(default_factory=list)
    lately: Pages = Pages()
    before: Pages = Pages()
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def blocked(self) -> int:
        """How many pages and crawls were refused us in the last week."""
        return self.errors["blocked"]

    @property
    def habit(self) -> tuple[float, float]:
        """New articles a day: the median, and what nine of ten days exceed (0, 0: unknown)."""
        counts = [day.new for day in self.read[-28:]]
        return (median(counts), _low(counts)) if counts else (0, 0)

    @property
    def share_extracted(self) -> float | None:
        """How many of the pages examined had an article (0 to 1)."""
        return _share(
            self.lately.extracted + self.before.extracted,
            self.lately.examined + self.before.examined,
        )

    @property
    def share_dated(self) -> float | None:
        """How many of the articles had a date (0 to 1)."""
        return _share(
            self.lately.dated + self.before.dated, self.lately.extracted + self.before.extracted
        )

    @property
    def read(self) -> list[Day]:
        """The days that tell of its habit."""
        return [day for day in self.days if not (day.problem or day.first)]


@dataclass(frozen=True, slots=True)
class VitalSigns:
    """How an outlet does, with all that is measured of it, to be shown.

    `state` is one of Health, "paused", or "new" (never crawled); it has been so `since` then, as
    far as that was noted. `last_success` is when a source was last read to its end. `latest` new
    articles came on the day it was last crawled; by `habit` so many do in the median, and on nine
    of ten days more than `slow`. Shares are 0 to 1, of the pages examined in six weeks. `errors`
    counts those of the last week by sort, `blocked` the pages and crawls that were refused us.
    `per_day` has the new articles of each of the last SHOWN_DAYS days, the newest last (None: it
    was not read), `days` what its crawls gave in six weeks, the oldest first."""

    outlet: str
    state: str
    since: datetime | None
    why: str
    paused: datetime | None
    last_success: datetime | None
    latest: int | None
    habit: float | None
    slow: float | None
    share_extracted: float | None
    share_dated: float | None
    blocked: int
    errors: Mapping[str, int]
    per_day: Sequence[int | None]
    days: Sequence[Day]


@dataclass(frozen=True, slots=True)
class Judgement:
    """An outlet's state, and why, in one sentence."""

    state: Health
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """The state of `outlet` was `before` and is `state` now."""

    outlet: str
    before: str
    state: str
    why: str


def sort_of(error: str) -> str:
    """Of which sort an error is, by the words that `crawler` has for it: "blocked", "away",
    "broken" (the outlet's server), "gone", "forbidden" (by robots.txt, or by our own rules) or
    "unreadable"."""
    return next((sort for sort, words in _SORTS.items() if words.search(error)), "unreadable")


_SORTS = {
    "blocked": re.compile(r"\bblocked by\b|HTTP (401|403|407|429|451)\b|asked to be left alone"),
    "broken": re.compile(r"HTTP 5\d\d\b"),
    "gone": re.compile(r"HTTP (404|410)\b|leads to (another site|the front page)"),
    "forbidden": re.compile(r"robots\.txt forbids|private address|of other sites only"),
    "away": re.compile(r"unreachable|cannot be resolved|refuses|did not answer|broke off"),
}


# --- measuring ------------------------------------------------------------------------------------


def measure(
    session: Session, now: datetime, outlets: Iterable[str] | None = None
) -> dict[str, Measured]:
    """What is measured of `outlets`; none named: of all that were crawled in the last six weeks.
    Backfills do not count. A handful of queries, however many outlets."""
    names = None if outlets is None else {*outlets}
    first = _first_days(session, names)
    measured = {name: Measured(name) for name in sorted(first if names is None else names)}
    _measure_days(session, now, measured, first)
    _measure_pages(session, now, measured)
    _measure_errors(session, now, measured)
    for name, completed in session.execute(
        select(Source.outlet, func.max(Source.completed))
        .where(Source.outlet.in_([*measured]), Source.name != CHECK)
        .group_by(Source.outlet)
    ):
        measured[name].last_success = completed
    return {name: m for name, m in measured.items() if m.days or names is not None}


def _first_days(session: Session, names: Iterable[str] | None) -> dict[str, date]:
    """The day of each outlet's first crawl."""
    query = select(Crawl.outlet, func.min(Crawl.started)).where(Crawl.backfill_id.is_(None))
    if names is not None:
        query = query.where(Crawl.outlet.in_([*names]))
    rows = session.execute(query.group_by(Crawl.outlet))
    return {outlet: _day(started) for outlet, started in rows}


def _measure_days(
    session: Session, now: datetime, measured: Mapping[str, Measured], first: Mapping[str, date]
) -> None:
    """A run in which most outlets failed tells of us, not of them: it is as if it had not been."""
    ours = {run.name for run in runs.runs(session, now) if run.is_outage}
    for row in session.execute(
        select(
            Crawl.outlet,
            Crawl.run,
            Crawl.started,
            Crawl.links,
            (Crawl.new - Crawl.missed).label("new"),
            Crawl.fetched,
            Crawl.gated,
            Crawl.errors,
            Crawl.note,
        )
        .where(
            Crawl.outlet.in_([*measured]),
            Crawl.started.between(now - WINDOW, now + runs.PAUSE),
            Crawl.finished.is_not(None),
            Crawl.backfill_id.is_(None),
        )
        .order_by(Crawl.started)
    ):
        if row.run in ours:
            continue
        outlet = measured[row.outlet]
        when = _day(row.started)
        if not outlet.days or outlet.days[-1].date != when:
            outlet.days.append(Day(when, first=when == first[row.outlet]))
        day = outlet.days[-1]
        day.new += row.new
        day.fetched += row.fetched
        day.passed += row.fetched - row.gated
        failed = row.errors and (row.links == 0 or row.errors >= max(FEW_ERRORS, 4 * row.fetched))
        problem = row.note or "no reason was given"
        day.problem, day.sort = (problem, sort_of(problem)) if failed else (None, None)
        if row.errors and row.note and row.started >= now - LATELY:
            outlet.errors[sort_of(row.note)] += 1


def _measure_pages(session: Session, now: datetime, measured: Mapping[str, Measured]) -> None:
    extracted = case((Link.state != State.EMPTY, 1), else_=0)
    dated = case((and_(Link.state != State.EMPTY, Link.published.is_not(None)), 1), else_=0)
    newest = func.row_number().over(
        partition_by=Link.outlet, order_by=(Link.settled.desc(), Link.id.desc())
    )
    pages = (
        select(
            Link.outlet,
            extracted.label("extracted"),
            dated.label("dated"),
            (newest <= PAGES).label("lately"),
        )
        .where(
            Link.outlet.in_([*measured]),  # so that the index of outlets and states serves
            Link.state.in_((State.EMPTY, State.REJECTED, State.FOUND)),
            Link.settled >= now - WINDOW,
            Link.backfill_id.is_(None),
        )
        .subquery()
    )
    for name, lately, *counts in session.execute(
        select(
            pages.c.outlet,
            pages.c.lately,
            func.count(),
            func.sum(pages.c.extracted),
            func.sum(pages.c.dated),
        ).group_by(pages.c.outlet, pages.c.lately)
    ):
        setattr(measured[name], "lately" if lately else "before", Pages(*map(int, counts)))


def _measure_errors(session: Session, now: datetime, measured: Mapping[str, Measured]) -> None:
    for name, error in session.execute(
        select(Link.outlet, Link.error).where(
            Link.outlet.in_([*measured]),
            Link.state.in_((State.FAILED, State.PENDING)),
            Link.error.is_not(None),
            Link.discovered >= now - LATELY,
            Link.backfill_id.is_(None),
        )
    ):
        measured[name].errors[sort_of(error or "")] += 1


def _day(moment: datetime) -> date:
    return moment.astimezone(DAY).date()


def _low(counts: Sequence[int]) -> float:
    return quantiles(counts, n=10, method="inclusive")[0] if len(counts) > 1 else counts[0]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# --- judging --------------------------------------------------------------------------------------


def judge(measured: Measured, previous: str = Health.WELL) -> Judgement:
    """How the outlet does, after it did as `previous` says."""
    for opinion in (_unread, _changed, _quiet):
        if judgement := opinion(measured, previous):
            return judgement
    last = measured.days[-1] if measured.days else Day(date.min)
    count = _count(last.new, "new article").capitalize()
    return Judgement(Health.WELL, f"{count} on {last.date}.")


def _unread(measured: Measured, previous: str) -> Judgement | None:
    two = measured.days[-2:]
    bad = [day for day in two if day.problem is not None]
    was_unread = previous in (Health.FAILING, Health.BLOCKED)
    if not bad or (len(bad) < 2 and not was_unread):
        return None
    blocked = sum(day.sort == "blocked" for day in bad)
    is_blocked = blocked == len(two) or (bool(blocked) and previous == Health.BLOCKED)
    state = Health.BLOCKED if is_blocked else Health.FAILING
    if len(bad) < 2:
        state = Health(previous)
    since = next((day for day in reversed(measured.days) if not day.problem), None)
    read = f"it was last read on {since.date}" if since else "it was not read in six weeks"
    words = "It does not let us read it" if state == Health.BLOCKED else "It cannot be read"
    return Judgement(state, f"{words} ({bad[-1].problem}); {read}.")


def _changed(measured: Measured, previous: str) -> Judgement | None:
    lately, before = measured.lately, measured.before
    # to be well again, half of the pages must have it
    most_without = PAGES // 2 - 1 if previous == Health.CHANGED else 0
    if lately.examined >= PAGES and lately.extracted <= most_without:
        share = _share(before.extracted, before.examined) or 0
        if previous == Health.CHANGED or (before.examined >= PAGES and share >= HABITUAL):
            return Judgement(
                Health.CHANGED,
                f"{_of(lately.extracted, lately.examined)} pages had an article; "
                f"before, {share:.0%} did.",
            )
    share = _share(before.dated, before.extracted) or 0
    is_dated = before.extracted >= PAGES and share >= HABITUAL
    if is_dated and lately.extracted >= PAGES and lately.dated <= most_without:
        return Judgement(
            Health.CHANGED,
            f"{_of(lately.dated, lately.extracted)} articles had a date; before, {share:.0%} had.",
        )
    return _empty_shell(measured, previous)


def _empty_shell(measured: Measured, previous: str) -> Judgement | None:
    """Pages that hold their text no more, only scripts: then none passes the gate."""
    read = [day for day in measured.read if day.fetched]
    tail = _tail(read, lambda day: day.passed == 0)
    habit = read[: len(read) - len(tail)]
    fetched = sum(day.fetched for day in tail)
    share = _share(sum(d.passed for d in habit), sum(d.fetched for d in habit)) or 0
    if len(habit) < ENOUGH_DAYS or fetched * share < MISSED_PAGES:
        return None
    return Judgement(
        Health.CHANGED,
        f"None of {fetched} pages since {tail[0].date} has a word of the topic; before, "
        f"{share:.1%} had: their text may be loaded by scripts now.",
    )


def _quiet(measured: Measured, previous: str) -> Judgement | None:
    read = measured.read
    silence = _low([day.new for day in read[:-7]]) / A_TENTH if len(read) > 8 else 0
    tail = _tail(read, lambda day: day.new <= silence)
    if not tail:
        return None
    habit = read[: len(read) - len(tail)][-28:]
    longest = _longest(habit, silence)
    weekdays: defaultdict[int, list[int]] = defaultdict(list)
    for day in habit:
        weekdays[day.date.weekday()].append(day.new)
    expected = sum(mean(weekdays[day.date.weekday()] or [0]) for day in tail)
    is_new = (
        len(habit) >= ENOUGH_DAYS
        and len(tail) >= SILENT_DAYS
        and len(tail) > 2 * longest
        and expected >= MISSED_ARTICLES
    )
    if not (is_new or previous == Health.QUIET):
        return None
    count = _count(sum(day.new for day in tail), "new article").capitalize()
    before = f"for more than {_count(longest, 'day')}" if longest else "for a day"
    return Judgement(
        Health.QUIET,
        f"{count} since {tail[0].date}, where its habit lets expect {expected:.0f}; in four weeks "
        f"it was never silent {before}.",
    )


def _tail(days: Sequence[Day], holds: Callable[[Day], bool]) -> list[Day]:
    """The last of `days`, as many in a row as it holds for."""
    size = next((n for n, day in enumerate(reversed(days)) if not holds(day)), len(days))
    return [*days[len(days) - size :]]


def _longest(days: Sequence[Day], silence: float) -> int:
    longest = row = 0
    for day in days:
        row = row + 1 if day.new <= silence else 0
        longest = max(longest, row)
    return longest


def _count(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def _of(part: int, whole: int) -> str:
    return f"{part or 'None'} of the last {whole}"


# --- settling -------------------------------------------------------------------------------------


def judged(session: Session, now: datetime, outlets: Iterable[str] | None = None) -> list[Change]:
    """How each outlet that is not paused does now, and what it did before, as far as that was
    noted."""
    known = _known(session)
    return [
        change
        for name, measured in measure(session, now, outlets).items()
        if (change := _judged(measured, known.get(name), now))
        and not (name in known and known[name].paused)
    ]


def _judged(measured: Measured, row: OutletState | None, now: datetime) -> Change | None:
    """How an outlet does that was as `row` says; None where nothing is known."""
    before = row.state if row else Health.WELL
    if not measured.days or measured.days[-1].date < _day(now - STALE):
        # not crawled any more: it stays as it was
        return Change(measured.outlet, before, before, row.why) if row else None
    judgement = judge(measured, before)
    return Change(measured.outlet, before, judgement.state, judgement.why)


def _known(session: Session) -> dict[str, OutletState]:
    return {row.outlet: row for row in session.scalars(select(OutletState)) if row.outlet != DAILY}


def settle(session: Session, now: datetime, outlets: Iterable[str] | None = None) -> list[Change]:
    """Note how the outlets do; gives what changed, each change once, however many ask at the same
    time: they wait for each other's transaction. Outlets that are not among `outlets` are
    forgotten, unless they are paused: that was somebody's wish."""
    _lock(session)
    names = None if outlets is None else {*outlets}
    changes = [
        change
        for change in judged(session, now, names)
        if _note(session, change.outlet, change.state, change.why, now)
    ]
    if names is not None:
        gone = [name for name, row in _known(session).items() if name not in names]
        session.execute(
            delete(OutletState).where(OutletState.outlet.in_(gone), OutletState.paused.is_(None))
        )
    return changes


def settle_daily(session: Session, daily: Daily, now: datetime) -> Change | None:
    """Note how the daily crawl does; gives the change, once."""
    if daily.state == "going":
        return None
    _lock(session)
    row = session.get(OutletState, DAILY, populate_existing=True)
    before = row.state if row else str(Health.WELL)
    if _note(session, DAILY, daily.state, daily.why, now):
        return Change(DAILY, before, daily.state, daily.why)
    return None


def _note(session: Session, outlet: str, state: str, why: str, now: datetime) -> bool:
    """Note a state; whether it is another than before. Where nothing was noted, all was well."""
    row = session.get(OutletState, outlet)
    if row is None:
        session.add(OutletState(outlet=outlet, state=state, since=now, why=why))
        session.flush()
        return state != Health.WELL
    if row.state == state:
        return False
    row.state, row.since, row.why = state, now, why
    return True


def _lock(session: Session) -> None:
    """Let nobody else settle until this transaction ends; on SQLite nobody else writes anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(zlib.crc32(b"outlet states"))))


# --- pausing --------------------------------------------------------------------------------------


def pause(session: Session, outlet: str, now: datetime) -> bool:
    """Leave an outlet alone until it is resumed: no crawl, daily or of a backfill, begins at it,
    and it is not watched. Whether that is new."""
    _lock(session)
    row = session.get(OutletState, outlet)
    if row is None:
        row = OutletState(outlet=outlet, state=Health.WELL, since=now, why="")
        session.add(row)
    if row.paused:
        return False
    row.paused = now
    return True


def resume(session: Session, outlet: str) -> bool:
    """Take an outlet up again; whether it was paused. Its next crawl says how it does."""
    row = session.get(OutletState, outlet)
    if row is None or row.paused is None:
        return False
    row.paused = None
    return True


def paused(session: Session) -> dict[str, datetime]:
    """The outlets that are paused, and since when."""
    query = select(OutletState.outlet, OutletState.paused).where(OutletState.paused.is_not(None))
    return {outlet: since for outlet, since in session.execute(query) if since}


# --- showing --------------------------------------------------------------------------------------


def vitals(session: Session, names: Iterable[str] | None, now: datetime) -> dict[str, VitalSigns]:
    """How the outlets called `names` do now, in this order; None: those of which a state was noted.
    A handful of queries, however many outlets; for those of `names` only."""
    known = _known(session)
    chosen = [*(sorted(known) if names is None else names)]
    measured = measure(session, now, chosen)
    return {name: _signs(measured[name], known.get(name), now) for name in chosen}


def _signs(measured: Measured, row: OutletState | None, now: datetime) -> VitalSigns:
    change = _judged(measured, row, now)
    state = change.state if change else Health.WELL if measured.days else NEW
    why = change.why if change else ""
    since = row.since if row and row.state == state else None
    if row and row.paused:
        state, why, since = PAUSED, "It is left alone until it is resumed.", row.paused
    habit, slow = measured.habit if measured.read else (None, None)
    read = {day.date: day.new for day in measured.read}
    return VitalSigns(
        measured.outlet,
        str(state),
        since,
        why,
        row.paused if row else None,
        measured.last_success,
        measured.days[-1].new if measured.days else None,
        habit,
        slow,
        measured.share_extracted,
        measured.share_dated,
        measured.blocked,
        dict(measured.errors.most_common()),
        [read.get(_day(now - timedelta(days=ago))) for ago in reversed(range(SHOWN_DAYS))],
        measured.days,
    )
