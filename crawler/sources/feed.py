"""RSS and Atom feeds."""

import re
from calendar import timegm
from dataclasses import dataclass
from datetime import UTC, datetime
from time import struct_time
from typing import Any
from urllib.parse import urljoin

import feedparser

from crawler.outlet import Outlet
from crawler.sources.reader import Reader, SourceError, make_link
from crawler.sources.xml import refuse_entities
from storage.links import Link

_HAS_ZONE = re.compile(r"(Z|[A-Z]{2,4}|[+-]\d\d:?\d\d)\s*$")


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
        url = reader.outlet.url(self.path)
        response = await reader.fetch(url, conditional=True)
        if response is None:
            return
        page = 1
        while await reader.offer(_links(response.body, response.url, reader.outlet)):
            page += 1
            if not self.pages or page > reader.max_pages:
                return
            try:
                start = (page - 1) * self.per_page + 1
                path = self.pages.format(page=page, start=start)
                response = await reader.fetch(reader.outlet.url(path))
            except SourceError as error:
                if error.status in (400, 404, 410):  # past the end
                    return
                raise
            if response is None:
                return


def _links(body: bytes, url: str, outlet: Outlet) -> list[Link]:
    refuse_entities(body)
    # the flags keep feedparser from cleaning HTML that is never looked at
    feed = feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
    if not feed.version:
        raise SourceError("it is not a feed")
    links = (
        make_link(
            urljoin(url, entry.get("link", "")),
            _when(entry, "published", outlet),
            _when(entry, "updated", outlet),
        )
        for entry in feed.entries
    )
    return [link for link in links if link]


def _when(entry: Any, field: str, outlet: Outlet) -> datetime | None:
    parsed: struct_time | None = entry.get(f"{field}_parsed")
    if parsed is None:
        return None
    try:
        moment = datetime.fromtimestamp(timegm(parsed), UTC)
    except (OverflowError, ValueError):
        return None
    if _HAS_ZONE.search(entry.get(field, "")):
        return moment
    return moment.replace(tzinfo=outlet.zone)  # feedparser takes a time without zone for UTC
