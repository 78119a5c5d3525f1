"""Any page for readers that lists articles: the last resort, for sites with nothing better."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import count

from crawler.sources.pages import at_page, has_pages
from crawler.sources.reader import Reader, SourceError, read_back
from crawler.sources.shape import article_links
from extract.link import Link


@dataclass(frozen=True, slots=True)
class Index:
    """Front pages, sections, archives at `paths`, whose articles are told by their shape (see
    `crawler.sources.shape`). A path with {page} (1 and up) or {index} (0 and up) is read back page
    by page."""

    paths: tuple[str, ...] = ("/",)

    @property
    def name(self) -> str:
        return f"index {' '.join(self.paths)}"

    async def read(self, reader: Reader) -> None:
        failed = None
        for path in self.paths:
            try:
                await read_back(reader, _pages(reader, path))
            except SourceError as error:  # the others are read all the same
                failed = failed or SourceError(f"{path}: {error}", error.status)
        if failed:
            raise failed


async def _pages(reader: Reader, path: str) -> AsyncIterator[Sequence[Link]]:
    numbered = has_pages(path)
    for page in count(reader.first_page if numbered else 1):
        url = reader.outlet.url(at_page(path, page))
        response = await reader.fetch(url, conditional=page == 1)
        if response is None:
            return
        links = await reader.parse(article_links, response.text, response.url)
        if page == 1 and not links:
            raise SourceError("no link on it looks like an article")
        yield links
        if not numbered:
            return
