"""One finding: its text with the proof marked, its wordings, its stored pages, its review."""

import codecs
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, cast

import zstandard
from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, load_only

from dashboard import texts
from dashboard.access import Id, Reviewer, Viewer, Visit
from dashboard.findings import Asked, View, reviewers, shown, wanted
from dashboard.pages import page, see
from settings import DOWNLOAD_MAXSIZE
from storage import people, reviews, search
from storage.models import Finding, Revision, Snapshot
from storage.reviews import Change, ConflictError, Review, ReviewError
from storage.search import STATES, State
from storage.stories import Report, local_time

router = APIRouter(prefix="/findings", include_in_schema=False)

REPORTS = 50  # of a story, that the page lists
WORDINGS = 100  # that the page lists
LONGEST = 200_000  # characters of a text that the page shows

# The page's own scripts, forms and links to other hosts are dead, even where it is opened alone.
FRAMED = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    "Cross-Origin-Opener-Policy": "unsafe-none",  # another one refuses what is sandboxed
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
    "X-Frame-Options": "SAMEORIGIN",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """One page of a wording, as it was fetched, without its bytes."""

    revision: int
    page: int
    url: str
    fetched: datetime
    charset: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Wording:
    """A wording of an article, by its number."""

    number: int
    fetched: datetime
    title: str
    text: str


@router.get("/{id_:int}")
def finding_page(visit: Viewer, id_: Id, asked: View) -> Response:
    return _finding(visit, id_, asked)


@router.get("/{id_:int}/next")
def next_unreviewed(visit: Viewer, id_: Id, asked: View) -> Response:
    """The next finding of the list that nobody has reviewed; after the last one, the first."""
    sought = wanted(visit, asked.model_copy(update={"state": ("new",)}))
    with visit.reading() as session:
        told = session.scalar(select(Finding.told).where(Finding.id == id_))
        if told is None:
            raise _nowhere()
        after = f"{(told << search.IDS) + id_:x}.0"
        found = search.page(session, sought, after, limit=1).rows
        first = next(search.ids(session, sought, batch=2), None)
    onward = found[0].id if found else first
    if onward is None or onward == id_:
        with visit.writing() as session:
            visit.notice(session, visit._("Everything in this list has been reviewed."))
        return see(f"/findings{asked.query()}")
    return see(f"/findings/{onward}{asked.query()}")


@router.post("/{id_:int}/review")
def review(
    visit: Reviewer,
    id_: Id,
    asked: View,
    version: Annotated[int, Form()],
    state: Annotated[str, Form()],
    relevant: Annotated[Literal["", "yes", "no"], Form()] = "",
    kind: Annotated[str, Form()] = "",
    assigned_to: Annotated[Literal[""] | int, Form()] = "",
    note: Annotated[str, Form()] = "",
    then: Annotated[str, Form()] = "",
) -> Response:
    """Change the review, unless somebody else has done so since the reviewer opened the page."""
    change = Change(
        state=cast(State, state),
        relevant={"yes": True, "no": False}.get(relevant),
        kind=kind or None,
        assigned_to=assigned_to or None,
        note=note.replace("\r\n", "\n"),
    )
    try:
        with visit.writing() as session:
            before = reviews.get(session, id_)
            if before is None:
                raise _nowhere()
            may = {one.id for one in reviewers(people.people(session))} | {before.assigned_to}
            if change.assigned_to is not None and change.assigned_to not in may:
                raise ReviewError(visit._("Whom you chose cannot review findings."))
            after = reviews.review(
                session, id_, visit.account.id, change, visit.now, version=version
            )
            if after.version != before.version:
                visit.record(session, "finding reviewed", str(id_))
                visit.notice(session, visit._("Your review is saved."))
    except ConflictError:
        said = visit._("Somebody else has changed this review meanwhile; yours is not saved.")
        return _finding(visit, id_, asked, 409, error=said, refused=change)
    except ReviewError as error:
        return _finding(visit, id_, asked, 400, error=str(error), refused=change)
    onward = "/next" if then == "next" else ""
    return see(f"/findings/{id_}{onward}{asked.query()}")


@router.get("/{id_:int}/revisions/{number:int}")
def wording_page(visit: Viewer, id_: Id, number: Id, asked: View) -> Response:
    """A wording as a difference from the one before, with the pages that prove it."""
    with visit.reading() as session:
        finding = session.get(Finding, id_, options=[load_only(Finding.title)])
        both = [_wording(session, id_, at) for at in (number - 1, number)]
        stored = _stored(session, id_, number)
    before, after = both
    if finding is None or after is None:
        raise _nowhere()
    return page(
        visit,
        "wording.html",
        asked=asked,
        id=id_,
        title=finding.title,
        wording=after,
        changes=_changes(before, after),
        stored=stored,
        **shown(),
    )


@router.get("/{id_:int}/snapshots/{number:int}/{part:int}")
def snapshot(visit: Viewer, id_: Id, number: Id, part: Id) -> Response:
    """A stored page as it was fetched; it can do nothing. A frame shows it."""
    html, charset = _html(visit, id_, number, part)
    return Response(html, headers={**FRAMED, "Content-Type": f"text/html{charset}"})


@router.get("/{id_:int}/snapshots/{number:int}/{part:int}/raw")
def raw(visit: Viewer, id_: Id, number: Id, part: Id) -> Response:
    """The bytes of a stored page, of which its SHA-256 is, to download."""
    html, _ = _html(visit, id_, number, part)
    name = f"pantau-{id_}-{number}-{part}.html"
    return Response(
        html,
        media_type="application/octet-stream",
        headers={**FRAMED, "Content-Disposition": f'attachment; filename="{name}"'},
    )


def _finding(
    visit: Visit,
    id_: int,
    asked: Asked,
    status: int = 200,
    *,
    error: str | None = None,
    refused: Change | None = None,
) -> Response:
    with visit.reading() as session:
        row = session.get(Finding, id_)
        review = reviews.get(session, id_)
        if row is None or review is None:
            raise _nowhere()
        wordings = _wordings(session, id_)
        # the page shows the wording that proves the finding best, which need not be the newest
        proof = _proof(session, row)
        before, after = (_wording(session, id_, wordings[0].number - at) for at in (1, 0))
        team = people.people(session)
        return page(
            visit,
            "finding.html",
            status,
            asked=asked,
            row=row,
            published=local_time(row),
            title=_marked(row, "title"),
            text=_marked(row, "text"),
            is_cut=len(row.text) > LONGEST,
            clues=_clues(row),
            reports=_reports(session, row),
            wordings=wordings,
            changes=_changes(before, after) if before else None,
            stored=_stored(session, id_, proof),
            review=review,
            history=reviews.history(session, id_),
            refused=refused,
            names={one.id: one.name for one in team},
            reviewers=_assignable(team, review),
            states=STATES,
            error=error,
            **shown(),
        )


def _nowhere() -> HTTPException:
    return HTTPException(404, "There is no such finding.")


def _marked(row: Finding, where: str) -> list[texts.Piece]:
    """The title or text with its proving sentences marked."""
    marks = [
        (sentence["start"], sentence["end"])
        for sentence in row.evidence
        if sentence.get("where", "text") == where
    ]
    return texts.marked((row.title if where == "title" else row.text)[:LONGEST], marks)


def _clues(row: Finding) -> dict[str, list[str]]:
    """What in the proving sentences told, by what it is."""
    found: dict[str, dict[str, None]] = {}
    for clue in (clue for sentence in row.evidence for clue in sentence.get("clues", ())):
        found.setdefault(clue["what"], {})[clue["text"].lower()] = None
    return {what: list(said) for what, said in found.items()}


def _reports(session: Session, row: Finding) -> list[Report]:
    """The story's other reports, the first told first."""
    if row.story_id is None:
        return []
    columns = load_only(
        Finding.outlet,
        Finding.title,
        Finding.url,
        Finding.published,
        Finding.published_offset,
        Finding.kind,
    )
    query = (
        select(Finding)
        .options(columns)
        .where(Finding.story_id == row.story_id, Finding.id != row.id)
        .order_by(Finding.told, Finding.id)
        .limit(REPORTS + 1)
    )
    return [
        Report(other.id, other.outlet, other.title, other.url, local_time(other), other.kind)
        for other in session.scalars(query)
    ]


def _wordings(session: Session, id_: int) -> Sequence[Row[int, datetime]]:
    """The numbers of the wordings and when each was first fetched, the newest first."""
    query = select(Revision.number, Revision.fetched).where(Revision.finding_id == id_)
    return session.execute(query.order_by(Revision.number.desc()).limit(WORDINGS)).all()


def _wording(session: Session, id_: int, number: int) -> Wording | None:
    query = select(
        Revision.number,
        Revision.fetched,
        func.substr(Revision.title, 1, LONGEST),
        func.substr(Revision.text, 1, LONGEST),
    ).where(Revision.finding_id == id_, Revision.number == number)
    found = session.execute(query).one_or_none() if 0 < number < 2**31 else None
    return Wording(*found) if found else None


def _proof(session: Session, row: Finding) -> int:
    """The number of the newest wording that the finding shows."""
    query = select(func.max(Revision.number)).where(
        Revision.finding_id == row.id, Revision.title == row.title, Revision.text == row.text
    )
    return session.scalar(query) or 1


def _changes(before: Wording | None, after: Wording | None) -> list[texts.Piece] | None:
    """What a wording changed: the title, and the text below it."""
    if before is None or after is None:
        return None
    return texts.difference(f"{before.title}\n{before.text}", f"{after.title}\n{after.text}")


def _stored(session: Session, id_: int, number: int) -> list[Stored]:
    """The stored pages of a wording, without their bytes."""
    query = (
        select(
            Revision.number,
            Snapshot.page,
            Snapshot.url,
            Snapshot.fetched,
            Snapshot.charset,
            Snapshot.sha256,
        )
        .join(Revision, Revision.id == Snapshot.revision_id)
        .where(Revision.finding_id == id_, Revision.number == number)
        .order_by(Snapshot.page)
    )
    return [Stored(*found) for found in session.execute(query)]


def _html(visit: Visit, id_: int, number: int, part: int) -> tuple[bytes, str]:
    """The bytes of a stored page, and what its Content-Type says of their charset."""
    query = (
        select(Snapshot.html, Snapshot.charset)
        .join(Revision, Revision.id == Snapshot.revision_id)
        .where(
            Revision.finding_id == id_,
            Revision.number == number,
            Snapshot.page == part,
        )
    )
    with visit.reading() as session:
        found = session.execute(query).one_or_none()
    if found is None:
        raise HTTPException(404, "There is no such page.")
    packed = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(found.html))
    html = packed.read(DOWNLOAD_MAXSIZE + 1)
    if len(html) > DOWNLOAD_MAXSIZE:
        raise HTTPException(413, "This page is too large to be shown.")
    try:
        return html, f"; charset={codecs.lookup(found.charset).name}" if found.charset else ""
    except LookupError:
        return html, ""  # the page itself may say


def _assignable(team: Sequence[people.Account], review: Review) -> list[people.Account]:
    """Whom a finding may be assigned to, and whom it is."""
    may = reviewers([*team])
    return may + [one for one in team if one.id == review.assigned_to and one not in may]
