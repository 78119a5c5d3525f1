"""How long read() takes for a page, beside trafilatura alone on the same pages in the same run.

    python -m benchmarks.extraction [--rounds 5]

Pages: the themes in tests/extract/pages filled with an article of our own, and, where they are,
the saved pages of real sites in ../shared/html.
"""

import argparse
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from string import Template
from time import perf_counter
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from trafilatura import bare_extraction

from extract.article import Page
from extract.read import read

ROOT = Path(__file__).parents[1]
ZONE = ZoneInfo("Asia/Jakarta")
FETCHED = datetime(2026, 11, 21, tzinfo=UTC)
SENTENCE = "Bupati meminta seluruh pegawai menjaga netralitas selama masa kampanye di daerah itu. "


def pages() -> dict[str, Page]:
    """Pages to read, by name."""
    found = {}
    body = "".join(f"<p>{SENTENCE * 3}</p>" for _ in range(12))
    for file in sorted((ROOT / "tests/extract/pages").glob("*.html")):
        url = "https://kabar.example.id/berita/bupati-minta-pegawai-netral/"
        html = Template(file.read_text("utf-8")).substitute(
            title="Bupati Minta Pegawai Netral", url=url, caption="Bupati di aula", body=body
        )
        found[f"ours/{file.name}"] = Page(url, html.encode(), FETCHED)
    for file in sorted((ROOT.parent / "shared/html").glob("*.html")):
        url = f"https://kabar.example.id/berita/{file.stem}"
        found[file.name] = Page(url, file.read_bytes(), FETCHED)
    return found


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """The median time of a call."""
    times = []
    for _ in range(rounds):
        started = perf_counter()
        work()
        times.append((perf_counter() - started) * 1000)
    return median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    table = Table("page", title="Extraction, ms a page (median)")
    for heading in ("KB", "read()", "trafilatura", "ratio"):
        table.add_column(heading, justify="right")
    mine = theirs = 0.0
    for name, page in pages().items():
        work = [page]
        read(work, zone=ZONE)  # caches of both warm
        ours = milliseconds(lambda: read(work, zone=ZONE), rounds)  # noqa: B023 - called at once
        alone = milliseconds(
            lambda: bare_extraction(page.html, url=page.url, with_metadata=True),  # noqa: B023
            rounds,
        )
        mine, theirs = mine + ours, theirs + alone
        size = f"{len(page.html) / 1000:.0f}"
        table.add_row(name, size, f"{ours:.1f}", f"{alone:.1f}", f"{ours / alone:.2f}")
    table.add_section()
    table.add_row("all", "", f"{mine:.1f}", f"{theirs:.1f}", f"{mine / theirs:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
