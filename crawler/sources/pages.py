"""Pages for readers that list articles: the site's own search, and archive or index pages."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote_plus

from parsel import Selector

from crawler.sources.reader import Reader, SourceError, make_links, read_back
from storage.links import Link

# a quarter of the findings never say "netral"
TERMS = ("netralitas", "netral", "bawaslu", "kampanye", "pilkada", "pemilu", "politik praktis")


@dataclass(frozen=True, slots=True)
class Search:
    """The site's search: `path` with {term} and, where it has pages, {page} (1 and up). `hits` is a
    CSS selector of the links to the articles found, and only those: an empty search may still show
    others."""

    path: str
    hits: str
    terms: tuple[str, ...] = TERMS

    @property
    def name(self) -> str:
        return f"search {self.path}"

    async def read(self, reader: Reader) -> None:
        for term in self.terms:
            await read_back(reader, _pages(reader, self.path, self.hits, quote_plus(term)))


@dataclass(frozen=True, slots=True)
class Archive:
    """Index pages, the newest articles first: `path` with {page} (1 and up). `links` is a CSS
    selector of the links to the articles."""

    path: str
    links: str

    @property
    def name(self) -> str:
        return f"archive {self.path}"

    async def read(self, reader: Reader) -> None:
        await read_back(reader, self._pages(reader))

    async def _pages(self, reader: Reader) -> AsyncIterator[Sequence[Link]]:
        empty = True
        async for links in _pages(reader, self.path, self.links):
            if empty and not links:
                raise SourceError(f"nothing on it fits {self.links!r}")
            empty = False
            yield links


async def _pages(
    reader: Reader, path: str, links: str, term: str = ""
) -> AsyncIterator[Sequence[Link]]:
    for page in count(1):
        response = await reader.fetch(reader.outlet.url(path.format(term=term, page=page)))
        assert response  # it was not asked conditionally
        yield await reader.parse(_links, response.text, response.url, links)
        if "{page}" not in path:
            return


def _links(html: str, url: str, selector: str) -> list[Link]:
    hrefs = Selector(html).css(selector).xpath("@href").getall()
    return make_links(url, ((href, None, None) for href in hrefs))
