"""The alerts' rules, and what was delivered."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from alerts import channels, deliver
from alerts.errors import AddressError
from alerts.secrets import SecretsError
from dashboard.access import Id, Operator, Viewer
from dashboard.alerts import Trial, keep_channel, trial_of, tried
from storage import deliveries, rules
from storage.deliveries import Listed
from storage.rules import Rule, RuleError

router = APIRouter()


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule and its id."""

    id: int
    rule: Rule


@router.get("/rules")
def all_rules(visit: Viewer) -> list[StoredRule]:
    """The rules of the alerts, by name."""
    with visit.reading() as session:
        return [StoredRule(stored.id, stored.rule) for stored in rules.stored(session)]


@router.post("/rules", status_code=201)
def add_rule(visit: Operator, rule: Annotated[dict[str, Any], Body()]) -> StoredRule:
    """Add a rule: its fields are those of docs/rules.md."""
    try:
        with visit.writing() as session:
            stored = rules.add(session, rules.valid(rule), visit.now)
            visit.record(session, "rule added", stored.rule.name)
    except RuleError as error:
        raise HTTPException(422, str(error)) from None
    return StoredRule(stored.id, stored.rule)


@router.put("/rules/{id_}")
def change_rule(visit: Operator, id_: Id, rule: Annotated[dict[str, Any], Body()]) -> StoredRule:
    """Put a rule in the place of another."""
    try:
        with visit.writing() as session:
            name = _rule(rules.by_id(session, id_)).rule.name
            stored = rules.change(session, name, rules.valid(rule))
            visit.record(session, "rule changed", stored.rule.name)
    except RuleError as error:
        raise HTTPException(422, str(error)) from None
    return StoredRule(stored.id, stored.rule)


@router.delete("/rules/{id_}", status_code=204)
def remove_rule(visit: Operator, id_: Id) -> None:
    """Remove a rule; what it still owes is not sent."""
    with visit.writing() as session:
        name = _rule(rules.by_id(session, id_)).rule.name
        rules.remove(session, name, visit.now)
        visit.record(session, "rule removed", name)


@router.post("/rules/try")
def try_rule(visit: Operator, rule: Annotated[dict[str, Any], Body()]) -> Trial:
    """What a rule would have told in the past week; nothing is saved."""
    try:
        return tried(visit, rules.valid(rule))
    except RuleError as error:
        raise HTTPException(422, str(error)) from None


def _rule(found: rules.Stored | None) -> rules.Stored:
    if found is None:
        raise HTTPException(404, "There is no such rule.")
    return found


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some messages, the newest first."""

    items: list[Listed]
    next: int | None


@router.get("/deliveries")
def all_deliveries(
    visit: Viewer,
    channel: Annotated[str, Query(max_length=64)] = "",
    rule: Annotated[str, Query(max_length=64)] = "",
    state: Literal["", "sent", "waiting", "given up"] = "",
    cursor: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryPage:
    """Messages sent, waiting and given up."""
    with visit.reading() as session:
        found = deliveries.listed(
            session, limit + 1, channel=channel, rule=rule, state=state, before=cursor
        )
    return DeliveryPage(found[:limit], found[limit - 1].id if len(found) > limit else None)


@router.post("/deliveries/{id_}/again", status_code=204)
def send_again(visit: Operator, id_: Id) -> None:
    """Try a message again that was given up, or sooner than its next try."""
    with visit.writing() as session:
        if not deliver.again(session, id_, visit.now):
            raise HTTPException(409, "This message was sent, or is not there any more.")
        visit.record(session, "message sent again", str(id_))


@router.get("/channels")
def all_channels(visit: Viewer) -> list[channels.Listed]:
    """Where messages go; the addresses are shown to nobody."""
    with visit.reading() as session:
        return channels.listed(session, visit.settings)


class NewChannel(BaseModel):
    """A channel to be kept: an Apprise URL, or a webhook's (https://…) with the `key` that its
    messages are signed with, which is made where there is none."""

    model_config = ConfigDict(extra="forbid")

    name: str
    address: Annotated[str, Field(max_length=2000)]
    key: Annotated[str, Field(max_length=200)] = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A channel that was added; `key` is its webhook's, told this once."""

    name: str
    key: str | None


@router.post("/channels", status_code=201)
def add_channel(visit: Operator, new: NewChannel) -> Kept:
    """Add a channel."""
    try:
        address = keep_channel(visit, new.name, new.address, new.key)
    except (AddressError, SecretsError) as error:
        raise HTTPException(422, str(error)) from None
    return Kept(new.name, address.key)


@router.delete("/channels/{name}", status_code=204)
def remove_channel(visit: Operator, name: str) -> None:
    """Forget a channel with its messages, where no rule uses it."""
    try:
        with visit.writing() as session:
            channels.remove(session, name)
            visit.record(session, "channel removed", name)
    except AddressError as error:
        raise HTTPException(409, str(error)) from None


@dataclass(frozen=True, slots=True)
class Tested:
    """Whether a channel took a test message; `error` says why it did not."""

    taken: bool
    error: str | None


@router.post("/channels/{name}/test")
def try_channel(visit: Operator, name: str) -> Tested:
    """Send a message to a channel now, and wait ten seconds at the most for what comes of it."""
    error = trial_of(visit, name)
    return Tested(error is None, error)
