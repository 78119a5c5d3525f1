"""Politeness: what an outlet sees of us. The sites' own logs tell."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from itertools import pairwise

import pytest

from tests.conftest import ROOT, Crawled, Pantau, row
from tests.site import Answer, Asked, Site, rss, running
from tests.test_crawl import FILLER, RELEVANT

FEED = '[{feed = "/feed"}]'
PAGED = '[{feed = "/feed", pages = "/feed?paged={page}"}]'
CLOSE = 0.05  # seconds by which the network may bring two requests closer together
NAMES = (
    "free", "closed", "forbidding", "crawl-delay", "etag", "last-modified", "half-read",
    "busy-seconds", "busy-date", "busy-long", "moved-robots",
)  # fmt: skip

Handler = BaseHTTPRequestHandler


def articles(site: Site, count: int) -> list[str]:
    paths = [f"/berita/{number}/pasar" for number in range(count)]
    site.pages |= {path: FILLER.format(title=f"Harga ke-{path}") for path in paths}
    return paths


def once(first: Callable[[], Answer], then: Answer) -> Callable[[Handler], Answer]:
    asked: list[None] = []

    def page(_: Handler) -> Answer:
        asked.append(None)
        return first() if len(asked) == 1 else then

    return page


def gaps(log: list[Asked]) -> list[float]:
    return [after.at - before.at for before, after in pairwise(sorted(log, key=lambda a: a.at))]


@dataclass
class Crawls:
    """Two crawls of the same sites, one after the other, and what each asked of them."""

    sites: dict[str, Site]
    first: Crawled
    first_log: dict[str, list[Asked]]
    second: Crawled
    second_log: dict[str, list[Asked]]


@pytest.fixture(scope="module")
def crawls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawls]:
    pantau = Pantau(tmp_path_factory.mktemp("polite") / "home")
    pantau.set(contact="https://pantau.example/bot")
    with ExitStack() as stack:
        sites = {name: stack.enter_context(running()) for name in NAMES}
        for name, site in sites.items():
            site.pages["/feed"] = rss(site, articles(site, 6 if name.startswith("busy") else 3))
        _set_up(sites)
        gone = stack.enter_context(running())
        rows = [row(name, site.url, FEED) for name, site in sites.items() if name != "half-read"]
        rows += [row("half-read", sites["half-read"].url, PAGED)]
        rows += [row("unreachable", "http://127.0.0.1:1", FEED)]
        pantau.catalogue("".join(rows))

        first = pantau.crawl(*NAMES, "unreachable")
        first_log = {name: list(site.log) for name, site in sites.items()}
        half_read = sites["half-read"]
        half_read.pages["/feed?paged=2"] = rss(half_read, ["/berita/2/pasar"])
        for site in sites.values():
            site.log.clear()
        second = pantau.crawl(*NAMES, "unreachable")
        second_log = {name: list(site.log) for name, site in sites.items()}
        assert gone.log == []
        yield Crawls(sites, first, first_log, second, second_log)


def _set_up(sites: dict[str, Site]) -> None:
    sites["closed"].pages["/robots.txt"] = Answer("busy", 503)
    sites["moved-robots"].pages["/robots.txt"] = Answer(
        "", 301, {"Location": f"{sites['moved-robots'].url}/rules"}
    )
    sites["moved-robots"].pages["/rules"] = "User-agent: *\nDisallow: /berita/0/"
    sites["forbidding"].pages["/robots.txt"] = (
        "User-agent: *\nDisallow: /\n\nUser-agent: Pantau\nDisallow: /berita/1/\n"
    )
    sites["crawl-delay"].pages["/robots.txt"] = "User-agent: *\nCrawl-delay: 2\n"

    # WordPress behind gzip: the ETag comes back weak, and is then not known again
    etag, modified = sites["etag"], sites["last-modified"]
    body = etag.pages["/feed"]
    assert isinstance(body, str)
    etag.pages["/feed"] = lambda handler: (
        Answer("", 304)
        if handler.headers["If-None-Match"] == '"abc"'
        else Answer(body, headers={"ETag": 'W/"abc"'})
    )
    date = "Fri, 20 Nov 2026 01:00:00 GMT"
    dated_body = modified.pages["/feed"]
    assert isinstance(dated_body, str)
    modified.pages["/feed"] = lambda handler: (
        Answer("", 304)
        if handler.headers["If-Modified-Since"] == date
        else Answer(dated_body, headers={"Last-Modified": date, "ETag": ""})
    )
    half = sites["half-read"]
    half_body = rss(half, ["/berita/0/pasar", "/berita/1/pasar"])
    half.pages["/feed"] = lambda handler: (
        Answer("", 304)
        if handler.headers["If-None-Match"] == '"half"'
        else Answer(half_body, headers={"ETag": '"half"'})
    )
    half.pages["/feed?paged=2"] = Answer("broken", 500)

    def slowly(retry_after: Callable[[], str], status: int) -> Callable[[], Answer]:
        def answer() -> Answer:
            time.sleep(0.4)  # longer than any delay, so that the next request is due already
            return Answer("busy", status, {"Retry-After": retry_after()})

        return answer

    fine = Answer(FILLER.format(title="Harga"))
    page = "/berita/1/pasar"
    sites["busy-seconds"].pages[page] = once(slowly(lambda: "3", 429), fine)
    sites["busy-date"].pages[page] = once(
        slowly(lambda: formatdate(time.time() + 4, usegmt=True), 503), fine
    )
    sites["busy-long"].pages[page] = once(slowly(lambda: "3600", 503), fine)


def paths(log: list[Asked]) -> list[str]:
    return [asked.path for asked in log]


def test_robots_is_asked_first_and_missing_rules_allow_all(crawls: Crawls) -> None:
    log = crawls.first_log["free"]
    assert paths(log)[:2] == ["/robots.txt", "/feed"]
    assert len(log) == 5
    assert crawls.first["free"]["errors"] == 0


@pytest.mark.parametrize("name", ["closed", "unreachable"])
def test_without_robots_nothing_is_asked(crawls: Crawls, name: str) -> None:
    report = crawls.first[name]
    assert (report["links"], report["errors"]) == (0, 1)
    if name == "closed":
        assert set(paths(crawls.first_log[name])) == {"/robots.txt"}
        assert report["note"] == "robots.txt: HTTP 503, so nothing may be fetched"
    else:
        assert report["note"] == "unreachable: it refuses the connection"


def test_what_robots_forbids_is_not_fetched_and_reported(crawls: Crawls) -> None:
    assert "/berita/1/pasar" not in paths(crawls.first_log["forbidding"])
    assert "/berita/0/pasar" not in paths(crawls.first_log["moved-robots"])
    for name in ("forbidding", "moved-robots"):
        report = crawls.first[name]
        assert (report["fetched"], report["errors"]) == (2, 1)
        assert report["note"].endswith("robots.txt forbids it")
        assert crawls.second[name]["errors"] == 0  # said once


def test_crawl_delay_is_kept(crawls: Crawls) -> None:
    log = crawls.first_log["crawl-delay"]
    assert len(log) == 5
    assert min(gaps(log)) >= 2 - CLOSE


@pytest.mark.parametrize("name", ["etag", "last-modified"])
def test_nothing_new_costs_one_answer_of_304(crawls: Crawls, name: str) -> None:
    log = crawls.second_log[name]
    assert [(asked.path, asked.status) for asked in log] == [("/robots.txt", 404), ("/feed", 304)]
    report = crawls.second[name]
    assert (report["links"], report["fetched"], report["errors"]) == (0, 0, 0)


def test_a_reading_cut_short_is_not_taken_for_read(crawls: Crawls) -> None:
    assert crawls.first["half-read"]["errors"] == 1
    assert crawls.first["half-read"]["note"].endswith("HTTP 500")
    assert crawls.first["half-read"]["fetched"] == 2
    feed = next(asked for asked in crawls.second_log["half-read"] if asked.path == "/feed")
    assert feed.status == 200
    assert "/berita/2/pasar" in paths(crawls.second_log["half-read"])
    assert crawls.second["half-read"]["errors"] == 0


@pytest.mark.parametrize(("name", "seconds"), [("busy-seconds", 3), ("busy-date", 3)])
def test_retry_after_is_waited_for(crawls: Crawls, name: str, seconds: float) -> None:
    log = sorted(crawls.first_log[name], key=lambda asked: asked.at)
    refused = next(n for n, asked in enumerate(log) if asked.status in (429, 503))
    assert log[refused + 1].at - log[refused].until >= seconds - CLOSE
    assert len(log) == 2 + 6 + 1  # the refused page again
    assert crawls.first[name]["fetched"] == 6
    assert crawls.first[name]["errors"] == 0


def test_a_long_retry_after_ends_the_crawl_and_the_next_goes_on(crawls: Crawls) -> None:
    log = crawls.first_log["busy-long"]
    assert log[-1].status == 503
    assert paths(log) == ["/robots.txt", "/feed", "/berita/0/pasar", "/berita/1/pasar"]
    report = crawls.first["busy-long"]
    assert report["note"] == "HTTP 503, it asked to be left alone for 3600 s"
    assert report["errors"] == 1
    assert report["fetched"] + crawls.second["busy-long"]["fetched"] == 6
    assert crawls.second["busy-long"]["errors"] == 0
    assert paths(crawls.second_log["busy-long"])[2:] == [f"/berita/{n}/pasar" for n in range(1, 6)]


def test_every_request_says_who_asks(crawls: Crawls) -> None:
    for log in (*crawls.first_log.values(), *crawls.second_log.values()):
        for asked in log:
            assert asked.headers["User-Agent"].startswith("Pantau/")
            assert "(+https://pantau.example/bot)" in asked.headers["User-Agent"]
            assert "Referer" not in asked.headers
            assert "Cookie" not in asked.headers


def test_one_request_at_a_time_and_apart_whatever_it_is(pantau: Pantau) -> None:
    """Pages of sources, redirects, retries and further pages of an article; two outlets at once."""
    pantau.set(delay=0.4)
    with running() as one, running() as two:
        for site in (one, two):
            split = "/berita/split"
            pager = f'<a href="{split}/2">2</a>'
            site.pages |= {
                "/robots.txt": "",
                "/feed": Answer("", 302, {"Location": f"{site.url}/rss"}),
                "/rss": rss(site, [split]),
                "/feed?paged=2": rss(site, ["/old", "/busy"]),
                "/feed?paged=3": Answer("", 404),
                "/old": Answer("", 301, {"Location": "/new"}),
                "/new": FILLER.format(title="Baru"),
                "/busy": once(lambda: Answer("", 500), Answer(FILLER.format(title="Lagi"))),
                split: RELEVANT.format(title="Camat Diperiksa").replace("</div>", pager + "</div>"),
                f"{split}/2": RELEVANT.format(title="Camat Diperiksa"),
            }
        pantau.catalogue(row("one", one.url, PAGED) + row("two", two.url, PAGED))
        crawled = pantau.crawl("one", "two")
        assert [crawled[name]["errors"] for name in ("one", "two")] == [0, 0]
        for site in (one, two):
            log = sorted(site.log, key=lambda asked: asked.at)
            assert {"/rss", "/new", "/feed?paged=3", f"{split}/2"} <= set(paths(log))
            assert paths(log).count("/busy") == 2
            assert min(gaps(log)) >= 0.4 - CLOSE
            assert all(after.at >= before.at for before, after in pairwise(log))
        assert one.log[0].at < two.log[-1].at
        assert two.log[0].at < one.log[-1].at


SPIDER = """
import json, sys
import scrapy

class Many(scrapy.Spider):
    name = "many"
    custom_settings = {"CONCURRENT_REQUESTS": 16, "CONCURRENT_REQUESTS_PER_DOMAIN": 16}

    async def start(self):
        for number in range(8):
            yield scrapy.Request(f"%s/{number}", errback=self.failed)

    def parse(self, response):
        print(json.dumps(response.url))

    def failed(self, failure):
        print(json.dumps(repr(failure.value)))
"""


AGAIN = """
import asyncio
import scrapy
from crawler.web import middlewares

middlewares.ROBOTS_SECONDS = 0.5

class Again(scrapy.Spider):
    name = "again"

    async def start(self):
        yield scrapy.Request("%s/0", callback=self.parse)

    async def parse(self, response):
        await asyncio.sleep(1)
        done = dict.fromkeys(("callback", "errback"), lambda result: None)
        yield scrapy.Request(response.url[:-1] + "1", **done)
"""


def test_rules_are_asked_for_anew_after_a_day(pantau: Pantau, site: Site) -> None:
    site.pages = {
        "/robots.txt": once(
            lambda: Answer("User-agent: *\nAllow: /"), Answer("User-agent: *\nDisallow: /")
        ),
        "/0": "page",
        "/1": "page",
    }
    run_spider(pantau, AGAIN % site.url)
    assert paths(site.log) == ["/robots.txt", "/0", "/robots.txt"]


def run_spider(pantau: Pantau, code: str) -> str:
    """What it prints."""
    spider = pantau.home / "spider.py"
    pantau.home.mkdir(exist_ok=True)
    spider.write_text(code)
    ran = subprocess.run(
        [sys.executable, "-m", "scrapy", "runspider", str(spider)],
        env=pantau.environment, cwd=ROOT, text=True, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    return ran.stdout


def test_none_leaves_while_robots_is_being_fetched(pantau: Pantau, site: Site) -> None:
    """Scrapy's own middleware lets all but the first of them through."""

    def slow_robots(_: Handler) -> Answer:
        time.sleep(1)
        return Answer("User-agent: *\nDisallow: /3\nDisallow: /4\n")

    site.pages = {"/robots.txt": slow_robots, **{f"/{n}": "page" for n in range(8)}}
    printed = run_spider(pantau, SPIDER % site.url)
    robots = next(asked for asked in site.log if asked.path == "/robots.txt")
    others = [asked for asked in site.log if asked.path != "/robots.txt"]
    assert sorted(paths(others)) == ["/0", "/1", "/2", "/5", "/6", "/7"]
    assert min(asked.at for asked in others) >= robots.at + 1
    answers = [json.loads(line) for line in printed.splitlines()]
    assert sum("robots.txt forbids it" in answer for answer in answers) == 2
    assert len(answers) == 8
