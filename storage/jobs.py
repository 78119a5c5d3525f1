"""What people ask for in the browser: a row for each, which a process that does such takes.

Whoever takes a job holds its lease and renews it, so that no two do the same; a job whose process
died is taken up again when the lease ends.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from storage import leases
from storage.models import Job

KEPT = timedelta(days=90)  # after its end
TRIES = 3  # of a job whose process died each time


class JobState(StrEnum):
    """What became of a job. WAITING and RUNNING are its states before the end."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"  # though with errors, perhaps
    FAILED = "failed"
    CANCELLED = "cancelled"


GOING = (JobState.WAITING, JobState.RUNNING)


class Kind(StrEnum):
    """What can be asked for. All of it can be begun again where it was cut short."""

    CRAWL = "crawl"  # of the "outlets", all where there are none
    CHECK = "check"  # of the sources of "outlets"
    STUDY = "study"  # of the site at "url", with what is known of it
    BACKFILL = "backfill"  # goes on with that of "id"


def ask(
    session: Session,
    kind: Kind,
    arguments: Mapping[str, Any],
    about: str,
    who: str | None,
    now: datetime,
) -> int:
    """Ask for a job; gives its id: that of the same one, where it waits or runs already."""
    session.execute(delete(Job).where(Job.finished < now - KEPT))
    about = about[:255]
    for there in session.scalars(select(Job).where(Job.about == about, Job.state.in_(GOING))):
        if (there.kind, there.arguments, there.cancelled) == (kind, {**arguments}, None):
            return there.id
    job = Job(
        kind=kind,
        arguments={**arguments},
        about=about,
        who=who,
        asked=now,
        state=JobState.WAITING,
    )
    session.add(job)
    session.flush()
    return job.id


def get(session: Session, job_id: int) -> Job | None:
    """The job of this id; None where there is none."""
    return session.get(Job, job_id)


def jobs(
    session: Session,
    *,
    kinds: Collection[Kind] = tuple(Kind),
    about: str | None = None,
    going: bool = False,
    limit: int = 20,
) -> Sequence[Job]:
    """Jobs, the newest first: of these `kinds`, `about` something, only those `going`."""
    query = select(Job).where(Job.kind.in_(kinds)).order_by(Job.id.desc()).limit(limit)
    if about is not None:
        query = query.where(Job.about == about)
    if going:
        query = query.where(Job.state.in_(GOING))
    return session.scalars(query).all()


def cancel(session: Session, job_id: int, now: datetime) -> bool:
    """Ask for a job's end: one that waits has ended with that. Whether there was still something
    to end."""
    waiting = Job.id == job_id, Job.state == JobState.WAITING
    ended = {"state": JobState.CANCELLED, "cancelled": now, "finished": now}
    if session.scalar(update(Job).where(*waiting).values(ended).returning(Job.id)):
        return True
    running = Job.id == job_id, Job.state == JobState.RUNNING
    asked = update(Job).where(*running, Job.cancelled.is_(None)).values(cancelled=now)
    return session.scalar(asked.returning(Job.id)) is not None


# --- doing them -----------------------------------------------------------------------------------


def is_any_left(session: Session) -> bool:
    """Whether a job waits or runs."""
    return session.scalar(select(Job.id).where(Job.state.in_(GOING)).limit(1)) is not None


def take(
    session: Session, kinds: Collection[Kind], seconds: float, now: datetime
) -> tuple[Job, str] | None:
    """The oldest job of these `kinds` that nobody does, for `seconds` at first, and who does it
    now: the owner of its lease, for `keep`, `finish` and `put_back`."""
    query = select(Job).where(Job.kind.in_(kinds), Job.state.in_(GOING)).order_by(Job.id)
    for job in session.scalars(query.with_for_update(skip_locked=True)):
        owner = secrets.token_hex(8)
        if not leases.acquire(session, _lease(job.id), owner, seconds, now):
            continue
        if job.cancelled or job.tries >= TRIES:
            why = f"The process that did it ended, {job.tries} times."
            finish(
                session,
                job.id,
                owner,
                JobState.CANCELLED if job.cancelled else JobState.FAILED,
                now,
                error=None if job.cancelled else why,
            )
            continue
        job.state, job.started, job.tries = JobState.RUNNING, now, job.tries + 1
        session.flush()
        session.expunge(job)
        return job, owner
    return None


def keep(session: Session, job_id: int, owner: str, seconds: float, now: datetime) -> bool:
    """Renew the lease of a job; whether to go on with it: it is still the owner's, and nobody asked
    for its end."""
    mine = leases.acquire(session, _lease(job_id), owner, seconds, now)
    cancelled = select(Job.cancelled).where(Job.id == job_id, Job.state == JobState.RUNNING)
    rows = session.scalars(cancelled).all()
    return mine and rows == [None]


def finish(
    session: Session,
    job_id: int,
    owner: str,
    state: JobState,
    now: datetime,
    *,
    result: Sequence[Any] = (),
    error: str | None = None,
) -> None:
    """Note how a job ended, unless another does it now."""
    if leases.holder(session, _lease(job_id), now) not in (owner, None):
        return
    values = {"state": state, "finished": now, "result": [*result], "error": error}
    session.execute(update(Job).where(Job.id == job_id).values(values))
    leases.release(session, _lease(job_id), owner)


def put_back(session: Session, job_id: int, owner: str) -> None:
    """Let another process do a job that was begun; this one ends."""
    again = {"state": JobState.WAITING, "tries": Job.tries - 1}
    session.execute(
        update(Job).where(Job.id == job_id, Job.state == JobState.RUNNING).values(again)
    )
    leases.release(session, _lease(job_id), owner)


def _lease(job_id: int) -> str:
    return f"job {job_id}"
