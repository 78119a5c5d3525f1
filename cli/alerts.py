"""pantau alerts, pantau alerts rules: add, change, remove, try, export, import"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from cli.inputs import InputError, chosen_spiders, json_option, reading_database
from cli.output import mention, print_json, stdout

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from storage.rules import Rule, Stored

Command = Callable[..., None]


@click.group()
def alerts() -> None:
    """Say who wants to know what, and send it to them.

    Example: pantau alerts rules
    """


@alerts.group(invoke_without_command=True)
@json_option
@click.pass_context
def rules(context: click.Context, as_json: bool) -> None:
    """List the rules; the commands below write, try and exchange them.

    Example: pantau alerts rules
    """
    if context.invoked_subcommand:
        return
    from storage.rules import stored

    with reading() as session:
        known = stored(session)
    if as_json:
        for one in known:
            print_json(_json(one))
        return
    table = Table("Name", "Channel", "Pace", "Wants", "Quiet", "Zone", "Language")
    for one in known:
        rule = one.rule
        table.add_row(
            rule.name + ("" if rule.active else " (paused)"),
            rule.channel or "feeds only",
            rule.pace,
            Text(_wants(rule)),
            rule.quiet or "",
            rule.zone,
            rule.language,
        )
    if known:
        stdout().print(table)
    else:
        mention("There is no rule yet; `pantau alerts rules add --help` shows how to write one.")


def _json(stored: "Stored") -> dict[str, Any]:
    return stored.rule.model_dump(mode="json") | {"token": stored.token}


def _wants(rule: "Rule") -> str:
    asked = rule.wanted.model_dump(exclude_defaults=True)
    borderline = ["those in doubt, too"] if asked.pop("borderline", False) else []
    parts = [
        f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, tuple) else value}"
        for name, value in asked.items()
    ]
    return " · ".join(parts + borderline) or "everything"


@contextmanager
def refusing() -> Iterator[None]:
    """What is wrong with a rule or a channel is wrong with the input."""
    from alerts.errors import AddressError
    from alerts.secrets import SecretsError
    from storage.rules import RuleError

    try:
        yield
    except (AddressError, SecretsError, RuleError) as error:
        raise InputError(f"{str(error)[:1].upper()}{str(error)[1:]}") from None


@contextmanager
def reading() -> Iterator["Session"]:
    """The database, to read rules and channels."""
    with refusing(), reading_database() as session:
        yield session


@contextmanager
def writing() -> Iterator["Session"]:
    """The database, to change rules and channels: all of it or, where they are refused, nothing."""
    from sqlalchemy.orm import Session

    import settings
    from storage.database import open_database

    engine = open_database(settings.load().database)
    with refusing(), Session(engine) as session, session.begin():
        yield session


# --- add, change, remove --------------------------------------------------------------------------

_MANY = ("kinds", "subjects", "places", "outlets")
_OPTIONS = (
    click.option("--channel", metavar="NAME", help="Where it is sent; none: it has feeds only."),
    click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Only of this kind."),
    click.option("--subject", "subjects", metavar="WHO", multiple=True, help="Only about these."),
    click.option(
        "--place",
        "places",
        metavar="NAME",
        multiple=True,
        help="Only what happened in this province, regency or city.",
    ),
    click.option("--outlet", "outlets", metavar="NAME", multiple=True, help="Only of this outlet."),
    click.option("--words", metavar="QUERY", help="Only with these: AND, OR, NOT, (), “phrases”."),
    click.option("--least-score", type=float, metavar="0…1", help="Only from this score on."),
    click.option("--borderline/--sure", default=None, help="Those in doubt, too; or not."),
    click.option("--pace", metavar="PACE", help="“at once”, “hourly” or “daily”."),
    click.option("--language", metavar="LANGUAGE", help="Of its messages: id or en."),
    click.option("--zone", metavar="ZONE", help="Its time zone; a new one's is PANTAU_ZONE."),
    click.option("--quiet", metavar="HH:MM-HH:MM", help="When nothing is sent."),
)


def _rule_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _changed(base: Mapping[str, Any], given: Mapping[str, Any]) -> "Rule":
    """The rule `base` with the options given; an empty one takes away what was asked."""
    from storage.rules import Wanted, valid

    asked: dict[str, Any] = {}
    for name, value in given.items():
        if name in _MANY and value:
            asked[name] = [one for one in value if one]
        elif name not in _MANY and value is not None:
            asked[name] = None if value == "" else value
    if asked.get("outlets"):
        chosen_spiders(asked["outlets"])
    wanted = {name: value for name, value in asked.items() if name in Wanted.model_fields}
    rest = {name: value for name, value in asked.items() if name not in wanted}
    return valid({**base, **rest, "wanted": base.get("wanted", {}) | wanted})


@rules.command()
@click.argument("name")
@_rule_options
@json_option
def add(name: str, as_json: bool, **given: Any) -> None:
    """Write a rule called NAME.

    Of each of --kind, --subject, --place and --outlet, which can be given several times, one must
    fit; what is not given asks nothing. In --words a space means AND and binds last.

    \b
    Example: pantau alerts rules add sanksi-bali --channel tim --kind sanction --place Bali
               --words 'netralitas AND (ASN OR "pegawai negeri")' --quiet 22:00-06:00
    """
    import settings
    from storage.rules import add as add_rule

    with refusing():
        rule = _changed({"name": name, "zone": settings.load().zone.key}, given)
    with writing() as session:
        kept = add_rule(session, rule, datetime.now(UTC))
    _report(kept, as_json, f"The rule {rule.name} wants {_wants(rule)}.")


@rules.command()
@click.argument("name")
@_rule_options
@click.option("--active/--paused", default=None, help="Whether it is owed anything.")
@click.option("--name", "new_name", metavar="NAME", help="What it is to be called.")
@json_option
def change(name: str, new_name: str | None, as_json: bool, **given: Any) -> None:
    """Change the rule called NAME in what is given; an empty value takes a condition away.

    Example: pantau alerts rules change sanksi-bali --place Bali --place NTB --words ''
    """
    from storage.rules import change as change_rule
    from storage.rules import get

    with writing() as session:
        base = get(session, name).rule.model_dump()
        rule = _changed(base | {"name": new_name or name}, given)
        kept = change_rule(session, name, rule)
    _report(kept, as_json, f"The rule {rule.name} wants {_wants(rule)}.")


def _report(kept: "Stored", as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(_json(kept))
    mention(sentence)


@rules.command()
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Forget the rule called NAME, and what waits to be sent for it.

    Example: pantau alerts rules remove sanksi-bali
    """
    from storage.rules import remove as remove_rule

    with writing() as session:
        remove_rule(session, name, datetime.now(UTC))
    if as_json:
        print_json({"removed": name})
    mention(f"The rule {name} is no more.")


# --- try ------------------------------------------------------------------------------------------


@rules.command("try")
@click.argument("name")
@click.option("--days", type=click.IntRange(1, 3660), default=7, show_default=True)
@json_option
def try_(name: str, days: int, as_json: bool) -> None:
    """Show what the rule called NAME would have told of what was found in the past days.

    Example: pantau alerts rules try sanksi-bali --days 30
    """
    from storage.outbox import would_owe
    from storage.rules import get

    with reading() as session:
        rule = get(session, name).rule
        news = list(would_owe(session, rule, datetime.now(UTC) - timedelta(days=days)))
    stories = len({one.story or -one.finding for one in news})
    if as_json:
        print_json(
            {"rule": name, "days": days, "would_send": len(news), "stories": stories, "news": news}
        )
        return
    table = Table("Finding", "Found", "Outlet", "Stage", "Title")
    for one in news:
        table.add_row(
            str(one.finding), f"{one.found:%Y-%m-%d}", one.outlet, one.stage, Text(one.title)
        )
    if news:
        stdout().print(table)
    stdout().print(f"{name} would have sent {len(news)}, of {stories} stories, in {days} days.")


# --- YAML -----------------------------------------------------------------------------------------


@rules.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def export(file: Path, as_json: bool) -> None:
    """Write all rules to FILE as YAML; channels by name, without what opens the feeds.

    Example: pantau alerts rules export rules.yaml
    """
    from alerts.rulefile import dump
    from storage.rules import stored

    with reading() as session:
        known = [one.rule for one in stored(session)]
    try:
        file.write_text(dump(known), "utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from None
    if as_json:
        print_json({"file": str(file), "rules": len(known)})
    mention(f"{len(known)} rules are in {file}.")


@rules.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_(file: Path, as_json: bool) -> None:
    """Add the rules in FILE, or change those that have the same names; others stay as they are.

    Example: pantau alerts rules import rules.yaml
    """
    from storage.rules import add, change, stored

    read = _read(file)
    done: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
    with writing() as session:
        known = {one.rule.name: one.rule for one in stored(session)}
        for rule in read:
            if rule.name not in known:
                add(session, rule, datetime.now(UTC))
                done["added"].append(rule.name)
            elif rule != known[rule.name]:
                change(session, rule.name, rule)
                done["changed"].append(rule.name)
            else:
                done["unchanged"].append(rule.name)
    if as_json:
        print_json(done)
    mention(" · ".join(f"{len(names)} {what}" for what, names in done.items()))


def _read(file: Path) -> "list[Rule]":
    from alerts.rulefile import MAX_BYTES, load
    from storage.rules import RuleError

    try:
        with file.open("rb") as opened:
            read = load(opened.read(MAX_BYTES + 1))
        for rule in read:
            if rule.wanted.outlets:
                chosen_spiders(rule.wanted.outlets)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    except RuleError as error:
        raise InputError(f"{file} cannot be used: {error}") from None
    except InputError as error:
        raise InputError(f"{file}: the rule “{rule.name}”: {error.message}") from None
    return read
