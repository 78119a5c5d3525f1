"""Findings, their reviews, what is new, and trends."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from dashboard.access import Id, Reviewer, Viewer, Visit
from dashboard.findings import exported
from extract.lexicon import KINDS, SUBJECTS
from extract.query import QueryError
from storage import findings, people, reviews, trends
from storage import search as searching
from storage.findings import Finding
from storage.models import Role
from storage.reviews import Change, Changed, ConflictError, Review, ReviewError
from storage.search import CursorError, Row, Search, State
from storage.trends import Today, Trends

router = APIRouter()

LONGEST = timedelta(days=366 * 3)  # of a window that trends are counted in

Kind = Literal[(*KINDS, "other")]  # type: ignore[valid-type]
Subject = Literal[(*SUBJECTS, "other")]  # type: ignore[valid-type]


@dataclass(frozen=True, slots=True)
class FindingPage:
    """Some findings, the newest told first; there are `total`, or more where not `exact`."""

    items: tuple[Row, ...]
    next: str | None
    total: int
    exact: bool


class Asked(BaseModel):
    """Which findings are asked for: all that is said must hold; see `storage.search.Search`."""

    model_config = ConfigDict(extra="forbid")

    words: Annotated[str | None, Field(description="boolean, of title and text")] = None
    kind: list[Kind] = []
    subject: list[Subject] = []
    place: Annotated[
        list[Annotated[str, Field(pattern=r"^\d\d(\.\d\d)?$")]],
        Field(description="codes of provinces (51) or regencies (51.08)"),
    ] = []
    outlet: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]] = []
    since: Annotated[AwareDatetime | None, Field(description="published, or else found")] = None
    until: AwareDatetime | None = None
    found_since: AwareDatetime | None = None
    found_until: AwareDatetime | None = None
    least_score: Annotated[float, Field(ge=0, le=1)] = 0
    state: list[State] = []
    assigned_to: Annotated[int | None, Field(ge=0, lt=2**31)] = None
    story: Annotated[int | None, Field(ge=1, lt=2**31)] = None
    relevant: bool | None = None
    borderline: bool | None = None
    quiet: bool | None = None
    cursor: Annotated[str | None, Field(max_length=100)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50

    def search(self) -> Search:
        return Search(
            words=self.words or None,
            kinds=tuple(self.kind),
            subjects=tuple(self.subject),
            places=tuple(self.place),
            outlets=tuple(self.outlet),
            since=self.since,
            until=self.until,
            found_since=self.found_since,
            found_until=self.found_until,
            least_score=self.least_score,
            states=tuple(self.state),
            assigned_to=self.assigned_to,
            story=self.story,
            relevant=self.relevant,
            borderline=self.borderline,
            quiet=self.quiet,
        )


@router.get("/findings")
def find(visit: Viewer, asked: Annotated[Asked, Query()]) -> FindingPage:
    """Findings, the newest told first."""
    try:
        with visit.reading() as session:
            page = searching.page(session, asked.search(), asked.cursor, limit=asked.limit)
    except (QueryError, CursorError) as error:
        raise HTTPException(422, str(error)) from None
    return FindingPage(page.rows, page.next, page.total, page.exact)


@router.get("/findings/export/{format_}", response_class=StreamingResponse)
def export(
    visit: Viewer, format_: Literal["csv", "xlsx", "jsonl"], asked: Annotated[Asked, Query()]
) -> Response:
    """All findings asked for, as a file; `cursor` and `limit` do not count."""
    return exported(visit, format_, asked.search())


@router.get("/findings/{id_}")
def finding(visit: Viewer, id_: Id) -> Finding:
    """One finding, whole."""
    with visit.reading() as session:
        found = findings.get(session, id_)
    if found is None:
        raise HTTPException(404, "There is no such finding.")
    return found


@router.get("/findings/{id_}/review")
def review(visit: Viewer, id_: Id) -> Review:
    """What the team says of a finding."""
    with visit.reading() as session:
        found = reviews.get(session, id_)
    if found is None:
        raise HTTPException(404, "There is no such finding.")
    return found


class Said(BaseModel):
    """What to change of a review; what is left out stays, null takes it back. `version` is that of
    the review you saw: where another has changed it since, nothing is changed (409)."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    relevant: bool | None = None
    kind: Kind | None = None
    assigned_to: Annotated[int | None, Field(ge=1, lt=2**31)] = None
    note: Annotated[str | None, Field(max_length=reviews.NOTE)] = None
    version: Annotated[int | None, Field(ge=0, lt=2**31)] = None


@router.patch("/findings/{id_}/review")
def change_review(visit: Reviewer, id_: Id, said: Said) -> Review:
    """Say something of a finding."""
    wanted: dict[str, Any] = said.model_dump(exclude_unset=True, exclude={"version"})
    if wanted.get("state", "") is None:
        raise HTTPException(422, "A review has a state; leave it out to keep it.")
    try:
        with visit.writing() as session:
            if reviews.get(session, id_) is None:
                raise HTTPException(404, "There is no such finding.")
            _check_assigned(visit, wanted.get("assigned_to"))
            made = reviews.review(
                session, id_, visit.account.id, Change(**wanted), visit.now, version=said.version
            )
            visit.record(session, "finding reviewed", f"finding {id_}: {', '.join(wanted)}")
    except ConflictError as error:
        raise HTTPException(409, str(error)) from None
    except ReviewError as error:
        raise HTTPException(422, str(error)) from None
    return made


def _check_assigned(visit: Visit, id_: int | None) -> None:
    if id_ is None:
        return
    with visit.reading() as session:
        whose = people.person(session, id_)
    if whose is None or whose.role.rank < Role.REVIEWER.rank:
        raise HTTPException(422, "There is no such person who may review.")


@router.get("/findings/{id_}/history")
def history(visit: Viewer, id_: Id) -> list[Changed]:
    """How the review of a finding came to be, the first change first."""
    with visit.reading() as session:
        return reviews.history(session, id_)


@router.get("/today")
def today(visit: Viewer, since: AwareDatetime) -> Today:
    """What is new since a moment, by story, the most serious first; at most 200 stories."""
    with visit.reading() as session:
        return trends.today(session, since, visit.now)


@router.get("/trends")
def counted(
    visit: Viewer, since: AwareDatetime | None = None, until: AwareDatetime | None = None
) -> Trends:
    """Findings counted by day and kind, province, outlet and subject; of the last 90 days, unless
    a window is given (three years at the most)."""
    end = until or visit.now
    try:
        begin = since or end - timedelta(days=90)
        too_long = not timedelta() < end - begin <= LONGEST
    except OverflowError:
        too_long = True
    if too_long:
        raise HTTPException(422, "The window is longer than three years, or ends before it begins.")
    with visit.reading() as session:
        return trends.trends(session, begin, end, visit.settings.zone)
