"""Trends: how much was found when, where, by whom and about whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from babel.dates import format_date
from fastapi import APIRouter, Query
from fastapi.responses import Response

from alerts.words import KINDS, SUBJECTS
from dashboard import charts
from dashboard.access import Viewer, Visit
from dashboard.catalogue import catalogue
from dashboard.charts import Span
from dashboard.pages import page
from extract.places import load
from storage import trends
from storage.trends import Named

router = APIRouter(prefix="/trends", include_in_schema=False)

SPANS = (7, 30, 90, 365)  # days
MOST_DAYS = 366 * 3
FIRST = date(2000, 1, 1)  # no outlet had a site before


@dataclass(frozen=True, slots=True)
class Bar:
    """A number with a name, and where it leads."""

    name: str
    address: str
    number: int


@router.get("")
def trends_page(
    visit: Viewer,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 30,
    until: date | None = None,
    province: Annotated[str | None, Query(pattern=r"^\d\d$")] = None,
) -> Response:
    """The last `days` days, or those that end with `until`; with the regencies of `province`, else
    of the one with the most findings."""
    today = visit.now.astimezone(visit.settings.zone).date()
    last = max(min(until or today, today), FIRST)
    begin, end = _midnight(visit, last - timedelta(days=days - 1)), _midnight(visit, last, 1)
    areas = load().areas
    with visit.reading() as session:
        found = trends.trends(session, begin, end, visit.settings.zone)
        if province not in areas:
            province = found.provinces[0].code if found.provinces else None
        regencies = trends.regencies(session, province, begin, end) if province else ()
    kinds = {kind: names[visit.language] for kind, names in KINDS.items()}
    subjects = {subject: names[visit.language] for subject, names in SUBJECTS.items()}
    titles = {name: spider.outlet.title for name, spider in catalogue().items()}
    window = {"since": begin.date(), "until": last}

    def bars(named: Sequence[Named], names: Mapping[str, str], field: str) -> list[Bar]:
        return [
            Bar(
                names.get(one.name, one.name),
                f"/findings?{urlencode({**window, field: one.name})}",
                one.findings,
            )
            for one in named
        ]

    shown = charts.spans(found.days)
    return page(
        visit,
        "trends.html",
        found=found,
        shown=shown,
        picture=_picture(visit, shown, kinds),
        shapes=charts.shapes({area.code: area.findings for area in found.provinces}),
        places={area.code: area.name for area in areas.values() if len(area.code) == 2},
        province=province,
        provinces=found.provinces,
        regencies=[
            Bar(
                areas[area.code].name,
                f"/findings?{urlencode({**window, 'province': province, 'regency': area.code})}",
                area.findings,
            )
            for area in regencies
        ],
        kinds=kinds,
        outlets=bars(found.outlets, titles, "outlet"),
        subjects=bars(found.subjects, subjects, "subject"),
        days=days,
        spans=SPANS,
        until=None if last == today else last,
        window=window,
        earlier=last - timedelta(days=days),
        later=min(last + timedelta(days=days), today) if last < today else None,
    )


def _midnight(visit: Visit, day: date, after: int = 0) -> datetime:
    """When `day` begins in PANTAU_ZONE, or so many days after."""
    return datetime.combine(day + timedelta(days=after), time(), visit.settings.zone)


def _picture(visit: Visit, shown: Sequence[Span], kinds: dict[str, str]) -> str:
    return charts.bars(
        shown,
        kinds,
        lambda day: format_date(day, "d MMM", locale=visit.language),
        lambda span, kind: f"/findings?kind={kind}&since={span.first}&until={span.last}",
    )
