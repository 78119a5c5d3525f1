"""What a source is given to read itself with, and what it may raise."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from scrapy.http import TextResponse

from crawler import urls
from crawler.outlet import Outlet
from storage.links import Link


class SourceError(Exception):
    """A source could not be read; `status` is the HTTP status, where it came to one."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Reader(Protocol):
    """One reading of one source of an outlet."""

    outlet: Outlet
    completed: datetime | None
    """When the last reading that came to its end ended; None where there was none."""
    since: datetime
    """Links that are certainly older than this need not be offered."""
    max_pages: int
    """How many pages to read back at the most."""
    max_undated_pages: int
    """The same for a listing that gives no dates."""

    async def fetch(self, url: str, *, conditional: bool = False) -> TextResponse | None:
        """Fetch a page of the listing, politely; raises SourceError unless it is there.

        With `conditional`, None where the server says that nothing changed since the last reading
        that came to its end."""
        ...

    async def offer(self, links: Iterable[Link]) -> bool:
        """Take the links of one page; whether the last complete reading cannot have seen one of
        them, so that reading on is worth it."""
        ...

    def forget(self, url: str) -> None:
        """Do not ask `url` conditionally next time: an unchanged answer would not mean that there
        is nothing new."""
        ...


class Source(Protocol):
    """One way an outlet lists its articles."""

    @property
    def name(self) -> str:
        """What it is called in reports and in the database, such as "feed /feed/"."""
        ...

    async def read(self, reader: Reader) -> None:
        """Read the listing back, newest first, offering each page's links. Raises SourceError."""
        ...


def make_link(
    url: str, published: datetime | None = None, modified: datetime | None = None
) -> Link | None:
    """The link for `url`; None where it is no address of an article. Where the source gives no
    date, one in the address serves."""
    canonical, address = urls.canonical(url), urls.address(url)
    if canonical is None or address is None:
        return None
    return Link(canonical, address, published or urls.date_in(canonical), modified)
