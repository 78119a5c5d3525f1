"""Links: what the sources listed, and what became of each.

A link is recorded as pending before it is fetched, so that a crawl cut short loses none: the next
one takes up what is pending.
"""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from extract.link import Link
from storage.database import reading
from storage.models import Finding, SeenIn, State, storable
from storage.models import Link as Row
from storage.writing import upsert

T = TypeVar("T")

MAX_ATTEMPTS = 3
CHUNK = 500
MAX_URL = 2500  # bytes; PostgreSQL's indexes refuse more than 2,704
IS_FINDING = select(Finding.id).where(Finding.link_id == Row.id).exists()
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # no article on the web is older
RECENT = timedelta(days=3)  # before the last reading: dates may be wrong, and posts dated back


@dataclass(slots=True)
class Discovery:
    """What recording a list of links came to.

    `new` were not known and are pending now, `changed` are findings that their source says were
    modified since, pending again; `unread` counts the links that the source's last complete
    reading cannot have seen; `settled` are those whose outcome is stored already, `skipped` those
    too old for this crawl, `dropped` says how many were left out, by why.
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unread: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


def record(
    session: Session,
    outlet: str,
    links: Sequence[Link],
    *,
    now: datetime,
    known_before: datetime | None,
    oldest: datetime | None,
    undated: State = State.PENDING,
    seen_in: SeenIn = SeenIn.DAILY,
    backfill_id: int | None = None,
) -> Discovery:
    """Note `links` of `outlet`, which `seen_in` lists, as pending unless they are known; see
    `Discovery`.

    Links discovered at or after `known_before` (None: all) count as unread. New ones published
    before `oldest` are recorded as skipped; those without a date as `undated`. Dates before the web
    or after tomorrow are taken for none; a URL of more than `MAX_URL` bytes is left out. What a
    backfill has yet to fetch the daily crawl takes over, or another backfill; and a backfill
    (`backfill_id`) what was skipped, as the daily crawl does where it is news. What is still on its
    own site is not fetched from an archive.
    """
    discovery = Discovery()
    if session.get_bind().dialect.name == "postgresql":
        # two that insert the same links in another order would deadlock; SQLite's take turns
        session.execute(select(func.pg_advisory_xact_lock(zlib.crc32(outlet.encode()))))
    once: dict[str, Link] = {}
    for link in (_storable(link, now) for link in links):
        if len(link.url.encode()) <= MAX_URL:
            once.setdefault(link.url, link)  # the first twin wins
        else:
            discovery.dropped["too long"] += 1
    with session.no_autoflush:  # all changes at the end, in the order of their ids
        for chunk in _chunks(list(once)):
            rows = {row.url: row for row in session.scalars(select(Row).where(Row.url.in_(chunk)))}
            fresh = []
            for url in chunk:
                link, row = once[url], rows.get(url)
                if row is None:
                    fresh.append((link, _first_state(link, oldest, undated)))
                    continue
                if _is_kept_elsewhere(row.url, row.address) and not _is_kept_elsewhere(
                    link.url, link.address
                ):
                    row.address = link.address
                is_skipped = row.state == State.SKIPPED
                is_news = is_skipped and _is_news(row, link, seen_in, known_before, oldest)
                if seen_in & ~row.seen_in:
                    row.seen_in |= seen_in
                is_anothers = row.backfill_id not in (None, backfill_id)
                takes_over = backfill_id or seen_in & SeenIn.DAILY
                if row.state == State.PENDING and is_anothers and takes_over:
                    row.backfill_id = backfill_id
                    discovery.new.append(url)
                if is_skipped:
                    if not (backfill_id or is_news):
                        discovery.skipped.append(url)
                        continue
                    row.state, row.settled, row.backfill_id = State.PENDING, None, backfill_id
                    discovery.new.append(url)
                changed = _changed(row, link)
                if changed or known_before is None or row.discovered >= known_before:
                    discovery.unread += 1
                if changed:
                    row.state, row.modified, row.attempts = State.PENDING, link.modified, 0
                    row.backfill_id = backfill_id
                    discovery.changed.append(url)
                elif row.state != State.PENDING:
                    discovery.settled.append(url)
                elif row.published is None and link.published:  # the first source did not know
                    row.published = link.published
            if fresh:
                more = {"discovered": now, "seen_in": seen_in, "backfill_id": backfill_id}
                _insert(session, outlet, fresh, more, discovery)
    return discovery


def _is_kept_elsewhere(url: str, address: str) -> bool:
    """Whether an address is a web archive's, and not on the site of its URL."""
    return not urlsplit(address).netloc.endswith(urlsplit(url).netloc)


def _first_state(link: Link, oldest: datetime | None, undated: State) -> State:
    if link.published is None and link.modified is None:
        return undated
    return State.SKIPPED if oldest and link.published and link.published < oldest else State.PENDING


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def _storable(link: Link, now: datetime) -> Link:
    def date(moment: datetime | None) -> datetime | None:
        return moment if moment and EARLIEST <= moment <= now + timedelta(days=1) else None

    return Link(storable(link.url), link.address, date(link.published), date(link.modified))


def _changed(row: Row, link: Link) -> bool:
    """Whether a source says that a finding was modified after it was last fetched."""
    if row.state != State.FOUND or not link.modified or not row.settled:
        return False
    return link.modified > max(row.settled, row.modified or row.settled)


def redirected(
    session: Session,
    outlet: str,
    url: str,
    target: Link,
    *,
    now: datetime,
    backfill_id: int | None = None,
) -> Discovery:
    """Note where the link `url`, which is being fetched, led to: `target` counts as listed by what
    listed `url`, and when, and is news if that is."""
    origin = session.scalar(select(Row).where(Row.url == storable(url)))
    return record(
        session,
        outlet,
        [target],
        now=origin.discovered if origin else now,
        known_before=None,
        oldest=EARLIEST,
        seen_in=SeenIn(origin.seen_in if origin else 0),
        backfill_id=backfill_id,
    )


def _is_news(
    row: Row,
    link: Link,
    seen_in: SeenIn,
    known_before: datetime | None,
    oldest: datetime | None,
) -> bool:
    """Whether what was skipped is news to a daily crawl: what a backfill found to lie behind its
    window, or a spare source listed before the daily ones did. Without a date it is where a daily
    source lists it; but one that stands in may have listed it long ago."""
    published = row.published if row.settled else link.published or row.published
    if published:
        since = oldest or (known_before and known_before - RECENT)
        was_too_old = row.published and not row.settled and row.seen_in & SeenIn.DAILY
        return bool(since and published >= since and not was_too_old)
    is_unread = known_before is None or row.discovered >= known_before
    return seen_in == SeenIn.DAILY or bool(seen_in & SeenIn.DAILY and is_unread)


def dates(session: Session, urls: Sequence[str]) -> dict[str, datetime]:
    """When those of `urls` that are known were published, as far as that is known."""
    found: dict[str, datetime] = {}
    for chunk in _chunks([storable(url) for url in urls]):
        rows = session.execute(
            select(Row.url, Row.published).where(Row.url.in_(chunk), Row.published.is_not(None))
        )
        found.update((url, published) for url, published in rows if published)
    return found


def _insert(
    session: Session,
    outlet: str,
    fresh: Sequence[tuple[Link, State]],
    more: Mapping[str, object],
    discovery: Discovery,
) -> None:
    insert = upsert(session, Row).on_conflict_do_nothing().returning(Row.url, Row.state)
    rows = [
        {
            "url": link.url,
            "address": link.address,
            "outlet": outlet,
            "state": state,
            "published": link.published,
            "modified": link.modified,
            "attempts": 0,
            **more,
        }
        for link, state in fresh
    ]
    for url, state in session.execute(insert, rows):
        (discovery.new if state == State.PENDING else discovery.skipped).append(url)
    # skipped ones are no reason to read further back: they are too old
    discovery.unread += sum(state == State.PENDING for _, state in fresh)


def pending(
    session: Session, outlet: str, limit: int, backfill_id: int | None = None
) -> list[Link]:
    """What is to be fetched of `outlet` by the daily crawl, or by a backfill, the newest first."""
    rows = session.execute(
        select(Row, IS_FINDING)
        .where(
            Row.outlet == outlet,
            Row.state == State.PENDING,
            Row.backfill_id.is_not_distinct_from(backfill_id),
        )
        .order_by(Row.published.desc().nulls_last(), Row.id)
        .limit(limit)
    )
    return [Link(row.url, row.address, row.published, row.modified, found) for row, found in rows]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fetched link. `error` says why where `state` is FAILED; `final`: trying
    it again is no use. `published` is what its page says, for links whose source gave no date; a
    link that a backfill skips takes it in any case. `fetched` is when its page was, where that
    counts: what is modified after it is fetched again."""

    url: str
    state: State
    error: str | None = None
    final: bool = True
    published: datetime | None = None
    fetched: datetime | None = None


def settle(session: Session, outcomes: Sequence[Outcome], now: datetime) -> list[str]:
    """Store `outcomes`; gives the URLs that are settled by it.

    One that failed is tried again in the next crawls, until it has failed `MAX_ATTEMPTS` times or
    finally. A link that once gave a finding stays found, whatever its address gives later. URLs
    that were never recorded are left out, and so are those a backfill skips."""
    by_url = {storable(outcome.url): outcome for outcome in outcomes}
    ids: list[int] = []
    for chunk in _chunks(list(by_url)):
        ids += session.scalars(select(Row.id).where(Row.url.in_(chunk)))
    settled = []
    # locked in one order: whoever settles some of the same waits, and does not deadlock
    for some in _chunks(sorted(ids)):
        rows = session.execute(
            select(Row, IS_FINDING)
            .where(Row.id.in_(some))
            .order_by(Row.id)
            .with_for_update(of=Row)
            .execution_options(populate_existing=True)
        )
        for row, found in rows:
            outcome = by_url[row.url]
            row.error = outcome.error
            if outcome.published and (row.published is None or outcome.state == State.SKIPPED):
                row.published = outcome.published
            if outcome.state == State.FAILED:
                row.attempts += 1
                if not outcome.final and row.attempts < MAX_ATTEMPTS:
                    continue
            row.state = State.FOUND if found else outcome.state
            row.settled = outcome.fetched or now
            if row.state != State.SKIPPED:
                settled.append(row.url)
    return settled


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
