"""python -m benchmarks.extraction"""

import json
import logging
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from trafilatura import bare_extraction

from benchmarks.extraction import rivals
from benchmarks.extraction.measure import figures
from benchmarks.extraction.pages import Sample, samples
from extract.read import read
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
    "ms": "CPU ms, read once",
}


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often each page is timed.")
@click.option(
    "--rivals/--no-rivals", "with_rivals", default=True,
    help="Whether newspaper4k and news-please are measured, too (they are installed once).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(rounds: int, with_rivals: bool, as_json: bool) -> None:
    """Measures extraction beside trafilatura alone, newspaper4k and news-please."""
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    work = samples()
    readings = {"Pantau": rivals.pantau(work), "trafilatura": rivals.trafilatura(work)}
    if with_rivals:
        folder = Settings().home / "benchmarks"
        for name in rivals.PINS:
            readings[name] = rivals.installed(name, work, folder)
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
    speed = timing(work, rounds)
    if as_json:
        click.echo(json.dumps({"exactness": rows, "speed": speed}))
    else:
        show(rows, speed)


def timing(work: list[Sample], rounds: int) -> dict[str, float]:
    """CPU milliseconds of read() and of trafilatura alone over the first pages, by turns."""
    ours = alone = 0.0
    for sample in work:
        page = sample.pages[:1]
        read(page, zone=sample.zone)  # the caches of both are warm
        one, other = [], []
        for _ in range(rounds):
            one.append(_milliseconds(lambda: read(page, zone=sample.zone)))  # noqa: B023
            other.append(
                _milliseconds(
                    lambda: bare_extraction(page[0].html, url=page[0].url, with_metadata=True)  # noqa: B023
                )
            )
        ours, alone = ours + median(one), alone + median(other)
    count = len(work)
    return {
        "pages": count,
        "read_ms": ours / count,
        "trafilatura_ms": alone / count,
        "ratio": ours / alone,
    }


def _milliseconds(call: Callable[[], object]) -> float:
    began = process_time()
    call()
    return (process_time() - began) * 1000


def show(rows: list[dict[str, Any]], speed: dict[str, float]) -> None:
    """Print the tables."""
    console = Console()
    for group in dict.fromkeys(row["pages"] for row in rows):
        chosen = [row for row in rows if row["pages"] == group]
        table = Table(f"{group}: {chosen[0]['articles']} articles")
        for row in chosen:
            table.add_column(row["extractor"], justify="right")
        for key, label in MEASURES.items():
            table.add_row(label, *(_shown(row[key], key) for row in chosen))
        console.print(table)
    ours, alone = speed["read_ms"], speed["trafilatura_ms"]
    console.print(f"read() {ours:.1f} ms a page, trafilatura alone {alone:.1f}: {ours / alone:.2f}")


def _shown(value: float, key: str) -> str:
    if key == "indexes":
        return str(value)
    return f"{value:.1f}" if key == "ms" else f"{value:.3f}"


if __name__ == "__main__":
    main()
