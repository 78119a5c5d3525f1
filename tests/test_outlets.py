"""Outlets studied, written down, checked, repaired and exchanged; on sites of our own."""

import json
import signal
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy.orm import Session

from cli.inputs import InputError
from cli.outlets import admitted
from crawler.outlet import WIB, WITA, Outlet
from crawler.outlets import catalogue
from crawler.outlets.opml import OpmlError, outlets_in
from crawler.outlets.rows import in_toml, outlet_row, rows_in, write
from crawler.sources import (
    BY_SHAPE,
    Archive,
    DateArchive,
    Feed,
    Index,
    Search,
    Sitemap,
    Source,
    WordPress,
)
from storage import leases
from storage.database import open_database
from storage.leases import LAST
from tests import site as sites
from tests.conftest import Pantau, row
from tests.site import Answer, Site

NOW = datetime.now(UTC)
RELEVANT = "Camat di Buleleng Diperiksa Bawaslu karena Hadiri Kampanye"
HEADLINES = (
    RELEVANT,
    *(
        f"{what} {where} menjelang akhir pekan ini"
        for what in ("Harga cabai turun di", "Jalan utama diperbaiki di", "Festival layang di")
        for where in ("Singaraja", "Negara", "Bangli", "Gianyar")
    ),
)
PROOF = (
    "Bawaslu Buleleng memeriksa seorang camat yang diduga melanggar netralitas ASN karena hadir "
    "dalam kampanye calon bupati nomor urut satu pada hari Minggu.",
    "Ketua Bawaslu menyampaikan bahwa camat tersebut sudah dipanggil untuk dimintai klarifikasi.",
)
FILLER = (
    "Para warga yang ditemui pada Jumat pagi menyambut kabar itu dengan gembira, dan berharap "
    "keadaan tetap baik sampai bulan depan.",
    "Petugas dinas mencatat tidak ada keluhan sejak awal bulan, kata seorang pegawai di lapangan.",
)


def slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def when(number: int) -> datetime:
    """When the article came out: they lie nine hours apart."""
    return NOW - timedelta(hours=2 + 9 * number)


def article(number: int) -> str:
    title = HEADLINES[number]
    text = "".join(f"<p>{p}</p>" for p in (PROOF if title == RELEVANT else FILLER))
    date = when(number).isoformat()
    return (
        f"<html><head><title>{title}</title>"
        f'<meta property="article:published_time" content="{date}"></head>'
        f"<body><article><h1>{title}</h1><div>{text}</div></article></body></html>"
    )


def listing(site: Site, paths: Sequence[str], more: str = "", head: str = "") -> str:
    """A page that lists articles, in a frame with a menu and a footer."""
    links = "".join(
        f'<div class="latest__item"><a class="latest__link" href="{site.url}{path}">'
        f"{HEADLINES[PATHS[path]]}</a></div>"
        for path in paths
    )
    return (
        f"<html><head><title>Beranda - Kabar Buleleng</title>{head}</head><body>"
        f'<nav><a href="/">Beranda</a> <a href="/kategori/daerah">Daerah</a></nav>'
        f'<main>{links}</main><p class="pages">{more}</p>'
        f'<footer><a href="/pedoman-media-siber">Pedoman Pemberitaan Media Siber</a></footer>'
        f"</body></html>"
    )


PATHS: dict[str, int] = {}  # of all sites: path → number of the article


def publish(site: Site, form: str) -> list[str]:
    """Give `site` its articles, at paths such as "/berita/{slug}"; the newest first."""
    paths = []
    for number, title in enumerate(HEADLINES):
        path = form.format(slug=slug(title), number=90_000 - number, at=when(number))
        PATHS[path] = number
        site.pages[path] = article(number)
        paths.append(path)
    return paths


def rss(site: Site, paths: Sequence[str], age: timedelta = timedelta(0)) -> str:
    items = "".join(
        f"<item><title>{HEADLINES[PATHS[path]]}</title><link>{site.url}{path}</link>"
        f"<pubDate>{format_datetime(when(PATHS[path]) - age)}</pubDate></item>"
        for path in paths
    )
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>Kabar Buleleng</title>{items}'
        f"</channel></rss>"
    )


def asked(handler: BaseHTTPRequestHandler, name: str) -> int:
    return int(parse_qs(urlsplit(handler.path).query).get(name, ["1"])[0])


def alternate(path: str, generator: str = "") -> str:
    return (
        f'<meta name="generator" content="{generator}">'
        f'<link rel="alternate" type="application/rss+xml" href="{path}">'
    )


def blogger(site: Site) -> None:
    paths = publish(site, "/{at:%Y/%m}/{slug}.html")

    def feed(handler: BaseHTTPRequestHandler) -> Answer:
        start, days = asked(handler, "start-index"), parse_qs(urlsplit(handler.path).query)
        shown = paths
        if "published-min" in days:  # what a backfill asks for
            first, last = (days[f"published-{end}"][0] for end in ("min", "max"))
            span = datetime.fromisoformat(first), datetime.fromisoformat(last)
            shown = [path for path in paths if span[0] <= when(PATHS[path]) < span[1]]
        return Answer(rss(site, shown[start - 1 : start + 24]))

    site.pages |= {
        "/": listing(site, paths[:5], head=alternate("/feeds/posts/default?alt=rss", "blogger")),
        "/robots.txt": f"User-agent: *\nDisallow: /search\nSitemap: {site.url}/sitemap.xml\n",
        "/feeds/posts/default": feed,
        "/sitemap.xml": "<urlset>"
        + "".join(f"<url><loc>{site.url}{path}</loc></url>" for path in paths)
        + "</urlset>",
    }


def promedia(site: Site) -> None:
    paths = publish(site, "/daerah/10313{number}/{slug}")

    def index(handler: BaseHTTPRequestHandler) -> Answer:
        start = (asked(handler, "page") - 1) * 5
        return Answer(listing(site, paths[start : start + 5], '<a href="?page=2">2</a>'))

    site.pages |= {
        "/": listing(site, paths[:3], '<a href="/indeks-berita">Indeks Berita</a>'),
        "/indeks-berita": index,
    }


def drupal(site: Site) -> None:
    paths = publish(site, "/content/{slug}")

    def node(handler: BaseHTTPRequestHandler) -> Answer:
        start = 5 * int(parse_qs(urlsplit(handler.path).query).get("page", ["0"])[0])
        more = '<a href="?page=1">2</a><a href="?page=2">3</a>'
        return Answer(listing(site, paths[start : start + 5], more))

    site.pages |= {
        "/": listing(site, paths[:5], head=alternate("/rss.xml", "Drupal 10 (drupal.org)")),
        "/rss.xml": Answer(rss(site, paths), headers={"Content-Type": "application/rss+xml"}),
        "/node": node,
    }


def bare(site: Site) -> None:
    paths = publish(site, "/berita/{slug}")

    def index(handler: BaseHTTPRequestHandler) -> Answer:
        start = (asked(handler, "halaman") - 1) * 5
        return Answer(listing(site, paths[start : start + 5], '<a href="?halaman=2">2</a>'))

    site.pages |= {
        "/": listing(site, paths[:3], '<a href="/berita">Berita</a>'),
        "/berita": index,
        "/robots.txt": "\n" * 300_000,  # to look through it takes time in proportion, too
    }


@contextmanager
def several(*names: str) -> Iterator[dict[str, Site]]:
    """Sites by these names, each on a port of its own."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(sites.running()) for name in names}


MANNERS: dict[str, tuple[Callable[[Site], None], dict[str, Any]]] = {
    "blogger": (blogger, {"platform": "blogger"}),
    "promedia": (promedia, {"platform": "promedia"}),
    "drupal": (drupal, {"platform": "drupal"}),
    "bare": (bare, {"sources": [{"index": ["/berita?halaman={page}"]}]}),
}


def test_sites_are_studied_added_and_crawled_and_their_past_read(
    pantau: Pantau, tmp_path: Path
) -> None:
    with several(*MANNERS) as at:
        for name, (manner, expected) in MANNERS.items():
            site = at[name]
            manner(site)
            # a password is not kept
            url = site.url.replace("://", "://budi:rahasia@")
            added = pantau("outlets", "add", url, "--json", "--name", name, "--province", "Bali")
            assert added.code == 0, added.err
            row = rows_in(pantau.home / "outlets.toml")[name]
            assert row == {
                "name": name,
                "title": "Kabar Buleleng",
                "domain": site.url.removeprefix("http://"),
                "scheme": "http",
                "province": "Bali",
                "zone": "WITA",
                **expected,
            }
            assert added.json()["row"] == row
            daily = [source for source in added.json()["sources"] if source["use"] == "daily"]
            assert all(source["links"] and source["requests_per_day"] for source in daily)

        crawled = pantau.crawl(*MANNERS)
        for name in MANNERS:
            report = crawled[name]
            assert (report["fetched"], report["findings"]) == (len(HEADLINES), 1), report
        found = pantau("findings", "--json").lines()
        assert sorted(row["outlet"] for row in found) == sorted(MANNERS)
        assert {row["title"] for row in found} == {RELEVANT}

        # two days of their past, by an installation that knows nothing yet
        other = Pantau(tmp_path / "other")
        other.catalogue((pantau.home / "outlets.toml").read_text("utf-8"))
        days = [when(number).astimezone(WITA).date() for number in range(len(HEADLINES))]
        last = max(day for day in days if day < datetime.now(WIB).date())
        first = last - timedelta(days=1)
        for site in at.values():
            site.log.clear()
        names = [part for name in MANNERS for part in ("--outlet", name)]
        ran = other("backfill", *names, "--from", f"{first}", "--to", f"{last}", "--json")
        assert ran.code == 0, ran.err + ran.out
        told = other("backfills", "1", "--json").json()["by_outlet"]
        for about in told:
            site = at[about["outlet"]]
            articles = [path for path in site.paths() if path in PATHS]
            within = {p for p, n in PATHS.items() if p in site.pages and first <= days[n] <= last}
            assert within <= set(articles), about["outlet"]
            assert len(articles) == len(set(articles)), about["outlet"]
            assert sum(month["fetched"] for month in about["months"]) == len(within) > 2


def test_a_dry_run_writes_nothing_and_says_all(pantau: Pantau, site: Site) -> None:
    blogger(site)
    etag = {"ETag": '"one"', "Content-Type": "application/rss+xml"}
    paths = [path for path in site.pages if path.endswith(".html")]

    def feed(handler: BaseHTTPRequestHandler) -> Answer:
        if handler.headers.get("If-None-Match") == '"one"':
            return Answer(status=304)
        return Answer(rss(site, paths), headers=etag)

    site.pages["/feeds/posts/default"] = feed
    ran = pantau("outlets", "add", site.url, "--dry-run", "--json")
    assert ran.code == 0, ran.err
    assert not (pantau.home / "outlets.toml").exists()
    told = {source["source"]: source for source in ran.json()["sources"]}
    daily = told["feed /feeds/posts/default?alt=rss"]
    assert (daily["unchanged"], daily["requests_per_day"], daily["use"]) == (True, 1, "daily")
    assert datetime.fromisoformat(daily["newest"]) == when(0).replace(microsecond=0)
    assert daily["bytes_per_day"] < 500
    sitemap = told["sitemap /sitemap.xml"]
    assert (sitemap["articles"], sitemap["unchanged"]) == (len(HEADLINES), False)
    assert not any(asked.path.startswith("/search") for asked in site.log)


def test_a_section_of_another_s_site_is_an_outlet_of_its_own(pantau: Pantau, site: Site) -> None:
    own = publish(site, "/bali/berita/d-{number}/{slug}")
    others = publish(site, "/finance/berita/d-{number}/{slug}")
    site.pages["/bali"] = listing(site, [*own, *others[:3]])
    site.pages["/"] = listing(site, others)
    ran = pantau("outlets", "add", f"{site.url}/bali", "--json", "--regency", "Buleleng")
    assert ran.code == 0, ran.err
    row = ran.json()["row"]
    assert row["section"] == "/bali"
    assert (row["province"], row["regency"]) == ("Bali", "Kabupaten Buleleng")
    assert row["sources"] == [{"index": ["/bali"]}]
    (source,) = (s for s in ran.json()["sources"] if s["use"] == "daily")
    assert source["links"] == len(own)


def test_what_cannot_be_added_is_said(pantau: Pantau, site: Site) -> None:
    site.pages["/"] = "<html><title>Sewa Tenda</title><a href='/harga'>Harga</a></html>"
    nothing = pantau("outlets", "add", site.url)
    assert nothing.code == 1
    assert "nothing to add" in nothing.err
    assert not (pantau.home / "outlets.toml").exists()

    pantau.set(allow_private_addresses="false")
    for url in ("http://[::1]:8000/", "localhost:1"):
        refused = pantau("outlets", "add", url, "--name", "other", "--replace")
        assert refused.code == 2, refused.err
        assert len(refused.err.splitlines()) == 1
        assert "address" in refused.err


def test_what_is_watched_is_added_only_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "outlets.toml"
    feeds = '[{feed = "/feed"}]'
    path.write_text(
        row("kabar", "https://kabar.example", feeds)
        + row("bali", "https://chain.example", feeds, section="/bali")
        + row("chain", "https://whole.example", feeds)
        + row("part", "https://whole.example", feeds, section="/bali")
    )
    known = {spider.name: spider for spider in catalogue.load(path)}
    for name, url, there in (
        (None, "kabar.example", "kabar"),
        (None, "http://www.kabar.example/bali", "kabar"),
        ("kabar", "elsewhere.example", "kabar"),
        (None, "https://chain.example/bali/", "bali"),
        (None, "https://whole.example/bali", "part"),
        (None, "https://whole.example/balikpapan", "chain"),
        (None, "https://chain.example/balikpapan", None),
        (None, "https://chain.example/", None),
    ):
        assert admitted(known, name, url, may_replace=True) == there, url
        if there:
            with pytest.raises(InputError, match=f"“{there}” is watched already; --replace"):
                admitted(known, name, url, may_replace=False)


def test_a_study_that_is_stopped_writes_nothing(pantau: Pantau, site: Site) -> None:
    bare(site)
    pantau.set(delay=0.3)
    with pantau.start("outlets", "add", site.url) as process:
        deadline = time.monotonic() + 60
        while len(site.log) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, "pantau: Stopped.\n")
    assert not (pantau.home / "outlets.toml").exists()


def test_what_is_written_loads_as_the_same(tmp_path: Path) -> None:
    sources: tuple[Source, ...] = (
        Feed("/feed/"),
        Feed("/rss", "/rss?page={page}", 10, "/rss?m={year}{month}&paged={page}", 20),
        Sitemap("/sitemap.xml"),
        WordPress(),
        WordPress("/blog/wp-json/wp/v2/posts"),
        Search("/?s={term}", "#article-list a"),
        Search("/?s={term}&feed=rss2&paged={page}", None, ("netral",)),
        Search("/search/node?keys={term}&page={index}", BY_SHAPE),
        Archive("/berita?page={page}", "h2 a"),
        Index(("/", "/berita?page={page}")),
        DateArchive("/{year}/{month}/{day}/", "h2 a"),
    )
    outlet = Outlet(
        "Kabar “Bali”", "kabar.example:81", "Bali", "Kabupaten Buleleng", WITA, "http", "/bali",
        ("kabar.test",),
    )  # fmt: skip
    path = tmp_path / "outlets.toml"
    first = [source for source in sources if not isinstance(source, DateArchive)]
    write(path, [outlet_row("kabar", outlet, first, first[:2], sources)])
    (spider,) = catalogue.load(path)
    assert (spider.outlet, spider.sources) == (outlet, tuple(first))
    assert (spider.spare, spider.past) == (tuple(first[:2]), sources)


def test_a_row_is_replaced_in_its_place_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "outlets.toml"
    path.write_text(
        "# ours\n[[outlet]] # first\n"
        'name = "a"\ntitle = "A" # as it prints it\ndomain = "a.example"\n'
        'platform = "wordpress"\nnote = "by letter"\n\n# second\n[[outlet]]\nname = "b"\n'
        'title = "B"\ndomain = "b.example"\nsources = [{feed = "/feed"}]\n'
    )
    write(path, [outlet_row("a", Outlet("A", "new.example"), [Feed("/rss")])])
    text = path.read_text("utf-8")
    assert all(said in text for said in ("# ours", "# first", "# as it prints it", "# second"))
    rows = rows_in(path)
    assert list(rows) == ["a", "b"]
    assert (rows["a"]["domain"], rows["a"]["note"]) == ("new.example", "by letter")
    assert "platform" not in rows["a"]

    before = path.read_bytes()
    with pytest.raises(catalogue.CatalogueError):
        write(path, [{"name": "c", "title": "C", "domain": "no domain", "sources": []}])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["outlets.toml"]
    assert tomllib.loads(in_toml([{"name": "x"}]).as_string()) == {"outlet": [{"name": "x"}]}


# --- check ----------------------------------------------------------------------------------------


def test_check_tells_what_is_not_well_and_repairs_what_it_can(pantau: Pantau) -> None:
    names = (
        *("fresh", "stale", "blocked", "challenged", "forbidding", "moved", "gone", "lost", "home"),
        *("fallen", "broken"),
    )
    with several(*names) as at:
        rows = []
        for name, site in at.items():
            paths = publish(site, "/berita/{number}/{slug}")
            site.pages["/feed"] = rss(site, paths)
            site.pages["/"] = listing(site, paths[:5], head=alternate("/feed"))
            rows.append(
                f'[[outlet]]\nname = "{name}"\ntitle = "Kabar Buleleng" # {name}\nscheme = "http"\n'
                f'domain = "{site.url.removeprefix("http://")}"\nsources = [{{feed = "/feed"}}]\n'
            )
        paths = [path for path in at["stale"].pages if path.startswith("/berita/")]
        at["stale"].pages["/feed"] = rss(at["stale"], paths, age=timedelta(days=60))
        at["stale"].pages["/"] = listing(at["stale"], [])
        at["blocked"].pages["/feed"] = Answer("no", 403)
        at["challenged"].pages["/feed"] = "<html><title>Just a moment...</title></html>"
        at["moved"].pages["/new.xml"] = at["moved"].pages.pop("/feed")
        at["moved"].pages["/feed"] = Answer(status=301, headers={"Location": "/new.xml"})
        at["gone"].pages["/siar.xml"] = at["gone"].pages.pop("/feed")
        at["gone"].pages["/"] = listing(at["gone"], paths[:5], head=alternate("/siar.xml"))
        at["lost"].pages = {
            path: Answer(status=301, headers={"Location": at["home"].url + path})
            for path in ("/", "/feed", "/robots.txt")
        }
        at["fallen"].pages = {}
        at["forbidding"].pages["/robots.txt"] = "User-agent: *\nDisallow: /feed"
        at["broken"].pages["/feed"] = "<html>not a feed</html>"
        at["broken"].pages["/"] = Answer(status=301, headers={"Location": "http://localhost:1/"})
        rows = [row for row in rows if '"home"' not in row]
        pantau.catalogue("\n".join(rows))
        own = pantau.home / "outlets.toml"
        before = own.read_bytes()
        asked = [name for name in names if name != "home"]

        dry = pantau("outlets", "check", "moved", "--dry-run", "--json")
        assert dry.code == 1
        assert own.read_bytes() == before
        (told,) = dry.lines()
        assert (told["condition"], told["repaired"]) == ("moved", False)
        assert "feed /new.xml is read instead" in told["changes"]

        ran = pantau("outlets", "check", *asked, "--json")
        assert ran.code == 1
        assert {line["outlet"]: line["condition"] for line in ran.lines()} == {
            "fresh": "fresh", "stale": "stale", "blocked": "blocked", "challenged": "blocked",
            "forbidding": "blocked", "moved": "moved", "gone": "gone", "lost": "moved",
            "fallen": "gone", "broken": "broken",
        }  # fmt: skip
        repaired = {line["outlet"]: line for line in ran.lines() if line["repaired"]}
        assert set(repaired) == {"moved", "gone", "lost"}
        assert "feed /new.xml is read instead" in repaired["moved"]["changes"]
        written = rows_in(own)
        assert written["moved"]["sources"] == [{"feed": "/new.xml"}]
        assert written["gone"]["sources"] == [{"feed": "/siar.xml"}]
        assert written["lost"]["domain"] == at["home"].url.removeprefix("http://")
        assert written["lost"]["sources"] == [{"feed": "/feed"}]
        assert "# moved" in own.read_text("utf-8")

        again = pantau("outlets", "check", "fresh", "moved", "gone", "lost")
        assert again.code == 0, again.out


def test_an_outlet_that_leads_to_another_s_site_is_left_as_it_is(pantau: Pantau) -> None:
    """And nothing is asked of it while it is crawled."""
    with sites.running() as old, sites.running("localhost") as new:
        paths = publish(new, "/berita/{number}/{slug}")
        new.pages["/feed"] = rss(new, paths)
        new.pages["/"] = "<html><title>Judi Slot Gacor</title></html>"
        for path in ("/", "/feed", "/robots.txt"):
            old.pages[path] = Answer(status=301, headers={"Location": new.url + path})
        pantau.outlet("kabar", old.url, '[{feed = "/feed"}]')
        before = (pantau.home / "outlets.toml").read_bytes()

        engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
        with Session(engine) as session, session.begin():
            assert leases.acquire(session, "crawl kabar", "a crawl", 60, datetime.now(UTC))
        holders = []

        def front(_: BaseHTTPRequestHandler) -> Answer:
            with Session(engine) as session:
                holders.append(leases.holder(session, "crawl kabar", datetime.now(UTC)))
            return Answer(status=301, headers={"Location": new.url})

        old.pages["/"] = front
        with pantau.start("outlets", "check", "kabar", "--json") as process:
            deadline = time.monotonic() + 60
            wanted = False
            while not wanted:
                assert time.monotonic() < deadline
                time.sleep(0.05)
                with Session(engine) as session:
                    wanted = leases.is_wanted(session, "crawl kabar", datetime.now(UTC))
            assert not old.log
            with Session(engine) as session, session.begin():
                leases.release(session, "crawl kabar", "a crawl")
            out, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        told = json.loads(out)
        assert told["condition"] == "moved"
        assert "another's" in told["unrepaired"]
        assert (pantau.home / "outlets.toml").read_bytes() == before
        assert holders
        assert all(holder and holder.startswith(LAST) for holder in holders)
        with Session(engine) as session:
            assert leases.holder(session, "crawl kabar", datetime.now(UTC)) is None
        engine.dispose()


# --- OPML and the list ----------------------------------------------------------------------------


def test_feeds_go_out_and_in_as_opml(pantau: Pantau, tmp_path: Path) -> None:
    file = tmp_path / "feeds.opml"
    pantau.outlet("kabar", "https://kabar.invalid", '[{feed = "/rss?a=1&b=2"}]', province="Bali")
    out = pantau("outlets", "export", str(file), "--json")
    assert out.json()["outlets"] == 4 + 1  # of those declared, one has no feed
    again = pantau("outlets", "import", str(file), "--json")
    assert (again.json()["added"], again.json()["skipped"]) == ([], 5)

    other = Pantau(tmp_path / "other")
    other.set(outlets="bkpsdm-bondowoso")
    ran = other("outlets", "import", str(file), "--json")
    assert ran.code == 0, ran.err
    assert "kabar.invalid" in ran.json()["added"]
    rows = {row["name"]: row for row in other("outlets", "--json").lines()}
    assert rows["kabar.invalid"]["sources"] == ["feed /rss?a=1&b=2"]
    assert rows["kabar.invalid"]["title"] == "Kabar"
    assert rows["kabar.invalid"]["last_crawl"] is None
    assert len(rows) == 1 + 5


@pytest.mark.parametrize(
    "hostile",
    [
        '<!DOCTYPE opml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><opml version="2.0"><body>'
        '<outline type="rss" text="&b;" xmlUrl="https://x.example/feed"/></body></opml>',
        "https://x.example/feeds.opml",
        "",
    ],
)
def test_what_is_no_opml_is_refused(hostile: str) -> None:
    with pytest.raises(OpmlError):
        outlets_in(hostile.encode())


OPML = """<opml version="2.0"><body>
<outline type="rss" text="Kabar Café" xmlUrl="https://kabar.example/feed"/></body></opml>"""
LATIN = '<?xml version="1.0" encoding="iso-8859-1"?>'


@pytest.mark.parametrize(
    "xml",
    [
        OPML.encode(),
        OPML.encode("utf-8-sig"),
        OPML.encode("utf-16"),
        (LATIN + OPML).encode("iso-8859-1"),
        (LATIN + OPML).encode("utf-8-sig"),  # the mark knows better
    ],
)
def test_opml_is_read_in_its_encoding(xml: bytes) -> None:
    [(outlet, _)] = outlets_in(xml)[0]
    assert outlet.title == "Kabar Café"


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        (OPML.encode("iso-8859-1"), "it is not UTF-8, and says no other"),
        (OPML.encode("utf-16-le"), "it is not UTF-8, and says no other"),
        (LATIN.replace("iso-8859-1", "utf-8").encode() + OPML.encode("cp1252"), "utf-8"),
        (LATIN.replace("iso-8859-1", "x-none").encode() + OPML.encode(), "x-none"),
    ],
)
def test_opml_in_no_encoding_it_says_is_refused(xml: bytes, says: str) -> None:
    with pytest.raises(OpmlError, match=says):
        outlets_in(xml)


def test_a_file_that_is_no_opml_is_said_in_one_sentence(pantau: Pantau, tmp_path: Path) -> None:
    file = tmp_path / "x.opml"
    file.write_text("https://x.example/feeds.opml")
    ran = pantau("outlets", "import", str(file))
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert not (pantau.home / "outlets.toml").exists()


def test_one_feed_that_cannot_be_used_costs_no_other(tmp_path: Path) -> None:
    listed = (
        "https://budi:rahasia@kabar.example/feed?a=b",
        "https://KABAR.example/feed?a=b",
        "https://bücher.example/feed",
        *("https://a_b.example/feed", "http://-/feed", "http://[::1]/feed", "mailto:x@y.example"),
        *("http://x..y/feed", "http://kabar.example:99999/feed", "https://x.example/{a}"),
        *(f"https://many.example/feed/{n}" for n in range(20_000)),  # in proportion
    )
    entries = "".join(f'<outline type="rss" text="Kabar &#x7f;" xmlUrl="{u}"/>' for u in listed)
    head = '<?xml version="1.0" encoding="utf-8"?><opml version="2.0"><body>'
    began = time.monotonic()
    found, unusable = outlets_in(f"{head}{entries}</body></opml>".encode())
    assert time.monotonic() - began < 20
    assert unusable == 7
    feeds = {outlet.domain: [feed.path for feed in feeds] for outlet, feeds in found}
    assert len(feeds.pop("many.example")) == 20_000
    assert feeds == {"kabar.example": ["/feed?a=b"], "xn--bcher-kva.example": ["/feed"]}
    path = tmp_path / "outlets.toml"
    write(path, [outlet_row(outlet.domain, outlet, feeds[:1]) for outlet, feeds in found])
    assert len(catalogue.load(path)) == 3
