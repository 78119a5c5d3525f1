"""Outlets: how they do; pausing, crawling, checking, studying and adding them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from dashboard.access import Id, Operator, Viewer, Visit
from dashboard.catalogue import catalogue
from dashboard.studies import StudyError, begin, take
from storage import jobs, states
from storage.jobs import Kind
from storage.states import VitalSigns

router = APIRouter()

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: /jobs/ID tells what becomes of it."""

    job: int


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
    return _outlets(visit, list(catalogue()))


@router.get("/outlets/{name}")
def outlet(visit: Viewer, name: Name) -> OutletSigns:
    """One outlet."""
    if name not in catalogue():
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


@router.post("/outlets/{name}/crawl", status_code=202)
def crawl(visit: Operator, name: Name) -> Asked:
    """Ask for a crawl of an outlet now."""
    return _ask(visit, Kind.CRAWL, name)


@router.post("/outlets/{name}/check", status_code=202)
def check(visit: Operator, name: Name) -> Asked:
    """Ask for a look at an outlet's sources, and for repairs."""
    return _ask(visit, Kind.CHECK, name)


class Site(BaseModel):
    """A site to be studied; what is left empty is found out."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(max_length=500)]
    title: Annotated[str, Field(max_length=100)] = ""
    province: Annotated[str, Field(max_length=100)] = ""


@router.post("/studies", status_code=202)
def study(visit: Operator, site: Site) -> Asked:
    """Ask for a study of a site: how it lists its articles. The job's result has a `row` where it
    can be watched."""
    given = {name: value.strip() for name, value in site.model_dump().items()}
    try:
        return Asked(begin(visit, given))
    except StudyError as error:
        raise HTTPException(422, str(error)) from None


@router.post("/studies/{id_}/add", status_code=201)
def add(visit: Operator, id_: Id) -> OutletSigns:
    """Watch the outlet that a study found; `id_` is the job's."""
    try:
        name = take(visit, id_)
    except StudyError as error:
        raise HTTPException(409, str(error)) from None
    return outlet(visit, name)


def _ask(visit: Visit, kind: Kind, name: str) -> Asked:
    if outlet(visit, name).signs.paused and kind == Kind.CRAWL:
        raise HTTPException(409, "It is paused: resume it first.")
    with visit.writing() as session:
        asked = {"outlets": [name]}
        id_ = jobs.ask(session, kind, asked, name, visit.account.name, visit.now)
        visit.record(session, f"{kind} asked for", name)
    return Asked(id_)


def _outlets(visit: Visit, names: Sequence[str]) -> list[OutletSigns]:
    known = catalogue()
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
