"""Crawls, backfills, and the jobs that were asked for."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from dashboard.access import Id, Operator, Viewer
from dashboard.api.outlets import Asked
from dashboard.backfills import FormError, chosen, go_on, start, stop
from dashboard.backfills import window as days_of
from dashboard.crawls import ask_for_all, end
from dashboard.workers import see
from storage import backfills, jobs, runs
from storage.backfills import CANCEL, PAUSE, Progress
from storage.jobs import JobState, Kind
from storage.queue import Work

router = APIRouter()

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"


@router.get("/crawls")
def crawls(visit: Viewer) -> list[runs.Run]:
    """The crawls of the last four weeks that were started together, the newest first."""
    with visit.reading() as session:
        return runs.runs(session, visit.now)


@router.get("/workers")
def workers(visit: Viewer) -> Work:
    """The workers, which outlets they are at, and how much waits in each queue."""
    work = see(visit).work
    if work is None:
        raise HTTPException(503, "Redis does not answer.")
    return work


@router.post("/crawls", status_code=202)
def crawl_all(visit: Operator) -> Asked:
    """Ask for a crawl of all outlets."""
    return Asked(ask_for_all(visit))


@router.post("/jobs/{id_}/cancel", status_code=204)
def cancel_job(visit: Operator, id_: Id) -> None:
    """End a job that waits or runs."""
    end(visit, id_)


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


class Window(BaseModel):
    """What a backfill is to go through: the days from `first` to `last`, of `outlets` (all, where
    none is named); `max_pages` of each at the most, `delay` seconds between two requests; with
    `archives`, the web archives are asked, too."""

    model_config = ConfigDict(extra="forbid")

    first: date
    last: date
    outlets: Annotated[list[Annotated[str, Field(pattern=NAME)]], Field(max_length=1000)] = []
    max_pages: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    delay: Annotated[float | None, Field(ge=0, le=3600)] = None
    archives: bool = False


@router.post("/backfills", status_code=201)
def begin_backfill(visit: Operator, window: Window) -> Progress:
    """Begin a backfill."""
    try:
        id_ = start(
            visit,
            chosen(visit, ",".join(window.outlets), ""),
            days_of(visit, f"{window.first}", f"{window.last}"),
            archives=window.archives,
            max_pages=window.max_pages,
            delay=window.delay,
        )
    except FormError as error:
        raise HTTPException(422, str(error)) from None
    return backfill(visit, id_)


@router.post("/backfills/{id_}/resume", status_code=204)
def resume_backfill(visit: Operator, id_: Id) -> None:
    """Go on with a backfill that was stopped, or try again what failed in it."""
    go_on(visit, id_)


@router.post("/backfills/{id_}/pause", status_code=204)
def pause_backfill(visit: Operator, id_: Id) -> None:
    """End the process at a backfill, wherever it runs; it can be resumed."""
    stop(visit, id_, PAUSE, "backfill paused")


@router.post("/backfills/{id_}/cancel", status_code=204)
def cancel_backfill(visit: Operator, id_: Id) -> None:
    """End a backfill for good; what it found stays."""
    stop(visit, id_, CANCEL, "backfill cancelled")


class JobTold(BaseModel):
    """Something that was asked for, and what became of it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: Kind
    about: str
    arguments: dict[str, Any]
    who: str | None
    state: JobState
    asked: datetime
    started: datetime | None
    finished: datetime | None
    result: list[Any] | None
    error: str | None


@router.get("/jobs/{id_}")
def job(visit: Viewer, id_: Id) -> JobTold:
    """What became of something that was asked for."""
    with visit.reading() as session:
        found = jobs.get(session, id_)
        if found is None:
            raise HTTPException(404, "There is no such job.")
        return JobTold.model_validate(found)
