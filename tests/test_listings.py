"""Listings of the past, read as a backfill does: by a reader that takes what is offered."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import TypeVar

import pytest
from scrapy.http import TextResponse

from crawler import urls
from crawler.outlet import WIB, Outlet
from crawler.outlets.platforms import PLATFORMS
from crawler.past.journey import OutletBackfill
from crawler.sources import (
    BY_SHAPE,
    WORDPRESS_TAGS,
    DateArchive,
    Feed,
    Index,
    Search,
    Sitemap,
    Source,
    SourceError,
    Wayback,
    WordPress,
)
from crawler.sources.reader import Listing
from extract.link import Link
from storage.models import Slice

T = TypeVar("T")

SITE = "https://kabar.example"
JULY = datetime(2023, 7, 1, tzinfo=WIB), datetime(2023, 8, 1, tzinfo=WIB)
Site = Callable[[str], str | None]


class CutShortError(Exception):
    """The reading ends here, as by a kill."""


@dataclass
class Listener:
    """A `Reader` of `site`, which gives the text at a path, or None where nothing is. It is cut
    short before it takes the page `until_page`."""

    site: Site
    first_page: int = 1
    max_pages: int = 50
    until_page: int = 0
    since: datetime = JULY[0]
    until: datetime | None = JULY[1]
    outlet: Outlet = field(default_factory=lambda: Outlet("Kabar", "kabar.example"))
    completed: datetime | None = None
    max_undated_pages: int = 50
    stands_in: bool = False
    is_alone: bool = True
    asked: list[str] = field(default_factory=list)
    taken: dict[str, None] = field(default_factory=dict)
    cursor: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    async def fetch(self, url: str, *, conditional: bool = False) -> TextResponse | None:
        path = url.removeprefix(SITE)
        self.asked.append(path)
        text = self.site(path)
        if text is None:
            raise SourceError("HTTP 404", 404)
        return TextResponse(url, body=text.encode(), encoding="utf-8")

    async def parse(self, function: Callable[..., T], *args: object) -> T:
        return function(*args)

    async def offer(self, links: Iterable[Link], page: int | None = None) -> bool:
        if page is not None and page == self.until_page:
            raise CutShortError
        listed = list(links)
        if isinstance(links, Listing):
            self.dropped += links.dropped
        self.taken |= dict.fromkeys(link.url.removeprefix(SITE) for link in listed)
        self.cursor = page or self.cursor
        dates = [link.published for link in listed]
        return not dates or not all(date and date < self.since for date in dates)

    def left_out(self, why: str, count: int = 1) -> None:
        self.dropped += Counter({why: count})

    def forget(self, url: str) -> None:
        pass


def read(source: Source, site: Site, **how: object) -> Listener:
    listener = Listener(site, **how)  # type: ignore[arg-type]
    with suppress(CutShortError):
        asyncio.run(source.read(listener))
    return listener


def page(*numbers: int) -> str:
    title = "Harga cabai di pasar turun"
    slug = title.lower().replace(" ", "-")
    links = "".join(f'<h2><a href="/berita/{n}/{slug}">{title} lagi</a></h2>' for n in numbers)
    return f"<html><main>{links}</main></html>"


def at(path: str) -> int:
    return int(path.rsplit("=", 1)[1])


MONTHLY = DateArchive("/arsip/{year}/{month}?page={page}", "main a")


@pytest.mark.parametrize("path", ["/arsip/{year}/{month}?page={page}", "/a/{day}/{month}?p={page}"])
def test_a_date_archive_that_answers_any_page_comes_to_an_end(path: str) -> None:
    popular = read(DateArchive(path, "main a"), lambda p: page(at(p) % 3, 7))
    assert len(popular.taken) == 4
    assert len(popular.asked) <= 4 * (31 if "{day}" in path else 1)
    endless = read(DateArchive(path, "main a"), lambda p: page(at(p)), max_pages=6)
    assert len(endless.asked) == 6 * (31 if "{day}" in path else 1)
    assert endless.dropped, "that more is left is counted"


def test_a_month_s_archive_goes_on_behind_the_page_it_was_cut_short_at() -> None:
    def pages(path: str) -> str | None:
        return page(at(path)) if at(path) <= 5 else None

    cut = read(MONTHLY, pages, until_page=4)
    rest = read(MONTHLY, pages, first_page=cut.cursor + 1)
    assert (cut.cursor, len(cut.taken), len(rest.taken)) == (3, 3, 2)
    assert not set(cut.asked[:-1]) & set(rest.asked)


def test_a_resumed_sitemap_skips_none_though_its_index_changed() -> None:
    """An index is ordered by date for the day's news; but the past goes on where it was."""
    changed = dict.fromkeys(range(1, 13), 1)

    def site(path: str) -> str:
        if path == "/sitemap.xml":
            children = "".join(
                f"<sitemap><loc>{SITE}/post-sitemap{n}.xml</loc>"
                f"<lastmod>2024-01-{day:02}</lastmod></sitemap>"
                for n, day in changed.items()
            )
            return f"<sitemapindex>{children}</sitemapindex>"
        number = path.removeprefix("/post-sitemap").removesuffix(".xml")
        return f"<urlset><url><loc>{SITE}/berita/{number}/x</loc></url></urlset>"

    cut = read(Sitemap("/sitemap.xml"), site, until_page=7)
    changed[10], changed[2], changed[13] = 9, 8, 7  # articles were changed, and a new one is there
    rest = read(Sitemap("/sitemap.xml"), site, first_page=cut.cursor + 1)
    both = {*cut.taken, *rest.taken}
    assert both == {f"/berita/{n}/x" for n in range(1, 14)}
    assert not cut.taken.keys() & rest.taken.keys(), "nor is any read twice"


def test_an_old_part_of_a_month_s_feed_is_leapt_to() -> None:
    """What the site calls July, an entry an hour, the newest first; the window is its first day."""
    entries = [JULY[0] + timedelta(hours=n) for n in range(31 * 24)][::-1]

    def site(path: str) -> str | None:
        shown = entries[(at(path) - 1) * 10 : at(path) * 10]
        items = "".join(
            f"<item><link>{SITE}/berita/{date:%d%H}/x</link>"
            f"<pubDate>{format_datetime(date)}</pubDate></item>"
            for date in shown
        )
        return f'<rss version="2.0"><channel>{items}</channel></rss>' if shown else None

    feed = Feed("/feed", window="/feed?m={year}{month}&paged={page}")
    day = read(feed, site, until=JULY[0] + timedelta(days=1))
    assert {f"/berita/01{hour:02}/x" for hour in range(24)} <= day.taken.keys()
    assert len(day.asked) < 20, "its pages are 75"


def test_a_term_without_a_page_finds_nothing_and_is_no_error() -> None:
    def site(path: str, known: str) -> str | None:
        if known not in path or not path.endswith("=1"):
            return None
        link = f"<item><link>{SITE}/berita/1/x</link></item>"
        return f'<rss version="2.0"><channel>{link}</channel></rss>'

    assert WORDPRESS_TAGS in PLATFORMS["wordpress"].past
    tags = read(WORDPRESS_TAGS, partial(site, known="/tag/bawaslu/"))
    assert list(tags.taken) == ["/berita/1/x"]
    with pytest.raises(SourceError, match="404"):
        read(WORDPRESS_TAGS, partial(site, known="/nothing/"))


def test_pages_are_counted_from_0_where_the_site_does() -> None:
    drupal = [s for s in PLATFORMS["drupal"].past if isinstance(s, Index)]
    assert read(drupal[0], lambda path: page(at(path)) if at(path) < 3 else None).asked == [
        f"/node?page={number}" for number in range(4)
    ]
    search = Search("/search/node?keys={term}&page={index}", BY_SHAPE, ("camat",))
    listener = read(search, lambda path: page(10 * at(path), 10 * at(path) + 1, 3, 4))
    assert listener.asked[:2] == [f"/search/node?keys=camat&page={n}" for n in (0, 1)]
    assert "/berita/10/harga-cabai-di-pasar-turun" in listener.taken


def test_one_old_article_pinned_to_a_page_does_not_end_the_past() -> None:
    """Nor does it where nothing is known of the others."""
    old, inside = JULY[0] - timedelta(days=9), JULY[0] + timedelta(days=9)
    part = Slice(start=JULY[0], until=JULY[1])

    def has_passed(*dates: datetime | None) -> bool:
        journey = OutletBackfill.__new__(OutletBackfill)
        known = {f"{SITE}/{n}": date for n, date in enumerate(dates) if date}

        async def told(_: object) -> dict[str, datetime]:
            return known

        journey.dates = told  # type: ignore[method-assign]
        journey._page_before = [f"{SITE}/{n}" for n in range(len(dates))]
        return asyncio.run(journey._has_passed(part))

    assert not has_passed(old, None, None, None)
    assert not has_passed(old, old, inside)
    assert not has_passed()
    assert has_passed(old, old, old, None)


@pytest.mark.parametrize(
    ("url", "publishes"),
    [
        ("https://www.kabar.example/bali/berita/1", True),
        ("http://m.kabar.test/bali/1?utm_source=x", True),
        ("https://kabar.example/balikpapan/1", False),
        ("https://kabar.example.evil/bali/1", False),
        ("https://kabar.example:81/bali/1", False),
    ],
)
def test_whose_a_link_is_need_not_be_worked_out_twice(url: str, *, publishes: bool) -> None:
    outlet = Outlet("Kabar", "www.kabar.example", section="/bali", twins=("kabar.test",))
    canonical = urls.canonical(url)
    assert canonical
    assert outlet.publishes(url) == outlet.has(canonical) == publishes


def sitemap(kind: str, *entries: tuple[str, str]) -> str:
    """A sitemap of the addresses of each `kind`, and when they were modified."""
    root = {"url": "urlset", "sitemap": "sitemapindex"}[kind]
    listed = "".join(
        f"<{kind}><loc>{url}</loc><lastmod>{date}</lastmod></{kind}>" for url, date in entries
    )
    return f'<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{listed}</{root}>'


@pytest.mark.parametrize("backfill", [True, False])
def test_whatever_a_sitemap_lists_is_read_or_counted(*, backfill: bool) -> None:
    within, before, after = "2023-07-20", "2023-06-20", "2023-09-20"
    index = ("category-sitemap", "post_tag-sitemap", "post-sitemap-2023-09", "post-sitemap1")
    site = {
        "/sitemap.xml": sitemap(
            "sitemap",
            *((f"{SITE}/{name}.xml", within) for name in (*index, "post-sitemap2")),
            (f"{SITE}/post-sitemap3.xml", within),
            (f"{SITE}/post-sitemap4.xml", before),
            ("https://lain.example/sitemap.xml", within),
            ("", within),
        ),
        "/post-sitemap1.xml": sitemap(
            "url",
            (f"{SITE}/berita/1/a", within),
            (f"{SITE}/berita/2/b", before),
            (f"{SITE}/berita/3/c", before),
            (f"{SITE}/", within),
            (f"{SITE}/{'x' * 3000}", within),
        ),
        "/post-sitemap2.xml": sitemap("url", (f"{SITE}/berita/4/d", before)),
        "/post-sitemap3.xml": sitemap("url", (f"{SITE}/berita/5/e", within)),
        "/post-sitemap-2023-09.xml": sitemap("url", (f"{SITE}/berita/6/f", after)),
    }
    counts = {
        "sitemaps of other things than articles": 2,
        "sitemaps older than what is read": 1,
        "sitemaps of another site": 1,
        "entries that cannot be read": 1 + 1,
        "older than what is read": 2 + 1,
        "the front page": 1,
    }
    if backfill:
        got = read(Sitemap("/sitemap.xml"), site.get, max_pages=2)
        counts |= {"sitemaps of another month": 1, "sitemaps beyond the last that is read": 1}
    else:
        got = read(Sitemap("/sitemap.xml"), site.get, until=None)
    assert +got.dropped == counts
    others = set() if backfill else {"/berita/5/e", "/berita/6/f"}
    assert set(got.taken) == {"/berita/1/a"} | others


def test_indexes_of_indexes_end_and_no_sitemap_is_read_twice() -> None:
    """Each index names itself, one sitemap three times, and twenty indexes more."""

    def site(path: str) -> str:
        if "leaf" in path:
            return sitemap("url", (f"{SITE}/berita/1/a", "2023-07-20"))
        deeper = [f"{path[:-4]}-{n}.xml" for n in range(20)]
        listed = [(SITE + name, "2023-07-20") for name in deeper]
        first = [(SITE + name, "2023-07-21") for name in ("/sitemap.xml", *["/leaf.xml"] * 3)]
        return sitemap("sitemap", *first, *listed)

    for until in (None, JULY[1]):
        listener = Listener(site, max_pages=12, until=until)
        with suppress(SourceError):  # for those that are nested too deep
            asyncio.run(Sitemap("/sitemap.xml").read(listener))
        assert len(listener.asked) == len(set(listener.asked)) == 1 + 3 * 12
        assert listener.taken
        assert listener.dropped["sitemaps beyond the last that is read"] > 50


def test_a_daily_archive_that_is_not_there_is_an_error() -> None:
    days = DateArchive("/arsip/{year}/{month}/{day}", "main a")
    now = datetime.now(WIB)
    early = {f"/arsip/{now - timedelta(1):%Y/%m/%d}": page(1)}  # today's has nothing yet
    with pytest.raises(SourceError, match="404"):
        read(days, {}.get, since=now - timedelta(3), until=None)
    assert len(read(days, early.get, since=now - timedelta(3), until=None).taken) == 1
    assert not read(days, {}.get).taken, "in the past a day may be empty"


def test_what_other_listings_name_and_is_not_read_is_counted() -> None:
    post = {"link": f"{SITE}/berita/1/a", "date_gmt": "2023-07-05T01:00:00"}
    posts = [post | {"modified_gmt": post["date_gmt"]}, post | {"date_gmt": "0000-00-00"}, 7]
    assert +read(WordPress(), lambda _: json.dumps(posts)).dropped == {
        "entries that cannot be read": 2
    }

    captures = [
        ["timestamp", "original"],
        ["20230705010203", f"{SITE}/berita/1/harga-cabai-di-pasar-turun"],
        ["20230705010203", f"{SITE}/tag/cabai"],
        ["20230705010203", f"{SITE}/2021/05/04/harga-cabai-di-pasar-turun"],
        ["yesterday", SITE],
    ]
    got = read(Wayback(), lambda _: json.dumps(captures))
    assert len(got.taken) == 1
    assert +got.dropped == {
        "no address of an article": 1,
        "of another time": 1,
        "entries that cannot be read": 1,
    }

    menu = '<a href="/redaksi">Redaksi</a><a href="/tag/cabai">Cabai</a>'
    front = page(1, 2).replace("<main>", f"<main>{menu}")
    got = read(Index(("/",)), lambda _: front)
    assert len(got.taken) == 2
    assert +got.dropped == {"links of the site's pages that do not look like articles": 2}


def test_pages_of_a_feed_that_are_leapt_over_are_counted() -> None:
    def feed(path: str) -> str:
        day = JULY[1] + timedelta(days=20 - at(path))
        item = f"<link>{SITE}/berita/{{}}</link><pubDate>{format_datetime(day)}</pubDate>"
        items = "".join(f"<item>{item.format(at(path) * 2 + n)}</item>" for n in (0, 1))
        return f'<rss version="2.0"><channel>{items}</channel></rss>'

    got = read(Feed("/feed?p=1", "/feed?p={page}"), feed)
    assert got.dropped["pages of a feed after a backfill's window"] == got.first_page - 1 > 15
