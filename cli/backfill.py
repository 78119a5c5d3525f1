"""pantau backfill"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cli.backfills import RECORDS, existing, files_table
from cli.crawling import way_to_crawl
from cli.inputs import InputError, catalogue, json_option, reading_database, spiders_to_crawl
from cli.output import mention, print_json, say, stdout

if TYPE_CHECKING:
    from crawler.past.files import FileReport, FilesReport
    from crawler.run import OutletReport

SHOWN_OUTLETS = 16  # with a line each while it goes on


class Day(click.ParamType[date]):
    """A day in ISO 8601."""

    name = "date"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise InputError(f"“{value}” is not a day: write it as 2024-11-27.") from None


@click.command()
@click.option("--from", "first", type=Day(), metavar="DATE", help="The first day.")
@click.option("--to", "last", type=Day(), metavar="DATE", help="The last day; it belongs to it.")
@click.option("--outlet", "names", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@click.option("--archives", is_flag=True, help="Ask the web archives, too, for each outlet.")
@click.option(
    "--warc",
    "files",
    multiple=True,
    metavar="FILE",
    help="Read this WARC file (CC-NEWS), here or at its address, and ask no site; repeatable.",
)
@click.option("--resume", "resumed", type=int, metavar="ID", help="Go on with this backfill.")
@click.option(
    "--max-pages",
    type=click.IntRange(min=1),
    help="Fetch at most this many articles of each outlet.",
)
@click.option(
    "--delay",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Between two requests to an outlet; never less than PANTAU_DELAY.",
)
@json_option
def backfill(
    first: date | None,
    last: date | None,
    names: tuple[str, ...],
    archives: bool,
    files: tuple[str, ...],
    resumed: int | None,
    max_pages: int | None,
    delay: float | None,
    as_json: bool,
) -> None:
    """Go back in time: find what the outlets published in a window of the past.

    It can be stopped at any time (Ctrl-C), and resumed. Daily crawls go on beside it, and first.

    Example: pantau backfill --from 2023-07-01 --to 2024-11-30 --outlet nusabali
    """
    from crawler.past.backfill import BackfillBusyError, begin, go_on, read_files
    from crawler.shared import shared
    from storage import backfills

    backfill_id: int
    if resumed is not None:
        if first or last or names or archives or files:
            raise InputError("--resume ID goes alone: the backfill has its days and outlets.")
        with reading_database() as session:
            there = existing(session, resumed)
        if there.asked == backfills.CANCEL:
            raise InputError(f"Backfill {resumed} was cancelled; begin another.")
        has_files = there.files > 0
        _refuse_pace(has_files, max_pages, delay)
        backfill_id = resumed
        with shared().transaction() as session, session.begin():
            if not there.running:
                backfills.ask(session, backfill_id, None, datetime.now(UTC))
            backfills.change(session, backfill_id, max_pages=max_pages, delay=delay)
    else:
        if first is None or last is None:
            raise InputError("Say which days: --from 2023-07-01 --to 2024-11-30, or --resume ID.")
        _check(first, last)
        has_files = bool(files)
        if has_files and archives:
            raise InputError("--warc asks no site, so it goes without --archives.")
        _refuse_pace(has_files, max_pages, delay)
        spiders, places = spiders_to_crawl(names), _places(files)
        with shared().transaction() as session, session.begin():
            backfill_id = begin(
                session,
                spiders,
                first,
                last,
                archives=archives,
                max_pages=max_pages,
                delay=delay,
                files=places,
            )
    mention(f"This is backfill {backfill_id}. Ctrl-C stops it; --resume {backfill_id} goes on.")
    read: Sequence[FileReport] = ()
    reports: Sequence[OutletReport]
    try:
        with _Bars() as bars:
            if has_files:
                came_to = read_files(backfill_id, catalogue(), progress=bars.show_files)
                read, reports = came_to.files, came_to.outlets
            else:
                reports = go_on(backfill_id, catalogue(), progress=bars.show, crawl=way_to_crawl())
    except BackfillBusyError as error:
        raise InputError(f"{error} `pantau backfills` shows how far it is.") from None
    with shared().transaction() as session:
        state = existing(session, backfill_id).state
    shared().close()
    if as_json:
        print_json(
            {
                "id": backfill_id,
                "state": state,
                "outlets": [_report(r) for r in reports],
                "files": [_file(f) for f in read],
            }
        )
    else:
        _print_files(read)
        _print_reports(reports)
    if failures := _failures(backfill_id, reports, read):
        raise SystemExit(say(failures))


def _failures(
    backfill_id: int, reports: Sequence["OutletReport"], files: Sequence["FileReport"]
) -> str | None:
    """What went wrong, and what to do, in a sentence or two."""
    resume = f"`pantau backfill --resume {backfill_id}`"
    problems = [f"{file.place}: {file.problem}" for file in files if file.problem]
    if broken := sum(file.tally.broken for file in files):
        problems.append(f"{broken} broken records were left out")
    said = f"{'; '.join(problems)}. " if problems else ""
    states = {report.state for report in reports} | {file.state for file in files}
    if states - {"done"}:
        return f"{said}Stopped; {resume} goes on with it."
    if failed := sum(bool(report.counts.errors) for report in reports):
        more = "" if files else f"; {resume} tries again what failed"
        return f"{said}{failed} of {len(reports)} outlets had errors{more}."
    return said.rstrip() or None


def _refuse_pace(has_files: bool, max_pages: int | None, delay: float | None) -> None:
    if has_files and (max_pages is not None or delay is not None):
        raise InputError("--max-pages and --delay are for sites; WARC files are read as they are.")


def _places(files: Sequence[str]) -> list[str]:
    """The files as they are found from any folder, each once."""
    from crawler.past.files import is_address

    for file in files:
        if not is_address(file) and not Path(file).is_file():
            raise InputError(f"There is no file “{file}”.")
    return list(dict.fromkeys(f if is_address(f) else str(Path(f).resolve()) for f in files))


def _check(first: date, last: date) -> None:
    import settings

    if last < first:
        raise InputError(f"--to {last} lies before --from {first}.")
    zone = settings.load().zone
    today = datetime.now(zone).date()
    if last >= today:  # what is found would be quiet, and the daily crawl would take it for known
        raise InputError(
            f"--to {last} is not over yet: the last day can be {today - timedelta(days=1)}, "
            "yesterday; later news is the daily crawl's."
        )


# --- what it gave ---------------------------------------------------------------------------------


def _report(report: "OutletReport") -> dict[str, Any]:
    """What is shown of an outlet; workers do not say how many listings they asked for."""
    import settings

    counts, trip = report.counts, report.trip
    by_workers = settings.load().queue
    return {
        "outlet": report.outlet,
        "state": report.state,
        "requests": {
            "listing": None if by_workers else trip.listing if trip else 0,
            "pages": trip.pages if trip else 0,
        },
        "listed": counts.links,
        "new": counts.new,
        "fetched": counts.fetched,
        "found": counts.findings,
        "errors": counts.errors,
        "note": counts.note,
        "seconds": round(report.seconds, 1),
    }


def _print_reports(reports: Sequence["OutletReport"]) -> None:
    table = Table("Outlet")
    columns = ("Requests: listings", "pages", "Listed", "New", "Fetched", "Found", "Errors")
    for name in (*columns, "Seconds"):
        table.add_column(name, justify="right")
    for row in map(_report, reports):
        table.add_row(
            row["outlet"],
            *("–" if n is None else str(n) for n in row["requests"].values()),
            *(str(row[name]) for name in ("listed", "new", "fetched", "found", "errors")),
            f"{row['seconds']:.1f}",
        )
    console = stdout()
    console.print(table)
    for report in reports:
        if report.counts.note:
            console.print(Text(f"{report.outlet}: {report.counts.note}"), soft_wrap=True)


def _file(file: "FileReport") -> dict[str, Any]:
    counts = {name: getattr(file.tally, name) for name in RECORDS}
    return {"file": file.place, "state": file.state, "problem": file.problem, **counts}


def _print_files(files: Sequence["FileReport"]) -> None:
    if not files:
        return
    table = files_table("State")
    for file in map(_file, files):
        table.add_row(Text(file["file"]), *(str(file[name]) for name in RECORDS), file["state"])
    stdout().print(table)


# --- while it goes on -----------------------------------------------------------------------------


class _Bars:
    """A bar for each outlet under way and one for all, on stderr, where that is a terminal. A bar
    is the share of the time it takes, as far as that can be told."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._all = self._progress.add_task("all", total=None, said="")
        self._bars: dict[str, TaskID] = {}
        self._began = time.monotonic()
        self._left: Callable[[Sequence[OutletReport]], float | None]

    def __enter__(self) -> "_Bars":
        from crawler.past.backfill import seconds_left

        self._left = seconds_left
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, reports: Sequence["OutletReport"]) -> None:
        """Show how far the outlets are."""
        running = [report for report in reports if report.state == "running"]
        for report in running[:SHOWN_OUTLETS]:
            if report.outlet not in self._bars:
                self._bars[report.outlet] = self._progress.add_task(report.outlet, said="")
            left = report.trip.left if report.trip else None
            self._update(self._bars[report.outlet], _said([report]), report.seconds, left)
        names = {report.outlet for report in running}
        for name in [name for name in self._bars if name not in names]:
            self._progress.remove_task(self._bars.pop(name))
        self._update_all(_said(reports), self._left(reports))

    def show_files(self, report: "FilesReport") -> None:
        """Show how far the files are."""
        done = sum(file.state == "done" for file in report.files)
        files = f"{done} of {len(report.files)} files, " if len(report.files) > 1 else ""
        self._update_all(files + _said(report.outlets), report.left)

    def _update_all(self, said: str, left: float | None) -> None:
        self._update(self._all, said, time.monotonic() - self._began, left)

    def _update(self, task: TaskID, said: str, spent: float, left: float | None) -> None:
        rest = "…" if left is None else f"about {timedelta(seconds=round(left))} left"
        self._progress.update(
            task,
            completed=spent,
            total=None if left is None else spent + left,
            said=f"{said} · {rest}",
        )


def _said(reports: Sequence["OutletReport"]) -> str:
    fetched = sum(report.counts.fetched for report in reports)
    found = sum(report.counts.findings for report in reports)
    return f"{fetched} articles, {found} findings"
