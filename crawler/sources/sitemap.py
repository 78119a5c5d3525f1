"""Sitemaps, sitemap indexes and news sitemaps."""

import re
import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, time
from urllib.parse import urljoin, urlsplit

from lxml import etree
from scrapy.utils.gz import gunzip

from crawler.outlet import Outlet
from crawler.sources.reader import Reader, SourceError, make_link
from crawler.sources.xml import refuse_entities

MAX_DEPTH = 3
MAX_BYTES = 50 * 1024 * 1024  # the protocol's own limit for a sitemap (sitemaps.org)

# what the usual plugins call the sitemaps of everything that is no article
_NO_ARTICLES = re.compile(
    r"categor|tag|author|user|taxonom|posts-page|page-sitemap|sitemap-pages|image|video|product",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Entry:
    url: str
    modified: datetime | None
    published: datetime | None


@dataclass(frozen=True, slots=True)
class Sitemap:
    """A sitemap at `path`, or an index of sitemaps. What lies before the reading's window is left
    out by its date; an index whose entries have none is read whole each time."""

    path: str

    @property
    def name(self) -> str:
        return f"sitemap {self.path}"

    async def read(self, reader: Reader) -> None:
        await self._read(reader, reader.outlet.url(self.path), depth=1)

    async def _read(self, reader: Reader, url: str, depth: int) -> None:
        response = await reader.fetch(url, conditional=True)
        if response is None:
            return
        is_index, entries = _parse(response.body, url, reader.outlet)
        recent = [e for e in entries if _latest(e) is None or _latest(e) >= reader.since]  # type: ignore[operator]
        if not is_index:
            await reader.offer(
                link for e in recent if (link := make_link(e.url, e.published, e.modified))
            )
            return
        if any(e.modified is None for e in entries):
            reader.forget(url)  # it stays the same when its sitemaps change
        if depth == MAX_DEPTH:
            raise SourceError(f"its indexes are nested more than {MAX_DEPTH} deep")
        wanted = [e for e in recent if not _NO_ARTICLES.search(urlsplit(e.url).path)]
        for entry in _newest_first(wanted)[: reader.max_pages]:
            if reader.outlet.owns(entry.url):
                await self._read(reader, entry.url, depth + 1)


def _latest(entry: _Entry) -> datetime | None:
    return max(filter(None, (entry.modified, entry.published)), default=None)


def _newest_first(entries: list[_Entry]) -> list[_Entry]:
    # undated ones are numbered upwards by time: the last is the newest
    early = datetime.min.replace(tzinfo=UTC)
    return sorted(entries, key=lambda e: _latest(e) or early)[::-1]


def _parse(body: bytes, url: str, outlet: Outlet) -> tuple[bool, list[_Entry]]:
    if body.startswith(b"\x1f\x8b"):
        try:
            body = gunzip(body, max_size=MAX_BYTES)
        except (OSError, EOFError, ValueError, zlib.error, struct.error) as error:
            raise SourceError(f"its gzip data cannot be unpacked: {error}") from None
    refuse_entities(body)
    # recover: many sitemaps are not well-formed
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
    root = etree.fromstring(body, parser)
    kind = etree.QName(root).localname if root is not None else ""
    if kind not in ("urlset", "sitemapindex"):
        raise SourceError("it is not a sitemap")
    return kind == "sitemapindex", [
        _Entry(
            urljoin(url, location.strip()),
            _when(element.findtext("{*}lastmod"), outlet),
            _when(element.findtext("{*}news/{*}publication_date"), outlet),
        )
        for element in root.iterchildren("{*}url", "{*}sitemap")
        if (location := element.findtext("{*}loc"))
    ]


def _when(text: str | None, outlet: Outlet) -> datetime | None:
    """A W3C date or time; a day alone means its end, a time without zone the outlet's."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if len(text.strip()) == 10:
        moment = datetime.combine(moment, time.max)
    return moment if moment.tzinfo else moment.replace(tzinfo=outlet.zone)
