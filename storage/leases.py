"""Leases in the database: the right to do one thing, held by one process at a time.

They are rows, not locks: a holder that dies loses its right when the lease ends.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from storage.links import upsert
from storage.models import Lease


def acquire(session: Session, name: str, owner: str, seconds: float, now: datetime) -> bool:
    """Take the lease `name` for `seconds`, or prolong it: whether `owner` has it now.

    Never given where it is done, nor while another's has not ended."""
    insert = upsert(session, Lease).values(
        name=name, owner=owner, expires=now + timedelta(seconds=seconds), done=False
    )
    taken = insert.on_conflict_do_update(
        index_elements=[Lease.name],
        set_={"owner": insert.excluded.owner, "expires": insert.excluded.expires},
        where=~Lease.done & or_(Lease.expires < now, Lease.owner == owner),
    ).returning(Lease.owner)
    return session.scalar(taken) == owner


def release(session: Session, name: str, owner: str) -> None:
    """Give the lease back."""
    session.execute(delete(Lease).where(Lease.name == name, Lease.owner == owner, ~Lease.done))


def finish(session: Session, name: str, owner: str) -> None:
    """Mark as done, for good, what the lease was for."""
    session.execute(update(Lease).where(Lease.name == name, Lease.owner == owner).values(done=True))


def is_done(session: Session, name: str) -> bool:
    """Whether what the lease `name` is for has been done."""
    return bool(session.scalar(select(Lease.done).where(Lease.name == name)))
