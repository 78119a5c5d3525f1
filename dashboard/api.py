"""The API: what the pages show, over JSON, for programs with a token.

/api/v1/openapi.json describes it (OpenAPI 3.1). Field names are those of the command line's JSON.
Lists come in pages: `next` is the `cursor` of the page after, null at the end. A browser that is
signed in may read here, too; to change anything takes a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, HTTPException, Path, Query
from fastapi.security import HTTPBearer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from crawler.outlets.catalogue import spiders
from dashboard.access import Administrator, Id, Operator, Reviewer, Viewer, Visit
from extract.lexicon import KINDS, SUBJECTS
from extract.query import QueryError
from storage import backfills, findings, people, reviews, rules, runs, states, trends
from storage import search as searching
from storage.backfills import Progress
from storage.findings import Finding
from storage.models import Role
from storage.reviews import Change, Changed, ConflictError, Review, ReviewError
from storage.rules import Rule, RuleError
from storage.search import CursorError, Row, Search, State
from storage.states import VitalSigns
from storage.trends import Today, Trends


class Problem(BaseModel):
    """Why a request was refused, in one sentence."""

    detail: str


# for the description only: `dashboard.access` reads the token
router = APIRouter(
    prefix="/api/v1",
    dependencies=[Depends(HTTPBearer(auto_error=False))],
    responses={status: {"model": Problem} for status in (401, 403, 404, 409, 422, 429)},
)

LONGEST = timedelta(days=366 * 3)  # of a window that trends are counted in

Kind = Literal[(*KINDS, "other")]  # type: ignore[valid-type]
Subject = Literal[(*SUBJECTS, "other")]  # type: ignore[valid-type]
Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


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


@dataclass(frozen=True, slots=True)
class OutletSigns:
    """An outlet of the catalogue, and how it does."""

    name: str
    title: str
    url: str
    province: str | None
    regency: str | None
    sources: list[str]
    spare: list[str]
    signs: VitalSigns


@router.get("/outlets")
def outlets(visit: Viewer) -> list[OutletSigns]:
    """All outlets that are watched."""
    return _outlets(visit, list(spiders()))


@router.get("/outlets/{name}")
def outlet(visit: Viewer, name: Name) -> OutletSigns:
    """One outlet."""
    if name not in spiders():
        raise HTTPException(404, "There is no such outlet.")
    return _outlets(visit, [name])[0]


@router.post("/outlets/{name}/pause", status_code=204)
def pause(visit: Operator, name: Name) -> None:
    """Crawl an outlet no more, until it is resumed."""
    outlet(visit, name)
    with visit.writing() as session:
        if states.pause(session, name, visit.now):
            visit.record(session, "outlet paused", name)


@router.post("/outlets/{name}/resume", status_code=204)
def resume(visit: Operator, name: Name) -> None:
    """Crawl an outlet again."""
    outlet(visit, name)
    with visit.writing() as session:
        if states.resume(session, name):
            visit.record(session, "outlet resumed", name)


def _outlets(visit: Visit, names: Sequence[str]) -> list[OutletSigns]:
    known = spiders()
    with visit.reading() as session:
        signs = states.vitals(session, names, visit.now)
    return [
        OutletSigns(
            name,
            known[name].outlet.title,
            known[name].outlet.url(known[name].outlet.section or "/"),
            known[name].outlet.province,
            known[name].outlet.regency,
            [source.name for source in known[name].sources],
            [source.name for source in known[name].spare],
            signs[name],
        )
        for name in names
    ]


@router.get("/crawls")
def crawls(visit: Viewer) -> list[runs.Run]:
    """The crawls of the last four weeks that were started together, the newest first."""
    with visit.reading() as session:
        return runs.runs(session, visit.now)


@router.get("/backfills")
def all_backfills(visit: Viewer) -> list[Progress]:
    """The backfills, the newest first; a hundred at the most."""
    with visit.reading() as session:
        newest = sorted(backfills.ids(session), reverse=True)[:100]
        known = (backfills.get(session, id_, visit.now) for id_ in newest)
        return [progress for progress in known if progress]


@router.get("/backfills/{id_}")
def backfill(visit: Viewer, id_: Id) -> Progress:
    """One backfill."""
    with visit.reading() as session:
        found = backfills.get(session, id_, visit.now)
    if found is None:
        raise HTTPException(404, "There is no such backfill.")
    return found


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule and its id."""

    id: int
    rule: Rule


@router.get("/rules")
def all_rules(visit: Viewer) -> list[StoredRule]:
    """The rules of the alerts, by name."""
    with visit.reading() as session:
        return [StoredRule(stored.id, stored.rule) for stored in rules.stored(session)]


@router.post("/rules", status_code=201)
def add_rule(visit: Operator, rule: Annotated[dict[str, Any], Body()]) -> StoredRule:
    """Add a rule: its fields are those of docs/rules.md."""
    try:
        with visit.writing() as session:
            stored = rules.add(session, rules.valid(rule), visit.now)
            visit.record(session, "rule added", stored.rule.name)
    except RuleError as error:
        raise HTTPException(422, str(error)) from None
    return StoredRule(stored.id, stored.rule)


@router.put("/rules/{id_}")
def change_rule(visit: Operator, id_: Id, rule: Annotated[dict[str, Any], Body()]) -> StoredRule:
    """Put a rule in the place of another."""
    try:
        with visit.writing() as session:
            name = _rule(rules.by_id(session, id_)).rule.name
            stored = rules.change(session, name, rules.valid(rule))
            visit.record(session, "rule changed", stored.rule.name)
    except RuleError as error:
        raise HTTPException(422, str(error)) from None
    return StoredRule(stored.id, stored.rule)


@router.delete("/rules/{id_}", status_code=204)
def remove_rule(visit: Operator, id_: Id) -> None:
    """Remove a rule; what it still owes is not sent."""
    with visit.writing() as session:
        name = _rule(rules.by_id(session, id_)).rule.name
        rules.remove(session, name, visit.now)
        visit.record(session, "rule removed", name)


def _rule(found: rules.Stored | None) -> rules.Stored:
    if found is None:
        raise HTTPException(404, "There is no such rule.")
    return found


@dataclass(frozen=True, slots=True)
class Somebody:
    """Who may sign in."""

    id: int
    name: str
    role: Role
    disabled: datetime | None
    invited: bool


@router.get("/people")
def everybody(visit: Administrator) -> list[Somebody]:
    """Who may sign in."""
    with visit.reading() as session:
        known = people.people(session)
    return [Somebody(one.id, one.name, one.role, one.disabled, one.invited) for one in known]


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody did."""

    id: int
    at: datetime
    who: str | None
    what: str
    about: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some of the audit trail, the latest first."""

    items: list[Entry]
    next: int | None


@router.get("/audit")
def audit(
    visit: Administrator,
    cursor: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> AuditPage:
    """The audit trail."""
    with visit.reading() as session:
        found = people.audit(session, cursor, limit + 1)
    items = [Entry(one.id, one.at, one.who, one.what, one.about) for one in found[:limit]]
    return AuditPage(items, items[-1].id if len(found) > limit else None)


@router.get("/openapi.json", include_in_schema=False)
def description(visit: Viewer) -> dict[str, Any]:
    """This API, described."""
    described: dict[str, Any] = visit.request.app.openapi()
    return described
