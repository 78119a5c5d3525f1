"""Studying an unknown site as a person would: where might it list its articles, does it, how fresh,
how deep, and at what cost?"""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from scrapy.exceptions import CannotResolveHostError
from scrapy.utils.url import strip_url

from crawler.outlet import Outlet, zone_of
from crawler.outlets.frontpage import (
    FrontPage,
    further_pages,
    hits_selector,
    listed_sitemaps,
    look,
    main_part,
    squeezed,
)
from crawler.outlets.platforms import PLATFORMS
from crawler.outlets.trial import COMMON, Traffic, Trial, Tried, Visit, Visits, path_of, try_out
from crawler.sources import (
    WORDPRESS_SEARCH,
    Archive,
    Feed,
    Index,
    Search,
    Sitemap,
    Source,
    SourceError,
    WordPress,
)
from crawler.web.errors import ForbiddenError, UnreachableError, in_words
from crawler.web.middlewares import MAX_ROBOTS_BYTES, DisallowedError
from extract import places

logger = logging.getLogger(__name__)

MOST_SECONDS = 300  # for one site; at a second between requests some 200 of them
FRESH = timedelta(days=7)
REACH = timedelta(days=2)  # how far back a source must list for a daily crawl to miss nothing
LEAST_IN_SECTION = 3  # articles, by which a path is known to be an outlet of its own
LEAST_NAME = 5  # letters of a regency's name in a domain; "simpati" is not of Pati
NOTHING = "xqzvwkj"  # a word that nobody has written
REQUEST = 1500  # bytes that a request is reckoned to cost beside its answer

_BLOGGER = "/feeds/posts/default?alt=rss"
_FEEDS = ("/feed/", "/rss", "/rss.xml", "/feed.xml", "/atom.xml", "/index.xml", _BLOGGER)
_SITEMAPS = ("/sitemap.xml", "/sitemap_index.xml", "/wp-sitemap.xml", "/news-sitemap.xml",
             "/sitemap-news.xml")  # fmt: skip
_INDEXES = ("/indeks", "/berita", "/index-berita", "/news", "/arsip")
_BY_LISTING = {
    "promedia": "/indeks-berita",
    "prmn": "/indeks-berita",
}  # known by this page of theirs

_NO_HOMES = frozenset({"metro", "matra", "lingga"})  # metrobali, sumatra, linggaupos


class StudyError(Exception):
    """A site that cannot be studied; `ours` where it is our own rules that forbid it, or there is
    no such site, and not that it fails to answer."""

    def __init__(self, reason: str, *, ours: bool = False) -> None:
        super().__init__(reason)
        self.ours = ours


@dataclass(frozen=True, slots=True)
class Study:
    """What became of a study. `tried` are the sources tried, in order; of those that work,
    `sources` are proposed for every day and `spare` beside them, the best first; `platform` is the
    one whose sources they are. `guessed` says what of the outlet is a guess, `unfinished` why not
    everything was tried."""

    outlet: Outlet
    tried: tuple[Tried, ...] = ()
    sources: tuple[Source, ...] = ()
    spare: tuple[Source, ...] = ()
    platform: str | None = None
    guessed: tuple[str, ...] = ()
    unfinished: str = ""
    traffic: Traffic = field(default_factory=Traffic)


async def study(
    visits: Visits, url: str, facts: Mapping[str, Any], name: str | None = None
) -> Study:
    """Study the site at `url`. `facts` are those of the outlet (see `Outlet`) that are known better
    than its site tells, `name` is what a crawl calls it. Raises StudyError."""
    parts = urlsplit(await arrive(visits, url, name))
    outlet = Outlet("", parts.netloc, scheme=parts.scheme, section=_section(url))
    try:
        return await visits.to(name or outlet.hostname, outlet, partial(_study, facts=facts))
    except SourceError as error:
        raise StudyError(str(error)) from None


async def arrive(visits: Visits, url: str, name: str | None = None) -> str:
    """The front page's address after all redirects, without a user's name and password; https where
    `url` has no scheme and it answers there. Raises StudyError."""
    tries = [url] if "://" in url else [f"https://{url}", f"http://{url}"]
    for address in tries:
        parts = urlsplit(strip_url(address))
        front = f"{parts.scheme}://{parts.netloc}/"
        try:
            final = await visits.to(name or parts.hostname or "", None, partial(_final, url=front))
            return strip_url(final)
        except StudyError as error:
            if error.ours or address == tries[-1]:
                raise
    raise AssertionError


async def _final(visit: Visit, url: str) -> str:
    try:
        return (await visit.fetch(url)).url
    except DisallowedError:  # the front page may not be fetched; other pages may
        return url
    except Exception as error:  # noqa: BLE001 (whatever it was, the site cannot be visited)
        cause = error.__cause__ if isinstance(error, UnreachableError) else None
        ours = isinstance(cause or error, ForbiddenError | CannotResolveHostError)
        raise StudyError(in_words(cause or error), ours=ours) from None


def _section(url: str) -> str:
    """The section that an address leads to, as "/bali" of another's site: its path, where it has
    one that is no page's."""
    path = urlsplit(url if "://" in url else f"https://{url}").path.rstrip("/")
    return path if re.fullmatch(r"(/[a-z0-9-]{1,40}){1,2}", path) else ""


# --- studying -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Studying:
    """A study under way."""

    visit: Visit
    outlet: Outlet
    front: FrontPage = field(default_factory=FrontPage)
    tried: list[Tried] = field(default_factory=list)
    unfinished: str = ""

    async def all(self) -> None:
        """Look at the front page and try what it and robots.txt tell of, and the usual places."""
        await self.front_page()
        listed = await self._listed()
        for feed in self._feeds():
            await self.one(feed)
        self.outlet = replace(self.outlet, title=self._title())
        if self.front.system != "blogger":
            api = self.front.api
            await self.one(WordPress(path_of(f"{api}wp/v2/posts")) if api else WordPress())
        for sitemap in self._sitemaps(listed):
            await self.one(sitemap)
        if search := self.front.search or (
            "/?s={term}" if self.front.system == "wordpress" else ""
        ):
            await self._search(search)
        await self._indexes()
        for name in filter(self.may_be, PLATFORMS):
            for source in PLATFORMS[name].sources:
                await self.one(source)

    def may_be(self, platform: str) -> bool:
        """Whether the site may run on a platform: it says so, or its host does, or a page that only
        the platform's sites have is there."""
        page = _BY_LISTING.get(platform)
        listing = page and any(page in t.source.name for t in self.tried if t.error is None)
        labels = self.outlet.hostname.split(".")
        by_host = platform in labels or f"{platform}news" in labels
        return bool(listing or by_host or platform == self.front.system)

    async def front_page(self) -> None:
        """Look at the front page: what the outlet is called, and whether its address is a section
        of another's site."""
        if page := await self._fetch(self.outlet.section or "/"):
            self.front = await self._look(page)
        within = sum(map(self.outlet.publishes, self.front.articles))
        section = self.outlet.section if within >= LEAST_IN_SECTION else ""
        self.outlet = self.visit.outlet = replace(self.outlet, title=self._title(), section=section)

    def _title(self) -> str:
        """What the site calls itself, or its feed does."""
        feeds = (main_part(t.title, self.outlet.url("/")) for t in self.tried)
        said = (self.front.name, *feeds, self.front.title, self.outlet.hostname)
        return next(filter(None, said))

    def _word(self) -> str:
        """A word that the site's search must find: one of its latest headlines' most common."""
        slugs = (urlsplit(url).path.rsplit("/", 1)[-1] for url in self.front.articles)
        words = Counter(word for slug in slugs for word in set(re.findall(r"[a-z]{5,20}", slug)))
        return next((word for word, _ in words.most_common(1)), COMMON[0])

    async def _look(self, page: tuple[str, str]) -> FrontPage:
        try:
            return await Trial(self.visit).parse(look, page[1], page[0])
        except SourceError:
            logger.exception("the front page of %s", self.outlet.domain)
            return FrontPage()

    async def _get(self, path: str) -> tuple[str, str]:
        """The address and text of a page. Raises SourceError."""
        response = await Trial(self.visit).fetch(self.outlet.url(path))
        assert response
        return response.url, response.text

    async def _fetch(self, path: str) -> tuple[str, str] | None:
        """The same; None where it cannot be had."""
        try:
            return await self._get(path)
        except SourceError:
            return None

    async def _listed(self) -> list[str]:
        """The sitemaps that robots.txt names."""
        trial = Trial(self.visit)
        try:
            response = await trial.fetch(self.outlet.url("/robots.txt"))
            assert response
            return await trial.parse(listed_sitemaps, response.body[:MAX_ROBOTS_BYTES])
        except SourceError:
            return []

    def _feeds(self) -> Iterator[Feed]:
        told = [path_of(url) for url in self.front.feeds]
        usual = {"wordpress": ("/feed/",), "blogger": (_BLOGGER,)}.get(self.front.system, _FEEDS)
        for path in dict.fromkeys([*usual[:1], *told, *usual[1:]] if told else usual):
            if path.startswith("/feeds/posts/default"):
                yield Feed(path, f"{path}{'&' if '?' in path else '?'}start-index={{start}}")
            elif "?" in path:
                yield Feed(path)
            else:
                yield Feed(path, f"{path}?paged={{page}}")

    def _sitemaps(self, listed: Sequence[str]) -> Iterator[Sitemap]:
        own = [path_of(url) for url in listed if self.outlet.owns(url) and "{" not in url]
        return map(Sitemap, dict.fromkeys([*own, *_SITEMAPS]))

    async def one(self, source: Source) -> None:
        """Try a source, unless what it lists is listed by one of its kind already."""
        if any(_key(tried.source) == _key(source) for tried in self.tried):
            return
        tried = await try_out(self.visit, source, word=self._word())
        if tried.error is None and tried.moved:
            tried = replace(tried, source=tried.moved)
        if isinstance(tried.source, Feed) and not tried.further:
            tried = replace(tried, source=replace(tried.source, pages=None))
        same = (t for t in self.tried if type(t.source) is type(source) and t.error is None)
        if tried.error or not any(t.links.keys() == tried.links.keys() for t in same):
            self.tried.append(tried)

    async def _search(self, path: str) -> None:
        if self.front.system == "wordpress":
            await self.one(WORDPRESS_SEARCH)
            if self.tried[-1].error is None:
                return
        trial, word = Trial(self.visit), self._word()
        try:
            found = await self._get(path.replace("{term}", word))
            nothing = await self._get(path.replace("{term}", NOTHING))
            hits = await trial.parse(hits_selector, found[1], nothing[1], found[0])
        except SourceError as error:
            self.tried.append(Tried(Search(path, None), error))
            return
        if hits is None:
            nothing_found = SourceError(f"it finds nothing for “{word}”")
            self.tried.append(Tried(Search(path, None), nothing_found))
            return
        pages = await trial.parse(further_pages, found[1], found[0])
        if pages and "term" not in pages:
            pages = pages.replace(word, "{term}")
        await self.one(Search(pages if pages and "{term}" in pages else path, hits))

    async def _indexes(self) -> None:
        front = self.outlet.section or "/"
        for path in dict.fromkeys([*(self.front.indexes or _INDEXES), front]):
            page = await self._fetch(path)
            if page is None:
                continue
            try:
                pages = await Trial(self.visit).parse(further_pages, page[1], page[0])
            except SourceError:
                pages = None
            if pages:
                await self.one(Index((pages,)))
            if not pages or self.tried[-1].error or not self.tried[-1].further:
                await self.one(Index((path,)))


async def _study(visit: Visit, facts: Mapping[str, Any]) -> Study:
    studying = await explore(visit)
    outlet = replace(studying.outlet, **facts)
    guessed = []
    if outlet.province is None and (home := _home(outlet)):
        outlet = replace(outlet, province=home[0], regency=outlet.regency or home[1])
        guessed.append(f"province {home[0]}" + (f", {home[1]}" if home[1] else ""))
    if "zone" not in facts:
        outlet = replace(outlet, zone=zone_of(outlet.province))
    sources, spare = proposal(studying.tried, studying.front.articles)
    platform = _platform(studying, sources)
    return Study(
        outlet,
        tuple(studying.tried),
        sources,
        spare,
        platform,
        tuple(guessed),
        studying.unfinished,
        visit.traffic(),
    )


async def explore(visit: Visit, *, look_only: bool = False) -> Studying:
    """Try whatever may list the articles of the visited site, within the time there is; or look at
    its front page only."""
    assert visit.outlet
    studying = Studying(visit, visit.outlet)
    try:
        async with asyncio.timeout(MOST_SECONDS):
            await (studying.front_page() if look_only else studying.all())
    except TimeoutError:
        studying.unfinished = f"after {MOST_SECONDS} s the rest was left untried"
    return studying


# --- proposing ------------------------------------------------------------------------------------


def proposal(
    tried: Iterable[Tried], front: Sequence[str]
) -> tuple[tuple[Source, ...], tuple[Source, ...]]:
    """Of the sources that work, those to read every day and those to keep beside them, the best
    first. `front` are the articles on the front page."""
    working = [t for t in tried if t.error is None]
    newest = max((t.newest for t in working if t.newest), default=None)
    fresh = [t for t in working if _is_fresh(t, newest, front)] or working
    ranked = sorted(fresh, key=lambda t: _rank(t, front))
    ranked = [t for t in ranked if not isinstance(t.source, Index)] + _indexes(ranked)
    if not ranked:
        return (), ()
    daily = ranked[:1]
    if not _is_complete(daily[0]):  # what it may have dropped by the next day another still has
        daily += [t for t in ranked[1:] if _is_complete(t) and not _searches(t)][:1]
    spare = [t.source for t in ranked if t not in daily]
    return tuple(t.source for t in daily), tuple(spare)


def _is_fresh(tried: Tried, newest: datetime | None, front: Sequence[str]) -> bool:
    """Whether it lists what is new; without dates, whether it lists what the front page does."""
    if tried.newest is None:
        return not front or len(tried.links.keys() & set(front)) * 3 >= min(len(front), 9)
    return tried.newest >= min(datetime.now(UTC) - FRESH, (newest or tried.newest) - REACH)


def _is_complete(tried: Tried) -> bool:
    """Whether a day's articles cannot have left it by the next crawl."""
    reaches = bool(tried.dates) and tried.dates[-1] - tried.dates[0] >= REACH
    return tried.further or reaches or isinstance(tried.source, Sitemap | WordPress)


def _searches(tried: Tried) -> bool:
    return isinstance(tried.source, Search)


def _rank(tried: Tried, front: Sequence[str]) -> tuple[bool, bool, bool, int]:
    cost = tried.daily.bytes + REQUEST * tried.daily.requests
    return _searches(tried), not _is_complete(tried), not tried.dated, cost


def _indexes(ranked: Sequence[Tried]) -> list[Tried]:
    """One index of those there are: the best page, and those that add to what it lists."""
    pages = [t for t in ranked if isinstance(t.source, Index)]
    if not pages:
        return []
    best, *others = pages
    paths, known = list(_paths(best)), set(best.links)
    for other in others:
        if len(other.links.keys() - known) * 5 > len(other.links):
            paths += _paths(other)
            known |= other.links.keys()
    return [replace(best, source=Index(tuple(paths)))]


def _paths(tried: Tried) -> tuple[str, ...]:
    assert isinstance(tried.source, Index)
    return tried.source.paths


def _platform(studied: Studying, daily: Sequence[Source]) -> str | None:
    """The platform whose daily sources work and are as good as what would be read every day
    otherwise."""
    working = {_key(t.source) for t in studied.tried if t.error is None}
    fitting = {}
    for name in filter(studied.may_be, PLATFORMS):
        own = set(map(_key, PLATFORMS[name].sources))
        if own <= working and own.intersection(map(_key, daily)):
            fitting[name] = len(working.intersection(map(_key, PLATFORMS[name].spare)))
    return max(fitting, key=lambda name: fitting[name], default=None)


def _key(source: Source) -> tuple[str, str | None]:
    """What makes a source the same listing as another."""
    return source.name, source.links if isinstance(source, Archive) else None


def _home(outlet: Outlet) -> tuple[str, str | None] | None:
    """The province, and the regency, that the outlet's domain or title begins or ends with, as
    "koranbuleleng" does."""
    gazetteer = places.load()
    labels = [label for label in outlet.hostname.split(".")[:-1] if len(label) > 3]
    texts = [*labels, squeezed(outlet.title)]
    found = [
        (len(name), areas[0])
        for name, areas in gazetteer.names.items()
        if len(areas) == 1
        and name not in gazetteer.words["common"] | gazetteer.words["unlikely"] | _NO_HOMES
        and len(name) >= (LEAST_NAME if areas[0].level != "province" else 4)
        and any(text.startswith(name) or text.endswith(name) for text in texts)
    ]
    if not found:
        return None
    place = max(found, key=lambda pair: pair[0])[1]
    return place.province, None if place.level == "province" else place.name
