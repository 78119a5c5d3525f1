"""Outlets: how each does, and what an operator does with it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alerts import notices
from crawler.sources import Source
from crawler.spider import OutletSpider
from dashboard.access import Number, Operator, Viewer, Visit
from dashboard.catalogue import Catalogue, catalogue
from dashboard.pages import page, see
from storage import crawls, jobs, models, states
from storage.jobs import Kind
from storage.models import Finding
from storage.states import VitalSigns

router = APIRouter(prefix="/outlets", include_in_schema=False)

SHOWN = 100  # outlets of a page
LATEST = 20  # crawls of an outlet
LATELY = timedelta(days=30)  # whose findings are counted
STATES = (
    states.Health.BLOCKED,
    states.Health.FAILING,
    states.Health.CHANGED,
    states.Health.QUIET,
    states.PAUSED,
    states.NEW,
    states.Health.WELL,
)
"""The states of outlets; those that need a look come first."""

WIDTH, HEIGHT = 112, 24  # of an outlet's line
KEPT = timedelta(minutes=1)

_kept: tuple[object, datetime, Mapping[str, VitalSigns]] | None = None

Sort = Literal["state", "name", "habit", "success", "findings"]


@dataclass(frozen=True, slots=True)
class Row:
    """An outlet, as the list shows it; `findings` were told in the last month."""

    name: str
    title: str
    province: str | None
    signs: VitalSigns
    why: str
    findings: int
    lines: Sequence[str]


@router.get("")
def outlets(
    visit: Viewer,
    q: str = "",
    state: str = "",
    province: str = "",
    sort: Sort = "state",
    number: Number = 1,
) -> Response:
    known = catalogue()
    with visit.reading() as session:
        signs = _all_vitals(session, visit, known)
        found = _findings(session, visit)
    wanted = [
        name
        for name, spider in known.items()
        if q.strip().lower() in f"{name} {spider.outlet.title} {spider.outlet.domain}".lower()
        and province in ("", spider.outlet.province)
    ]
    counts = Counter(signs[name].state for name in wanted)
    names = [name for name in wanted if state in ("", signs[name].state)]
    names = _sorted(names, sort, known, signs, found)
    pages = max(1, -(-len(names) // SHOWN))
    number = min(max(number, 1), pages)
    rows = [
        Row(
            name,
            known[name].outlet.title,
            known[name].outlet.province,
            signs[name],
            notices.reason(signs[name].why, visit.language),
            found.get(name, 0),
            lines(signs[name].per_day),
        )
        for name in names[(number - 1) * SHOWN : number * SHOWN]
    ]
    return page(
        visit,
        "outlets.html",
        rows=rows,
        total=len(names),
        asked={"q": q, "state": state, "province": province, "sort": sort},
        number=number,
        pages=pages,
        counts=[(name, counts[name]) for name in STATES if counts[name]],
        provinces=sorted({s.outlet.province for s in known.values() if s.outlet.province}),
        width=WIDTH,
        height=HEIGHT,
    )


@router.get("/{name}")
def outlet(visit: Viewer, name: str) -> Response:
    spider = _spider(name)
    with visit.reading() as session:
        signs = states.vitals(session, [name], visit.now)[name]
        readings = crawls.readings(session, name)
        latest = crawls.of_outlet(session, name, LATEST)
        going = jobs.jobs(session, about=name, going=True)
        findings = session.scalar(select(func.count()).where(Finding.outlet == name))
    return page(
        visit,
        "outlet.html",
        name=name,
        outlet=spider.outlet,
        address=spider.outlet.url(spider.outlet.section or "/"),
        signs=signs,
        why=notices.reason(signs.why, visit.language),
        sources=[
            (source, use, readings.get(source.name))
            for use, sources in _by_use(spider)
            for source in sources
        ],
        crawls=latest,
        going=going,
        findings=findings or 0,
        lines=lines(signs.per_day),
        width=WIDTH,
        height=HEIGHT,
    )


@router.post("/{name}/pause")
def pause(visit: Operator, name: str) -> Response:
    """Leave an outlet alone until it is resumed."""
    _spider(name)
    with visit.writing() as session:
        if states.pause(session, name, visit.now):
            visit.record(session, "outlet paused", name)
    return see(f"/outlets/{name}")


@router.post("/{name}/resume")
def resume(visit: Operator, name: str) -> Response:
    _spider(name)
    with visit.writing() as session:
        if states.resume(session, name):
            visit.record(session, "outlet resumed", name)
    return see(f"/outlets/{name}")


@router.post("/{name}/crawl")
def crawl(visit: Operator, name: str) -> Response:
    """Ask for a crawl of an outlet."""
    _spider(name)
    with visit.writing() as session:
        if name in states.paused(session):
            visit.notice(session, visit._("It is paused: resume it first."))
            return see(f"/outlets/{name}")
        asked = {"outlets": [name]}
        id_ = jobs.ask(session, Kind.CRAWL, asked, name, visit.account.name, visit.now)
        visit.record(session, "crawl asked for", name)
    return see(f"/crawls/jobs/{id_}")


@router.post("/{name}/check")
def check(visit: Operator, name: str) -> Response:
    """Ask for a look at an outlet's sources, and for repairs."""
    _spider(name)
    with visit.writing() as session:
        asked = {"outlets": [name]}
        id_ = jobs.ask(session, Kind.CHECK, asked, name, visit.account.name, visit.now)
        visit.record(session, "check asked for", name)
    return see(f"/crawls/jobs/{id_}")


def lines(per_day: Sequence[int | None]) -> list[str]:
    """The points of a polyline for each row of days that are known, within WIDTH × HEIGHT; a day
    alone is a point."""
    most = max((count for count in per_day if count is not None), default=0) or 1
    step = (WIDTH - 4) / max(len(per_day) - 1, 1)
    found = []
    for is_known, days in groupby(enumerate(per_day), lambda day: day[1] is not None):
        points = [
            f"{2 + n * step:.1f},{HEIGHT - 2 - (HEIGHT - 4) * (count or 0) / most:.1f}"
            for n, count in days
        ]
        if is_known:
            found.append(" ".join(points if len(points) > 1 else points * 2))
    return found


def _spider(name: str) -> type[OutletSpider]:
    spider = catalogue().get(name)
    if spider is None:
        raise HTTPException(404, "There is no such outlet.")
    return spider


def _by_use(spider: type[OutletSpider]) -> Sequence[tuple[str, Sequence[Source]]]:
    return ("daily", spider.sources), ("spare", spider.spare), ("past", spider.past)


def _all_vitals(session: Session, visit: Visit, known: Catalogue) -> Mapping[str, VitalSigns]:
    """How all outlets do, or did a moment ago: to measure hundreds of them takes a second."""
    global _kept
    about = visit.engine, tuple(known), tuple(states.paused(session).items())
    kept = _kept
    if kept is None or kept[0] != about or visit.now - kept[1] > KEPT:
        kept = _kept = about, visit.now, states.vitals(session, known, visit.now)
    return kept[2]


def _findings(session: Session, visit: Visit) -> dict[str, int]:
    """How many findings each outlet told in the last month; the index has it all."""
    since = models.told(visit.now - LATELY, visit.now)
    query = select(Finding.outlet, func.count()).where(Finding.told >= since, ~Finding.dismissed)
    return dict(session.execute(query.group_by(Finding.outlet)).all())


def _sorted(
    names: Sequence[str],
    sort: Sort,
    known: Catalogue,
    signs: Mapping[str, VitalSigns],
    found: Mapping[str, int],
) -> list[str]:
    """Those with the most to tell first."""

    def key(name: str) -> tuple[float | str, str]:
        sign = signs[name]
        match sort:
            case "state":
                return STATES.index(sign.state), name
            case "habit":
                return -(sign.habit or 0), name
            case "success":
                return sign.last_success.timestamp() if sign.last_success else 0, name
            case "findings":
                return -found.get(name, 0), name
            case "name":
                return known[name].outlet.title.lower(), name

    return sorted(names, key=key)
