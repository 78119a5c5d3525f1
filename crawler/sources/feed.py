"""RSS and Atom feeds."""

import re
from calendar import timegm
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from time import struct_time
from typing import Any
from zoneinfo import ZoneInfo

import feedparser

from crawler.outlet import WIB, WIT, WITA
from crawler.sources.reader import PAST_THE_END, Reader, SourceError, make_links, read_back
from crawler.sources.window import next_month
from crawler.sources.xml import refuse_entities
from extract.link import Link

# "+0700", "Z", "GMT", "AM" is none; a day at the end, as in 15-05-2024, neither
_ZONE = re.compile(r"(?<=:\d\d)(?:[.,]\d+)?\s*([A-Z]{1,4}|[+-]\d\d:?\d\d)\s*$")
_REFERENCE = re.compile(rb"&#(?:x([0-9a-f]+)|([0-9]+));?", re.IGNORECASE)
MAX_LEAP = 50_000  # pages
_OUR_ZONES = {"WIB": WIB, "WITA": WITA, "WIT": WIT}  # feedparser takes them for UTC


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed at `path`. `pages` is the path of its further pages, where it has them: by the page's
    number {page} (2 and up), as "/feed/?paged={page}", or by the number of its first entry {start},
    with `per_page` entries a page.

    `window` is the path of its entries of a part of the past, where it can be asked for them: from
    {since} until {until} (RFC 3339), or of the {year} and {month} (two digits) that `since` lies in
    at the outlet; with {page} (1 and up) or {start}, with `window_per_page` entries a page. Without
    it a backfill pages back to its window, by leaps where the pages are dated."""

    path: str
    pages: str | None = None
    per_page: int = 25
    window: str | None = None
    window_per_page: int = 150  # the most that Blogger gives

    @property
    def name(self) -> str:
        return f"feed {self.path}"

    async def read(self, reader: Reader) -> None:
        if reader.until and self.window:
            await self._read_window(reader, self.window, reader.until)
            return
        if reader.until and reader.first_page == 1:
            page_at = partial(self._page, reader)
            await _leap(reader, page_at, reader.until)
        await read_back(reader, self._pages(reader))

    async def _pages(self, reader: Reader) -> AsyncIterator[Sequence[Link]]:
        for page in count(reader.first_page):
            links = await self._page(reader, page)
            if links is None:
                return
            if page == 1 and not links:
                raise SourceError("it lists no article")
            yield links

    async def _page(self, reader: Reader, page: int) -> list[Link] | None:
        """The links of one page; None where there is none, or nothing new on it."""
        path: str | None = self.path
        if page > 1:
            start = (page - 1) * self.per_page + 1
            path = self.pages and self.pages.format(page=page, start=start)
        return await _fetch(reader, path, conditional=page == 1) if path else None

    async def _read_window(self, reader: Reader, window: str, until: datetime) -> None:
        since = reader.since.astimezone(reader.outlet.zone)

        async def page_at(page: int) -> list[Link] | None:
            path = window.format(
                since=_rfc3339(since),
                until=_rfc3339(until),
                year=f"{since:%Y}",
                month=f"{since:%m}",
                page=page,
                start=(page - 1) * self.window_per_page + 1,
            )
            return await _fetch(reader, path)

        async def pages() -> AsyncIterator[Sequence[Link]]:
            for page in count(reader.first_page):
                links = await page_at(page)
                if not links:
                    return
                yield links
                if "{page}" not in window and "{start}" not in window:
                    return

        try:
            ends_early = until < next_month(since.replace(day=1))
            if "{month}" in window and "{page}" in window and ends_early and reader.first_page == 1:
                await _leap(reader, page_at, until)
            await read_back(reader, pages())
        except SourceError as error:
            if error.status not in PAST_THE_END:  # so WordPress answers where there is nothing
                raise


async def _leap(
    reader: Reader, page_at: Callable[[int], Awaitable[list[Link] | None]], until: datetime
) -> None:
    """Let the reading begin where its window does."""
    reader.first_page = await _first_page(page_at, until)
    reader.left_out("pages of a feed after a backfill's window", reader.first_page - 1)


async def _first_page(
    page_at: Callable[[int], Awaitable[list[Link] | None]], until: datetime
) -> int:
    """The page on which a backfill's window begins, or one before it: pages ahead are looked at in
    doubling steps until one reaches the window, then the gap is halved."""

    first: list[Link] | None = None

    async def is_newer(page: int) -> bool:
        nonlocal first
        try:
            links = await page_at(page)
        except SourceError as error:
            if page == 1 or error.status not in PAST_THE_END:
                raise
            return False
        if page > 1 and links == first:  # it knows no pages
            return False
        first = links if page == 1 else first
        dates = sorted(link.published for link in links or () if link.published)
        return len(dates) > 1 and dates[1] >= until  # the oldest one may be a sticky post

    newer, reached = 0, 1
    while reached <= MAX_LEAP and await is_newer(reached):
        newer, reached = reached, reached * 2
    while reached - newer > 1:
        middle = (newer + reached) // 2
        if await is_newer(middle):
            newer = middle
        else:
            reached = middle
    return max(newer, 1)


async def _fetch(reader: Reader, path: str, *, conditional: bool = False) -> list[Link] | None:
    response = await reader.fetch(reader.outlet.url(path), conditional=conditional)
    if response is None:
        return None
    return await reader.parse(feed_links, response.body, response.url, reader.outlet.zone)


def _rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def feed_links(body: bytes, url: str, zone: ZoneInfo) -> list[Link]:
    """The links of an RSS or Atom feed. Raises SourceError where it is none."""
    refuse_entities(body)
    # the flags keep feedparser from cleaning HTML that is never looked at
    body = _REFERENCE.sub(_character, body)
    feed = feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
    if not feed.get("version"):
        raise SourceError("it is not a feed")
    return make_links(
        url,
        (
            (e.get("link", ""), _when(e, "published", zone), _when(e, "updated", zone))
            for e in feed.entries
        ),
    )


def _character(reference: re.Match[bytes]) -> bytes:
    """A character reference, unless it is to none, such as the half of an emoji in &#55357;: those
    feedparser does not survive."""
    number = reference[1] or reference[2]
    code = int(number, 16 if reference[1] else 10) if len(number) < 10 else 0
    return reference[0] if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else b""


def _when(entry: Any, field: str, zone: ZoneInfo) -> datetime | None:
    parsed: struct_time | None = entry.get(f"{field}_parsed")
    if parsed is None:
        return None
    try:
        moment = datetime.fromtimestamp(timegm(parsed), UTC)
    except (OverflowError, ValueError, OSError):
        return None
    given = _ZONE.search(entry.get(field, ""))
    # feedparser takes a time without zone for UTC
    if given is None or given[1] in ("AM", "PM"):
        return moment.replace(tzinfo=zone)
    if given[1] in _OUR_ZONES:
        return moment.replace(tzinfo=_OUR_ZONES[given[1]])
    return moment
