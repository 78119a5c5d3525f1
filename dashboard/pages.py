"""Rendering pages: templates in the visitor's language, with the forms of dates and numbers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request

from dashboard import words
from dashboard.access import Visit, here, language_of
from dashboard.catalogue import title_of
from storage import people
from storage.models import Role

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


@cache
def _templates(language: str, zone: ZoneInfo) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    translations = words.translations(language)
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    locale = Locale(language)

    def moment(value: datetime | None, form: str = "d MMM y HH:mm") -> str:
        return format_datetime(value.astimezone(zone), form, locale=locale) if value else "–"

    def day(value: datetime | None, form: str = "d MMM y") -> str:
        local = value.astimezone(zone).date() if isinstance(value, datetime) else value
        return format_date(local, form, locale=locale) if local else "–"

    environment.filters |= {
        "day": day,
        "moment": moment,
        "number": lambda n: format_decimal(n, locale=locale),
        "outlet": title_of,
        "percent": lambda share: format_percent(share, locale=locale),
        "said": lambda text: translations.gettext(text) if text else "",
        "query": lambda values: urlencode(values, doseq=True),
        "since": lambda moment: format_timedelta(
            moment - datetime.now(UTC), add_direction=True, locale=locale
        ),
    }
    environment.globals |= {
        "LANGUAGES": words.LANGUAGES,
        "ZONES": words.ZONES,
        "Role": Role,
        "static": static,
    }
    environment.globals["back_here"] = here
    return environment


def static(name: str) -> str:
    """The address of a static file: another one whenever the file is."""
    return f"/static/{_fingerprint(name)}/{name}"


@cache
def _fingerprint(name: str) -> str:
    return sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def page(visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
    """The page `template` for a visitor. Templates have `visit`, what `values` says, and the
    filters `moment`, `day`, `since`, `number`, `outlet` (its title), `percent`, `query` and `said`:
    what is not written in a template is translated by that; `_()` would take it for HTML."""
    if visit.noticed and visit.token:
        with visit.writing() as session:
            people.notice(session, visit.token, None)
    return _page(visit.language, visit.settings.zone, template, status, {"visit": visit, **values})


def open_page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page for somebody who is not signed in."""
    language = language_of(request)
    zone = request.app.state.settings.zone
    return _page(language, zone, template, status, {"visit": None, **values})


def _page(
    language: str, zone: ZoneInfo, template: str, status: int, values: Mapping[str, Any]
) -> Response:
    found = _templates(language, zone).get_template(template)
    html = found.render(language=language, zone=zone, **values)
    return HTMLResponse(html, status)


def see(address: str) -> Response:
    """After a form was taken: go and see."""
    return RedirectResponse(address, 303)


def back(address: str) -> str:
    """`address`, if it is a path of ours."""
    ours = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if ours and address.isprintable() and "\\" not in address else "/"
