"""Scrapy alone, for benchmarks/throughput.py: fetches the pages that a file lists, keeps nothing.

scrapy runspider benchmarks/bare.py -a pages=FILE [-a extract=yes]

With `extract`, trafilatura reads each page in an item pipeline, the usual way.
"""

import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import scrapy
from scrapy.http import Response


class Extract:
    """The pipeline: pages in, articles out."""

    def process_item(self, item: dict[str, Any]) -> dict[str, Any]:
        from trafilatura import bare_extraction

        return {"article": bare_extraction(item["html"], url=item["url"], with_metadata=True)}


class Bare(scrapy.Spider):
    """One request at a time to each host, no delay; prints its pages and seconds as JSON."""

    name = "bare"
    custom_settings: ClassVar = {
        "CONCURRENT_REQUESTS": 100,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "COOKIES_ENABLED": False,
        "ITEM_PIPELINES": {Extract: 100},
        "LOG_LEVEL": "WARNING",
        "REMOTE_CONTROL_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
    }

    def __init__(self, pages: str, extract: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.urls = Path(pages).read_text("utf-8").split()
        self.extract = bool(extract)
        self.fetched = 0
        self.began = time.monotonic()

    async def start(self) -> AsyncIterator[scrapy.Request]:
        for url in self.urls:
            yield scrapy.Request(url)

    def parse(self, response: Response) -> Iterator[dict[str, Any]]:
        self.fetched += 1
        if self.extract:
            yield {"url": response.url, "html": response.body}

    def closed(self, reason: str) -> None:
        seconds = time.monotonic() - self.began
        print(json.dumps({"pages": self.fetched, "seconds": seconds}))
