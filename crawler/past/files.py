"""Going through the WARC files of a backfill, one after the other."""

import asyncio
import io
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from crawler.past.intake import Intake
from crawler.past.warc import Tally, Wanted, WarcError
from crawler.run import OutletReport
from crawler.shared import shared
from crawler.spider import OutletSpider
from crawler.web.remote import Remote, RemoteError
from storage import backfills
from storage.backfills import Progress
from storage.crawls import Counts
from storage.database import reading
from storage.models import ArchiveFile


@dataclass(slots=True)
class FileReport:
    """What was read of one WARC file, as it stands: `state` is "waiting", "running", "done" or,
    where it was left before its end, "stopped"; `problem` says why, if it was not asked for. `size`
    is in bytes, None where it is not known yet; `begun_at` is where this run began."""

    place: str
    tally: Tally
    state: str = "waiting"
    problem: str | None = None
    size: int | None = None
    begun_at: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FilesReport:
    """How far a backfill through files has come, by files and by outlets."""

    files: Sequence[FileReport]
    outlets: Sequence[OutletReport]

    @property
    def left(self) -> float | None:
        """How many seconds it may still take, at the pace of this run, if files of unknown size are
        like the others; None where that cannot be told yet."""
        sizes = [file.size for file in self.files if file.size]
        read = sum(file.tally.position - file.begun_at for file in self.files)
        if not (sizes and read):
            return None
        usual = sum(sizes) / len(sizes)
        rest = sum(
            (file.size or usual) - file.tally.position
            for file in self.files
            if file.state in ("waiting", "running")
        )
        return max(rest, 0.0) * sum(file.seconds for file in self.files) / read


def is_address(place: str) -> bool:
    """Whether a file is on the web."""
    return place.startswith(("http://", "https://"))


def go_through(
    backfill: Progress,
    spiders: Mapping[str, type[OutletSpider]],
    progress: Callable[[FilesReport], None],
) -> FilesReport:
    """Read what is left of a backfill's files for articles of those of its outlets that are among
    `spiders`. `progress` is called for every batch of records.

    SIGINT and SIGTERM end it early and cleanly: what has been read is stored."""
    with reading(shared().engine) as session:
        files = backfills.files(session, backfill.id)
    reports = [
        FileReport(
            file.place,
            Tally(file.position, file.records, file.broken, file.outside, file.other),
            "done" if file.finished else "waiting",
            file.error,
            _size(file.place),
            file.position,
        )
        for file in files
    ]
    last = backfill.until - timedelta(days=1)
    ours = [spiders[name] for name in backfill.outlets if name in spiders]
    wanted = Wanted(ours, backfill.start.date(), last.date())
    intake = Intake(shared(), wanted, backfill.id)

    def report() -> FilesReport:
        return FilesReport(reports, [_outlet(intake, name) for name in backfill.outlets])

    asyncio.run(_read_all(intake, files, reports, lambda: progress(report())))
    return report()


async def _read_all(
    intake: Intake,
    files: Sequence[ArchiveFile],
    reports: Sequence[FileReport],
    progress: Callable[[], None],
) -> None:
    over = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, over.set)
    for file, report in zip(files, reports, strict=True):
        if over.is_set():
            return
        if report.state == "waiting":
            await _read(intake, file, report, progress, over)


async def _read(
    intake: Intake,
    file: ArchiveFile,
    report: FileReport,
    progress: Callable[[], None],
    over: asyncio.Event,
) -> None:
    began = time.monotonic()
    report.state, report.problem = "running", None

    def note(tally: Tally) -> None:
        report.tally, report.seconds = tally, time.monotonic() - began
        progress()

    finished: datetime | None = None
    try:
        with _opened(file.place, over.is_set) as (stream, report.size):
            ended = await intake.read(stream, file, note, over.is_set)
    except WarcError as problem:  # it will not become one
        ended, report.problem, finished = True, str(problem), datetime.now(UTC)
    except RemoteError as problem:
        ended, report.problem = False, None if over.is_set() else str(problem)
    except OSError as problem:
        ended, report.problem = False, problem.strerror or str(problem)
    report.state = "done" if ended else "stopped"
    if report.problem:
        with Session(shared().engine) as session, session.begin():
            backfills.note_read(session, file, error=report.problem, finished=finished)


@contextmanager
def _opened(place: str, is_over: Callable[[], bool]) -> Iterator[tuple[BinaryIO, int | None]]:
    if is_address(place):
        remote = Remote(place, is_over)
        with io.BufferedReader(remote) as stream:  # it goes back a little without asking again
            yield stream, remote.size
    else:
        with Path(place).open("rb") as here:
            yield here, _size(place)


def _size(place: str) -> int | None:
    path = Path(place)
    return path.stat().st_size if path.is_file() else None


def _outlet(intake: Intake, name: str) -> OutletReport:
    """What the files gave of one outlet."""
    counts = intake.counts.get(name, Counter())
    new = counts["pages"] - counts["known"]
    return OutletReport(
        name,
        Counts(
            links=counts["pages"],
            new=new,
            fetched=new - counts["failed"],
            gated=counts["gated"],
            findings=counts["found"],
            errors=counts["failed"],
            note=intake.failed.get(name),
        ),
        state="done",  # how far the files are is said of them
    )
