"""Channels: where messages go, by name. Their addresses are shown to nobody, once they are kept."""

import json
import secrets as random
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import datetime
from threading import Thread

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alerts import secrets, services, webhook
from alerts.errors import AddressError, DeliveryError
from alerts.messages import Message
from alerts.secrets import SecretsError
from settings import Settings
from storage import models, outbox

WEBHOOK = "webhook+"
LEAST_KEY = 16  # characters


@dataclass(frozen=True, slots=True)
class Address:
    """An Apprise URL, or a webhook's (https://…) with the `key` that its messages are signed with.
    The parts are secrets: they are in no repr."""

    url: str
    key: str | None = None

    def __repr__(self) -> str:
        return "Address(…)"


@dataclass(frozen=True, slots=True)
class Listed:
    """A channel as it may be shown. `service` says what it leads to, or why that is not known;
    `waiting` are the messages not sent yet, `given_up` those that never were."""

    name: str
    service: str
    created: datetime
    rules: tuple[str, ...]
    waiting: int
    given_up: int


def parse(text: str, current: Settings) -> Address:
    """The address that `text` is: an Apprise URL, or webhook+https://host/path, which may bring its
    key as webhook+https://KEY@host/path and is given one otherwise. Raises AddressError."""
    text = text.strip()
    if not text.startswith(WEBHOOK):
        services.name(text)
        return Address(text)
    scheme, _, rest = text.removeprefix(WEBHOOK).partition("://")
    key, at, place = rest.rpartition("@")
    allowed = ("https", "http") if current.allow_private_addresses else ("https",)
    url = f"{scheme}://{place}"
    if scheme not in allowed or not webhook.usable(url):
        plain = "; plain http needs PANTAU_ALLOW_PRIVATE_ADDRESSES" if scheme == "http" else ""
        raise AddressError(f"A webhook's address is written webhook+https://host/path{plain}.")
    if at and len(key) < LEAST_KEY:
        raise AddressError(
            f"A webhook's key has at least {LEAST_KEY} characters; without one, one is made."
        )
    return Address(url, key or random.token_urlsafe(32))


def add(session: Session, name: str, address: Address, now: datetime, current: Settings) -> None:
    """Keep a channel. Raises AddressError where the name is taken, SecretsError."""
    if session.scalar(select(models.Channel).where(models.Channel.name == name)):
        raise AddressError(f"There is a channel “{name}” already; remove it first.")
    secret = secrets.encrypt(json.dumps(asdict(address)), current)
    session.add(models.Channel(name=name, address=secret, created=now))


def remove(session: Session, name: str) -> int:
    """Forget a channel and its messages; how many of them had not been sent. Raises AddressError
    where there is none, or rules still use it."""
    channel = get(session, name)
    rules = _rules(session, channel)
    if rules:
        raise AddressError(f"The channel “{name}” is used by: {', '.join(rules)}.")
    unsent = _count(session, channel, models.Delivery.sent.is_(None))
    outbox.forget(session, models.Delivery.channel_id == channel.id)
    session.delete(channel)
    return unsent


def rekey(session: Session, current: Settings) -> int:
    """Encrypt every address anew, with the newest key; how many there are. Raises SecretsError."""
    channels = session.scalars(select(models.Channel)).all()
    for channel in channels:
        channel.address = secrets.rotate(channel.address, current)
    return len(channels)


def get(session: Session, name: str) -> models.Channel:
    """The channel with this name. Raises AddressError."""
    channel = session.scalar(select(models.Channel).where(models.Channel.name == name))
    if channel is None:
        known = session.scalars(select(models.Channel.name).order_by(models.Channel.name)).all()
        add = "`pantau alerts channels add` makes one."
        there = f"there are: {', '.join(known)}." if known else add
        raise AddressError(f"There is no channel “{name}”; {there}")
    return channel


def listed(session: Session, current: Settings) -> list[Listed]:
    """All channels, by name."""
    rules: dict[int, list[str]] = {}
    using = select(models.Rule.channel_id, models.Rule.name).order_by(models.Rule.name)
    for channel_id, name in session.execute(using.where(models.Rule.channel_id.is_not(None))):
        rules.setdefault(channel_id or 0, []).append(name)
    unsent = (
        select(models.Delivery.channel_id, func.count(), func.count(models.Delivery.given_up))
        .where(models.Delivery.sent.is_(None))
        .group_by(models.Delivery.channel_id)
    )
    counts = {id_: (count, given_up) for id_, count, given_up in session.execute(unsent)}
    found = []
    for channel in session.scalars(select(models.Channel).order_by(models.Channel.name)):
        count, given_up = counts.get(channel.id, (0, 0))
        found.append(
            Listed(
                channel.name,
                _service(channel.address, current),
                channel.created,
                tuple(rules.get(channel.id, ())),
                count - given_up,
                given_up,
            )
        )
    return found


def closed(session: Session, current: Settings) -> tuple[int, dict[str, str]]:
    """How many channels there are, and those whose address cannot be used, with why."""
    channels = session.scalars(select(models.Channel).order_by(models.Channel.name)).all()
    why: dict[str, str] = {}
    for channel in channels:
        try:
            _named(_open(channel.address, current))
        except (SecretsError, AddressError) as error:
            why[channel.name] = str(error)
    return len(channels), why


def send(secret: bytes, message: Message, message_id: str, current: Settings) -> None:
    """Send `message` to the channel whose address is `secret`, once, within PANTAU_TIMEOUT.

    Raises DeliveryError. A channel that hangs is left behind in its thread: it may yet arrive, and
    come again with the same `message_id`."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            address = _open(secret, current)
            if address.key:
                webhook.post(address.url, address.key, asdict(message), message_id, current)
            else:
                services.notify(address.url, message, message_id, current.timeout)
            done.set_result(None)
        except (DeliveryError, SecretsError) as error:
            done.set_exception(error)
        except Exception as error:  # noqa: BLE001 (a service's code may raise anything)
            done.set_exception(DeliveryError(type(error).__name__))

    # a daemon: nothing waits for a server that answers a byte a minute
    Thread(target=run, daemon=True).start()
    try:
        done.result(current.timeout)
    except TimeoutError:
        raise DeliveryError(f"no answer within {current.timeout:g} seconds") from None
    except SecretsError as error:
        raise DeliveryError(str(error)) from None


def _open(secret: bytes, current: Settings) -> Address:
    return Address(**json.loads(secrets.decrypt(secret, current)))


def _named(address: Address) -> str:
    return "signed webhook" if address.key else services.name(address.url)


def _service(secret: bytes, current: Settings) -> str:
    try:
        return _named(_open(secret, current))
    except (SecretsError, AddressError) as error:
        return str(error)


def _rules(session: Session, channel: models.Channel) -> list[str]:
    named = select(models.Rule.name).where(models.Rule.channel_id == channel.id)
    return list(session.scalars(named.order_by(models.Rule.name)))


def _count(session: Session, channel: models.Channel, which: object) -> int:
    query = select(func.count()).where(models.Delivery.channel_id == channel.id, which)  # type: ignore[arg-type]
    return session.scalar(query) or 0
