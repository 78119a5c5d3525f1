"""How fast WARC files are read: python -m benchmarks.warc [--pages N] [--json]

A file of pages of 95 KB of one outlet, 5 % of them relevant, is written with FastWARC's own writer
and read in one thread: with FastWARC alone, with our reader, and gated; then `pantau backfill
--warc` takes it in whole, with its worker processes.
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click
from fastwarc.stream_io import GzipWriter
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType
from rich.console import Console
from rich.table import Table

from benchmarks.pages import Pages
from crawler.outlets.catalogue import load
from crawler.past.warc import Tally, Wanted, records
from extract.gate import passes

DAY = date(2024, 5, 10)
CATALOGUE = """[[outlet]]
name = "kabar"
title = "Kabar"
domain = "kabar.example"
sources = [{feed = "/feed/"}]
"""


def of_the_day(html: str) -> str:
    """A page as if it had been published on DAY."""
    return re.sub(r"20\d\d-\d\d-\d\dT[\d:.]+", f"{DAY}T09:00:00", html)


def write(path: Path, count: int) -> int:
    """Write a WARC file of `count` pages; gives how many are relevant."""
    pages = Pages()
    labels = pages.labels(count)
    with path.open("wb") as file:
        for number, label in enumerate(labels):
            record = WarcRecord()
            record.init_headers(record_type=WarcRecordType.response)
            record.headers["WARC-Target-URI"] = f"https://kabar.example/berita/{number}/kabar"
            record.headers["WARC-Date"] = f"{DAY}T08:00:00Z"
            record.is_http = True
            header = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\n\r\n"
            record.set_bytes_content(header + of_the_day(pages.page(label, number)).encode())
            part = io.BytesIO()
            writer = GzipWriter(part)
            record.write(writer)
            writer.close()
            file.write(part.getvalue())
    return labels.count("relevant")


@contextmanager
def on_one_core() -> Iterator[None]:
    """Run what is inside on one core, where the system allows it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def rate(read: Callable[[], int], rounds: int) -> float:
    """Pages a second, the best of `rounds`."""
    best = 0.0
    for _ in range(rounds):
        began = time.perf_counter()
        count = read()
        best = max(best, count / (time.perf_counter() - began))
    return best


def measure(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    path, catalogue = folder / "news.warc.gz", folder / "outlets.toml"
    relevant = write(path, count)
    catalogue.write_text(CATALOGUE, "utf-8")
    wanted = Wanted(load(catalogue), DAY, DAY)
    passes(b"")  # compiles the phrases

    def bare() -> int:
        with path.open("rb") as file:
            kinds = {"record_types": WarcRecordType.response, "parse_http": True}
            return sum(bool(r.reader.read()) for r in ArchiveIterator(file, **kinds))

    def ours() -> int:
        with path.open("rb") as file:
            return sum(1 for page in records(file, wanted, Tally()) if page)

    def gated() -> int:
        with path.open("rb") as file:
            return len([passes(a.page.html) for a in records(file, wanted, Tally()) if a])

    with on_one_core():
        rates = {
            "FastWARC alone": rate(bare, rounds),
            "read": rate(ours, rounds),
            "read and gated": rate(gated, rounds),
        }
    environment = os.environ | {"PANTAU_HOME": str(folder), "PANTAU_CATALOGUE": str(catalogue)}
    command = [sys.executable, "-m", "cli", "backfill", "--warc", str(path), "--outlet", "kabar"]
    command += ["--from", str(DAY), "--to", str(DAY), "--json"]
    for name in ("whole", "whole, again"):
        began = time.perf_counter()
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        rates[name] = count / (time.perf_counter() - began)
        if name == "whole":
            [kabar] = json.loads(ran.stdout)["outlets"]
    return {
        "pages": count,
        "bytes": path.stat().st_size,
        "relevant": relevant,
        "found": kabar["found"],
        "pages_a_second": rates,
    }


@click.command()
@click.option("--pages", type=click.IntRange(min=20), default=2000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(pages: int, rounds: int, as_json: bool) -> None:
    """Measures how many archived pages are read, gated and taken in a second."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), pages, rounds)
    if as_json:
        click.echo(json.dumps(figures))
        return
    table = Table(f"{figures['pages']} pages, {figures['found']} findings", "pages/s")
    for name, value in figures["pages_a_second"].items():
        table.add_row(name, f"{value:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
