"""An installation that has been watched with for weeks: outlets and cases are invented."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from crawler.outlet import WIB
from extract.article import Article, Page
from extract.judge import judge
from extract.link import Link
from extract.places import load
from extract.snapshot import Snapshot
from storage import findings, links
from storage.links import Outcome
from storage.models import Crawl, Finding, State
from tests import history
from tests.conftest import row
from tests.press import Case, Cases

DAYS = 45
DAY = timedelta(days=1)
KINDS = ("allegation",) * 5 + ("outreach",) * 5 + ("pledge",) * 2 + ("sanction",)
ANY_FINDING = select(Finding.id).limit(1)
NEXT = {"allegation": "examination", "examination": "sanction"}


@dataclass(frozen=True)
class Outlet:
    """An invented outlet, and how it has done of late; see `tests.history.Day`."""

    name: str
    title: str
    province: str
    trouble: str = ""


def outlets() -> Sequence[Outlet]:
    """One for each province, some of them in trouble."""
    trouble = {3: "silent", 11: "blocked", 17: "redesigned", 26: "silent", 30: "failing"}
    provinces = sorted({area.province for area in load().areas.values()})
    return [
        Outlet(
            f"kabar-{re.sub('[^a-z]+', '-', province.lower())}",
            f"Kabar {province}",
            province,
            trouble.get(number, ""),
        )
        for number, province in enumerate(provinces)
    ]


def catalogue() -> str:
    """The outlets as a catalogue; their sites do not exist (RFC 2606)."""
    return "\n".join(
        row(
            o.name, f"https://{o.name}.example", '[{ feed = "/feed" }]', province=o.province
        ).replace(o.name.title(), o.title)
        for o in outlets()
    )


def fill(
    engine: Engine,
    now: datetime,
    days: int = DAYS,
    each_day: Callable[[datetime], object] = lambda _: None,
) -> None:
    """Write `days` of crawls and findings that end this morning; what is to be done `each_day`, is
    done at the moment it is given."""
    chance = random.Random(7)  # noqa: S311
    everywhere = outlets()
    cases = Cases(7, [outlet.province for outlet in everywhere])
    later: dict[int, list[tuple[Case, str]]] = {}
    for number in range(days):
        begun = (now - (days - 1 - number) * DAY).replace(hour=22, minute=0) - DAY
        told: dict[str, list[tuple[Case, str, int]]] = {}
        for case, kind in [
            *later.pop(number, []),
            *((cases.new(), chance.choice(KINDS)) for _ in range(chance.randrange(4, 12))),
        ]:
            if kind in NEXT and chance.random() < 0.5:
                later.setdefault(number + chance.randrange(2, 8), []).append((case, NEXT[kind]))
            carriers = chance.choice((1, 1, 1, 2, 2, 3, 6))
            near = [o for o in everywhere if o.province == case.place.province]
            for form, outlet in enumerate([*near, *chance.sample(everywhere, carriers)][:carriers]):
                told.setdefault(outlet.name, []).append((case, kind, form % 2))
        with Session(engine) as session, session.begin():
            _crawl(session, everywhere, begun, number - days, chance)
            for name, reports in told.items():
                _keep(session, name, reports, begun)
        each_day(begun + DAY / 12)


def _crawl(
    session: Session,
    everywhere: Sequence[Outlet],
    begun: datetime,
    ago: int,
    chance: random.Random,
) -> None:
    run = f"{begun:%Y%m%dT%H%M%S}"
    for place, outlet in enumerate(everywhere):
        habit = 6 + 5 * (place % 7)
        day = history.Day(new=max(1, int(chance.gauss(habit, habit / 4))), judged=2)
        if ago > -6:
            match outlet.trouble:
                case "silent":
                    day = history.Day(new=0, judged=0)
                case "blocked":
                    day = history.Day(problem=f"feed /feed: HTTP 403 from {outlet.name}.example")
                case "failing":
                    day = history.Day(problem=f"unreachable: {outlet.name}.example has no address")
                case "redesigned":
                    day = history.Day(new=habit, judged=0, empty=habit)
        at = begun + timedelta(seconds=7 * place)
        history.crawled(session, outlet.name, at, day, run=run, seconds=40 + 3 * habit)
    session.flush()


def _keep(
    session: Session, outlet: str, reports: Sequence[tuple[Case, str, int]], begun: datetime
) -> None:
    run = f"{begun:%Y%m%dT%H%M%S}"
    crawl = session.scalars(select(Crawl).filter_by(outlet=outlet, run=run)).one()
    for number, (case, kind, form) in enumerate(reports):
        title, text = case.told(kind, form)
        text = f"{case.words['regency'].upper()} – {text}"
        found = crawl.started + timedelta(seconds=5 * number)
        url = f"https://{outlet}.example/{found:%Y/%m/%d}/{case.number}-{kind}-{form}"
        published = found - timedelta(hours=3)
        article = Article(
            url=url, title=title, text=text, published=published.astimezone(WIB), language="id"
        )
        article = replace(article, dateline=case.words["regency"].upper(), published_from="json-ld")
        verdict = judge(article)
        link = Link(url, url, published)
        links.record(session, outlet, [link], now=found, known_before=None, oldest=None)
        paragraphs = "".join(f"<p>{part}</p>" for part in text.split("\n"))
        html = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>"
        snapshot = Snapshot.of(Page(url, (html + paragraphs).encode(), found))
        findings.keep(session, url, article, verdict, [snapshot], found)
        links.settle(session, [Outcome(url, State.FOUND)], found)
        crawl.findings += 1
