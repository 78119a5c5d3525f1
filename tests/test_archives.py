"""The Wayback Machine and Common Crawl, played: an outlet that is gone, found in what they kept."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests import site as sites
from tests.conftest import Pantau, row
from tests.site import Answer, Site
from tests.test_crawl import FILLER, RELEVANT
from tests.test_warc import packed, record

NOW = datetime.now(UTC).replace(microsecond=0)
TAKEN = NOW - timedelta(days=2)
STAMP = f"{TAKEN:%Y%m%d%H%M%S}"
GONE = "http://kabar.invalid"  # never resolves: whatever is asked of it fails
SPLIT = f"{GONE}/berita/4/lurah-berpose-bersama-calon"
ARTICLES = {
    f"{GONE}/berita/1/camat-diperiksa": RELEVANT.format(title="Camat di Buleleng Diperiksa"),
    f"{GONE}/berita/2/harga-cabai": FILLER.format(title="Harga Cabai Turun"),
    f"{GONE}/?p=33": RELEVANT.format(title="Lurah di Buleleng Diperiksa").replace("camat", "lurah"),
}
NO_ARTICLES = [
    f"{GONE}/",
    f"{GONE}/tag/asn/",
    f"{GONE}/feed/",
    f"{GONE}/wp-content/uploads/camat.jpg",
    f"{GONE}/2019/05/15/camat-lama/",
]


@pytest.fixture
def archive() -> Iterator[Site]:
    """A second site on loopback."""
    with sites.running() as running:
        yield running


@pytest.fixture
def wayback(pantau: Pantau, site: Site) -> Site:
    """The Wayback Machine, with captures of the outlet, two on each page of its index."""
    rows = [[STAMP, url] for url in [*ARTICLES, *NO_ARTICLES]]
    rows.append([STAMP, next(iter(ARTICLES)).replace("kabar", "www.kabar") + "/?utm_source=x"])

    def index(handler: BaseHTTPRequestHandler) -> Answer:
        query = parse_qs(urlsplit(handler.path).query)
        start = int(query.get("resumeKey", ["0"])[0])
        more = [[], [str(start + 2)]] if start + 2 < len(rows) else []
        body = [["timestamp", "original"], *rows[start : start + 2], *more]
        return Answer(json.dumps(body), headers={"Content-Type": "application/json"})

    site.pages["/cdx/search/cdx"] = index
    for url, html in ARTICLES.items():
        site.pages[f"/web/{STAMP}id_/{url}"] = html
    pantau.set(wayback_url=site.url)
    pantau.outlet("kabar", GONE, "[{wayback = true}]", zone="WITA")
    return site


def test_the_wayback_machine_gives_an_outlet_that_is_gone(pantau: Pantau, wayback: Site) -> None:
    report = pantau.crawl("kabar")["kabar"]
    assert (report["new"], report["fetched"], report["findings"]) == (3, 3, 2)
    assert report["errors"] == 0, report["note"]
    asked = [unquote(path) for path in wayback.paths()]
    questions = [path for path in asked if path.startswith("/cdx/")]
    assert len(questions) == 5
    query = parse_qs(urlsplit(wayback.paths()[0]).query)
    assert query["url"] == ["kabar.invalid/*"]
    assert query["filter"] == ["statuscode:200", "mimetype:text/html"]
    week = datetime.now(UTC) - timedelta(days=7)
    assert abs(datetime.strptime(query["from"][0] + "Z", "%Y%m%d%H%M%S%z") - week).seconds < 120
    assert sorted(set(asked) - set(questions)) == sorted(f"/web/{STAMP}id_/{u}" for u in ARTICLES)
    assert "/robots.txt" not in [asked.path for asked in wayback.log]  # made for programs

    found = pantau("findings", "--json").lines()
    assert {f["url"] for f in found} == {u for u, h in ARTICLES.items() if "Diperiksa" in h}
    assert {f["fetched"] for f in found} == {TAKEN.isoformat()}
    again = pantau.crawl("kabar")["kabar"]
    assert (again["new"], again["fetched"]) == (0, 0)


def test_an_archive_that_has_enough_is_left_alone(pantau: Pantau, wayback: Site) -> None:
    page = f"/web/{STAMP}id_/{next(iter(ARTICLES))}"
    answers = [Answer("slower", 429, {"Retry-After": "2"}), wayback.pages[page]]
    wayback.pages[page] = lambda _: answers.pop(0)
    pantau.set(delay=0.2)
    report = pantau.crawl("kabar")["kabar"]
    assert (report["findings"], report["errors"]) == (2, 0)
    log = wayback.log
    refused = next(n for n, asked in enumerate(log) if asked.status == 429)
    assert log[refused + 1].at - log[refused].until > 1.9
    assert all(b.at - a.until > 0.15 for a, b in pairwise(log))


def test_an_archive_is_asked_one_thing_at_a_time_by_all_outlets_together(
    pantau: Pantau, wayback: Site
) -> None:
    """However long it takes to answer; and one that breaks off keeps nobody waiting."""
    index = wayback.pages["/cdx/search/cdx"]
    assert callable(index)
    began = []

    def slowly(handler: BaseHTTPRequestHandler) -> Answer | None:
        began.append(handler.path)
        time.sleep(0.3)
        if len(began) == 3:
            handler.connection.shutdown(socket.SHUT_RDWR)  # it is asked again
            return None
        return index(handler)

    wayback.pages["/cdx/search/cdx"] = slowly
    names = "kabar", "warta", "berita"
    pantau.catalogue("".join(row(name, GONE, "[{wayback = true}]") for name in names))
    started = time.monotonic()
    crawled = pantau.crawl(*names)
    assert time.monotonic() - started < 60
    assert [crawled[name]["errors"] for name in names] == [0, 0, 0]
    log = sorted(wayback.log, key=lambda asked: asked.at)
    assert len([asked for asked in log if asked.path.startswith("/cdx/")]) == 3 * 5 + 1
    # an answer is there before the site has noted it
    assert all(later.at > earlier.until - 0.1 for earlier, later in pairwise(log))


def test_common_crawl_gives_the_records_of_its_files(
    pantau: Pantau, site: Site, archive: Site
) -> None:
    """Only the crawls of the window are asked, and of their files only the records."""
    file = "crawl-data/CC-MAIN-2026-47/segments/1.2/warc/CC-MAIN-00001.warc.gz"
    parts = packed(record(url, html, TAKEN) for url, html in ARTICLES.items())
    whole = b"".join(parts)
    captures, offset = [], 0
    for url, part in zip(ARTICLES, parts, strict=True):
        captures.append(
            {"url": url, "filename": file, "offset": str(offset), "length": str(len(part))}
        )
        offset += len(part)
    hostile = [
        captures[0] | {"url": f"{GONE}/berita/7/jauh", "filename": "../../etc/passwd"},
        captures[0] | {"url": "https://elsewhere.example/berita/8/lain"},
        captures[0] | {"url": f"{GONE}/berita/9/besar", "length": str(10**9)},
        {"message": "?"},
    ]

    def index(handler: BaseHTTPRequestHandler) -> Answer:
        page = int(parse_qs(urlsplit(handler.path).query)["page"][0])
        lines = [captures, hostile][page : page + 1]
        body = "\n".join(map(json.dumps, *lines)) if lines else ""
        return Answer(body, 200 if lines else 400, {"Content-Type": "text/x-ndjson"})

    def data(handler: BaseHTTPRequestHandler) -> Answer:
        first, last = map(int, handler.headers["Range"].removeprefix("bytes=").split("-"))
        return Answer(whole[first : last + 1], 206, {"Content-Type": "application/octet-stream"})

    week = {"from": f"{NOW - timedelta(9):%Y-%m-%dT%H:%M:%S}", "to": f"{NOW:%Y-%m-%dT%H:%M:%S}"}
    site.pages = {
        "/collinfo.json": json.dumps(
            [
                {"id": "CC-MAIN-2026-47", **week},
                {"id": "CC-MAIN-2020-10", "from": "2020-02-16T00:00:00", "to": "2020-03-01"},
                {"id": "CC-MAIN-2015-06"},
                {"id": "../../CC-MAIN-2026-47", **week},
            ]
        ),
        "/CC-MAIN-2026-47-index": index,
    }
    archive.pages = {f"/{file}": data}
    pantau.set(common_crawl_index_url=site.url, common_crawl_data_url=archive.url)
    pantau.outlet("kabar", GONE, "[{commoncrawl = true}]", zone="WITA")
    report = pantau.crawl("kabar")["kabar"]
    assert (report["new"], report["fetched"], report["findings"]) == (3, 3, 2)
    assert report["errors"] == 0, report["note"]
    assert len(site.paths()) == 4
    assert archive.paths() == [f"/{file}"] * 3
    found = pantau("findings", "--json").lines()
    assert {f["url"] for f in found} == {u for u, h in ARTICLES.items() if "Diperiksa" in h}
    assert {f["fetched"] for f in found} == {TAKEN.isoformat()}


def test_an_outlet_leads_nobody_to_an_archive(pantau: Pantau, wayback: Site, archive: Site) -> None:
    """Only what we ask of an archive goes there."""
    page = f"{wayback.url}/web/{STAMP}id_/{next(iter(ARTICLES))}"
    archive.pages = {
        "/feed": sites.rss(archive, ["/berita/1/pindah"]),
        "/berita/1/pindah": Answer(status=302, headers={"Location": page}),
    }
    pantau.outlet("warta", archive.url, '[{feed = "/feed"}]')
    report = pantau.crawl("warta")["warta"]
    assert (report["findings"], report["errors"]) == (0, 1)
    assert "another site" in report["note"]
    assert not wayback.log


def test_an_archive_leads_to_an_outlet_as_any_link_does(
    pantau: Pantau, wayback: Site, archive: Site
) -> None:
    """What its robots.txt forbids is not fetched, and what is, is of today."""
    pages = {path: f"{archive.url}{path}" for path in ("/berita/1/tutup", "/berita/2/buka")}
    rows = [["timestamp", "original"], *([STAMP, page] for page in pages.values())]
    wayback.pages["/cdx/search/cdx"] = json.dumps(rows)
    for path, page in pages.items():
        moved = Answer(status=302, headers={"Location": page})
        wayback.pages[f"/web/{STAMP}id_/{page}"] = moved
        archive.pages[path] = RELEVANT.format(title="Camat di Buleleng Diperiksa")
    archive.pages["/robots.txt"] = "User-agent: *\nDisallow: /berita/1/"
    pantau.outlet("kabar", archive.url, "[{wayback = true}]")
    report = pantau.crawl("kabar")["kabar"]
    assert (report["findings"], report["note"]) == (
        1,
        f"{wayback.url}/web/{STAMP}id_/{pages['/berita/1/tutup']}: robots.txt forbids it",
    )
    assert archive.paths() == ["/berita/2/buka"]
    (found,) = pantau("findings", "--json").lines()
    assert datetime.fromisoformat(found["fetched"]) > NOW - timedelta(minutes=1)


def test_an_index_that_answers_nonsense_is_an_error(pantau: Pantau, site: Site) -> None:
    answers = [b"<html>busy", b"{}", b"[" * 10**6, b'[["timestamp"], ["1", 2], 3]']

    def index(handler: BaseHTTPRequestHandler) -> Answer:
        asked = parse_qs(urlsplit(handler.path).query)["url"][0]
        return Answer(answers[int(asked.split(".")[0].removeprefix("kabar"))])

    site.pages = {"/cdx/search/cdx": index, "/collinfo.json": '[{"id": 7}, 3]'}
    pantau.set(wayback_url=site.url, common_crawl_index_url=site.url)
    sources = "[{wayback = true}, {commoncrawl = true}]"
    names = [f"kabar{n}" for n in range(len(answers))]
    pantau.catalogue("".join(row(name, f"http://{name}.invalid", sources) for name in names))
    reports = pantau.crawl(*names)
    for name in names:
        assert (reports[name]["links"], reports[name]["errors"]) == (0, 2)
        assert reports[name]["note"].startswith("wayback: it does not answer ")


def test_a_backfill_asks_the_archives_where_the_site_is_gone(pantau: Pantau, wayback: Site) -> None:
    pantau.outlet("kabar", GONE, '[{feed = "/feed", pages = "/feed?paged={page}"}]', zone="WITA")
    week = ("--from", f"{NOW - timedelta(7):%Y-%m-%d}", "--to", f"{NOW - timedelta(1):%Y-%m-%d}")
    ran = pantau("backfill", *week, "--outlet", "kabar", "--json")
    (report,) = ran.json()["outlets"]
    assert (ran.code, report["listed"], wayback.log) == (1, 0, [])

    ran = pantau("backfill", *week, "--outlet", "kabar", "--archives", "--json")
    (report,) = ran.json()["outlets"]
    assert (report["fetched"], report["found"]) == (3, 2), ran.err
    found = pantau("findings", "--json").lines()
    assert {f["fetched"] for f in found} == {TAKEN.isoformat()}
    assert all(f["quiet"] for f in found)


def test_an_article_split_over_pages_comes_whole(pantau: Pantau, wayback: Site) -> None:
    html = RELEVANT.format(title="Lurah di Buleleng Berpose Bersama Calon")
    pages = f'<div class="page-links">Halaman: 1 <a href="{SPLIT}/2/">2</a></div></article>'
    second = html.replace("sudah dipanggil untuk dimintai klarifikasi", "dijatuhi sanksi disiplin")
    wayback.pages[f"/web/{STAMP}id_/{SPLIT}"] = html.replace("</article>", pages)
    wayback.pages[f"/web/{STAMP}id_/{SPLIT}/2/"] = second
    rows = [["timestamp", "original"], [STAMP, SPLIT], [STAMP, f"{SPLIT}/2/"]]
    wayback.pages["/cdx/search/cdx"] = json.dumps(rows)
    assert pantau.crawl("kabar")["kabar"]["errors"] == 0
    (found,) = pantau("findings", "--json").lines()
    assert "sudah dipanggil" in found["text"]
    assert "dijatuhi sanksi disiplin" in found["text"]
