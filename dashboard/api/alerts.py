"""The alerts' rules, and what was delivered."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, HTTPException, Query

from alerts import deliver
from dashboard.access import Id, Operator, Viewer
from dashboard.alerts import Trial, tried
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
