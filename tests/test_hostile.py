"""Hostile sites: whatever one answers is an error in the report, and the rest goes on."""

import sqlite3
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET

import pytest

from tests.conftest import ROOT, Crawled, Pantau, Ran, row
from tests.site import Answer, Page, Site, rss, running
from tests.test_crawl import FILLER, RELEVANT

MB = 1024 * 1024
MAIN_PROCESS_MB = 400
GOOD = 12
MANY = 10_000
MAX_ARTICLES = 60

Handler = BaseHTTPRequestHandler


# --- what a site may do ---------------------------------------------------------------------------


def raw(handler: Handler, *parts: bytes) -> None:
    """Write to the client, which may hang up, and hang up."""
    handler.close_connection = True
    with suppress(OSError):
        for part in parts:
            handler.wfile.write(part)


def huge(handler: Handler, length: bytes = b"") -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + length + b"\r\n"
    raw(handler, head, *(b"<p>netral</p>" * 80_000 for _ in range(200)))


def huge_and_says_so(handler: Handler) -> None:
    huge(handler, b"Content-Length: %d\r\n" % (200 * MB))


def dripping(handler: Handler) -> None:
    handler.close_connection = True
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        for _ in range(600):
            handler.wfile.write(b"<p>")
            time.sleep(0.1)


def silent(handler: Handler) -> None:
    time.sleep(5)
    handler.close_connection = True


def cut_off(handler: Handler) -> None:
    raw(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n<html><p>netralitas ASN")


def reset(handler: Handler) -> None:
    handler.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    raw(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n<html><p>")
    handler.connection.close()


def garbage(handler: Handler) -> None:
    raw(handler, b"SMTP ready <html>\r\n\r\n")


def many_headers(handler: Handler) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(1000))
    raw(handler, b"HTTP/1.1 200 OK\r\n", *(lines for _ in range(300)))


def long_header(handler: Handler) -> None:
    raw(handler, b"HTTP/1.1 200 OK\r\nX-Long: ", *(b"y" * MB for _ in range(200)))


@cache
def packed(size: int, wbits: int) -> bytes:
    pack = zlib.compressobj(9, wbits=wbits)
    return b"".join(pack.compress(bytes(MB)) for _ in range(size // MB)) + pack.flush()


def connection_level(site: Site, elsewhere: Site) -> dict[str, Page]:
    """What no listing and no article may do."""
    to = "Location"
    bomb = packed(500 * MB, 31)
    return {
        "loop": Answer("", 302, {to: "/loop"}),
        "huge": huge,
        "huge-and-says-so": huge_and_says_so,
        "dripping": dripping,
        "silent": silent,
        "cut-off": cut_off,
        "reset": reset,
        "garbage": garbage,
        "many-headers": many_headers,
        "long-header": long_header,
        "gzip-bomb": Answer(bomb, headers={"Content-Encoding": "gzip"}),
        "no-gzip": Answer(b"<html>", headers={"Content-Encoding": "gzip"}),
        "to-file": Answer("", 302, {to: "file:///etc/passwd"}),
        "to-private": Answer("", 302, {to: "http://10.0.0.1/x"}),
        "to-elsewhere": Answer("", 301, {to: f"{elsewhere.url}/x"}),
        "to-nowhere": Answer("", 302, {to: "http://[::1"}),
        "to-nothing": Answer("", 302),
        "failing": Answer("", 500),
    }


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMB = '<?xml version="1.0"{encoding}?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>{body}'
FEED_BODY = "<rss version='2.0'><channel><item><link>http://x/&l9;</link></item></channel></rss>"
MAP_BODY = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>&l9;</loc></url></urlset>"  # fmt: skip  # noqa: E501
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    "<urlset><url><loc>http://x/&e;</loc></url></urlset>"
)


def listings() -> dict[str, tuple[str, Page]]:
    """Listings that are none: their kind of source and what they answer."""
    laughs = BOMB.format(encoding="", laughs=LAUGHS, body="{}")
    wide = BOMB.format(encoding=' encoding="UTF-16"', laughs=LAUGHS, body="{}")
    nested = "<item>" * 50_000
    return {
        "broken": ("feed", '<?xml version="1.0"?><rss version="2.0"><channel><item><li'),
        "html": ("feed", FILLER.format(title="Beranda")),
        "empty": ("feed", ""),
        "nul": ("feed", bytes(100_000)),
        "laughs": ("feed", laughs.format(FEED_BODY)),
        "wide-laughs": ("feed", wide.format(FEED_BODY).encode("utf-16")),
        "nested": ("feed", f'<rss version="2.0"><channel>{nested}'),
        "unclosed": ("feed", '<rss version="2.0">' + "<a " * 100_000),
        "map-laughs": ("sitemap", laughs.format(MAP_BODY)),
        "map-wide-laughs": ("sitemap", wide.format(MAP_BODY).encode("utf-16-be")),
        "map-external": ("sitemap", EXTERNAL),
        "map-html": ("sitemap", FILLER.format(title="Beranda")),
        "map-empty": ("sitemap", ""),
        "map-bomb": ("sitemap", packed(500 * MB, 31)),
        "map-no-gzip": ("sitemap", b"\x1f\x8b" + bytes(100)),
        "map-nested": ("sitemap", "<x>" * 300_000),
        "map-long": ("sitemap", "<urlset>" + "<url><loc>/x</loc></url>" * 60_000),
        "rest-html": ("wordpress", FILLER.format(title="Beranda")),
        "rest-nested": ("wordpress", "[" * 1_000_000),
        "rest-object": ("wordpress", '{"code": "rest_no_route"}'),
    }


def articles() -> dict[str, Page]:
    """Pages that are no article, or one in bad dress; none of them is an error of the site's."""
    found = RELEVANT.format(title="Camat Diperiksa")
    return {
        "pdf": Answer(b"%PDF-1.7\n" + bytes(1000), headers={"Content-Type": "application/pdf"}),
        "image": Answer(b"\x89PNG\r\n" + bytes(1000), headers={"Content-Type": "image/png"}),
        "pdf-in-html": Answer(b"%PDF-1.7\nnetralitas ASN" + bytes(range(256)) * 100),
        "wrong-charset": Answer(found, headers={"Content-Type": "text/html; charset=utf-16"}),
        "no-charset": Answer(found, headers={"Content-Type": "text/html; charset=zork"}),
        "deep": "<html><body>" + "<div>" * 200_000 + "netralitas ASN pilkada",
        "wide": "<html><body>" + "<p>netralitas ASN</p>" * 100_000,
        "attributes": "<html><body><p " + "a=netralitas " * 300_000 + ">",
        "nothing": "",
    }  # fmt: skip


# --- the crawl ------------------------------------------------------------------------------------


@dataclass
class Hostile:
    """One crawl of the hostile sites."""

    pantau: Pantau
    crawled: Crawled
    peak_mb: float
    elsewhere: Site
    seconds: float

    def rows(self, query: str) -> dict[str, str]:
        with sqlite3.connect(self.pantau.home / "pantau.db") as database:
            return dict(database.execute(query).fetchall())

    def source_errors(self) -> dict[str, str]:
        return self.rows("SELECT name, error FROM sources WHERE outlet = 'listings'")

    def link_errors(self) -> dict[str, str]:
        query = "SELECT address, coalesce(error, state) FROM links WHERE outlet = 'pages'"
        return {address.rpartition("/")[2]: error for address, error in self.rows(query).items()}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    pantau = Pantau(tmp_path_factory.mktemp("hostile") / "home")
    pantau.set(timeout=1.5, max_articles=MAX_ARTICLES, parallel_outlets=40, workers=2)
    with ExitStack() as stack:
        sites = {
            name: stack.enter_context(running())
            for name in ("listings", "pages", "links", "robots", "elsewhere")
        }
        rows = [
            _listings(sites["listings"], sites["elsewhere"]),
            _pages(sites["pages"], sites["elsewhere"]),
            _links(sites["links"]),
            _robots(sites["robots"]),
        ]
        pantau.catalogue("".join(rows))
        began = time.monotonic()
        ran, peak = _crawl(pantau, "listings", "pages", "links", "robots")
        seconds = time.monotonic() - began
        assert ran.code in (0, 1), ran.err
        reports = {report["outlet"]: report for report in ran.json()["outlets"]}
        yield Hostile(pantau, Crawled(ran, reports), peak, sites["elsewhere"], seconds)


def _crawl(pantau: Pantau, *outlets: str) -> tuple[Ran, float]:
    """Crawl; also the peak memory of the main process, in MB."""
    names = [part for name in outlets for part in ("--outlet", name)]
    out, err = pantau.home / "out", pantau.home / "err"
    peak = 0
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "crawl", "--json", *names],
            env=pantau.environment, cwd=ROOT, stdout=stdout, stderr=stderr,
        )  # fmt: skip
        while process.poll() is None:
            with suppress(OSError, StopIteration):
                status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                peak = max(peak, int(next(s for s in status if s.startswith("VmHWM")).split()[1]))
            time.sleep(0.1)
    return Ran(process.returncode, out.read_text(), err.read_text()), peak / 1024


def _good(site: Site) -> list[str]:
    paths = [f"/baik/{number}" for number in range(GOOD)]
    site.pages |= {path: RELEVANT.format(title=f"Camat {path} Diperiksa") for path in paths}
    return paths


def _listings(site: Site, elsewhere: Site) -> str:
    sources = []
    for name, page in connection_level(site, elsewhere).items():
        site.pages[f"/{name}"] = page
        sources.append(f'{{feed = "/{name}"}}')
    for name, (kind, page) in listings().items():
        site.pages[f"/{name}"] = page
        sources.append(f'{{{kind} = "/{name}"}}')
    site.pages["/feed"] = rss(site, _good(site))
    sources.append('{feed = "/feed"}')
    return row("listings", site.url, f"[{', '.join(sources)}]")


def _pages(site: Site, elsewhere: Site) -> str:
    pages = {**connection_level(site, elsewhere), **articles()}
    pages["nul-bytes"] = RELEVANT.format(title="Camat\0 di Bule\0leng Diperiksa").replace(
        "Ketua", "Ke\0tua"
    )
    site.pages |= {f"/{name}": page for name, page in pages.items()}
    good = _good(site)
    paths = []  # a good one now and then: an outlet all of whose pages fail is left alone
    for number, name in enumerate(pages):
        paths += [f"/{name}"] + ([good[number // 3]] if number % 3 == 0 else [])
    site.pages["/feed"] = rss(site, [*paths, *good])
    return row("pages", site.url, '[{feed = "/feed"}]')


def _links(site: Site) -> str:
    paths = [f"/berita/{number}/pasar" for number in range(MANY)]
    site.pages |= {path: FILLER.format(title="Harga") for path in paths[:MAX_ARTICLES]}
    site.pages["/many"] = rss(site, paths)
    odd = (
        "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "mailto:a@b.example",
        "http://[bad", "http://a:99999/", "//", "", "http://10.0.0.1/x", "http://evil.example/x",
        site.url, f"{site.url}/{'x' * MB}", f"{site.url}/&#0;&#xD800;&#99999999;",
    )  # fmt: skip
    items = "".join(f"<item><link>{link}</link></item>" for link in odd)
    good = f"<item><link>{site.url}{paths[0]}</link></item>"
    site.pages["/odd"] = f'<rss version="2.0"><channel>{items}{good}</channel></rss>'
    return row("links", site.url, '[{feed = "/odd"}, {feed = "/many"}]')


def _robots(site: Site) -> str:
    site.pages["/feed"] = rss(site, ["/baik/0"])
    site.pages["/baik/0"] = FILLER.format(title="Harga")
    rules = "Disallow: /" + "*a" * 500 + "$\n" + "Crawl-delay: nan\nCrawl-delay: -1\n"
    site.pages["/robots.txt"] = b"\xff\xfe\0" + ("User-agent: *\n" + rules * 5000).encode()
    return row("robots", site.url, '[{feed = "/feed"}]')


def test_the_crawl_ends_well(hostile: Hostile) -> None:
    ran = hostile.crawled.ran
    assert ran.code == 1
    assert ran.err.startswith("pantau: 2 of 4 outlets had errors")
    assert len(ran.err.splitlines()) == 1
    assert "Traceback" not in ran.out
    print(f"{hostile.seconds:.0f} s, {hostile.peak_mb:.0f} MB")


def test_its_memory_is_bounded(hostile: Hostile) -> None:
    assert 0 < hostile.peak_mb < MAIN_PROCESS_MB


def test_no_request_leaves_the_site(hostile: Hostile) -> None:
    assert hostile.elsewhere.log == []


def test_each_listing_is_an_error_and_the_good_one_is_read(hostile: Hostile) -> None:
    errors = {name: error for name, error in hostile.source_errors().items() if error}
    names = {*connection_level(hostile.elsewhere, hostile.elsewhere), *listings()}
    assert {name.rpartition("/")[2] for name in errors} == names
    for name, error in errors.items():
        print(f"{name}: {error}")
        assert len(error) <= 200
        assert "Failure" not in error
    report = hostile.crawled["listings"]
    assert report["errors"] == len(names)
    assert report["findings"] == GOOD


def test_each_page_is_an_error_and_the_good_ones_are_found(hostile: Hostile) -> None:
    errors = hostile.link_errors()
    failing = connection_level(hostile.elsewhere, hostile.elsewhere)
    for name in failing:
        print(f"{name}: {errors[name]}")
        assert f"/{name}" in errors[name]
    report = hostile.crawled["pages"]
    assert report["errors"] == len(failing), errors
    for name in articles():
        assert errors[name] in ("empty", "rejected", "gated", "found"), name
    assert all(errors[str(number)] == "found" for number in range(GOOD))


def test_a_page_in_bad_dress_is_read_all_the_same(hostile: Hostile) -> None:
    found = hostile.pantau("findings", "--outlet", "pages", "--json").lines()
    by_name = {finding["url"].rpartition("/")[2]: finding for finding in found}
    assert by_name["nul-bytes"]["title"] == "Camat di Buleleng Diperiksa"
    assert "\0" not in by_name["nul-bytes"]["text"]
    assert "SINGARAJA – Bawaslu" in by_name["no-charset"]["text"]
    assert "SINGARAJA – Bawaslu" in by_name["wrong-charset"]["text"]


def test_links_that_are_none_and_too_many_links(hostile: Hostile) -> None:
    report = hostile.crawled["links"]
    assert report["errors"] == 0, report["note"]
    assert report["new"] in (MANY, MANY + 1)  # the address with odd characters may be one
    assert report["fetched"] == MAX_ARTICLES
    report = hostile.crawled["robots"]
    assert (report["fetched"], report["errors"]) == (1, 0), report["note"]


def test_private_addresses_are_refused(pantau: Pantau, site: Site) -> None:
    site.pages = {"/feed": rss(site, ["/x"]), "/x": FILLER.format(title="x")}
    pantau.set(allow_private_addresses="false")
    port = site.url.rpartition(":")[2]
    hosts = {
        "literal": "127.0.0.1", "name": "localhost", "hexadecimal": "0x7f.1",
        "number": "2130706433", "short": "127.1", "any": "0", "octal": "0177.0.0.1",
    }  # fmt: skip
    pantau.catalogue(
        "".join(
            row(name, f"http://{host}:{port}", '[{feed = "/feed"}]') for name, host in hosts.items()
        )
    )
    crawled = pantau.crawl(*hosts)
    assert site.log == []
    for name in hosts:
        assert crawled[name]["errors"] == 1, name
        assert crawled[name]["links"] == 0
    assert crawled["literal"]["note"] == "feed /feed: 127.0.0.1 is a private address"
    assert "cannot be resolved to an address on the internet" in crawled["name"]["note"]
