"""pantau backfill, pantau backfills"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cli.inputs import InputError, catalogue, json_option, reading_database, spiders_to_crawl
from cli.output import mention, print_json, say, stdout

if TYPE_CHECKING:
    from crawler.run import OutletReport
    from storage.backfills import Month

SHOWN_OUTLETS = 16  # with a line each while it goes on
COUNTED = ("listed", "fetched", "found")
MARKS = {
    "unreached": "not reached: none of its sources could be read",
    "empty": "suspicious: nothing at all, where other months have articles",
    "few": "suspicious: far fewer than in its other months",
}


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
    resumed: int | None,
    max_pages: int | None,
    delay: float | None,
    as_json: bool,
) -> None:
    """Go back in time: find what the outlets published in a window of the past.

    It can be stopped at any time (Ctrl-C), and resumed. Daily crawls go on beside it, and first.

    Example: pantau backfill --from 2023-07-01 --to 2024-11-30 --outlet nusabali
    """
    from crawler.past.backfill import BackfillBusyError, begin, go_on
    from crawler.shared import shared
    from storage import backfills

    backfill_id: int
    if resumed is not None:
        if first or last or names or archives:
            raise InputError("--resume ID goes alone: the backfill has its days and outlets.")
        _existing(resumed)
        backfill_id = resumed
        with shared().transaction() as session, session.begin():
            backfills.change(session, backfill_id, max_pages=max_pages, delay=delay)
    else:
        if first is None or last is None:
            raise InputError("Say which days: --from 2023-07-01 --to 2024-11-30, or --resume ID.")
        _check(first, last)
        backfill_id = begin(
            spiders_to_crawl(names),
            first,
            last,
            archives=archives,
            max_pages=max_pages,
            delay=delay,
        )
    mention(f"This is backfill {backfill_id}. Ctrl-C stops it; --resume {backfill_id} goes on.")
    try:
        with _Bars() as bars:
            reports = go_on(backfill_id, catalogue(), progress=bars.show)
    except BackfillBusyError as error:
        raise InputError(f"{error} `pantau backfills` shows how far it is.") from None
    with shared().transaction() as session:
        state = _get(session, backfill_id).state
    shared().close()
    if as_json:
        print_json({"id": backfill_id, "state": state, "outlets": [_report(r) for r in reports]})
    else:
        _print_reports(reports)
    if any(report.state != "done" for report in reports):
        raise SystemExit(say(f"Stopped; `pantau backfill --resume {backfill_id}` goes on with it."))
    if failed := sum(bool(report.counts.errors) for report in reports):
        raise SystemExit(
            say(
                f"{failed} of {len(reports)} outlets had errors; `pantau backfill --resume "
                f"{backfill_id}` tries again what failed."
            )
        )


@click.command()
@click.argument("backfill_id", metavar="[ID]", type=int, required=False)
@json_option
def backfills(backfill_id: int | None, as_json: bool) -> None:
    """List the backfills; with an ID, what one found of each outlet and month.

    Months with suspiciously few articles are marked, and what could not be reached is said.

    Example: pantau backfills 3
    """
    if backfill_id is not None:
        _show(backfill_id, as_json)
        return
    from storage.backfills import ids

    with reading_database() as session:
        rows = [_get(session, id_) for id_ in ids(session)]
    if as_json:
        for row in rows:
            print_json({**asdict(row), "state": row.state})
        return
    table = Table("ID", "From", "To", "Outlets", "State")
    for name in ("Slices", "Listed", "Fetched", "Found", "Pending"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row.id),
            f"{row.start:%Y-%m-%d}",
            f"{row.until - timedelta(days=1):%Y-%m-%d}",
            str(len(row.outlets)),
            row.state,
            f"{row.slices_done}/{row.slices}",
            *(str(n) for n in (row.listed, row.fetched, row.found, row.pending)),
        )
    if rows:
        stdout().print(table)
    else:
        mention("No backfill yet; `pantau backfill --help` says how to begin one.")


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


def _existing(backfill_id: int) -> Any:
    with reading_database() as session:
        return _get(session, backfill_id)


def _get(session: Any, backfill_id: int) -> Any:
    from storage.backfills import get

    row = get(session, backfill_id, datetime.now(UTC))
    if row is None:
        raise InputError(f"There is no backfill {backfill_id}; `pantau backfills` lists them.")
    return row


# --- what it gave ---------------------------------------------------------------------------------


def _report(report: "OutletReport") -> dict[str, Any]:
    counts, trip = report.counts, report.trip
    return {
        "outlet": report.outlet,
        "state": report.state,
        "requests": {
            "listing": trip.listing if trip else 0,
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
            *(str(n) for n in row["requests"].values()),
            *(str(row[name]) for name in ("listed", "new", "fetched", "found", "errors")),
            f"{row['seconds']:.1f}",
        )
    console = stdout()
    console.print(table)
    for report in reports:
        if report.counts.note:
            console.print(Text(f"{report.outlet}: {report.counts.note}"), soft_wrap=True)


def _show(backfill_id: int, as_json: bool) -> None:
    import settings
    from crawler.sources.window import months as months_of
    from crawler.sources.window import window_of
    from storage import backfills as stored

    known = catalogue()
    outlets = []
    with reading_database() as session:
        row = _get(session, backfill_id)
        days = row.start.date(), (row.until - timedelta(days=1)).date()
        for name in row.outlets:
            zone = known[name].outlet.zone if name in known else settings.load().zone
            spans = months_of(*window_of(*days, zone), zone)
            slices = stored.slices(session, backfill_id, name)
            outlets.append(
                {
                    "outlet": name,
                    "months": [
                        (month, month.start.astimezone(zone))
                        for month in stored.months(session, backfill_id, name, spans)
                    ],
                    "undated": dict(
                        zip(COUNTED, stored.undated(session, backfill_id, name), strict=True)
                    ),
                    "pending": stored.pending(session, backfill_id, name),
                    "absent": name not in known,
                    "sources": len({part.source for part in slices}),
                    "unread": sum(not part.finished and not part.error for part in slices),
                    "failed": _failed(
                        (part.source, part.error or "") for part in stored.unreached(slices)
                    ),
                }
            )
    if as_json:
        for about in outlets:
            about["months"] = [_month(*month) for month in about["months"]]
        print_json({**asdict(row), "state": row.state, "by_outlet": outlets})
    else:
        _print_months(outlets)


def _failed(errors: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """The errors of each source, with how many slices they were met in."""
    return [
        {"source": source, "error": error, "slices": number}
        for (source, error), number in Counter(errors).items()
    ]


def _month(month: "Month", start: Any) -> dict[str, Any]:
    return {
        "month": f"{start:%Y-%m}",
        "listed": month.listed,
        "fetched": month.fetched,
        "found": month.found,
        "mark": month.mark,
    }


def _print_months(outlets: Sequence[dict[str, Any]]) -> None:
    table = Table("Outlet", "Month")
    for name in COUNTED:
        table.add_column(name.capitalize(), justify="right")
    table.add_column("")
    sentences = []
    for about in outlets:
        name = about["outlet"]
        for month in (_month(*month) for month in about["months"]):
            numbers = [str(month[key]) for key in COUNTED]
            table.add_row(name, month["month"], *numbers, MARKS.get(month["mark"], ""))
        if about["undated"]["listed"]:
            numbers = [str(number) for number in about["undated"].values()]
            table.add_row(name, "no date", *numbers, "")
        table.add_section()
        if about["absent"]:
            sentences.append(f"{name}: it is not in the catalogue any more.")
        if not about["sources"]:
            sentences.append(f"{name}: none of its sources reaches back.")
        sentences += [
            f"{name}: {failed['source']}: {failed['error']}"
            + (f" (in {failed['slices']} parts of the window)" if failed["slices"] > 1 else "")
            for failed in about["failed"]
        ]
        if about["unread"]:
            sentences.append(f"{name}: {about['unread']} listings have not been read yet.")
        if about["pending"]:
            sentences.append(f"{name}: {about['pending']} articles have not been fetched yet.")
    console = stdout()
    console.print(table)
    for sentence in sentences:
        console.print(Text(sentence), soft_wrap=True)


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
            self._update(self._bars[report.outlet], [report], report.seconds, left)
        names = {report.outlet for report in running}
        for name in [name for name in self._bars if name not in names]:
            self._progress.remove_task(self._bars.pop(name))
        self._update(self._all, reports, time.monotonic() - self._began, self._left(reports))

    def _update(
        self, task: TaskID, reports: Sequence["OutletReport"], spent: float, left: float | None
    ) -> None:
        fetched = sum(report.counts.fetched for report in reports)
        found = sum(report.counts.findings for report in reports)
        rest = "…" if left is None else f"about {timedelta(seconds=round(left))} left"
        self._progress.update(
            task,
            completed=spent,
            total=None if left is None else spent + left,
            said=f"{fetched} articles, {found} findings · {rest}",
        )
