"""Whatever the web sends is text on every page: all pages are visited, link by link."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from lxml import html
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

import settings
from dashboard.pages import static
from dashboard.serve import serving
from extract.article import Page
from extract.link import Link
from extract.snapshot import Snapshot
from storage import backfills, crawls, findings, links, people, rules
from storage.crawls import Counts
from storage.database import open_database
from storage.links import Outcome
from storage.models import Finding, Role, State, Story
from tests.conftest import row
from tests.dashboard import newsroom
from tests.dashboard.conftest import Dashboard

PROBE = """<xss-probe onclick=1>"'><script>hacked()</script></title>{{ 7*7 }}javascript:hacked()"""
NOW = datetime.now(UTC)
MOST = 400  # pages


@pytest.fixture
def fouled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    """A dashboard over an installation in which all that comes from the web is hostile."""
    catalogue = tmp_path / "outlets.toml"
    catalogue.write_text(
        row("kabar", "https://kabar.example", '[{ feed = "/PROBE" }]', province="Bali")
        .replace('"Kabar"', f"'''{PROBE}'''")
        .replace("/PROBE", "/feed?<xss-probe>&'x'"),
        "utf-8",
    )
    monkeypatch.setenv("PANTAU_HOME", str(tmp_path))
    monkeypatch.setenv("PANTAU_CATALOGUE", str(catalogue))
    monkeypatch.setenv("PANTAU_OUTLETS", "transparansi")
    monkeypatch.setenv("PANTAU_DASHBOARD_ADDRESS", "127.0.0.1:0")
    monkeypatch.setattr("settings.load", cache(settings.Settings))
    current = settings.load()
    engine = open_database(current.database)
    _foul(engine)
    with serving(engine, current) as url:
        yield Dashboard(url, engine, current)
    engine.dispose()


def _foul(engine: Engine) -> None:
    for number in range(3):  # three wordings of one story, and a copy
        text = f"{PROBE} Camat {number} tidak netral.\n{PROBE}"
        article = replace(
            newsroom.article(PROBE, text, name=str(number)),
            authors=(PROBE,), dateline=PROBE, section=PROBE, tags=(PROBE,), caption=PROBE,
            image=PROBE, language=PROBE[:16],
        )  # fmt: skip
        verdict = newsroom.verdict(text, [f"{PROBE} Camat {number} tidak netral."])
        page = Page(article.url, f"<title>{PROBE}</title>{PROBE}".encode(), NOW)
        for wording in (article, replace(article, text=f"{text} Diperbarui {PROBE}")):
            with Session(engine) as session, session.begin():
                link = Link(article.url, article.url, NOW)
                links.record(session, "kabar", [link], now=NOW, known_before=None, oldest=None)
                findings.keep(session, article.url, wording, verdict, [Snapshot.of(page)], NOW)
    with Session(engine) as session, session.begin():
        session.execute(update(Finding).values(url=f"javascript:{PROBE}"))
        failed = Link(f"https://kabar.example/{PROBE}", f"https://kabar.example/{PROBE}", NOW)
        links.record(session, "kabar", [failed], now=NOW, known_before=None, oldest=None)
        links.settle(session, [Outcome(failed.url, State.FAILED, PROBE)], NOW)
        for outlet in ("kabar", "gone<xss-probe>"):
            id_ = crawls.begin(session, "20260101T000000", outlet, NOW - timedelta(minutes=9))
            counts = Counts(errors=1, note=PROBE, dropped={PROBE: 3})
            crawls.finish(session, id_, counts, NOW - timedelta(minutes=8))
        crawls.note_reading(
            session, "kabar", "feed /feed?<xss-probe>", completed=None, error=PROBE, validators={}
        )
        backfills.begin(session, NOW - timedelta(days=40), NOW, ["kabar"], [], NOW, files=[PROBE])
        rules.add(
            session, rules.valid({"name": "pagi", "wanted": {"words": f'"{PROBE[:11]}"'}}), NOW
        )
        people.record(session, PROBE[:64], PROBE[:64], PROBE, NOW)
        assert session.query(Story).count() >= 1


def addresses(page: str, here: str) -> Iterator[str]:
    for link in html.fromstring(page).xpath("//a/@href | //iframe/@src"):
        address = urlsplit(urljoin(here, link))
        if address.netloc == urlsplit(here).netloc and "/raw" not in address.path:
            yield address._replace(fragment="").geturl()


def test_whatever_comes_from_the_web_is_text_on_every_page(fouled: Dashboard) -> None:
    client = fouled.signed_in(Role.ADMINISTRATOR).client
    waiting = deque([f"{fouled.url}/"])
    seen: set[str] = set(waiting)
    shapes: dict[str, int] = {}
    with_probe = 0
    while waiting and len(seen) < MOST:
        address = waiting.popleft()
        shape = re.sub(r"\d+", "N", urlsplit(address).path) + "".join(
            sorted(part.partition("=")[0] for part in urlsplit(address).query.split("&"))
        )
        shapes[shape] = shapes.get(shape, 0) + 1
        if shapes[shape] > 4:  # a few of each sort
            continue
        answer = client.get(address)
        assert answer.status_code in (200, 404, 422, 429), (address, answer.text)
        if "/snapshots/" in address:
            assert answer.headers["Content-Security-Policy"].startswith("sandbox;"), address
            continue
        if "html" not in answer.headers["Content-Type"]:
            assert answer.headers["X-Content-Type-Options"] == "nosniff", address
            continue
        with_probe += "xss-probe" in answer.text
        page = html.fromstring(answer.text)
        assert not page.xpath("//xss-probe"), address
        assert page.xpath("//script/@src") == [static("pantau.js")], address
        assert not page.xpath("//script[not(@src)] | //*[@style] | //@onclick"), address
        for link in page.xpath("//@href | //@src | //@action | //@data-live"):
            assert link.startswith(("/", "?", "#", "http://", "https://")), (address, link)
        assert "49" not in re.findall(r"hacked\(\)</script></title>(\w+)", answer.text)
        for found in addresses(answer.text, str(answer.url)):
            if found not in seen:
                seen.add(found)
                waiting.append(found)
    paths = {re.sub(r"\d+", "N", urlsplit(address).path) for address in seen}
    assert len(paths) > 25, paths
    assert with_probe > 12
