"""Taking in the pages that an archive kept: gate, examine, keep.

Nothing is written before a page's outcome is known, for the file stays where it is: cut short, the
reading begins again and passes over what is stored.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from redis.exceptions import RedisError
from sqlalchemy import select

from crawler.examine import Context, Examination, ExaminationError
from crawler.past.warc import Archived, Tally, Wanted, records
from crawler.shared import Shared
from extract.gate import passes
from storage import findings, links
from storage.database import reading
from storage.links import Outcome
from storage.models import Link, SeenIn, State

logger = logging.getLogger(__name__)

BATCH = 200  # pages
BATCH_BYTES = 32 * 1024**2


@dataclass(frozen=True, slots=True)
class _Taken:
    """What became of a page."""

    archived: Archived
    outcome: Outcome
    examination: Examination | None = None


class Intake:
    """Takes in the pages that are `wanted`. `counts` says by outlet what they came to: "pages",
    those "known" before, and the new ones by their state ("gated", "empty", "rejected", "found",
    "failed"); `found` are the ids of the new findings, `failed` says what went wrong, if anything.
    """

    def __init__(self, shared: Shared, wanted: Wanted) -> None:
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.found: list[int] = []
        self.failed: str | None = None
        self._shared = shared
        self._wanted = wanted

    async def read(
        self, stream: BinaryIO, tally: Tally, progress: Callable[[int], None] | None = None
    ) -> None:
        """Take in a WARC file. `progress` is told how far, in bytes.

        One batch is read while the one before it is examined. Raises what `records` raises, after
        what could be read is stored."""
        batches = self._batches(stream, tally)
        loop = asyncio.get_running_loop()
        before: asyncio.Task[None] | None = None
        with ThreadPoolExecutor(1) as thread:  # always the same one: the gate is compiled for each
            try:
                while batch := await loop.run_in_executor(thread, next, batches, None):
                    if before:
                        await before
                    before = asyncio.create_task(self._take(batch))
                    if progress:
                        progress(stream.tell())
            finally:
                if before:
                    await before

    def _batches(self, stream: BinaryIO, tally: Tally) -> Iterator[Sequence[tuple[Archived, bool]]]:
        """The pages, each with whether it passes the gate: the others need not be held."""
        batch: list[tuple[Archived, bool]] = []
        size = 0
        for archived in records(stream, self._wanted, tally):
            passed = passes(archived.page.html)
            batch.append((archived, passed))
            size += len(archived.page.html)
            if len(batch) == BATCH or size > BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    async def _take(self, batch: Sequence[tuple[Archived, bool]]) -> None:
        known = await asyncio.to_thread(self._known, [a.link.url for a, _ in batch])
        new: dict[str, tuple[Archived, bool]] = {}
        for archived, passed in batch:
            counts = self.counts[archived.spider.name]
            counts["pages"] += 1
            if archived.link.url in known or archived.link.url in new:
                counts["known"] += 1
            else:
                new[archived.link.url] = archived, passed
        taken = await asyncio.gather(*(self._one(*item) for item in new.values()))
        await asyncio.to_thread(self._store, taken)
        for one in taken:
            self.counts[one.archived.spider.name][one.outcome.state] += 1

    def _known(self, wanted: Sequence[str]) -> set[str]:
        """Those of the URLs `wanted` whose outcome is stored; what could not be fetched from its
        site is worth another look here."""
        open_ = (State.PENDING, State.SKIPPED, State.FAILED)
        query = select(Link.url).where(Link.url.in_(wanted), Link.state.not_in(open_))
        with reading(self._shared.engine) as session:
            return set(session.scalars(query))

    async def _one(self, archived: Archived, passed: bool) -> _Taken:
        url, outlet = archived.link.url, archived.spider.outlet
        if not passed:
            return _Taken(archived, Outcome(url, State.GATED))
        context = Context(outlet.zone, outlet.title, outlet.province, outlet.regency)
        try:
            examination = await self._shared.examiners.examine([archived.page], context)
        except ExaminationError as problem:
            self.failed = self.failed or f"{url}: {problem}"
            return _Taken(archived, Outcome(url, State.FAILED, str(problem)))
        article, verdict = examination.article, examination.verdict
        if article is None or verdict is None:
            return _Taken(archived, Outcome(url, State.EMPTY))
        state = State.FOUND if verdict.kept else State.REJECTED
        return _Taken(archived, Outcome(url, state, published=article.published), examination)

    def _store(self, taken: Sequence[_Taken]) -> None:
        """Store what became of the pages, together; then tell the seen-set."""
        now = datetime.now(UTC)
        by_outlet: defaultdict[str, list[links.Link]] = defaultdict(list)
        for one in taken:
            by_outlet[one.archived.spider.name].append(one.archived.link)
        found: list[int] = []
        settled: list[str] = []
        with self._shared.transaction() as session, session.begin():
            for outlet, listed in sorted(by_outlet.items()):
                links.record(
                    session,
                    outlet,
                    listed,
                    now=now,
                    known_before=None,
                    oldest=None,
                    seen_in=SeenIn.PAST,
                )
            for one in taken:
                if one.outcome.state != State.FOUND:
                    continue
                assert one.examination
                article, verdict = one.examination.article, one.examination.verdict
                assert article
                assert verdict
                id_, new = findings.keep(
                    session,
                    one.outcome.url,
                    article,
                    verdict,
                    one.examination.snapshots,
                    now,
                    quiet=True,
                )
                found += [id_] if new else []
                # what its site says was modified later is fetched again
                settled += links.settle(session, [one.outcome], one.archived.page.fetched)
            rest = [one.outcome for one in taken if one.outcome.state != State.FOUND]
            settled += links.settle(session, rest, now)
        self.found += found
        try:
            self._shared.seen.settle(settled)
        except RedisError as problem:  # it learns it from the database when they are next listed
            logger.warning("the seen-set could not be told: %s", problem)
