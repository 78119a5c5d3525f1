"""Sitemaps, sitemap indexes and news sitemaps."""

import re
import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from lxml import etree

from crawler import urls
from crawler.sources.reader import (
    MAX_LINKS,
    TOO_OLD,
    UNREADABLE,
    Listing,
    Reader,
    SourceError,
    make_links,
)
from crawler.sources.window import span_of_listing
from crawler.sources.xml import refuse_entities

_DIGITS = re.compile(r"([0-9]{1,9})")
OLD_SITEMAPS = "sitemaps older than what is read"
OTHER_MONTHS = "sitemaps of another month"
BEYOND = "sitemaps beyond the last that is read"
MAX_DEPTH = 3
MAX_BYTES = 50 * 1024 * 1024  # the protocol's own limit for a sitemap (sitemaps.org)
_NEWS = b"http://www.google.com/schemas/sitemap-news/"  # the namespace of a news sitemap's elements

# what the usual plugins call the sitemaps of everything that is no article
_NO_ARTICLES = re.compile(
    r"(?<![a-z])(?:categor(?:y|ies)|kategori|tags?|authors?|users?|taxonom(?:y|ies)|posts-page|"
    r"page-sitemap|sitemap-pages|images?|videos?|products?)(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Entry:
    url: str
    modified: datetime | None
    published: datetime | None

    @property
    def latest(self) -> datetime | None:
        return max(filter(None, (self.modified, self.published)), default=None)


@dataclass(frozen=True, slots=True)
class _Articles:
    """What a sitemap lists: the links that are not too old, of so many entries."""

    links: Listing
    entries: int


@dataclass(frozen=True, slots=True)
class _Index:
    """The sitemaps that an index lists; of so many more the address cannot be read."""

    entries: list[_Entry]
    unreadable: int


@dataclass(frozen=True, slots=True)
class Sitemap:
    """A sitemap at `path`, or an index of sitemaps. What lies before the reading's window is left
    out by its date, and counted; an index whose entries have none is read whole each time. A
    backfill also passes over sitemaps whose names say another month: of these, what they list is
    not known, and each counts as one. One that lists nothing at all has failed, but
    for a news sitemap: after a quiet day it is empty."""

    path: str

    @property
    def name(self) -> str:
        return f"sitemap {self.path}"

    async def read(self, reader: Reader) -> None:
        url = reader.outlet.url(self.path)
        if not await self._read(reader, url, 1, {url}):
            raise SourceError("it lists no article")

    async def _read(
        self, reader: Reader, url: str, depth: int, read: set[str], page: int | None = None
    ) -> bool:
        """Read a sitemap and those below it, but for those `read` already; whether they list
        anything, be it old or known."""
        response = await reader.fetch(url, conditional=True)
        if response is None:
            return True
        found = await reader.parse(_parse, response.body, url, reader.outlet.zone, reader.since)
        if isinstance(found, _Articles):
            await reader.offer(found.links, page)
            is_quiet = not reader.stands_in and _NEWS in response.body
            return found.entries > 0 or is_quiet
        entries = found.entries
        reader.left_out(UNREADABLE, found.unreadable)
        if any(map(_may_change, entries)):
            reader.forget(url)  # it stays the same when its sitemaps change
        if depth == MAX_DEPTH:
            raise SourceError(f"its indexes are nested more than {MAX_DEPTH} deep")
        passed_over = {e.url: why for e in entries if (why := _why_not(e, reader))}
        counts = Counter(passed_over.values())
        for why, count in counts.items():
            reader.left_out(why, count)
        failed = None
        # a backfill counts the sitemaps of the first index as its pages, in an order that stays
        # the same while some of them change
        order = sorted(entries, key=_by_name) if reader.until else _newest_first(entries)
        start = reader.first_page if depth == 1 else 1
        children = [
            (n, entry)
            for n, entry in enumerate(order, 1)
            if n >= start and entry.url not in passed_over
        ]
        reader.left_out(BEYOND, len(children[reader.max_pages :]))
        # those of another time list something, too, and those that were read before a kill
        lists = bool(counts[OLD_SITEMAPS] or counts[OTHER_MONTHS]) or start > 1
        for number, entry in children[: reader.max_pages]:
            if entry.url in read:
                continue
            if len(read) > reader.max_pages * MAX_DEPTH:  # indexes of indexes multiply
                reader.left_out(BEYOND)
                continue
            read.add(entry.url)
            try:
                counted = number if depth == 1 and not failed else None  # it is read again
                lists |= await self._read(reader, entry.url, depth + 1, read, counted)
            except SourceError as error:  # the others are read all the same
                failed = failed or SourceError(f"{entry.url}: {error}", error.status)
        if failed:
            raise failed
        if page:
            await reader.offer((), page)
        return lists


def _why_not(entry: _Entry, reader: Reader) -> str | None:
    """Why a sitemap is passed over; None where it is read."""
    if not _is_recent(entry, reader.since):
        return OLD_SITEMAPS
    if not reader.outlet.owns(entry.url):
        return "sitemaps of another site"
    if _is_of_others(entry.url):
        return "sitemaps of other things than articles"
    return OTHER_MONTHS if _is_outside(entry.url, reader) else None


def _is_of_others(url: str) -> bool:
    """Whether a sitemap's name says that it lists no articles."""
    return bool(_NO_ARTICLES.search(urlsplit(urls.canonical(url) or "").path))


def _is_outside(url: str, reader: Reader) -> bool:
    """Whether a sitemap's name says that all it lists lies outside a backfill's window."""
    span = span_of_listing(url, reader.outlet.zone) if reader.until else None
    return bool(span and reader.until and (span[1] <= reader.since or span[0] >= reader.until))


def _may_change(entry: _Entry) -> bool:
    """Whether a sitemap may change and its index stay the same: it has no date there, or only that
    of a day which is not over everywhere, as the site's clock may be another."""
    if entry.modified is None:
        return True
    is_day = entry.modified.microsecond == time.max.microsecond
    return is_day and entry.modified > datetime.now(UTC) - timedelta(days=1)


def _is_recent(entry: _Entry, since: datetime) -> bool:
    return not entry.latest or entry.latest >= since


def _by_name(entry: _Entry) -> list[str | int]:
    """Sorts by address, numbers by their value: what is added later comes last, as a rule."""
    return [int(part) if part.isdecimal() else part for part in _DIGITS.split(entry.url)]


def _newest_first(entries: list[_Entry]) -> list[_Entry]:
    # undated ones are numbered upwards by time: the last is the newest
    early = datetime.min.replace(tzinfo=UTC)
    return sorted(entries, key=lambda e: e.latest or early)[::-1]


def _parse(body: bytes, url: str, zone: ZoneInfo, since: datetime) -> _Articles | _Index:
    """The articles that the sitemap at `url` lists, without those before `since`; or, where it is
    an index, its entries."""
    if body.startswith(b"\x1f\x8b"):
        body = _unpacked(body)
    refuse_entities(body)
    # recover: many sitemaps are not well-formed
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        root = None
    kind = etree.QName(root).localname if root is not None else ""
    if root is None or kind not in ("urlset", "sitemapindex"):
        raise SourceError("it is not a sitemap")
    entries, unreadable = [], 0
    for element in root.iterchildren("{*}url", "{*}sitemap"):
        location = (element.findtext("{*}loc") or "").strip()
        if 0 < len(location) <= urls.MAX_LENGTH:
            modified = _when(element.findtext("{*}lastmod"), zone)
            published = _when(element.findtext("{*}news/{*}publication_date"), zone)
            entries.append(_Entry(location, modified, published))
        else:
            unreadable += 1
    if len(entries) > MAX_LINKS:
        raise SourceError(f"it lists more than {MAX_LINKS:,} addresses")
    if kind == "sitemapindex":
        return _Index(entries, unreadable)
    recent = [(e.url, e.published, e.modified) for e in entries if _is_recent(e, since)]
    links = make_links(url, recent)
    links.dropped += Counter({TOO_OLD: len(entries) - len(recent), UNREADABLE: unreadable})
    return _Articles(links, len(entries))


def _unpacked(body: bytes) -> bytes:
    unpack = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpack.decompress(body, MAX_BYTES)
    except zlib.error as error:
        raise SourceError(f"its gzip data cannot be unpacked: {error}") from None
    if unpack.unconsumed_tail:
        raise SourceError(f"unpacked it is larger than {MAX_BYTES // 1024**2} MB")
    return unpacked


def _when(text: str | None, zone: ZoneInfo) -> datetime | None:
    """A W3C date or time; a day alone means its end, a time without zone the outlet's."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        if len(text.strip()) == 10:
            moment = datetime.combine(moment, time.max)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
