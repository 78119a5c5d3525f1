"""Signing in and out, and one's own account: password, language, browsers, keys to the API."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from dashboard import guard, words
from dashboard.access import COOKIE, Id, Viewer, Visit, language_of
from dashboard.pages import back, open_page, page, see
from storage import people
from storage.database import reading
from storage.models import Role
from storage.people import SCOPES, PeopleError

router = APIRouter(include_in_schema=False)

BEFORE = "pantau-form"  # the cookie that proves a form of somebody not yet signed in
PER_NAME = guard.rate("10/15 minutes")  # wrong passwords, from one address: others get in still
ANYWHERE = guard.rate("100/15 minutes")  # for one name, from all of them
PER_ADDRESS = guard.rate("50/15 minutes")
TOKEN_DAYS = {30, 90, 365}

Text = Annotated[str, Form()]


@router.get("/sign-in")
def sign_in_page(request: Request, back: str = "/") -> Response:
    return _form(request, "sign-in.html", back=back, name="", error=None)


@router.post("/sign-in")
def sign_in(
    request: Request, name: Text, password: Text, form: Text = "", back_to: Text = "/"
) -> Response:
    guard.check_origin(request)
    _check_form(request, form)
    rates: guard.Rates = request.app.state.rates
    address, about = guard.address_of(request), name.strip().lower()
    rates.take(PER_ADDRESS, "sign-in", address)
    rates.check(PER_NAME, "sign-in", about, address)
    rates.check(ANYWHERE, "sign-in", about)
    now = datetime.now(UTC)
    with Session(request.app.state.engine) as session, session.begin():
        account = people.check_password(session, name, password)
        if account:
            people.record(session, account.name, "signed in", "", now)
            cookie = people.sign_in(session, account.id, _agent(request), now)
        else:  # an unknown name may be a password, in the wrong field
            named = about if people.is_there(session, name) else ""
            people.record(session, None, "sign-in refused", named, now)
    if account is None:
        rates.take(PER_NAME, "sign-in", about, address)
        rates.take(ANYWHERE, "sign-in", about)
        error = _(request, "Wrong name or password.")
        return _form(request, "sign-in.html", 401, back=back_to, name=name, error=error)
    return _signed_in(request, cookie, back(back_to))


@router.post("/sign-out")
def sign_out(visit: Viewer) -> Response:
    assert visit.token
    with visit.writing() as session:
        people.sign_out(session, visit.token)
        visit.record(session, "signed out")
    answer = see("/sign-in")
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/invitation/{token}")
def invitation_page(request: Request, token: str) -> Response:
    with reading(request.app.state.engine) as session:
        invited = people.invitation(session, token, datetime.now(UTC))
    if invited is None:
        raise HTTPException(404, "This invitation has been used or has ended; ask for another.")
    return _form(request, "invitation.html", token=token, invited=invited, name="", error=None)


@router.post("/invitation/{token}")
def accept_invitation(
    request: Request, token: str, password: Text, again: Text, name: Text = "", form: Text = ""
) -> Response:
    guard.check_origin(request)
    _check_form(request, form)
    rates: guard.Rates = request.app.state.rates
    rates.take(PER_ADDRESS, "sign-in", guard.address_of(request))
    now = datetime.now(UTC)
    with reading(request.app.state.engine) as session:
        invited = people.invitation(session, token, now)
    if invited is None:
        raise HTTPException(404, "This invitation has been used or has ended; ask for another.")
    try:
        if password != again:
            raise PeopleError("The two passwords are not the same.")
        with Session(request.app.state.engine) as session, session.begin():
            account = people.accept(session, token, name, password, now)
            people.record(session, account.name, "invitation accepted", account.name, now)
            cookie = people.sign_in(session, account.id, _agent(request), now)
    except PeopleError as error:
        return _form(
            request,
            "invitation.html",
            400,
            token=token,
            invited=invited,
            name=name,
            error=_(request, error.text) % error.values,
        )
    return _signed_in(request, cookie, "/")


# --- one's own account ----------------------------------------------------------------------------


@router.get("/account")
def account_page(visit: Viewer) -> Response:
    return _account(visit)


@router.post("/account/preferences")
def prefer(visit: Viewer, language: Text, theme: Text, back_to: Text = "/account") -> Response:
    if language not in words.LANGUAGES or theme not in ("auto", "light", "dark"):
        raise HTTPException(422, "There is no such language or theme.")
    with visit.writing() as session:
        people.prefer(session, visit.account.id, language, theme)
    return see(back(back_to))


@router.post("/account/password")
def change_password(visit: Viewer, old: Text, new: Text, again: Text) -> Response:
    rates: guard.Rates = visit.request.app.state.rates
    rates.take(PER_NAME, "password", visit.account.name)
    try:
        if new != again:
            raise PeopleError("The two passwords are not the same.")
        with visit.writing() as session:
            people.change_password(session, visit.account.id, old, new)
            visit.record(session, "password changed", visit.account.name)
            cookie = people.sign_in(session, visit.account.id, _agent(visit.request), visit.now)
    except PeopleError as error:
        return _account(visit, 400, error=visit._(error.text, **error.values))
    return _signed_in(visit.request, cookie, "/account")


@router.post("/account/sign-out-everywhere")
def sign_out_everywhere(visit: Viewer) -> Response:
    with visit.writing() as session:
        people.sign_out_everywhere(session, visit.account.id)
        visit.record(session, "signed out everywhere")
    return see("/sign-in")


@router.post("/account/tokens")
def make_token(
    visit: Viewer,
    name: Text,
    days: Annotated[int, Form()],
    scopes: Annotated[list[str] | None, Form()] = None,
) -> Response:
    if days not in TOKEN_DAYS:
        raise HTTPException(422, "A token lasts 30, 90 or 365 days.")
    try:
        with visit.writing() as session:
            ends = visit.now + timedelta(days=days)
            made = people.make_token(session, visit.account.id, name, scopes or [], visit.now, ends)
            visit.record(session, "token made", f"{name}: {', '.join(scopes or [])}")
    except PeopleError as error:
        return _account(visit, 400, error=visit._(error.text, **error.values))
    return _account(visit, made=made)


@router.post("/account/tokens/{token_id}/drop")
def drop_token(visit: Viewer, token_id: Id) -> Response:
    with visit.writing() as session:
        if not people.drop_token(session, visit.account.id, token_id):
            raise HTTPException(404, "There is no such token.")
        visit.record(session, "token dropped", str(token_id))
    return see("/account")


def _account(
    visit: Visit, status: int = 200, *, error: str | None = None, made: str | None = None
) -> Response:
    with visit.reading() as session:
        return page(
            visit,
            "account.html",
            status,
            error=error,
            made=made,
            browsers=people.browsers(session, visit.account.id),
            tokens=people.tokens(session, visit.account.id),
            scopes=[scope for scope, role in SCOPES.items() if visit.may(Role(role))],
            days=sorted(TOKEN_DAYS),
        )


def _form(request: Request, template: str, status: int = 200, **values: object) -> Response:
    """A page with a form for somebody who is not signed in: what proves it ours is in a cookie,
    and in the form."""
    proof = request.cookies.get(BEFORE) or secrets.token_urlsafe(32)
    answer = open_page(request, template, status, form=proof, **values)
    answer.set_cookie(
        BEFORE, proof, max_age=3600, httponly=True, samesite="strict", secure=_is_secure(request)
    )
    return answer


def _(request: Request, text: str) -> str:
    return words.translations(language_of(request)).gettext(text)


def _check_form(request: Request, form: str) -> None:
    guard.check_form({"form": form}, request.cookies.get(BEFORE) or secrets.token_urlsafe())


def _signed_in(request: Request, cookie: str, address: str) -> Response:
    answer = see(address)
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=int(people.SIGNED_IN.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=_is_secure(request),
    )
    answer.delete_cookie(BEFORE)
    return answer


def _is_secure(request: Request) -> bool:
    public = request.app.state.settings.dashboard_url or str(request.url)
    return bool(public.startswith("https:"))


def _agent(request: Request) -> str:
    return request.headers.get("User-Agent", "")
