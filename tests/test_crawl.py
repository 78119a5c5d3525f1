"""The crawl, end to end: a real site, the real engine, a real Redis."""

import json
import shutil
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from sqlalchemy import select

from storage.database import open_database, reading
from storage.models import Lease, Revision
from tests.conftest import Pantau, RedisServer
from tests.site import Answer, Site

RELEVANT = """<html><head><title>{title}</title>
<meta property="article:published_time" content="2026-11-20T09:00:00+08:00"></head>
<body><article><h1>{title}</h1><div class="entry-content">
<p>SINGARAJA – Bawaslu Buleleng memeriksa seorang camat yang diduga melanggar netralitas ASN karena
hadir dalam kampanye calon bupati nomor urut satu pada hari Minggu.</p>
<p>Ketua Bawaslu menyampaikan bahwa camat tersebut sudah dipanggil untuk dimintai klarifikasi.</p>
</div></article></body></html>"""
FILLER = """<html><head><title>{title}</title></head><body><article><h1>{title}</h1>
<p>Harga cabai di pasar induk turun menjelang akhir pekan, kata para pedagang yang ditemui di lapak
mereka pada Jumat pagi.</p><p>Mereka berharap harga tetap stabil sampai bulan depan.</p></article>
</body></html>"""


def feed(site: Site, *paths: str) -> str:
    items = "".join(f"<item><title>x</title><link>{site.url}{path}</link></item>" for path in paths)
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>{items}</channel></rss>'
    )


def test_a_finding_is_found_once_and_its_twins_are_fetched_once(pantau: Pantau, site: Site) -> None:
    site.pages = {
        "/feed": feed(
            site,
            "/berita/1/camat",
            "/berita/1/camat/?utm_source=x",
            "/amp/berita/1/camat",
            "/index.php/berita/1/camat",
            "/berita/2/cabai",
        ),
        "/berita/1/camat": RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu"),
        "/berita/2/cabai": FILLER.format(title="Harga Cabai Turun"),
    }
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]', province="Bali", zone="WITA")
    ran = pantau("crawl", "--outlet", "kabar", "--json")
    assert ran.code == 0, ran.err
    (report,) = ran.json()["outlets"]
    assert (report["new"], report["fetched"], report["findings"], report["errors"]) == (2, 2, 1, 0)
    assert sorted(site.paths()) == ["/berita/1/camat", "/berita/2/cabai", "/feed"]

    (found,) = pantau("findings", "--json").lines()
    assert found["title"] == "Camat di Buleleng Diperiksa Bawaslu"
    assert found["published"] == "2026-11-20T09:00:00+08:00"
    assert found["dateline"] == "SINGARAJA"
    assert found["kind"] == "examination"
    assert all(found["text"][e["start"] : e["end"]] == e["text"] for e in found["evidence"]
               if e["where"] == "text")  # fmt: skip

    again = pantau("crawl", "--outlet", "kabar", "--json")
    assert again.json()["outlets"][0]["fetched"] == 0
    assert len(pantau("findings", "--json").lines()) == 1


def slow(site: Site, articles: int, seconds: float) -> None:
    """Give `site` a feed of relevant articles that take their time."""
    paths = [f"/berita/{n}/camat" for n in range(articles)]
    site.pages["/feed"] = feed(site, *paths)
    for n, path in enumerate(paths):

        def page(_: object, n: int = n) -> Answer:
            time.sleep(seconds)
            return Answer(RELEVANT.format(title=f"Camat Diperiksa Bawaslu, Perkara {n}"))

        site.pages[path] = page


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_sigterm_finishes_what_is_in_flight_and_the_next_crawl_the_rest(
    pantau: Pantau, site: Site
) -> None:
    slow(site, articles=20, seconds=0.3)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    crawl = pantau.start("crawl", "--outlet", "kabar", "--json")
    wait_for(lambda: len(site.paths()) >= 5)
    crawl.terminate()
    out, err = crawl.communicate(timeout=60)
    assert crawl.returncode == 1, err
    assert err == "pantau: 1 of 1 outlets had errors or were stopped.\n"
    (report,) = json.loads(out)["outlets"]
    in_time = [asked for asked in site.log if asked.path.startswith("/berita/")]
    assert len(in_time) < 20
    assert report["findings"] == report["fetched"] == len(in_time)  # what was asked for is stored
    rest = pantau("crawl", "--outlet", "kabar", "--json").json()["outlets"][0]
    assert rest["fetched"] == 20 - len(in_time)
    assert len(pantau("findings", "--json").lines()) == 20


def test_two_processes_never_crawl_one_outlet_at_a_time(pantau: Pantau, site: Site) -> None:
    slow(site, articles=24, seconds=0.5)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    first = pantau.start("crawl", "--outlet", "kabar", "--json")
    wait_for(lambda: len(site.paths()) >= 1)
    second = pantau("crawl", "--outlet", "kabar", "--json")
    assert second.code == 1
    assert second.json()["outlets"][0]["note"] == "kabar is being crawled by another process"
    out, _ = first.communicate(timeout=60)
    assert json.loads(out)["outlets"][0]["findings"] == 24
    requests = sorted((asked.at, asked.until) for asked in site.log)
    assert all(until <= at for (_, until), (at, _) in pairwise(requests)), (
        "two requests at one time"
    )


def test_a_flushed_redis_is_rebuilt_and_nothing_fetched_again(pantau: Pantau, site: Site) -> None:
    slow(site, articles=5, seconds=0)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    assert pantau("crawl", "--outlet", "kabar").code == 0
    shutil.rmtree(pantau.home / "redis")
    site.pages["/berita/new/camat"] = RELEVANT.format(title="Lurah Diperiksa Bawaslu")
    site.pages["/feed"] = feed(site, "/berita/new/camat", *(f"/berita/{n}/camat" for n in range(5)))
    asked = len(site.paths())
    assert pantau("crawl", "--outlet", "kabar").code == 0
    assert site.paths()[asked:] == ["/feed", "/berita/new/camat"]
    assert len(pantau("findings", "--json").lines()) == 6


def test_limit_leaves_the_rest_for_the_next_crawl(pantau: Pantau, site: Site) -> None:
    slow(site, articles=5, seconds=0)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    fetched = [
        pantau("crawl", "--outlet", "kabar", "--limit", "2", "--json").json()["outlets"][0][
            "fetched"
        ]
        for _ in range(4)
    ]
    assert fetched == [2, 2, 1, 0]


def test_an_outlet_that_goes_down_loses_no_article(pantau: Pantau, site: Site) -> None:
    """Ten failures in a row end the crawl, and count against none of the pages."""
    slow(site, articles=30, seconds=0)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    well = dict(site.pages)
    for n in range(5, 30):
        site.pages[f"/berita/{n}/camat"] = Answer("maintenance", 500)
    for _ in range(4):
        report = pantau("crawl", "--outlet", "kabar", "--json").json()["outlets"][0]
        assert report["errors"] >= 10
    site.pages.update(well)
    assert pantau("crawl", "--outlet", "kabar").code == 0
    assert len(pantau("findings", "--json").lines()) == 30


def test_no_process_outlives_a_killed_crawl(pantau: Pantau, site: Site) -> None:
    slow(site, articles=50, seconds=0.05)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    crawl = pantau.start("crawl", "--outlet", "kabar")
    wait_for(lambda: len(site.paths()) >= 10)
    crawl.kill()
    crawl.communicate()
    wait_for(lambda: not processes_of(pantau.home))


def processes_of(home: Path) -> list[str]:
    """The Python processes of the installation in `home` that still run."""
    running = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if b"python" in command and f"PANTAU_HOME={home}".encode() in environment:
            running.append(command.decode(errors="replace"))
    return running


def test_a_redis_that_dies_is_an_error_in_the_report_and_loses_nothing(
    pantau: Pantau, site: Site, redis_server: RedisServer
) -> None:
    slow(site, articles=60, seconds=0.05)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    pantau.set(redis_url=redis_server.url)
    crawl = pantau.start("crawl", "--outlet", "kabar", "--json")
    wait_for(lambda: len(site.paths()) >= 10)
    redis_server.process.kill()
    out, err = crawl.communicate(timeout=90)
    assert crawl.returncode == 1
    assert "Traceback" not in err
    (report,) = json.loads(out)["outlets"]
    assert report["errors"] >= 1
    del pantau.environment["PANTAU_REDIS_URL"]
    assert pantau("crawl", "--outlet", "kabar").code == 0
    assert len(pantau("findings", "--json").lines()) == 60


def test_postgresql_and_redis_by_their_urls(
    pantau: Pantau, site: Site, redis_server: RedisServer, database_url: str
) -> None:
    slow(site, articles=5, seconds=0)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    pantau.set(redis_url=redis_server.url, database_url=database_url)
    (pantau.home / "pantau.db").unlink()
    assert pantau("crawl", "--outlet", "kabar").code == 0
    assert pantau("crawl", "--outlet", "kabar", "--json").json()["outlets"][0]["fetched"] == 0
    assert len(pantau("findings", "--json").lines()) == 5
    assert not list(pantau.home.glob("redis/*"))
    assert not (pantau.home / "pantau.db").exists()


def test_a_missing_page_of_a_split_article_is_fetched_another_day(
    pantau: Pantau, site: Site
) -> None:
    first = RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu")
    pager = '<div class="page-links"><span>1</span> <a href="/berita/1/camat?page=2">2</a></div>'
    second = FILLER.format(title="Camat di Buleleng Diperiksa Bawaslu")
    site.pages = {
        "/feed": feed(site, "/berita/1/camat"),
        "/berita/1/camat": first.replace("</div>", f"{pager}</div>"),
        "/berita/1/camat?page=2": Answer("maintenance", 503),
    }
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    report = pantau("crawl", "--outlet", "kabar", "--json").json()["outlets"][0]
    assert (report["findings"], report["errors"]) == (1, 1)
    assert "?page=2" in report["note"]
    site.pages["/berita/1/camat?page=2"] = second
    assert pantau("crawl", "--outlet", "kabar").code == 0
    (row,) = pantau("findings", "--json").lines()
    assert row["revision"] == 2
    assert "dimintai klarifikasi" in row["text"]
    assert "Harga cabai" in row["text"]
    asked = len(site.paths())
    assert pantau("crawl", "--outlet", "kabar").code == 0
    assert site.paths()[asked:] == ["/feed"]


def test_a_retraction_is_kept_as_a_revision_beside_the_wording_that_proves(
    pantau: Pantau, site: Site
) -> None:
    def sitemap(modified: datetime) -> str:
        return (
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url>'
            f"<loc>{site.url}/berita/1/camat</loc><lastmod>{modified.isoformat()}</lastmod>"
            "</url></urlset>"
        )

    before = RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu")
    after = FILLER.format(title="Ralat: Harga Cabai Turun")
    site.pages = {"/sitemap.xml": sitemap(datetime.now(UTC)), "/berita/1/camat": before}
    pantau.outlet("kabar", site.url, '[{sitemap = "/sitemap.xml"}]')
    assert pantau("crawl", "--outlet", "kabar").code == 0
    site.pages["/berita/1/camat"] = after
    site.pages["/sitemap.xml"] = sitemap(datetime.now(UTC) + timedelta(seconds=1))
    assert pantau("crawl", "--outlet", "kabar").code == 0
    (row,) = pantau("findings", "--json").lines()
    assert row["title"] == "Camat di Buleleng Diperiksa Bawaslu"
    assert row["revision"] == 2
    with reading(open_database(f"sqlite:///{pantau.home / 'pantau.db'}")) as session:
        wordings = session.scalars(select(Revision).order_by(Revision.number)).all()
        assert [wording.title for wording in wordings] == [row["title"], "Ralat: Harga Cabai Turun"]
        pages = [zstandard.decompress(wording.snapshots[0].html) for wording in wordings]
    assert pages == [before.encode(), after.encode()]
    assert "no scrapy.spidermiddlewares" not in (pantau.home / "pantau.log").read_text()


@pytest.mark.parametrize("moment", ["Spider opened", "Enabled item pipelines", "robots"])
def test_a_stop_during_the_start_ends_the_crawl_and_frees_the_outlet(
    pantau: Pantau, site: Site, moment: str
) -> None:
    slow(site, articles=30, seconds=0.3)
    pantau.set(lease_seconds=60)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    crawl = pantau.start("crawl", "--outlet", "kabar")
    log = pantau.home / "pantau.log"
    if moment == "robots":
        wait_for(lambda: len(site.log) > 0)
    else:
        wait_for(lambda: log.exists() and moment in log.read_text("utf-8"))
    crawl.send_signal(signal.SIGINT)
    _, err = crawl.communicate(timeout=60)
    assert crawl.returncode == 1
    assert "Traceback" not in err
    with reading(open_database(f"sqlite:///{pantau.home / 'pantau.db'}")) as session:
        assert session.scalars(select(Lease)).all() == []
    assert not processes_of(pantau.home)
