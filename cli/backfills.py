"""pantau backfills"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from cli.inputs import InputError, catalogue, json_option, reading_database
from cli.output import mention, print_json, stdout

if TYPE_CHECKING:
    from storage.backfills import Month, Progress
    from storage.models import ArchiveFile

RECORDS = ("records", "broken", "outside", "other")  # of a WARC file
COUNTED = ("listed", "fetched", "found")
MARKS = {
    "unreached": "not reached: none of its sources could be read",
    "empty": "suspicious: nothing at all, where other months have articles",
    "few": "suspicious: far fewer than in its other months",
}


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
        rows = [existing(session, id_) for id_ in ids(session)]
    if as_json:
        for row in rows:
            print_json({**asdict(row), "state": row.state})
        return
    table = Table("ID", "From", "To", "Outlets", "State")
    for name in ("Parts done", "Listed", "Fetched", "Found", "Pending"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row.id),
            f"{row.start:%Y-%m-%d}",
            f"{row.until - timedelta(days=1):%Y-%m-%d}",
            str(len(row.outlets)),
            row.state,
            f"{row.slices_done + row.files_done}/{row.slices + row.files}",
            *(str(n) for n in (row.listed, row.fetched, row.found, row.pending)),
        )
    if rows:
        stdout().print(table)
    else:
        mention("No backfill yet; `pantau backfill --help` says how to begin one.")


def existing(session: Any, backfill_id: int) -> "Progress":
    """The backfill of this id; refuses one that there is not."""
    from storage.backfills import get

    row = get(session, backfill_id, datetime.now(UTC))
    if row is None:
        raise InputError(f"There is no backfill {backfill_id}; `pantau backfills` lists them.")
    return row


def _show(backfill_id: int, as_json: bool) -> None:
    import settings
    from crawler.sources.window import months as months_of
    from crawler.sources.window import window_of
    from storage import backfills as stored

    known = catalogue()
    outlets: list[dict[str, Any]] = []
    with reading_database() as session:
        row = existing(session, backfill_id)
        files = stored.files(session, backfill_id)
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
                    "sources": len({part.source for part in slices}) + len(files),
                    "unread": sum(not part.finished and not part.error for part in slices),
                    "failed": _failed(
                        (part.source, part.error or "") for part in stored.unreached(slices)
                    ),
                }
            )
    if as_json:
        for about in outlets:
            about["months"] = [_month(*month) for month in about["months"]]
        print_json(
            {
                **asdict(row),
                "state": row.state,
                "by_outlet": outlets,
                "by_file": list(map(_file, files)),
            }
        )
    else:
        _print_months(outlets)
        _print_files(files)


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


def _file(file: "ArchiveFile") -> dict[str, Any]:
    counts = {name: getattr(file, name) for name in RECORDS}
    return {"file": file.place, "done": bool(file.finished), "problem": file.error, **counts}


def _print_files(files: Sequence["ArchiveFile"]) -> None:
    if not files:
        return
    table = files_table("Done")
    for file in files:
        counts = (str(getattr(file, name)) for name in RECORDS)
        table.add_row(Text(file.place), *counts, "yes" if file.finished else "no")
    console = stdout()
    console.print(table)
    for file in files:
        if file.error:
            console.print(Text(f"{file.place}: {file.error}"), soft_wrap=True)


def files_table(*more: str) -> Table:
    """A table of WARC files: how many records were read, and what was left out of them."""
    table = Table("File")
    for name in RECORDS:
        table.add_column(name.capitalize(), justify="right")
    for name in more:
        table.add_column(name)
    return table
