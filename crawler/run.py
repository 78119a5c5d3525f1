"""Crawling many outlets in one process."""

import asyncio
import ctypes
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# Scrapy would load it late, and it looks through the stack and all modules then: 0.2 s
from scrapy.core.downloader import contextfactory  # noqa: F401
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.settings import Settings
from scrapy.utils.reactor import install_reactor
from structlog.contextvars import bind_contextvars

import settings
from crawler.past.journey import Trip
from crawler.shared import shared
from crawler.spider import OutletSpider
from crawler.web.middlewares import PublicResolver
from storage import states
from storage.crawls import Counts
from storage.database import reading

DNS_CACHE = 10_000  # names
M_ARENA_MAX = -8  # of glibc's malloc.h


@dataclass(slots=True)
class OutletReport:
    """What one outlet's crawl gave, as it stands: `state` is "waiting", "running", "done", "paused"
    (it is left alone) or, where the crawl was ended early, "stopped"; `found` are the ids of its
    new findings, `trip` is how far a backfill has come. Where it `is_cut`, the rest of it is to be
    done later."""

    outlet: str
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0
    state: str = "waiting"
    found: list[int] = field(default_factory=list)
    trip: Trip | None = None
    is_cut: bool = False


def crawl(
    spiders: Sequence[type[OutletSpider]],
    *,
    limit: int | None = None,
    check: bool = False,
    backfill: int | None = None,
    delay: float | None = None,
    progress: Callable[[Sequence[OutletReport]], None] | None = None,
    run: str | None = None,
    is_over: Callable[[], bool] | None = None,
) -> list[OutletReport]:
    """Crawl the outlets of `spiders`, `PANTAU_PARALLEL_OUTLETS` at a time; once per process. With
    `check`, their spare sources are asked, too; with the id of a `backfill`, that one is gone on
    with, at most one request in `delay` seconds where that is slower than every day. The crawls are
    stored as those of `run`. With `is_over`, which is asked about once a second, this is a slice of
    a longer crawl: where it is cut short, its run is not done with the outlet.

    `progress` is called about twice a second. SIGINT and SIGTERM end it early and cleanly: pages
    being fetched are finished, the rest stays pending. Raises DatabaseError and
    RedisUnavailableError before anything is fetched."""
    _take_memory_from_one_heap()
    _ = shared().examiners  # what cannot be opened is said here, once
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    from twisted.internet import reactor as installed

    reactor: Any = installed
    # Scrapy's own process would install TWISTED_DNS_RESOLVER; its runner does not
    PublicResolver(reactor, DNS_CACHE).install_on_reactor()
    reports = [OutletReport(spider.name) for spider in spiders]
    arguments = {
        "limit": limit or 0,
        "check": "1" if check else "",
        "backfill": backfill or 0,
        "run": run or name_of_run(),
        "sliced": "1" if is_over else "",
    }
    work = _Run(spiders, reports, arguments, delay or 0)

    async def main() -> None:
        beside = [asyncio.create_task(_watch(reports, progress))] if progress else []
        if is_over:
            beside.append(asyncio.create_task(work.stop_when(is_over)))
        try:
            await work.all()
        finally:
            for task in beside:
                task.cancel()
            reactor.stop()

    loop = asyncio.get_event_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, work.stop)
    task = loop.create_task(main())
    reactor.run(installSignalHandlers=False)
    task.result()
    if progress:
        progress(reports)
    return reports


def name_of_run(moment: datetime | None = None) -> str:
    """What the crawls that begin together are called that begin, or are due, at `moment`."""
    return f"{(moment or datetime.now(UTC)).astimezone(UTC):%Y%m%dT%H%M%S}"


def _take_memory_from_one_heap() -> None:
    """Have all threads allocate in one heap (mallopt(3)): each with its own, as glibc has it, they
    keep what another could use, and a long crawl grows. Elsewhere it is no matter."""
    with suppress(AttributeError):  # no glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


class _Run:
    def __init__(
        self,
        spiders: Sequence[type[OutletSpider]],
        reports: Sequence[OutletReport],
        arguments: Mapping[str, int | str],
        delay: float,
    ) -> None:
        scrapy_settings = Settings()
        scrapy_settings.setmodule(settings, priority="project")
        if delay > settings.load().delay:
            slower = {
                "DOWNLOAD_DELAY": delay,
                "AUTOTHROTTLE_START_DELAY": delay,
                "AUTOTHROTTLE_MAX_DELAY": max(delay, settings.AUTOTHROTTLE_MAX_DELAY),
                "AUTOTHROTTLE_TARGET_CONCURRENCY": 1.0,
            }
            scrapy_settings.update(slower, priority="cmdline")
        self._runner = AsyncCrawlerRunner(scrapy_settings)
        self._jobs = list(zip(spiders, reports, strict=True))
        self._arguments = arguments
        self._places = asyncio.Semaphore(settings.load().parallel_outlets)
        self._stopping = False

    async def all(self) -> None:
        await asyncio.gather(*(self._one(spider, report) for spider, report in self._jobs))

    async def _one(self, spider: type[OutletSpider], report: OutletReport) -> None:
        async with self._places:
            if self._stopping:
                return
            if await asyncio.to_thread(_is_paused, spider.name):
                report.state, report.counts = "paused", Counts(note="it is paused")
                return
            began = time.monotonic()
            report.state = "running"
            # for the log; each outlet's is a task of its own, and so has a context of its own
            bind_contextvars(crawl=self._arguments["run"], outlet=spider.name)
            if backfill := self._arguments["backfill"]:
                bind_contextvars(backfill=backfill)
            crawler = self._runner.create_crawler(spider)
            task = self._runner.crawl(crawler, **self._arguments)
            stopping = None
            while not task.done():
                await asyncio.wait([task], timeout=0.4)
                # Scrapy forgets a stop that comes while its engine is only starting
                outlet_crawl = getattr(crawler.spider, "crawl", None)
                wanted = self._stopping or (outlet_crawl and outlet_crawl.gives_way)
                if wanted and not stopping and _is_running(crawler):
                    if outlet_crawl:
                        outlet_crawl.is_cut = True
                    stopping = asyncio.create_task(crawler.stop_async())
                _update(report, crawler)
                report.seconds = time.monotonic() - began
            task.result()
            report.state = "done" if _came_to_its_end(crawler) else "stopped"

    def stop(self) -> None:
        self._stopping = True

    async def stop_when(self, is_over: Callable[[], bool]) -> None:
        while not await asyncio.to_thread(is_over):  # noqa: ASYNC110 (it knows no event)
            await asyncio.sleep(1)
        self.stop()


def _is_paused(outlet: str) -> bool:
    with reading(shared().engine) as session:
        return outlet in states.paused(session)


def _is_running(crawler: Crawler) -> bool:
    try:
        return bool(crawler.engine and crawler.engine.running)
    except RuntimeError:  # it has none yet
        return False


def _came_to_its_end(crawler: Crawler) -> bool:
    finished = crawler.stats and crawler.stats.get_value("finish_reason") == "finished"
    journey = getattr(crawler.spider, "journey", None)
    return bool(finished and (journey is None or journey.ended))


def _update(report: OutletReport, crawler: Crawler) -> None:
    outlet_crawl = getattr(crawler.spider, "crawl", None)
    if outlet_crawl:
        report.counts = outlet_crawl.counts
        report.found = outlet_crawl.found
        report.is_cut = outlet_crawl.is_cut
    journey = getattr(crawler.spider, "journey", None)
    if journey:
        report.trip = journey.trip()


async def _watch(
    reports: Sequence[OutletReport], progress: Callable[[Sequence[OutletReport]], None]
) -> None:
    while True:
        progress(reports)
        await asyncio.sleep(0.5)
