"""Trends: what was told when, where, by whom and about whom; and what is new since a moment."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from math import ceil
from typing import Any

from sqlalchemy import (
    Integer,
    Row,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Session, load_only

from storage.models import Finding, Story, Tally
from storage.search import name_of, sort_of
from storage.stories import Report, local_time

# the kinds, what weighs most first
GRAVITY = (
    "sanction",
    "examination",
    "allegation",
    "regulation",
    "statistics",
    "opinion",
    "pledge",
    "outreach",
    "other",
)
HOUR = 3_600  # seconds
DAY = 24 * HOUR

_A_DAY = literal_column(str(DAY), Integer)


@dataclass(frozen=True, slots=True)
class Day:
    """How many findings were told on a day, by kind; kinds without any are left out."""

    day: date
    kinds: dict[str, int]


@dataclass(frozen=True, slots=True)
class Area:
    """How many findings name an area, by its code: a province's ("51") or that of a regency or city
    ("51.08")."""

    code: str
    findings: int


@dataclass(frozen=True, slots=True)
class Named:
    """How many findings an outlet, a kind or a subject has."""

    name: str
    findings: int


@dataclass(frozen=True, slots=True)
class Trends:
    """The findings told from `since` until `until`: every day of it in order, and the provinces,
    outlets, kinds and subjects, those with most findings first."""

    since: datetime
    until: datetime
    total: int
    days: tuple[Day, ...]
    kinds: tuple[Named, ...]
    provinces: tuple[Area, ...]
    outlets: tuple[Named, ...]
    subjects: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Development:
    """What is new of a story. `kind` is the weightiest of the new findings, `before` the weightiest
    of those from before (None: the whole story is new). `first` is the finding that told the story
    first, `newest` the new one that tells `kind`. `new` of its `count` findings are new; `outlets`
    is how many tell it in all. `story` is None for a finding without one."""

    story: int | None
    kind: str
    before: str | None
    first: Report
    newest: Report
    new: int
    count: int
    outlets: int
    latest: datetime


@dataclass(frozen=True, slots=True)
class Today:
    """What is new since `since`: the weightiest stories first, of these the latest. There are
    `total` stories with `findings` new findings, more than are listed where there are many."""

    since: datetime
    stories: tuple[Development, ...]
    total: int
    findings: int


def trends(
    session: Session, since: datetime, until: datetime, zone: tzinfo, *, outlets: int = 20
) -> Trends:
    """What was told from `since` until `until`, by the days of `zone`, with the `outlets` most
    active outlets. What a reviewer called not relevant does not count."""
    shift = int((since.astimezone(zone).utcoffset() or timedelta()).total_seconds())
    by_day: dict[int, dict[str, int]] = {}
    kinds: Counter[str] = Counter()
    for (facet, day), count in _counts(session, "k", since, until, shift).items():
        by_day.setdefault(day, {})[name_of(facet)] = count
        kinds[name_of(facet)] += count
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for (facet, _), count in _counts(session, "osp", since, until).items():
        found[facet[0]][name_of(facet)] = count
    first, last = ((_second(moment) + shift) // DAY for moment in (since, until))
    last -= not (_second(until) + shift) % DAY
    return Trends(
        since=since,
        until=until,
        total=kinds.total(),
        days=tuple(
            Day(date(1970, 1, 1) + timedelta(days=number), by_day.get(number, {}))
            for number in range(first, last + 1)
        ),
        kinds=_named(kinds),
        provinces=_areas(found["p"]),
        outlets=_named(found["o"])[:outlets],
        subjects=_named(found["s"]),
    )


def regencies(
    session: Session, province: str, since: datetime, until: datetime
) -> tuple[Area, ...]:
    """The regencies and cities of the province with this code ("51") that findings told from
    `since` until `until` name, those with most first."""
    counts = _counts(session, "r", since, until)
    named = Counter({name_of(facet): count for (facet, _), count in counts.items()})
    return tuple(area for area in _areas(named) if area.code.startswith(f"{province}."))


def _second(moment: datetime) -> int:
    return max(0, min(ceil(moment.timestamp()), 2**33))


def _counts(
    session: Session, what: str, since: datetime, until: datetime, shift: int | None = None
) -> Counter[tuple[str, int]]:
    """How many findings have each facet of these sorts (see `Tally`), by the days of a zone that is
    `shift` seconds from UTC; without it in all, as day 0.

    Whole hours and days are in the tallies; what is before and after them is counted one by one,
    and everything where the zone's days do not begin with an hour."""
    begin, end = _second(since), _second(until)
    step = DAY if shift is None else HOUR
    first, last = -(-begin // step) * step, end // step * step
    if first > last or (shift or 0) % step:
        first = last = end
    of_tally = literal_column("0") if shift is None else (Tally.since + shift) // _A_DAY
    tallied = (
        select(Tally.facet, of_tally, func.sum(Tally.findings))
        .where(Tally.what.in_([*what]), Tally.since >= first, Tally.since < last)
        .where(Tally.findings > 0)
        .group_by(Tally.facet, *([] if shift is None else [of_tally]))
    )
    counts = Counter({(facet, day): count for facet, day, count in session.execute(tallied)})
    around = or_(
        and_(Finding.told >= begin, Finding.told < first),
        and_(Finding.told >= last, Finding.told < end),
    )
    single = select(Finding.told, Finding.facets).where(around, ~Finding.dismissed)
    for told, facets in session.execute(single):
        day = 0 if shift is None else (told + shift) // DAY
        counts.update((facet, day) for facet in facets if sort_of(facet) in what)
    return counts


def _named(counts: Counter[str]) -> tuple[Named, ...]:
    return tuple(
        Named(name, count)
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _areas(counts: Counter[str]) -> tuple[Area, ...]:
    return tuple(Area(named.name, named.findings) for named in _named(counts))


# --- Today ----------------------------------------------------------------------------------------


def today(
    session: Session,
    since: datetime,
    now: datetime,
    *,
    quiet: bool = False,
    limit: int = 200,
) -> Today:
    """What was found from `since` until `now`, by story. Old news only if `quiet`; what a reviewer
    called not relevant never."""
    new = [Finding.found >= since, Finding.found < now, ~Finding.dismissed]
    if not quiet:
        new.append(~Finding.quiet)
    story = func.coalesce(Finding.story_id, -Finding.id)
    weight = case(
        {kind: place for place, kind in enumerate(GRAVITY)}, value=Finding.kind, else_=len(GRAVITY)
    )
    told = (
        select(
            story.label("story"),
            func.min(weight).label("weight"),
            func.count().label("new"),
            func.max(Finding.found).label("latest"),
        )
        .where(*new)
        .group_by(story)
        .subquery()
    )
    # counted over all of them, not those of the limit
    sums = func.count().over().label("total"), func.sum(told.c.new).over().label("findings")
    order = (told.c.weight, told.c.latest.desc(), told.c.story)
    groups = session.execute(select(told, *sums).order_by(*order).limit(limit)).all()
    total, count = (groups[0].total, groups[0].findings) if groups else (0, 0)
    return Today(since, tuple(_developments(session, groups, since, now)), total, int(count))


def _developments(
    session: Session, groups: Sequence[Row[Any]], since: datetime, now: datetime
) -> Iterator[Development]:
    keys = [group.story for group in groups]
    first_of = dict(session.execute(select(Story.id, Story.first).where(Story.id.in_(keys))).all())
    members = defaultdict(list)
    columns = load_only(
        Finding.id,
        Finding.story_id,
        Finding.outlet,
        Finding.title,
        Finding.url,
        Finding.published,
        Finding.published_offset,
        Finding.found,
        Finding.told,
        Finding.kind,
        Finding.quiet,
        Finding.dismissed,
    )
    of_them = or_(
        Finding.story_id.in_([key for key in keys if key > 0]),
        Finding.id.in_([-key for key in keys if key < 0]),
    )
    query = select(Finding).options(columns).where(of_them, Finding.found < now)
    for row in session.scalars(query.order_by(Finding.told, Finding.id)):
        members[row.story_id or -row.id].append(row)
    for group in groups:
        told = members[group.story]
        valid = [row for row in told if not row.dismissed]
        new = [row for row in valid if row.found >= since]
        old = [row for row in valid if row.found < since]
        newest = max(new or valid or told, key=lambda row: (-_weight(row.kind), row.found, row.id))
        first = next((row for row in told if row.id == first_of.get(group.story)), told[0])
        yield Development(
            story=group.story if group.story > 0 else None,
            kind=newest.kind,
            before=min((row.kind for row in old), key=_weight, default=None),
            first=_report(first),
            newest=_report(newest),
            new=group.new,
            count=len(told),
            outlets=len({row.outlet for row in told}),
            latest=group.latest,
        )


def _weight(kind: str) -> int:
    return GRAVITY.index(kind) if kind in GRAVITY else len(GRAVITY)


def _report(row: Finding) -> Report:
    return Report(row.id, row.outlet, row.title, row.url, local_time(row), row.kind)
