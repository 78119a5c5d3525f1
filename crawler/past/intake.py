"""Taking in the pages that an archive kept: gate, examine, keep.

What became of the pages is stored with the place in the file up to which they were read, in one:
cut short, the reading goes on there.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO

from redis.exceptions import RedisError
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from crawler.examine import Context, Examination, ExaminationError
from crawler.past.warc import Archived, Tally, Wanted, records
from crawler.shared import Shared
from extract.gate import passes
from extract.link import Link as Listed
from storage import backfills, findings, links
from storage.database import reading
from storage.findings import Arrival
from storage.links import Outcome
from storage.models import ArchiveFile, Link, SeenIn, State

logger = logging.getLogger(__name__)

LEAST, MOST = 10, 30  # records of a batch; those of two are under way at a time
MOST_BYTES = 32 * 1024**2


@dataclass(frozen=True, slots=True)
class _Batch:
    """Pages in a row, each with whether it passes the gate; what was read up to there; and whether
    that is the end of the file."""

    pages: Sequence[tuple[Archived, bool]]
    tally: Tally
    ends: bool = False


@dataclass(frozen=True, slots=True)
class _Taken:
    """What became of a page."""

    archived: Archived
    outcome: Outcome
    examination: Examination | None = None


class Intake:
    """Takes in the pages that are `wanted`, for the backfill `backfill_id`. `counts` says by outlet
    what they came to: "pages", those "known" before, and the new ones by their state ("gated",
    "empty", "rejected", "found", "skipped", "failed"); `found` are the ids of the new findings,
    `failed` says of each outlet what went wrong, if anything."""

    def __init__(self, shared: Shared, wanted: Wanted, backfill_id: int) -> None:
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.found: list[int] = []
        self.failed: dict[str, str] = {}
        self._shared = shared
        self._wanted = wanted
        self._backfill_id = backfill_id

    async def read(
        self,
        stream: BinaryIO,
        file: ArchiveFile,
        progress: Callable[[Tally], None],
        is_over: Callable[[], bool],
    ) -> bool:
        """Take in a WARC file from where it was left; whether it was read to its end, and not left
        where it `is_over`. `progress` is told what has been read and stored.

        One batch is read while the one before it is examined. Raises what `records` raises, after
        what could be read is stored."""
        loop = asyncio.get_running_loop()
        before: asyncio.Task[None] | None = None
        batch: _Batch | None = None

        async def take(batch: _Batch) -> None:
            await self._take(file, batch)
            progress(batch.tally)

        def is_idle() -> bool:
            return before is None or before.done()

        batches = self._batches(stream, file, is_idle, is_over)
        with ThreadPoolExecutor(1) as thread:  # always the same one: the gate is compiled for each
            try:
                while following := await loop.run_in_executor(thread, next, batches, None):
                    batch = following
                    if before:
                        await before
                    before = asyncio.create_task(take(batch))
            finally:
                if before:
                    await before
        return batch is not None and batch.ends

    def _batches(
        self,
        stream: BinaryIO,
        file: ArchiveFile,
        is_idle: Callable[[], bool],
        is_over: Callable[[], bool],
    ) -> Iterator[_Batch]:
        """The pages of a file, gated: in small batches, so that little is read again after a kill,
        in larger ones where who takes them is not idle."""
        tally = Tally(file.position, file.records, file.broken, file.outside, file.other)
        pages: list[tuple[Archived, bool]] = []
        read = size = 0
        for archived in records(stream, self._wanted, tally):
            if archived:
                passed = passes(archived.page.html)
                if passed or not archived.is_outside(None):
                    pages.append((archived, passed))
                    size += len(archived.page.html)
                else:
                    tally.outside += 1
                continue
            over = is_over()
            if over or read == MOST or size > MOST_BYTES or (read >= LEAST and is_idle()):
                yield _Batch(pages, replace(tally))
                pages, read, size = [], 0, 0
            if over:
                return
            read += 1
        yield _Batch(pages, tally, ends=True)

    async def _take(self, file: ArchiveFile, batch: _Batch) -> None:
        known = await asyncio.to_thread(self._known, [a.link.url for a, _ in batch.pages])
        new: dict[str, tuple[Archived, bool]] = {}
        for archived, passed in batch.pages:
            counts = self.counts[archived.spider.name]
            counts["pages"] += 1
            if archived.link.url in known or archived.link.url in new:
                counts["known"] += 1
            else:
                new[archived.link.url] = archived, passed
        taken = await asyncio.gather(*(self._one(*item) for item in new.values()))
        await asyncio.to_thread(self._store, file, batch, taken)
        for one in taken:
            self.counts[one.archived.spider.name][one.outcome.state] += 1

    def _known(self, wanted: Sequence[str]) -> set[str]:
        """Those of the URLs `wanted` whose outcome is stored; what could not be fetched from its
        site is worth another look here, but no finding: what is to be fetched of it is newer."""
        open_ = (State.PENDING, State.SKIPPED, State.FAILED)
        is_known = or_(Link.state.not_in(open_), links.IS_FINDING)
        query = select(Link.url).where(Link.url.in_(wanted), is_known)
        with reading(self._shared.engine) as session:
            return set(session.scalars(query))

    async def _one(self, archived: Archived, passed: bool) -> _Taken:
        url, spider = archived.link.url, archived.spider
        listed = archived.link.published
        if not passed:
            return _Taken(archived, Outcome(url, State.GATED, published=listed))
        outlet = spider.outlet
        context = Context(outlet.zone, outlet.title, outlet.province, outlet.regency)
        try:
            examination = await self._shared.examiners.examine([archived.page], context)
        except ExaminationError as problem:
            self.failed.setdefault(spider.name, f"{url}: {problem}")
            return _Taken(archived, Outcome(url, State.FAILED, str(problem), published=listed))
        article, verdict = examination.article, examination.verdict
        published = (article and article.published) or listed
        if archived.is_outside(published):
            return _Taken(archived, Outcome(url, State.SKIPPED, published=published))
        if article is None or verdict is None:
            return _Taken(archived, Outcome(url, State.EMPTY, published=published))
        if not verdict.kept:
            return _Taken(archived, Outcome(url, State.REJECTED, published=published))
        # what its site says was modified later is fetched again
        fetched = archived.page.fetched
        found = Outcome(url, State.FOUND, published=published, fetched=fetched)
        return _Taken(archived, found, examination)

    def _store(self, file: ArchiveFile, batch: _Batch, taken: Sequence[_Taken]) -> None:
        """Store what became of the pages and how far the file was read, together; then tell the
        seen-set."""
        now = datetime.now(UTC)
        by_outlet: defaultdict[str, list[Listed]] = defaultdict(list)
        with self._shared.transaction() as session, session.begin():
            taken = _without_waiting(session, taken)
            for one in taken:
                listed = replace(one.archived.link, published=one.outcome.published)
                by_outlet[one.archived.spider.name].append(listed)
            for outlet, listed_of_it in sorted(by_outlet.items()):
                links.record(
                    session,
                    outlet,
                    listed_of_it,
                    now=now,
                    known_before=None,
                    oldest=None,
                    seen_in=SeenIn.PAST,
                    backfill_id=self._backfill_id,
                )
            kept = findings.keep_all(session, _arrivals(taken), now)
            settled = links.settle(session, [one.outcome for one in taken], now)
            finished = now if batch.ends else None
            backfills.note_read(session, file, finished=finished, error=None, **asdict(batch.tally))
        self.found += [id_ for id_, new in kept if new]
        try:
            self._shared.seen.settle(settled)
        except RedisError as problem:  # it learns it from the database when they are next listed
            logger.warning("the seen-set could not be told: %s", problem)


def _arrivals(taken: Sequence[_Taken]) -> Iterator[Arrival]:
    for one in taken:
        if examination := one.examination:
            article, verdict = examination.article, examination.verdict
            assert article
            assert verdict
            snapshots, wording = examination.snapshots, examination.wording
            yield Arrival(one.outcome.url, article, verdict, snapshots, True, wording)


def _without_waiting(session: Session, taken: Sequence[_Taken]) -> list[_Taken]:
    """`taken` without what the daily crawl or another backfill is still to fetch, where the archive
    only says that it is no use: the site may know better, and their windows are others."""
    no_use = (State.SKIPPED, State.FAILED, State.EMPTY)
    doubtful = [one.outcome.url for one in taken if one.outcome.state in no_use]
    query = select(Link.url).where(Link.url.in_(doubtful), Link.state == State.PENDING)
    waiting = {*session.scalars(query)}
    return [one for one in taken if one.outcome.url not in waiting]
