"""Downloading over HTTP, with two limits that Scrapy and Twisted lack: the length of a header, and
the end of the crawl's lease."""

from collections.abc import Callable
from functools import partial
from typing import Any

from scrapy.core.downloader.handlers.http11 import (
    HTTP11DownloadHandler,
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
)
from scrapy.crawler import Crawler
from scrapy.http import Request as ScrapyRequest
from scrapy.http import Response
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from twisted.web._newclient import HEADER, STATUS, ParseError, Request
from twisted.web.iweb import IResponse

from crawler.crawl import OutletCrawl
from crawler.web.errors import LeaseOverError

MAX_HEADER_BYTES = 256 * 1024


class Http(HTTP11DownloadHandler):
    """Scrapy's handler; an answer whose header does not end within 256 KB is given up, and no
    request leaves when the outlet may be another process's.

    Without the first a server that sends header lines for ever fills the memory: a line has a
    limit, and a body, but not the number of lines. The second is asked where the connection stands
    and the request is written: it may have waited long for its turn, and the process been stopped
    in the meantime."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._crawler = crawler
        self._pool._factory = partial(_Factory, self._may_ask)  # type: ignore[assignment]

    async def download_request(self, request: ScrapyRequest) -> Response:
        if (crawl := self._crawl()) and not crawl.may_ask():
            await crawl.ask_again()
        return await super().download_request(request)

    def _may_ask(self) -> bool:
        crawl = self._crawl()
        return crawl is None or crawl.may_ask()

    def _crawl(self) -> OutletCrawl | None:
        return getattr(self._crawler.spider, "crawl", None)  # none in `scrapy shell`


class _Protocol(_LenientHTTP11ClientProtocol):
    _header_bytes = 0

    def __init__(self, may_ask: Callable[[], bool], *args: Any) -> None:
        super().__init__(*args)  # type: ignore[no-untyped-call]
        self._may_ask = may_ask

    def request(self, request: Request) -> Deferred[IResponse]:
        if not self._may_ask():
            return fail(LeaseOverError("its lease is lost: another process may be crawling it"))
        self._header_bytes = 0
        return super().request(request)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        if self._parser is not None and self._parser.state in (STATUS, HEADER):
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._giveUp(Failure(ParseError("its header is too long", b"")))  # type: ignore[no-untyped-call]
                return
        super().dataReceived(data)  # type: ignore[no-untyped-call]


class _Factory(_LenientHTTP11ClientFactory):
    def __init__(self, may_ask: Callable[[], bool], *args: Any) -> None:
        super().__init__(*args)  # type: ignore[no-untyped-call]
        self._may_ask = may_ask

    def buildProtocol(self, addr: IAddress | None) -> _Protocol:  # noqa: N802 (Twisted's name)
        return _Protocol(self._may_ask, self._quiescentCallback)
