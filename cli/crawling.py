"""pantau crawl, pantau run"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.dashboard import COMMAND, dashboard
from cli.findings import print_found
from cli.inputs import catalogue, json_option, reading_database, spiders_to_crawl
from cli.output import mention, print_json, say, stdout
from cli.workers import refuse_half_shared

if TYPE_CHECKING:
    from crawler.run import OutletReport

COLUMNS = ("links", "new", "fetched", "gated", "findings", "errors")
MANY = 30  # outlets; of more, not each has a row
WATCH_SECONDS = 300  # between two looks at the daily crawl and the outlets
DELIVERY_SECONDS = 15


@click.command()
@click.option("--outlet", "names", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many articles per outlet.")
@click.option("--check", is_flag=True, help="Ask the spare sources, too, what the daily ones miss.")
@click.option("--run", "run_name", hidden=True, help="Go on with the crawl of this name.")
@json_option
def crawl(
    names: tuple[str, ...], limit: int | None, check: bool, run_name: str | None, as_json: bool
) -> None:
    """Crawl the outlets now, once.

    Example: pantau crawl --outlet nusabali --limit 50
    """
    import settings
    from storage import findings

    spiders = spiders_to_crawl(names)
    with _progress(len(spiders)) as progress:
        reports = way_to_crawl()(spiders, limit=limit, check=check, progress=progress, run=run_name)
    if not settings.load().queue:
        from crawler.shared import shared

        shared().close()
    found = [id_ for report in reports for id_ in report.found]
    if as_json:
        print_json(
            {
                "outlets": [
                    {"outlet": r.outlet, **asdict(r.counts), "seconds": round(r.seconds, 1)}
                    for r in reports
                ],
                "found": found,
            }
        )
    else:
        _print_reports(reports)
        with reading_database() as session:
            print_found([*findings.read(session, found)])
    failed = [report for report in reports if _failed(report)]
    if failed:
        raise SystemExit(
            say(f"{len(failed)} of {len(reports)} outlets had errors or were stopped.")
        )


def way_to_crawl() -> Callable[..., list["OutletReport"]]:
    """What crawls: this process or, by the queue, workers."""
    import settings

    if settings.load().queue:
        from scheduler.sharing import crawl as by_workers

        refuse_half_shared()
        return by_workers
    from crawler.run import crawl as here

    return here


@click.command()
@click.option("--now", is_flag=True, help="Crawl once at once, whatever the schedule says.")
@json_option
def run(now: bool, as_json: bool) -> None:
    """Run everything on this machine, until stopped (Ctrl-C): the daily crawl, the alerts, the
    watch over the outlets, the dashboard and /metrics.

    Example: pantau run --now
    """
    import settings
    from alerts import deliver
    from extract.lexicon import load
    from scheduler.clock import LEASE_SECONDS, DailyCrawl
    from scheduler.jobs import working
    from scheduler.metrics import serving
    from scheduler.watch import Watch
    from storage.database import open_database

    current = settings.load()
    load(more=current.lexicon)  # so that a mistake in it is said now, not by every crawl
    catalogue()  # and so with the outlets
    engine = open_database(current.database)
    watch = Watch(engine, current)
    deliveries = partial(deliver.run, engine, current, gathers=True)
    daily = DailyCrawl(
        engine,
        [*COMMAND, "crawl", *(["--json"] if as_json else [])],
        current.crawl_at,
        current.zone,
        min(LEASE_SECONDS, current.lease_seconds),
        watch,
        [(WATCH_SECONDS, watch.look), (DELIVERY_SECONDS, deliveries)],
        names_runs=current.queue,
    )

    def waiting() -> None:
        mention(f"\nThe next crawl begins at {daily.next_due():%Y-%m-%d %H:%M %Z}. Ctrl-C ends it.")

    jobs = working(engine, COMMAND, current.lease_seconds)
    with serving(engine, current), dashboard(engine, current), jobs:
        asyncio.run(daily.run(now=now, waiting=waiting))


def _print_reports(reports: Sequence["OutletReport"]) -> None:
    """The table of a crawl. Of many outlets it has those with findings or trouble, and the sum."""
    telling = _telling(reports)
    shown = telling[:MANY]
    table = Table("Outlet")
    for column in (*COLUMNS, "seconds"):
        table.add_column(column.capitalize(), justify="right")
    for report in shown:
        counts = [getattr(report.counts, column) for column in COLUMNS]
        table.add_row(report.outlet, *_marked(counts), f"{report.seconds:.1f}")
    if len(reports) > MANY:
        sums = [sum(getattr(report.counts, column) for report in reports) for column in COLUMNS]
        table.add_section()
        table.add_row(f"all {len(reports)}", *_marked(sums), "")
    console = stdout()
    console.print(table)
    unfinished = {"waiting": "not crawled", "stopped": "stopped"}
    for report in shown:
        if note := report.counts.note or unfinished.get(report.state):
            console.print(Text(f"{report.outlet}: {note}"), soft_wrap=True)
    if more := len(telling) - len(shown):
        console.print(f"{more} more had errors or were stopped; with --json, a crawl names all.")


def _telling(reports: Sequence["OutletReport"]) -> Sequence["OutletReport"]:
    """Those to be shown, the most important first where there are many."""
    if len(reports) <= MANY:
        return reports
    telling = [report for report in reports if report.counts.findings or _failed(report)]
    return sorted(telling, key=lambda r: (r.counts.findings, r.counts.errors), reverse=True)


def _marked(counts: Sequence[int]) -> list[str]:
    *others, findings, errors = counts
    return [
        *map(str, others),
        f"[bold]{findings}[/]" if findings else "0",
        f"[red]{errors}[/]" if errors else "0",
    ]


def _failed(report: "OutletReport") -> bool:
    return bool(report.counts.errors) or report.state not in ("done", "paused")


class _progress:  # noqa: N801 (a context manager, used like a function)
    """A progress bar on stderr, where that is a terminal."""

    def __init__(self, outlets: int) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} outlets · {task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("beginning", total=outlets)

    def __enter__(self) -> Callable[[Sequence["OutletReport"]], None]:
        self._bar.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _show(self, reports: Sequence["OutletReport"]) -> None:
        fetched = sum(report.counts.fetched for report in reports)
        found = sum(report.counts.findings for report in reports)
        running = [report.outlet for report in reports if report.state == "running"]
        names = ", ".join(running[:3]) + (" …" if len(running) > 3 else "")
        self._bar.update(
            self._task,
            completed=sum(report.state == "done" for report in reports),
            description=f"{fetched} articles, {found} findings · {names}",
        )
