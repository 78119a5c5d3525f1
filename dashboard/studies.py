"""Adding an outlet by its address: its site is studied, and what was found is shown first."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response

import settings
from crawler import urls
from crawler.outlets.catalogue import CatalogueError, own_path
from crawler.outlets.rows import in_toml, write
from dashboard.access import Id, Operator, Visit
from dashboard.catalogue import catalogue
from dashboard.pages import page, see
from extract import places
from storage import jobs
from storage.jobs import Kind
from storage.models import Job

router = APIRouter(prefix="/outlets/-", include_in_schema=False)

MAX_URL = 500  # characters of an address


class StudyError(ValueError):
    """What cannot be studied or added; the text, in the visitor's language, says why."""


@router.get("/add")
def form(visit: Operator, url: str = "") -> Response:
    return _form(visit, {"url": url, "title": "", "province": ""})


@router.post("/add")
def study(
    visit: Operator,
    url: Annotated[str, Form()],
    title: Annotated[str, Form()] = "",
    province: Annotated[str, Form()] = "",
) -> Response:
    """Ask for a study of a site."""
    given = {"url": url.strip(), "title": title.strip(), "province": province.strip()}
    try:
        id_ = begin(visit, given)
    except StudyError as error:
        return _form(visit, given, 400, error=str(error))
    return see(f"/outlets/-/studies/{id_}")


@router.get("/studies/{id_}")
def study_page(visit: Operator, id_: Id) -> Response:
    return page(visit, "study.html", **_shown(_job(visit, id_)))


@router.get("/studies/{id_}/now")
def study_now(visit: Operator, id_: Id) -> Response:
    job = _job(visit, id_)
    answer = page(visit, "study-now.html", **_shown(job))
    if job.state not in jobs.GOING:
        answer.headers["X-Done"] = "yes"
    return answer


@router.post("/studies/{id_}/cancel")
def cancel(visit: Operator, id_: Id) -> Response:
    job = _job(visit, id_)
    with visit.writing() as session:
        if jobs.cancel(session, id_, visit.now):
            visit.record(session, "study cancelled", job.about)
    return see(f"/outlets/-/studies/{id_}")


@router.post("/studies/{id_}/add")
def add(visit: Operator, id_: Id) -> Response:
    """Add what a study found."""
    try:
        name = take(visit, id_)
    except StudyError as error:
        return page(visit, "study.html", 409, error=str(error), **_shown(_job(visit, id_)))
    with visit.writing() as session:
        visit.notice(session, visit._("Added. The next daily crawl reads it, or you do now."))
    return see(f"/outlets/{name}")


# --- what is done, for the API, too ---------------------------------------------------------------


def begin(visit: Visit, given: dict[str, str]) -> int:
    """Ask for a study of the site at "url"; "title" and "province" may be empty. Gives the job's
    id. Raises StudyError."""
    if error := _refused(visit, given):
        raise StudyError(error)
    with visit.writing() as session:
        host = urls.host(_address(given["url"]))
        id_ = jobs.ask(session, Kind.STUDY, given, host, visit.account.name, visit.now)
        visit.record(session, "site studied", given["url"])
    return id_


def take(visit: Visit, id_: int) -> str:
    """Write the row that a study proposes into the installation's catalogue; gives the outlet's
    name. Raises StudyError."""
    row = (_found(_job(visit, id_)) or {}).get("row")
    if not row:
        raise HTTPException(409, "This study found nothing that could be added.")
    name = str(row["name"])
    if name in catalogue():
        raise StudyError(visit._("“%(name)s” is watched already.", name=name))
    try:
        write(own_path(settings.load()), [row])
        catalogue()[name]  # it can be read again
    except (CatalogueError, OSError) as problem:
        raise StudyError(str(problem)) from None
    with visit.writing() as session:
        visit.record(session, "outlet added", name)
    return name


# --- what is shown --------------------------------------------------------------------------------


def _form(
    visit: Visit, given: dict[str, str], status: int = 200, *, error: str | None = None
) -> Response:
    names = sorted(area.name for area in places.load().areas.values() if area.level == "province")
    return page(visit, "study-new.html", status, given=given, provinces=names, error=error)


def _refused(visit: Visit, given: dict[str, str]) -> str | None:
    """Why a site cannot be studied; None where it can."""
    url = given["url"]
    host = urls.host(_address(url)) if len(url) <= MAX_URL and url.isprintable() else ""
    if ("." not in host and "localhost" not in host) or " " in url or "@" in url:
        return visit._(
            "“%(url)s” is not the address of a site, such as kabardaerah.example.", url=url[:80]
        )
    path = f"{urlsplit(_address(url)).path}/"
    for name, spider in catalogue().items():
        same = urls.host(spider.outlet.url("/")) == host
        if same and path.startswith(f"{spider.outlet.section}/"):
            return visit._("“%(name)s” is watched already.", name=name)
    if given["province"] and not places.load().named(given["province"], "province"):
        return visit._("There is no province “%(name)s”.", name=given["province"][:80])
    if len(given["title"]) > 100 or not given["title"].isprintable():
        return visit._("A name has at most 100 characters.")
    return None


def _address(url: str) -> str:
    return url if "://" in url else f"https://{url}"


def _job(visit: Visit, id_: int) -> Job:
    with visit.reading() as session:
        job = jobs.get(session, id_)
    if job is None or job.kind != Kind.STUDY:
        raise HTTPException(404, "There is no such study.")
    return job


def _found(job: Job) -> dict[str, Any] | None:
    """What a study found."""
    return job.result[0] if job.result else None


def _shown(job: Job) -> dict[str, Any]:
    """A study, and what it found, as its page shows it."""
    found = _found(job) or {}
    row: dict[str, Any] | None = found.get("row")
    tried = sorted(found.get("sources", []), key=_place)
    return {
        "job": job,
        "going": job.state in jobs.GOING,
        "found": found,
        "row": row,
        "toml": in_toml([row]).as_string() if row else "",
        "tried": [
            source | {"newest": source["newest"] and datetime.fromisoformat(source["newest"])}
            for source in tried
        ],
        "there": row is not None and row["name"] in catalogue(),
    }


def _place(source: dict[str, Any]) -> int:
    """Where a source that was tried stands in the list."""
    return 3 if source["error"] else ("daily", "spare", None).index(source["use"])
