"""Links: what the sources listed, and what became of each.

A link is recorded as pending before it is fetched, so that a crawl cut short loses none: the next
one takes up what is pending.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Engine, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from storage.database import reading
from storage.models import Finding, State
from storage.models import Link as Row

MAX_ATTEMPTS = 3
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Link:
    """An address found in a source, with the dates the source gave (aware), if any.

    `url` is the canonical form, `address` what to fetch.
    """

    url: str
    address: str
    published: datetime | None = None
    modified: datetime | None = None


@dataclass(slots=True)
class Discovery:
    """What recording a list of links came to.

    `new` were not known and are pending now, `changed` are findings that their source says were
    modified since, pending again; `unread` counts the links that the source's last complete
    reading cannot have seen; `settled` are those whose outcome is stored already, `skipped` those
    too old for this crawl.
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unread: int = 0


def upsert(session: Session, table: type) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can take ON CONFLICT, in the dialect of the session's database."""
    dialect = session.get_bind().dialect.name
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def record(
    session: Session,
    outlet: str,
    links: Sequence[Link],
    *,
    now: datetime,
    known_before: datetime | None,
    oldest: datetime | None,
) -> Discovery:
    """Note `links` of `outlet` as pending unless they are known; see `Discovery`.

    Links discovered at or after `known_before` (None: all) count as unread. New ones published
    before `oldest` are recorded as skipped.
    """
    discovery = Discovery()
    once = list({link.url: link for link in reversed(links)}.values())[::-1]  # the first twin wins
    for start in range(0, len(once), CHUNK):
        chunk = {link.url: link for link in once[start : start + CHUNK]}
        rows = {
            row.url: row
            for row in session.scalars(select(Row).where(Row.url.in_(chunk)).with_for_update())
        }
        fresh = []
        for url, link in chunk.items():
            row = rows.get(url)
            if row is None:
                too_old = bool(oldest and link.published and link.published < oldest)
                fresh.append((link, State.SKIPPED if too_old else State.PENDING))
                continue
            if known_before is None or row.discovered >= known_before:
                discovery.unread += 1
            if row.state == State.SKIPPED:
                discovery.skipped.append(url)
            elif row.state != State.PENDING:
                if _changed(row, link):
                    row.state, row.modified, row.attempts = State.PENDING, link.modified, 0
                    discovery.changed.append(url)
                    discovery.unread += 1
                else:
                    discovery.settled.append(url)
        if fresh:
            _insert(session, outlet, fresh, now, discovery)
    return discovery


def _changed(row: Row, link: Link) -> bool:
    """Whether a source says that a finding was modified after it was last fetched."""
    if row.state != State.FOUND or not link.modified or not row.settled:
        return False
    return link.modified > max(row.settled, row.modified or row.settled)


def _insert(
    session: Session,
    outlet: str,
    fresh: Sequence[tuple[Link, State]],
    now: datetime,
    discovery: Discovery,
) -> None:
    insert = (
        upsert(session, Row)
        .values(
            [
                {
                    "url": link.url,
                    "address": link.address,
                    "outlet": outlet,
                    "state": state,
                    "discovered": now,
                    "published": link.published,
                    "modified": link.modified,
                    "attempts": 0,
                }
                for link, state in fresh
            ]
        )
        .on_conflict_do_nothing()
        .returning(Row.url, Row.state)
    )
    for url, state in session.execute(insert):
        (discovery.new if state == State.PENDING else discovery.skipped).append(url)
        # skipped ones are no reason to read further back: they are too old
        discovery.unread += state == State.PENDING


def pending(session: Session, outlet: str, limit: int) -> list[Link]:
    """What is to be fetched of `outlet`, the newest first."""
    rows = session.scalars(
        select(Row)
        .where(Row.outlet == outlet, Row.state == State.PENDING)
        .order_by(Row.published.desc().nulls_last(), Row.id)
        .limit(limit)
    )
    return [Link(row.url, row.address, row.published, row.modified) for row in rows]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fetched link. `error` says why where `state` is FAILED; `final`: trying
    it again is no use."""

    url: str
    state: State
    error: str | None = None
    final: bool = True


def settle(session: Session, outcomes: Sequence[Outcome], now: datetime) -> list[str]:
    """Store `outcomes`; gives the URLs that are settled by it.

    One that failed is tried again in the next crawls, until it has failed `MAX_ATTEMPTS` times or
    finally. A link that once gave a finding stays found, whatever its address gives later."""
    failed = [outcome for outcome in outcomes if outcome.state == State.FAILED]
    settled = []
    for state, group in groupby(
        sorted((o for o in outcomes if o.state != State.FAILED), key=attrgetter("state")),
        key=attrgetter("state"),
    ):
        urls = [outcome.url for outcome in group]
        for start in range(0, len(urls), CHUNK):
            _set(session, urls[start : start + CHUNK], state, now)
        settled += urls
    for outcome in failed:
        row = session.scalar(select(Row).where(Row.url == outcome.url))
        if row is None:
            continue
        row.attempts += 1
        row.error = outcome.error
        if outcome.final or row.attempts >= MAX_ATTEMPTS:
            session.flush()
            _set(session, [row.url], State.FAILED, now)
            settled.append(row.url)
    return settled


def _set(session: Session, urls: Sequence[str], state: State, now: datetime) -> None:
    found = select(Finding.id).where(Finding.link_id == Row.id).exists()
    session.execute(
        update(Row)
        .where(Row.url.in_(urls))
        .values(state=case((found, State.FOUND), else_=state), settled=now)
        .execution_options(synchronize_session=False)
    )


def settled_urls(engine: Engine) -> Iterator[Sequence[str]]:
    """Every settled URL, in batches: what the seen-set is rebuilt from."""
    with reading(engine) as session:
        unsettled = (State.PENDING, State.SKIPPED)
        result = session.scalars(
            select(Row.url).where(Row.state.not_in(unsettled)),
            execution_options={"yield_per": 10_000},
        )
        yield from result.partitions()


def count(session: Session) -> dict[State, int]:
    """How many links there are in each state."""
    query = select(Row.state, func.count()).group_by(Row.state)
    return {State(state): number for state, number in session.execute(query)}
