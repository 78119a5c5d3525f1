"""Fetching from web archives: a downloader middleware that asks them politely and makes of their
answer what the outlet once answered.

The rest of a crawl need not know where a page came from: only its time of fetch is another one.
"""

import asyncio
import email.utils
import io
import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from urllib.parse import urlsplit

from fastwarc.warc import ArchiveIterator, WarcRecordType
from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import HtmlResponse, Request, Response

import settings
from crawler.examine import ExaminationError
from crawler.web.errors import ArchiveBusyError
from crawler.web.patience import MAX_WAIT_SECONDS, retry_after
from crawler.web.record import TornError, page_in
from extract.article import Page

MARK = "archive"
CAPTURED = "Memento-Datetime"  # RFC 7089
TIMEOUT_SECONDS = 120  # their indexes take their time
# The Wayback Machine allows 60 questions to its index a minute and 600 pages
QUESTION, PAGE = 2.0, 1.0  # times PANTAU_DELAY between two, of all outlets together
REST = 60.0  # times PANTAU_DELAY, where one that has enough does not say for how long
_PRIVILEGES = {"dont_obey_robotstxt": True, "download_timeout": TIMEOUT_SECONDS}
_WAYBACK_PAGE = re.compile(r"/web/(\d{14})id_/(https?:.+)", re.DOTALL)
_RANGE = re.compile(r"bytes=\d+-\d+")


@dataclass(slots=True)
class _Turn:
    """Whose turn it is at one host: one request after the other, none before `at`. `answered`: none
    is under way."""

    at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answered.set()

    async def take(self, seconds: float) -> None:
        """Wait for one's turn; the next has to wait `seconds`. Raises ArchiveBusyError where the
        archive asked to be left alone for long."""
        async with self.lock:
            with suppress(TimeoutError):  # a request that was given up tells nobody
                await asyncio.wait_for(self.answered.wait(), TIMEOUT_SECONDS)
            while (wait := self.at - monotonic()) > 0:
                if wait > MAX_WAIT_SECONDS:
                    reason = f"the archive asked to be left alone for {wait:.0f} s"
                    raise ArchiveBusyError(reason)
                await asyncio.sleep(wait)
            self.answered.clear()
            self.at = monotonic() + seconds

    def rest(self, seconds: float) -> None:
        """Give nobody a turn for so long."""
        self.at = max(self.at, monotonic() + seconds)


_turns: defaultdict[str, _Turn] = defaultdict(_Turn)


def is_archive(url: str) -> bool:
    """Whether `url` is an archive's."""
    current = settings.load()
    bases = current.wayback_url, current.common_crawl_index_url, current.common_crawl_data_url
    return any(url.startswith(f"{base}/") for base in bases)


def is_allowed(request: Request) -> bool:
    """Whether a request may go to an archive: one that we made does, one that an outlet's page led
    to does not."""
    return bool(request.meta.get(MARK)) and is_archive(request.url)


def captured(response: Response) -> datetime | None:
    """When an archive fetched a page; None where it does not come from one."""
    if not (response.request and response.request.meta.get(MARK)):
        return None
    header = (response.headers.get(CAPTURED) or b"").decode("latin-1")
    return email.utils.parsedate_to_datetime(header) if header else None


def beside(address: str, url: str) -> str | None:
    """Where the archive that keeps a page at `address` may keep the outlet's page `url`; None where
    only its index could tell. What is not from an archive has its pages beside it."""
    if not is_archive(address):
        return url
    kept = _WAYBACK_PAGE.search(address)
    return f"{settings.load().wayback_url}/web/{kept[1]}id_/{url}" if kept else None


class Archives:
    """Lets requests to archives through, one at a time each, and opens what they kept.

    A robots.txt is for those who follow links; these are asked by the doors made for programs."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Archives":
        self = cls()
        # these signals come before anything is retried
        crawler.signals.connect(self._heed, signals.response_downloaded)
        crawler.signals.connect(self._ended, signals.request_left_downloader)
        return self

    def _heed(self, response: Response, request: Request) -> None:
        if response.status in (429, 503) and is_allowed(request):
            wait = retry_after(response)
            rest = REST * settings.load().delay if wait is None else wait
            _turns[urlsplit(request.url).netloc].rest(rest)

    async def process_request(self, request: Request) -> None:
        redirected = "redirect_urls" in request.meta
        if not is_archive(request.url):
            for ours in (MARK, *_PRIVILEGES) if request.meta.get(MARK) else ():
                request.meta.pop(ours, None)  # the archive led to the outlet's own site
            return
        if redirected and not request.meta.get(MARK):
            return
        request.meta.update({MARK: True, **_PRIVILEGES})
        parts = urlsplit(request.url)
        if _RANGE.fullmatch(parts.fragment):
            request.headers["Range"] = parts.fragment
        is_page = parts.fragment or _WAYBACK_PAGE.search(request.url)
        delay = settings.load().delay
        await _turns[parts.netloc].take(delay * (PAGE if is_page else QUESTION))

    def process_exception(self, request: Request, exception: Exception) -> None:
        self._ended(request)  # it may not have come as far as the downloader

    def _ended(self, request: Request) -> None:
        if is_allowed(request):
            _turns[urlsplit(request.url).netloc].answered.set()

    async def process_response(self, request: Request, response: Response) -> Response:
        if not request.meta.get(MARK):
            return response
        parts = urlsplit(request.url)
        kept = _WAYBACK_PAGE.search(response.url)
        if response.status == 200 and kept:
            headers = response.headers.copy()
            headers[CAPTURED] = email.utils.format_datetime(_moment(kept[1]), usegmt=True)
            return response.replace(url=kept[2], headers=headers)
        if response.status == 206 and parts.fragment:
            page = await _unpacked(response.body)
            if page is None:
                raise IgnoreRequest("the archive's record is broken")
            return _response(page, request)
        return response


def _moment(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise IgnoreRequest(f"the archive names no time: {stamp}") from None


async def _unpacked(record: bytes) -> Page | None:
    """The page in a record, unpacked in a worker, with its limits."""
    from crawler.shared import shared

    try:
        return await shared().examiners.run(_page, record)
    except ExaminationError as error:
        raise IgnoreRequest(f"the archive's record: {error}") from None


def _page(record: bytes) -> Page | None:
    stream = io.BytesIO(record)
    try:
        for found in ArchiveIterator(
            stream, record_types=WarcRecordType.response, parse_http=False
        ):
            if page := page_in(found):
                return page
    except (TornError, OSError):
        pass
    return None


def _response(page: Page, request: Request) -> Response:
    charset = f"; charset={page.charset}" if page.charset else ""
    headers = {
        "Content-Type": f"text/html{charset}",
        CAPTURED: email.utils.format_datetime(page.fetched, usegmt=True),
    }
    return HtmlResponse(page.url, headers=headers, body=page.html, request=request)
