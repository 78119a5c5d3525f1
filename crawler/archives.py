"""Fetching from web archives: a downloader middleware that asks them politely and makes of their
answer what the outlet once answered.

The rest of a crawl need not know where a page came from: only its time of fetch is another one.
"""

import asyncio
import email.utils
import io
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from urllib.parse import urlsplit

from fastwarc.warc import ArchiveIterator, WarcRecordType
from scrapy.exceptions import IgnoreRequest
from scrapy.http import HtmlResponse, Request, Response

import settings
from crawler.warc import opened
from extract.article import Page

MARK = "archive"
CAPTURED = "Memento-Datetime"  # RFC 7089
TIMEOUT_SECONDS = 120  # their indexes take their time
# The Wayback Machine allows 60 questions to its index a minute and 600 pages
QUESTION, PAGE = 2.0, 1.0  # times PANTAU_DELAY between two, of all outlets together
REST = 60.0  # times PANTAU_DELAY, where one that has enough does not say for how long
_WAYBACK_PAGE = re.compile(r"/web/(\d{14})id_/(https?:.+)", re.DOTALL)
_RANGE = re.compile(r"bytes=\d+-\d+")


@dataclass(slots=True)
class _Turn:
    """Whose turn it is at one host: one request after the other, none before `at`."""

    at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self, seconds: float) -> None:
        async with self.lock:
            await asyncio.sleep(max(0.0, self.at - monotonic()))
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

    async def process_request(self, request: Request) -> None:
        redirected = "redirect_urls" in request.meta
        if not is_archive(request.url) or (redirected and not request.meta.get(MARK)):
            return
        request.meta[MARK] = request.meta["dont_obey_robotstxt"] = True
        request.meta["download_timeout"] = TIMEOUT_SECONDS
        parts = urlsplit(request.url)
        if _RANGE.fullmatch(parts.fragment):
            request.headers["Range"] = parts.fragment
        is_page = parts.fragment or _WAYBACK_PAGE.search(request.url)
        delay = settings.load().delay
        await _turns[parts.netloc].take(delay * (PAGE if is_page else QUESTION))

    def process_response(self, request: Request, response: Response) -> Response:
        if not request.meta.get(MARK):
            return response
        parts = urlsplit(request.url)
        if response.status in (429, 503):
            self._rest(parts.netloc, response)
        kept = _WAYBACK_PAGE.search(response.url)
        if response.status == 200 and kept:
            headers = response.headers.copy()
            headers[CAPTURED] = email.utils.format_datetime(_moment(kept[1]), usegmt=True)
            return response.replace(url=kept[2], headers=headers)
        if response.status == 206 and parts.fragment:
            return _response(_page(response.body), request)
        return response

    def _rest(self, host: str, response: Response) -> None:
        asked = (response.headers.get("Retry-After") or b"").decode("latin-1")
        seconds = float(asked) if asked.isdecimal() else REST * settings.load().delay
        _turns[host].at = max(_turns[host].at, monotonic() + seconds)


def _moment(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise IgnoreRequest(f"the archive names no time: {stamp}") from None


def _page(record: bytes) -> Page:
    stream = io.BytesIO(record)
    try:
        for found in ArchiveIterator(
            stream, record_types=WarcRecordType.response, parse_http=False
        ):
            if page := opened(found):
                return page
    except OSError:
        pass
    raise IgnoreRequest("the archive's record is broken")


def _response(page: Page, request: Request) -> Response:
    charset = f"; charset={page.charset}" if page.charset else ""
    headers = {
        "Content-Type": f"text/html{charset}",
        CAPTURED: email.utils.format_datetime(page.fetched, usegmt=True),
    }
    return HtmlResponse(page.url, headers=headers, body=page.html, request=request)
