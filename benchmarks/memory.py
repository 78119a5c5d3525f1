"""Whether a long crawl's memory stays flat: python -m benchmarks.memory [--pages N] [--json]

One `pantau crawl` of 100,000 pages of about 95 KB, sent gzipped, of 64 outlets on loopback, each at
an address of its own (127.0.x.y: Linux only), played by one nginx; 5 % of the pages are relevant,
each of these a page of its own. No delay; otherwise as Pantau comes: 16 outlets at a time. The
proportional set size of all its processes (the crawl, its workers, its private Redis) is read twice
a second; its peak in each tenth of the pages says whether it grows.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.daily import MB, SAMPLE_SECONDS, serving
from benchmarks.daily import _memory as memory
from benchmarks.pages import Pages
from benchmarks.throughput import ROOT, free_ports

OUTLETS = 64  # sixteen at a time, four times
SHARED = {"decoy": 190, "filler": 1380}  # pages written; each relevant one is written for itself
AIM_RATIO, AIM_MB = 1.05, 400
KINDS = ("own", "workers", "redis", "memory")


# --- the sites ------------------------------------------------------------------------------------


def write_sites(folder: Path, bases: dict[str, str], count: int) -> None:
    """Write the sites at `bases` (by address): `count` pages, shared among them."""
    pages = Pages()
    (folder / "pages").mkdir()
    written: Counter[str] = Counter()

    def page(label: str) -> str:
        """The name of the next page, which is written unless it was."""
        number = written[label]
        written[label] += 1
        if shared := SHARED.get(label):
            number %= shared
        name = f"{label}-{number}"
        file = folder / "pages" / f"{name}.html.gz"
        if not file.exists():
            file.write_bytes(gzip.compress(pages.page(label, number).encode(), 1))
        return name

    paths: dict[str, list[str]] = {address: [] for address in bases}
    turns = list(paths.values())
    for number, label in enumerate(pages.labels(count)):
        turns[number % len(turns)].append(f"/berita/{number}/{page(label)}")
    for address, own in paths.items():
        site = folder / "sites" / address
        site.mkdir(parents=True)
        entries = "".join(f"<url><loc>{bases[address]}{path}</loc></url>" for path in own)
        (site / "sitemap.xml").write_text(f"<urlset>{entries}</urlset>", "utf-8")
        (site / "robots.txt").write_text("User-agent: *\nDisallow: /wp-admin/\n", "utf-8")


# --- the crawl ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """Memory in bytes (of the crawl's `own` process, its `workers`, its `redis`, and of all:
    `memory`) when the server had logged so much."""

    logged: int
    sizes: Counter[str]


@dataclass(frozen=True)
class Figures:
    """What the crawl came to: the peaks of memory in bytes, by tenths of its pages and at all, and
    the ratio of the last tenth's to the second's."""

    pages: int
    findings: int
    errors: int
    seconds: float
    tenths: list[dict[str, int]]
    peak: dict[str, int]
    ratio: float


def measured(folder: Path, bases: dict[str, str], limit: int) -> Figures:
    """Crawl the sites once, with at most `limit` pages of each."""
    home = folder / "home"
    home.mkdir(0o700)
    catalogue, log = home / "outlets.toml", folder / "requests.log"
    catalogue.write_text(
        "\n".join(
            f'[[outlet]]\nname = "outlet-{n}"\ntitle = "Outlet {n}"\nscheme = "http"\n'
            f'domain = "{base.removeprefix("http://")}"\nsources = [{{sitemap = "/sitemap.xml"}}]\n'
            for n, base in enumerate(bases.values())
        ),
        "utf-8",
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PANTAU_")} | {
        "PANTAU_HOME": str(home),
        "PANTAU_CATALOGUE": str(catalogue),
        "PANTAU_ALLOW_PRIVATE_ADDRESSES": "true",
        "PANTAU_DELAY": "0",
        "PANTAU_MAX_ARTICLES": str(limit),
    }
    command = [sys.executable, "-m", "cli", "crawl", "--json"]
    for n in range(len(bases)):
        command += ["--outlet", f"outlet-{n}"]
    began, samples = time.monotonic(), []
    with (
        (home / "report.json").open("w+") as out,
        (home / "stderr").open("w+") as err,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=err) as process,
    ):
        while process.poll() is None:
            samples.append(Sample(log.stat().st_size, memory(process.pid)))
            with suppress(subprocess.TimeoutExpired):
                process.wait(SAMPLE_SECONDS)
        seconds = time.monotonic() - began
        out.seek(0)
        err.seek(0)
        try:
            reports = json.load(out)["outlets"]
        except ValueError:
            raise click.ClickException(err.read()) from None
    tenths = by_tenths(samples)
    peak: Counter[str] = Counter()
    for tenth in tenths:
        peak |= tenth
    return Figures(
        pages=sum(report["fetched"] for report in reports),
        findings=sum(report["findings"] for report in reports),
        errors=sum(report["errors"] for report in reports),
        seconds=seconds,
        tenths=[dict(tenth) for tenth in tenths],
        peak=dict(peak),
        ratio=tenths[9]["memory"] / tenths[1]["memory"],
    )


def by_tenths(samples: Sequence[Sample]) -> list[Counter[str]]:
    """The peak of each kind of memory in each tenth of what was served."""
    whole = samples[-1].logged
    tenths: list[Counter[str]] = [Counter() for _ in range(10)]
    for sample in samples:
        tenths[min(9, 10 * sample.logged // whole)] |= sample.sizes
    if not all(tenths):
        raise click.ClickException("It was over too soon to be measured; take more pages.")
    return tenths


@click.command()
@click.option("--pages", default=100_000, show_default=True, help="How many pages, of all outlets.")
@click.option("--outlets", default=OUTLETS, show_default=True, type=click.IntRange(1, 60_000))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(pages: int, outlets: int, as_json: bool) -> None:
    """Measures the memory of a long crawl."""
    with tempfile.TemporaryDirectory(prefix="pantau-memory-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx serves as another user
        addresses = [f"127.0.{1 + n // 250}.{1 + n % 250}" for n in range(outlets)]
        [port] = free_ports(1)
        bases = {address: f"http://{address}:{port}" for address in addresses}
        write_sites(folder, bases, pages)
        with serving(folder, addresses, port):
            figures = measured(folder, bases, -(-pages // outlets))
    if figures.pages != pages:
        raise click.ClickException(f"Not every page was fetched, once: {figures}")
    if as_json:
        aims = {"aim_ratio": AIM_RATIO, "aim_mb": AIM_MB}
        click.echo(json.dumps({"outlets": outlets, **aims, **asdict(figures)}))
        return
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for title in ("peaks, MB", "own", "workers", "Redis", "all"):
        table.add_column(title, justify="right")
    for number, sizes in enumerate((*figures.tenths, figures.peak), 1):
        cells = (f"{sizes.get(kind, 0) / MB:.0f}" for kind in KINDS)
        table.add_row(f"tenth {number}" if number <= 10 else "whole", *cells)
    Console().print(table)
    print(
        f"{pages:,} pages of {outlets} outlets in {figures.seconds:.0f} s, "
        f"{figures.findings:,} findings, {figures.errors} errors.\n"
        f"The last tenth's peak is {figures.ratio:.3f} of the second's (aim: at most {AIM_RATIO}); "
        f"the whole crawl's {figures.peak['memory'] / MB:.0f} MB (aim: below {AIM_MB})."
    )


if __name__ == "__main__":
    main()
