"""python -m benchmarks.extraction"""

import json
import logging
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.extraction import rivals
from benchmarks.extraction.measure import figures
from benchmarks.extraction.pages import samples
from settings import Settings

MEASURES = {
    "precision": "precision of words",
    "recall": "recall of words",
    "f1": "F1 of words",
    "mean_f1": "F1, mean of pages",
    "title": "title exact",
    "date": "date right to the minute",
    "offset": "… and its offset",
    "day": "day right",
    "authors": "authors exact",
    "indexes": "indexes given as articles",
    "ms": "CPU ms an article",
}


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often each page is read.")
@click.option(
    "--rivals/--no-rivals", "with_rivals", default=True,
    help="Whether newspaper4k and news-please are measured, too (they are installed once).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(rounds: int, with_rivals: bool, as_json: bool) -> None:
    """Measures extraction beside trafilatura alone, newspaper4k and news-please."""
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    work = samples()
    readings = rivals.by_turns(work, rounds)
    if with_rivals:
        folder = Settings().home / "benchmarks"
        for name in ("newspaper4k", "news-please"):
            readings[name] = rivals.installed(name, work, rounds, folder)
    groups = {group: [s.group == group for s in work] for group in ("platforms", "saved")}
    groups["all"] = [True] * len(work)
    rows = [
        {"pages": group, "extractor": name}
        | figures(
            [s for s, inside in zip(work, mask, strict=True) if inside],
            [r for r, inside in zip(found, mask, strict=True) if inside],
        )
        for group, mask in groups.items()
        if any(mask)
        for name, found in readings.items()
    ]
    if as_json:
        click.echo(json.dumps(rows))
    else:
        show(rows)


def show(rows: list[dict[str, Any]]) -> None:
    """Print the tables: one a group of pages."""
    console = Console()
    for group in dict.fromkeys(row["pages"] for row in rows):
        chosen = [row for row in rows if row["pages"] == group]
        table = Table(f"{group}: {chosen[0]['articles']} articles")
        for row in chosen:
            table.add_column(row["extractor"], justify="right")
        for key, label in MEASURES.items():
            table.add_row(label, *(_shown(row[key], key) for row in chosen))
        console.print(table)


def _shown(value: float, key: str) -> str:
    if key == "indexes":
        return str(value)
    return f"{value:.1f}" if key == "ms" else f"{value:.3f}"


if __name__ == "__main__":
    main()
