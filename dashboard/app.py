"""The dashboard, as one ASGI application."""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from dashboard import (
    alerts,
    api,
    backfills,
    crawls,
    finding,
    findings,
    outlets,
    signing,
    studies,
    team,
    today,
    trends,
    workers,
)
from dashboard.access import API, SignInFirstError, Visit
from dashboard.guard import SECURITY, Guard, Rates
from dashboard.pages import STATIC, open_page, page
from settings import Settings

logger = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024  # bytes: the largest form is a rule's
ROUTERS = (
    alerts.router,
    api.router,
    backfills.router,
    crawls.router,
    findings.router,
    finding.router,
    outlets.router,
    signing.router,
    studies.router,
    team.router,
    today.router,
    trends.router,
    workers.router,
)


class _Static(StaticFiles):
    """Static files at /static/FINGERPRINT/NAME; they never change there."""

    async def get_response(self, path: str, scope: object) -> Response:
        answer = await super().get_response(path.partition("/")[2], scope)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


def application(engine: Engine, current: Settings) -> FastAPI:
    """The dashboard over `engine`."""
    app = FastAPI(
        title="Pantau",
        version=version("pantau"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=MAX_BODY,
    )
    app.state.engine = engine
    app.state.settings = current
    app.state.rates = Rates()
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/health", _health, include_in_schema=False)
    app.mount("/static", _Static(directory=STATIC))
    app.add_exception_handler(SignInFirstError, _sign_in_first)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(DataError, _not_storable)
    app.add_exception_handler(UnicodeEncodeError, _not_storable)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_hosts(current), www_redirect=False)
    app.add_middleware(Guard)
    return app


def _hosts(current: Settings) -> list[str]:
    """The names the dashboard answers to: another one would be a page of another site that has
    had its name point here (DNS rebinding)."""
    host = current.dashboard_address.rpartition(":")[0]
    public = urlsplit(current.dashboard_url or "").hostname
    if public is None and host not in ("127.0.0.1", "localhost"):
        return ["*"]  # nobody told us our name
    return ["127.0.0.1", "localhost", host, *([public] if public else [])]


def _health(request: Request) -> Response:
    """Whether the dashboard and its database answer."""
    try:
        with request.app.state.engine.execution_options(reading=True).connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return PlainTextResponse("the database does not answer\n", 503)
    return PlainTextResponse("well\n")


def _sign_in_first(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInFirstError)
    if request.url.path.startswith(API):
        return JSONResponse({"detail": "Sign in, or send a token."}, 401)
    return RedirectResponse(f"/sign-in?back={quote(error.back, safe='')}", 303)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    return _error(request, error.status_code, str(error.detail), dict(error.headers or {}))


def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if not request.url.path.startswith(API):
        return _error(request, 422, "The address or the form holds what cannot be read.", {})
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return _error(request, 422, f"{where}: {first['msg']}", {})


def _not_storable(request: Request, error: Exception) -> Response:
    return _error(request, 422, "Something in it cannot be stored or looked for.", {})


def _failed(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    # this one answers from outside of Guard
    return _error(request, 500, "Something went wrong here; the log has it.", SECURITY)


def _error(request: Request, status: int, detail: str, headers: Mapping[str, str]) -> Response:
    detail = detail.encode(errors="replace").decode()  # it may quote half a character
    if request.url.path.startswith(API):
        return JSONResponse({"detail": detail}, status, headers)
    visit: Visit | None = getattr(request.state, "visit", None)
    if visit and status < 500:  # else the database may be what failed
        answer = page(visit, "error.html", status, detail=detail)
    else:
        answer = open_page(request, "error.html", status, detail=detail)
    answer.headers.update(headers)
    return answer
