"""The last stop: what became of each link is stored."""

from scrapy.crawler import Crawler

from crawler.crawl import Kept
from crawler.spider import OutletSpider


class Keep:
    """Hands outcomes to the spider's crawl and brings it to its end."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Keep":
        return cls(crawler)

    async def process_item(self, item: Kept) -> Kept:
        if isinstance(self.crawler.spider, OutletSpider):
            await self.crawler.spider.crawl.keep(item)
        return item

    async def close_spider(self) -> None:
        spider = self.crawler.spider
        if isinstance(spider, OutletSpider) and hasattr(spider, "crawl"):
            await spider.crawl.end()
