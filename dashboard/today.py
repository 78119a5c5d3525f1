"""Today: what is new since somebody last looked, and how the night's crawl went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import Response
from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard import workers
from dashboard.access import Viewer
from dashboard.findings import Asked, shown
from dashboard.pages import page, see
from extract.article import Place
from storage import people, runs, trends
from storage.models import Finding, FindingPlace, Review
from storage.runs import Run

router = APIRouter(include_in_schema=False)

SHOWN = 100  # stories
# What is being stored has its time already, but nobody can see it: it must not pass for seen.
SETTLED = timedelta(minutes=2)
WINDOWS = {"day": timedelta(days=1), "week": timedelta(days=7)}
LATE = timedelta(hours=30)  # without a daily crawl


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page says of a story's newest report, besides its title."""

    proof: str | None
    place: Place | None
    state: str
    borderline: bool
    paid: bool
    quiet: bool


@router.get("/")
def today_page(visit: Viewer, last: Literal["", "day", "week"] = "", old: str = "") -> Response:
    """What is new: unseen, or of the last day or week, seen or not."""
    until = visit.now - SETTLED
    looked = visit.account.looked
    limit = timedelta(hours=visit.settings.crawl_hours)
    since = until - WINDOWS[last] if last else looked or until - WINDOWS["week"]
    with visit.reading() as session:
        today = trends.today(session, min(since, until), until, quiet=bool(old), limit=SHOWN)
        about = _about(session, [story.newest.id for story in today.stories])
        run = _night(session, visit.now)
    return page(
        visit,
        "today.html",
        today=today,
        about=about,
        until=until,
        looked=looked,
        last=last,
        old=bool(old),
        all_of_it=Asked(found=since).query(),
        weightier={kind: place for place, kind in enumerate(trends.GRAVITY)},
        run=run,
        is_going=run is not None and runs.is_going([run], visit.now, limit),
        is_cut_short=run is not None and run.finished < run.outlets * runs.MOST,
        nobody_works=visit.settings.queue and workers.see(visit).is_stuck,
        is_late=run is None or visit.now - run.started > LATE,
        **shown(),
    )


@router.post("/seen")
def mark_seen(visit: Viewer, until: Annotated[AwareDatetime, Form()]) -> Response:
    """Whoever saw the page has seen what was found `until` then, and nothing that came later."""
    seen = min(max(until, visit.account.looked or until), visit.now).astimezone(UTC)
    with visit.writing() as session:
        people.look(session, visit.account.id, seen)
        visit.notice(session, visit._("Marked as seen; the last day and week can be seen again."))
    return see("/")


def _night(session: Session, now: datetime) -> Run | None:
    """The newest daily crawl."""
    return next(iter(runs.whole(runs.runs(session, now))), None)


def _about(session: Session, ids: Sequence[int]) -> dict[int, Shown]:
    query = (
        select(
            Finding.id,
            Finding.evidence,
            Finding.borderline,
            Finding.paid,
            Finding.quiet,
            Review.state,
            FindingPlace,
        )
        .outerjoin(Review, Review.finding_id == Finding.id)
        .outerjoin(
            FindingPlace, (FindingPlace.finding_id == Finding.id) & (FindingPlace.position == 0)
        )
        .where(Finding.id.in_(ids))
    )
    return {
        id_: Shown(
            proof=next((sentence["text"] for sentence in evidence), None),
            place=Place(spot.code, spot.level, spot.name, spot.province) if spot else None,
            state=state or "new",
            borderline=borderline,
            paid=paid,
            quiet=quiet,
        )
        for id_, evidence, borderline, paid, quiet, state, spot in session.execute(query)
    }
