"""pantau doctor"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from cli.inputs import Duration, InputError, json_option
from cli.output import print_json, say, stdout

if TYPE_CHECKING:
    from scheduler.health import Check
    from storage.states import Change

MOST_UNWELL = 100  # outlets shown; with --json, all


@click.command()
@click.option(
    "--since",
    type=Duration(),
    metavar="TIME",
    help="Only: was a daily crawl completed within 26h, 2d …? And which outlets are not well?",
)
@json_option
def doctor(since: timedelta | None, as_json: bool) -> None:
    """Check settings, database, Redis, disk, clock and the outlets, and say what to do.

    Example: pantau doctor --since 26h
    """
    if since:
        _daily(since, as_json)
        return
    from scheduler.health import check

    checks = list(check())
    if as_json:
        print_json({"ok": all(c.ok for c in checks), "checks": checks})
    else:
        _print(checks)
    if any(c.vital and not c.ok for c in checks):
        raise SystemExit(2)
    if not all(c.ok for c in checks):
        raise SystemExit(1)


def _daily(since: timedelta, as_json: bool) -> None:
    """For cron: nothing of Pantau need be running."""
    import settings
    from crawler.outlets.catalogue import CatalogueError
    from scheduler.health import check_daily, outlets
    from storage.database import open_database

    engine = open_database(settings.load().database)
    try:
        daily, judged = check_daily(engine, since), outlets(engine)
    except CatalogueError as error:
        raise InputError(str(error)) from None
    unwell = [change for change in judged if change.state != "well"]
    if as_json:
        rows = [{"outlet": c.outlet, "state": c.state, "why": c.why} for c in unwell]
        print_json({"ok": daily.ok, "checks": [daily], "unwell": rows})
    else:
        _print([daily])
        _print_unwell(unwell, len(judged))
    if not daily.ok:
        raise SystemExit(say(daily.says))


def _print(checks: Sequence["Check"]) -> None:
    table = Table(box=None, show_header=False)
    for c in checks:
        table.add_row("[green]well[/]" if c.ok else "[red]not well[/]", c.name, Text(c.says))
        if not c.ok:
            table.add_row("", "", Text(f"→ {c.advice}"))
    stdout().print(table)


def _print_unwell(unwell: Sequence["Change"], watched: int) -> None:
    stdout().print(f" {watched - len(unwell)} of {watched} outlets are well.")
    table = Table(box=None, show_header=False)
    for change in unwell[:MOST_UNWELL]:
        table.add_row(change.state, change.outlet, Text(change.why))
    stdout().print(table)
    if len(unwell) > MOST_UNWELL:
        more = len(unwell) - MOST_UNWELL
        stdout().print(f"{more} more are not well; with --json, all are named.")
