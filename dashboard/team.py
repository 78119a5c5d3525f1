"""People: who may sign in and with which role, and the audit trail."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response

from dashboard.access import Administrator, Id, Number, Visit
from dashboard.pages import page, see
from storage import people
from storage.models import Role
from storage.people import PeopleError

router = APIRouter(prefix="/people", include_in_schema=False)

SHOWN = 100  # entries of the audit trail on one page


@router.get("")
def people_page(visit: Administrator) -> Response:
    return _people(visit)


@router.post("")
def invite(
    visit: Administrator, name: Annotated[str, Form()], role: Annotated[Role, Form()]
) -> Response:
    """Add somebody, who chooses a password by a link."""
    try:
        link = invited(visit, name, role)
    except PeopleError as error:
        return _people(visit, 400, error=visit._(error.text, **error.values))
    return _people(visit, invited=(name, link))


def invited(visit: Visit, name: str, role: Role) -> str:
    """Add somebody; gives the link on which they choose a password. Raises PeopleError."""
    with visit.writing() as session:
        if any(account.name == name for account in people.people(session)):
            raise PeopleError("There is a %(name)s already.", name=name)
        token = people.invite(session, name, role, visit.now)
        visit.record(session, "person invited", f"{name}, {role}")
    return link_of(visit, token)


@router.post("/{id_}/link")
def renew(visit: Administrator, id_: Id) -> Response:
    """A new link, by which a person chooses a new password."""
    with visit.writing() as session:
        account = _account(visit, id_)
        token = people.invite(session, account.name, account.role, visit.now)
        visit.record(session, "password link made", account.name)
    return _people(visit, invited=(account.name, link_of(visit, token)))


@router.post("/{id_}/role")
def change_role(visit: Administrator, id_: Id, role: Annotated[Role, Form()]) -> Response:
    account = _account(visit, id_)
    try:
        with visit.writing() as session:
            people.change_role(session, id_, role)
            visit.record(session, "role changed", f"{account.name}: {account.role} → {role}")
    except PeopleError as error:
        return _people(visit, 400, error=visit._(error.text, **error.values))
    return see("/people")


@router.post("/{id_}/disable")
def disable(visit: Administrator, id_: Id) -> Response:
    account = _account(visit, id_)
    try:
        with visit.writing() as session:
            people.disable(session, id_, visit.now)
            visit.record(session, "person disabled", account.name)
    except PeopleError as error:
        return _people(visit, 400, error=visit._(error.text, **error.values))
    return see("/people")


@router.post("/{id_}/enable")
def enable(visit: Administrator, id_: Id) -> Response:
    account = _account(visit, id_)
    with visit.writing() as session:
        people.enable(session, id_)
        visit.record(session, "person enabled", account.name)
    return see("/people")


@router.post("/{id_}/sign-out")
def sign_out(visit: Administrator, id_: Id) -> Response:
    account = _account(visit, id_)
    with visit.writing() as session:
        people.sign_out_everywhere(session, id_)
        visit.record(session, "signed out everywhere", account.name)
    return see("/people")


@router.get("/audit")
def audit_page(visit: Administrator, before: Number | None = None, who: str = "") -> Response:
    with visit.reading() as session:
        entries = people.audit(session, before, SHOWN + 1, who or None)
    more = entries[SHOWN - 1].id if len(entries) > SHOWN else None
    return page(visit, "audit.html", entries=entries[:SHOWN], more=more, who=who)


def link_of(visit: Visit, token: str) -> str:
    """The address of an invitation."""
    base = visit.settings.dashboard_url or str(visit.request.base_url).rstrip("/")
    return f"{base}/invitation/{token}"


def _account(visit: Visit, id_: int) -> people.Account:
    with visit.reading() as session:
        account = people.person(session, id_)
    if account is None:
        raise HTTPException(404, "There is no such person.")
    return account


def _people(
    visit: Visit,
    status: int = 200,
    *,
    error: str | None = None,
    invited: tuple[str, str] | None = None,
) -> Response:
    with visit.reading() as session:
        everybody = people.people(session)
    return page(
        visit, "people.html", status, people=everybody, roles=list(Role), error=error,
        invited=invited,
    )  # fmt: skip
