"""Reading an outlet's sources: politely, conditionally, back to what is known."""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from scrapy.http import TextResponse

from crawler.crawl import TAKEN
from crawler.examine import ExaminationError
from crawler.sources import Source, SourceError
from crawler.sources.reader import Listing
from crawler.web.errors import UnreachableError, WaitError, in_words
from crawler.web.listing import Validators, fetch_listing, validators_of
from extract.link import Link
from storage import crawls
from storage.models import SeenIn, State

if TYPE_CHECKING:
    from crawler.spider import OutletSpider

T = TypeVar("T")

logger = logging.getLogger(__name__)

OVERLAP = timedelta(days=3)  # for dates that a source has wrong, and for posts dated back


class Reading:
    """One reading of one source: the `Reader` that the source is given."""

    def __init__(
        self, spider: "OutletSpider", source: str, completed: datetime | None, seen_in: SeenIn
    ) -> None:
        first = datetime.now(UTC) - timedelta(days=spider.crawl.shared.settings.first_crawl_days)
        self.outlet = spider.outlet
        self.completed = completed
        self.since = completed - OVERLAP if completed else first
        self.until: datetime | None = None
        self.first_page = 1
        self.stands_in = seen_in == SeenIn.STAND_IN
        self.is_alone = len(spider.sources) == 1
        self.max_pages = spider.crawl.shared.settings.max_source_pages
        # a first reading that cannot see how far back it has come takes a page for each day
        self.max_undated_pages = (
            self.max_pages
            if completed
            else min(self.max_pages, spider.crawl.shared.settings.first_crawl_days)
        )
        self.validators: dict[str, Validators] = {}
        self.listed = 0
        """Links offered so far."""
        self.own = 0
        """Those of them that are the outlet's."""
        self.is_whole = True
        """Whether all of these were taken, and none left to another outlet."""
        self._spider = spider
        self._source = source
        self._seen_in = seen_in

    async def fetch(self, url: str, *, conditional: bool = False) -> TextResponse | None:
        crawl, engine = self._spider.crawl, self._spider.crawler.engine
        assert engine
        if not conditional:
            return await fetch_listing(engine, url)
        known: Validators = (None, None)
        if not (self._spider.asks_anew and self._seen_in & SeenIn.DAILY):
            known = await crawl.look_up(crawls.validator, self._as_read(url))
        response = await fetch_listing(engine, url, known)
        if response is not None:
            self.validators[self._as_read(url)] = validators_of(response)
        return response

    async def parse(self, function: Callable[..., T], *args: object) -> T:
        try:
            return await self._spider.crawl.shared.examiners.run(function, *args)
        except ExaminationError as error:
            raise SourceError(str(error)) from error

    async def offer(self, links: Iterable[Link], page: int | None = None) -> bool:
        own = self._own(links)
        # A source asked for the first time what the daily ones missed cannot say which of its
        # undated links are new: they are left to a backfill.
        baseline = not self._seen_in & SeenIn.DAILY and not self.completed
        discovery = await self._spider.crawl.record(
            own,
            known_before=self.completed,
            oldest=None if self.completed else self.since,
            undated=State.SKIPPED if baseline else State.PENDING,
            seen_in=self._seen_in,
        )
        self.is_whole &= not discovery.dropped[TAKEN]
        return discovery.unread > 0

    def _own(self, links: Iterable[Link]) -> list[Link]:
        """Those of `links` that are the outlet's; what is left out is counted."""
        listed = list(links)
        own = [self.outlet.at_home(link) for link in listed if self.outlet.has(link.url)]
        self.listed += len(listed)
        self.own += len(own)
        self._spider.crawl.drop({"of another site": len(listed) - len(own)})
        if isinstance(links, Listing):
            self._spider.crawl.drop(links.dropped)
        return own

    def left_out(self, why: str, count: int = 1) -> None:
        self._spider.crawl.drop({why: count})

    def forget(self, url: str) -> None:
        self.validators[self._as_read(url)] = (None, None)

    def _as_read(self, url: str) -> str:
        """The address as this source reads it: others may read the same page, and each has to see
        what is new on it."""
        return f"{url}#{self._spider.name} {self._source}"


async def read_source(
    spider: "OutletSpider", source: Source, seen_in: SeenIn = SeenIn.DAILY
) -> str | None:
    """Read one source of the spider's outlet and note how it went; says what went wrong, if
    anything.

    Raises UnreachableError and WaitError, after which the outlet is to be left alone."""
    crawl = spider.crawl
    completed = await crawl.look_up(crawls.completed, spider.name, source.name)
    reading = Reading(spider, source.name, completed, seen_in)
    error: str | None = None
    try:
        await source.read(reading)
        if reading.listed and not reading.own:
            raise SourceError("it lists articles of other sites only")
    except SourceError as problem:
        error = str(problem)
    except (UnreachableError, WaitError):
        raise
    except Exception as problem:
        if crawl.excuses(problem):
            raise
        logger.exception("%s of %s", source.name, spider.name)
        error = in_words(problem)
    await crawl.store(
        crawls.note_reading,
        spider.name,
        source.name,
        completed=None if error else datetime.now(UTC),
        error=error,
        # what was left to another outlet is looked for once more, though nothing changes
        validators=reading.validators if reading.is_whole and not error else {},
    )
    return error
