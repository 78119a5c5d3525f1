"""RSS and Atom feeds."""

import re
from calendar import timegm
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from time import struct_time
from typing import Any
from zoneinfo import ZoneInfo

import feedparser

from crawler.outlet import WIB, WIT, WITA
from crawler.sources.reader import Reader, SourceError, make_links, read_back
from crawler.sources.xml import refuse_entities
from storage.links import Link

# "+0700", "Z", "GMT", "AM" is none; a day at the end, as in 15-05-2024, neither
_ZONE = re.compile(r"(?<=:\d\d)(?:[.,]\d+)?\s*([A-Z]{1,4}|[+-]\d\d:?\d\d)\s*$")
_REFERENCE = re.compile(rb"&#(?:x([0-9a-f]+)|([0-9]+));?", re.IGNORECASE)
_OUR_ZONES = {"WIB": WIB, "WITA": WITA, "WIT": WIT}  # feedparser takes them for UTC


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed at `path`. `pages` is the path of its further pages, where it has them: by the page's
    number {page} (2 and up), as "/feed/?paged={page}", or by the number of its first entry {start},
    with `per_page` entries a page."""

    path: str
    pages: str | None = None
    per_page: int = 25

    @property
    def name(self) -> str:
        return f"feed {self.path}"

    async def read(self, reader: Reader) -> None:
        await read_back(reader, self._pages(reader))

    async def _pages(self, reader: Reader) -> AsyncIterator[Sequence[Link]]:
        for page in count(1):
            path = self.path
            if page > 1:
                if not self.pages:
                    return
                path = self.pages.format(page=page, start=(page - 1) * self.per_page + 1)
            response = await reader.fetch(reader.outlet.url(path), conditional=page == 1)
            if response is None:
                return
            links = await reader.parse(_links, response.body, response.url, reader.outlet.zone)
            if page == 1 and not links:
                raise SourceError("it lists no article")
            yield links


def _links(body: bytes, url: str, zone: ZoneInfo) -> list[Link]:
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
