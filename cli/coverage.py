"""pantau coverage"""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from cli.inputs import Moment, chosen_spiders, json_option, reading_database
from cli.output import mention, print_json, stdout

if TYPE_CHECKING:
    from storage.coverage import Coverage, Estimate

DAYS = 30
_COUNTS = ("listed", "waiting", "too_old", "fetched", "gated", "empty", "judged", "found", "failed")


@click.command()
@click.option("--since", type=Moment(), metavar="DATE", help=f"From this day on; else {DAYS} days.")
@click.option("--outlet", "names", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@json_option
def coverage(since: datetime | None, names: tuple[str, ...], as_json: bool) -> None:
    """Account for all that was listed, and estimate how much of the press is seen.

    What the daily sources miss is known by the other sources of an outlet, which are asked once a
    week (or by `pantau crawl --check`).

    Example: pantau coverage --since 2024-11-01 --outlet nusabali
    """
    from storage.coverage import coverage as account
    from storage.coverage import overall

    chosen_spiders(names)
    with reading_database() as session:
        rows = account(session, since or datetime.now(UTC) - timedelta(days=DAYS))
    rows = [row for row in rows if not names or row.outlet in names]
    total = overall(rows)
    if as_json:
        print_json({"outlets": [asdict(row) for row in rows], "overall": asdict(total)})
    elif rows:
        _print(rows, total)
    else:
        mention("Nothing was crawled in that time.")


def _print(rows: list["Coverage"], total: "Coverage") -> None:
    table = Table("Outlet", show_footer=True)
    table.columns[0].footer = "all"
    for name in _COUNTS:
        column = name.replace("_", " ").capitalize()
        table.add_column(column, str(getattr(total, name)), justify="right")
    table.add_column("Missed", str(total.missed), justify="right")
    table.add_column("Articles seen", _share(total.articles), justify="right")
    table.add_column("Findings seen", _share(total.findings), justify="right")
    for row in rows:
        table.add_row(
            row.outlet,
            *(str(getattr(row, name)) for name in _COUNTS),
            str(row.missed),
            _share(row.articles),
            _share(row.findings),
        )
    console = stdout()
    console.print(table)
    for what, counts in (("Left out", total.dropped), ("Failed", total.failures)):
        for why, count in counts.items():
            console.print(Text(f"{what}: {count} {why}"), soft_wrap=True)


def _share(estimate: "Estimate | None") -> str:
    if not estimate:
        return "?"
    return f"{estimate.share:.0%} ({estimate.low:.0%}–{estimate.high:.0%})"
