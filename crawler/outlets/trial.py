"""Trying sources out: they are read as in a crawl, by the same rules, and nothing is recorded."""

import asyncio
import logging
import re
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html import unescape
from typing import Any, TypeVar
from urllib.parse import urlsplit

import scrapy
from scrapy.core.engine import ExecutionEngine
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.http import Response, TextResponse
from scrapy.settings import Settings
from scrapy.utils.reactor import install_reactor
from sqlalchemy.orm import Session
from w3lib.url import safe_url_string

import settings
from crawler import urls
from crawler.examine import ExaminationError, Examiners
from crawler.outlet import Outlet
from crawler.reading import OVERLAP
from crawler.run import DNS_CACHE
from crawler.sources import Feed, Search, Sitemap, Source, SourceError
from crawler.web.errors import UnreachableError, WaitError, in_words
from crawler.web.listing import NoAnswerError, Validators, fetch_listing, header, validators_of
from crawler.web.middlewares import PublicResolver
from extract.link import Link
from storage import leases
from storage.database import open_database
from storage.leases import LAST

T = TypeVar("T")

logger = logging.getLogger(__name__)

PAGES = 2  # of a source, on trial: enough to see whether it can be read back
EARLY = datetime(2000, 1, 1, tzinfo=UTC)
COMMON = ("bupati", "warga")  # words that any regional outlet has written

_TITLE = re.compile(r"<title[^<>]{0,100}>\s*(?:<!\[CDATA\[)?([^<\]]{1,300})")
_TOTAL = re.compile(r"totalResults[^<>]{0,200}>\s*(\d{1,9})\s*<")
_LASTMOD = re.compile(r"<lastmod>\s*(\d{4}-\d\d-\d\d)")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was asked of a site: requests, and bytes of its answers as they came over the wire."""

    requests: int = 0
    bytes: int = 0

    def __sub__(self, other: "Traffic") -> "Traffic":
        return Traffic(self.requests - other.requests, self.bytes - other.bytes)


class Visit(scrapy.Spider):
    """A visit to one site, with the manners of a crawl; `errand` is what is done there."""

    custom_settings = {"ITEM_PIPELINES": {}}  # noqa: RUF012 (Scrapy's own way)
    outlet: Outlet | None = None
    errand: Callable[["Visit"], Awaitable[None]]
    examiners: Examiners

    async def start(self) -> AsyncIterator[Any]:
        await self.errand(self)
        return
        yield

    async def fetch(self, url: str) -> Response:
        """What the site answers, whatever it is. Raises what Scrapy raises."""
        return await self.engine.download_async(scrapy.Request(url))

    @property
    def engine(self) -> ExecutionEngine:
        """What fetches."""
        assert self.crawler.engine
        return self.crawler.engine

    def traffic(self) -> Traffic:
        """What was asked of the site so far."""
        assert self.crawler.stats
        count = self.crawler.stats.get_value
        return Traffic(count("downloader/request_count", 0), count("downloader/response_bytes", 0))


class Visits:
    """Visits to sites, as many at a time as are asked for. Raises DatabaseError."""

    def __init__(self) -> None:
        scrapy_settings = Settings()
        scrapy_settings.setmodule(settings, priority="project")
        scrapy_settings.set("DOWNLOADER_STATS", True, priority="cmdline")
        self._runner = AsyncCrawlerRunner(scrapy_settings)
        self.examiners = Examiners(settings.load().workers)
        self._engine = open_database(settings.load().database)

    async def to(
        self, name: str, outlet: Outlet | None, errand: Callable[[Visit], Awaitable[T]]
    ) -> T:
        """Visit the site of `outlet` (None: any site), of the name `name`, and give what `errand`
        gives. While the outlet is crawled it waits, and no crawl asks the site meanwhile."""
        async with self._turn(f"crawl {name}"):
            return await self._visit(name, outlet, errand)

    @asynccontextmanager
    async def _turn(self, lease: str) -> AsyncIterator[None]:
        me, seconds = f"{LAST}{secrets.token_hex(8)}", settings.load().lease_seconds

        def ask() -> bool:
            now = datetime.now(UTC)
            with Session(self._engine) as session, session.begin():
                ours = leases.acquire(session, lease, me, seconds, now)
                if not ours:
                    leases.want(session, lease, now)
                return ours

        def release() -> None:
            with Session(self._engine) as session, session.begin():
                leases.release(session, lease, me)

        async def keep() -> None:
            while not over.is_set():
                await asyncio.to_thread(ask)
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), seconds / 3)

        while not await asyncio.to_thread(ask):  # noqa: ASYNC110 (only the database can tell)
            await asyncio.sleep(min(1.0, seconds / 4))
        over = asyncio.Event()
        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            over.set()
            await asyncio.gather(keeping, return_exceptions=True)
            await asyncio.to_thread(release)

    async def _visit(
        self, name: str, outlet: Outlet | None, errand: Callable[[Visit], Awaitable[T]]
    ) -> T:
        given: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def do(visit: Visit) -> None:
            try:
                given.set_result(await errand(visit))
            except Exception as error:  # noqa: BLE001 (Scrapy would log it, and no more)
                given.set_exception(error)

        spider = type("Visit", (Visit,), {"name": name, "outlet": outlet})
        await self._runner.crawl(spider, errand=do, examiners=self.examiners)
        if not given.done():
            task = asyncio.current_task()
            if task and task.cancelling():  # Scrapy ends the visit, and keeps that to itself
                raise asyncio.CancelledError
            raise SourceError("the visit was ended early")
        return given.result()


def visiting(work: Callable[[Visits], Awaitable[T]]) -> T:
    """Run `work`, which visits sites; once per process. SIGINT and SIGTERM cancel it."""
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    from twisted.internet import reactor as installed

    reactor: Any = installed
    # Scrapy's own process would install TWISTED_DNS_RESOLVER; its runner does not
    PublicResolver(reactor, DNS_CACHE).install_on_reactor()

    async def main() -> T:
        visits = Visits()
        try:
            return await work(visits)
        finally:
            visits.examiners.close()
            reactor.stop()

    loop = asyncio.get_event_loop()
    task = loop.create_task(main())
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, task.cancel)
    reactor.run(installSignalHandlers=False)
    return task.result()


class Trial:
    """One reading of one source on trial: the `Reader` that the source is given.

    With `completed`, it is read as by a daily crawl for which there is nothing new, asking with the
    `validators` of an earlier trial."""

    def __init__(
        self,
        visit: Visit,
        completed: datetime | None = None,
        validators: Mapping[str, Validators] | None = None,
    ) -> None:
        assert visit.outlet
        self.outlet = visit.outlet
        self.completed = completed
        self.since = completed - OVERLAP if completed else EARLY
        self.until: datetime | None = None
        self.first_page = 1
        self.max_pages = PAGES
        self.max_undated_pages = PAGES
        self.stands_in = False
        self.is_alone = True
        self.validators = dict(validators or {})
        self.links: dict[str, Link] = {}
        self.foreign = 0
        """Links to other sites."""
        self.pages = 0
        """Pages that listed what those before them had not."""
        self.unchanged = 0
        """Answers that nothing has changed."""
        self.first: TextResponse | None = None
        """The first page that came."""
        self._visit = visit

    async def fetch(self, url: str, *, conditional: bool = False) -> TextResponse | None:
        known = self.validators.get(url) if conditional and self.completed else None
        try:
            response = await fetch_listing(self._visit.engine, url, known or (None, None))
        except (UnreachableError, WaitError) as error:
            raise NoAnswerError(in_words(error)) from error
        if response is None:
            self.unchanged += 1
            return None
        if conditional:
            self.validators[url] = validators_of(response)
        self.first = self.first or response
        return response

    async def parse(self, function: Callable[..., T], *args: object) -> T:
        try:
            return await self._visit.examiners.run(function, *args)
        except SourceError:
            raise
        except Exception as error:
            if not isinstance(error, ExaminationError):
                logger.exception("%s of %s", function.__name__, self.outlet.domain)
            raise SourceError(in_words(error)) from error

    async def offer(self, links: Iterable[Link], page: int | None = None) -> bool:
        listed = list(links)
        own = [link for link in listed if self.outlet.publishes(link.url)]
        new = {link.url: link for link in own if link.url not in self.links}
        self.foreign += len(listed) - len(own)
        self.links |= new
        self.pages += bool(new)
        return bool(new) and not self.completed

    def left_out(self, why: str, count: int = 1) -> None:
        """A trial reads but the beginning: what it leaves out tells nothing."""

    def forget(self, url: str) -> None:
        self.validators[url] = (None, None)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a source gave on trial.

    `failure` is why it gave nothing. Where that is None, `links` are the articles it lists on its
    first pages, with their dates; `whole` how many it lists in all, where it says so; `depth` says
    in words how far back it reaches; `further` whether more pages of it can be read; `unchanged`
    whether it tells when nothing is new; `daily` what a day without news costs. `address` is that
    of its first page, `moved` the source there, where it was redirected; `title` what a feed calls
    itself."""

    source: Source
    failure: SourceError | None = None
    links: Mapping[str, datetime | None] = field(default_factory=dict)
    dated: bool = False
    whole: int | None = None
    depth: str = ""
    further: bool = False
    unchanged: bool = False
    daily: Traffic = Traffic()
    moved: Source | None = None
    address: str = ""
    title: str = ""

    @property
    def error(self) -> str | None:
        """Why it gave nothing, in words."""
        return str(self.failure) if self.failure else None

    @property
    def newest(self) -> datetime | None:
        """The date of its newest link, if it has dates."""
        return max(self.dates, default=None)

    @property
    def dates(self) -> list[datetime]:
        """The dates of its links, in order."""
        return sorted(filter(None, self.links.values()))


async def try_out(
    visit: Visit, source: Source, *, cost: bool = True, word: str | None = None
) -> Tried:
    """Read a source on trial (a search for `word`); with `cost`, once more as on a day without
    news."""
    started = datetime.now(UTC)
    on_trial, searches = source, 1
    if isinstance(source, Search):  # common words show whether it finds anything
        on_trial = replace(source, terms=(word,) if word else COMMON)
        searches = len(source.terms) // len(on_trial.terms)
    trial = Trial(visit)
    try:
        await _read(on_trial, trial)
    except SourceError as error:
        return Tried(source, error, moved=_moved(source, trial))
    before = visit.traffic()
    again = Trial(visit, started, trial.validators)
    if cost:
        try:
            await _read(on_trial, again, may_be_empty=True)
        except SourceError as error:
            return Tried(source, SourceError(f"read once more, it failed: {error}", error.status))
    daily = visit.traffic() - before
    whole, depth = _depth(source, trial)
    return Tried(
        source,
        # what a month's page gives is dated to its end, which may be to come
        links={
            link.url: min(date, started) if (date := link.published or link.modified) else None
            for link in trial.links.values()
        },
        dated=any(  # by the source itself, not only by the addresses
            link.published and link.published != urls.date_in(link.url)
            for link in trial.links.values()
        ),
        whole=whole,
        depth=depth,
        further=trial.pages > 1,
        unchanged=again.unchanged > 0,
        daily=Traffic(daily.requests * searches, daily.bytes * searches),
        moved=_moved(source, trial),
        address=trial.first.url if trial.first else "",
        title=_title(trial.first) if isinstance(source, Feed) and trial.first else "",
    )


async def _read(source: Source, trial: Trial, *, may_be_empty: bool = False) -> None:
    try:
        await source.read(trial)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(in_words(error)) from error
    if not trial.links and not may_be_empty:
        others = "it lists articles of other sites only" if trial.foreign else ""
        raise SourceError(others or "it lists no article")


def _moved(source: Source, trial: Trial) -> Source | None:
    """The source at the address its first page was redirected to, on the same site."""
    if trial.first is None or not isinstance(source, Feed | Sitemap):
        return None
    path = path_of(trial.first.url)
    if path == path_of(trial.outlet.url(source.path)) or "{" in path:
        return None
    if isinstance(source, Feed) and source.pages:
        return replace(source, path=path, pages=source.pages.replace(source.path, path, 1))
    return replace(source, path=path)


def path_of(url: str) -> str:
    """The path and query of `url`, percent-encoded where they must be."""
    parts = urlsplit(safe_url_string(url))
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def _title(feed: TextResponse) -> str:
    found = _TITLE.search(feed.text[:20_000])
    return " ".join(unescape(unescape(found[1])).split())[:100] if found else ""


def _depth(source: Source, trial: Trial) -> tuple[int | None, str]:
    """How many articles a source says it lists, and in words how far it reaches."""
    assert trial.first is not None
    total = (header(trial.first, "X-WP-Total") or "").strip()
    if not total and isinstance(source, Feed) and (found := _TOTAL.search(trial.first.text)):
        total = found[1]
    if total.isdecimal() and len(total) < 10:
        return int(total), f"{int(total):,} articles"
    if isinstance(source, Sitemap):
        text = trial.first.text
        kind = "sitemaps" if "<sitemapindex" in text else "articles"
        oldest = min(_LASTMOD.findall(text), default="")
        since = f", the oldest of {oldest[:7]}" if oldest else ""
        number = text.count("<loc>")
        return (None if kind == "sitemaps" else number), f"{number:,} {kind}{since}"
    return None, "can be read back" if trial.pages > 1 else "one page"
