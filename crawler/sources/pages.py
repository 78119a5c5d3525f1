"""Pages for readers that list articles: the site's own search, and archive or index pages."""

from dataclasses import dataclass
from urllib.parse import quote_plus, urljoin

from crawler.sources.reader import Reader, SourceError, make_link

TERMS = ("netralitas asn", "netral pilkada", "netralitas")


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
            await _read_back(reader, self.path, self.hits, quote_plus(term))


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
        await _read_back(reader, self.path, self.links)


async def _read_back(reader: Reader, path: str, links: str, term: str = "") -> None:
    for page in range(1, reader.max_undated_pages + 1):
        url = reader.outlet.url(path.format(term=term, page=page))
        try:
            response = await reader.fetch(url)
        except SourceError as error:
            if page > 1 and error.status in (400, 404, 410):  # past the end
                return
            raise
        hrefs = response.css(links).xpath("@href").getall() if response else []
        found = [link for href in hrefs if (link := make_link(urljoin(url, href)))]
        if not await reader.offer(found) or "{page}" not in path:
            return
