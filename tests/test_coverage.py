"""How much is seen: spare sources, what the daily ones miss, the ledger, twins and copies."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from storage.coverage import ARTICLES, estimate
from storage.database import open_database
from storage.models import Crawl, SeenIn, Source, State
from tests.conftest import Pantau, row
from tests.site import Answer, Site, rss, running
from tests.test_crawl import FILLER, RELEVANT

NOW = datetime.now(UTC)
BOTH = '[{feed = "/feed"}]\nspare = [{sitemap = "/sitemap.xml"}]'


def listed(site: Site, *paths: str) -> str:
    """A feed of `paths`, published an hour ago."""
    return rss(site, paths, format_datetime(NOW - timedelta(hours=1)))


def sitemap(site: Site, *paths: str) -> str:
    """A sitemap of `paths`, modified two hours ago."""
    when = (NOW - timedelta(hours=2)).isoformat(timespec="seconds")
    entries = "".join(
        f"<url><loc>{site.url}{path}</loc><lastmod>{when}</lastmod></url>" for path in paths
    )
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'


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


def test_a_crawl_that_saw_nothing_is_no_success(pantau: Pantau, site: Site) -> None:
    site.pages["/sitemap.xml"] = Answer("closed", 403)
    pantau.outlet("kabar", site.url, BOTH)
    crawled = pantau.crawl("kabar")
    assert crawled.ran.code == 1
    assert crawled["kabar"]["note"] == "feed /feed: HTTP 404"


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


@pytest.mark.parametrize(
    ("daily", "others", "both", "total"),
    [(60, 50, 30, 99.4), (10, 10, 10, 10.0), (0, 3, 0, 3.0), (5, 0, 0, 5.0)],
)
def test_capture_and_recapture(daily: int, others: int, both: int, total: float) -> None:
    """The totals are those of Chapman's formula, by hand."""
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
    assert said.low <= said.share <= said.high


def test_nothing_seen_is_no_estimate() -> None:
    assert estimate({}, ARTICLES, SeenIn.SPARE) is None
