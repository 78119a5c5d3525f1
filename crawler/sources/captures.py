"""Web archives' indexes, asked which of an outlet's pages they have: the past of outlets that are
gone.

cdx_toolkit knows both, but it asks by itself, synchronously, outside the crawl's limits, delays and
worker processes; what it would spare us is two addresses and a line of JSON.

A link from here is of the outlet's own page; its address is where the archive keeps that page (see
`crawler.web.archives`, which fetches it). An index is ordered by address, not by time: a reading
that is cut short begins again, and what it listed before is known.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, ValidationError

import settings
from crawler import urls
from crawler.sources.reader import PAST_THE_END, UNREADABLE, Listing, Reader, SourceError
from crawler.sources.shape import could_be_article
from crawler.sources.window import span_of_article
from extract.link import Link

BEYOND = "on pages of an index beyond the last that is read"
UNASKED = "captures beyond those that were asked for"
PER_PAGE = 3000  # captures; some 300 KB
_STAMP = "%Y%m%d%H%M%S"
_CRAWL = re.compile(r"CC-MAIN-(\d{4})-(\d\d)")
_MARGIN = timedelta(days=14)  # around the week that names a crawl
_FILE = re.compile(r"crawl-data/(?:[\w=-][\w.=-]*/)+[\w.=-]+\.warc\.gz", re.ASCII)

Window = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Wayback:
    """The first capture of each page that the Wayback Machine took within the window."""

    @property
    def name(self) -> str:
        return "wayback"

    async def read(self, reader: Reader) -> None:
        for domain in (reader.outlet.domain, *reader.outlet.twins):
            async for links in self._pages(reader, domain):
                await reader.offer(links)

    async def _pages(self, reader: Reader, domain: str) -> AsyncIterator[Listing]:
        base = str(settings.load().wayback_url)
        query = [
            ("url", f"{domain}{reader.outlet.section}/*"),
            ("output", "json"),
            ("fl", "timestamp,original"),
            *_between(reader),
            ("filter", "statuscode:200"),
            ("filter", "mimetype:text/html"),
            ("collapse", "urlkey"),
            ("limit", str(PER_PAGE)),
            ("showResumeKey", "true"),
        ]
        key = None
        for _ in range(reader.max_pages):
            resumed = [*query, ("resumeKey", key)] if key else query
            response = await reader.fetch(f"{base}/cdx/search/cdx?{urlencode(resumed)}")
            assert response  # it was not asked conditionally
            links, key = await reader.parse(
                _of_wayback, response.body, base, (reader.since, reader.until), reader.outlet.zone
            )
            yield links
            if not key:
                return
        reader.left_out(BEYOND)


@dataclass(frozen=True, slots=True)
class CommonCrawl:
    """The captures of Common Crawl's monthly crawls within the window."""

    @property
    def name(self) -> str:
        return "commoncrawl"

    async def read(self, reader: Reader) -> None:
        base = str(settings.load().common_crawl_index_url)
        response = await reader.fetch(f"{base}/collinfo.json")
        assert response  # it was not asked conditionally
        window = reader.since, reader.until
        for crawl in await reader.parse(_crawls, response.body, window):
            for domain in (reader.outlet.domain, *reader.outlet.twins):
                async for links in self._pages(reader, f"{base}/{crawl}-index", domain):
                    await reader.offer(links)

    async def _pages(self, reader: Reader, index: str, domain: str) -> AsyncIterator[Listing]:
        query = [
            ("url", f"{domain}{reader.outlet.section}/*"),
            ("output", "json"),
            ("fl", "url,filename,offset,length"),
            *_between(reader),
            ("filter", "=status:200"),
            ("filter", "=mime:text/html"),
        ]
        for page in range(reader.max_pages):
            try:
                response = await reader.fetch(f"{index}?{urlencode([*query, ('page', page)])}")
            except SourceError as error:
                if error.status in PAST_THE_END:  # 404 says that it has none
                    return
                raise
            assert response  # it was not asked conditionally
            yield await reader.parse(
                _of_common_crawl,
                response.body,
                str(settings.load().common_crawl_data_url),
                (reader.since, reader.until),
                reader.outlet.zone,
            )
        reader.left_out(BEYOND)


def _between(reader: Reader) -> Iterator[tuple[str, str]]:
    """The window as the indexes are asked for it; both ends belong to it."""
    yield "from", reader.since.astimezone(UTC).strftime(_STAMP)
    if reader.until:
        last = reader.until.astimezone(UTC) - timedelta(seconds=1)
        yield "to", last.strftime(_STAMP)


def _of_wayback(
    body: bytes, base: str, window: Window, zone: ZoneInfo
) -> tuple[Listing, str | None]:
    """The links in an answer of the CDX server, and the key to ask for the next with."""
    try:
        rows = json.loads(body) if body.strip() else []
    except (ValueError, RecursionError):
        raise SourceError("it does not answer in JSON") from None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise SourceError("it does not answer with a list of captures")
    links = Listing()
    for number, row in enumerate(rows[1 : PER_PAGE + 2], 1):
        match row:
            case [str(stamp), str(original)] if re.fullmatch(r"[0-9]{14}", stamp):
                _add(links, original, f"{base}/web/{stamp}id_/{original}", window, zone)
            case []:  # the end; behind it may stand the key
                match rows[number + 1 :]:
                    case [[str(key)]]:
                        return links, key
            case _:
                links.dropped[UNREADABLE] += 1
    links.dropped[UNASKED] += max(0, len(rows) - PER_PAGE - 2)
    return links, None


class _Crawl(BaseModel):
    id: str
    begin: datetime | None = Field(None, alias="from")
    end: datetime | None = Field(None, alias="to")


def _crawls(body: bytes, window: Window) -> list[str]:
    """The crawls that overlap the window, as the list of them has them: the newest first."""
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError):
        raise SourceError("it does not answer in JSON") from None
    crawls = [crawl for row in rows if (crawl := _crawl(row))] if isinstance(rows, list) else []
    if not crawls:
        raise SourceError("it does not answer with a list of crawls")
    since, until = window
    found = []
    for crawl in crawls:
        named = _CRAWL.fullmatch(crawl.id)
        if not named:  # the first crawls of all, before 2013
            continue
        try:
            week = datetime.fromisocalendar(int(named[1]), int(named[2]), 1).replace(tzinfo=UTC)
        except ValueError:
            continue
        begin = _aware(crawl.begin) or week - _MARGIN
        end = _aware(crawl.end) or week + _MARGIN
        if end >= since and (until is None or begin < until):
            found.append(crawl.id)
    return found


def _crawl(row: Any) -> _Crawl | None:
    try:
        return _Crawl.model_validate(row)
    except ValidationError:
        return None


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


class _Capture(BaseModel):
    url: str
    filename: str = Field(pattern=_FILE.pattern)
    offset: int = Field(ge=0)
    length: int = Field(ge=1, le=settings.DOWNLOAD_MAXSIZE)


def _of_common_crawl(body: bytes, base: str, window: Window, zone: ZoneInfo) -> Listing:
    """The links in an answer of the index: one JSON object a line."""
    links = Listing()
    for line in body.splitlines():
        try:
            capture = _Capture.model_validate_json(line)
        except ValidationError:
            links.dropped[UNREADABLE] += bool(line.strip())
            continue
        last = capture.offset + capture.length - 1
        address = f"{base}/{capture.filename}#bytes={capture.offset}-{last}"
        _add(links, capture.url, address, window, zone)
    return links


def _add(links: Listing, original: str, address: str, window: Window, zone: ZoneInfo) -> None:
    """Add the link to a capture, unless it is no article's or certainly of another time."""
    canonical = urls.canonical(original)
    if canonical is None or not could_be_article(canonical):
        links.dropped["no address of an article"] += 1
        return
    span = span_of_article(canonical, zone)
    since, until = window
    if span and (span[1] <= since or (until and span[0] >= until)):
        links.dropped["of another time"] += 1
        return
    links.append(Link(canonical, address, urls.date_in(canonical)))
