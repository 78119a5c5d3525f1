"""pantau warc FILE…"""

import asyncio
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from cli.backfill import Day
from cli.findings import print_found
from cli.inputs import InputError, chosen_spiders, json_option
from cli.output import print_json, say, stdout

MIDNIGHT = time()
COUNTS = ("pages", "known", "gated", "empty", "rejected", "found", "failed")


@click.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@click.option("--from", "first", type=Day(), metavar="DATE", help="The first day of capture.")
@click.option("--to", "last", type=Day(), metavar="DATE", help="The last day; it belongs to it.")
@click.option("--outlet", "names", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@json_option
def warc(
    files: tuple[str, ...],
    first: date | None,
    last: date | None,
    names: tuple[str, ...],
    as_json: bool,
) -> None:
    """Read WARC files (CC-NEWS) for articles of the outlets: files here or addresses of such.

    Read again, a file gives only what is new.

    Example: pantau warc CC-NEWS-20241127000000-00001.warc.gz --from 2024-11-01
    """
    import settings
    from crawler.past.intake import Intake
    from crawler.past.warc import Tally, Wanted
    from crawler.shared import shared
    from storage import findings
    from storage.database import reading

    if first and last and last < first:
        raise InputError(f"--to {last} lies before --from {first}.")
    for file in files:
        if not _is_address(file) and not Path(file).is_file():
            raise InputError(f"There is no file “{file}”.")
    spiders = chosen_spiders(names)
    zone = settings.load().zone
    since = datetime.combine(first, MIDNIGHT, zone) if first else None
    until = datetime.combine(last + timedelta(days=1), MIDNIGHT, zone) if last else None
    intake = Intake(shared(), Wanted(spiders, since, until))
    read: list[tuple[str, Tally, str | None]] = []
    with _progress() as bar:
        for file in files:
            tally = Tally()
            problem = asyncio.run(_read(file, intake, tally, bar))
            read.append((file, tally, problem))
    with reading(shared().engine) as session:
        found = [row for id_ in intake.found if (row := findings.get(session, id_))]
    shared().close()
    problems = [f"{file}: {problem}" for file, _, problem in read if problem]
    if problems and not any(tally.records for _, tally, _ in read):
        raise InputError(problems[0])
    if as_json:
        print_json(
            {
                "files": [
                    {"file": file, "problem": problem, **_fields(tally)}
                    for file, tally, problem in read
                ],
                "outlets": [{"outlet": n, **_counts(c)} for n, c in sorted(intake.counts.items())],
                "found": intake.found,
            }
        )
    else:
        _print(read, sorted(intake.counts.items()))
        print_found(found)
    broken = sum(tally.broken for _, tally, _ in read)
    if broken:
        problems.append(f"{broken} broken records were left out")
    if intake.failed:
        problems.append(intake.failed)
    if problems:
        raise SystemExit(say(f"{'; '.join(problems)}."))


async def _read(file: str, intake: Any, tally: Any, bar: Progress) -> str | None:
    """Read one file; says what ended it early, if anything."""
    from crawler.past.warc import WarcError
    from crawler.web.remote import RemoteError

    task: TaskID | None = None
    try:
        with _opened(file) as (stream, size):
            task = bar.add_task(file.rsplit("/", 1)[-1], total=size)
            await intake.read(stream, tally, lambda n: bar.update(task, completed=n))
            bar.update(task, completed=size)
    except (WarcError, RemoteError) as problem:
        return str(problem)
    except OSError as problem:
        return problem.strerror or str(problem)
    return None


def _is_address(file: str) -> bool:
    return file.startswith(("http://", "https://"))


@contextmanager
def _opened(file: str) -> Iterator[tuple[BinaryIO, int | None]]:
    if _is_address(file):
        from crawler.web.remote import Remote

        remote = Remote(file)
        with io.BufferedReader(remote) as stream:  # it goes back a little without asking again
            yield stream, remote.size
    else:
        with Path(file).open("rb") as here:
            yield here, Path(file).stat().st_size


def _fields(tally: Any) -> dict[str, int]:
    return {name: getattr(tally, name) for name in ("records", "broken", "outside", "other")}


def _counts(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in COUNTS}


def _print(
    read: Sequence[tuple[str, Any, str | None]], counts: Sequence[tuple[str, Counter[str]]]
) -> None:
    files = Table("File")
    for name in ("Records", "Broken", "Outside", "Other"):
        files.add_column(name, justify="right")
    for file, tally, _ in read:
        files.add_row(file, *map(str, _fields(tally).values()))
    outlets = Table("Outlet")
    for name in COUNTS:
        outlets.add_column(name.capitalize(), justify="right")
    for outlet, of_outlet in counts:
        outlets.add_row(outlet, *map(str, _counts(of_outlet).values()))
    console = stdout()
    console.print(files)
    if counts:
        console.print(outlets)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        yield bar
