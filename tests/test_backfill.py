"""The past: exactly what a window holds is found, whatever reaches it, whatever cuts it short."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from crawler.outlet import WIB
from tests.conftest import Pantau, Ran
from tests.site import Answer, Site
from tests.test_crawl import FILLER, RELEVANT, processes_of, wait_for

FIRST = datetime(2023, 7, 1, tzinfo=WIB)
WINDOW = datetime(2023, 9, 1, tzinfo=WIB), datetime(2023, 11, 1, tzinfo=WIB)
KABAR = "--outlet", "kabar"
DAYS = *KABAR, "--from", "2023-09-01", "--to", "2023-10-31"
PER_PAGE = 10
EVERY = 7  # so many articles have one among them that is relevant

REST = "[{wordpress = true}]"
FEED = '[{feed = "/feed", pages = "/feed?paged={page}"}]'
DATED_FEED = '[{feed = "/feed", window = "/feed?since={since}&until={until}&paged={page}"}]'
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


def backfill(pantau: Pantau, *arguments: str) -> tuple[Ran, dict]:
    """What `pantau backfill` gives, and its one outlet's report."""
    ran = pantau("backfill", "--json", *arguments)
    assert "Traceback" not in ran.err, ran.err
    reports = ran.json()["outlets"]
    return ran, reports[0] if reports else {}


def found(pantau: Pantau) -> list[str]:
    """The paths of all findings, each as often as it was found."""
    rows = pantau("findings", "--json").lines()
    assert all(row["quiet"] for row in rows)
    return sorted(urlsplit(row["url"]).path for row in rows)


def relevant(posts: Sequence[Post]) -> list[str]:
    return sorted(post.path for post in posts if post.relevant)


@pytest.mark.parametrize(
    ("sources", "listings"),
    [
        pytest.param(REST, 2, id="rest"),
        pytest.param(SITEMAP, 3, id="sitemap"),
        pytest.param(DATED_FEED, 12, id="dated feed"),
        pytest.param(FEED, 20, id="paged feed"),
        pytest.param(DAILY_ARCHIVE, 61, id="days"),
        pytest.param(BARE_DAILY_ARCHIVE, 61, id="days, links by their shape"),
        pytest.param(MONTHLY_ARCHIVE, 12, id="months"),
    ],
)
def test_exactly_the_window_is_fetched(
    pantau: Pantau, past: Past, sources: str, listings: int
) -> None:
    pantau.outlet("kabar", past.site.url, sources)
    ran, report = backfill(pantau, *DAYS)
    assert ran.code == 0, ran.err
    expected = {post.path for post in past.within()}
    fetched = past.fetched()
    beside = {post.path for post in past.posts[-3:]} if sources == BARE_DAILY_ARCHIVE else set()
    assert set(fetched) - beside == expected
    assert max(fetched.values()) == 1
    assert found(pantau) == relevant(past.within())
    print(f"{report['requests']} for {len(expected)} articles")
    assert report["requests"]["listing"] == len(past.listings()) <= listings
    assert report["requests"]["pages"] == report["fetched"] == sum(fetched.values())


@pytest.mark.parametrize(
    ("sources", "behind"),
    [
        pytest.param(ARCHIVE, 2 * PER_PAGE, id="archive"),
        pytest.param(SEARCH, 2 * PER_PAGE, id="search"),
        pytest.param(SEARCH_FEED, 0, id="search answered by a feed"),
    ],
)
def test_a_listing_without_dates_is_read_until_its_articles_are_too_old(
    pantau: Pantau, past: Past, sources: str, behind: int
) -> None:
    pantau.outlet("kabar", past.site.url, sources)
    ran, report = backfill(pantau, *DAYS)
    assert ran.code == 0, ran.err
    assert found(pantau) == relevant(past.within())
    older = [p for p in past.posts if p.path in past.fetched() and p.date < WINDOW[0]]
    assert len(older) <= behind, "it went on behind the window"
    print(f"{report['requests']}, {len(older)} of them before the window")
    month = pantau("backfills", "1", "--json").json()["by_outlet"][0]["months"][0]
    expected = past.within((WINDOW[0], datetime(2023, 10, 1, tzinfo=WIB)))
    if sources == ARCHIVE:  # what has no word of the topic has a date all the same
        assert (month["month"], month["listed"]) == ("2023-09", len(expected))


def test_what_lies_outside_one_window_is_found_by_another_and_by_the_daily_crawl(
    pantau: Pantau, site: Site
) -> None:
    past = Past(site, posts=70)
    news = Post("/berita/900/camat-diperiksa-bawaslu-hari-ini-juga", datetime.now(WIB), True)
    past.add(news)
    pantau.outlet("kabar", site.url, ARCHIVE)
    assert backfill(pantau, *KABAR, "--from", "2023-08-01", "--to", "2023-08-10")[0].code == 0
    first = past.within((datetime(2023, 8, 1, tzinfo=WIB), datetime(2023, 8, 11, tzinfo=WIB)))
    assert found(pantau) == relevant(first)
    assert backfill(pantau, *KABAR, "--from", "2023-08-11", "--to", "2023-08-31")[0].code == 0
    both = past.within((datetime(2023, 8, 1, tzinfo=WIB), datetime(2023, 9, 1, tzinfo=WIB)))
    assert found(pantau) == relevant(both)
    pantau.set(first_crawl_days=1)
    assert pantau.crawl("kabar")["kabar"]["findings"] == 1
    assert found(pantau) == sorted([*relevant(both), news.path])


def test_nothing_is_lost_or_doubled_by_kills_and_next_to_nothing_fetched_again(
    pantau: Pantau, site: Site
) -> None:
    past = Past(site, seconds=0.02)
    pantau.set(lease_seconds=1)
    pantau.outlet("kabar", site.url, '[{feed = "/feed", pages = "/feed?paged={page}"}]')
    kills, arguments = 4, DAYS
    for kill in range(kills):
        seen = len(site.paths())
        running = pantau.start("backfill", *arguments)
        wait_for(lambda seen=seen: len(site.paths()) > seen)
        asked = len(site.paths()) + (5, 20, 40, 15)[kill]
        wait_for(lambda asked=asked: len(site.paths()) >= asked)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        arguments = ("--resume", "1")
    wait_for(lambda: not processes_of(pantau.home))
    ran, _ = backfill(pantau, *arguments)
    assert ran.code == 0, ran.err
    assert found(pantau) == relevant(past.within())
    fetched = past.fetched()
    assert set(fetched) == {post.path for post in past.within()}
    again = sum(fetched.values()) - len(fetched)
    listed_again = len(past.listings()) - len(set(past.listings()))
    print(f"{again} of {len(fetched)} pages fetched again after {kills} kills; "
          f"{listed_again} listing pages")  # fmt: skip
    assert again <= 2 * kills, "no more than were under way"


def test_sigterm_ends_it_cleanly_and_a_second_process_is_refused(
    pantau: Pantau, site: Site
) -> None:
    past = Past(site, seconds=0.1)
    pantau.outlet("kabar", site.url, REST)
    running = pantau.start("backfill", "--json", *DAYS)
    wait_for(lambda: sum(past.fetched().values()) >= 10)
    second = pantau("backfill", "--resume", "1")
    assert second.code == 2
    assert second.err.startswith("pantau: Another process is at backfill 1.")
    assert pantau("backfills", "--json").lines()[0]["state"] == "running"
    running.terminate()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1
    assert err == "pantau: Stopped; `pantau backfill --resume 1` goes on with it.\n"
    assert json.loads(out)["state"] == "stopped"
    assert 0 < len(past.fetched()) < len(past.within())
    ran, _ = backfill(pantau, "--resume", "1")
    assert ran.code == 0, ran.err
    assert past.fetched() == Counter({post.path: 1 for post in past.within()})
    assert found(pantau) == relevant(past.within())
    assert pantau("backfills", "--json").lines()[0]["state"] == "done"


def test_the_daily_crawl_goes_first(pantau: Pantau, site: Site) -> None:
    past = Past(site, seconds=0.1)
    news = Post("/berita/900/camat-diperiksa-bawaslu-hari-ini-juga", datetime.now(WIB), True)
    past.add(news)
    pantau.set(lease_seconds=20, first_crawl_days=1)
    pantau.outlet("kabar", site.url, FEED)
    running = pantau.start("backfill", "--json", *DAYS)
    wait_for(lambda: sum(past.fetched().values()) >= 5)
    began = time.monotonic()
    report = pantau.crawl("kabar")["kabar"]
    seconds = time.monotonic() - began
    assert (report["findings"], report["errors"]) == (1, 0)
    assert running.poll() is None, "the backfill was over before it could give way"
    out, _ = running.communicate(timeout=120)
    assert json.loads(out)["state"] == "done"
    assert past.fetched() == Counter({post.path: 1 for post in [*past.within(), news]})
    asked = [asked for asked in site.log if asked.path != "/robots.txt"]
    assert all(one.until <= other.at for one, other in pairwise(asked)), "two at a time"
    print(f"the daily crawl took {seconds:.1f} s beside the backfill")
    assert seconds < 15


def test_a_budget_of_pages(pantau: Pantau, past: Past) -> None:
    pantau.outlet("kabar", past.site.url, REST)
    ran, report = backfill(pantau, *DAYS, "--max-pages", "20")
    assert (ran.code, ran.json()["state"], report["fetched"]) == (0, "stopped", 20)
    assert report["note"] == "its budget of 20 pages is spent"
    backfill(pantau, "--resume", "1")
    assert sum(past.fetched().values()) == 20, "it is one budget for all runs"
    ran, _ = backfill(pantau, "--resume", "1", "--max-pages", "500")
    assert ran.json()["state"] == "done"
    assert past.fetched() == Counter({post.path: 1 for post in past.within()})


def test_months_that_cannot_be_trusted_are_marked(pantau: Pantau, site: Site) -> None:
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
    pantau.outlet("kabar", site.url, REST)
    ran, report = backfill(pantau, *KABAR, "--from", "2023-07-01", "--to", "2023-12-15")
    assert (ran.code, report["errors"]) == (1, 1)
    (about,) = pantau("backfills", "1", "--json").json()["by_outlet"]
    marks = {month["month"]: month["mark"] for month in about["months"]}
    assert marks == {
        "2023-07": None, "2023-08": "empty", "2023-09": "few", "2023-10": "unreached",
        "2023-11": None, "2023-12": None,
    }  # fmt: skip
    said = pantau("backfills", "1").out
    assert "suspicious: nothing at all" in said
    assert "kabar: wordpress /wp-json/wp/v2/posts: HTTP 500" in said
    broken[0] = False
    assert backfill(pantau, "--resume", "1")[0].code == 0
    (about,) = pantau("backfills", "1", "--json").json()["by_outlet"]
    assert [month["mark"] for month in about["months"]] == [None, "empty", "few", None, None, None]


def test_what_one_source_lists_is_not_fetched_for_another(pantau: Pantau, past: Past) -> None:
    pantau.outlet("kabar", past.site.url, f"{SEARCH[:-1]}, {SITEMAP[1:-1]}, {REST[1:]}")
    ran, _ = backfill(pantau, *DAYS)
    assert ran.code == 0, ran.err
    fetched = past.fetched()
    assert max(fetched.values()) == 1
    assert {post.path for post in past.within()} <= set(fetched)
    assert found(pantau) == relevant(past.within())


def test_the_pace_can_be_slowed(pantau: Pantau, site: Site) -> None:
    past = Past(site, posts=10)
    pantau.outlet("kabar", site.url, REST)
    backfill(pantau, *KABAR, "--from", "2023-07-01", "--to", "2023-07-03", "--delay", "0.5")
    assert len(past.fetched()) == 4
    gaps = [other.at - one.at for one, other in pairwise(site.log)]
    assert min(gaps) >= 0.49


REFUSED = (
    (*KABAR, "--from", "2023-09-02", "--to", "2023-09-01"),
    ("--from", "2023-09-02"),
    ("--from", "2123-09-02", "--to", "2123-09-03"),
    ("--from", "besok", "--to", "2023-09-01"),
    ("--resume", "7"),
    ("--resume", "7", "--from", "2023-09-02"),
    (*DAYS, "--outlet", "kabur"),
)


def test_bad_input_is_refused_in_a_sentence(pantau: Pantau) -> None:
    pantau.outlet("kabar", "http://127.0.0.1:9", REST)
    for arguments in REFUSED:
        ran = pantau("backfill", *arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert ran.err.startswith("pantau: ")
        assert len(ran.err.splitlines()) == 1
    assert pantau("backfills", "--json").out == ""
    assert pantau("backfills", "7").code == 2
