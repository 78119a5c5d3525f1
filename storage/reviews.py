"""Reviews: what the team says of a finding, and who said what when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from extract.lexicon import KINDS
from storage import outbox, search
from storage.models import Finding, ReviewChange
from storage.models import Review as Row
from storage.search import State

NOTE = 10_000  # characters of a note


class ReviewError(ValueError):
    """A review that cannot be: its text is one sentence for the reviewer."""


class ConflictError(ReviewError):
    """Somebody else has changed the review meanwhile."""


class Unchanged:
    """What a change leaves as it is."""


UNCHANGED: Final = Unchanged()


@dataclass(frozen=True, slots=True)
class Change:
    """What to change of a review; None takes back what was said. `assigned_to` is a person's id."""

    state: State | Unchanged = UNCHANGED
    relevant: bool | Unchanged | None = UNCHANGED
    kind: str | Unchanged | None = UNCHANGED
    assigned_to: int | Unchanged | None = UNCHANGED
    note: str | Unchanged | None = UNCHANGED


@dataclass(frozen=True, slots=True)
class Review:
    """What is said of a finding. `kind` is the kind as corrected, `judged` what Pantau judged;
    `changed` is when it last was, UTC (None: nobody has said anything yet). `version` grows with
    each change."""

    finding: int
    state: State
    relevant: bool | None
    kind: str | None
    judged: str
    assigned_to: int | None
    note: str | None
    changed: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Changed:
    """One field that somebody changed; `person` is an id, None where the system did."""

    id: int
    person: int | None
    at: datetime
    field: str
    before: Any
    after: Any


def get(session: Session, finding_id: int) -> Review | None:
    """The review of a finding, that of a new one where nobody said anything; None: there is no such
    finding."""
    finding = session.get(Finding, finding_id) if 0 < finding_id < 2**31 else None
    if finding is None:
        return None
    return _review(finding, session.get(Row, finding_id))


def review(
    session: Session,
    finding_id: int,
    person_id: int | None,
    change: Change,
    now: datetime,
    *,
    version: int | None = None,
) -> Review:
    """Change the review of a finding, and note it in its history; gives it as it is now.

    The last writer wins, field by field; with `version`, that of the review the reviewer saw, it is
    refused where another has changed it since. Raises ReviewError, and ConflictError then."""
    wanted = _valid(change)
    found = select(Finding).where(Finding.id == finding_id).with_for_update()
    finding = session.scalar(found) if 0 < finding_id < 2**31 else None
    if finding is None:
        raise ReviewError(f"There is no finding {finding_id}.")
    row = session.get(Row, finding_id)
    if version is not None and version != (row.version if row else 0):
        raise ConflictError("Somebody else has changed this review meanwhile: look at it again.")
    if row is None:
        row = Row(finding_id=finding_id, state="new", judged=finding.kind, changed=now, version=0)
        row.relevant = row.kind = row.assigned_to = row.note = None
    changes = [
        ReviewChange(
            finding_id=finding_id,
            person_id=person_id,
            at=now,
            field=field,
            before=getattr(row, field),
            after=value,
        )
        for field, value in wanted.items()
        if value != getattr(row, field)
    ]
    if not changes:
        return _review(finding, row)
    session.add_all([row, *changes])
    for made in changes:
        setattr(row, made.field, made.after)
    session.flush()
    row.changed, row.version = now, changes[-1].id
    finding.kind = row.kind or row.judged
    dismissed = row.relevant is False and not finding.dismissed
    finding.dismissed = row.relevant is False
    search.describe(finding, row)
    if dismissed and finding.story_id:
        outbox.withdraw(session, finding, now)
    session.flush()
    return _review(finding, row)


def history(session: Session, finding_id: int) -> list[Changed]:
    """What was changed of a finding's review, the first change first."""
    rows = session.scalars(
        select(ReviewChange).where(ReviewChange.finding_id == finding_id).order_by(ReviewChange.id)
    )
    return [Changed(r.id, r.person_id, r.at, r.field, r.before, r.after) for r in rows]


def _valid(change: Change) -> dict[str, Any]:
    fields = ("state", "relevant", "kind", "assigned_to", "note")
    wanted = {
        name: value for name in fields if not isinstance(value := getattr(change, name), Unchanged)
    }
    if "state" in wanted and wanted["state"] not in get_args(State):
        raise ReviewError(f"There is no state “{wanted['state']}”.")
    if wanted.get("kind") not in (None, *KINDS, "other"):
        raise ReviewError(f"There is no kind “{wanted['kind']}”.")
    if "note" in wanted:
        wanted["note"] = (wanted["note"] or "").strip() or None
        if len(wanted["note"] or "") > NOTE:
            raise ReviewError(f"A note has {NOTE} characters at the most.")
    return wanted


def _review(finding: Finding, row: Row | None) -> Review:
    if row is None:
        return Review(finding.id, "new", None, None, finding.kind, None, None, None, 0)
    changed = row.changed if row.version else None
    return Review(
        finding.id,
        cast(State, row.state),
        row.relevant,
        row.kind,
        row.judged,
        row.assigned_to,
        row.note,
        changed,
        row.version,
    )
