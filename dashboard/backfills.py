"""Backfills: how far each has come, what it found of every month; begun, paused, resumed and
cancelled."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response
from sqlalchemy.orm import Session

from crawler.past.backfill import begin
from crawler.sources.window import months, window_of
from crawler.spider import OutletSpider
from dashboard.access import Id, Number, Operator, Viewer, Visit
from dashboard.catalogue import catalogue
from dashboard.pages import page, see
from storage import backfills, jobs, states
from storage.backfills import CANCEL, PAUSE, Month, Progress
from storage.jobs import JobState, Kind

router = APIRouter(prefix="/crawls/backfills", include_in_schema=False)

SHOWN = 30  # backfills of a page
OUTLETS = 25  # of a backfill on a page, with a number for every month
MOST_PARTS = 12_000  # months of outlets in one backfill: all of 400 outlets for two years
EARLIEST = date(2000, 1, 1)
DAY = timedelta(days=1)


class FormError(ValueError):
    """A form that cannot be taken; the text, in the visitor's language, says why."""


@router.get("")
def backfills_page(visit: Viewer, number: Number = 1) -> Response:
    with visit.reading() as session:
        ids = backfills.ids(session)
        pages = max(1, -(-len(ids) // SHOWN))
        number = min(max(number, 1), pages)
        shown = [_progress(session, visit, i) for i in ids[(number - 1) * SHOWN : number * SHOWN]]
    return page(visit, "backfills.html", backfills=shown, number=number, pages=pages, one_day=DAY)


@router.get("/new")
def form(visit: Operator, outlets: str = "") -> Response:
    return _form(visit, {"outlets": outlets})


@router.post("")
def begin_one(
    visit: Operator,
    first: Annotated[str, Form()] = "",
    last: Annotated[str, Form()] = "",
    outlets: Annotated[str, Form()] = "",
    province: Annotated[str, Form()] = "",
    max_pages: Annotated[str, Form()] = "",
    delay: Annotated[str, Form()] = "",
    archives: Annotated[bool, Form()] = False,
) -> Response:
    """Begin a backfill: it is noted, and a job that goes on with it asked for."""
    given = {
        "first": first, "last": last, "outlets": outlets, "province": province,
        "max_pages": max_pages, "delay": delay, "archives": archives,
    }  # fmt: skip
    try:
        days = window(visit, first, last)
        spiders = chosen(visit, outlets, province)
        budget = _number(visit, max_pages, 1, 1_000_000)
        pace = _number(visit, delay, 0, 3600)
        id_ = start(
            visit,
            spiders,
            days,
            archives=archives,
            max_pages=int(budget) if budget else None,
            delay=pace,
        )
    except FormError as error:
        return _form(visit, given, 400, error=str(error))
    return see(f"/crawls/backfills/{id_}")


@router.get("/{id_}")
def backfill(visit: Viewer, id_: Id, number: Number = 1) -> Response:
    with visit.reading() as session:
        values = _shown(session, visit, id_)
        names = values["backfill"].outlets
        pages = max(1, -(-len(names) // OUTLETS))
        number = min(max(number, 1), pages)
        rows = [
            _months(session, visit, values["backfill"], name)
            for name in names[(number - 1) * OUTLETS : number * OUTLETS]
        ]
        files = backfills.files(session, id_)
    labels = sorted({month.label for row in rows for month in row.months})
    return page(
        visit, "backfill.html", rows=rows, labels=labels, number=number, pages=pages, files=files,
        **values,
    )  # fmt: skip


@router.get("/{id_}/now")
def backfill_now(visit: Viewer, id_: Id) -> Response:
    """How far a backfill is, as a part of its page."""
    with visit.reading() as session:
        values = _shown(session, visit, id_)
    answer = page(visit, "backfill-now.html", **values)
    if not values["going"]:
        answer.headers["X-Done"] = "yes"
    return answer


@router.get("/{id_}/{outlet}")
def of_outlet(visit: Viewer, id_: Id, outlet: str) -> Response:
    """What a backfill found of an outlet's months, and which listings could not be read."""
    with visit.reading() as session:
        values = _shown(session, visit, id_)
        if outlet not in values["backfill"].outlets:
            raise HTTPException(404, "This outlet is not in this backfill.")
        row = _months(session, visit, values["backfill"], outlet)
        undated = backfills.undated(session, id_, outlet)
        slices = backfills.slices(session, id_, outlet)
        pending = backfills.pending(session, id_, outlet)
    failed = Counter((part.source, part.error) for part in backfills.unreached(slices))
    return page(
        visit,
        "backfill-outlet.html",
        row=row,
        undated=undated,
        pending=pending,
        unread=sum(not part.finished and not part.error for part in slices),
        sources=len({part.source for part in slices}),
        failed=failed.most_common(),
        **values,
    )


@router.post("/{id_}/pause")
def pause(visit: Operator, id_: Id) -> Response:
    """End the process at a backfill, wherever it runs; it can be resumed."""
    stop(visit, id_, PAUSE, "backfill paused")
    return see(f"/crawls/backfills/{id_}")


@router.post("/{id_}/cancel")
def cancel(visit: Operator, id_: Id) -> Response:
    """End a backfill for good; what it found stays."""
    stop(visit, id_, CANCEL, "backfill cancelled")
    return see(f"/crawls/backfills/{id_}")


@router.post("/{id_}/resume")
def resume(visit: Operator, id_: Id) -> Response:
    go_on(visit, id_)
    return see(f"/crawls/backfills/{id_}")


# --- what is done, for the API, too ---------------------------------------------------------------


def start(
    visit: Visit,
    spiders: Sequence[type[OutletSpider]],
    days: tuple[date, date],
    *,
    archives: bool,
    max_pages: int | None,
    delay: float | None,
) -> int:
    """Note a backfill of the first to the last of `days`, and ask for a job that goes on with it;
    gives its id. Raises FormError."""
    if len(spiders) * ((days[1] - days[0]).days / 30 + 1) > MOST_PARTS:
        raise FormError(visit._("That is too much at once: choose fewer outlets or days."))
    with visit.writing() as session:
        id_ = begin(session, spiders, *days, archives=archives, max_pages=max_pages, delay=delay)
        _ask(session, visit, id_)
        visit.record(session, "backfill begun", f"{id_}: {days[0]} – {days[1]}")
    return id_


def go_on(visit: Visit, id_: int) -> None:
    """Resume a backfill that was stopped, or try again what failed in it."""
    with visit.writing() as session:
        if _progress(session, visit, id_).state in ("stopped", "done"):
            backfills.ask(session, id_, None, visit.now)
            _ask(session, visit, id_)
            visit.record(session, "backfill resumed", str(id_))


def stop(visit: Visit, id_: int, what: str, noted: str) -> None:
    """Ask for the end of a backfill: PAUSE or CANCEL."""
    with visit.writing() as session:
        if _progress(session, visit, id_).state not in ("done", "cancelled"):
            backfills.ask(session, id_, what, visit.now)
            for job in jobs.jobs(session, about=_about(id_), going=True):
                jobs.cancel(session, job.id, visit.now)
            visit.record(session, noted, str(id_))


# --- what is shown --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Labelled:
    """A month in its outlet's zone ("2023-07"), with its numbers."""

    label: str
    month: Month


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of an outlet's months."""

    name: str
    title: str
    months: Sequence[Labelled]

    @property
    def by_label(self) -> dict[str, Month]:
        return {labelled.label: labelled.month for labelled in self.months}


def _progress(session: Session, visit: Visit, id_: int) -> Progress:
    found = backfills.get(session, id_, visit.now)
    if found is None:
        raise HTTPException(404, "There is no such backfill.")
    return found


def _shown(session: Session, visit: Visit, id_: int) -> dict[str, Any]:
    """A backfill, how far it is, and what is to be done with it."""
    found = _progress(session, visit, id_)
    asked = jobs.jobs(session, about=_about(id_), limit=1)
    job = asked[0] if asked else None
    waits = job is not None and job.state in jobs.GOING and found.state in ("stopped", "done")
    going = waits or found.running
    is_left = found.state == "stopped" and not waits
    progress = backfills.by_outlet(session, id_)
    delay = max(found.delay or 0, visit.settings.delay)
    return {
        "backfill": found,
        "state": "waiting" if waits else found.state,
        "going": going,
        "last_day": found.until - DAY,
        "one_day": DAY,
        "problem": job.error if job and job.state == JobState.FAILED and is_left else None,
        "progress": progress,
        "busy": [p for p in progress.values() if p.pending][:10],
        # each outlet's pages come one after another
        "seconds": max((p.pending for p in progress.values()), default=0) * delay,
        "titles": {name: spider.outlet.title for name, spider in catalogue().items()},
    }


def _months(session: Session, visit: Visit, found: Progress, name: str) -> Row:
    spider = catalogue().get(name)
    zone = spider.outlet.zone if spider else visit.settings.zone
    days = found.start.date(), (found.until - DAY).date()
    known = backfills.months(session, found.id, name, months(*window_of(*days, zone), zone))
    return Row(
        name,
        spider.outlet.title if spider else name,
        [Labelled(f"{month.start.astimezone(zone):%Y-%m}", month) for month in known],
    )


def _about(id_: int) -> str:
    return f"backfill {id_}"


def _ask(session: Session, visit: Visit, id_: int) -> None:
    jobs.ask(session, Kind.BACKFILL, {"id": id_}, _about(id_), visit.account.name, visit.now)


# --- the form -------------------------------------------------------------------------------------


def _form(
    visit: Visit, given: dict[str, Any], status: int = 200, *, error: str | None = None
) -> Response:
    known = catalogue()
    yesterday = _today(visit) - DAY
    return page(
        visit,
        "backfill-new.html",
        status,
        given={"first": "", "last": "", "province": "", "max_pages": "", "delay": "",
               "archives": False, **given},
        names=[(name, spider.outlet.title) for name, spider in known.items()],
        provinces=sorted({s.outlet.province for s in known.values() if s.outlet.province}),
        earliest=EARLIEST,
        yesterday=yesterday,
        delay=visit.settings.delay,
        error=error,
    )  # fmt: skip


def _today(visit: Visit) -> date:
    return visit.now.astimezone(visit.settings.zone).date()


def window(visit: Visit, first: str, last: str) -> tuple[date, date]:
    try:
        days = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise FormError(visit._("Say which days: the first and the last.")) from None
    if days[1] < days[0]:
        raise FormError(visit._("The last day lies before the first."))
    if days[0] < EARLIEST:
        raise FormError(visit._("The first day is too long ago."))
    if days[1] >= _today(visit):
        raise FormError(visit._("The last day is not over yet; later news is the daily crawl's."))
    return days


def chosen(visit: Visit, outlets: str, province: str) -> list[type[OutletSpider]]:
    """The outlets by their names, of a province, or all; paused ones are left alone."""
    known = catalogue()
    names = [name for part in outlets.replace("\n", ",").split(",") if (name := part.strip())]
    for name in names:
        if name not in known:
            near = get_close_matches(name[:64], known, n=3)
            text = visit._("There is no outlet “%(name)s”.", name=name[:64])
            if near:
                text += " " + visit._("Did you mean %(names)s?", names=", ".join(near))
            raise FormError(text)
    with visit.reading() as session:
        paused = states.paused(session)
    spiders = [
        known[name]
        for name in dict.fromkeys(names or known)
        if name not in paused and province in ("", known[name].outlet.province)
    ]
    if not spiders:
        raise FormError(visit._("No outlet is left: they are paused, or none is like that."))
    return spiders


def _number(visit: Visit, text: str, least: float, most: float) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = -1
    if not least <= number <= most:
        raise FormError(
            visit._("“%(given)s” is not a number that can stand here.", given=text[:40])
        )
    return number
