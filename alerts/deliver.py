"""Delivery: what is owed becomes messages, and messages are sent until they are taken.

A message is written once, with an id that every attempt to send it bears. The messages of a channel
are sent one after the other: while one is not taken, the next ones wait, and what is owed gathers
behind it. That one was sent is noted in a transaction of its own, right after: who is killed
between the two leaves a repeat with the same id, and nothing is lost.
"""

import logging
import random
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Engine, delete, func, or_, select
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from alerts import channels, messages, news, notices
from alerts.errors import AddressError, DeliveryError
from alerts.messages import Message
from settings import Settings
from storage import leases, outbox
from storage.database import reading
from storage.models import Channel, Delivery, Owed, Rule
from storage.rules import Stored

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 10  # alerts of one rule within FLOOD; more become one summary
FLOOD = timedelta(minutes=15)
GATHERED = timedelta(seconds=20)  # without another one: then what a crawl finds is told at once
GATHERED_AT_MOST = timedelta(minutes=2)
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=1)
LEAST_ATTEMPTS = 4  # even of a message that is old when its turn comes
KEPT = timedelta(days=90)  # messages that were sent or given up
LONGEST_WAIT = timedelta(hours=6)  # that a receiver may ask for
CHANNELS_AT_A_TIME = 8
LONGEST_RUN = timedelta(minutes=1)  # of one channel; the next run goes on

TAKING_UP = "alerts are taken up"

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one attempt to send: `error` says why it was not taken, None where it was."""

    id: int
    channel: str
    kind: str
    title: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message that was not sent: it waits for its next try or its turn, or was given up."""

    id: int
    key: str
    channel: str
    rule: str | None
    kind: str
    title: str
    created: datetime
    attempts: int
    next_try: datetime
    given_up: datetime | None
    error: str | None


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def run(
    engine: Engine, current: Settings, clock: Clock = now, *, gathers: bool = False
) -> list[Sent]:
    """Write the messages that are due and send what can be sent, until nothing is left to do; what
    became of it. Who `gathers` waits a moment for what else a crawl may find just now."""
    done: list[Sent] = []
    while True:
        with Session(engine) as session, session.begin():
            take_up(session, clock(), current, gathers=gathers)
        sent = send_due(engine, current, clock)
        done += sent
        if not sent:
            return done


def take_up(
    session: Session, moment: datetime, current: Settings, *, gathers: bool = False
) -> None:
    """Write the messages for what is owed and due. Of a channel that fails nothing is taken up, and
    what was is owed again: what gathers meanwhile is folded when it is well again. Old messages are
    forgotten."""
    # within the transaction: who comes second waits for its end, so that no order is mixed up
    me = secrets.token_hex(8)
    leases.acquire(session, TAKING_UP, me, 1, moment)
    channel_of = {
        row.id: row.channel_id for row in session.execute(select(Rule.id, Rule.channel_id))
    }
    tried = select(Delivery.channel_id).where(_waits(session, moment), Delivery.attempts > 0)
    failing = set(session.scalars(tried))
    for channel_id in failing:
        _withdraw(session, channel_id, me, moment)
    for stored, owed in outbox.waiting(session, moment, current.digest_at):
        channel_id = channel_of[stored.id]
        if (
            channel_id is None
            or channel_id in failing
            or (gathers and _gathers(stored, owed, moment))
        ):
            continue
        for key, message, taken in _messages(session, stored, owed, moment):
            delivery = _write(session, channel_id, stored.id, key, message, moment)
            outbox.take_up(session, delivery, [row.id for row in taken])
    old = moment - KEPT
    outbox.forget(session, or_(Delivery.sent < old, Delivery.given_up < old))
    leases.release(session, TAKING_UP, me)


def _withdraw(session: Session, channel_id: int, me: str, moment: datetime) -> None:
    """Owe again what stands in alerts that wait, untried, behind the message that the channel does
    not take. With the channel's lease: nobody is sending them."""
    lease = _lease(channel_id)
    if not leases.acquire(session, lease, me, 1, moment):
        return
    waiting = (Delivery.channel_id == channel_id) & _waits(session, moment)
    tried = select(func.min(Delivery.id)).where(waiting, Delivery.attempts > 0).scalar_subquery()
    untried = session.scalars(
        select(Delivery.id)
        .join(Rule, (Rule.id == Delivery.rule_id) & (Rule.channel_id == channel_id))
        .where(waiting, Delivery.id > tried, Delivery.attempts == 0, Rule.pace == "at once")
    ).all()
    outbox.owe_again(session, untried)
    session.execute(delete(Delivery).where(Delivery.id.in_(untried)))
    leases.release(session, lease, me)


def _waits(session: Session, moment: datetime) -> ColumnElement[bool]:
    """What holds for a message that is to be sent, unless its rule is quiet then."""
    rule = Delivery.rule_id
    heard = rule.is_(None) | rule.not_in(outbox.held(session, moment))
    return Delivery.sent.is_(None) & Delivery.given_up.is_(None) & heard


def _gathers(stored: Stored, owed: Sequence[Owed], moment: datetime) -> bool:
    """Whether more may come in a moment, of which one message can be made."""
    return (
        stored.rule.pace == "at once"
        and owed[-1].created > moment - GATHERED
        and owed[0].created > moment - GATHERED_AT_MOST
    )


def _lease(channel_id: int) -> str:
    """What who sends to a channel holds."""
    return f"channel {channel_id}"


def _messages(
    session: Session, stored: Stored, owed: Sequence[Owed], moment: datetime
) -> Iterator[tuple[str, Message, Sequence[Owed]]]:
    """The messages for what is owed to a rule: id, message, and what it takes up. Nothing while a
    flood goes on: what gathers is one summary."""
    rule = stored.rule
    if rule.pace == "at once":
        alerts, summaries = _lately(session, stored, moment)
        many = len(owed) > MOST_AT_ONCE
        if summaries or (alerts + len(owed) > MOST_AT_ONCE and not many):
            return
        if not many:
            for one, row in zip(news.of(session, stored, owed), owed, strict=True):
                key = _new_id()
                yield key, messages.alert(one, rule, key), [row]
            return
    key, told = _new_id(), news.of(session, stored, owed)
    if rule.pace == "daily":
        today = moment.astimezone(ZoneInfo(rule.zone)).date()
        per_day = news.per_day(session, stored, today)
        yield key, messages.digest(told, per_day, rule, key, moment), owed
    else:
        kind = "hourly" if rule.pace == "hourly" else "summary"
        yield key, messages.many(kind, told, rule, key), owed


def _lately(session: Session, stored: Stored, moment: datetime) -> tuple[int, int]:
    """How many alerts and summaries of the rule were written within FLOOD."""
    kinds = session.scalars(
        select(Delivery.kind).where(
            Delivery.rule_id == stored.id, Delivery.created > moment - FLOOD
        )
    ).all()
    return kinds.count("alert"), kinds.count("summary")


def tell_operators(
    session: Session, title: str, lines: Sequence[str], moment: datetime, current: Settings
) -> bool:
    """Owe a notice to the operators' channel, in the caller's transaction; whether there is one."""
    logger.warning("%s: %s", title, " ".join(lines))
    if not current.operators:
        return False
    try:
        channel = channels.get(session, current.operators)
    except AddressError as error:
        logger.error("PANTAU_OPERATORS is not usable: %s", error)
        return False
    key = _new_id()
    notice = messages.notice(title, lines, key, language=current.language)
    _write(session, channel.id, None, key, notice, moment)
    return True


def _write(
    session: Session,
    channel_id: int,
    rule_id: int | None,
    key: str,
    message: Message,
    moment: datetime,
) -> Delivery:
    delivery = Delivery(
        key=key,
        channel_id=channel_id,
        rule_id=rule_id,
        kind=message.kind,
        message=asdict(message),
        created=moment,
        next_try=moment,
    )
    session.add(delivery)
    session.flush()
    return delivery


def send_due(engine: Engine, current: Settings, clock: Clock = now) -> list[Sent]:
    """Send what is due of every channel, several channels at a time; what became of it."""
    with reading(engine) as session:
        moment = clock()
        waiting = select(Delivery.channel_id).where(
            _waits(session, moment), Delivery.next_try <= moment
        )
        ids = session.scalars(waiting.distinct()).all()
    with ThreadPoolExecutor(CHANNELS_AT_A_TIME) as pool:
        done = pool.map(lambda id_: _send_channel(engine, id_, current, clock), sorted(ids))
        return [sent for each in done for sent in each]


def _send_channel(engine: Engine, channel_id: int, current: Settings, clock: Clock) -> list[Sent]:
    """Send what is due of one channel in its order, until one is not taken. A lease sees to it that
    nobody else sends there."""
    lease, me = _lease(channel_id), secrets.token_hex(8)
    seconds = current.timeout + current.lease_seconds
    until = clock() + LONGEST_RUN
    results: list[Sent] = []
    while clock() <= until:
        with Session(engine) as session, session.begin():
            if not leases.acquire(session, lease, me, seconds, clock()):
                return results
            delivery = _first(session, channel_id, clock())
            if delivery is None or delivery.next_try > clock():
                break
            channel = session.get_one(Channel, channel_id)
            id_, key, secret, name = delivery.id, delivery.key, channel.address, channel.name
            message = Message(**delivery.message)
            about = _about(session, message) | {"channel": name}
        failure = _send(secret, message, key, current)
        with Session(engine) as session, session.begin():
            _note(session, id_, failure, clock(), current)
        error = str(failure) if failure else None
        with bound_contextvars(**about):
            logger.info("the message %s was %s", key, f"not taken: {error}" if error else "taken")
        results.append(Sent(id_, name, message.kind, message.title, error))
    with Session(engine) as session, session.begin():
        leases.release(session, lease, me)
    return results


def _about(session: Session, message: Message) -> dict[str, object]:
    """What a line of the log says of a message: its rule and how many reports it lists; of one
    outlet's also which, of one report also the crawl that found it."""
    about: dict[str, object] = {"rule": message.rule, "reports": len(message.items)}
    outlets = {item["outlet"] for item in message.items}
    if len(outlets) == 1:
        about["outlet"] = outlets.pop()
    if len(message.items) == 1:
        about["crawl"] = outbox.crawl_of(session, message.items[0]["finding"])
    return about


def _first(session: Session, channel_id: int, moment: datetime) -> Delivery | None:
    """The message whose turn it is."""
    waiting = select(Delivery).where(Delivery.channel_id == channel_id, _waits(session, moment))
    return session.scalar(waiting.order_by(Delivery.id).limit(1))


def _send(secret: bytes, message: Message, key: str, current: Settings) -> DeliveryError | None:
    try:
        channels.send(secret, message, key, current)
    except DeliveryError as error:
        return error
    return None


def _note(
    session: Session, id_: int, failure: DeliveryError | None, moment: datetime, current: Settings
) -> None:
    """Note that a message was sent, or when to try again; after a day give it up."""
    delivery = session.get(Delivery, id_)
    if delivery is None:  # its channel was removed meanwhile
        return
    delivery.attempts += 1
    if failure is None:
        delivery.sent, delivery.error = moment, None
        return
    if delivery.sent or delivery.given_up:  # its rule was removed meanwhile
        return
    delivery.error = str(failure)
    delivery.next_try = moment + _pause(delivery.attempts, failure.wait)
    if moment - delivery.created < GIVEN_UP_AFTER or delivery.attempts < LEAST_ATTEMPTS:
        return
    delivery.given_up = moment
    if delivery.kind != "operator":
        name = session.get_one(Channel, delivery.channel_id).name
        title, lines = notices.given_up(
            delivery.message["title"], name, str(failure), delivery.id, current.language
        )
        tell_operators(session, title, lines, moment, current)


def _pause(attempts: int, wait: float | None) -> timedelta:
    """How long to leave a channel alone after so many attempts: 1, 2, 4 … 60 minutes, and a little
    more, so that not all come back at once; or as long as it asked for."""
    if wait is not None:
        return min(max(timedelta(seconds=wait), FIRST_PAUSE), LONGEST_WAIT)
    pause = min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), LONGEST_PAUSE)
    return pause * random.uniform(1, 1.1)  # noqa: S311 (no secret)


def unsent(session: Session) -> list[Unsent]:
    """The messages that wait or were given up, in order."""
    rows = session.execute(
        select(Delivery, Channel.name, Rule.name)
        .join(Channel, Channel.id == Delivery.channel_id)
        .outerjoin(Rule, Rule.id == Delivery.rule_id)
        .where(Delivery.sent.is_(None))
        .order_by(Delivery.id)
    )
    return [
        Unsent(
            id=one.id,
            key=one.key,
            channel=channel,
            rule=rule,
            kind=one.kind,
            title=one.message["title"],
            created=one.created,
            attempts=one.attempts,
            next_try=one.next_try,
            given_up=one.given_up,
            error=one.error,
        )
        for one, channel, rule in rows
    ]


def again(session: Session, id_: int, moment: datetime) -> bool:
    """Try the message with this id again, now, for another day; whether there is one unsent."""
    delivery = session.get(Delivery, id_) if 0 < id_ < 2**31 else None
    if delivery is None or delivery.sent:
        return False
    delivery.given_up, delivery.attempts = None, 0
    delivery.created = delivery.next_try = moment
    return True


def _new_id() -> str:
    return str(uuid.uuid4())
