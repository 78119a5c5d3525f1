"""pantau alerts channels, test, pending, deliver, again, key, feed"""

import sys
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from cli.alerts import reading, writing
from cli.inputs import InputError, json_option
from cli.output import mention, print_json, say, stdout


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def channels(ctx: click.Context, as_json: bool) -> None:
    """List where messages go; the addresses are shown to nobody.

    Example: pantau alerts channels
    """
    if ctx.invoked_subcommand:
        return
    import settings
    from alerts.channels import listed

    with reading() as session:
        rows = listed(session, settings.load())
    if as_json:
        for row in rows:
            print_json(row)
        return
    table = Table("Name", "Service", "Rules", "Waiting", "Given up")
    for row in rows:
        table.add_row(
            row.name, row.service, ", ".join(row.rules), str(row.waiting), str(row.given_up)
        )
    if rows:
        stdout().print(table)
    else:
        mention("No channels yet: pantau alerts channels add NAME -")


@channels.command("add")
@click.argument("name")
@click.argument("url", required=False)
@json_option
def add_channel(name: str, url: str | None, as_json: bool) -> None:
    """Add a channel: an Apprise URL (appriseit.com/services), or webhook+https://host/path.

    Without URL, or with -, the address is asked for, so that no shell remembers it. A webhook's
    messages are signed with a key, which is shown once; webhook+https://KEY@host/path brings one.

    Example: pantau alerts channels add redaksi -
    """
    import settings
    from alerts import deliver
    from alerts.channels import add, parse

    current = settings.load()
    if url in (None, "-"):
        terminal = sys.stdin.isatty()
        url = click.prompt("Address", hide_input=True, err=True) if terminal else sys.stdin.read()
    if not name.strip() or len(name) > 64:
        raise InputError("A channel's name has 1 to 64 characters.")
    with writing() as session:
        address = parse(url or "", current)
        add(session, name, address, deliver.now(), current)
    if as_json:
        print_json({"name": name, **({"key": address.key} if address.key else {})})
    elif address.key:
        mention("The key that its messages are signed with; it is not shown again:")
        click.echo(address.key)
    mention(f"Added. Try it: pantau alerts test {name}")


@channels.command("remove")
@click.argument("name")
@json_option
def remove_channel(name: str, as_json: bool) -> None:
    """Remove a channel that no rule uses, with its messages.

    Example: pantau alerts channels remove redaksi
    """
    from alerts.channels import remove

    with writing() as session:
        unsent = remove(session, name)
    if as_json:
        print_json({"name": name, "unsent": unsent})
    else:
        mention(f"Removed; {unsent} of its messages had not been sent.")


@channels.command("rekey")
@json_option
def rekey_channels(as_json: bool) -> None:
    """Encrypt the addresses anew, with the newest key of PANTAU_SECRET_KEY.

    Example: pantau alerts channels rekey
    """
    import settings
    from alerts.channels import rekey

    with writing() as session:
        count = rekey(session, settings.load())
    if as_json:
        print_json({"channels": count})
    else:
        mention(f"{count} addresses are encrypted with the newest key; older ones can go.")


@click.command()
@click.argument("channel")
@json_option
def test(channel: str, as_json: bool) -> None:
    """Send a message to a channel now, to see whether it arrives.

    Example: pantau alerts test redaksi
    """
    import uuid

    import settings
    from alerts import channels as kept
    from alerts import messages
    from alerts.errors import DeliveryError

    key, current = str(uuid.uuid4()), settings.load()
    with reading() as session:
        secret = kept.get(session, channel).address
    error = None
    try:
        kept.send(secret, messages.test(channel, current.language, key), key, current)
    except DeliveryError as refused:
        error = str(refused)
    if as_json:
        print_json({"channel": channel, "id": key, "error": error})
    if error:
        raise SystemExit(say(f"The channel “{channel}” did not take it: {error}"))
    if not as_json:
        mention(f"The channel “{channel}” took it.")


@click.command()
@json_option
def pending(as_json: bool) -> None:
    """List what waits: messages not sent yet or given up, and news that is owed.

    Example: pantau alerts pending
    """
    from alerts.deliver import unsent
    from storage.outbox import pending as owed

    with reading() as session:
        messages, news = unsent(session), owed(session)
    if as_json:
        print_json({"messages": messages, "news": news})
        return
    if messages:
        table = Table("ID", "Channel", "Title", "State", "Attempts", "Why")
        for one in messages:
            state = "given up" if one.given_up else f"next {one.next_try:%Y-%m-%d %H:%M} UTC"
            table.add_row(
                str(one.id), one.channel, Text(one.title), state, str(one.attempts),
                Text(one.error or ""),
            )  # fmt: skip
        stdout().print(table)
    if news:
        table = Table("Rule", "Channel", "Pace", "Due", "News")
        for row in news:
            due = f"{row.due:%Y-%m-%d %H:%M} UTC"
            table.add_row(row.rule, row.channel, row.pace, due, Text(row.title))
        stdout().print(table)
    if not messages and not news:
        mention("Nothing waits.")


@click.command()
@json_option
def deliver(as_json: bool) -> None:
    """Send what is due now, once. `pantau run` does so all the time.

    Example: pantau alerts deliver
    """
    import settings
    from alerts.deliver import run
    from storage.database import open_database

    current = settings.load()
    sent = run(open_database(current.database), current)
    failed = [one for one in sent if one.error]
    if as_json:
        print_json({"sent": len(sent) - len(failed), "failed": failed})
    else:
        mention(f"{len(sent) - len(failed)} sent.")
    for one in failed:
        say(f"The channel “{one.channel}” did not take message {one.id}: {one.error}")
    if failed:
        raise SystemExit(1)


@click.command()
@click.argument("message_id", metavar="ID", type=int)
@json_option
def again(message_id: int, as_json: bool) -> None:
    """Send a message again that was given up, or sooner than its next try.

    Example: pantau alerts again 12
    """
    from alerts import deliver as delivery

    with writing() as session:
        there = delivery.again(session, message_id, delivery.now())
    if not there:
        raise InputError(f"No message {message_id} waits; `pantau alerts pending` lists them.")
    if as_json:
        print_json({"id": message_id})
    else:
        mention("It is sent with the next delivery: pantau alerts deliver")


@click.command()
@json_option
def key(as_json: bool) -> None:
    """Print a new key for PANTAU_SECRET_KEY.

    Example: pantau alerts key
    """
    from alerts.secrets import new_key

    made = new_key()
    print_json({"key": made}) if as_json else click.echo(made)


@click.command()
@click.argument("name")
@click.option(
    "--format", "format_", type=click.Choice(("atom", "json")), default="atom", show_default=True
)
def feed(name: str, format_: Any) -> None:
    """Print a rule's feed.

    Example: pantau alerts feed bali --format json
    """
    import settings
    from alerts.feeds import feed_for
    from storage import rules
    from storage.database import open_database

    with reading() as session:
        token = rules.get(session, name).token
    click.echo(feed_for(open_database(settings.load().database), token, format_))


COMMANDS: tuple[click.Command, ...] = (channels, test, pending, deliver, again, key, feed)
