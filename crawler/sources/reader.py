"""What a source is given to read itself with, and what it may raise."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urljoin

from crawler import urls
from crawler.outlet import Outlet
from extract.link import Link

MAX_LINKS = 50_000  # on one page; the sitemap protocol's own limit
PAST_THE_END = (400, 404, 410)  # what a listing answers after its last page

# why something that is listed is left out, for the ledger
TOO_OLD = "older than what is read"
UNREADABLE = "entries that cannot be read"
BEYOND = "on pages of a listing beyond the last that is read"

if TYPE_CHECKING:  # the workers parse listings, and need no Scrapy for it
    from scrapy.http import TextResponse

T = TypeVar("T")


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
    until: datetime | None
    """The end of a backfill's window: links that are certainly of this moment or later need not be
    offered. None: there is none."""
    first_page: int
    """Which page of the listing to begin with: 1, or where a reading cut short goes on."""
    max_pages: int
    """How many pages to read back at the most."""
    max_undated_pages: int
    """How many of them may be without dates."""
    stands_in: bool
    """Whether it stands in for a source that failed: one that lists nothing does not."""
    is_alone: bool
    """Whether the outlet has no other daily source that would tell that this one is at fault."""

    async def fetch(self, url: str, *, conditional: bool = False) -> "TextResponse | None":
        """Fetch a page of the listing, politely; raises SourceError unless it is there.

        With `conditional`, None where the server says that nothing changed since the last reading
        that came to its end."""
        ...

    async def parse(self, function: Callable[..., T], *args: object) -> T:
        """`function(*args)` in a worker process, with its limits of time and memory: a listing is
        as hostile as any page. Raises SourceError where the function does."""
        ...

    async def offer(self, links: Iterable[Link], page: int | None = None) -> bool:
        """Take the links of one page; whether the last complete reading cannot have seen one of
        them, or a backfill's window may go on, so that reading on is worth it.

        `page` is which page of the listing is read with them, upwards, and not behind one that has
        failed: a backfill that is cut short goes on behind it. It may end the reading here by
        raising what is no SourceError."""
        ...

    def left_out(self, why: str, count: int = 1) -> None:
        """Count that so many things listed are not read, and say why."""
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


async def read_back(reader: Reader, pages: AsyncIterator[Sequence[Link]]) -> None:
    """Offer the links of one page after another, from `reader.first_page` on, until all of a page
    are known, the pages end, or one repeats the page before it, as listings do that know no pages.
    """
    last: Sequence[Link] | None = None
    number, undated = reader.first_page, 0
    try:
        async for links in pages:
            if links == last or not await reader.offer(links, number):
                return
            last = links
            number += 1
            undated += not any(link.published for link in links)
            if number - reader.first_page >= reader.max_pages:
                reader.left_out(BEYOND)
                return
            if undated >= reader.max_undated_pages:
                reader.left_out("on pages of a listing beyond the last undated one that is read")
                return
    except SourceError as error:
        if number == 1 or error.status not in PAST_THE_END:
            raise


Listed = tuple[str, datetime | None, datetime | None]
"""An href, and when its article was published and modified, as far as the source says."""


class Listing(list[Link]):
    """The links of a page of a listing; `dropped` says how many entries were none, by why."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped: Counter[str] = Counter()


def make_links(base: str, listed: Iterable[Listed]) -> Listing:
    """The links that the listing at `base` gives; what is no address of an article is left out.
    Where the source gives no date, one in the address serves. Raises SourceError."""
    links = Listing()
    for href, published, modified in listed:
        try:
            url = urljoin(base, href.strip())
        except ValueError:
            url = ""
        canonical, address = urls.canonical(url), urls.address(url)
        if not href.strip() or canonical is None or address is None:
            links.dropped["no address of a page"] += 1
            continue
        if urls.is_front_page(canonical):
            links.dropped["the front page"] += 1
            continue
        published = _utc(published) or urls.date_in(canonical)
        links.append(Link(canonical, address, published, _utc(modified)))
        if len(links) > MAX_LINKS:
            raise SourceError(f"it lists more than {MAX_LINKS:,} addresses")
    return links


def _utc(moment: datetime | None) -> datetime | None:
    try:
        return moment.astimezone(UTC) if moment else None
    except OverflowError:  # "0001-01-01T00:00:00+07:00", the empty date of some systems
        return None
