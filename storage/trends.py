"""Trends: what was told when, where, by whom and about whom; and what is new since a moment."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from math import ceil
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    and_,
    case,
    distinct,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Session, load_only

from storage.models import Finding, FindingPlace, Story
from storage.search import subjects_of
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
DAY = 86_400  # seconds


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
    window = _window(since, until)
    shift = int((since.astimezone(zone).utcoffset() or timedelta()).total_seconds())
    day = (Finding.told + shift) // literal_column(str(DAY), Integer)
    by_day: dict[int, dict[str, int]] = {}
    kinds: Counter[str] = Counter()
    for number, kind, count in session.execute(_counts(window, day, Finding.kind)):
        by_day.setdefault(number, {})[kind] = count
        kinds[kind] += count
    subjects: Counter[str] = Counter()
    for bits, count in session.execute(_counts(window, Finding.subject_set)):
        subjects.update(dict.fromkeys(subjects_of(bits), count))
    active: Counter[str] = Counter(dict(session.execute(_counts(window, Finding.outlet)).all()))
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
        provinces=_areas(session, since, until, 2),
        outlets=_named(active)[:outlets],
        subjects=_named(subjects),
    )


def regencies(
    session: Session, province: str, since: datetime, until: datetime
) -> tuple[Area, ...]:
    """The regencies and cities of the province with this code ("51") that findings told from
    `since` until `until` name, those with most first."""
    return _areas(session, since, until, 5, province)


def _second(moment: datetime) -> int:
    return max(0, min(ceil(moment.timestamp()), 2**33))


def _window(since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(Finding.told >= _second(since), Finding.told < _second(until), ~Finding.dismissed)


def _counts(window: ColumnElement[bool], *by: ColumnElement[Any] | Any) -> Select[Any]:
    return select(*by, func.count()).where(window).group_by(*by)


def _named(counts: Counter[str]) -> tuple[Named, ...]:
    return tuple(
        Named(name, count)
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _areas(
    session: Session, since: datetime, until: datetime, length: int, within: str = ""
) -> tuple[Area, ...]:
    """The areas with codes of this length; a finding that names one twice counts once."""
    code = func.substr(FindingPlace.code, 1, length)
    query = (
        select(code, func.count(distinct(FindingPlace.finding_id)))
        .where(
            FindingPlace.told >= _second(since),
            FindingPlace.told < _second(until),
            func.length(FindingPlace.code) >= length,
            FindingPlace.code.startswith(within, autoescape=True),
            FindingPlace.finding_id.not_in(select(Finding.id).where(Finding.dismissed)),
        )
        .group_by(code)
    )
    counts: Counter[str] = Counter(dict(session.execute(query).all()))
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
    total, count = session.execute(
        select(func.count(), func.sum(told.c.new)).select_from(told)
    ).one()
    order = (told.c.weight, told.c.latest.desc(), told.c.story)
    groups = session.execute(select(told).order_by(*order).limit(limit)).all()
    return Today(since, tuple(_developments(session, groups, since, now)), total, count or 0)


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
