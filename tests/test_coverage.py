"""How much is seen: spare sources, what the daily ones miss, the ledger, twins and copies."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis
from sqlalchemy import update
from sqlalchemy.orm import Session

from crawler import urls
from storage.coverage import ARTICLES, Coverage, estimate, overall
from storage.database import open_database
from storage.models import Crawl, SeenIn, Source, State
from storage.seen import Seen
from tests.conftest import Pantau, RedisServer, row
from tests.site import Answer, Site, rss, running
from tests.test_crawl import FILLER, RELEVANT, wait_for

NOW = datetime.now(UTC)
BOTH = '[{feed = "/feed"}]\nspare = [{sitemap = "/sitemap.xml"}]'


def listed(site: Site, *paths: str) -> str:
    """A feed of `paths`, published an hour ago."""
    return rss(site, paths, format_datetime(NOW - timedelta(hours=1)))


def sitemap(site: Site, *paths: str, dated: bool = True) -> str:
    """A sitemap of `paths`, modified two hours ago, if it is `dated`."""
    when = (NOW - timedelta(hours=2)).isoformat(timespec="seconds")
    modified = f"<lastmod>{when}</lastmod>" if dated else ""
    entries = "".join(f"<url><loc>{site.url}{path}</loc>{modified}</url>" for path in paths)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'


@pytest.fixture
def places() -> Iterator[list[Site]]:
    """Five more sites."""
    with ExitStack() as stack:
        yield [stack.enter_context(running()) for _ in range(5)]


def fill(site: Site, ordinary: int, relevant: int) -> tuple[list[str], list[str]]:
    """Give `site` articles; their paths."""
    fillers = [f"/berita/{n}/cabai-{n}" for n in range(ordinary)]
    findings = [f"/berita/{n}/camat-{n}" for n in range(1000, 1000 + relevant)]
    site.pages |= {path: FILLER.format(title=f"Harga Cabai {path[-1]} Turun") for path in fillers}
    site.pages |= {
        path: RELEVANT.format(title=f"Camat {path[-1]} Diperiksa Bawaslu") for path in findings
    }
    return fillers, findings


def test_a_spare_source_stands_in_for_one_that_fails(pantau: Pantau, site: Site) -> None:
    fillers, findings = fill(site, 2, 1)
    site.pages["/sitemap.xml"] = sitemap(site, *fillers, *findings)
    pantau.outlet("kabar", site.url, BOTH)
    report = pantau.crawl("kabar")["kabar"]
    assert (report["findings"], report["errors"]) == (1, 0)
    assert report["note"] == "feed /feed: HTTP 404; sitemap /sitemap.xml was read instead"

    site.pages["/feed"] = listed(site, *fillers)
    del site.log[:]
    assert pantau.crawl("kabar")["kabar"]["note"] is None
    assert "/sitemap.xml" not in site.paths()  # where the feed is well, the spare one is left alone


def test_a_crawl_that_saw_nothing_is_no_success(pantau: Pantau, places: list[Site]) -> None:
    """Neither a source that is not there nor one that lists nothing stands in for the feed."""
    maps = "http://www.sitemaps.org/schemas/sitemap/0.9"
    news = "http://www.google.com/schemas/sitemap-news/0.9"
    empty = {
        "closed": (Answer("closed", 403), BOTH),
        "map": (f'<urlset xmlns="{maps}"></urlset>', BOTH),
        "index": (f'<sitemapindex xmlns="{maps}"></sitemapindex>', BOTH),
        "news": (f'<urlset xmlns="{maps}" xmlns:n="{news}"/>', BOTH),
        "daily-news": (f'<urlset xmlns="{maps}" xmlns:n="{news}"/>', '[{sitemap="/sitemap.xml"}]'),
    }
    catalogue = ""
    for place, (name, (page, sources)) in zip(places, empty.items(), strict=True):
        place.pages["/sitemap.xml"] = page
        catalogue += row(name, place.url, sources)
    pantau.catalogue(catalogue)
    crawled = pantau.crawl(*empty)
    assert crawled.ran.code == 1
    notes = {name: crawled[name]["note"] for name in empty}
    assert notes == dict.fromkeys(empty, "feed /feed: HTTP 404") | {"daily-news": None}


def test_what_the_daily_source_misses_is_crawled_counted_and_shown(
    pantau: Pantau, site: Site
) -> None:
    fillers, findings = fill(site, 6, 2)
    feed = listed(site, *fillers[:4], findings[0])
    site.pages["/feed"] = feed.replace(
        "</channel>",
        "<item><link>https://lain.example/berita/1</link></item>"
        "<item><link>mailto:redaksi@lain.example</link></item></channel>",
    )
    site.pages["/sitemap.xml"] = sitemap(site, *fillers[1:], *findings)
    pantau.outlet("kabar", site.url, BOTH)
    first = pantau.crawl("kabar")["kabar"]
    assert (first["new"], first["missed"], first["findings"]) == (5, 0, 1)
    checked = pantau("crawl", "--check", "--outlet", "kabar", "--json").json()["outlets"][0]
    assert (checked["new"], checked["missed"], checked["findings"]) == (3, 3, 1)

    (outlet,) = pantau("coverage", "--json").json()["outlets"]
    assert outlet["missed"] == 3
    assert (outlet["listed"], outlet["fetched"]) == (8, 8)
    assert (outlet["gated"], outlet["judged"], outlet["found"]) == (6, 2, 2)
    # once by each crawl
    assert outlet["dropped"] == {"of another site": 2, "no address of a page": 2}
    seen = outlet["articles"]
    assert (seen["daily"], seen["others"], seen["both"]) == (5, 7, 4)
    assert seen["total"] == pytest.approx((5 + 1) * (7 + 1) / (4 + 1) - 1, abs=0.05)
    assert outlet["findings"]["share"] == 0.5
    shown = pantau("coverage")
    assert "Findings seen" in shown.out
    assert "of another site" in shown.out


def test_a_search_finds_what_feed_and_sitemap_miss(pantau: Pantau, site: Site) -> None:
    """And one that is only guessed, and is not there, is said once and fails nothing."""
    fillers, (seen, missed) = fill(site, 3, 2)
    site.pages["/feed"] = listed(site, *fillers, seen)
    site.pages["/sitemap.xml"] = sitemap(site, *fillers, seen)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]', platform="generic")
    check = ("crawl", "--check", "--outlet", "kabar", "--json")

    def checked(code: int = 0) -> dict[str, Any]:
        ran = pantau(*check)
        assert ran.code == code
        report: dict[str, Any] = ran.json()["outlets"][0]
        return report

    assert checked()["note"] == "feed /rss: HTTP 404"
    assert any(path.startswith("/search?q=netralitas") for path in site.paths())
    assert checked()["note"] is None, "it was said before"

    hits = "".join(f'<h2><a href="{path}">Camat di sini diperiksa Bawaslu</a></h2>'
                   for path in (seen, "/berita/7/camat-lama", "/berita/8/camat-lama"))  # fmt: skip
    site.pages["/search"] = f"<html><main>{hits}</main></html>"
    site.pages |= dict.fromkeys(("/berita/7/camat-lama", "/berita/8/camat-lama"), FILLER)
    assert checked()["missed"] == 0, "without dates, what was there before is not known to be new"
    more = f'<h2><a href="{missed}">Camat lain diperiksa Bawaslu</a></h2>'
    site.pages["/search"] = f"<html><main>{more}{hits}</main></html>"
    report = checked()
    assert (report["missed"], report["findings"], report["errors"]) == (1, 1, 0)
    (outlet,) = pantau("coverage", "--json").json()["outlets"]
    assert (outlet["missed"], outlet["found"]) == (1, 2)
    assert (outlet["findings"]["daily"], outlet["findings"]["both"]) == (1, 1)
    assert outlet["articles"], "the sitemap tells, whatever else fails"

    site.pages["/search"] = Answer("", 429, {"Retry-After": "7200"})
    report = checked()
    assert "left alone for 7200 s" in report["note"]
    assert report["errors"] == 0


def test_what_healthy_sources_list_is_fetched_before_others_are_asked(
    pantau: Pantau, site: Site
) -> None:
    """Though one source fails every day and the outlet wants to be left alone by what stands in."""
    fillers, findings = fill(site, 2, 1)
    site.pages["/sitemap.xml"] = Answer("", 429, {"Retry-After": "7200"})
    pantau.outlet("kabar", site.url, BOTH.replace("[{", '[{feed = "/rss"}, {', 1))
    for day, paths in enumerate((fillers, findings)):
        site.pages["/feed"] = listed(site, *paths)
        del site.log[:]
        crawled = pantau.crawl("kabar")
        assert site.paths() == ["/rss", "/feed", *paths, "/sitemap.xml"]
        report = crawled["kabar"]
        assert (report["fetched"], report["findings"]) == (len(paths), day)
        assert (crawled.ran.code, report["errors"]) == (1, 2)
        assert "left alone for 7200 s" in report["note"]


def test_first_pages_are_asked_conditionally_by_each_source_for_itself(
    pantau: Pantau, site: Site
) -> None:
    fillers, findings = fill(site, 4, 2)
    shown = {"/": fillers[:2], "/cari": fillers[2:]}

    def page(handler: BaseHTTPRequestHandler) -> Answer:
        links = shown[urlsplit(handler.path).path]
        tag = f'"{len(links)}"'
        if handler.headers["If-None-Match"] == tag:
            return Answer("", 304)
        rows = "".join(f'<h2><a href="{link}">Berita pilihan dari redaksi</a></h2>'
                       for link in links)  # fmt: skip
        return Answer(f"<html><main>{rows}</main></html>", headers={"ETag": tag})

    site.pages |= dict.fromkeys(shown, page)
    search = '{search = "/cari?q={term}&page={page}", hits = "a", terms = ["bawaslu", "pilkada"]}'
    pantau.set(max_source_pages=2)
    pantau.outlet(
        "kabar", site.url,
        f'[{{archive = "/?page={{page}}", links = "a[href*=camat]"}}, {search}]\n'
        'spare = [{index = ["/?page={page}"]}]',
    )  # fmt: skip
    shown["/"].append(findings[0])
    assert pantau.crawl("kabar")["kabar"]["findings"] == 1
    asked = {}
    for news in ((), findings[1:]):
        shown["/"].extend(news)
        del site.log[:]
        report = pantau.crawl("kabar")["kabar"]
        assert (report["findings"], report["errors"]) == (len(news), 0)
        asked[len(news)] = [(a.path, a.status) for a in site.log if "page=" in a.path]
    searched = [("/cari?q=bawaslu&page=1", 304), ("/cari?q=pilkada&page=1", 304)]
    assert asked[0] == [("/?page=1", 304), *searched], "one request each"
    assert [status for path, status in asked[1] if path == "/?page=1"] == [200]

    del site.log[:]
    assert pantau("crawl", "--check", "--outlet", "kabar", "--json").code == 0
    by_index = [a.status for a in site.log if a.path == "/?page=1"]
    assert by_index == [200, 200], "asked anew; what the archive has read the index has yet to read"


def test_a_server_that_never_says_that_anything_changed_is_asked_anew_once_a_week(
    pantau: Pantau, site: Site
) -> None:
    fillers, findings = fill(site, 1, 1)
    shown = [*fillers]

    def feed(handler: BaseHTTPRequestHandler) -> Answer:
        if handler.headers["If-None-Match"]:
            return Answer("", 304)
        return Answer(listed(site, *shown), headers={"ETag": '"always"'})

    site.pages["/feed"] = feed
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    pantau.crawl("kabar")
    shown += findings
    assert pantau.crawl("kabar")["kabar"]["links"] == 0
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    with Session(engine) as session, session.begin():
        session.execute(update(Crawl).values(started=NOW - timedelta(days=8)))
    engine.dispose()
    assert pantau.crawl("kabar")["kabar"]["findings"] == 1
    pantau.crawl("kabar")
    assert [a.status for a in site.log if a.path == "/feed"] == [200, 304, 200, 304]


def test_an_answer_of_304_that_was_not_asked_for_is_no_success(pantau: Pantau, site: Site) -> None:
    site.pages["/feed"] = Answer("", 304)
    feed = '[{feed = "/feed", window = "/feed?m={year}{month}"}]'
    pantau.outlet("kabar", site.url, feed)
    crawled = pantau.crawl("kabar")
    assert (crawled.ran.code, crawled["kabar"]["errors"]) == (1, 1)
    assert crawled["kabar"]["note"] == "feed /feed: HTTP 304"
    month = ("--from", "2023-07-01", "--to", "2023-07-31")
    ran = pantau("backfill", "--outlet", "kabar", *month, "--json")
    assert (ran.code, ran.json()["outlets"][0]["errors"] > 0) == (1, True)


def test_what_comes_late_on_the_day_an_index_names_is_seen(pantau: Pantau, site: Site) -> None:
    """The index says of its sitemap the day only, and stays the same until another day."""
    fillers, findings = fill(site, 1, 2)
    map_ = "<sitemap><loc>{}/{}.xml</loc><lastmod>{}</lastmod></sitemap>"
    days = ((NOW, "baru"), (NOW - timedelta(days=3), "lama"))
    maps = "".join(map_.format(site.url, name, f"{day:%Y-%m-%d}") for day, name in days)

    def unless_known(body: str) -> Callable[[BaseHTTPRequestHandler], Answer]:
        tag = f'"{len(body)}"'
        return lambda asked: (
            Answer("", 304)
            if asked.headers["If-None-Match"] == tag
            else Answer(body, headers={"ETag": tag})
        )

    site.pages["/sitemap.xml"] = unless_known(f"<sitemapindex>{maps}</sitemapindex>")
    site.pages["/lama.xml"] = unless_known(sitemap(site, *fillers))
    site.pages["/baru.xml"] = unless_known(sitemap(site, findings[0]))
    pantau.outlet("kabar", site.url, '[{sitemap = "/sitemap.xml"}]')
    assert pantau.crawl("kabar")["kabar"]["findings"] == 1
    site.pages["/baru.xml"] = unless_known(sitemap(site, *findings))
    assert pantau.crawl("kabar")["kabar"]["findings"] == 1
    assert [a.status for a in site.log if a.path == "/lama.xml"] == [200, 304]


def test_the_first_hours_of_a_window_may_be_in_the_site_s_month_before(
    pantau: Pantau, site: Site
) -> None:
    """As its clock may be that of London."""
    paths = [f"/berita/{n}/camat" for n in range(4)]
    dates = ["2023-06-30T23:00:00+07:00", "2023-07-01T05:00:00+07:00"]
    dates += ["2023-07-20T05:00:00+07:00", "2023-08-01T00:30:00+07:00"]
    for path, date in zip(paths, dates, strict=True):
        page = RELEVANT.format(title="Camat Diperiksa Bawaslu")
        site.pages[path] = page.replace("2026-11-20T09:00:00+08:00", date)
    link = '<h2><a href="{}">Camat Diperiksa Bawaslu</a></h2>'
    site.pages["/arsip/2023/06"] = link.format(paths[1]) + link.format(paths[0])
    site.pages["/arsip/2023/07"] = link.format(paths[3]) + link.format(paths[2])
    days = 'past = [{days = "/arsip/{year}/{month}", links = "h2 a"}]'
    pantau.outlet("kabar", site.url, f'[{{feed = "/feed"}}]\n{days}')
    month = ("--from", "2023-07-01", "--to", "2023-07-31")
    assert pantau("backfill", "--outlet", "kabar", *month).code == 0
    found = {urlsplit(f["url"]).path for f in pantau("findings", "--json").lines()}
    assert found == set(paths[1:3])
    listings = dict.fromkeys(path for path in site.paths() if path.startswith("/arsip"))
    assert list(listings) == ["/arsip/2023/07", "/arsip/2023/06"]


def test_spare_sources_are_asked_once_a_week(pantau: Pantau, site: Site) -> None:
    fillers, findings = fill(site, 3, 1)
    site.pages["/feed"] = listed(site, *fillers)
    site.pages["/sitemap.xml"] = sitemap(site, *fillers, *findings)
    pantau.outlet("kabar", site.url, BOTH)
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")

    def days_pass(days: int) -> None:
        with Session(engine) as session, session.begin():
            session.execute(update(Crawl).values(started=NOW - timedelta(days=days)))
            session.execute(
                update(Source)
                .where(Source.name == "check")
                .values(completed=NOW - timedelta(days=days))
            )

    asked = []
    for days in (0, 8, 1, 8):
        days_pass(days)
        del site.log[:]
        asked.append((pantau.crawl("kabar")["kabar"]["findings"], "/sitemap.xml" in site.paths()))
    assert asked == [(0, False), (1, True), (0, False), (0, True)]


def test_a_check_costs_no_news(pantau: Pantau, places: list[Site]) -> None:
    """Whatever the spare sources are like, and whichever source lists an article first."""
    first, busy, gone, moved, _ = places
    outlets = {"first": first, "busy": busy, "gone": gone, "moved": moved}
    catalogue = ""
    for name, place in outlets.items():
        fillers, findings = fill(place, 2, 2)
        place.pages["/feed"] = listed(place, *fillers, findings[0])
        catalogue += row(name, place.url, BOTH)
    fillers, (old, new) = fill(first, 2, 2)
    first.pages["/feed"] = rss(first, fillers)
    first.pages["/sitemap.xml"] = sitemap(first, *fillers, old, new, dated=False)
    busy.pages["/sitemap.xml"] = Answer("", 429, {"Retry-After": "7200"})
    moved.pages["/sitemap.xml"] = sitemap(moved, *fillers, "/lama")
    moved.pages["/lama"] = Answer(status=301, headers={"Location": new})
    pantau.catalogue(catalogue)

    asked = [part for name in outlets for part in ("--outlet", name)]
    ran = pantau("crawl", "--check", "--json", *asked)
    report = {report["outlet"]: report for report in ran.json()["outlets"]}
    assert {name: report[name]["findings"] for name in outlets} == {
        "first": 0, "busy": 1, "gone": 1, "moved": 2,
    }  # fmt: skip
    assert ran.code == 1
    assert "left alone for 7200 s" in report["busy"]["note"]
    assert busy.paths()[-1] == "/sitemap.xml", "the articles come first"
    assert (report["moved"]["missed"], report["moved"]["links"]) == (1, 3 + 3)

    ledger = {row["outlet"]: row for row in pantau("coverage", "--json").json()["outlets"]}
    measured = {name for name, row in ledger.items() if row["articles"]}
    assert measured == {"first", "moved"}, "the others' spare sources told nothing"
    seen = ledger["moved"]["articles"]
    assert (seen["daily"], seen["others"], seen["both"]) == (3, 3, 2)

    # the check is not due again; and what only the sitemap had is in the feed now
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    with Session(engine) as session, session.begin():
        session.execute(update(Crawl).values(started=NOW - timedelta(days=8)))
    first.pages["/feed"] = rss(first, [new, *fillers])
    del busy.log[:], gone.log[:], first.log[:]
    again = pantau.crawl("first", "busy", "gone")
    assert (again.ran.code, again["first"]["findings"]) == (0, 1)
    assert not [place for place in (busy, gone, first) if "/sitemap.xml" in place.paths()]


def test_the_daily_crawl_waits_for_a_backfill_that_is_slow(pantau: Pantau, site: Site) -> None:
    """Longer than for one that may have died: the lease is of 2 s."""
    began = []

    def slow(_: BaseHTTPRequestHandler) -> Answer:
        began.append(time.monotonic())
        time.sleep(6)
        return Answer(RELEVANT.format(title="Camat Diperiksa Bawaslu"))

    _, (past, news) = fill(site, 0, 2)
    site.pages["/sitemap.xml"] = sitemap(site, past)
    site.pages["/feed"] = listed(site, news)
    site.pages[past] = slow
    pantau.outlet("kabar", site.url, BOTH)
    start, last = (f"{NOW - timedelta(days=days):%Y-%m-%d}" for days in (4, 2))
    past_ = pantau.start("backfill", "--outlet", "kabar", "--from", start, "--to", last)
    wait_for(lambda: bool(began), seconds=30)
    report = pantau.crawl("kabar")["kabar"]
    assert (report["findings"], report["errors"], report["note"]) == (1, 0, None)
    past_.communicate(timeout=60)
    assert time.monotonic() - began[0] > 6


def test_what_another_outlet_has_in_hand_is_counted(
    pantau: Pantau, site: Site, redis_server: RedisServer
) -> None:
    fillers, _ = fill(site, 2, 0)
    feed = Answer(listed(site, *fillers), headers={"ETag": '"1"'})
    site.pages["/feed"] = lambda h: Answer("", 304) if h.headers["If-None-Match"] else feed
    pantau.set(redis_url=redis_server.url, max_source_pages=1)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    taken = urls.canonical(site.url + fillers[0])
    assert taken
    Seen(Redis.from_url(redis_server.url), list).claim([taken], "lain", 60)
    assert pantau.crawl("kabar")["kabar"]["fetched"] == 1
    (outlet,) = pantau("coverage", "--json").json()["outlets"]
    assert outlet["dropped"]["being fetched for another outlet"] == 1

    Redis.from_url(redis_server.url).flushall()  # the other one gave it up
    assert pantau.crawl("kabar")["kabar"]["fetched"] == 1
    pantau.crawl("kabar")
    assert [a.status for a in site.log if a.path == "/feed"] == [200, 200, 304]


def test_every_link_is_accounted_for(pantau: Pantau, site: Site) -> None:
    fillers, findings = fill(site, 3, 1)
    site.pages |= {
        "/feed": listed(site, *fillers, *findings, "/rusak", "/pindah", "/kosong"),
        "/rusak": Answer("gone", 410),
        "/pindah": Answer(status=301, headers={"Location": fillers[0]}),
        "/kosong": Answer(b"\x89PNG\r\n\x1a\n\0", headers={"Content-Type": "image/png"}),
    }
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    pantau.crawl("kabar")
    (outlet,) = pantau("coverage", "--json").json()["outlets"]
    assert outlet["listed"] == 7
    parts = {name: outlet[name] for name in ("waiting", "too_old", "twin", "failed", "fetched")}
    assert parts == {"waiting": 0, "too_old": 0, "twin": 1, "failed": 1, "fetched": 5}
    assert (outlet["gated"], outlet["empty"], outlet["found"]) == (3, 1, 1)
    assert outlet["failures"] == {"HTTP 410": 1}


def test_a_twin_domain_shows_the_same_articles(pantau: Pantau, site: Site) -> None:
    fillers, findings = fill(site, 1, 1)
    port = site.url.rpartition(":")[2]
    twin = f"http://127.0.0.2:{port}"
    feed = listed(site, *fillers, *findings)
    site.pages["/feed"] = feed.replace("</channel>", f"<item><link>{twin}{findings[0]}?utm_source=x"
                                       "</link></item></channel>")  # fmt: skip
    pantau.catalogue(row("kabar", site.url, f'[{{feed = "/feed"}}]\ntwins = ["127.0.0.2:{port}"]'))
    report = pantau.crawl("kabar")["kabar"]
    assert (report["new"], report["fetched"], report["findings"]) == (2, 2, 1)


def test_a_copy_on_another_site_is_known_as_the_same(pantau: Pantau, site: Site) -> None:
    text = "".join(
        f"<p>Paragraf {n} menyebut seorang camat yang diduga melanggar netralitas ASN karena ikut "
        f"kampanye calon bupati, kata Bawaslu dalam keterangan ke-{n} kepada wartawan.</p>"
        for n in range(5)
    )
    page = (
        "<html><body><article><h1>Camat Diperiksa Bawaslu</h1><p>{}</p>{}</article></body></html>"
    )
    with running("127.0.0.2") as copier:
        for number, (place, dateline) in enumerate(((site, "SINGARAJA – "), (copier, "Bali, "))):
            path = f"/berita/{number}/camat-diperiksa"
            place.pages = {
                "/feed": listed(place, path),
                path: page.format(dateline + "Bawaslu memeriksa seorang camat.", text),
            }
        pantau.catalogue(
            row("asli", site.url, '[{feed = "/feed"}]')
            + row("salinan", copier.url, '[{feed = "/feed"}]')
        )
        pantau.crawl("asli")
        pantau.crawl("salinan")
    found = {f["outlet"]: f for f in pantau("findings", "--json").lines()}
    assert found["asli"]["same_as"] is None
    assert found["salinan"]["same_as"] == found["asli"]["id"]


def test_the_first_crawl_is_old_news(pantau: Pantau, site: Site) -> None:
    _, findings = fill(site, 0, 2)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    for day in (1, 2):
        site.pages["/feed"] = listed(site, *findings[:day])
        pantau.crawl("kabar")
    quiet = {f["url"][-1]: f["quiet"] for f in pantau("findings", "--json").lines()}
    assert quiet == {"0": True, "1": False}


def test_what_the_first_crawl_could_not_fetch_is_old_news_too(pantau: Pantau, site: Site) -> None:
    """The first day the outlet is away, the next one of its pages is."""
    _, findings = fill(site, 0, 3)
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    assert pantau.crawl("kabar").ran.code == 1
    page, site.pages[findings[1]] = site.pages[findings[1]], Answer("", 503)
    site.pages["/feed"] = listed(site, *findings[:2])
    pantau.crawl("kabar")
    site.pages |= {"/feed": listed(site, *findings), findings[1]: page}
    pantau.crawl("kabar")
    quiet = {f["url"][-1]: f["quiet"] for f in pantau("findings", "--json").lines()}
    assert quiet == {"0": True, "1": True, "2": False}


@pytest.mark.parametrize(
    ("daily", "others", "both", "total"),
    [(60, 50, 30, 99.4), (10, 10, 10, 10.0), (0, 3, 0, 3.0), (52, 2, 2, 52.0)],
)
def test_capture_and_recapture(daily: int, others: int, both: int, total: float) -> None:
    """The totals are those of Chapman's formula, by hand; so are Wilson's intervals."""
    sights = {
        (SeenIn.DAILY, State.GATED): daily - both,
        (SeenIn.SPARE, State.FOUND): others - both,
        (SeenIn.DAILY | SeenIn.SPARE, State.REJECTED): both,
        (SeenIn.SPARE, State.SKIPPED): 99,  # too old: no part of it
        (SeenIn.SEARCH, State.FOUND): 7,
    }
    said = estimate(sights, ARTICLES, SeenIn.SPARE)
    assert said
    assert (said.daily, said.others, said.both, said.total) == (daily, others, both, total)
    intervals = {60: (0.462, 0.724), 10: (0.722, 1), 0: (0, 0), 52: (0.342, 1)}
    assert (said.low, said.high) == intervals[daily]
    assert said.low <= said.share <= said.high


def test_where_the_others_saw_nothing_is_no_estimate() -> None:
    assert estimate({}, ARTICLES, SeenIn.SPARE) is None
    assert estimate({(SeenIn.DAILY, State.GATED): 52}, ARTICLES, SeenIn.SPARE) is None


def test_the_estimate_over_all_is_as_sure_as_its_parts() -> None:
    def outlet(name: str, daily: int, others: int, both: int) -> Coverage:
        sights = {
            (SeenIn.DAILY, State.GATED): daily - both,
            (SeenIn.SPARE, State.GATED): others - both,
            (SeenIn.DAILY | SeenIn.SPARE, State.GATED): both,
        }
        return Coverage(name, articles=estimate(sights, ARTICLES, SeenIn.SPARE))

    unsure = overall([outlet("a", 52, 2, 2)]).articles
    assert unsure
    assert (unsure.share, unsure.low, unsure.high) == (1, 0.342, 1)
    all_ = overall([outlet("a", 60, 50, 30), outlet("b", 60, 50, 30), outlet("c", 9, 0, 0)])
    assert all_.articles
    assert (all_.articles.daily, all_.articles.total) == (120, 198.8)
    assert all_.articles.share == 0.604
    # of two alike, by the root of two surer than one
    assert all_.articles.low == pytest.approx(0.604 - (0.604 - 0.462) / 2**0.5, abs=0.001)
    assert all_.articles.high == pytest.approx(0.604 + (0.724 - 0.604) / 2**0.5, abs=0.001)
