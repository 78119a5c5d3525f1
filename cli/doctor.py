"""pantau doctor"""

import click
from rich.table import Table
from rich.text import Text

from cli.inputs import json_option
from cli.output import print_json, stdout


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check settings, database, Redis, disk, clock and the outlets, and say what to do.

    Example: pantau doctor
    """
    from scheduler.health import check

    checks = list(check())
    if as_json:
        print_json({"ok": all(c.ok for c in checks), "checks": checks})
    else:
        table = Table(box=None, show_header=False)
        for c in checks:
            table.add_row("[green]well[/]" if c.ok else "[red]not well[/]", c.name, Text(c.says))
            if not c.ok:
                table.add_row("", "", Text(f"→ {c.advice}"))
        stdout().print(table)
    if any(c.vital and not c.ok for c in checks):
        raise SystemExit(2)
    if not all(c.ok for c in checks):
        raise SystemExit(1)
