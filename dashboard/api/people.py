"""People and the audit trail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from dashboard.access import Administrator
from storage import people
from storage.models import Role

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
