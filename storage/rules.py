"""Rules: who wants to know what, how fast, and when not."""

import json
import logging
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from sqlalchemy import Select, Text, cast, delete, select, update
from sqlalchemy.orm import Session

from extract import places
from extract.article import Place
from extract.lexicon import KINDS, SUBJECTS
from extract.query import Query, parse
from storage import models

logger = logging.getLogger(__name__)

FEED_ONLY = 0  # Owed.delivery_id of what stands in the rule's feed and is never sent
HOUR = timedelta(hours=1)

Pace = Literal["at once", "hourly", "daily"]
Language = Literal["id", "en"]


class RuleError(ValueError):
    """A rule that cannot be used or is not there; its text is one sentence for the operator."""


def _near(name: str, known: Iterable[str]) -> str:
    by_lower = {form.lower(): form for form in known}
    near = get_close_matches(name.lower(), by_lower, n=3)
    return f"; did you mean {' or '.join(by_lower[form] for form in near)}?" if near else ""


def _name(name: str) -> str:
    if not re.fullmatch(r"\w[\w .-]{0,63}", name) or name.endswith(" "):
        raise ValueError(
            f"“{name}” is no name: letters, digits, spaces and _ . - make one, up to 64"
        )
    return name


def _one_of(what: str, known: tuple[str, ...]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"there is no {what} “{name}”; they are {', '.join(known)}")
        return name

    return AfterValidator(check)


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, OSError, ValueError):  # unknown; a folder; a path
        hint = _near(name, available_timezones()) or "; write it as Asia/Jakarta"
        raise ValueError(f"there is no time zone “{name}”{hint}") from None


def _hours(text: str) -> str:
    start, _, end = text.partition("-")
    try:
        first, last = time.fromisoformat(start.strip()), time.fromisoformat(end.strip())
    except ValueError:
        raise ValueError(f"“{text}” are no hours; write them as 22:00-06:00") from None
    hours = f"{first:%H:%M}-{last:%H:%M}"
    if first.tzinfo or last.tzinfo or hours[:5] == hours[6:]:
        raise ValueError(f"“{text}” are no hours; write them as 22:00-06:00")
    return hours


def _areas(name: str) -> list[Place]:
    """The provinces, regencies and cities that `name` means: "Bogor" is a regency and a city."""
    gazetteer = places.load()
    first, _, rest = name.partition(" ")
    if first.lower() in ("kab", "kab.", "kabupaten", "kota"):
        full = name if first.lower() == "kota" else f"Kabupaten {rest}"
        found = [gazetteer.named(full, "regency")]
    else:
        found = [gazetteer.named(name, "province")]
        if not any(found):
            found = [gazetteer.named(f"{kind} {name}", "regency") for kind in ("Kabupaten", "Kota")]
    areas = [area for area in dict.fromkeys(found) if area]
    if not areas:
        known = [area.name for area in gazetteer.areas.values() if area.level != "district"]
        bare = [full.partition(" ")[2] for full in known if full.startswith(("Kabupaten", "Kota "))]
        raise ValueError(
            f"there is no province, regency or city “{name}”{_near(name, [*bare, *known])}"
        )
    return areas


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wanted(_Frozen):
    """What a rule asks of a finding; what is empty asks nothing.

    Of each of `kinds`, `subjects`, `places` (provinces, regencies and cities) and `outlets` one
    must fit. `words` is a boolean query (see `extract.query`) of title and text. `borderline`:
    findings in doubt are wanted, too.
    """

    kinds: tuple[Annotated[str, _one_of("kind", (*KINDS, "other"))], ...] = ()
    subjects: tuple[Annotated[str, _one_of("subject", (*SUBJECTS, "other"))], ...] = ()
    places: tuple[str, ...] = ()
    outlets: tuple[str, ...] = ()
    words: str | None = None
    least_score: float = Field(0.0, ge=0, le=1)
    borderline: bool = False

    @field_validator("places")
    @classmethod
    def _full_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(area.name for name in names for area in _areas(name)))

    @field_validator("words")
    @classmethod
    def _readable(cls, words: str | None) -> str | None:
        return parse(words).text if words is not None else None

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The codes of `places`."""
        return tuple(area.code for name in self.places for area in _areas(name))

    @cached_property
    def query(self) -> Query | None:
        """`words`, read."""
        return parse(self.words) if self.words is not None else None


class Rule(_Frozen):
    """Who wants to know what. `channel`: none, the rule has feeds only. `zone` is a name such as
    Asia/Jakarta; in `quiet` hours ("22:00-06:00" in that zone) nothing is sent."""

    name: Annotated[str, AfterValidator(_name)]
    channel: str | None = None
    wanted: Wanted = Wanted()
    pace: Pace = "at once"
    language: Language = "id"
    zone: Annotated[str, AfterValidator(_zone)] = "Asia/Jakarta"
    quiet: Annotated[str, AfterValidator(_hours)] | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """A rule as it is stored; `token` opens its feeds."""

    id: int
    token: str
    rule: Rule


def matches(wanted: Wanted, finding: models.Finding) -> bool:
    """Whether `finding` is what is wanted."""
    return (
        (wanted.borderline or not finding.borderline)
        and finding.score >= wanted.least_score
        and (not wanted.kinds or finding.kind in wanted.kinds)
        and (not wanted.subjects or not set(wanted.subjects).isdisjoint(finding.subjects))
        and (not wanted.outlets or finding.outlet in wanted.outlets)
        and (not wanted.places or any(_lies_in(place, wanted.codes) for place in finding.places))
        and (not wanted.query or wanted.query.matches(finding.title, finding.text))
    )


def _lies_in(place: models.FindingPlace, codes: Iterable[str]) -> bool:
    return any(place.code == code or place.code.startswith(f"{code}.") for code in codes)


# --- When -----------------------------------------------------------------------------------------


def due(rule: Rule, now: datetime) -> datetime:
    """When news found now may be sent: at once, or at the next full hour; after the quiet hours.

    What a daily rule wants is due now: it waits for the next digest; see `last_digest`."""
    if rule.pace == "daily":
        return now
    moment = now.astimezone(ZoneInfo(rule.zone))
    if rule.pace == "hourly":
        moment = moment.replace(minute=0, second=0, microsecond=0) + HOUR
    return _after_quiet(rule, moment).astimezone(UTC)


def is_quiet(rule: Rule, now: datetime) -> bool:
    """Whether `now` is in the rule's quiet hours."""
    moment = now.astimezone(ZoneInfo(rule.zone))
    return _after_quiet(rule, moment) != moment


def last_digest(rule: Rule, now: datetime, digest_at: time) -> datetime:
    """When the digest before `now`, or now, was due: every day at `digest_at` in the rule's zone,
    after the quiet hours."""
    today = datetime.combine(now.astimezone(ZoneInfo(rule.zone)), digest_at, ZoneInfo(rule.zone))
    digests = (_after_quiet(rule, today - timedelta(days=days)) for days in (0, 1, 2))
    return next(moment for moment in digests if moment <= now).astimezone(UTC)


def _after_quiet(rule: Rule, moment: datetime) -> datetime:
    """`moment`, in the rule's zone, or the end of the quiet hours it lies in."""
    if not rule.quiet:
        return moment
    first, last = map(time.fromisoformat, rule.quiet.split("-"))
    clock = moment.time()
    spans_midnight = last < first
    if spans_midnight and clock >= first:
        return datetime.combine(moment + timedelta(days=1), last, moment.tzinfo)
    if clock < last and (spans_midnight or clock >= first):
        return datetime.combine(moment, last, moment.tzinfo)
    return moment


# --- The database ---------------------------------------------------------------------------------

_RULES: Select[*tuple[Any, ...]] = select(
    models.Rule.id,
    models.Rule.token,
    models.Rule.name,
    models.Channel.name,
    cast(models.Rule.wanted, Text),
    models.Rule.pace,
    models.Rule.language,
    models.Rule.zone,
    models.Rule.quiet_from,
    models.Rule.quiet_to,
    models.Rule.active,
).outerjoin(models.Channel, models.Channel.id == models.Rule.channel_id)
_ACTIVE = _RULES.where(models.Rule.active).order_by(models.Rule.id)


@lru_cache(1024)  # reading a query costs more than storing a finding
def _stored(
    id_: int,
    token: str,
    name: str,
    channel: str | None,
    wanted: str,
    pace: str,
    language: str,
    zone: str,
    quiet_from: str | None,
    quiet_to: str | None,
    active: bool,
) -> Stored:
    rule = valid(
        {
            "name": name,
            "channel": channel,
            "wanted": json.loads(wanted),
            "pace": pace,
            "language": language,
            "zone": zone,
            "quiet": f"{quiet_from}-{quiet_to}" if quiet_from else None,
            "active": active,
        }
    )
    return Stored(id_, token, rule)


def valid(rule: Mapping[str, Any]) -> Rule:
    """The rule that `rule` describes, by Rule's fields. Raises RuleError, naming rule and field."""
    try:
        return Rule.model_validate(rule)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            problem = "there is no such field"
        name = rule.get("name")
        of = f"the rule “{name}”, " if isinstance(name, str) else ""
        raise RuleError(f"{of}{field.removeprefix('wanted.')}: {problem}") from None


def stored(session: Session) -> list[Stored]:
    """All rules, by name. Raises RuleError."""
    return [_stored(*row) for row in session.execute(_RULES.order_by(models.Rule.name))]


def active(session: Session) -> Iterator[Stored]:
    """The active rules in the order of their ids. One that cannot be read is left out, and said in
    the log: a finding is stored whatever becomes of its alerts."""
    for row in session.connection().execute(_ACTIVE):
        try:
            yield _stored(*row)
        except RuleError as error:
            logger.error("a rule cannot be used: %s", error)


def get(session: Session, name: str) -> Stored:
    """The rule called `name`. Raises RuleError, with the nearest names."""
    row = session.execute(_RULES.where(models.Rule.name == name)).one_or_none()
    if row is None:
        names = session.scalars(select(models.Rule.name))
        raise RuleError(f"there is no rule “{name}”{_near(name, names)}")
    return _stored(*row)


def by_id(session: Session, id_: int) -> Stored | None:
    """The rule with this id. Raises RuleError where it cannot be read."""
    row = session.execute(_RULES.where(models.Rule.id == id_)).one_or_none()
    return _stored(*row) if row else None


def names(session: Session) -> list[str]:
    """The names of all rules, in order."""
    return list(session.scalars(select(models.Rule.name).order_by(models.Rule.name)))


def renew_token(session: Session, id_: int) -> None:
    """Give the rule with this id a new token: its feeds' old addresses open nothing any more."""
    token = secrets.token_urlsafe(32)
    session.execute(update(models.Rule).where(models.Rule.id == id_).values(token=token))


def add(session: Session, rule: Rule, now: datetime) -> Stored:
    """Store a new rule. Raises RuleError where the name is taken or there is no such channel."""
    if session.scalar(select(models.Rule.id).where(models.Rule.name == rule.name)):
        raise RuleError(f"there is a rule “{rule.name}” already")
    row = models.Rule(token=secrets.token_urlsafe(32), created=now)
    _write(session, row, rule)
    session.add(row)
    session.flush()
    return get(session, rule.name)


def change(session: Session, name: str, rule: Rule) -> Stored:
    """Make the rule called `name` `rule`, under its new name if that is another. What waits for it
    is sent when the changed rule would send it, old news only in a digest. Raises RuleError."""
    row = session.get_one(models.Rule, get(session, name).id, with_for_update=True)
    if rule.name != name and session.scalar(
        select(models.Rule.id).where(models.Rule.name == rule.name)
    ):
        raise RuleError(f"there is a rule “{rule.name}” already")
    _write(session, row, rule)
    waiting = select(models.Owed, models.Finding.quiet).join(
        models.Finding, models.Finding.id == models.Owed.finding_id
    )
    for owed, quiet in session.execute(
        waiting.where(models.Owed.rule_id == row.id, models.Owed.delivery_id.is_(None))
    ):
        owed.due = due(rule, owed.created)
        if not rule.channel or (quiet and rule.pace != "daily"):
            owed.delivery_id = FEED_ONLY
    session.flush()
    return get(session, rule.name)


def remove(session: Session, name: str, now: datetime) -> None:
    """Forget the rule called `name` and what waits for it. What was sent stays noted; what was to
    be sent is given up. Raises RuleError, with the nearest names."""
    row = session.scalar(
        select(models.Rule).where(models.Rule.name == name).with_for_update()
    )  # nobody writes what it is owed meanwhile
    if row is None:
        get(session, name)
        return
    session.execute(delete(models.Owed).where(models.Owed.rule_id == row.id))
    theirs = models.Delivery.rule_id == row.id
    session.execute(
        update(models.Delivery)
        .where(theirs, models.Delivery.sent.is_(None), models.Delivery.given_up.is_(None))
        .values(given_up=now, error=f"its rule, {name}, was removed")
    )
    session.execute(update(models.Delivery).where(theirs).values(rule_id=None))
    session.delete(row)
    session.flush()


def _write(session: Session, row: models.Rule, rule: Rule) -> None:
    row.channel_id = _channel(session, rule) if rule.channel else None
    row.name, row.wanted = rule.name, rule.wanted.model_dump(mode="json", exclude_defaults=True)
    row.pace, row.language, row.zone, row.active = rule.pace, rule.language, rule.zone, rule.active
    row.quiet_from, row.quiet_to = rule.quiet.split("-") if rule.quiet else (None, None)


def _channel(session: Session, rule: Rule) -> int:
    by_name = {channel.name: channel.id for channel in session.scalars(select(models.Channel))}
    assert rule.channel
    if rule.channel not in by_name:
        hint = _near(rule.channel, by_name) or "; `pantau alerts channels` lists them"
        raise RuleError(f"the rule “{rule.name}”: there is no channel “{rule.channel}”{hint}")
    return by_name[rule.channel]
