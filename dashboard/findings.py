"""The list of findings: searched, filtered, exported."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alerts import words as terms
from dashboard import guard, texts
from dashboard.access import Viewer, Visit
from dashboard.pages import page, see
from dashboard.words import translations
from extract.article import Place
from extract.lexicon import SUBJECTS
from extract.places import load
from extract.query import QueryError
from storage import exports, people, search
from storage.models import Finding, Role
from storage.search import LEVELS, STATES, CursorError, Search

router = APIRouter(prefix="/findings", include_in_schema=False)

SHOWN = 30  # findings of a page
FORMATS = ("csv", "xlsx", "jsonl")
EXPORTS = guard.rate("10/minute")
ALL_SUBJECTS = (*SUBJECTS, "other")

_CANNOT_STAND = re.compile(r"“(.*)” cannot stand here", re.DOTALL)

Names = Annotated[tuple[str, ...], Field(max_length=20)]


class Asked(BaseModel):
    """What the address of a list asks for; what is empty asks nothing. Any view has one address.

    `province` and `regency` are codes ("51", "51.08"), `since` and `until` days, both included,
    of when it was told; `found` is the moment since which it was found. `assigned` is a person's
    id, "me" or "nobody". `relevance`: "" leaves out what a reviewer called not relevant, "sure"
    also what is in doubt; "doubt" asks for that in doubt alone, "no" for that not relevant,
    "all" for all."""

    model_config = ConfigDict(frozen=True)

    q: str = ""
    kind: Names = ()
    subject: Names = ()
    province: str = Field("", pattern=r"^(\d\d)?$")
    regency: str = Field("", pattern=r"^(\d\d\.\d\d)?$")
    outlet: str = ""
    since: date | None = None
    until: date | None = None
    found: AwareDatetime | None = None
    score: float = Field(0, ge=0, le=1)
    state: Names = ()
    assigned: str = Field("", pattern=r"^(me|nobody|\d{1,9})?$")
    relevance: Literal["", "sure", "doubt", "no", "all"] = ""
    story: int | None = Field(None, ge=1, lt=2**31)

    @field_validator("*", mode="before")
    @classmethod
    def _without_empty(cls, value: Any, info: ValidationInfo) -> Any:
        """Forms send their empty fields, too."""
        if isinstance(value, list):
            value = [item for item in value if item]
        assert info.field_name
        return value or cls.model_fields[info.field_name].default

    @property
    def area(self) -> str:
        """The code of the regency, else of the province."""
        return self.regency if self.regency.startswith(self.province) else self.province

    def query(self, **changes: object) -> str:
        """As the query of an address, with `changes`: "?q=camat", or nothing."""
        asked = self.model_copy(update=changes).model_dump(mode="json", exclude_defaults=True)
        more = {name: value for name, value in changes.items() if name not in Asked.model_fields}
        query = urlencode(asked | more, doseq=True)
        return f"?{query}" if query else ""

    def search(self, me: int, zone: ZoneInfo) -> Search:
        """What it asks of the database; days are those of `zone`."""
        assigned = {"": None, "me": me, "nobody": 0}
        return Search(
            words=self.q,
            kinds=self.kind,
            subjects=self.subject,
            places=(self.area,) if self.area else (),
            outlets=(self.outlet,) if self.outlet else (),
            since=_begin(self.since, zone),
            until=_end(self.until, zone),
            found_since=self.found,
            # in the steps that the page offers, and the index knows
            least_score=int(self.score * LEVELS + 1e-9) / LEVELS,
            states=self.state,
            assigned_to=assigned[self.assigned]
            if self.assigned in assigned
            else int(self.assigned),
            story=self.story,
            relevant={"all": None, "no": False}.get(self.relevance, True),
            borderline={"sure": False, "doubt": True}.get(self.relevance),
        )


View = Annotated[Asked, Query()]


def _begin(day: date | None, zone: ZoneInfo) -> datetime | None:
    return datetime.combine(day, time(), zone) if day and day.year > 1 else None


def _end(day: date | None, zone: ZoneInfo) -> datetime | None:
    return _begin(day + timedelta(days=1), zone) if day and day < date.max else None


def wanted(visit: Visit, asked: Asked) -> Search:
    """The search of a view, as this visitor sees it."""
    return asked.search(visit.account.id, visit.settings.zone)


@router.get("")
def findings_page(visit: Viewer, asked: View, cursor: str | None = None) -> Response:
    query, after = asked.query(), f"cursor={cursor}" if cursor else ""
    if _has_empty(visit):
        return see(f"/findings{query}")
    found, wrong = None, None
    with visit.reading() as session:
        try:
            found = search.page(session, wanted(visit, asked), cursor, limit=SHOWN)
        except QueryError as error:
            wrong = error
        except CursorError:
            return see(f"/findings{query}")
        outlets, team = _outlets(session), people.people(session)
    return page(
        visit,
        "findings.html",
        400 if wrong else 200,
        asked=asked,
        found=found,
        after=after,
        wrong=_said(visit, asked.q, wrong) if wrong else None,
        outlets=outlets,
        team=team,
        reviewers=reviewers(team),
        provinces=_areas(""),
        regencies=_areas(asked.province) if asked.province else [],
        subjects=ALL_SUBJECTS,
        states=STATES,
        formats=FORMATS,
        **shown(),
    )


@router.get("/regencies")
def regencies(visit: Viewer, province: str = "") -> Response:
    """The options of the regencies of a province, for the script of the page."""
    found = _areas(province) if re.fullmatch(r"\d\d", province) else []
    return page(visit, "findings-regencies.html", regencies=found, chosen="")


@router.get("/export/{format_}")
def export(visit: Viewer, format_: exports.Format, asked: View) -> Response:
    """All findings of a view as a file."""
    if format_ not in FORMATS:
        raise HTTPException(404, "There is no such format.")
    return exported(visit, format_, wanted(visit, asked))


def exported(visit: Visit, format_: exports.Format, sought: Search) -> Response:
    """All findings that are sought, as a file."""
    visit.request.app.state.rates.take(EXPORTS, "export", str(visit.account.id))
    try:
        with visit.reading() as session:
            next(search.ids(session, sought, batch=1), None)
    except QueryError as error:
        raise HTTPException(400, str(error)) from None
    name = f"pantau-{visit.now.astimezone(visit.settings.zone):%Y-%m-%d}{exports.ENDINGS[format_]}"
    return StreamingResponse(
        _exported(visit, format_, sought),
        media_type=exports.TYPES[format_],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _exported(visit: Visit, format_: exports.Format, sought: Search) -> Iterator[bytes]:
    """In pieces that are worth sending."""
    held = bytearray()
    with visit.reading() as session:
        for piece in exports.pieces(session, format_, sought):
            held += piece
            if len(held) >= exports.PIECE:
                yield bytes(held)
                held.clear()
    yield bytes(held)


# --- what the pages of findings share -------------------------------------------------------------


def shown() -> dict[str, Any]:
    """What the templates of findings show them with."""
    return {"terms": terms, "marked": texts.marked, "paragraphs": texts.paragraphs}


def reviewers(team: list[people.Account]) -> list[people.Account]:
    """Those of the team who may review."""
    return [one for one in team if one.role.rank >= Role.REVIEWER.rank and not one.disabled]


def _has_empty(visit: Visit) -> bool:
    return any(not value for value in visit.request.query_params.values())


def _said(visit: Visit, query: str, error: QueryError) -> tuple[str, list[texts.Piece]]:
    """What is wrong with a query, and the query with the place of it marked."""
    why = str(error).rpartition(", at character ")[0]
    unfit = _CANNOT_STAND.fullmatch(why)
    if unfit:
        why = visit._("“%(word)s” cannot stand here", word=unfit[1])
    else:
        why = translations(visit.language).gettext(why)
    at = min(error.position, len(query))
    word = re.compile(r"\w+|.|$", re.DOTALL).match(query, at)
    end = word.end() if word else at
    return why, texts.marked(query, [(at, end)])


def _outlets(session: Session) -> list[str]:
    """The outlets that have findings: each is asked for by the one before it, which the index
    answers at once."""
    first = select(func.min(Finding.outlet).label("outlet")).cte("outlets", recursive=True)
    after = select(func.min(Finding.outlet)).where(Finding.outlet > first.c.outlet)
    following = select(after.scalar_subquery()).where(first.c.outlet.is_not(None))
    found = session.scalars(select(first.union_all(following).c.outlet))
    return [name for name in found if name]


@cache
def _areas(province: str) -> list[Place]:
    """The provinces, or the regencies and cities of one, by name."""
    length = 5 if province else 2
    areas = load().areas.values()
    found = [a for a in areas if len(a.code) == length and a.code.startswith(province)]
    return sorted(found, key=lambda area: area.name)
