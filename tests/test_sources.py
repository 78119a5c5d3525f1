"""Sources: what each kind finds, over four crawls of sites that change in between.

Each site is a generator: up to its first `yield` it is set up, and gives its row's sources; what
follows each `yield` happens to the site before the next crawl.
"""

import gzip
import json
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import Crawled, Pantau, row
from tests.site import Answer, Site, running
from tests.test_crawl import FILLER, RELEVANT

CRAWLS = 4
FIRST_CRAWL_DAYS = 3
PER_PAGE = 10
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PAGED = '[{feed = "/feed", pages = "/feed?paged={page}"}]'

Handler = BaseHTTPRequestHandler
Life = Generator[str, None, None]


@dataclass
class Outlet:
    """A site whose `posts`, the newest first, are paths and dates."""

    site: Site
    posts: list[tuple[str, datetime | None]] = field(default_factory=list)

    def post(self, path: str, date: datetime | None = None, html: str | None = None) -> None:
        self.posts.insert(0, (path, date))
        self.site.pages[path] = html or FILLER.format(title=f"Harga {path}")

    def publish(self, count: int, newest: datetime | None = NOW) -> None:
        """Publish `count` articles, a minute apart."""
        for number in range(len(self.posts), len(self.posts) + count):
            self.post(f"/berita/{number}", newest and newest + number * timedelta(seconds=1) - HOUR)

    def page(self, number: int) -> Answer:
        """Page `number` of the feed, as WordPress gives it: ten posts, 404 after the last."""
        shown = self.posts[(number - 1) * PER_PAGE : number * PER_PAGE]
        return Answer(self.rss(shown)) if shown else Answer("", 404)

    def paged(self, handler: Handler) -> Answer:
        return self.page(int(query(handler).get("paged", 1)))

    def rss(self, posts: Sequence[tuple[str, datetime | None]]) -> str:
        items = "".join(
            f"<item><link>{self.site.url}{path}</link>"
            + (f"<pubDate>{format_datetime(date)}</pubDate>" if date else "")
            + "</item>"
            for path, date in posts
        )
        return f'<rss version="2.0"><channel>{items}</channel></rss>'


def query(handler: Handler) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}


# --- the sites: feeds -----------------------------------------------------------------------------


def daily(outlet: Outlet) -> Life:
    """Forty articles a day, ten in the feed; on the third day its third page is broken."""
    outlet.site.pages["/feed"] = outlet.paged
    outlet.publish(40)
    yield PAGED
    outlet.publish(40)
    yield ""
    outlet.publish(40)
    outlet.site.pages["/feed?paged=3"] = Answer("broken", 500)
    yield ""
    outlet.publish(5)
    del outlet.site.pages["/feed?paged=3"]
    yield ""


def same_page(outlet: Outlet) -> Life:
    """A feed that knows no pages: any `paged` shows the newest."""
    outlet.site.pages["/feed"] = lambda _: outlet.page(1)
    outlet.publish(10)
    yield PAGED
    outlet.publish(3)
    yield ""


def undated(outlet: Outlet) -> Life:
    outlet.site.pages["/feed"] = outlet.paged
    outlet.publish(60, newest=None)
    yield PAGED
    outlet.publish(45, newest=None)
    yield ""


def sticky(outlet: Outlet) -> Life:
    """An old post stays on top of the first page."""

    def feed(handler: Handler) -> Answer:
        page = int(query(handler).get("paged", 1))
        shown = outlet.posts[(page - 1) * PER_PAGE : page * PER_PAGE]
        return Answer(outlet.rss([("/tetap", NOW - 400 * DAY), *shown] if page == 1 else shown))

    outlet.site.pages |= {"/feed": feed, "/tetap": FILLER.format(title="Tetap")}
    outlet.publish(5)
    yield PAGED
    outlet.publish(25)
    yield ""


def old(outlet: Outlet) -> Life:
    """A post a day for sixty days."""
    outlet.site.pages["/feed"] = outlet.paged
    for number in range(60, 0, -1):
        outlet.post(f"/berita/{number}", NOW - number * DAY + HOUR)
    yield PAGED


ZONES = {
    "/wib": ("{:%a, %d %b %Y} 10:00:00 WIB", 3),
    "/wit": ("{:%a, %d %b %Y} 10:00:00 WIT", 1),
    "/gmt": ("{:%a, %d %b %Y} 10:00:00 GMT", 10),
    "/offset": ("{:%a, %d %b %Y} 10:00:00 +0700", 3),
    "/none": ("{:%Y-%m-%d} 10:00:00", 2),
    "/iso": ("{:%Y-%m-%d}T10:00:00", 2),
    "/iso-offset": ("{:%Y-%m-%d}T10:00:00.000+09:00", 1),
}
"""Date forms, and the hour in UTC that they mean in an outlet of WITA."""


def zones(outlet: Outlet) -> Life:
    items = ""
    for path, (form, _) in ZONES.items():
        outlet.post(path)
        date = form.format(NOW - DAY)
        items += f"<item><link>{path}</link><pubDate>{date}</pubDate></item>"
    outlet.site.pages["/feed"] = f'<rss version="2.0"><channel>{items}</channel></rss>'
    yield '[{feed = "/feed"}]'


def atom(outlet: Outlet) -> Life:
    outlet.publish(2)
    entries = "".join(
        f'<entry><link rel="replies" href="{path}#r"/><link rel="alternate" href="{path}"/>'
        f"<published>{date.isoformat() if date else ''}</published></entry>"
        for path, date in outlet.posts
    )
    outlet.site.pages["/feed"] = f'<feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>'
    yield '[{feed = "/feed"}]'


def rdf(outlet: Outlet) -> Life:
    outlet.publish(2)
    items = "".join(
        f'<item rdf:about="{outlet.site.url}{path}"><title>x</title>'
        f"<link>{outlet.site.url}{path}</link></item>"
        for path, _ in outlet.posts
    )
    outlet.site.pages["/feed"] = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns="http://purl.org/rss/1.0/"><channel><title>x</title></channel>{items}</rdf:RDF>'
    )
    yield '[{feed = "/feed"}]'


def sloppy(outlet: Outlet) -> Life:
    """A feed that is not well-formed, and links to other sites too."""
    outlet.publish(2)
    items = "".join(f"<item><link>{outlet.site.url}{p}</link></item>" for p, _ in outlet.posts)
    outlet.site.pages["/feed"] = (
        '\n<rss version="2.0"><channel><item><title>A & B &nbsp; &#55357;&#56832;</title>'
        "<link>http://127.0.0.1:1/other</link></item><item><link>https://x.example/</link></item>"
        f"{items}</channel>"
    )
    yield '[{feed = "/feed"}]'


def moved(outlet: Outlet) -> Life:
    """Two listed addresses lead to a third, which is listed by and by."""
    found = RELEVANT.format(title="Camat Diperiksa")
    for path in ("/lama/1", "/lama/2"):
        outlet.post(path, NOW - HOUR)
        outlet.site.pages[path] = Answer("", 301, {"Location": "/baru"})
    outlet.site.pages |= {"/feed": outlet.paged, "/baru": found, "/": found}
    outlet.post("/hilang", NOW - HOUR)
    outlet.site.pages["/hilang"] = Answer("", 302, {"Location": "/"})
    yield PAGED
    outlet.post("/baru", NOW - HOUR, found)
    yield ""


def split(outlet: Outlet) -> Life:
    """An article on three pages; its second is linked from the feed as well."""
    texts = (
        "Bawaslu Buleleng memeriksa seorang camat yang diduga melanggar netralitas ASN karena "
        "hadir dalam kampanye calon bupati pada hari Minggu.",
        "Di halaman kedua, ketua Bawaslu menyampaikan bahwa camat itu sudah dimintai klarifikasi "
        "bersama dua orang saksi dari desa.",
        "Di halaman ketiga, bupati mengingatkan semua pegawai negeri agar menjaga netralitas "
        "selama masa kampanye berlangsung.",
    )
    for number, text in enumerate(texts, 1):
        links = "".join(f'<a href="/berita/camat/{n}">{n}</a>' for n in (2, 3))
        outlet.site.pages["/berita/camat" if number == 1 else f"/berita/camat/{number}"] = (
            "<html><head><title>Camat Diperiksa Bawaslu</title></head><body><article>"
            f'<h1>Camat Diperiksa Bawaslu</h1><div class="entry-content"><p>{text}</p></div>'
            f'<div class="page-links">{links}</div></article></body></html>'
        )
    outlet.posts = [("/berita/camat", NOW - HOUR)]
    outlet.site.pages["/feed"] = outlet.paged
    yield PAGED


# --- the sites: pages, REST, sitemaps -------------------------------------------------------------


def search(outlet: Outlet) -> Life:
    """Hits by term, three a page; every page shows a carousel besides."""
    outlet.publish(8)
    outlet.post("/carousel")

    def page(handler: Handler) -> Answer:
        asked = query(handler)
        hits = [path for path, _ in outlet.posts if path != "/carousel"]
        hits = hits if asked["q"] == "netralitas" else []
        start = 3 * (int(asked["p"]) - 1)
        shown = "".join(f'<a href="{path}">x</a>' for path in hits[start : start + 3])
        return Answer(f'<div><a href="/carousel">x</a></div><div id="hits">{shown}</div>')

    outlet.site.pages["/cari"] = page
    terms = '["netralitas", "tidak ada"]'
    yield f'[{{search = "/cari?q={{term}}&p={{page}}", hits = "#hits a", terms = {terms}}}]'
    outlet.publish(2)
    yield ""


def archive(outlet: Outlet) -> Life:
    """Index pages of five; beyond the last it shows the last."""
    outlet.publish(12)

    def page(handler: Handler) -> Answer:
        last = (len(outlet.posts) - 1) // 5
        start = 5 * min(int(query(handler)["page"]) - 1, last)
        shown = outlet.posts[start : start + 5]
        return Answer("".join(f'<h3><a href="{path}">x</a></h3>' for path, _ in shown))

    outlet.site.pages["/berita"] = page
    yield '[{archive = "/berita?page={page}", links = "h3 a"}]'
    outlet.publish(11)
    yield ""


def rest(outlet: Outlet) -> Life:
    """A WordPress' API, as far as the crawl uses it. Exactly a hundred posts, so that the page
    after them is asked for; later two are edited, of which one is a finding."""
    modified: dict[str, datetime] = {}

    def posts(handler: Handler) -> Answer:
        asked = query(handler)
        after, edited = (
            datetime.fromisoformat(asked.get(name, "2000-01-01T00:00:00Z"))
            for name in ("after", "modified_after")
        )
        rows = [
            {
                "link": f"{outlet.site.url}{path}",
                "date_gmt": f"{date:%Y-%m-%dT%H:%M:%S}",
                "modified_gmt": f"{modified.get(path, date):%Y-%m-%dT%H:%M:%S}",
            }
            for path, date in outlet.posts
            if date and date > after and modified.get(path, date) > edited
        ]
        key = "modified_gmt" if asked["orderby"] == "modified" else "date_gmt"
        rows.sort(key=lambda post: post[key], reverse=True)
        start = int(asked["per_page"]) * (int(asked["page"]) - 1)
        if start and start >= len(rows):
            return Answer(json.dumps({"code": "rest_post_invalid_page_number"}), 400)
        return Answer(json.dumps(rows[start : start + int(asked["per_page"])]))

    outlet.site.pages["/wp-json/wp/v2/posts"] = posts
    outlet.post("/tua", NOW - 20 * DAY)
    outlet.publish(98)
    outlet.post("/camat", NOW - HOUR, RELEVANT.format(title="Camat Diperiksa"))
    outlet.post("/lurah", NOW - HOUR, RELEVANT.format(title="Lurah Diperiksa"))
    yield "[{wordpress = true}]"
    outlet.publish(3)
    for path in ("/camat", "/berita/5"):
        modified[path] = datetime.now(UTC) + timedelta(seconds=1)
    outlet.site.pages["/camat"] = RELEVANT.format(title="Camat Diperiksa dan Diberi Sanksi")
    yield ""
    yield ""


def sitemap(kind: str, *entries: tuple[str, datetime | None]) -> str:
    element = "sitemap" if kind == "sitemapindex" else "url"
    body = "".join(
        f"<{element}><loc>{url}</loc>"
        + (f"<lastmod>{date.isoformat()}</lastmod>" if date else "")
        + f"</{element}>"
        for url, date in entries
    )
    return f'<{kind} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{body}</{kind}>'


def maps(outlet: Outlet) -> Life:
    """An index as Yoast writes it: dated children, one of them packed, one of categories."""
    site = outlet.site

    def children(*paths: tuple[str, datetime]) -> str:
        return sitemap("sitemapindex", *((f"{site.url}{path}", date) for path, date in paths))

    def child(*posts: str) -> str:
        return sitemap("urlset", *((f"{site.url}{p}", d) for p, d in outlet.posts if p in posts))

    outlet.publish(4)
    outlet.post("/tua", NOW - 20 * DAY)
    elsewhere = "<sitemap><loc>http://x.example/s.xml</loc></sitemap>"
    site.pages["/sitemap.xml"] = children(
        ("/post-sitemap1.xml", NOW - 20 * DAY),
        ("/post-sitemap2.xml.gz", NOW),
        ("/category-sitemap.xml", NOW),
        ("/post_tag-sitemap.xml", NOW),
        ("/inner.xml", NOW),
    ).replace("</sitemapindex>", f"{elsewhere}</sitemapindex>")
    for path in ("/post-sitemap1.xml", "/category-sitemap.xml", "/post_tag-sitemap.xml"):
        site.pages[path] = child("/tua")
    site.pages["/post-sitemap2.xml.gz"] = Answer(
        gzip.compress(child("/berita/0", "/berita/1", "/tua").encode()),
        headers={"Content-Type": "application/x-gzip"},
    )
    site.pages["/inner.xml"] = children(("/heritage-vintage.xml", NOW), ("/gone.xml", NOW))
    site.pages["/heritage-vintage.xml"] = child("/berita/2", "/berita/3")
    yield '[{sitemap = "/sitemap.xml"}]'
    site.pages["/gone.xml"] = child("/berita/2")
    yield ""


def undated_map(outlet: Outlet) -> Life:
    """WordPress' own: no dates, so that the index stays the same while its sitemaps change."""
    site = outlet.site
    index = sitemap("sitemapindex", (f"{site.url}/wp-sitemap-posts-post-1.xml", None))

    def unchanged(body: str, tag: str) -> Any:
        return lambda handler: (
            Answer("", 304)
            if handler.headers["If-None-Match"] == tag
            else Answer(body, headers={"ETag": tag})
        )

    def child() -> str:
        return sitemap("urlset", *((f"{site.url}{path}", None) for path, _ in outlet.posts))

    outlet.publish(3, newest=None)
    site.pages["/wp-sitemap.xml"] = unchanged(index, '"index"')
    site.pages["/wp-sitemap-posts-post-1.xml"] = unchanged(child(), '"1"')
    yield '[{sitemap = "/wp-sitemap.xml"}]'
    outlet.publish(2, newest=None)
    site.pages["/wp-sitemap-posts-post-1.xml"] = unchanged(child(), '"2"')
    yield ""
    yield ""


def news_map(outlet: Outlet) -> Life:
    """A news sitemap, which is empty when there is no news."""
    news = "http://www.google.com/schemas/sitemap-news/0.9"

    def listing() -> str:
        urls = "".join(
            f"<url><loc>{outlet.site.url}{path}</loc><n:news><n:publication_date>"
            f"{date and date.isoformat()}</n:publication_date></n:news></url>"
            for path, date in outlet.posts
        )
        maps = "http://www.sitemaps.org/schemas/sitemap/0.9"
        return f'<urlset xmlns="{maps}" xmlns:n="{news}">{urls}</urlset>'

    outlet.site.pages["/news.xml"] = listing()
    yield '[{sitemap = "/news.xml"}]'
    outlet.publish(2)
    outlet.post("/kosong", datetime(1, 1, 1, tzinfo=UTC))
    outlet.site.pages["/news.xml"] = listing()
    yield ""


def deep_map(outlet: Outlet) -> Life:
    for number in range(9):
        outlet.site.pages[f"/{number}.xml"] = sitemap(
            "sitemapindex", (f"{outlet.site.url}/{number + 1}.xml", NOW)
        )
    yield '[{sitemap = "/0.xml"}]'


SITES = (
    daily, same_page, undated, sticky, old, zones, atom, rdf, sloppy, moved, split, search,
    archive, rest, maps, undated_map, news_map, deep_map,
)  # fmt: skip


# --- the crawls -----------------------------------------------------------------------------------


@dataclass
class Days:
    """Four crawls of the same outlets, and the paths that each asked for."""

    pantau: Pantau
    outlets: dict[str, Outlet]
    crawls: list[Crawled] = field(default_factory=list)
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def fetched(self, name: str, *crawls: int) -> Counter[str]:
        """How often each article was asked for, in all crawls or in `crawls` (0 and up)."""
        posts = {path for path, _ in self.outlets[name].posts}
        wanted = crawls or range(CRAWLS)
        return Counter(path for n in wanted for path in self.asked[n][name] if path in posts)

    def listings(self, name: str, crawl: int) -> list[str]:
        """What was asked for and is no article."""
        posts = {path for path, _ in self.outlets[name].posts}
        return [path for path in self.asked[crawl][name] if path not in posts]

    def errors(self, name: str) -> list[int]:
        return [crawl[name]["errors"] for crawl in self.crawls]

    def query(self, sql: str, *values: str) -> list[Any]:
        with sqlite3.connect(self.pantau.home / "pantau.db") as database:
            return database.execute(sql, values).fetchall()


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    pantau = Pantau(tmp_path_factory.mktemp("sources") / "home")
    pantau.set(first_crawl_days=FIRST_CRAWL_DAYS, parallel_outlets=len(SITES))
    with ExitStack() as stack:
        outlets = {
            site.__name__.replace("_", "-"): Outlet(stack.enter_context(running()))
            for site in SITES
        }
        lives = [site(outlet) for site, outlet in zip(SITES, outlets.values(), strict=True)]
        pantau.catalogue(
            "".join(
                row(name, outlet.site.url, next(life), zone="WITA")
                for (name, outlet), life in zip(outlets.items(), lives, strict=True)
            )
        )
        days = Days(pantau, outlets)
        for _ in range(CRAWLS):
            days.crawls.append(pantau.crawl(*outlets))
            days.asked.append({name: outlet.site.paths() for name, outlet in outlets.items()})
            for outlet, life in zip(outlets.values(), lives, strict=True):
                outlet.site.log.clear()
                next(life, None)
        yield days


def all_once(days: Days, name: str) -> bool:
    return days.fetched(name) == Counter(path for path, _ in days.outlets[name].posts)


def test_a_busy_feed_loses_nothing(days: Days) -> None:
    assert len(days.outlets["daily"].posts) == 125
    assert all_once(days, "daily")
    assert days.errors("daily") == [0, 0, 1, 0]
    # on the second day four pages are new, and the fifth is known
    assert len(days.listings("daily", 1)) == 5
    # the third reading broke off; the fourth reads on to where the second had come
    assert sum(days.fetched("daily", 2).values()) == 20
    assert sum(days.fetched("daily", 3).values()) == 25


def test_a_feed_without_pages_is_read_once(days: Days) -> None:
    assert all_once(days, "same-page")
    assert [len(days.listings("same-page", crawl)) for crawl in range(4)] == [2, 2, 1, 1]


def test_an_undated_feed_is_read_back_to_what_is_known(days: Days) -> None:
    # the first time a page for each day
    assert len(days.listings("undated", 0)) == FIRST_CRAWL_DAYS
    (ledger,) = days.pantau("coverage", "--outlet", "undated", "--json").json()["outlets"]
    assert ledger["dropped"] == {
        "on pages of a listing beyond the last undated one that is read": 1
    }
    assert sum(days.fetched("undated", 0).values()) == FIRST_CRAWL_DAYS * PER_PAGE
    assert sum(days.fetched("undated", 1).values()) == 45
    assert max(days.fetched("undated").values()) == 1


def test_a_sticky_post_stops_nothing(days: Days) -> None:
    assert all_once(days, "sticky")
    assert not any("/tetap" in asked["sticky"] for asked in days.asked)


def test_a_first_crawl_goes_back_so_many_days(days: Days) -> None:
    assert set(days.fetched("old")) == {f"/berita/{n}" for n in range(1, FIRST_CRAWL_DAYS + 1)}
    assert len(days.listings("old", 0)) == 2
    assert days.fetched("old", 1, 2, 3) == Counter()


def test_dates_of_feeds_in_their_zone(days: Days) -> None:
    rows = days.query("SELECT address, published FROM links WHERE outlet = 'zones'")
    hours = {f"/{url.rpartition('/')[2]}": int(published[11:13]) for url, published in rows}
    assert hours == {path: hour for path, (_, hour) in ZONES.items()}


@pytest.mark.parametrize("name", ["zones", "atom", "rdf", "sloppy"])
def test_other_forms_of_feeds(days: Days, name: str) -> None:
    assert all_once(days, name)
    assert days.errors(name) == [0] * CRAWLS


def test_an_article_that_moved_is_settled_once(days: Days) -> None:
    asked = Counter(path for crawl in days.asked for path in crawl["moved"])
    assert (asked["/lama/1"], asked["/lama/2"], asked["/hilang"]) == (1, 1, 1)
    assert asked["/baru"] <= 2  # each redirect leads there
    assert days.query("SELECT url FROM findings WHERE outlet = 'moved'") == [
        (f"{days.outlets['moved'].site.url}/baru",)
    ]
    assert days.crawls[0]["moved"]["findings"] == 1
    # a page that leads to the front page is gone
    assert days.errors("moved") == [1, 0, 0, 0]
    assert days.crawls[0]["moved"]["note"].endswith("/hilang leads to the front page")


def test_the_pages_of_a_split_article_are_joined(days: Days) -> None:
    ((text,),) = days.query("SELECT text FROM findings WHERE outlet = 'split'")
    assert [text.count(words) for words in ("hari Minggu", "halaman kedua", "halaman ketiga")] == [
        1, 1, 1,
    ]  # fmt: skip
    assert text.index("hari Minggu") < text.index("halaman kedua") < text.index("halaman ketiga")
    pages = days.query(
        "SELECT s.page FROM snapshots s JOIN revisions r ON r.id = s.revision_id "
        "JOIN findings f ON f.id = r.finding_id WHERE f.outlet = 'split' ORDER BY s.page"
    )
    assert pages == [(1,), (2,), (3,)]


def test_a_search_is_read_back_and_shows_only_hits(days: Days) -> None:
    fetched = days.fetched("search")
    assert "/carousel" not in fetched
    assert fetched == Counter(p for p, _ in days.outlets["search"].posts if p != "/carousel")
    assert days.errors("search") == [0] * CRAWLS
    # what is known ends it: the first page of each term, and the second where there was news
    assert len(days.listings("search", 2)) == 2


def test_an_archive_is_read_back(days: Days) -> None:
    assert all_once(days, "archive")
    assert len(days.listings("archive", 1)) == 4
    assert len(days.listings("archive", 2)) == 1


def test_the_rest_api_is_paged_and_tells_of_edits(days: Days) -> None:
    fetched = days.fetched("rest")
    assert fetched.pop("/camat") == 2
    assert "/tua" not in fetched
    assert fetched == Counter(
        path for path, _ in days.outlets["rest"].posts if path not in ("/camat", "/tua")
    )
    assert days.errors("rest") == [0] * CRAWLS
    assert len(days.listings("rest", 0)) == 2  # a full page, and 400 for the next
    assert len(days.listings("rest", 3)) == 2  # published since, modified since
    revisions = days.query(
        "SELECT f.title, r.number, r.title FROM revisions r JOIN findings f "
        "ON f.id = r.finding_id WHERE f.url LIKE '%/camat' AND f.outlet = 'rest' ORDER BY r.number"
    )
    new = "Camat Diperiksa dan Diberi Sanksi"
    assert revisions == [(new, 1, "Camat Diperiksa"), (new, 2, new)]


def test_a_dated_index_of_sitemaps(days: Days) -> None:
    posts = days.outlets["maps"].posts
    assert days.fetched("maps") == Counter(path for path, _ in posts if path != "/tua")
    assert set(days.listings("maps", 0)) == {
        "/sitemap.xml", "/post-sitemap2.xml.gz", "/inner.xml", "/heritage-vintage.xml", "/gone.xml",
    }  # fmt: skip
    # a sitemap that is missing does not keep the others from being read
    assert days.errors("maps") == [1, 0, 0, 0]
    assert days.crawls[0]["maps"]["note"].endswith("/gone.xml: HTTP 404")


def test_an_undated_index_is_read_though_it_is_unchanged(days: Days) -> None:
    assert all_once(days, "undated-map")
    assert sum(days.fetched("undated-map", 1).values()) == 2
    assert days.listings("undated-map", 3) == ["/wp-sitemap.xml", "/wp-sitemap-posts-post-1.xml"]


def test_a_news_sitemap_may_be_empty(days: Days) -> None:
    assert days.errors("news-map") == [0] * CRAWLS
    assert set(days.fetched("news-map")) == {"/berita/0", "/berita/1"}


def test_indexes_are_not_followed_for_ever(days: Days) -> None:
    assert days.listings("deep-map", 0) == ["/0.xml", "/1.xml", "/2.xml"]
    assert "nested more than 3 deep" in days.crawls[0]["deep-map"]["note"]
