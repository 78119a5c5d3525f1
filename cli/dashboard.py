"""pantau serve, pantau people"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Any

import click
from rich.table import Table

from cli.inputs import InputError, json_option, reading_database
from cli.output import print_json, stdout

COMMAND = (sys.executable, "-m", "cli")  # what does the jobs asked for in the browser


@contextmanager
def dashboard(engine: Any, current: Any, *, alone: bool = False) -> Iterator[str | None]:
    """Serve the dashboard meanwhile, unless it is off, and say where; gives its address. Where that
    is taken, what else is done goes on, unless it is served `alone`."""
    from dashboard.serve import ServeError, first_link, serving

    if current.dashboard_address == "off":
        yield None
        return
    try:
        with serving(engine, current) as served:
            click.echo(f"The dashboard is at {current.dashboard_url or served}", err=True)
            if link := first_link(engine, current, served):
                click.echo(
                    f"Nobody can sign in yet. Choose a name and a password at\n{link}\n"
                    "(it works once, until the next start).",
                    err=True,
                )
            yield served
    except ServeError as error:
        if alone:
            raise InputError(str(error)) from None
        click.echo(f"pantau: {error}", err=True)
        yield None


@click.command()
@json_option
def serve(as_json: bool) -> None:
    """Serve the dashboard, and do what is asked for in it, until stopped (Ctrl-C): beside a
    `pantau run` elsewhere.

    Example: PANTAU_DASHBOARD_ADDRESS=0.0.0.0:8080 pantau serve
    """
    import settings
    from scheduler.jobs import working
    from storage.database import open_database

    current = settings.load()
    if current.dashboard_address == "off":
        raise InputError("PANTAU_DASHBOARD_ADDRESS is “off”; set it to HOST:PORT.")
    stopped = Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    engine = open_database(current.database)
    jobs = working(engine, COMMAND, current.lease_seconds)
    with dashboard(engine, current, alone=True) as served, jobs:
        if as_json:
            print_json({"address": served})
            sys.stdout.flush()
        stopped.wait()


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def people(context: click.Context, as_json: bool) -> None:
    """List who may use the dashboard; `add` and `link` let somebody in.

    Example: pantau people
    """
    if context.invoked_subcommand:
        return
    from storage import people as kept

    with reading_database() as session:
        everybody = kept.people(session)
    table = Table("Name", "Role", "State")
    for person in everybody:
        state = "disabled" if person.disabled else "invited" if person.invited else "active"
        if as_json:
            print_json({"name": person.name, "role": person.role, "state": state})
        else:
            table.add_row(person.name, person.role, state)
    if not as_json:
        stdout().print(table)


@people.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "reviewer", "operator", "administrator"]),
    default="viewer",
    show_default=True,
)
@json_option
def add(name: str, role: str, as_json: bool) -> None:
    """Add a person; prints the link on which they choose their password. It works once.

    Example: pantau people add sari --role administrator
    """
    from storage.models import Role

    _invite(name, Role(role), as_json)


@people.command()
@click.argument("name")
@json_option
def link(name: str, as_json: bool) -> None:
    """Print a link on which a person who is there already chooses a new password.

    Example: pantau people link sari
    """
    _invite(name, None, as_json)


def _invite(name: str, role: Any, as_json: bool) -> None:
    """Print a link for `name`: one who is added with `role`, or, without one, is there."""
    from sqlalchemy.orm import Session

    import settings
    from storage import people as kept
    from storage.database import open_database

    current = settings.load()
    if current.dashboard_address == "off" and not current.dashboard_url:
        raise InputError(
            "PANTAU_DASHBOARD_ADDRESS is “off”: say in PANTAU_DASHBOARD_URL where the dashboard is."
        )
    now = datetime.now(UTC)
    with Session(open_database(current.database)) as session, session.begin():
        there = next((p for p in kept.people(session) if p.name == name), None)
        if there and role:
            raise InputError(f"There is a {name} already; see `pantau people link {name}`.")
        if there is None and role is None:
            raise InputError(f"There is no {name}; `pantau people add {name}` adds them.")
        try:
            token = kept.invite(session, name, there.role if there else role, now)
        except kept.PeopleError as error:
            raise InputError(str(error)) from None
        kept.record(session, None, "password link made" if there else "person invited", name, now)
    here = current.dashboard_address.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    base = current.dashboard_url or f"http://{here}"
    address = f"{base}/invitation/{token}"
    if as_json:
        print_json({"name": name, "link": address})
    else:
        click.echo(address)
