"""Downloading over HTTP, with a limit that Scrapy and Twisted lack: the length of a header."""

from scrapy.core.downloader.handlers.http11 import (
    HTTP11DownloadHandler,
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
)
from scrapy.crawler import Crawler
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from twisted.web._newclient import HEADER, STATUS, ParseError, Request
from twisted.web.iweb import IResponse

MAX_HEADER_BYTES = 256 * 1024


class Http(HTTP11DownloadHandler):
    """Scrapy's handler; an answer whose header does not end within 256 KB is given up.

    Without it a server that sends header lines for ever fills the memory: a line has a limit, and
    a body, but not the number of lines."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._pool._factory = _Factory


class _Protocol(_LenientHTTP11ClientProtocol):
    _header_bytes = 0

    def request(self, request: Request) -> Deferred[IResponse]:
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
    def buildProtocol(self, addr: IAddress | None) -> _Protocol:  # noqa: N802 (Twisted's name)
        return _Protocol(self._quiescentCallback)  # type: ignore[no-untyped-call]
