"""The spider that every outlet's declaration is."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import scrapy
from scrapy.exceptions import CloseSpider
from scrapy.http import Response
from twisted.python.failure import Failure

import settings
from crawler import urls
from crawler.crawl import CLAIM_BATCH, Kept, OutletBusyError, OutletCrawl
from crawler.examine import Context, Examination, ExaminationError
from crawler.outlet import Outlet
from crawler.past.journey import OutletBackfill
from crawler.reading import read_source
from crawler.shared import shared
from crawler.sources import Search, Source
from crawler.web.answer import GONE, page_of
from crawler.web.archives import beside
from crawler.web.challenge import wall
from crawler.web.errors import ArchiveBusyError, UnreachableError, WaitError, in_words, is_final
from crawler.writer import AWAY
from extract.article import Page
from extract.gate import passes
from extract.link import Link
from storage import crawls
from storage.links import Outcome
from storage.models import SeenIn, State

MAX_PAGES = 20  # of one split article
MAX_QUEUED = 100  # requests of an outlet; Scrapy keeps 2 KB of each


class OutletSpider(scrapy.Spider):
    """Crawls one outlet: reads its `sources`, then fetches and examines what is new.

    A declaration gives `name` (what the outlet is called on the command line), `outlet` and
    `sources`; nothing else is needed. `spare` sources, in order, stand in for one that fails, and
    once a week they are asked what the others missed; those of `past` serve backfills only. `run`
    groups the crawls that were started together, `limit` is the most articles to fetch, `check`
    asks the spare sources now; with `backfill` it is a backfill's crawl, not the daily one; what is
    `sliced` is a part of a longer one.
    """

    allowed_domains: ClassVar[list[str]]
    outlet: ClassVar[Outlet]
    sources: ClassVar[Sequence[Source]]
    spare: ClassVar[Sequence[Source]] = ()
    past: ClassVar[Sequence[Source]] = ()
    crawl: OutletCrawl
    journey: OutletBackfill | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if stand_in := settings.load().stand_ins.get(cls.name):
            parts = urlsplit(str(stand_in))
            cls.outlet = replace(cls.outlet, domain=parts.netloc, scheme=parts.scheme)
        cls.allowed_domains = [cls.outlet.hostname]

    def __init__(
        self,
        *args: Any,
        run: str = "",
        limit: str | int = 0,
        check: str = "",
        backfill: str | int = 0,
        sliced: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.limit = int(limit)
        self.check = bool(check)
        self.backfill = int(backfill)
        self.sliced = bool(sliced)
        self._closing: asyncio.Future[None] | None = None
        self._is_over = False
        self._stand_in: Source | None = None
        self.asks_anew = False
        """Whether the daily sources' listings are asked for though nothing may have changed: when
        the spare ones are, as a server may say so forever."""
        self._asked: set[str] = set()
        self._unanswered: set[str] = set()
        self.run = run or f"{datetime.now(UTC):%Y%m%dT%H%M%S}"

    async def start(self) -> AsyncIterator[scrapy.Request]:
        self.crawl = OutletCrawl(
            shared(), self.name, self.run, self._stop, self.backfill or None, sliced=self.sliced
        )
        try:
            async for request in self._all():
                yield request
        except AWAY as problem:
            self._is_over = True
            if not self.crawl.excuses(problem):
                raise

    async def _all(self) -> AsyncIterator[scrapy.Request]:
        if self.backfill:
            self.journey = OutletBackfill(self, self.backfill)
            async for request in self.journey.requests():
                yield request
            return
        self.asks_anew = self.check or await self.crawl.is_check_due()
        async for request in self._read_daily():
            yield request
        if self.asks_anew and not self._is_over:
            async for request in self._check():
                yield request

    async def _read_daily(self) -> AsyncIterator[scrapy.Request]:
        """Read the daily sources; where one fails, then the first of the spare ones that does not.
        What one lists is fetched before the next is asked: an outlet that has enough of us has
        given its news first."""
        failed: list[str] = []
        try:
            await self.crawl.begin()
            for source in self.sources:
                if error := await read_source(self, source):
                    failed.append(f"{source.name}: {error}")
                async for request in self._requests():
                    yield request
                if self._is_over:
                    break
            else:
                if failed:
                    self._stand_in = await self._read_stand_in()
        except (OutletBusyError, UnreachableError, WaitError) as problem:
            self._is_over = True
            self.crawl.failed(str(problem))
        for error in failed:
            if self._stand_in:
                self.crawl.remark(f"{error}; {self._stand_in.name} was read instead")
            else:
                self.crawl.failed(error)
        if self._stand_in:
            async for request in self._requests():
                yield request

    async def _read_stand_in(self) -> Source | None:
        for source in self.spare:
            if isinstance(source, Search):
                continue
            if not await read_source(self, source, SeenIn.STAND_IN):
                return source
        return None

    async def _check(self) -> AsyncIterator[scrapy.Request]:
        """Ask the spare sources, but for one that stood in, what the daily ones missed.

        One that is not there is no failure of the crawl, as many outlets lack one or another: it is
        remarked the first time. Nor is a search that the outlet does not want asked: it tells of
        the topic only, and comes last."""
        measured = False
        for source in self.spare:
            if source is self._stand_in:
                continue
            is_search = isinstance(source, Search)
            seen_in = SeenIn.SEARCH if is_search else SeenIn.SPARE
            before = await self.crawl.look_up(crawls.error, self.name, source.name)
            try:
                error = await read_source(self, source, seen_in)
            except (UnreachableError, WaitError) as problem:
                note = self.crawl.remark if is_search else self.crawl.failed
                note(f"{source.name}: {problem}")
                break
            measured |= not (error or is_search)
            if error and not before:
                self.crawl.remark(f"{source.name}: {error}")
            async for request in self._requests():
                yield request
            if self._is_over:
                break
        await self.crawl.checked(measured=measured)

    async def _requests(self) -> AsyncIterator[scrapy.Request]:
        """Requests for what is pending and was not asked for in this crawl yet, up to its limit;
        ends when the pages have been examined."""
        limit = self.limit or self.crawl.shared.settings.max_articles
        limit = max(0, limit - self.crawl.fetched_before)
        pending = [x for x in await self.crawl.pending(limit) if x.url not in self._asked]
        pending = pending[: limit - len(self._asked)]
        for start in range(0, len(pending), CLAIM_BATCH):
            while not self._is_over and len(self._unanswered) > MAX_QUEUED - CLAIM_BATCH:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            if self._is_over:
                break
            for link in await self.crawl.claimed(pending[start : start + CLAIM_BATCH]):
                self._asked.add(link.url)
                self._unanswered.add(link.url)
                yield scrapy.Request(
                    link.address,
                    callback=self.parse,
                    errback=self.failed,
                    cb_kwargs={"link": link},
                )
        assert self.crawler.engine
        examining = self.crawler.engine.scraper.slot
        assert examining
        # Scrapy tells nobody
        while not self._is_over and (self._unanswered or not examining.is_idle()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    async def parse(self, response: Response, link: Link) -> None:
        """Examine the page that `link` led to, and have what becomes of it stored."""
        self._unanswered.discard(link.url)
        async for kept in self.examined(response, link):
            await self.crawl.keep(kept)

    async def failed(self, failure: Failure) -> None:
        """Have noted that a page could not be fetched."""
        link: Link = failure.request.cb_kwargs["link"]  # type: ignore[attr-defined]
        self._unanswered.discard(link.url)
        async for kept in self.unfetched(failure):
            await self.crawl.keep(kept)

    async def examined(self, response: Response, link: Link) -> AsyncIterator[Kept]:
        """What becomes of `link` by the page that it led to, and of the link whose twin it is."""
        if name := wall(response.body):
            yield _failed(link, f"blocked by {name}: {link.address}", final=False)
            return
        if response.status != 200:
            error = f"HTTP {response.status} from {link.address}"
            yield _failed(link, error, final=response.status in GONE)
            return
        redirected = response.url != link.address
        if redirected and not self.outlet.publishes(response.url):
            yield _failed(link, f"{link.address} leads to another site", final=True)
            return
        if redirected and urls.is_front_page(urls.canonical(response.url) or ""):
            yield _failed(link, f"{link.address} leads to the front page", final=True)
            return
        target = await self._target(response, link) if redirected else link
        if target is None:
            yield Kept(Outcome(link.url, State.TWIN))
            return
        if target.url != link.url:
            yield Kept(Outcome(link.url, State.TWIN))
        page = page_of(response)
        gated = page is not None and not (passes(page.html) or link.found or _is_split(page))
        self.crawl.count(fetched=1, gated=gated)
        if page is None:
            yield Kept(Outcome(target.url, State.EMPTY))
        elif gated:
            yield Kept(Outcome(target.url, State.GATED))
        else:
            yield await self._examined(page, target)

    async def _target(self, response: Response, link: Link) -> Link | None:
        """The link that the page belongs to: another one where `link` was redirected, None where
        that one is known already."""
        url = urls.canonical(response.url)
        address = urls.address(response.url)
        if url == link.url or url is None or address is None:
            return link
        target = self.outlet.at_home(replace(link, url=url, address=address))
        if target.url == link.url:
            return link
        return target if await self.crawl.redirected(link, target) else None

    async def _examined(self, page: Page, link: Link) -> Kept:
        context = self.context(link)
        pages, missing = [page], None
        try:
            examination = await self._examine(pages, context)
            while examination.article and (further := examination.article.pages) and not missing:
                known = len(pages)
                missing = await self._add_pages(pages, further, link.address)
                if len(pages) == known:
                    break
                examination = await self._examine(pages, context)
        except ExaminationError as problem:
            return _failed(link, f"{link.address}: {problem}", final=False)
        if missing:
            outcome = Outcome(link.url, State.FAILED, missing, final=False)
        else:
            article = examination.article
            published = article.published if article else None
            outcome = Outcome(link.url, _state(examination), published=published)
        return Kept(outcome, examination)

    def context(self, link: Link) -> Context:
        """What is known of the article at `link` before it is read."""
        return Context(
            zone=self.outlet.zone,
            title=self.outlet.title,
            province=self.outlet.province,
            regency=self.outlet.regency,
            listed=link.published,
            found=link.found,
        )

    async def _examine(self, pages: Sequence[Page], context: Context) -> Examination:
        return await self.crawl.shared.examiners.examine(pages, context)

    async def _add_pages(self, pages: list[Page], further: Sequence[str], first: str) -> str | None:
        """Add the `further` pages of the split article that was fetched from `first` to `pages`;
        says why, where one that is there cannot be had."""
        assert self.crawler.engine
        for url in further:
            address = beside(first, url)
            if len(pages) == MAX_PAGES or not self.outlet.owns(url) or address is None:
                return None
            try:
                response = await self.crawler.engine.download_async(scrapy.Request(address))
            except (UnreachableError, WaitError) as problem:
                self._stop(str(problem))
                raise CloseSpider(str(problem)) from None
            except Exception as error:  # noqa: BLE001 (whatever it was, the first page stands)
                return f"{address}: {in_words(error)}"
            if name := wall(response.body):
                return f"blocked by {name}: {address}"
            if response.status in GONE:
                return None
            page = page_of(response) if response.status == 200 else None
            if page is None:
                return f"HTTP {response.status} from {address}"
            pages.append(page)
        return None

    async def unfetched(self, failure: Failure) -> AsyncIterator[Kept]:
        """What becomes of a link whose page could not be fetched."""
        link: Link = failure.request.cb_kwargs["link"]  # type: ignore[attr-defined]
        error = failure.value
        assert error
        if isinstance(error, UnreachableError | WaitError):
            self._stop(str(error))
            return
        if isinstance(error, ArchiveBusyError):  # the link stays pending
            self.crawl.failed(f"{link.address}: {error}")
            return
        yield _failed(link, f"{link.address}: {in_words(error)}", final=is_final(error))

    def _stop(self, reason: str) -> None:
        if self._closing:
            return
        self._is_over = True
        self.crawl.failed(reason)
        assert self.crawler.engine
        self._closing = asyncio.ensure_future(self.crawler.engine.close_spider_async(reason=reason))


def _failed(link: Link, error: str, *, final: bool) -> Kept:
    return Kept(Outcome(link.url, State.FAILED, error, final))


def _is_split(page: Page) -> bool:
    """Whether further pages of the article may hold what its first page lacks."""
    path = urlsplit(page.url).path.rstrip("/").encode()
    return any(mark in page.html for mark in (path + b"/2", path + b"?page=2", b"?halaman=2"))


def _state(examination: Examination) -> State:
    if examination.article is None or examination.verdict is None:
        return State.EMPTY
    return State.FOUND if examination.verdict.kept else State.REJECTED
