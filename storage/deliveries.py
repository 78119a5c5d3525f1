"""Deliveries, as they are looked at: messages sent, waiting and given up."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from storage.models import Channel, Delivery, Owed, Rule

SENT, WAITING, GIVEN_UP = STATES = ("sent", "waiting", "given up")
LATEST = 3000
_WHICH = {
    SENT: Delivery.sent.is_not(None),
    WAITING: Delivery.sent.is_(None) & Delivery.given_up.is_(None),
    GIVEN_UP: Delivery.given_up.is_not(None) & Delivery.sent.is_(None),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A message, without what it says. `rule` is None where it is for operators, or the rule was
    removed; `next_try` counts while it waits, `error` is what came of the last try."""

    id: int
    key: str
    channel: str
    rule_id: int | None
    rule: str | None
    kind: str
    title: str
    created: datetime
    attempts: int
    next_try: datetime
    sent: datetime | None
    given_up: datetime | None
    error: str | None

    @property
    def state(self) -> str:
        """One of STATES."""
        return SENT if self.sent else GIVEN_UP if self.given_up else WAITING


@dataclass(frozen=True, slots=True)
class Waits:
    """What is owed to a rule and in no message yet: how much, and since when it is due."""

    count: int
    due: datetime


_LISTED: Select[*tuple[Any, ...]] = (
    select(
        Delivery.id,
        Delivery.key,
        Channel.name,
        Delivery.rule_id,
        Rule.name,
        Delivery.kind,
        Delivery.message["title"].as_string(),
        Delivery.created,
        Delivery.attempts,
        Delivery.next_try,
        Delivery.sent,
        Delivery.given_up,
        Delivery.error,
    )
    .join(Channel, Channel.id == Delivery.channel_id)
    .outerjoin(Rule, Rule.id == Delivery.rule_id)
)


def listed(
    session: Session,
    limit: int,
    *,
    channel: str = "",
    rule: str = "",
    state: str = "",
    before: int | None = None,
) -> list[Listed]:
    """The newest messages, those of a channel, a rule (by their names) or one of STATES alone;
    with `before`, only those with lower ids."""
    query = _LISTED.order_by(Delivery.id.desc()).limit(limit)
    if channel:
        query = query.where(Channel.name == channel)
    if rule:
        query = query.where(Rule.name == rule)
    if state:
        query = query.where(_WHICH[state])
    if before is not None:
        query = query.where(Delivery.id < before)
    return [_listed(row) for row in session.execute(query)]


def get(session: Session, id_: int) -> tuple[Listed, dict[str, Any]] | None:
    """One message and its forms; see `alerts.messages.Message`."""
    row = session.execute(_LISTED.where(Delivery.id == id_)).one_or_none()
    if row is None:
        return None
    return _listed(row), session.get_one(Delivery, id_).message


def _listed(row: Row[*tuple[Any, ...]]) -> Listed:
    return Listed(*row)


def last_sent(session: Session) -> dict[int, datetime]:
    """When each rule was last sent something, by its id, as far as the LATEST messages tell."""
    latest = select(Delivery.rule_id, Delivery.sent).where(Delivery.sent.is_not(None))
    rows = session.execute(latest.order_by(Delivery.sent.desc()).limit(LATEST)).all()
    return {rule: sent for rule, sent in reversed(rows) if rule is not None and sent is not None}


def owed(session: Session) -> dict[int, Waits]:
    """What waits to become a message, by the id of its rule."""
    rows = session.execute(
        select(Owed.rule_id, func.count(), func.min(Owed.due))
        .join(Rule, (Rule.id == Owed.rule_id) & Rule.channel_id.is_not(None))
        .where(Owed.delivery_id.is_(None))
        .group_by(Owed.rule_id)
    )
    return {rule: Waits(count, due) for rule, count, due in rows}


def channels(session: Session) -> list[str]:
    """The names of all channels, in order."""
    return list(session.scalars(select(Channel.name).order_by(Channel.name)))
