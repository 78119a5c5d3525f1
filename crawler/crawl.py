"""One outlet's crawl: its lease, its links and their outcomes, its report.

The order of things is what keeps every finding: a link is recorded as pending before it is
fetched; its outcome is committed; only then is its URL settled in the seen-set.
"""

import asyncio
import logging
import math
import secrets
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from crawler.examine import Examination
from crawler.shared import Shared
from crawler.web.errors import in_words
from crawler.writer import AWAY, Load
from extract.link import Link
from storage import crawls, leases, links
from storage.coverage import CHECK
from storage.crawls import Counts, DoneError
from storage.database import reading
from storage.findings import Arrival
from storage.links import Discovery, Outcome
from storage.models import SeenIn, State
from storage.seen import Claim

logger = logging.getLogger(__name__)

T = TypeVar("T")

URL_LEASE_SECONDS = 900
CLAIM_BATCH = 20
STORE_BATCH = 200
FINDINGS_BATCH = 50  # they wait with their pages
STORE_SECONDS = 1.0
MAX_FAILURES_IN_A_ROW = 10
CHECK_EVERY = timedelta(days=7)
TAKEN = "being fetched for another outlet"
# of a lease, before its end, in which nothing is asked any more: the machines' clocks differ
MARGIN = 1 / 6


class OutletBusyError(Exception):
    """Another process crawls the outlet, or has just done so."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a link, to be stored: its outcome and, where its page was read, the
    examination. One that failed may be a finding all the same: an article of which a page is
    missing is kept as it is, and fetched again another day."""

    outcome: Outcome
    examination: Examination | None = None


class OutletCrawl:
    """The crawl of the outlet `name`, from `begin` to `end`: the daily one, or one of the backfill
    `backfill_id`, which comes after the daily one.

    `counts` is its report so far. `stop` is called when it must not go on (the lease is lost, the
    outlet does not answer any more), with the reason.

    One that is `sliced` is a part of a longer one: it goes on with what its run has of the outlet,
    waits for nobody, and when it `gives_way` or `is_cut` its run is not done with the outlet. What
    it goes on with had `fetched_before` so many pages."""

    def __init__(
        self,
        shared: Shared,
        name: str,
        run: str,
        stop: Callable[[str], None],
        backfill_id: int | None = None,
        *,
        sliced: bool = False,
    ) -> None:
        self.shared = shared
        self.name = name
        self.run = run
        self.counts = Counts()
        self.found: list[int] = []
        self.backfill_id = backfill_id
        self.sliced = sliced
        self.gives_way = False
        self.is_cut = False
        self.fetched_before = 0
        self._stop = stop
        self._me = (leases.LAST if backfill_id else "") + secrets.token_hex(8)
        self._waiting: list[Outcome] = []
        self._findings: list[Kept] = []
        self._doubtful: list[Outcome] = []
        self._answered = False
        self._flushing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._leasing: asyncio.Future[bool] | None = None
        self._ours_until = -math.inf
        self._is_lost = False
        self._id: int | None = None
        self._quiet = False

    # --- beginning and ending ---------------------------------------------------------------------

    async def begin(self) -> None:
        """Take the outlet's lease, waiting for one whose holder may have died to end, and for a
        backfill to give way. A backfill waits until it gets it; what is sliced comes back later.

        Raises OutletBusyError."""
        await self._wait_for_lease()
        # the news of an outlet's first crawl is old, too
        begun = await self.look_up(crawls.first_begun, self.name)
        self._quiet = begun is None or self.backfill_id is not None
        begin = crawls.resume if self.sliced else _begin
        try:
            self._id, self.counts = await self.store(
                begin, self.run, self.name, _now(), self.backfill_id
            )
        except DoneError as problem:
            self.is_cut = True
            raise OutletBusyError(str(problem)) from None
        self.fetched_before = self.counts.fetched
        self._tasks = [
            asyncio.create_task(self._keep_lease()),
            asyncio.create_task(self._flush_now_and_then()),
        ]

    async def is_wanted(self) -> bool:
        """Whether a daily crawl waits for this backfill to give way."""
        return await self.look_up(leases.is_wanted, self._lease_name, _now())

    async def give_way(self) -> None:
        """Let the daily crawl go first, and come back when it is done. No page may be under way."""
        if self.sliced:
            self.gives_way = True  # whoever sees it ends this crawl
            await asyncio.Event().wait()
        keeping = self._tasks.pop(0)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        if self._leasing:
            await asyncio.gather(self._leasing, return_exceptions=True)
        await self.flush()
        self._ours_until = -math.inf
        await self.store(leases.lend, self._lease_name, self._me, _now())
        await self._wait_for_lease()
        self._tasks.insert(0, asyncio.create_task(self._keep_lease()))

    async def _wait_for_lease(self) -> None:
        patience = self.shared.settings.lease_seconds * 1.5
        deadline = time.monotonic() + patience
        waited = False
        while not await self._lease():
            waited = True
            if self.backfill_id is None:
                holder = await self.look_up(leases.holder, self._lease_name, _now())
                yields = bool(
                    holder and holder.startswith(leases.LAST)
                )  # it is soon done, or gives way
                if yields:
                    deadline = time.monotonic() + patience
                if time.monotonic() > deadline or (self.sliced and not yields):
                    self.is_cut = self.sliced
                    raise OutletBusyError(f"{self.name} is being crawled by another process")
                await self.store(leases.want, self._lease_name, _now())
            elif self.sliced:
                self.is_cut = True
                raise OutletBusyError(f"{self.name} is being crawled by another process")
            await asyncio.sleep(min(1.0, self.shared.settings.lease_seconds / 4))
        if waited:  # the other may have asked something just now
            await asyncio.sleep(min(self.shared.settings.delay, patience / 6))

    def may_ask(self) -> bool:
        """Whether the outlet is this crawl's for sure, so that something may be asked of it: this
        process knows it by itself, whatever it cannot reach, and however long it was stopped."""
        is_ours = self._is_ours()
        if self.sliced and not is_ours:
            self.is_cut = True  # even where the lease is had again: a request may be missing
        return is_ours

    def _is_ours(self) -> bool:
        return _uptime() < self._ours_until

    def excuses(self, problem: BaseException) -> bool:
        """Cut a slice for which the database or Redis is away, to be gone on with when they are
        back; whether `problem` is that, and no failure of the crawl."""
        is_away = self.sliced and isinstance(problem, AWAY)
        self.is_cut |= is_away
        return is_away

    async def ask_again(self) -> None:
        """Have the outlet again, unless somebody has taken it, after this process or the database
        was held up for longer than a lease."""
        if not self.sliced:
            with suppress(SQLAlchemyError):  # then it stays as it is
                await self._lease()

    async def end(self) -> None:
        """Store what is still to be stored and give the lease back."""
        async with self._flushing:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._leasing:  # it goes on in its thread, even where the crawl was stopped meanwhile
            await asyncio.gather(self._leasing, return_exceptions=True)
        if self._id is None:
            await self.store(leases.release, self._lease_name, self._me)
            return
        if self._answered and len(self._doubtful) < MAX_FAILURES_IN_A_ROW:
            self._waiting += self._doubtful
        try:
            await self._flush_at_last()
        except SQLAlchemyError as problem:  # what is not stored stays pending
            if not self.excuses(problem):
                self.failed(f"the database: {in_words(problem)}")
        if self.sliced and not self.may_ask():  # it may still be had, if nobody has taken it
            self._is_lost = not await self._lease()
        if not (self.sliced and (self.is_cut or self.gives_way)):
            await self.store(crawls.finish, self._id, self.counts, _now())
        elif not self._is_lost:
            await self.store(crawls.leave, self._id, self.counts)
        await self.store(leases.release, self._lease_name, self._me)

    @property
    def _lease_name(self) -> str:
        return f"crawl {self.name}"

    async def _lease(self) -> bool:
        seconds = self.shared.settings.lease_seconds
        asked = _uptime()
        self._leasing = asyncio.ensure_future(
            self.store(
                leases.acquire,
                self._lease_name,
                self._me,
                seconds,
                _now(),
                last=self.backfill_id is not None,
            )
        )
        held = await asyncio.shield(self._leasing)
        self._ours_until = asked + seconds * (1 - MARGIN) if held else -math.inf
        return held

    async def _keep_lease(self) -> None:
        seconds = self.shared.settings.lease_seconds
        pause = seconds / 3
        while True:
            await asyncio.sleep(pause)
            try:
                held, pause = await self._lease(), seconds / 3
            except SQLAlchemyError as problem:
                if pause == seconds / 3:  # else it has been said
                    logger.warning("the lease of %s waits: %s", self.name, in_words(problem))
                held, pause = self.may_ask(), seconds / 30
            if not held:
                self._is_lost = True
                self._stop("its lease is lost: another process may be crawling it")
                return

    # --- links ------------------------------------------------------------------------------------

    async def record(
        self,
        listed: Sequence[Link],
        *,
        known_before: datetime | None,
        oldest: datetime | None,
        undated: State = State.PENDING,
        seen_in: SeenIn = SeenIn.DAILY,
    ) -> Discovery:
        """Claim and record the links of one page of a source; see `storage.links.record`."""
        ours = await self.claimed(listed)
        discovery = await self.store(
            links.record,
            self.name,
            ours,
            now=_now(),
            known_before=known_before,
            oldest=oldest,
            undated=undated,
            seen_in=SeenIn.PAST if self.backfill_id else seen_in,
            backfill_id=self.backfill_id,
        )
        discovery.dropped[TAKEN] += len(listed) - len(ours)
        new = len(discovery.new)
        self.count(links=len(listed), missed=0 if seen_in & SeenIn.DAILY else new)
        await self.recorded(discovery)
        return discovery

    async def redirected(self, link: Link, target: Link) -> bool:
        """Note that `link` led to `target`; whether that is ours to examine."""
        if not await self.claimed([target]):
            return False
        discovery = await self.store(
            links.redirected,
            self.name,
            link.url,
            target,
            now=_now(),
            backfill_id=self.backfill_id,
        )
        await self._put_right(discovery)
        return bool(discovery.new)

    async def recorded(self, discovery: Discovery) -> None:
        """Put right in the seen-set what the database knows better; count what is new."""
        await self._put_right(discovery)
        self.count(new=len(discovery.new))
        self.drop(discovery.dropped)

    async def _put_right(self, discovery: Discovery) -> None:
        await asyncio.to_thread(self.shared.seen.settle, discovery.settled)
        await asyncio.to_thread(self.shared.seen.release, discovery.skipped, self.name)

    async def is_check_due(self) -> bool:
        """Whether the outlet's spare sources are to be asked again what the daily ones missed: once
        a week, the first time on a day of the outlet's own."""
        checked = await self.look_up(crawls.completed, self.name, CHECK)
        if checked:
            return _now() - checked >= CHECK_EVERY
        begun = await self.look_up(crawls.first_begun, self.name)
        first = timedelta(days=1 + zlib.crc32(self.name.encode()) % CHECK_EVERY.days)
        return begun is not None and _now() - begun >= first

    async def checked(self, *, measured: bool) -> None:
        """Note that the spare sources have been asked; and whether one of them that lists all
        articles could be read, so that it shows how many the daily ones see."""
        error = None if measured else "no source that lists all articles could be read"
        await self.store(
            crawls.note_reading, self.name, CHECK, completed=_now(), error=error, validators={}
        )

    async def pending(self, limit: int) -> list[Link]:
        """What is to be fetched, the newest first."""
        return await self.look_up(links.pending, self.name, limit, self.backfill_id)

    async def claimed(self, batch: Sequence[Link]) -> list[Link]:
        """Those of `batch` that nobody else is working on, leased anew."""
        claims = await self._claim([link.url for link in batch])
        return [link for link, claim in zip(batch, claims, strict=True) if claim != Claim.TAKEN]

    async def _claim(self, urls: Sequence[str]) -> list[Claim]:
        # The outlet's lease makes this crawl the only one of the outlet: leases in the outlet's
        # name are this crawl's, or those of a crawl that died.
        return await asyncio.to_thread(self.shared.seen.claim, urls, self.name, URL_LEASE_SECONDS)

    # --- outcomes ---------------------------------------------------------------------------------

    async def keep(self, kept: Kept) -> None:
        """Store what became of a link, with others, within a second.

        A failure that may be the outlet's and not the page's counts against the page only when
        another page answers: an outlet that is down, or a day without internet, loses nothing."""
        outcome, examination = kept.outcome, kept.examination
        if outcome.state == State.FAILED:
            self.failed(outcome.error or "")
        if examination and examination.snapshots:
            self._findings.append(kept)
        elif outcome.state == State.FAILED and not outcome.final:
            self._doubtful.append(outcome)
            if len(self._doubtful) == MAX_FAILURES_IN_A_ROW:
                self._stop(f"gave up: {MAX_FAILURES_IN_A_ROW} pages in a row failed")
            return
        else:
            self._waiting.append(outcome)
        self._answered = True
        self._waiting += self._doubtful
        self._doubtful = []
        if len(self._waiting) >= STORE_BATCH or len(self._findings) >= FINDINGS_BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Store the findings and other outcomes that wait for it."""
        async with self._flushing:
            await self._flush_findings()
            outcomes = list(self._waiting)
            if not outcomes:
                return
            stored = await self.shared.writer.store(Load((), outcomes))
            self._waiting = self._waiting[len(outcomes) :]
            await self._settle(stored.settled)

    async def _flush_at_last(self) -> None:
        """Store what waits, and wait for the database as long as the outlet is this crawl's."""
        while True:
            try:
                return await self.flush()
            except SQLAlchemyError as problem:
                if not (self._is_ours() and isinstance(problem, AWAY)):
                    raise
                await asyncio.sleep(STORE_SECONDS)

    async def _flush_findings(self) -> None:
        """Store the findings together; where that fails, one by one, so that one which cannot be
        stored costs no other. Its link stays pending."""
        waiting = list(self._findings)
        if not waiting:
            return
        try:
            await self._store_findings(waiting)
        except AWAY:
            raise
        except Exception:
            logger.exception("findings of %s could not be stored together", self.name)
        else:
            return
        for kept in waiting:
            try:
                await self._store_findings([kept])
            except AWAY:
                self._findings = [*self._findings[1:], kept]
                raise
            except Exception as problem:
                self._findings = self._findings[1:]
                logger.exception("%s could not be stored", kept.outcome.url)
                self.failed(f"an error of ours, see pantau.log: {in_words(problem)}")

    async def _store_findings(self, first: Sequence[Kept]) -> None:
        """Store these, the first that wait, in one transaction."""
        arrivals, outcomes = [], []
        for kept in first:
            assert kept.examination
            article, verdict = kept.examination.article, kept.examination.verdict
            snapshots, wording = kept.examination.snapshots, kept.examination.wording
            assert article
            assert verdict
            url = kept.outcome.url
            arrivals.append(Arrival(url, article, verdict, snapshots, self._quiet, wording))
            outcomes.append(replace(kept.outcome, fetched=snapshots[0].fetched))

        stored = await self.shared.writer.store(Load(arrivals, outcomes))
        self._findings = self._findings[len(first) :]
        found = [finding_id for finding_id, new in stored.findings if new]
        self.found += found
        self.count(findings=len(found))
        await self._settle(stored.settled)

    async def _settle(self, urls: Sequence[str]) -> None:
        """Tell the seen-set what is stored. Where it cannot be told, it learns it from the database
        when the links are next listed."""
        try:
            await asyncio.to_thread(self.shared.seen.settle, urls)
        except RedisError as problem:
            if not self.sliced:  # the worker says it
                self.failed(f"Redis: {in_words(problem)}")

    async def _flush_now_and_then(self) -> None:
        waits = False
        while True:
            # all crawls at the same time, so that what they have is stored together
            await asyncio.sleep(STORE_SECONDS - time.monotonic() % STORE_SECONDS)
            try:
                await self.flush()
                waits = False
            except SQLAlchemyError as problem:
                if not waits:
                    logger.warning(
                        "outcomes of %s wait to be stored: %s", self.name, in_words(problem)
                    )
                waits = True

    # --- the report -------------------------------------------------------------------------------

    def count(self, **more: int) -> None:
        """Add to the report's counts."""
        self.counts = replace(
            self.counts, **{name: getattr(self.counts, name) + n for name, n in more.items()}
        )

    def drop(self, left_out: Mapping[str, int]) -> None:
        """Count what was listed and left out, by why."""
        total = Counter(self.counts.dropped) + Counter(left_out)
        self.counts = replace(self.counts, dropped=dict(total))

    def failed(self, reason: str) -> None:
        """Count an error; the first one's reason is the report's note. What befalls a slice whose
        lease is over is none: it is gone on with."""
        if self.sliced and not self.may_ask():
            return
        self.count(errors=1)
        self.remark(reason)

    def remark(self, sentence: str) -> None:
        """Make `sentence` the report's note, unless it has one."""
        if self.counts.note is None:
            self.counts = replace(self.counts, note=sentence)

    async def store(self, function: Callable[..., T], *args: object, **kwargs: object) -> T:
        """Run `function(session, …)` in a transaction, off the event loop."""

        def run() -> T:
            with self.shared.transaction() as session, session.begin():
                return function(session, *args, **kwargs)

        return await asyncio.to_thread(run)

    async def look_up(self, function: Callable[..., T], *args: object) -> T:
        """Run `function(session, …)`, which only reads, off the event loop; no writer waits."""

        def run() -> T:
            with reading(self.shared.engine) as session:
                return function(session, *args)

        return await asyncio.to_thread(run)


def _begin(*which: Any) -> tuple[int, Counts]:
    return crawls.begin(*which), Counts()


def _now() -> datetime:
    return datetime.now(UTC)


def _uptime() -> float:
    """Seconds by a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
