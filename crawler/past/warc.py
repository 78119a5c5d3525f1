"""WARC files: what an archive kept of the whole web, and in it the pages of our outlets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from crawler import urls
from crawler.sources.shape import could_be_article
from crawler.sources.window import Span, span_of_article, window_of
from crawler.web.record import TornError, page_in
from extract.article import Page
from extract.link import Link

if TYPE_CHECKING:
    from crawler.spider import OutletSpider

# what a file, or a part of one that can be read by itself, begins with
_MARKS = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"WARC/1.")
_CHUNK = 1024**2
MAX_FRUITLESS = 1000  # beginnings tried in a row after a damaged place


class WarcError(Exception):
    """A file that is no WARC file; its text is one sentence."""


@dataclass(frozen=True, slots=True)
class Archived:
    """A page as an archive kept it, the link it stands for and whose it is; the page's `fetched` is
    when the archive fetched it. The outlet's `window` is what is asked for.

    The link's date is what its address says, else when it was captured: archives of news follow
    the feeds."""

    spider: "type[OutletSpider]"
    window: Span
    link: Link
    page: Page

    def is_outside(self, published: datetime | None) -> bool:
        """Whether an article that was `published` then, or when its link says, lies outside the
        window."""
        moment = published or self.link.published
        return not (moment and self.window[0] <= moment < self.window[1])


@dataclass(slots=True)
class Tally:
    """What was read so far, up to the byte `position`: `records` of any kind, those `broken`
    (damaged, cut off, too large), pages of the outlets that are `outside` the window or `other`
    than articles: no HTML, an error, or an address that is a tag's, a further page's, the front
    page's."""

    position: int = 0
    records: int = 0
    broken: int = 0
    outside: int = 0
    other: int = 0


class Wanted:
    """The pages that are asked for: those of the outlets of `spiders` that were published from the
    day `first` to the end of the day `last`, by each outlet's own clock."""

    def __init__(self, spiders: "Sequence[type[OutletSpider]]", first: date, last: date) -> None:
        self._by_host: dict[str, list[tuple[type[OutletSpider], Span]]] = {}
        for spider in spiders:
            outlet = spider.outlet
            window = window_of(first, last, outlet.zone)
            for domain in (outlet.domain, *outlet.twins):
                host = urls.host(f"{outlet.scheme}://{domain}/")
                self._by_host.setdefault(host, []).append((spider, window))

    def whose(self, url: str) -> "tuple[type[OutletSpider], Span, Link] | None":
        """The outlet that `url` belongs to, its window, and the link it stands for; None: to
        nobody."""
        canonical, address = urls.canonical(url), urls.address(url)
        if canonical is None or address is None:
            return None
        for spider, window in self._by_host.get(urls.host(url), ()):
            if spider.outlet.publishes(url):
                return spider, window, spider.outlet.at_home(Link(canonical, address))
        return None


def records(stream: BinaryIO, wanted: Wanted, tally: Tally) -> Iterator[Archived | None]:
    """The wanted pages in a WARC file, plain or compressed (gzip, zstd), from `tally.position` on,
    and the count of the rest. Between two records it gives None: `tally` then says where the
    reading can go on another time, and what lies before.

    What is damaged is counted and left out: reading goes on at the next place where a record may
    begin, so `stream` must be able to seek. Raises WarcError where it is no WARC file, and what
    `stream` raises."""
    mark = _mark(stream)
    start: int | None = tally.position
    fruitless = 0
    while start is not None and fruitless < MAX_FRUITLESS:
        stream.seek(start)
        try:
            for record in ArchiveIterator(
                stream, record_types=WarcRecordType.any_type, parse_http=False
            ):
                start, fruitless = record.stream_pos, 0
                tally.position = start
                yield None
                tally.records += 1
                if record.record_type == WarcRecordType.response:
                    archived = _archived(record, wanted, tally)
                    if archived:
                        yield archived
            return
        except OSError as error:
            if error.errno:  # of the disk, not of what is written there
                raise
        tally.broken += not fruitless
        fruitless += 1
        start = _find(stream, mark, start + 1)


def _mark(stream: BinaryIO) -> bytes:
    beginning = stream.read(max(map(len, _MARKS)))
    for mark in _MARKS:
        if beginning.startswith(mark):
            return mark
    raise WarcError("it is not a WARC file")


def _find(stream: BinaryIO, mark: bytes, start: int) -> int | None:
    """Where `mark` next stands, from `start` on."""
    stream.seek(start)
    before = b""
    while chunk := stream.read(_CHUNK):
        window = before + chunk
        if (found := window.find(mark)) >= 0:
            return start - len(before) + found
        start += len(chunk)
        before = window[1 - len(mark) :]
    return None


def _archived(record: WarcRecord, wanted: Wanted, tally: Tally) -> Archived | None:
    url = (record.headers.get("WARC-Target-URI") or "").strip("<>")  # some write them around it
    whose = wanted.whose(url)
    if whose is None:
        return None
    spider, window, link = whose
    if not could_be_article(link.url):
        tally.other += 1
        return None
    captured = record.record_date
    if captured is None:
        tally.broken += 1
        return None
    named = span_of_article(link.url, spider.outlet.zone)
    if captured < window[0] or (named and (named[1] <= window[0] or named[0] >= window[1])):
        tally.outside += 1
        return None
    try:
        page = page_in(record)
    except TornError:
        tally.broken += 1
        return None
    if page is None:
        tally.other += 1
        return None
    published = named[0] + (named[1] - named[0]) / 2 if named else captured
    return Archived(spider, window, replace(link, published=published), page)
