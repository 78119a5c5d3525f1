"""Backfills: how far each has come, and what it found of every month.

A backfill's `start` and `until` are days, as their beginnings in UTC; its slices have the moments,
each in its outlet's own zone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from extract.link import Link
from storage import leases, links
from storage.links import Discovery
from storage.models import ArchiveFile, Backfill, SeenIn, Slice, State
from storage.models import Link as Row

FETCHED = (State.GATED, State.EMPTY, State.REJECTED, State.FOUND)
FEW = 0.25  # of what the outlet's other months have, a month's articles are suspiciously few
EXPECTED = 4  # articles: of a month that may have fewer, nothing can be said

PAUSE, CANCEL = "pause", "cancel"  # what may be asked of a backfill

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Part:
    """What one source of an outlet is to list: its links from `start` until `until`."""

    outlet: str
    source: str
    start: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """A backfill, and how far it has come. `running`: a process is at it; `finished`: it came to
    its end, though some of its slices may have failed. `pending` links wait to be fetched. One that
    goes through `files` has no slices. `asked` is "pause" or "cancel" where somebody wants that."""

    id: int
    start: datetime
    until: datetime
    outlets: tuple[str, ...]
    max_pages: int | None
    delay: float | None
    begun: datetime
    finished: datetime | None
    running: bool
    asked: str | None
    slices: int
    slices_done: int
    files: int
    files_done: int
    listed: int
    fetched: int
    found: int
    pending: int

    @property
    def state(self) -> str:
        """ "running", "stopping" (it was asked to end), "done", "cancelled" or "stopped"."""
        if self.running:
            return "stopping" if self.asked else "running"
        if self.finished:
            return "done"
        return "cancelled" if self.asked == CANCEL else "stopped"


class Mark(StrEnum):
    """Why a month's numbers are not to be trusted."""

    UNREACHED = "unreached"  # no source that reaches back could be read
    EMPTY = "empty"  # nothing at all, where other months have articles
    FEW = "few"  # far fewer than in the outlet's other months


@dataclass(frozen=True, slots=True)
class Month:
    """What is known of an outlet's articles of one month, or of the part of it in the window."""

    start: datetime
    until: datetime
    listed: int
    fetched: int
    found: int
    mark: Mark | None = None


# --- beginning and ending -------------------------------------------------------------------------


def begin(
    session: Session,
    start: datetime,
    until: datetime,
    outlets: Sequence[str],
    parts: Iterable[Part],
    now: datetime,
    *,
    max_pages: int | None = None,
    delay: float | None = None,
    files: Sequence[str] = (),
) -> int:
    """Note a new backfill with its slices, or with the WARC `files` that it goes through; gives its
    id."""
    backfill = Backfill(
        start=start, until=until, outlets=list(outlets), max_pages=max_pages, delay=delay, begun=now
    )
    session.add(backfill)
    session.flush()
    session.add_all(
        Slice(
            backfill_id=backfill.id,
            outlet=part.outlet,
            source=part.source,
            start=part.start,
            until=part.until,
        )
        for part in parts
    )
    session.add_all(
        ArchiveFile(backfill_id=backfill.id, number=number, place=place)
        for number, place in enumerate(files)
    )
    return backfill.id


def change(
    session: Session, backfill_id: int, *, max_pages: int | None, delay: float | None
) -> None:
    """Give a backfill another budget or pace; None leaves it."""
    backfill = session.get_one(Backfill, backfill_id)
    backfill.max_pages = max_pages or backfill.max_pages
    backfill.delay = backfill.delay if delay is None else delay


def finish(session: Session, backfill_id: int, now: datetime | None) -> None:
    """Note that a backfill has come to its end; with None, that it has not."""
    session.execute(update(Backfill).where(Backfill.id == backfill_id).values(finished=now))


def ask(session: Session, backfill_id: int, what: str | None, now: datetime) -> None:
    """Ask a backfill to PAUSE, or, for good, to CANCEL: the process at it ends itself, whoever
    started it. With None it may go on."""
    session.execute(update(Backfill).where(Backfill.id == backfill_id).values(asked=what))
    if not leases.holder(session, lease(backfill_id), now):
        give_up(session, backfill_id)


def asked(session: Session, backfill_id: int) -> str | None:
    """What is asked of a backfill; None where it may go on."""
    return session.scalar(select(Backfill.asked).where(Backfill.id == backfill_id))


def give_up(session: Session, backfill_id: int) -> None:
    """Leave what a backfill has not fetched to others, if it was cancelled: findings that were
    modified since to the daily crawl."""
    if asked(session, backfill_id) == CANCEL:
        waiting = update(Row).where(Row.backfill_id == backfill_id, Row.state == State.PENDING)
        session.execute(waiting.where(links.IS_FINDING).values(backfill_id=None))
        session.execute(waiting.values(state=State.SKIPPED))


def lease(backfill_id: int) -> str:
    """The name of the lease of the process that is at a backfill."""
    return f"backfill {backfill_id}"


# --- slices ---------------------------------------------------------------------------------------


def unfinished(session: Session, backfill_id: int, outlet: str) -> list[Slice]:
    """The slices of `outlet` that have not been read to their end."""
    query = select(Slice).where(
        Slice.backfill_id == backfill_id, Slice.outlet == outlet, Slice.finished.is_(None)
    )
    rows = list(session.scalars(query.order_by(Slice.until.desc(), Slice.source)))
    session.expunge_all()
    return rows


def take(
    session: Session, part: Slice, found: Sequence[Link], page: int | None, now: datetime
) -> Discovery:
    """Note the links of one page of a slice's listing, and with `page` that it has been read to
    there, in one."""
    discovery = links.record(
        session,
        part.outlet,
        found,
        now=now,
        known_before=None,
        oldest=None,
        seen_in=SeenIn.PAST,
        backfill_id=part.backfill_id,
    )
    _change(session, part, listed=Slice.listed + len(found), **{"cursor": page} if page else {})
    return discovery


def end(session: Session, part: Slice, finished: datetime | None, error: str | None) -> None:
    """Note how the reading of a slice's listing ended: without `finished` it is to be tried again;
    with both, nothing is there."""
    _change(session, part, finished=finished, error=error)


def is_read(session: Session, backfill_id: int) -> bool:
    """Whether the listing of each slice, and each file, has been read to its end, or failed."""
    return not any(
        session.scalar(
            select(table.backfill_id)
            .where(
                table.backfill_id == backfill_id, table.finished.is_(None), table.error.is_(None)
            )
            .limit(1)
        )
        for table in (Slice, ArchiveFile)
    )


def unreached(parts: Sequence[Slice]) -> list[Slice]:
    """Those of an outlet's slices whose listing could not be read. A source that has nothing for
    one month but answers for another was read."""
    answering = {part.source for part in parts if part.finished and not part.error}
    return [
        part for part in parts if part.error and not (part.finished and part.source in answering)
    ]


def refusal(session: Session, backfill_id: int, outlet: str) -> str | None:
    """Why none of the outlet's listings could be read; None where one was."""
    parts = slices(session, backfill_id, outlet)
    failed = unreached(parts)
    if not failed or len(failed) < len(parts):
        return None
    return f"{failed[0].source}: {failed[0].error}"


def _change(session: Session, part: Slice, **values: object) -> None:
    session.execute(
        update(Slice)
        .where(
            Slice.backfill_id == part.backfill_id,
            Slice.outlet == part.outlet,
            Slice.source == part.source,
            Slice.start == part.start,
        )
        .values(**values)
    )


# --- files ----------------------------------------------------------------------------------------


def files(session: Session, backfill_id: int) -> list[ArchiveFile]:
    """The WARC files that a backfill goes through, in their order."""
    query = select(ArchiveFile).where(ArchiveFile.backfill_id == backfill_id)
    return list(session.scalars(query.order_by(ArchiveFile.number)))


def note_read(session: Session, file: ArchiveFile, **values: object) -> None:
    """Note how far a file was read, and how that ended."""
    session.execute(
        update(ArchiveFile)
        .where(ArchiveFile.backfill_id == file.backfill_id, ArchiveFile.number == file.number)
        .values(**values)
    )


# --- what it came to ------------------------------------------------------------------------------


def fetched(session: Session, backfill_id: int, outlet: str) -> int:
    """How many links of `outlet` a backfill has fetched, whatever became of them."""
    query = select(func.count()).where(
        Row.outlet == outlet, Row.backfill_id == backfill_id, Row.settled.is_not(None)
    )
    return session.scalar(query) or 0


def outlets_left(session: Session, backfill_id: int) -> list[str]:
    """The outlets with slices to be read or links to be fetched."""
    slices = select(Slice.outlet).where(Slice.backfill_id == backfill_id, Slice.finished.is_(None))
    waiting = select(Row.outlet).where(Row.backfill_id == backfill_id, Row.state == State.PENDING)
    return sorted(session.scalars(slices.union(waiting)))


def reaching(session: Session, backfill_id: int) -> set[str]:
    """The outlets of which something reaches back."""
    query = select(Slice.outlet).where(Slice.backfill_id == backfill_id).distinct()
    return {*session.scalars(query)}


def pending(session: Session, backfill_id: int, outlet: str) -> int:
    """How many links of `outlet` wait to be fetched by a backfill."""
    query = select(func.count()).where(
        Row.outlet == outlet, Row.backfill_id == backfill_id, Row.state == State.PENDING
    )
    return session.scalar(query) or 0


def get(session: Session, backfill_id: int, now: datetime) -> Progress | None:
    """One backfill; None where there is none of this id."""
    row = session.get(Backfill, backfill_id)
    if row is None:
        return None
    slices, slices_done = _done(session, Slice, row.id)
    files, files_done = _done(session, ArchiveFile, row.id)
    listed, fetched, found, pending = session.execute(
        select(func.count(), *_counts(), _number(Row.state == State.PENDING)).where(
            Row.backfill_id == row.id, Row.outlet.in_(row.outlets), Row.state != State.TWIN
        )
    ).one()
    held_until = leases.expires(session, lease(row.id))
    return Progress(
        row.id,
        row.start,
        row.until,
        tuple(row.outlets),
        row.max_pages,
        row.delay,
        row.begun,
        row.finished,
        bool(held_until and held_until >= now),
        row.asked,
        slices,
        slices_done,
        files,
        files_done,
        listed,
        fetched,
        found,
        pending,
    )


@dataclass(frozen=True, slots=True)
class OutletProgress:
    """How far a backfill has come at one outlet: `parts` are its slices, `failed` those that could
    not be read at the last try."""

    outlet: str
    parts: int = 0
    parts_done: int = 0
    failed: int = 0
    listed: int = 0
    fetched: int = 0
    found: int = 0
    pending: int = 0


def by_outlet(session: Session, backfill_id: int) -> dict[str, OutletProgress]:
    """How far a backfill has come at each outlet of which it has slices or links."""
    slices = session.execute(
        select(Slice.outlet, func.count(), func.count(Slice.finished), func.count(Slice.error))
        .where(Slice.backfill_id == backfill_id)
        .group_by(Slice.outlet)
    )
    parts = {outlet: counts for outlet, *counts in slices}
    links = session.execute(
        select(Row.outlet, func.count(), *_counts(), _number(Row.state == State.PENDING))
        .where(Row.backfill_id == backfill_id, Row.state != State.TWIN)
        .group_by(Row.outlet)
    )
    counts = {outlet: numbers for outlet, *numbers in links}
    return {
        name: OutletProgress(name, *parts.get(name, (0, 0, 0)), *counts.get(name, (0, 0, 0, 0)))
        for name in {*parts, *counts}
    }


def _done(session: Session, table: type[Slice | ArchiveFile], backfill_id: int) -> tuple[int, int]:
    """How many there are of a backfill, and how many of them are done."""
    query = select(func.count(), func.count(table.finished))
    all_, done = session.execute(query.where(table.backfill_id == backfill_id)).one()
    return all_, done


def ids(session: Session) -> list[int]:
    """The ids of all backfills, the newest first."""
    return list(session.scalars(select(Backfill.id).order_by(Backfill.id.desc())))


def slices(session: Session, backfill_id: int, outlet: str) -> list[Slice]:
    """The slices of `outlet`, the newest first."""
    query = select(Slice).where(Slice.backfill_id == backfill_id, Slice.outlet == outlet)
    return list(session.scalars(query.order_by(Slice.until.desc(), Slice.source)))


def months(
    session: Session, backfill_id: int, outlet: str, windows: Sequence[Window]
) -> list[Month]:
    """What is known of the outlet's articles of each of `windows`, months in a row in any order,
    whichever crawl listed and fetched them; with marks."""
    ordered = sorted(windows)
    which = case(*((Row.published < until, n) for n, (_, until) in enumerate(ordered)), else_=-1)
    rows = session.execute(
        select(which, func.count(), *_counts())
        .where(
            Row.outlet == outlet,
            Row.published >= ordered[0][0],
            Row.published < ordered[-1][1],
            Row.state != State.TWIN,
        )
        .group_by(which)
    )
    counts = {number: (listed, fetched, found) for number, listed, fetched, found in rows}
    parts = slices(session, backfill_id, outlet)
    read = files(session, backfill_id)
    missed: list[Slice | ArchiveFile] = [*unreached(parts)]
    missed += [file for file in read if file.error and not file.position]
    bare = [Month(*window, *counts.get(n, (0, 0, 0))) for n, window in enumerate(ordered)]
    marked = []
    for month in bare:
        over = [part for part in parts if part.start < month.until and part.until > month.start]
        marked.append(_marked(month, bare, [*over, *read], missed))  # a file may have any month
    return marked


def undated(session: Session, backfill_id: int, outlet: str) -> tuple[int, int, int]:
    """How many of a backfill's links have no date: listed, fetched, found."""
    row = session.execute(
        select(func.count(), *_counts()).where(
            Row.outlet == outlet,
            Row.backfill_id == backfill_id,
            Row.published.is_(None),
            Row.state != State.TWIN,
        )
    ).one()
    return row[0], row[1], row[2]


def _counts() -> tuple[ColumnElement[int], ColumnElement[int]]:
    """How many were fetched, and found."""
    return _number(Row.state.in_(FETCHED)), _number(Row.state == State.FOUND)


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _marked(
    month: Month,
    all_: Sequence[Month],
    over: Sequence[Slice | ArchiveFile],
    missed: Sequence[Slice | ArchiveFile],
) -> Month:
    """`month` with its mark: `over` are the slices and files that may have its articles, `missed`
    are those that could not be read."""
    mark = None
    others = [other for other in all_ if other is not month and other.listed]
    if all(part in missed for part in over):
        mark = Mark.UNREACHED
    elif not all(part.finished or part.error for part in over):
        mark = None  # it may still come
    elif others and not month.listed:
        mark = Mark.EMPTY
    elif others:
        usual = median(other.listed / _days(other) for other in others) * _days(month)
        if usual >= EXPECTED and month.listed < FEW * usual:
            mark = Mark.FEW
    return Month(month.start, month.until, month.listed, month.fetched, month.found, mark)


def _days(month: Month) -> float:
    return max((month.until - month.start).total_seconds() / 86_400, 1.0)
