"""Alerts: rules, tried before they are saved; channels and their tests; deliveries."""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Any, Literal

from babel.numbers import format_decimal
from fastapi import APIRouter, Form, HTTPException, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from alerts import channels, deliver, messages, secrets, words
from alerts.errors import AddressError, DeliveryError
from alerts.secrets import SecretsError
from crawler.outlets.catalogue import CatalogueError
from dashboard import guard
from dashboard.access import Id, Operator, Viewer, Visit
from dashboard.catalogue import catalogue
from dashboard.guard import Rates
from dashboard.pages import page, see
from dashboard.words import ZONES, translations
from extract import places
from extract.lexicon import SUBJECTS
from storage import deliveries, models, outbox, rules
from storage.models import Role
from storage.outbox import News
from storage.rules import Rule, RuleError, Stored

router = APIRouter(prefix="/alerts", include_in_schema=False)

TRIED = timedelta(days=7)
MOST_TRIED = 1000  # reports that a trial counts
SHOWN_TRIED = 50
SHOWN = 50  # deliveries on one page
TEST_SECONDS = 10
TESTS = guard.rate("10/minute")
LONGEST_NAME = 64  # characters, of a channel
LONGEST_LIST = 50_000  # characters: all regencies and cities need 11,000

Text = Annotated[str, Form()]


# --- All at a glance ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A rule in the list, with what it asks for in words."""

    stored: Stored
    wants: list[tuple[str, str]]
    last: datetime | None
    waits: deliveries.Waits | None


@router.get("")
def alerts_page(visit: Viewer) -> Response:
    return _alerts(visit)


def _alerts(visit: Visit, status: int = 200, error: str | None = None) -> Response:
    with visit.reading() as session:
        last = deliveries.last_sent(session)
        owed = deliveries.owed(session)
        try:
            known = rules.stored(session)
        except RuleError as broken:
            known, error = [], _said(visit, str(broken))
        return page(
            visit,
            "alerts.html",
            status,
            error=error,
            rows=[
                Row(one, _wants(visit, one.rule), last.get(one.id), owed.get(one.id))
                for one in known
            ],
            channels=channels.listed(session, visit.settings),
            waiting=deliveries.listed(session, SHOWN, state=deliveries.WAITING),
            given_up=deliveries.listed(session, SHOWN, state=deliveries.GIVEN_UP),
            no_key=_no_key(visit),
            **_words(visit),
        )


def _no_key(visit: Visit) -> str | None:
    """Why no channel's address can be kept, if so."""
    try:
        secrets.encrypt("", visit.settings)
    except SecretsError as error:
        return _said(visit, str(error))
    return None


def _words(visit: Visit) -> dict[str, Any]:
    """The words of the pages for what has a name in the program."""
    _ = visit._
    return {
        "PACES": {"at once": _("at once"), "hourly": _("hourly"), "daily": _("daily")},
        "STATES": {"sent": _("sent"), "waiting": _("waiting"), "given up": _("Given up").lower()},
        "COLOURS": {"sent": "good", "waiting": "warning", "given up": "danger"},
        "SORTS": {
            "alert": _("one report"),
            "summary": _("summary"),
            "hourly": _("of an hour"),
            "digest": _("digest"),
            "operator": _("to operators"),
            "test": _("test"),
        },
        "kind": lambda name: words.kind(name, visit.language),
        "said": lambda text: _said(visit, text),
    }


def _wants(visit: Visit, rule: Rule) -> list[tuple[str, str]]:
    """What a rule asks for: what, and which. Nothing: everything."""
    _, wanted = visit._, rule.wanted
    asked = [
        (_("Kinds"), ", ".join(words.kind(name, visit.language) for name in wanted.kinds)),
        (_("Subjects"), ", ".join(_subject(name, visit.language) for name in wanted.subjects)),
        (_("Places"), ", ".join(wanted.places)),
        (_("Outlets"), ", ".join(wanted.outlets)),
        (_("Words"), wanted.words or ""),
        (_("Least score"), _number(wanted.least_score, visit) if wanted.least_score else ""),
        (_("Findings in doubt"), _("wanted, too") if wanted.borderline else ""),
    ]
    return [(what, which) for what, which in asked if which]


def _number(number: float, visit: Visit) -> str:
    return format_decimal(number, locale=visit.language)


def _subject(name: str, language: str) -> str:
    named = words.kind if name == "other" else words.subject
    said = named(name, language)
    return said[:1].upper() + said[1:]


_VALUE = re.compile(
    r"“[^”]*”|\b\d+(?:\.\d+)?\b|\b[a-z]+://…"
    r"|(?<=whole address of ).+?(?= \()|(?<=its rule, ).+(?=, was removed)"
)


def _said(visit: Visit, text: str) -> str:
    """A sentence of the program in the visitor's language, where it is translated. What it quotes
    or counts stands as %s in the translations."""
    main, mark, hint = text.partition("; did you mean ")
    values = tuple(_VALUE.findall(main))
    form = _VALUE.sub("%s", main.replace("%", "%%"))
    said = translations(visit.language).gettext(form) % values
    if mark:
        near = hint.rstrip("?").replace(" or ", " " + visit._("or") + " ")
        said += "; " + visit._("did you mean %(names)s?", names=near)
    return said


# --- Rules ----------------------------------------------------------------------------------------


class RuleForm(BaseModel):
    """A rule, as the form has it: names one to a line or between commas."""

    name: str = ""
    channel: str = ""
    pace: str = "at once"
    kinds: list[str] = []
    subjects: list[str] = []
    provinces: list[str] = []
    regencies: str = Field("", max_length=LONGEST_LIST)
    outlets: str = Field("", max_length=LONGEST_LIST)
    words: str = ""
    least_score: str = ""
    borderline: bool = False
    language: str = "id"
    zone: str = "Asia/Jakarta"
    quiet_from: str = ""
    quiet_to: str = ""
    active: bool = False
    do: Literal["try", "save"] = "try"

    def rule(self) -> Rule:
        """The rule it describes. Raises RuleError."""
        quiet = f"{self.quiet_from}-{self.quiet_to}" if self.quiet_from or self.quiet_to else None
        return rules.valid(
            {
                "name": self.name.strip(),
                "channel": self.channel or None,
                "wanted": {
                    "kinds": self.kinds,
                    "subjects": self.subjects,
                    "places": [*self.provinces, *_names(self.regencies)],
                    "outlets": _names(self.outlets),
                    "words": self.words.strip() or None,
                    "least_score": self.least_score.replace(",", ".") or 0,
                    "borderline": self.borderline,
                },
                "pace": self.pace,
                "language": self.language,
                "zone": self.zone,
                "quiet": quiet,
                "active": self.active,
            }
        )


def _form_of(rule: Rule) -> RuleForm:
    provinces = _provinces()
    first, _, last = (rule.quiet or "").partition("-")
    wanted = rule.wanted
    return RuleForm(
        name=rule.name,
        channel=rule.channel or "",
        pace=rule.pace,
        kinds=list(wanted.kinds),
        subjects=list(wanted.subjects),
        provinces=[name for name in wanted.places if name in provinces],
        regencies="\n".join(name for name in wanted.places if name not in provinces),
        outlets="\n".join(wanted.outlets),
        words=wanted.words or "",
        least_score=f"{wanted.least_score:g}" if wanted.least_score else "",
        borderline=wanted.borderline,
        language=rule.language,
        zone=rule.zone,
        quiet_from=first,
        quiet_to=last,
        active=rule.active,
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in re.split(r"[,;\n]", text) if name.strip()]


def _provinces() -> list[str]:
    return sorted(area.name for area in places.load().areas.values() if area.level == "province")


def _regencies() -> list[str]:
    return sorted(area.name for area in places.load().areas.values() if area.level == "regency")


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would have told of the past week: `news`, the newest first; `messages` are what
    it would have sent, `more` says that only the first of many were counted, `folded` that so many
    came at once that some would have been told in one summary."""

    news: list[News]
    stories: int
    messages: int
    more: bool
    folded: bool


def tried(visit: Visit, rule: Rule) -> Trial:
    with visit.reading() as session:
        found = list(islice(outbox.would_owe(session, rule, visit.now - TRIED), MOST_TRIED + 1))
    news = found[:MOST_TRIED]
    due = sorted(rules.due(rule, one.found) for one in news)
    if rule.pace == "daily":  # all that lies between two digests is in the second
        at = visit.settings.digest_at
        count = len({rules.last_digest(rule, moment, at) for moment in due})
    else:
        count = len(set(due)) if rule.pace == "hourly" else len(due)
    crowds = zip(due, due[deliver.MOST_AT_ONCE :], strict=False)
    return Trial(
        news[::-1],
        len({one.story or -one.finding for one in news}),
        count,
        len(found) > MOST_TRIED,
        rule.pace == "at once" and any(last - first < deliver.FLOOD for first, last in crowds),
    )


@router.get("/rules/new")
def new_rule_page(visit: Operator) -> Response:
    zone = visit.settings.zone.key
    return _rule(visit, None, RuleForm(language=visit.language, zone=zone, active=True))


@router.post("/rules/new")
def add_rule(visit: Operator, form: Annotated[RuleForm, Form()]) -> Response:
    """Try a new rule, or save it."""
    return _take(visit, None, form)


@router.get("/rules/{id_}")
def rule_page(visit: Viewer, id_: Id) -> Response:
    stored = _stored(visit, id_)
    return _rule(visit, stored, _form_of(stored.rule))


@router.post("/rules/{id_}")
def change_rule(visit: Operator, id_: Id, form: Annotated[RuleForm, Form()]) -> Response:
    """Try a changed rule, or save it."""
    return _take(visit, _stored(visit, id_), form)


def _take(visit: Visit, stored: Stored | None, form: RuleForm) -> Response:
    try:
        rule = form.rule()
        _check_outlets(rule, stored)
        if form.do == "try":
            return _rule(visit, stored, form, trial=tried(visit, rule))
        with visit.writing() as session:
            if stored:
                kept = rules.change(session, stored.rule.name, rule)
                visit.record(session, "rule changed", rule.name)
            else:
                kept = rules.add(session, rule, visit.now)
                visit.record(session, "rule added", rule.name)
            visit.notice(session, visit._("The rule “%(name)s” is saved.", name=rule.name))
    except RuleError as error:
        field, sentence = _wrong(visit, form, str(error))
        return _rule(visit, stored, form, 400, error=sentence, wrong=field)
    return see(f"/alerts/rules/{kept.id}")


def _check_outlets(rule: Rule, stored: Stored | None) -> None:
    """Refuse outlets that there are none of; those a rule has already may stay. Raises
    RuleError."""
    known = {*_outlets(), *(stored.rule.wanted.outlets if stored else ())}
    for name in rule.wanted.outlets:
        if name not in known:
            near = get_close_matches(name, known, n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise RuleError(f"the rule “{rule.name}”, outlets: there is no outlet “{name}”{hint}")


def _outlets() -> list[str]:
    try:
        return list(catalogue())
    except CatalogueError as error:
        raise RuleError(str(error)) from None


def _wrong(visit: Visit, form: RuleForm, text: str) -> tuple[str, str]:
    """Which field of the form is wrong, and the sentence that says why."""
    _ = visit._
    labels = {
        "name": _("Name"),
        "words": _("Words"),
        "places": _("Places"),
        "outlets": _("Outlets"),
        "kinds": _("Kinds"),
        "subjects": _("Subjects"),
        "least_score": _("Least score"),
        "quiet": _("Quiet hours"),
        "zone": _("Time zone"),
        "pace": _("Pace"),
        "language": _("Language of the messages"),
    }
    field, mark, problem = text.removeprefix(f"the rule “{form.name.strip()}”, ").partition(": ")
    if not mark or field not in labels:
        said = _said(visit, text)
        taken = text.startswith("there is a rule")
        return "name" if taken else "", said[:1].upper() + said[1:]
    why, at, where = problem.partition(", at character ")
    if at:
        place, _colon, shown = where.partition(": ")
        why = _("%(why)s, at character %(place)s: %(shown)s", why=_said(visit, why), place=place,
                shown=shown)  # fmt: skip
        return field, f"{labels[field]}: {why}"
    return field, f"{labels[field]}: {_said(visit, problem)}"


def _rule(
    visit: Visit,
    stored: Stored | None,
    form: RuleForm,
    status: int = 200,
    *,
    error: str | None = None,
    wrong: str = "",
    trial: Trial | None = None,
) -> Response:
    with visit.reading() as session:
        known = deliveries.channels(session)
        sent = deliveries.listed(session, 5, rule=stored.rule.name) if stored else []
    zones = [*dict.fromkeys([*ZONES, visit.settings.zone.key, form.zone])]
    return page(
        visit,
        "alerts-rule.html",
        status,
        stored=stored,
        wants=_wants(visit, stored.rule) if stored else [],
        rule=form,
        error=error,
        wrong=wrong,
        trial=trial,
        SHOWN_TRIED=SHOWN_TRIED,
        channels=known,
        sent=sent,
        kinds=[(name, words.kind(name, visit.language)) for name in words.KINDS],
        subjects=[(name, _subject(name, visit.language)) for name in (*SUBJECTS, "other")],
        provinces=_provinces(),
        regencies=_regencies() if visit.may(Role.OPERATOR) else [],
        outlets=_known_outlets() if visit.may(Role.OPERATOR) else [],
        zones=[(zone, ZONES.get(zone, zone)) for zone in zones],
        feeds=_feeds(visit, stored) if stored and visit.may(Role.OPERATOR) else [],
        **_words(visit),
    )


def _known_outlets() -> list[str]:
    try:
        return _outlets()
    except RuleError:  # said when the rule is tried
        return []


def _feeds(visit: Visit, stored: Stored) -> list[tuple[str, str]]:
    """What the rule's feeds are called, and where `pantau run` serves them; nothing: nowhere."""
    host, _, port = visit.settings.metrics_address.rpartition(":")
    if not port.isdecimal():
        return []
    if host == "0.0.0.0":  # noqa: S104 (every address: the one of this page, too)
        host = visit.request.url.hostname or host
    base = f"http://{host}:{port}/feeds/{stored.token}"
    return [("Atom", f"{base}.atom"), ("JSON Feed", f"{base}.json")]


@router.post("/rules/{id_}/active")
def switch(visit: Operator, id_: Id, active: Annotated[bool, Form()] = False) -> Response:
    """Let a rule rest, or be owed news again."""
    stored = _stored(visit, id_)
    with visit.writing() as session:
        changed = stored.rule.model_copy(update={"active": active})
        rules.change(session, stored.rule.name, changed)
        if active:
            visit.record(session, "rule activated", changed.name)
        else:
            visit.record(session, "rule deactivated", changed.name)
    return see("/alerts")


@router.post("/rules/{id_}/token")
def renew_token(visit: Operator, id_: Id) -> Response:
    """New addresses for a rule's feeds."""
    stored = _stored(visit, id_)
    with visit.writing() as session:
        rules.renew_token(session, id_)
        visit.record(session, "feed address renewed", stored.rule.name)
        visit.notice(session, visit._("The feeds have new addresses; the old ones are closed."))
    return see(f"/alerts/rules/{id_}")


@router.get("/rules/{id_}/delete")
def delete_rule_page(visit: Operator, id_: Id) -> Response:
    stored = _stored(visit, id_)
    with visit.reading() as session:
        owed = deliveries.owed(session).get(id_)
    return page(
        visit,
        "alerts-confirm.html",
        title=visit._("Delete the rule “%(name)s”?", name=stored.rule.name),
        says=[
            visit.n_(
                "%(number)s report that waits for it will not be sent.",
                "%(number)s reports that wait for it will not be sent.",
                owed.count if owed else 0,
            ),
            visit._("Its feeds are closed. What was sent stays in the list of deliveries."),
        ],
        address=f"/alerts/rules/{id_}/delete",
        back=f"/alerts/rules/{id_}",
    )


@router.post("/rules/{id_}/delete")
def delete_rule(visit: Operator, id_: Id) -> Response:
    stored = _stored(visit, id_)
    with visit.writing() as session:
        rules.remove(session, stored.rule.name, visit.now)
        visit.record(session, "rule removed", stored.rule.name)
        visit.notice(session, visit._("The rule “%(name)s” is deleted.", name=stored.rule.name))
    return see("/alerts")


def _stored(visit: Visit, id_: int) -> Stored:
    with visit.reading() as session:
        try:
            stored = rules.by_id(session, id_)
        except RuleError as error:
            raise HTTPException(409, str(error)) from None
    if stored is None:
        raise HTTPException(404, "There is no such rule.")
    return stored


# --- Channels -------------------------------------------------------------------------------------


@router.get("/channels/new")
def new_channel_page(visit: Operator) -> Response:
    return _channel(visit)


@router.post("/channels/new")
def add_channel(visit: Operator, name: Text = "", address: Text = "", key: Text = "") -> Response:
    """Keep a channel; a webhook's key is shown this once, where it was made here."""
    name = name.strip()
    try:
        parsed = keep_channel(visit, name, address, key)
    except (AddressError, SecretsError) as error:
        return _channel(visit, 400, name=name, error=_said(visit, str(error)))
    if parsed.key and parsed.key != key.strip():
        return _channel(visit, made=(name, parsed.key))
    with visit.writing() as session:
        visit.notice(session, visit._("The channel “%(name)s” is kept; test it.", name=name))
    return see("/alerts")


def keep_channel(visit: Visit, name: str, address: str, key: str) -> channels.Address:
    """Add a channel; gives its address as it is kept. Raises AddressError and SecretsError."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise AddressError("A channel's name has 1 to 64 characters.")
    parsed = channels.parse(_with_key(address.strip(), key.strip()), visit.settings)
    with visit.writing() as session:
        channels.add(session, name, parsed, visit.now, visit.settings)
        visit.record(session, "channel added", name)
    return parsed


def _with_key(address: str, key: str) -> str:
    """A webhook's address with its key, as `channels.parse` reads it."""
    if not key:
        return address
    scheme, mark, rest = address.removeprefix(channels.WEBHOOK).partition("://")
    if scheme not in ("http", "https") or not mark:
        raise AddressError("Only a webhook has a key; its address begins with https://.")
    return f"{channels.WEBHOOK}{scheme}://{key}@{rest}"


def _channel(
    visit: Visit,
    status: int = 200,
    *,
    name: str = "",
    error: str | None = None,
    made: tuple[str, str] | None = None,
) -> Response:
    return page(
        visit, "alerts-channel.html", status, name=name, error=error, made=made,
        no_key=_no_key(visit),
    )  # fmt: skip


@router.post("/channels/test")
def try_channel(visit: Operator, name: Text = "") -> Response:
    """Send a message to a channel now, and say what came of it."""
    error = trial_of(visit, name)
    came = (
        visit._("The channel “%(name)s” did not take the test message: %(why)s",
                name=name, why=_said(visit, error))
        if error
        else visit._("The channel “%(name)s” took the test message.", name=name)
    )  # fmt: skip
    with visit.writing() as session:
        visit.notice(session, came)
    return see("/alerts")


def trial_of(visit: Visit, name: str) -> str | None:
    """Send a message to a channel now; why it did not take it, if so."""
    rates: Rates = visit.request.app.state.rates
    rates.take(TESTS, "channel test", visit.account.name)
    with visit.reading() as session:
        secret = _named(session, name).address
    key = str(uuid.uuid4())
    limit = min(visit.settings.timeout, TEST_SECONDS)
    current = visit.settings.model_copy(update={"timeout": limit})
    error = None
    try:
        channels.send(secret, messages.test(name, visit.language, key), key, current)
    except DeliveryError as problem:
        error = str(problem)
    with visit.writing() as session:
        visit.record(session, "channel tested", name)
    return error


@router.get("/channels/delete")
def delete_channel_page(visit: Operator, name: str = "") -> Response:
    with visit.reading() as session:
        _named(session, name)
        known = channels.listed(session, visit.settings)
    channel = next(one for one in known if one.name == name)
    return page(
        visit,
        "alerts-confirm.html",
        title=visit._("Delete the channel “%(name)s”?", name=name),
        says=[
            visit._("It is forgotten with its address and the list of its messages."),
            visit.n_(
                "%(number)s message waits, and will not be sent.",
                "%(number)s messages wait, and will not be sent.",
                channel.waiting,
            ),
        ],
        address="/alerts/channels/delete",
        named=name,
        back="/alerts",
    )


@router.post("/channels/delete")
def delete_channel(visit: Operator, name: Text = "") -> Response:
    with visit.reading() as session:
        _named(session, name)
    try:
        with visit.writing() as session:
            channels.remove(session, name)
            visit.record(session, "channel removed", name)
            visit.notice(session, visit._("The channel “%(name)s” is deleted.", name=name))
    except AddressError as error:  # rules use it
        return _alerts(visit, 400, _said(visit, str(error)))
    return see("/alerts")


def _named(session: Session, name: str) -> models.Channel:
    try:
        return channels.get(session, name)
    except AddressError:
        raise HTTPException(404, "There is no such channel.") from None


# --- Deliveries -----------------------------------------------------------------------------------


@router.get("/deliveries")
def deliveries_page(
    visit: Viewer,
    channel: str = "",
    rule: str = "",
    state: str = "",
    before: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> Response:
    if state and state not in deliveries.STATES:
        raise HTTPException(404, "There is no such state.")
    with visit.reading() as session:
        found = deliveries.listed(
            session, SHOWN + 1, channel=channel, rule=rule, state=state, before=before
        )
        names = rules.names(session)
        kept = deliveries.channels(session)
    return page(
        visit,
        "deliveries.html",
        found=found[:SHOWN],
        more=found[SHOWN - 1].id if len(found) > SHOWN else None,
        before=before,
        asked={"channel": channel, "rule": rule, "state": state},
        rules=names,
        channels=kept,
        **_words(visit),
    )


@router.get("/deliveries/{id_}")
def delivery_page(visit: Viewer, id_: Id) -> Response:
    with visit.reading() as session:
        found = deliveries.get(session, id_)
    if found is None:
        raise HTTPException(404, "There is no such message.")
    one, message = found
    return page(visit, "delivery.html", one=one, message=message, **_words(visit))


@router.post("/deliveries/{id_}/again")
def send_again(visit: Operator, id_: Id) -> Response:
    """Try a message again that was given up, or sooner than its next try."""
    with visit.writing() as session:
        if not deliver.again(session, id_, visit.now):
            raise HTTPException(409, "This message was sent, or is not there any more.")
        visit.record(session, "message sent again", str(id_))
        visit.notice(session, visit._("The message goes out with the next delivery, in a moment."))
    return see(f"/alerts/deliveries/{id_}")
