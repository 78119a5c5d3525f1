"""Pages for readers that list articles: the site's own search, archives, and archives by date.

A path has {page} where its pages are counted from 1, {index} where they are from 0, as Drupal's.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from parsel import Selector

from crawler.sources.feed import feed_links
from crawler.sources.reader import (
    BEYOND,
    PAST_THE_END,
    Reader,
    SourceError,
    make_links,
    read_back,
)
from crawler.sources.shape import article_links
from crawler.sources.window import months
from extract.link import Link

if TYPE_CHECKING:
    from scrapy.http import TextResponse

# a quarter of the findings never say "netral"
TERMS = ("netralitas", "netral", "bawaslu", "kampanye", "pilkada", "pemilu", "politik praktis")

# as most sites write their tags
TAGS = ("netralitas-asn", "netralitas", "bawaslu", "politik-praktis", "kampanye", "pilkada")
BY_SHAPE = ""  # for a selector: the links that look like articles (crawler.sources.shape)

LinksOf = Callable[["TextResponse"], Awaitable[list[Link]]]


@dataclass(frozen=True, slots=True)
class Search:
    """The site's search, or its tags: `path` with {term} and, where it has pages, {page}. `hits` is
    a CSS selector of the links to the articles found, and only those: an empty search may still
    show others; or BY_SHAPE. Without `hits` the answer is a feed, as that of WORDPRESS_SEARCH. A
    term that the site has no page for finds nothing, unless it has one for none of them."""

    path: str
    hits: str | None
    terms: tuple[str, ...] = TERMS

    @property
    def name(self) -> str:
        """A search for one term only is called by it."""
        term = quote_plus(self.terms[0]) if len(self.terms) == 1 else "{term}"
        return f"search {self.path.replace('{term}', term)}"

    async def read(self, reader: Reader) -> None:
        links_of = _feed(reader) if self.hits is None else _html(reader, self.hits)
        unknown = None
        answered = False
        for term in self.terms:
            path = self.path.replace("{term}", quote_plus(term))
            try:
                await read_back(reader, _pages(reader, path, links_of, reader.first_page))
                answered = True
            except SourceError as error:
                if error.status not in PAST_THE_END:
                    raise
                unknown = error
        if unknown and not answered:
            raise unknown


# by date: WordPress would otherwise give those first that have the term in their title
WORDPRESS_SEARCH = Search("/?s={term}&feed=rss2&orderby=date&order=desc&paged={page}", hits=None)
WORDPRESS_TAGS = Search("/tag/{term}/feed/?paged={page}", hits=None, terms=TAGS)


@dataclass(frozen=True, slots=True)
class Archive:
    """Index pages, the newest articles first: `path` with {page}. `links` is a CSS selector of the
    links to the articles."""

    path: str
    links: str

    @property
    def name(self) -> str:
        return f"archive {self.path}"

    async def read(self, reader: Reader) -> None:
        await read_back(reader, self._pages(reader))

    async def _pages(self, reader: Reader) -> AsyncIterator[Sequence[Link]]:
        empty = reader.first_page == 1
        links_of = _html(reader, self.links)
        async for links in _pages(reader, self.path, links_of, reader.first_page):
            if empty and not links:
                raise SourceError(f"nothing on it fits {self.links!r}")
            empty = False
            yield links


@dataclass(frozen=True, slots=True)
class DateArchive:
    """Listings of one day each, or of one month where `path` has no {day}: `path` with {year},
    {month} and {day} (with leading zeros) and, where it has pages, {page}. `links` is a CSS
    selector of the links to the articles; without it they are told by their shape. A listing that
    is not there is empty, but for a daily crawl one of the last days has to be there."""

    path: str
    links: str | None = None

    @property
    def name(self) -> str:
        return f"date archive {self.path}"

    async def read(self, reader: Reader) -> None:
        days = list(self._days(reader))
        if len(days) == 1:  # its pages are those that a backfill goes on behind
            missing = [await self._read_listing(reader, days[0], numbered=True)]
        else:
            missing = []
            for number, day in enumerate(days, 1):
                if number >= reader.first_page:
                    missing.append(await self._read_listing(reader, day, numbered=False))
                    await reader.offer((), number)
        if not reader.until and (error := missing[0]) and all(missing):
            raise error

    def _days(self, reader: Reader) -> Iterator[datetime]:
        """The days of the reader's window, the newest first, or the beginnings of its months."""
        zone = reader.outlet.zone
        until = reader.until or datetime.now(UTC)
        if "{day}" not in self.path:
            yield from (begin for begin, _ in months(reader.since, until, zone))
            return
        last = (until - timedelta(microseconds=1)).astimezone(zone)
        day = datetime.combine(last, time.min, zone)
        while day + timedelta(days=1) > reader.since:
            yield day
            day -= timedelta(days=1)

    async def _read_listing(
        self, reader: Reader, day: datetime, *, numbered: bool
    ) -> SourceError | None:
        """Read the pages of one listing, until one has nothing new: some sites answer any page;
        says what is answered where it is not there."""
        path = self.path
        for field, code in (("{year}", "%Y"), ("{month}", "%m"), ("{day}", "%d")):
            path = path.replace(field, day.strftime(code))
        first = reader.first_page if numbered else 1
        known: set[str] = set()
        number = first
        try:
            pages = _pages(
                reader, path, _html(reader, self.links or BY_SHAPE), first, conditional=False
            )
            async for links in pages:
                addresses = {link.url for link in links}
                if addresses <= known:
                    return None
                if not await reader.offer(links, number if numbered else None) and numbered:
                    return None
                known |= addresses
                number += 1
                if number - first >= reader.max_pages:
                    reader.left_out(BEYOND)
                    return None
        except SourceError as error:
            if error.status not in PAST_THE_END:
                raise
            return error if number == first else None
        return None


async def _pages(
    reader: Reader, path: str, links_of: LinksOf, first: int, *, conditional: bool = True
) -> AsyncIterator[list[Link]]:
    """The links of one page after another; none where the first, asked conditionally, has not
    changed."""
    for page in count(first):
        url = reader.outlet.url(at_page(path, page))
        response = await reader.fetch(url, conditional=conditional and page == 1)
        if response is None:
            return
        yield await links_of(response)
        if not has_pages(path):
            return


def has_pages(path: str) -> bool:
    """Whether a listing's path leads to further pages."""
    return "{page}" in path or "{index}" in path


def at_page(path: str, page: int) -> str:
    """The path of a listing's page number `page`, from 1 on."""
    return path.replace("{page}", str(page)).replace("{index}", str(page - 1))


def _feed(reader: Reader) -> LinksOf:
    """Reads a page's links as a feed's."""
    return lambda page: reader.parse(feed_links, page.body, page.url, reader.outlet.zone)


def _html(reader: Reader, selector: str) -> LinksOf:
    """Reads the links that fit `selector`, or those that look like articles."""
    if selector == BY_SHAPE:
        return lambda page: reader.parse(article_links, page.text, page.url)
    return lambda page: reader.parse(_links, page.text, page.url, selector)


def _links(html: str, url: str, selector: str) -> list[Link]:
    hrefs = Selector(html).css(selector).xpath("@href").getall()
    return make_links(url, ((href, None, None) for href in hrefs))
