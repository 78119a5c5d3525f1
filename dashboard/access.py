"""Who is asking, and whether they may: what every route but sign-in and health declares.

A route says the least role that it takes by the type of its first argument:

    @router.get("/findings")
    def findings(visit: Viewer) -> Response: ...
"""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, HTTPException, Path, Query, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from dashboard import guard, words
from dashboard.guard import Rates
from settings import Settings
from storage import people
from storage.database import reading
from storage.models import Role

API = "/api/"
COOKIE = "pantau"
BEARER = "Bearer "
API_RATE = guard.rate("300/minute")


class SignInFirstError(Exception):
    """A page was asked for by somebody who is not signed in."""

    def __init__(self, back: str) -> None:
        self.back = back


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, and who makes it."""

    request: Request
    engine: Engine
    settings: Settings
    account: people.Account
    scopes: frozenset[str]
    """What the API token may be used for; all of the role's in a browser."""
    token: str | None
    """Of the browser; see `storage.people.Signed`. None: an API token asks."""
    form: str
    """What each form must hold, in the field "form"."""
    noticed: str | None
    """What this page is to say, once; see `notice`."""
    language: str
    now: datetime

    def may(self, role: Role) -> bool:
        """Whether the account may do what takes `role`."""
        allowed = any(people.SCOPES[scope].rank >= role.rank for scope in self.scopes)
        return allowed and self.account.role.rank >= role.rank

    def reading(self) -> Session:
        """`with visit.reading() as session:` only reads."""
        return reading(self.engine)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """`with visit.writing() as session:` is a transaction."""
        with Session(self.engine) as session, session.begin():
            yield session

    def record(self, session: Session, what: str, about: str = "") -> None:
        """Note in the audit trail what is being done, in the same transaction; `what` in a word
        or two of English."""
        people.record(session, self.account.name, what, about, self.now)

    def notice(self, session: Session, text: str) -> None:
        """What the next page shall say, once."""
        if self.token:
            people.notice(session, self.token, text)

    def _(self, text: str, **values: object) -> str:
        """`text` in the visitor's language; `values` fill its %(name)s."""
        said = words.translations(self.language).gettext(text)
        return said % values if values else said

    def n_(self, one: str, many: str, number: int, **values: object) -> str:
        """The same for a number of things, %(number)s."""
        text = words.translations(self.language).ngettext(one, many, number)
        return text % {"number": number, **values}


def needs(role: Role) -> Callable[[Request], Coroutine[Any, Any, Visit]]:
    """A dependency that gives the visit of somebody who has at least `role`."""

    async def visit(request: Request) -> Visit:
        visitor = await run_in_threadpool(_visit, request)
        request.state.visit = visitor  # for the page that says what went wrong
        if not visitor.may(role):
            said = visitor._("This takes the role “%(role)s”.", role=visitor._(role.value))
            raise HTTPException(403, said)
        if visitor.token and request.method not in guard.SAFE:
            guard.check_origin(request)
            guard.check_form(await request.form(), visitor.form)
        return visitor

    visit.role = role  # type: ignore[attr-defined]  # the tests list the routes by it
    return visit


Id = Annotated[int, Path(ge=1, lt=2**31)]
"""An id in an address: as large as the databases' own can be."""

Number = Annotated[int, Query(ge=1, lt=2**31)]
"""The same in a query: a page's number, an id to begin below."""

Viewer = Annotated[Visit, Depends(needs(Role.VIEWER))]
Reviewer = Annotated[Visit, Depends(needs(Role.REVIEWER))]
Operator = Annotated[Visit, Depends(needs(Role.OPERATOR))]
Administrator = Annotated[Visit, Depends(needs(Role.ADMINISTRATOR))]


def _visit(request: Request) -> Visit:
    engine: Engine = request.app.state.engine
    now = datetime.now(UTC)
    if "Authorization" in request.headers:
        return _by_token(request, engine, now)
    cookie = request.cookies.get(COOKIE, "")
    with reading(engine) as session:
        signed = people.signed_in(session, cookie, now) if cookie else None
    if signed is None:
        raise SignInFirstError(here(request))
    if now - signed.seen > people.SEEN:
        with Session(engine) as session, session.begin():
            people.seen(session, signed.token, now)
    return Visit(
        request,
        engine,
        request.app.state.settings,
        signed.account,
        frozenset(people.SCOPES),
        signed.token,
        signed.form,
        signed.notice,
        language_of(request, signed.account.language),
        now,
    )


def _by_token(request: Request, engine: Engine, now: datetime) -> Visit:
    given = request.headers["Authorization"]
    if not request.url.path.startswith(API):
        # a form's own guards are a browser's; and one on the account's page makes tokens
        raise HTTPException(403, "A token opens the API only.")
    with reading(engine) as session:
        found = people.by_token(session, given.removeprefix(BEARER).strip(), now)
    if found is None or not given.startswith(BEARER):
        raise HTTPException(401, "This token opens nothing.", {"WWW-Authenticate": "Bearer"})
    rates: Rates = request.app.state.rates
    rates.take(API_RATE, "api", str(found.id))
    if found.used is None or now - found.used > people.SEEN:
        with Session(engine) as session, session.begin():
            people.token_used(session, found.id, now)
    return Visit(
        request,
        engine,
        request.app.state.settings,
        found.account,
        found.scopes,
        None,
        "",
        None,
        language_of(request, found.account.language),
        now,
    )


def language_of(request: Request, chosen: str | None = None) -> str:
    """The language of a page: as chosen, else as the browser asks."""
    return chosen or words.preferred(request.headers.get("Accept-Language", ""))


def here(request: Request) -> str:
    """The address of a page, to come back to."""
    if request.method not in guard.SAFE:
        return "/"
    query = request.url.query
    return f"{quote(request.scope['path'])}{'?' if query else ''}{query}"
