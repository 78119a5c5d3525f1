"""One outlet's part of a backfill: its listings of a window of the past, and what they list.

It goes on where it was cut short, and comes after the daily crawl.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import scrapy
from scrapy.http import Response, TextResponse
from twisted.python.failure import Failure

from crawler import urls
from crawler.crawl import TAKEN, Kept, OutletBusyError
from crawler.examine import ExaminationError
from crawler.reading import Reading
from crawler.sources import (
    Archive,
    CommonCrawl,
    DateArchive,
    Feed,
    Index,
    Search,
    Sitemap,
    Source,
    SourceError,
    Wayback,
    WordPress,
)
from crawler.sources.pages import has_pages
from crawler.sources.window import Span, span_of_article, window_of
from crawler.web.answer import GONE, page_of
from crawler.web.errors import UnreachableError, WaitError, in_words
from extract.link import Link
from storage import backfills, links
from storage.links import Outcome
from storage.models import SeenIn, Slice, State

if TYPE_CHECKING:
    from crawler.spider import OutletSpider

logger = logging.getLogger(__name__)

DAY = timedelta(days=1)
MAX_LISTING_PAGES = 5000  # of one slice
BATCH = 50  # links asked of the database at a time
LOOK_SECONDS = 1.0  # how often to look whether the daily crawl wants the outlet
REPEATS = 3  # pages in a row that bring nothing new, as one may where new articles push others on

# what reaches back, the cheapest first; those that can be asked for a month are asked by months
_COSTS: tuple[type[Source], ...] = (WordPress, Sitemap, DateArchive, Feed, Archive, Index, Search)


@dataclass(frozen=True, slots=True)
class Trip:
    """How far an outlet's part has come in this run: requests for `listing` and `pages`; whether
    the budget of pages is `spent`; `left` is how many seconds it may still take, None where that
    cannot be told yet."""

    listing: int
    pages: int
    spent: bool
    left: float | None


def parts(spider: "type[OutletSpider]", *, archives: bool = False) -> list[Source]:
    """What a backfill reads of an outlet, the cheapest first: those of its sources that reach back,
    a search as one for each of its terms, an index as one for each of its paths; and, with
    `archives`, the web archives."""
    found: dict[str, Source] = {}
    kept = (Wayback(), CommonCrawl()) if archives else ()
    for source in (*spider.sources, *spider.spare, *spider.past, *kept):
        for part in _parts(source):
            found.setdefault(part.name, part)
    return sorted(found.values(), key=_cost)


def _parts(source: Source) -> Iterable[Source]:
    match source:
        case Feed(pages=None, window=None):
            return ()
        case Archive(path=path) if not has_pages(path):
            return ()
        case Search():
            return (replace(source, terms=(term,)) for term in source.terms)
        case Index():
            return (replace(source, paths=(path,)) for path in source.paths if has_pages(path))
        case _:
            return (source,)


def is_monthly(source: Source) -> bool:
    """Whether a source can be asked for a month; another is read once for the whole window."""
    return isinstance(source, WordPress | DateArchive) or (
        isinstance(source, Feed) and source.window is not None
    )


def margins(source: Source) -> tuple[timedelta, timedelta]:
    """How far before and after a backfill's window a source is asked that goes by the months of its
    site's clock, which need not be the outlet's. A site's is rarely ahead: a month's feed can be
    leapt through for that, a month's archive would have to be read whole."""
    match source:
        case Feed(window=str(window)) if "{month}" in window:
            return DAY, DAY
        case DateArchive(path=path) if "{day}" not in path:
            return DAY, timedelta(0)
        case _:
            return timedelta(0), timedelta(0)


def _is_archive(source: Source | None) -> bool:
    return isinstance(source, Wayback | CommonCrawl)


def _cost(source: Source) -> int:
    return next((n for n, kind in enumerate(_COSTS) if isinstance(source, kind)), len(_COSTS))


class PausedError(Exception):
    """A listing is left for now, behind a page that is noted."""


class PastReading(Reading):
    """One reading of a slice: the `Reader` that its source is given."""

    def __init__(self, journey: "OutletBackfill", part: Slice, *, pauses: bool) -> None:
        super().__init__(journey.spider, part.source, None, SeenIn.PAST)
        self.since, self.until = part.start, part.until
        self.refusal: str | None = None
        """Why the last request was answered with nothing."""
        self.first_page = part.cursor + 1
        self.max_pages = self.max_undated_pages = MAX_LISTING_PAGES - part.cursor
        self.page_before: list[str] = []
        """The addresses on the page behind which the reading paused that are on no page before."""
        self._journey = journey
        self._part = part
        self._pauses = pauses

    async def fetch(self, url: str, *, conditional: bool = False) -> TextResponse | None:
        await self._journey.give_way()
        self._journey.listing += 1
        try:
            response = await super().fetch(url)
        except SourceError as error:
            self.refusal = str(error)
            raise
        self._journey.note_answer(self._part)
        return response

    async def offer(self, links: Iterable[Link], page: int | None = None) -> bool:
        """Take what may lie in the backfill's window; whether a page is not wholly before what is
        read here, and the pages still bring what is new.

        Behind a page without dates the reading pauses, until its articles have said how far back
        it is."""
        own = self._own(links)
        known = await self._journey.dates([link.url for link in own])
        spans = [self._span(link, known.get(link.url)) for link in own]
        since, until = self._journey.window  # the site's months need not end when the outlet's do
        inside = [
            replace(link, published=_middle(span, since, until))
            for link, span in zip(own, spans, strict=True)
            if not span or (span[1] > since and span[0] < until)
        ]
        self.left_out("outside a backfill's window", len(own) - len(inside))
        await self._journey.take(self._part, inside, page)
        undated = any(link.published is None for link in inside)
        self.page_before = self._journey.unseen([link.url for link in own])
        if page is not None and self._journey.repeats >= REPEATS:
            return False
        if page is not None and self._pauses and undated:
            raise PausedError
        return not spans or not all(span and span[1] <= self.since for span in spans)

    def _span(self, link: Link, known: datetime | None) -> Span | None:
        """When `link` was published, as far as is known: a moment, or the day or month that its
        address names; None where nothing is."""
        by_address = urls.date_in(link.url)
        for moment in (link.published, known):
            if moment and moment != by_address:
                return moment, moment + datetime.resolution
        if span := span_of_article(link.url, self.outlet.zone):
            return span
        if link.modified and link.modified < self.since:  # it is not later
            return links.EARLIEST, link.modified
        return None


def _middle(span: Span | None, since: datetime, until: datetime) -> datetime | None:
    """The moment that stands for a span; None where it may lie outside the window."""
    if span is None or span[0] < since or span[1] > until:
        return None
    return span[0] + (span[1] - span[0]) / 2


class OutletBackfill:
    """What a backfill does at one outlet: for each slice, the newest first, it reads the listing
    and then fetches what is pending."""

    def __init__(self, spider: "OutletSpider", backfill_id: int) -> None:
        self.spider = spider
        self.listing = 0
        """Requests for listings in this run."""
        self._id = backfill_id
        self._sources = {source.name: source for source in parts(type(spider), archives=True)}
        self._unreachable: str | None = None
        self._place = asyncio.Semaphore(1)  # the outlet's pace allows no more pages under way
        self._failed: set[str] = set()
        self._taken: set[str] = set()
        self._pages = 0
        self.ended = False
        """Whether it came to its end, with errors or without."""
        self.repeats = 0
        """How many pages in a row have listed nothing that the slice's others had not."""
        self.window: Span
        self._budget: int | None = None
        self._pending = 0
        self._slices_left: int | None = None
        self._slices_read = self._links_taken = 0
        self._listing_seconds = self._page_seconds = 0.0
        self._page_before: list[str] = []
        self._seen: set[str] = set()  # on the pages of the slice
        self._answered: set[tuple[str, datetime]] = set()
        self._looked = 0.0

    def trip(self) -> Trip:
        """How far it has come."""
        return Trip(self.listing, self._pages, self._is_spent(), self._seconds_left())

    async def requests(self) -> AsyncIterator[scrapy.Request]:
        """Requests for the articles of the window, as their listings are read."""
        crawl = self.spider.crawl
        try:
            await crawl.begin()
            async for request in self._go_back():
                yield request
            self.ended = True
        except (OutletBusyError, UnreachableError, WaitError) as problem:
            crawl.failed(str(problem))
        except Exception as problem:
            if crawl.excuses(problem):
                return
            logger.exception("the past of %s", self.spider.name)
            crawl.failed(in_words(problem))

    async def _go_back(self) -> AsyncIterator[scrapy.Request]:
        crawl = self.spider.crawl
        backfill = await crawl.store(backfills.get, self._id, _now())
        assert backfill
        if backfill.max_pages is not None:
            done = await crawl.store(backfills.fetched, self._id, self.spider.name)
            self._budget = max(0, backfill.max_pages - done)
        slices = await crawl.store(backfills.unfinished, self._id, self.spider.name)
        slices.sort(key=self._order)
        self._slices_left = len(slices)
        days = backfill.start.date(), (backfill.until - timedelta(days=1)).date()
        self.window = window_of(*days, self.spider.outlet.zone)
        async for request in self._fetch():  # what an earlier run left
            yield request
        for part in slices:
            if self._unreachable and not _is_archive(self._sources.get(part.source)):
                await crawl.store(backfills.end, part, None, self._unreachable)
                self._slices_left -= 1
                continue
            self._page_before, self._seen, self.repeats = [], set(), 0
            ended = False
            while not (ended or self._is_spent()):
                ended = await self._read(part)
                async for request in self._fetch():
                    yield request
            self._slices_left -= 1
        self._failed.clear()  # once more
        async for request in self._fetch():
            yield request
        if self._taken:
            crawl.failed(f"{len(self._taken)} of its articles are {TAKEN}")
        if self._is_spent():
            crawl.remark(f"its budget of {backfill.max_pages} pages is spent")
        elif refusal := await crawl.store(backfills.refusal, self._id, self.spider.name):
            crawl.failed(f"none of its listings could be read: {refusal}")

    def _order(self, part: Slice) -> tuple[bool, bool, float, int]:
        """The living sources first, and those that can be asked for a month: what an archive or a
        search would list is known then."""
        source = self._sources.get(part.source)
        if source is None:
            return False, False, 0.0, 0
        at_once = not is_monthly(source)
        return _is_archive(source), at_once, -part.until.timestamp(), _cost(source)

    # --- listings ---------------------------------------------------------------------------------

    async def _read(self, part: Slice) -> bool:
        """Read a slice's listing; whether it is at its end, or only paused."""
        began = time.monotonic()
        try:
            return await self._read_on(part)
        finally:
            self._listing_seconds += time.monotonic() - began

    async def _read_on(self, part: Slice) -> bool:
        source = self._sources.get(part.source)
        if source is None:
            await self._end(part, "it is no source of the outlet any more")
            return True
        if await self._has_passed(part):
            await self._end(part)
            return True
        reading = PastReading(self, part, pauses=not isinstance(source, Sitemap))
        try:
            await source.read(reading)
            if reading.listed and not reading.own:
                raise SourceError("it lists articles of other sites only")
        except PausedError:
            self._page_before = reading.page_before
            return False
        except SourceError as problem:
            # many outlets lack one listing or another: that it is not there is an answer
            await self._end(part, str(problem), final=problem.status in GONE)
        except (UnreachableError, WaitError) as problem:
            await self._end(part, str(problem))
            if not _is_archive(source):  # an archive may know an outlet that is gone
                self._unreachable = str(problem)
        except Exception as problem:
            if self.spider.crawl.excuses(problem):
                raise
            logger.exception("%s of %s", part.source, self.spider.name)
            await self._end(part, in_words(problem))
        else:
            # what answers nothing here may do so elsewhere: see storage.backfills
            heard = part.listed or (part.source, part.start) in self._answered
            await self._end(part, None if heard else reading.refusal, final=True)
        return True

    async def _has_passed(self, part: Slice) -> bool:
        """Whether most of the page behind which the reading paused lies before the window, now that
        its articles have been fetched, and nothing of it later; an old one may be pinned there."""
        known = (await self.dates(self._page_before)).values()
        most = 2 * len(known) > len(self._page_before)
        return most and all(published < part.start for published in known)

    async def _end(self, part: Slice, error: str | None = None, *, final: bool = False) -> None:
        """Note that a slice has been read to its end, or failed: then it is tried again when the
        backfill is resumed, unless that is `final`."""
        if error and not final:
            self.spider.crawl.failed(f"{part.source}: {error}")
        self._slices_read += 1
        finished = None if error and not final else _now()
        await self.spider.crawl.store(backfills.end, part, finished, error)

    async def dates(self, addresses: Sequence[str]) -> dict[str, datetime]:
        """When the links of `addresses` were published, as far as is known."""
        return await self.spider.crawl.store(links.dates, addresses)

    async def take(self, part: Slice, found: Sequence[Link], page: int | None) -> None:
        """Note the links of a page that lie in the slice's window; see `storage.backfills.take`."""
        crawl = self.spider.crawl
        ours = await crawl.claimed(found)
        crawl.drop({TAKEN: len(found) - len(ours)})
        discovery = await crawl.store(backfills.take, part, ours, page, _now())
        part.cursor = page or part.cursor
        crawl.count(links=len(found))
        await crawl.recorded(discovery)
        self._pending += len(discovery.new)
        self._links_taken += len(discovery.new)

    def unseen(self, addresses: Sequence[str]) -> list[str]:
        """Those of a page's `addresses` that are on no page of the slice before it."""
        unseen = [url for url in addresses if url not in self._seen]
        self._seen.update(unseen)
        self.repeats = 0 if unseen else self.repeats + bool(addresses)
        return unseen

    def note_answer(self, part: Slice) -> None:
        """Note that a slice's source answered."""
        self._answered.add((part.source, part.start))

    async def give_way(self) -> None:
        """Let the daily crawl go first where it waits. No page may be under way."""
        if await self._is_wanted():
            await self.spider.crawl.give_way()

    async def _is_wanted(self) -> bool:
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        return await self.spider.crawl.is_wanted()

    # --- articles ---------------------------------------------------------------------------------

    async def _fetch(self) -> AsyncIterator[scrapy.Request]:
        """Requests for what is pending, each once, the newest first; ends when all are done."""
        crawl = self.spider.crawl
        while True:
            if await crawl.is_wanted():  # no page is under way
                await crawl.give_way()
            pending = await crawl.pending(BATCH + len(self._failed))
            pending = [link for link in pending if link.url not in self._failed]
            if not pending or self._is_spent():
                return
            ours = await crawl.claimed(pending)
            taken = {link.url for link in pending} - {link.url for link in ours}
            self._failed |= taken  # asked for once more at the end
            self._taken = taken | (self._taken - {link.url for link in ours})
            for link in ours:
                began = time.monotonic()
                await self._place.acquire()
                if self._is_spent() or await self._is_wanted():
                    self._place.release()
                    break
                self._pages += 1
                yield scrapy.Request(
                    link.address,
                    callback=self._parse,
                    errback=self._note_failure,
                    cb_kwargs={"link": link},
                )
                self._page_seconds += time.monotonic() - began
            async with self._place:  # the last one is done
                pass
            await crawl.flush()
            self._pending = await crawl.store(backfills.pending, self._id, self.spider.name)

    async def _parse(self, response: Response, link: Link) -> None:
        await self._keep(link, self.spider.examined(response, link), response)

    async def _note_failure(self, failure: Failure) -> None:
        link: Link = failure.request.cb_kwargs["link"]  # type: ignore[attr-defined]
        await self._keep(link, self.spider.unfetched(failure))

    async def _keep(
        self, link: Link, outcomes: AsyncIterator[Kept], response: Response | None = None
    ) -> None:
        """Store what became of a page, at once: what is not stored would be fetched again."""
        self._failed.add(link.url)
        try:
            async for kept in outcomes:
                if kept.outcome.state != State.FAILED or kept.outcome.final:
                    self._failed.discard(kept.outcome.url)
                else:
                    self._failed.add(kept.outcome.url)
                await self.spider.crawl.keep(await self._dated(kept, link, response))
            await self.spider.crawl.flush()  # so that next to nothing is fetched again
        finally:
            self._pending -= 1
            self._place.release()

    async def _dated(self, kept: Kept, link: Link, response: Response | None) -> Kept:
        """What became of a page whose date the listing does not tell: its own date is noted, and
        where that lies outside the window, nothing of it is kept: another backfill may want it."""
        outcome, examination = kept.outcome, kept.examination
        if link.published or link.found or response is None:
            return kept
        published = outcome.published
        if outcome.state == State.GATED:
            published = await self._date_of(response, link)
        elif published and outcome.state == State.FOUND and self._is_outside(published):
            return Kept(Outcome(outcome.url, State.SKIPPED, published=published))
        return Kept(replace(outcome, published=published), examination)

    def _is_outside(self, published: datetime) -> bool:
        return not self.window[0] <= published < self.window[1]

    async def _date_of(self, response: Response, link: Link) -> datetime | None:
        page = page_of(response)
        if page is None:
            return None
        crawl = self.spider.crawl
        try:
            article = (
                await crawl.shared.examiners.examine([page], self.spider.context(link))
            ).article
        except ExaminationError:
            return None
        return article.published if article else None

    # --- how far it has come ----------------------------------------------------------------------

    def _is_spent(self) -> bool:
        return self._budget is not None and self._pages >= self._budget

    def _seconds_left(self) -> float | None:
        """What is pending at the pace of this run, and what the slices not read yet are likely to
        take and to give."""
        if self._slices_left is None or not (self._pages or self._slices_read):
            return None
        page = self._page_seconds / max(self._pages, 1)
        slice_ = self._listing_seconds / max(self._slices_read, 1)
        pages = self._pending + self._slices_left * self._links_taken / max(self._slices_read, 1)
        if self._budget is not None:
            pages = min(pages, self._budget - self._pages)
        return pages * page + self._slices_left * slice_


def _now() -> datetime:
    return datetime.now(UTC)
