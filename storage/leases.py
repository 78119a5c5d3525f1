"""Leases in the database: the right to do one thing, held by one process at a time.

They are rows, not locks: a holder that dies loses its right when the lease ends. Who goes before
the holder says that it wants the lease; the holder, who gives way, lends it.
"""

from datetime import datetime, timedelta

from sqlalchemy import and_, case, delete, or_, select, true, update
from sqlalchemy.orm import Session

from storage.models import Lease
from storage.writing import upsert

LAST = "last "  # so begins the name of a holder who gives way to others
WANTED = timedelta(seconds=5)  # so long it counts that somebody wants a lease


def acquire(
    session: Session, name: str, owner: str, seconds: float, now: datetime, *, last: bool = False
) -> bool:
    """Take the lease `name` for `seconds`, or prolong it: whether `owner` has it now.

    Never given where it is done, nor while another's has not ended; to who comes `last`, nor while
    somebody wants it."""
    insert = upsert(session, Lease).values(
        name=name, owner=owner, expires=now + timedelta(seconds=seconds), done=False
    )
    mine = Lease.owner == owner
    unwanted = or_(Lease.wanted.is_(None), Lease.wanted < now - WANTED) if last else true()
    taken = insert.on_conflict_do_update(
        index_elements=[Lease.name],
        set_={
            "owner": insert.excluded.owner,
            "expires": insert.excluded.expires,
            "wanted": case((mine, Lease.wanted), else_=None),
        },
        where=~Lease.done & or_(mine, and_(Lease.expires < now, unwanted)),
    ).returning(Lease.owner)
    return session.scalar(taken) == owner


def want(session: Session, name: str, now: datetime) -> None:
    """Say that the lease is wanted: a holder who comes last lends it. Say it again until it is
    had: it is forgotten after `WANTED`."""
    session.execute(update(Lease).where(Lease.name == name).values(wanted=now))


def is_wanted(session: Session, name: str, now: datetime) -> bool:
    """Whether somebody wants the lease."""
    wanted = session.scalar(select(Lease.wanted).where(Lease.name == name))
    return wanted is not None and wanted >= now - WANTED


def lend(session: Session, name: str, owner: str, now: datetime) -> None:
    """End the lease for the sake of who wants it; others who come last wait behind that one."""
    session.execute(
        update(Lease)
        .where(Lease.name == name, Lease.owner == owner)
        .values(expires=now - timedelta(microseconds=1), owner="")
    )


def holder(session: Session, name: str, now: datetime) -> str | None:
    """Who has the lease; None where nobody has."""
    return session.scalar(select(Lease.owner).where(Lease.name == name, Lease.expires >= now))


def expires(session: Session, name: str) -> datetime | None:
    """When the lease ends, or ended."""
    return session.scalar(select(Lease.expires).where(Lease.name == name))


def release(session: Session, name: str, owner: str) -> None:
    """Give the lease back."""
    session.execute(delete(Lease).where(Lease.name == name, Lease.owner == owner, ~Lease.done))


def finish(session: Session, name: str, owner: str) -> None:
    """Mark as done, for good, what the lease was for."""
    session.execute(update(Lease).where(Lease.name == name, Lease.owner == owner).values(done=True))
