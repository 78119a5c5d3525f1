"""Crawls: how far each source was read, and what each outlet's crawl gave."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from storage.leases import LAST
from storage.links import MAX_URL
from storage.models import Crawl, Finding, Lease, Link, Source, State, Validator
from storage.writing import upsert

LEASE = "crawl "  # with the outlet's name: the lease of the process that crawls it


@dataclass(frozen=True, slots=True)
class Counts:
    """What one outlet's crawl gave. `links` were listed by its sources, `new` of them unknown;
    `fetched` article pages, `gated` of them without the words any finding has; `findings` new ones;
    `errors` links and sources that failed. `note` says in one line what went wrong, if anything.
    `missed` are the new ones that no daily source had listed; `dropped` says how many of what was
    listed were left out, by why."""

    links: int = 0
    new: int = 0
    fetched: int = 0
    gated: int = 0
    findings: int = 0
    errors: int = 0
    note: str | None = None
    missed: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)


class DoneError(Exception):
    """The run is done with the outlet."""


def begin(
    session: Session, run: str, outlet: str, now: datetime, backfill_id: int | None = None
) -> int:
    """Note that a crawl of `outlet` begins, the daily one or a backfill's; gives its id."""
    crawl = Crawl(run=run, outlet=outlet, started=now, backfill_id=backfill_id)
    session.add(crawl)
    session.flush()
    return crawl.id


def resume(
    session: Session, run: str, outlet: str, now: datetime, backfill_id: int | None = None
) -> tuple[int, Counts]:
    """Go on with the crawl of `outlet` in `run` where it was left; gives its id and its counts so
    far, without what its lists gave where it reads these again: all but a backfill do. One that has
    not begun, begins. Raises DoneError where it came to its end."""
    same = Crawl.backfill_id.is_not_distinct_from(backfill_id)
    known = session.scalar(
        select(Crawl).where(Crawl.run == run, Crawl.outlet == outlet, same).limit(1)
    )
    if known is None:
        return begin(session, run, outlet, now, backfill_id), Counts()
    if known.finished:
        raise DoneError(f"{outlet} has been crawled")
    so_far = counts(known)
    return known.id, so_far if backfill_id else replace(so_far, links=0, dropped={})


def finish(session: Session, crawl_id: int, counts: Counts, now: datetime) -> None:
    """Note what a crawl gave, at its end."""
    leave(session, crawl_id, counts)
    session.get_one(Crawl, crawl_id).finished = now


def leave(session: Session, crawl_id: int, counts: Counts) -> None:
    """Note what a crawl gave so far; it is to be gone on with."""
    crawl = session.get_one(Crawl, crawl_id)
    # lists that were read again gave the same, or are said to be unchanged
    dropped = Counter(crawl.dropped) | Counter(counts.dropped)
    most = replace(counts, links=max(crawl.links, counts.links), dropped=dict(dropped))
    for name, value in asdict(most).items():
        setattr(crawl, name, value)


def counts(crawl: Crawl) -> Counts:
    """What a crawl gave."""
    return Counts(**{field.name: getattr(crawl, field.name) for field in fields(Counts)})


def last_finished(session: Session) -> datetime | None:
    """When the latest crawl of any outlet ended."""
    query = select(Crawl.finished).where(Crawl.finished.is_not(None))
    return session.scalar(query.order_by(Crawl.finished.desc()).limit(1))


def last_finished_by_outlet(session: Session) -> dict[str, datetime]:
    """When the latest crawl of each outlet ended, by its name."""
    query = select(Crawl.outlet, func.max(Crawl.finished)).group_by(Crawl.outlet)
    return {outlet: finished for outlet, finished in session.execute(query) if finished}


def first_begun(session: Session, outlet: str) -> datetime | None:
    """When the first daily crawl of `outlet` that came to its end began."""
    return session.scalar(
        select(func.min(Crawl.started)).where(
            Crawl.outlet == outlet, Crawl.finished.is_not(None), Crawl.backfill_id.is_(None)
        )
    )


def completed(session: Session, outlet: str, source: str) -> datetime | None:
    """When the last reading of this source that came to its end ended."""
    row = session.get(Source, (outlet, source))
    return row.completed if row else None


def error(session: Session, outlet: str, source: str) -> str | None:
    """Why the last reading of this source failed; None where it did not, or there was none."""
    row = session.get(Source, (outlet, source))
    return row.error if row else None


def note_reading(
    session: Session,
    outlet: str,
    source: str,
    *,
    completed: datetime | None,
    error: str | None,
    validators: Mapping[str, tuple[str | None, str | None]],
) -> None:
    """Note how a reading of a source ended: `completed`, when, if it came to its end, with the
    (ETag, Last-Modified) of the addresses it read; `error` where it failed. The validators of an
    address of more than `MAX_URL` bytes are left out."""
    row = session.merge(Source(outlet=outlet, name=source, error=error))
    row.completed = completed or row.completed
    for url, (etag, last_modified) in validators.items():
        if len(url.encode(errors="replace")) > MAX_URL:
            continue
        values = {"etag": etag, "last_modified": last_modified}
        insert = upsert(session, Validator).values(url=url, **values)
        session.execute(insert.on_conflict_do_update(index_elements=[Validator.url], set_=values))


def validator(session: Session, url: str) -> tuple[str | None, str | None]:
    """The (ETag, Last-Modified) that `url` last gave in a reading that came to its end."""
    row = session.get(Validator, url)
    return (row.etag, row.last_modified) if row else (None, None)


# --- looking back ---------------------------------------------------------------------------------


def readings(session: Session, outlet: str) -> dict[str, Source]:
    """How the sources of `outlet` were last read, by their names."""
    rows = session.scalars(select(Source).where(Source.outlet == outlet))
    return {row.name: row for row in rows}


def of_run(session: Session, run: str) -> Sequence[Crawl]:
    """The crawls that were started together, by their outlets."""
    return session.scalars(select(Crawl).where(Crawl.run == run).order_by(Crawl.outlet)).all()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the crawls that were started together are: of those `begun`, so many are `done`."""

    started: datetime
    begun: int
    done: int
    findings: int
    errors: int


def progress(session: Session, runs: Iterable[str]) -> dict[str, Progress]:
    """How far each of `runs` is, by its name."""
    query = (
        select(
            Crawl.run,
            func.min(Crawl.started),
            func.count(),
            func.count(Crawl.finished),
            func.sum(Crawl.findings),
            func.sum(Crawl.errors),
        )
        .where(Crawl.run.in_(runs))
        .group_by(Crawl.run)
    )
    return {row[0]: Progress(*row[1:]) for row in session.execute(query)}


def found(session: Session, run: str) -> list[tuple[str, int]]:
    """The findings that the crawls of `run` have brought so far: their outlets and ids."""
    until = func.coalesce(Crawl.finished, Finding.found)
    query = (
        select(Finding.outlet, Finding.id)
        .join(Crawl, Crawl.outlet == Finding.outlet)
        .where(Crawl.run == run, Finding.found.between(Crawl.started, until))
    )
    return [(outlet, id_) for outlet, id_ in session.execute(query.order_by(Finding.id))]


def held(session: Session, now: datetime, *, for_good: bool = False) -> set[str]:
    """The outlets that some process holds the lease of; or only those whose holder does not give
    way to a daily crawl."""
    names = select(Lease.name).where(
        Lease.name.startswith(LEASE), Lease.expires >= now, ~Lease.done
    )
    if for_good:
        names = names.where(~Lease.owner.startswith(LAST))
    return {name.removeprefix(LEASE) for name in session.scalars(names)}


def of_outlet(session: Session, outlet: str, limit: int) -> Sequence[Crawl]:
    """The latest crawls of `outlet`, the newest first."""
    query = select(Crawl).where(Crawl.outlet == outlet).order_by(Crawl.started.desc())
    return session.scalars(query.limit(limit)).all()


@dataclass(frozen=True, slots=True)
class Going:
    """A crawl under way: of its outlet `pending` links wait to be fetched."""

    run: str
    outlet: str
    started: datetime
    backfill_id: int | None
    pending: int


def under_way(session: Session, now: datetime) -> list[Going]:
    """The crawls whose processes hold their outlets' leases, the oldest first."""
    latest = (
        select(func.max(Crawl.id))
        .where(Crawl.outlet.in_(held(session, now)), Crawl.finished.is_(None))
        .group_by(Crawl.outlet)
    )
    crawls = session.scalars(
        select(Crawl).where(Crawl.id.in_(latest)).order_by(Crawl.started)
    ).all()
    waiting = (
        select(Link.outlet, func.count())
        .where(Link.outlet.in_([crawl.outlet for crawl in crawls]), Link.state == State.PENDING)
        .group_by(Link.outlet)
    )
    pending = dict(session.execute(waiting).all())
    return [
        Going(c.run, c.outlet, c.started, c.backfill_id, pending.get(c.outlet, 0)) for c in crawls
    ]


def failed_links(session: Session, crawl: Crawl, limit: int) -> Sequence[Link]:
    """Links that failed while `crawl` was under way, and, of the outlet's latest, those that are
    tried again: with their errors."""
    until = crawl.finished or datetime.max.replace(tzinfo=UTC)
    then = and_(Link.state == State.FAILED, Link.settled.between(crawl.started, until))
    again = and_(Link.state == State.PENDING, Link.error.is_not(None))
    later = select(Crawl.id).where(Crawl.outlet == crawl.outlet, Crawl.started > crawl.started)
    is_latest = session.scalar(later.limit(1)) is None
    return session.scalars(
        select(Link)
        .where(
            Link.outlet == crawl.outlet,
            Link.backfill_id == crawl.backfill_id,
            or_(then, again) if is_latest else then,
        )
        .order_by(Link.state, Link.settled)  # not by their ids: those of all outlets would be read
        .limit(limit)
    ).all()


def run_of(
    session: Session, outlets: Sequence[str], since: datetime, until: datetime | None
) -> str | None:
    """The first run that crawled one of `outlets` (none: any) from `since` on, and began before
    `until`; backfills are none."""
    query = select(Crawl.run).where(Crawl.started >= since, Crawl.backfill_id.is_(None))
    if outlets:
        query = query.where(Crawl.outlet.in_(outlets))
    if until:
        query = query.where(Crawl.started < until)
    return session.scalar(query.order_by(Crawl.started).limit(1))
