"""The end of a crawl, and the errors on the way there."""

from scrapy import signals
from scrapy.crawler import Crawler
from twisted.python.failure import Failure

from crawler.crawl import OutletCrawl
from crawler.web.errors import in_words
from crawler.writer import AWAY


class Keep:
    """Counts what fails on the way to the spider's crawl, and brings that to its end. What fails is
    not settled: the next crawl takes it up."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        crawler.signals.connect(self._failed, signals.spider_error)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Keep":
        return cls(crawler)

    async def close_spider(self) -> None:
        if crawl := self._crawl():
            try:
                await crawl.end()
            except AWAY as problem:
                if not crawl.excuses(problem):
                    raise

    def _crawl(self) -> OutletCrawl | None:
        return getattr(self.crawler.spider, "crawl", None)  # none in `scrapy shell`

    def _failed(self, failure: Failure) -> None:
        crawl = self._crawl()
        if crawl and failure.value and not crawl.excuses(failure.value):
            crawl.failed(f"an error of ours, see pantau.log: {in_words(failure.value)}")
