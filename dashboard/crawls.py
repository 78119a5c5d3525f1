"""Crawls: the one of the night, those under way, those past with their numbers and errors, and what
was asked for in the browser."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response
from sqlalchemy.orm import Session

from alerts import notices
from dashboard import workers
from dashboard.access import Id, Number, Operator, Viewer, Visit
from dashboard.catalogue import catalogue
from dashboard.pages import page, see
from dashboard.words import ZONES
from storage import backfills, crawls, jobs, runs, states
from storage.jobs import Kind
from storage.models import Crawl, Job

router = APIRouter(prefix="/crawls", include_in_schema=False)

SHOWN = 30  # runs of a page
ERRORS = 200  # failed links of a crawl

Sort = Literal["outlet", "links", "new", "fetched", "findings", "errors", "took"]


@router.get("")
def crawls_page(visit: Viewer, number: Number = 1) -> Response:
    now = visit.now
    limit = timedelta(hours=visit.settings.crawl_hours)
    with visit.reading() as session:
        known = runs.runs(session, now)
        watched = len(catalogue().keys() - states.paused(session).keys())
        daily = runs.daily(known, watched, since=now - timedelta(days=1), now=now, limit=limit)
        values = _now(session, visit)
        latest = [backfills.get(session, id_, now) for id_ in backfills.ids(session)[:3]]
    pages = max(1, -(-len(known) // SHOWN))
    number = min(max(number, 1), pages)
    return page(
        visit,
        "crawls.html",
        daily=daily,
        why=_in_zone(notices.reason(daily.why, visit.language), visit.settings.zone),
        runs=known[(number - 1) * SHOWN : number * SHOWN],
        number=number,
        pages=pages,
        backfills=latest,
        under_way={one["run"] for one in values["progress"]},
        workers=workers.see(visit),
        most=workers.SHOWN,
        **values,
    )


@router.get("/now")
def now(visit: Viewer) -> Response:
    """What is under way, as a part of the page."""
    with visit.reading() as session:
        values = _now(session, visit)
    return page(visit, "crawls-now.html", **values)


@router.post("/all")
def crawl_all(visit: Operator) -> Response:
    return see(f"/crawls/jobs/{ask_for_all(visit)}")


def ask_for_all(visit: Visit) -> int:
    """Ask for a crawl of all outlets; gives the job's id."""
    with visit.writing() as session:
        visit.record(session, "crawl asked for", visit._("all outlets"))
        return jobs.ask(session, Kind.CRAWL, {}, "", visit.account.name, visit.now)


@router.get("/runs/{run}")
def run(visit: Viewer, run: str, only: str = "", sort: Sort = "errors") -> Response:
    with visit.reading() as session:
        found = crawls.of_run(session, run)
    if not found:
        raise HTTPException(404, "There is no such crawl.")
    dropped: Counter[str] = Counter()
    for crawl in found:
        dropped.update(crawl.dropped)
    shown = [c for c in found if not only or (c.errors if only == "errors" else c.findings)]
    return page(
        visit,
        "run.html",
        run=run,
        started=min(crawl.started for crawl in found),
        ended=max((crawl.finished for crawl in found if crawl.finished), default=None),
        backfill=found[0].backfill_id,
        crawls=sorted(shown, key=_key(sort)),
        outlets=len(found),
        finished=sum(crawl.finished is not None for crawl in found),
        sums={name: sum(getattr(c, name) for c in found) for name in COLUMNS},
        with_errors=sum(bool(crawl.errors) for crawl in found),
        with_findings=sum(bool(crawl.findings) for crawl in found),
        dropped=dropped.most_common(),
        titles=_titles(),
        asked={"only": only, "sort": sort},
        columns=COLUMNS,
    )


COLUMNS = ("links", "new", "fetched", "gated", "findings", "errors")


@router.get("/runs/{run}/{outlet}")
def crawl(visit: Viewer, run: str, outlet: str) -> Response:
    """One outlet's crawl, with what failed in it."""
    with visit.reading() as session:
        found = next((c for c in crawls.of_run(session, run) if c.outlet == outlet), None)
        if found is None:
            raise HTTPException(404, "There is no such crawl.")
        failed = crawls.failed_links(session, found, ERRORS + 1)
    return page(
        visit,
        "crawl.html",
        crawl=found,
        title=_titles().get(outlet, outlet),
        dropped=Counter(found.dropped).most_common(),
        failed=failed[:ERRORS],
        sorts=Counter(states.sort_of(link.error or "") for link in failed).most_common(),
        more=len(failed) > ERRORS,
        columns=COLUMNS,
    )


# --- what was asked for ---------------------------------------------------------------------------


@router.get("/jobs/{id_}")
def job(visit: Viewer, id_: Id) -> Response:
    with visit.reading() as session:
        found = _job(session, id_)
        if address := elsewhere(found):
            return see(address)
        values = _progress(session, visit, found)
    return page(visit, "job.html", **values)


@router.get("/jobs/{id_}/now")
def job_now(visit: Viewer, id_: Id) -> Response:
    """How far a job is, as a part of its page."""
    with visit.reading() as session:
        found = _job(session, id_)
        values = _progress(session, visit, found)
    answer = page(visit, "job-now.html", **values)
    if found.state not in jobs.GOING:
        answer.headers["X-Done"] = "yes"
    return answer


@router.post("/jobs/{id_}/cancel")
def cancel(visit: Operator, id_: Id) -> Response:
    end(visit, id_)
    return see(f"/crawls/jobs/{id_}")


def end(visit: Visit, id_: int) -> None:
    """Ask for the end of a job that waits or runs."""
    with visit.writing() as session:
        found = _job(session, id_)
        if jobs.cancel(session, id_, visit.now):
            visit.record(session, "job cancelled", f"{found.kind} {found.about}")


def elsewhere(job: Job) -> str | None:
    """The page of a job that has another than the common one."""
    if job.kind == Kind.STUDY:
        return f"/outlets/-/studies/{job.id}"
    return f"/crawls/backfills/{job.arguments['id']}" if job.kind == Kind.BACKFILL else None


def _job(session: Session, id_: int) -> Job:
    found = jobs.get(session, id_)
    if found is None:
        raise HTTPException(404, "There is no such job.")
    return found


def _progress(session: Session, visit: Visit, job: Job) -> dict[str, Any]:
    """A job, with the crawls that belong to it."""
    names = job.arguments.get("outlets", [])
    belonging: Sequence[Crawl] = []
    if job.kind == Kind.CRAWL and job.started:
        run = crawls.run_of(session, names, job.started, job.finished)
        belonging = crawls.of_run(session, run) if run else []
    expected = len(names) or len(catalogue().keys() - states.paused(session).keys())
    return {
        "job": job,
        "going": job.state in jobs.GOING,
        "titles": _titles(),
        "run": belonging[0].run if belonging else None,
        "expected": max(expected, len(belonging)),
        "done": sum(crawl.finished is not None for crawl in belonging),
        "sums": {name: sum(getattr(c, name) for c in belonging) for name in COLUMNS},
        "under_way": [
            going for going in crawls.under_way(session, visit.now)
            if belonging and going.run == belonging[0].run
        ],
    }  # fmt: skip


def _now(session: Session, visit: Visit) -> dict[str, Any]:
    """What is under way and what waits: crawls by their runs, and jobs."""
    going = crawls.under_way(session, visit.now)
    by_run: dict[str, list[crawls.Going]] = {}
    for one in going:
        by_run.setdefault(one.run, []).append(one)
    whole = crawls.progress(session, by_run)
    return {
        "progress": [
            {
                "run": name,
                "backfill": under_way[0].backfill_id,
                "under_way": under_way,
                **asdict(whole[name]),
            }
            for name, under_way in by_run.items()
        ],
        "jobs": jobs.jobs(session, going=True),
        "titles": _titles(),
    }


def _in_zone(text: str, zone: ZoneInfo) -> str:
    """`text` with its moments in `zone`, as all others of the page are."""

    def local(found: re.Match[str]) -> str:
        moment = datetime.fromisoformat(f"{found[1]}+00:00").astimezone(zone)
        return f"{moment:%Y-%m-%d %H:%M} {ZONES.get(zone.key, zone.key)}"

    return re.sub(r"(\d{4}-\d\d-\d\d \d\d:\d\d) UTC", local, text)


def _titles() -> dict[str, str]:
    """What the outlets call themselves, by their names."""
    return {name: spider.outlet.title for name, spider in catalogue().items()}


def _key(sort: Sort) -> Any:
    def key(crawl: Crawl) -> tuple[float, str]:
        match sort:
            case "outlet":
                return 0, crawl.outlet
            case "took":
                took = crawl.finished - crawl.started if crawl.finished else timedelta.max
                return -took.total_seconds(), crawl.outlet
            case _:
                return -getattr(crawl, sort), crawl.outlet

    return key
