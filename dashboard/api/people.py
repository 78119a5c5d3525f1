"""People and the audit trail."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from dashboard.access import Administrator, Id, Visit
from dashboard.team import invited
from storage import people
from storage.models import Role
from storage.people import PeopleError

router = APIRouter()


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


class NewPerson(BaseModel):
    """Who is to be let in, and what they may do."""

    model_config = ConfigDict(extra="forbid")

    name: str
    role: Role = Role.VIEWER


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody, and the link on which they choose a password, once, within three days."""

    name: str
    link: str


@router.post("/people", status_code=201)
def invite(visit: Administrator, new: NewPerson) -> Invited:
    """Add somebody."""
    try:
        return Invited(new.name, invited(visit, new.name, new.role))
    except PeopleError as error:
        raise HTTPException(422, str(error)) from None


class NewRole(BaseModel):
    """What somebody may do from now on."""

    role: Role


@router.put("/people/{id_}/role", status_code=204)
def change_role(visit: Administrator, id_: Id, new: NewRole) -> None:
    """Change what somebody may do."""
    _change(visit, id_, f"role changed: {new.role}", lambda s: people.change_role(s, id_, new.role))


@router.post("/people/{id_}/disable", status_code=204)
def disable(visit: Administrator, id_: Id) -> None:
    """Let somebody in no more; their tokens open nothing."""
    _change(visit, id_, "person disabled", lambda s: people.disable(s, id_, visit.now))


@router.post("/people/{id_}/enable", status_code=204)
def enable(visit: Administrator, id_: Id) -> None:
    """Let somebody in again."""
    _change(visit, id_, "person enabled", lambda s: people.enable(s, id_))


@router.post("/people/{id_}/sign-out", status_code=204)
def sign_out(visit: Administrator, id_: Id) -> None:
    """Sign somebody out everywhere."""
    _change(visit, id_, "signed out everywhere", lambda s: people.sign_out_everywhere(s, id_))


def _change(visit: Visit, id_: int, what: str, do: Callable[[Session], object]) -> None:
    what, _, detail = what.partition(": ")
    try:
        with visit.writing() as session:
            account = people.person(session, id_)
            if account is None:
                raise HTTPException(404, "There is no such person.")
            do(session)
            visit.record(session, what, f"{account.name}{detail and ': '}{detail}")
    except PeopleError as error:
        raise HTTPException(422, str(error)) from None


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
