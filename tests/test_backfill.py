"""The past: exactly what a window holds is found, whatever reaches it, whatever cuts it short."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from redis import Redis
from sqlalchemy.orm import Session

from crawler import urls
from crawler.outlet import WIB
from storage import backfills
from storage.database import open_database
from storage.seen import Seen
from tests.conftest import ROOT, Pantau, Ran, RedisServer, row
from tests.site import Answer, Site, running
from tests.test_crawl import FILLER, RELEVANT, processes_of, wait_for

FIRST = datetime(2023, 7, 1, 16, tzinfo=WIB)  # one is of 1 September, 2:00: in UTC of August
WINDOW = datetime(2023, 9, 1, tzinfo=WIB), datetime(2023, 11, 1, tzinfo=WIB)
KABAR = "--outlet", "kabar"
TWO_MONTHS = "--from", "2023-09-01", "--to", "2023-10-31"
DAYS = *KABAR, *TWO_MONTHS
PER_PAGE = 10
EVERY = 7  # so many articles have one among them that is relevant

REST = "[{wordpress = true}]"
FEED = '[{feed = "/feed", pages = "/feed?paged={page}"}]'
DATED_FEED = '[{feed = "/feed", window = "/feed?since={since}&until={until}&paged={page}"}]'
MONTHLY_FEED = '[{feed = "/feed", window = "/feed?m={year}{month}&paged={page}"}]'
SITEMAP = '[{sitemap = "/sitemap.xml"}]'
DAILY_ARCHIVE = '[{days = "/arsip/{year}/{month}/{day}", links = "main a"}]'
BARE_DAILY_ARCHIVE = '[{days = "/arsip/{year}/{month}/{day}"}]'
MONTHLY_ARCHIVE = '[{days = "/arsip/{year}/{month}?page={page}", links = "main a"}]'
ARCHIVE = '[{archive = "/indeks?page={page}", links = "main a"}]'
SEARCH = '[{search = "/cari?q={term}&page={page}", hits = "main a", terms = ["camat"]}]'
SEARCH_FEED = '[{search = "/cari?q={term}&paged={page}&feed=rss2", terms = ["camat"]}]'


@dataclass(frozen=True)
class Post:
    path: str
    date: datetime
    relevant: bool


class Past:
    """A site with a post every 22 hours for half a year, and a list of them of every kind."""

    def __init__(self, site: Site, posts: int = 200, seconds: float = 0.0) -> None:
        self.site = site
        self.seconds = seconds
        self.posts: list[Post] = []
        for number in range(posts):
            relevant = number % EVERY == 0
            subject = "camat-diperiksa-bawaslu" if relevant else "harga-cabai-di-pasar-turun"
            date = FIRST + number * timedelta(hours=22)
            self.add(Post(f"/berita/{number}/{subject}-lagi-pada-hari-ke-{number}", date, relevant))
        site.pages |= {
            "/feed": self._feed,
            "/wp-json/wp/v2/posts": self._rest,
            "/sitemap.xml": self._sitemaps,
            "/indeks": lambda h: self._page(self.posts[::-1], h, "page"),
            "/cari": self._search,
        }
        for days in range(-1, 200):
            day = FIRST + timedelta(days=days)
            site.pages[f"/arsip/{day:%Y/%m/%d}"] = lambda _, day=day: self._day(f"{day:%Y-%m-%d}")
            site.pages[f"/arsip/{day:%Y/%m}"] = lambda h, day=day: self._month(h, f"{day:%Y-%m}")
            site.pages[f"/post-sitemap-{day:%Y-%m}.xml"] = lambda _, day=day: self._sitemap(
                f"{day:%Y-%m}"
            )

    def add(self, post: Post) -> None:
        template = RELEVANT if post.relevant else FILLER
        title = f"{'Camat Diperiksa Bawaslu' if post.relevant else 'Harga Cabai'}, {post.path}"
        html = template.format(title=title)
        stamp = f'<meta property="article:published_time" content="{post.date.isoformat()}">'
        html = html.replace(
            'content="2026-11-20T09:00:00+08:00"', f'content="{post.date.isoformat()}"'
        )
        html = html if post.relevant else html.replace("</head>", f"{stamp}</head>")
        self.posts.append(post)

        def page(_: BaseHTTPRequestHandler) -> Answer:
            time.sleep(self.seconds)
            return Answer(html)

        self.site.pages[post.path] = page

    def within(self, window: tuple[datetime, datetime] = WINDOW) -> list[Post]:
        return [post for post in self.posts if window[0] <= post.date < window[1]]

    def fetched(self) -> Counter[str]:
        return Counter(path for path in self.site.paths() if path.startswith("/berita/"))

    def listings(self) -> list[str]:
        return [path for path in self.site.paths() if not path.startswith("/berita/")]

    # --- its listings -----------------------------------------------------------------------------

    def _feed(self, handler: BaseHTTPRequestHandler) -> Answer:
        asked = query(handler)
        posts = self.posts[::-1]
        if "since" in asked:
            window = datetime.fromisoformat(asked["since"]), datetime.fromisoformat(asked["until"])
            posts = self.within(window)[::-1]
        if "m" in asked:  # by the site's clock, which was never set
            posts = [p for p in posts if f"{p.date.astimezone(UTC):%Y%m}" == asked["m"]]
        return self._rss(posts, int(asked.get("paged", 1)))

    def _rss(self, posts: Sequence[Post], page: int) -> Answer:
        shown = posts[(page - 1) * PER_PAGE : page * PER_PAGE]
        items = "".join(
            f"<item><link>{self.site.url}{post.path}</link>"
            f"<pubDate>{format_datetime(post.date)}</pubDate></item>"
            for post in shown
        )
        whole = f'<rss version="2.0"><channel>{items}</channel></rss>'
        return Answer(whole) if shown else Answer("", 404)

    def _rest(self, handler: BaseHTTPRequestHandler) -> Answer:
        """As old WordPress has it: `after` and `before` are compared with local time, whatever
        their zone."""
        asked = query(handler)
        after, before = (
            datetime.fromisoformat(asked.get(name, far)).replace(tzinfo=None)
            for name, far in (("after", "1970-01-01"), ("before", "2100-01-01"))
        )
        posts = [
            {
                "link": self.site.url + post.path,
                "date_gmt": f"{post.date.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
                "modified_gmt": "2024-06-01T00:00:00",
            }
            for post in self.posts[::-1]
            if after < post.date.replace(tzinfo=None) < before
        ]
        size, page = int(asked["per_page"]), int(asked["page"])
        return Answer(json.dumps(posts[(page - 1) * size : page * size]))

    def _sitemaps(self, _: BaseHTTPRequestHandler) -> Answer:
        months = dict.fromkeys(f"{post.date:%Y-%m}" for post in self.posts)
        names = [f"{self.site.url}/post-sitemap-{month}.xml" for month in months]
        locations = "".join(f"<sitemap><loc>{name}</loc></sitemap>" for name in names)
        return Answer(f"<sitemapindex>{locations}</sitemapindex>")

    def _sitemap(self, month: str) -> Answer:
        entries = "".join(
            f"<url><loc>{self.site.url}{post.path}</loc><lastmod>{post.date.isoformat()}</lastmod>"
            "</url>"
            for post in self.posts
            if f"{post.date:%Y-%m}" == month
        )
        return Answer(f"<urlset>{entries}</urlset>")

    def _day(self, day: str) -> Answer:
        posts = [post for post in self.posts if f"{post.date:%Y-%m-%d}" == day]
        return self._html(posts) if posts else Answer("", 404)

    def _month(self, handler: BaseHTTPRequestHandler, month: str) -> Answer:
        return self._page([p for p in self.posts if f"{p.date:%Y-%m}" == month], handler, "page")

    def _search(self, handler: BaseHTTPRequestHandler) -> Answer:
        posts = [post for post in self.posts[::-1] if query(handler)["q"] in post.path]
        if "feed" in query(handler):
            return self._rss(posts, int(query(handler)["paged"]))
        return self._page(posts, handler, "page")

    def _page(self, posts: Sequence[Post], handler: BaseHTTPRequestHandler, name: str) -> Answer:
        page = int(query(handler).get(name, 1))
        return self._html(posts[(page - 1) * PER_PAGE : page * PER_PAGE])

    def _html(self, posts: Sequence[Post]) -> Answer:
        """A list, beside which the newest are shown everywhere."""
        shown, newest = (
            "".join(f'<h2><a href="{p.path}">{p.path[8:].replace("-", " ")}</a></h2>' for p in some)
            for some in (posts, self.posts[-3:])
        )
        return Answer(f"<html><body><main>{shown}</main><aside>{newest}</aside></body></html>")


def query(handler: BaseHTTPRequestHandler) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}


@pytest.fixture
def past(site: Site) -> Past:
    return Past(site)


@pytest.fixture
def sites() -> Iterator[Callable[[], Site]]:
    """Starts sites."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(running())


def backfill(pantau: Pantau, *arguments: str) -> tuple[Ran, dict[str, Any]]:
    """What `pantau backfill` gives, and its outlets' reports."""
    ran = pantau("backfill", "--json", *arguments)
    assert "Traceback" not in ran.err, ran.err
    return ran, {report["outlet"]: report for report in ran.json()["outlets"]}


def found(pantau: Pantau, site: Site) -> list[str]:
    """The paths of all findings on a site, each as often as it was found."""
    rows = pantau("findings", "--json").lines()
    assert all(row["quiet"] for row in rows)
    return paths_on(site, rows)


def paths_on(site: Site, rows: Sequence[dict[str, Any]]) -> list[str]:
    parts = [urlsplit(row["url"]) for row in rows]
    return sorted(part.path for part in parts if part.netloc == urlsplit(site.url).netloc)


def relevant(posts: Sequence[Post]) -> list[str]:
    return sorted(post.path for post in posts if post.relevant)


LISTINGS = {  # by what the outlets have: their sources, and the most requests these may take
    "rest": (REST, 2),
    "sitemap": (SITEMAP, 3),
    "dated-feed": (DATED_FEED, 12),
    "feed-by-months": (MONTHLY_FEED, 22),
    "paged-feed": (FEED, 20),
    "days": (DAILY_ARCHIVE, 61),
    "days-by-shape": (BARE_DAILY_ARCHIVE, 61),
    "months": (MONTHLY_ARCHIVE, 12),
    "archive": (ARCHIVE, 21),
    "search": (SEARCH, 4),
    "search-by-shape": (SEARCH.replace("main a", ""), 6),
    "search-feed": (SEARCH_FEED, 4),
    "several": (f"{SEARCH[:-1]}, {SITEMAP[1:-1]}, {REST[1:]}", 9),
}
UNDATED = "archive", "search", "search-by-shape", "several", "months"
"""They are read back until their articles, which must be fetched for it, are too old: from now on,
or from the end of the month before the window, where its first hours may be listed."""


def test_exactly_the_window_is_fetched(pantau: Pantau, sites: Callable[[], Site]) -> None:
    """Each outlet has another kind of listing; what is not in the window is left alone, and what
    one source lists is not fetched for another."""
    pasts = {name: Past(sites()) for name in LISTINGS}
    pantau.catalogue("\n".join(row(n, p.site.url, LISTINGS[n][0]) for n, p in pasts.items()))
    ran, reports = backfill(pantau, *(x for n in pasts for x in ("--outlet", n)), *TWO_MONTHS)
    assert ran.code == 0, ran.err + ran.out
    findings = pantau("findings", "--json").lines()
    assert all(finding["quiet"] for finding in findings)
    for name, past in pasts.items():
        report, within, fetched = reports[name], past.within(), past.fetched()
        print(f"{name}: {report['requests']} for {len(within)} articles")
        assert paths_on(past.site, findings) == relevant(within), name
        assert max(fetched.values()) == 1, name
        assert report["requests"]["listing"] == len(past.listings()) <= LISTINGS[name][1], name
        assert report["requests"]["pages"] == report["fetched"] == len(fetched), name
        wanted = {post.path for post in within if post.relevant or "search" not in name}
        assert fetched.keys() >= wanted, name
        if name in UNDATED:
            behind = [p for p in past.posts if p.path in fetched and p.date < WINDOW[0]]
            assert len(behind) <= 2 * PER_PAGE, f"{name}: it went on behind the window"
        else:
            beside = {post.path for post in past.posts[-3:]} if "shape" in name else set()
            assert fetched.keys() <= wanted | beside, name
    (about,) = (
        about
        for about in pantau("backfills", "1", "--json").json()["by_outlet"]
        if about["outlet"] == "archive"
    )
    september = WINDOW[0], datetime(2023, 10, 1, tzinfo=WIB)
    # what has no word of the topic has a date all the same
    assert about["months"][0]["listed"] == len(pasts["archive"].within(september))


def test_what_lies_outside_one_window_is_found_by_another_and_by_the_daily_crawl(
    pantau: Pantau, site: Site
) -> None:
    past = Past(site, posts=70)
    news = Post("/berita/900/camat-diperiksa-bawaslu-hari-ini-juga", datetime.now(WIB), True)
    past.add(news)
    pantau.outlet("kabar", site.url, ARCHIVE)
    assert backfill(pantau, *KABAR, "--from", "2023-08-01", "--to", "2023-08-10")[0].code == 0
    first = past.within((datetime(2023, 8, 1, tzinfo=WIB), datetime(2023, 8, 11, tzinfo=WIB)))
    assert found(pantau, site) == relevant(first)
    assert backfill(pantau, *KABAR, "--from", "2023-08-11", "--to", "2023-08-31")[0].code == 0
    both = past.within((datetime(2023, 8, 1, tzinfo=WIB), datetime(2023, 9, 1, tzinfo=WIB)))
    pantau.set(first_crawl_days=1)
    assert pantau.crawl("kabar")["kabar"]["findings"] == 1
    assert found(pantau, site) == sorted([*relevant(both), news.path])


def test_nothing_is_lost_or_doubled_by_kills_and_next_to_nothing_fetched_again(
    pantau: Pantau, sites: Callable[[], Site]
) -> None:
    ways = {
        "paged-feed": FEED,
        "sitemap": SITEMAP,
        "days": DAILY_ARCHIVE,
        "months": MONTHLY_ARCHIVE,
    }
    pasts = {name: Past(sites(), seconds=0.02) for name in ways}
    pantau.set(lease_seconds=1)
    pantau.catalogue("\n".join(row(name, p.site.url, ways[name]) for name, p in pasts.items()))

    def asked() -> int:
        return sum(len(past.site.paths()) for past in pasts.values())

    kills = 70, 60, 60  # so many requests after the beginning
    arguments: tuple[str, ...] = (*(x for n in pasts for x in ("--outlet", n)), *TWO_MONTHS)
    for requests in kills:
        before = asked()
        process = pantau.start("backfill", *arguments)
        wait_for(lambda until=before + requests: asked() >= until)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        arguments = ("--resume", "1")
    wait_for(lambda: not processes_of(pantau.home))
    ran, _ = backfill(pantau, *arguments)
    assert ran.code == 0, ran.err
    findings = pantau("findings", "--json").lines()
    for name, past in pasts.items():
        fetched = past.fetched()
        assert paths_on(past.site, findings) == relevant(past.within()), name
        beyond = fetched.keys() - {post.path for post in past.within()}
        assert len(past.within()) == len(fetched) - len(beyond), name
        assert len(beyond) <= (PER_PAGE if name in UNDATED else 0), f"{name}: {beyond}"
        again = sum(fetched.values()) - len(fetched)
        listed_again = len(past.listings()) - len(set(past.listings()))
        print(f"{name}: {again} of {len(fetched)} pages fetched again after {len(kills)} kills; "
              f"{listed_again} listing pages")  # fmt: skip
        assert again <= len(kills), "no more than the one under way"
        begun_again = len(kills) if name == "sitemap" else 0  # its index tells what there is
        assert listed_again <= len(kills) + begun_again, name


def test_sigterm_ends_it_cleanly_and_a_second_process_is_refused(
    pantau: Pantau, site: Site
) -> None:
    past = Past(site, seconds=1)
    october = datetime(2023, 10, 1, tzinfo=WIB), WINDOW[1]
    pantau.outlet("kabar", site.url, REST)
    arguments = *KABAR, "--from", "2023-10-01", "--to", "2023-10-31"
    process = pantau.start("backfill", "--json", *arguments)
    wait_for(lambda: sum(past.fetched().values()) >= 3)
    second = pantau("backfill", "--resume", "1")
    assert second.code == 2
    assert second.err.startswith("pantau: Another process is at backfill 1.")
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == "pantau: Stopped; `pantau backfill --resume 1` goes on with it.\n"
    assert json.loads(out)["state"] == "stopped"
    past.seconds = 0
    assert 0 < len(past.fetched()) < len(past.within(october))
    ran, _ = backfill(pantau, "--resume", "1")
    assert (ran.code, ran.json()["state"]) == (0, "done"), ran.err
    assert past.fetched() == Counter({post.path: 1 for post in past.within(october)})
    assert found(pantau, site) == relevant(past.within(october))


def test_one_that_died_before_it_could_pause_goes_on(pantau: Pantau, site: Site) -> None:
    past = Past(site, seconds=0.05)
    pantau.set(lease_seconds=8)
    pantau.outlet("kabar", site.url, REST)
    process = pantau.start("backfill", *DAYS)
    wait_for(lambda: bool(past.fetched()))
    process.kill()
    process.communicate()
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    with Session(engine) as session, session.begin():
        backfills.ask(session, 1, backfills.PAUSE, datetime.now(UTC))
    ran, _ = backfill(pantau, "--resume", "1")  # its lease has not run out yet
    assert (ran.code, ran.json()["state"]) == (0, "done"), ran.err
    assert found(pantau, site) == relevant(past.within())


def test_the_daily_crawl_goes_first(pantau: Pantau, site: Site) -> None:
    """While the listings of the past are read, and while its articles are."""
    past = Past(site)
    october = datetime(2023, 10, 1, tzinfo=WIB), WINDOW[1]
    news = [
        Post(f"/berita/90{n}/camat-diperiksa-bawaslu-hari-ini-juga", datetime.now(WIB), True)
        for n in range(2)
    ]
    pantau.set(lease_seconds=20, first_crawl_days=1)
    days = DAILY_ARCHIVE.replace("arsip", "lambat")
    pantau.outlet("kabar", site.url, f'[{{feed = "/feed"}}]\npast = {days}')
    slow = [0.5]
    for path, page in list(site.pages.items()):

        def slowly(handler: BaseHTTPRequestHandler, page: Any = page) -> Answer | None:
            time.sleep(slow[0])
            answer: Answer = page(handler)
            return answer

        if path.startswith("/arsip/"):
            site.pages[path.replace("arsip", "lambat")] = slowly
        elif path.startswith("/berita/"):
            site.pages[path] = slowly
    arguments = *KABAR, "--from", "2023-10-01", "--to", "2023-10-31"
    process = pantau.start("backfill", "--json", *arguments)
    for number, post in enumerate(news):
        if number:
            wait_for(lambda: bool(past.fetched()[past.within(october)[-1].path]))
            slow[0] = 0.5
        else:
            wait_for(lambda: len(past.listings()) >= 2)
        past.add(post)
        began = time.monotonic()
        report = pantau.crawl("kabar")["kabar"]
        seconds = time.monotonic() - began
        print(f"the daily crawl took {seconds:.1f} s beside the backfill")
        assert (report["findings"], report["errors"]) == (1, 0)
        assert seconds < 20
        old = [path for path in past.fetched() if path not in {post.path for post in news}]
        assert bool(old) == bool(number), "it went on with its listings"
        assert len(old) < len(past.within(october)), "it was over before it could give way"
        slow[0] = 0.05
    out, _ = process.communicate(timeout=120)
    assert json.loads(out)["state"] == "done"
    assert past.fetched() == Counter({post.path: 1 for post in [*past.within(october), *news]})
    asked = [asked for asked in site.log if asked.path != "/robots.txt"]
    assert all(one.until <= other.at for one, other in pairwise(asked)), "two at a time"


def test_what_is_left_over_makes_it_stopped(pantau: Pantau, sites: Callable[[], Site]) -> None:
    """A budget that is spent, an outlet that refuses its pages, one that is no outlet any more."""
    kabar, closed = Past(sites()), Past(sites())
    for post in closed.posts:
        closed.site.pages[post.path] = Answer("no", 403)
    rows = [row("kabar", kabar.site.url, REST), row("tutup", closed.site.url, REST)]
    pantau.catalogue("\n".join(rows))
    arguments = *KABAR, "--outlet", "tutup", *TWO_MONTHS, "--max-pages", "12"
    ran, reports = backfill(pantau, *arguments)
    assert (ran.code, ran.json()["state"], reports["kabar"]["fetched"]) == (1, "stopped", 12)
    assert reports["kabar"]["note"] == "its budget of 12 pages is spent"
    assert (reports["kabar"]["state"], reports["tutup"]["state"]) == ("done", "stopped")
    pantau.catalogue(rows[0])
    ran, reports = backfill(pantau, "--resume", "1", "--max-pages", "20")
    assert sum(kabar.fetched().values()) == 20, "it is one budget for all runs"
    assert (ran.code, ran.json()["state"]) == (1, "stopped")
    assert reports["tutup"]["note"] == "it is not in the catalogue any more"
    ran, _ = backfill(pantau, "--resume", "1", "--max-pages", "500")
    assert kabar.fetched() == Counter({post.path: 1 for post in kabar.within()})
    assert (ran.code, ran.json()["state"]) == (1, "stopped"), "for the one that is not there"
    assert "tutup: it is not in the catalogue any more." in pantau("backfills", "1").out


def test_an_archive_is_asked_last_and_left_alone_where_it_has_enough(
    pantau: Pantau, sites: Callable[[], Site]
) -> None:
    past, archive = Past(sites()), sites()
    lost = "/berita/900/lurah-diperiksa-bawaslu-karena-berpose"
    october = datetime(2023, 10, 1, tzinfo=WIB), WINDOW[1]
    kept = [past.site.url + path for path in [*(p.path for p in past.within(october)), lost]]
    captures = [["timestamp", "original"], *(["20231105000000", url] for url in kept)]
    archive.pages["/cdx/search/cdx"] = json.dumps(captures)
    archive.pages[f"/web/20231105000000id_/{past.site.url}{lost}"] = Answer(
        "slower", 429, {"Retry-After": "3600"}
    )
    pantau.set(wayback_url=archive.url, common_crawl_index_url=archive.url)
    pantau.outlet("kabar", past.site.url, REST)
    arguments = "--from", "2023-10-01", "--to", "2023-10-31", "--archives"
    ran, reports = backfill(pantau, *KABAR, *arguments)
    assert "left alone" in reports["kabar"]["note"]
    assert (ran.code, reports["kabar"]["state"]) == (1, "done")
    assert past.fetched() == Counter({post.path: 1 for post in past.within(october)})
    pages = [path for path in archive.paths() if path.startswith("/web/")]
    assert len(pages) == 1, "what lives is not fetched from an archive"
    assert pantau("backfills", "--json").lines()[0]["pending"] == 1


def test_a_sitemap_goes_on_behind_those_that_were_read(pantau: Pantau, site: Site) -> None:
    """Though others stand between them, of tags, or of another time; one that failed is read
    again, and what comes behind it."""
    past = Past(site)
    index = past._sitemaps(None)  # type: ignore[arg-type]
    tags = f"<sitemap><loc>{site.url}/category-sitemap.xml</loc></sitemap></sitemapindex>"
    october = site.pages["/post-sitemap-2023-10.xml"]
    site.pages["/sitemap.xml"] = str(index.body).replace("</sitemapindex>", tags)
    site.pages["/post-sitemap-2023-10.xml"] = Answer("", 403)
    pantau.outlet("kabar", site.url, SITEMAP)
    days = "--from", "2023-09-01", "--to", "2023-11-30"
    assert backfill(pantau, *KABAR, *days)[0].code == 1
    del site.log[:]
    site.pages["/post-sitemap-2023-10.xml"] = october
    ran, _ = backfill(pantau, "--resume", "1")
    assert ran.code == 0
    maps = [path[-11:-4] for path in past.listings() if path.startswith("/post")]
    assert maps == ["2023-10", "2023-11"]


def test_what_another_outlet_has_in_hand_is_waited_for_in_peace(
    pantau: Pantau, site: Site, redis_server: RedisServer
) -> None:
    """And not asked for again and again."""
    past = Past(site, posts=70)
    pantau.set(redis_url=redis_server.url)
    pantau.outlet("kabar", site.url, REST)
    days = "--from", "2023-08-01", "--to", "2023-08-10", "--max-pages", "1"
    assert backfill(pantau, *KABAR, *days)[0].json()["state"] == "stopped"
    within = past.within((datetime(2023, 8, 1, tzinfo=WIB), datetime(2023, 8, 11, tzinfo=WIB)))
    (wanted, *_) = {p.path for p in within} - past.fetched().keys()
    redis = Redis.from_url(redis_server.url)
    taken = urls.canonical(site.url + wanted)
    assert taken
    seen = Seen(redis, list)
    seen.release([taken], "kabar")
    seen.claim([taken], "lain", 600)
    ran, reports = backfill(pantau, "--resume", "1", "--max-pages", "99")
    assert ran.code == 1
    assert reports["kabar"]["note"] == "1 of its articles are being fetched for another outlet"
    seen.release([taken], "lain")
    assert backfill(pantau, "--resume", "1")[0].code == 0
    assert past.fetched() == Counter({post.path: 1 for post in within})


def test_months_that_cannot_be_trusted_are_marked(
    pantau: Pantau, site: Site, sites: Callable[[], Site]
) -> None:
    """One of three outlets has holes, one is gone, of one nothing reaches back."""
    past = Past(site)
    past.posts = [
        post
        for post in past.posts
        if post.date.month != 8 and (post.date.month != 9 or post.date.day < 4)
    ]
    rest, broken = past._rest, [True]

    def without_october(handler: BaseHTTPRequestHandler) -> Answer:
        october = query(handler).get("after", "").startswith("2023-09-30")
        return Answer("", 500) if october and broken[0] else rest(handler)

    site.pages["/wp-json/wp/v2/posts"] = without_october
    gone = "[{wordpress = true}, {sitemap = '/sitemap.xml'}, {feed = '/feed', " + (
        "window = '/feed?m={year}{month}&paged={page}'}, {days = '/arsip/{year}/{month}'}]"
    )
    empty = sites()
    rows = (
        row("kabar", site.url, REST),
        row("hilang", empty.url, gone),
        (row("kering", empty.url, '[{feed = "/rss"}]')),
    )
    pantau.catalogue("\n".join(rows))
    names = *KABAR, "--outlet", "hilang", "--outlet", "kering"
    ran, reports = backfill(pantau, *names, "--from", "2023-07-01", "--to", "2023-12-15")
    assert ran.code == 1
    assert {name: report["errors"] for name, report in reports.items()} == dict.fromkeys(reports, 1)
    assert reports["hilang"]["note"].startswith("none of its listings could be read: ")
    assert reports["kering"]["note"] == "none of its sources reaches back"
    told = {o["outlet"]: o for o in pantau("backfills", "1", "--json").json()["by_outlet"]}
    marks = {month["month"]: month["mark"] for month in told["kabar"]["months"]}
    assert marks == {
        "2023-07": None, "2023-08": "empty", "2023-09": "few", "2023-10": "unreached",
        "2023-11": None, "2023-12": None,
    }  # fmt: skip
    for name in ("hilang", "kering"):
        assert {month["mark"] for month in told[name]["months"]} == {"unreached"}
    said = pantau("backfills", "1").out
    assert "suspicious: nothing at all" in said
    assert "kabar: wordpress /wp-json/wp/v2/posts: HTTP 500" in said
    assert "hilang: wordpress /wp-json/wp/v2/posts: HTTP 404 (in 6 parts" in said
    broken[0] = False
    assert backfill(pantau, "--resume", "1")[1]["kabar"]["errors"] == 0
    about = pantau("backfills", "1", "--json").json()["by_outlet"][0]
    assert [month["mark"] for month in about["months"]] == [None, "empty", "few", None, None, None]


def test_what_the_database_refuses_is_said_and_left_for_another_time(
    pantau: Pantau, site: Site
) -> None:
    """An error that nobody thought of ends the outlet's part, and neither hides nor loses it."""
    past = Past(site)
    pantau.outlet("kabar", site.url, REST)
    assert pantau("backfills").code == 0  # makes the database
    refusal = (
        "CREATE TRIGGER refusal BEFORE UPDATE OF finished ON slices "
        "BEGIN SELECT RAISE(ABORT, 'no room left'); END"
    )
    with closing(sqlite3.connect(pantau.home / "pantau.db")) as database:
        database.execute(refusal)
    ran, reports = backfill(pantau, *DAYS)
    assert (ran.code, ran.json()["state"]) == (1, "stopped")
    assert ran.err == "pantau: Stopped; `pantau backfill --resume 1` goes on with it.\n"
    assert (reports["kabar"]["state"], reports["kabar"]["errors"]) == ("stopped", 1)
    assert "no room left" in reports["kabar"]["note"]
    with closing(sqlite3.connect(pantau.home / "pantau.db")) as database:
        database.execute("DROP TRIGGER refusal")
    ran, _ = backfill(pantau, "--resume", "1")
    assert (ran.code, ran.json()["state"]) == (0, "done"), ran.err
    assert found(pantau, site) == relevant(past.within())
    assert past.fetched() == Counter({post.path: 1 for post in past.within()})


def test_sitemaps_are_parsed_in_worker_processes(
    pantau: Pantau, site: Site, tmp_path: Path
) -> None:
    """In the crawl's own process, a large one would hold up all outlets: there it is an error."""
    past = Past(site, posts=40)
    pantau.outlet("kabar", site.url, SITEMAP)
    program = (
        "import sys\n"
        "from lxml import etree\n"
        "import crawler.sources.sitemap as sitemap\n"
        "class Refusing:\n"
        "    def __getattr__(self, name):\n"
        "        raise AssertionError('parsed in the process of the crawl')\n"
        "if __name__ == '__main__':\n"  # not in the workers
        "    sitemap.etree = Refusing()\n"
        "    from cli import main\n"
        "    sys.argv[0] = 'pantau'\n"
        "    main()\n"
    )
    script = tmp_path / "crawl.py"
    script.write_text(program)
    arguments = "backfill", "--json", *KABAR, "--from", "2023-07-01", "--to", "2023-07-31"
    ran = subprocess.run(
        [sys.executable, script, *arguments], env=pantau.environment | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr + ran.stdout
    july = datetime(2023, 7, 1, tzinfo=WIB), datetime(2023, 8, 1, tzinfo=WIB)
    assert found(pantau, site) == relevant(past.within(july))


def test_the_pace_can_be_slowed(pantau: Pantau, site: Site) -> None:
    past = Past(site, posts=10)
    pantau.outlet("kabar", site.url, REST)
    backfill(pantau, *KABAR, "--from", "2023-07-01", "--to", "2023-07-03", "--delay", "0.5")
    assert len(past.fetched()) == 3
    gaps = [other.at - one.at for one, other in pairwise(site.log)]
    assert min(gaps) >= 0.49


REFUSED = (
    (*KABAR, "--from", "2023-09-02", "--to", "2023-09-01"),
    (*KABAR, "--from", "2023-09-02", "--to", f"{datetime.now(WIB):%Y-%m-%d}"),
    (*KABAR, "--from", "besok", "--to", "2023-09-01"),
    ("--from", "2023-09-02"),
    ("--resume", "7"),
)


def test_bad_input_is_refused_in_a_sentence(pantau: Pantau) -> None:
    pantau.outlet("kabar", "http://127.0.0.1:9", REST)
    for arguments in REFUSED:
        ran = pantau("backfill", *arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert ran.err.startswith("pantau: ")
        assert len(ran.err.splitlines()) == 1
    assert pantau("backfills", "--json").out == ""
