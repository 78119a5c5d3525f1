"""Doing what people ask for in the browser: each job as a process of the command line.

Of each lane some are done at a time, so that a backfill of weeks keeps no crawl waiting. Several
processes may do jobs beside each other: a job's lease says whose it is.
"""

import json
import logging
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Thread
from typing import IO, Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from scheduler.outage import DATABASE
from storage import jobs
from storage.database import reading
from storage.jobs import JobState, Kind
from storage.models import Job

logger = logging.getLogger(__name__)

T = TypeVar("T")

LANES = {(Kind.CRAWL, Kind.CHECK, Kind.STUDY): 2, (Kind.BACKFILL,): 1}  # so many at a time
FACTS = ("name", "title", "province", "regency")  # that may be known of a site to be studied
LOOK_SECONDS = 1.0
STOP_SECONDS = 60  # for pages under way; then a process that was asked to end is killed
MAX_RESULT = 4_000_000  # bytes of JSON
MAX_ERROR = 1000  # characters


def arguments_of(job: Job) -> list[str]:
    """A job as the command line has it. Each value stands behind “=” or “--”, so that none can be
    taken for an option."""
    given: dict[str, Any] = job.arguments
    names: list[str] = given.get("outlets", [])
    match Kind(job.kind):
        case Kind.CRAWL:
            return ["crawl", "--json", *(f"--outlet={name}" for name in names)]
        case Kind.CHECK:
            return ["outlets", "check", "--json", "--", *names]
        case Kind.STUDY:
            facts = [f"--{key}={given[key]}" for key in FACTS if given.get(key)]
            return ["outlets", "add", "--dry-run", "--json", *facts, "--", given["url"]]
        case Kind.BACKFILL:
            return ["backfill", f"--resume={int(given['id'])}", "--json"]


@contextmanager
def working(engine: Engine, command: Sequence[str], lease_seconds: float = 60) -> Iterator[None]:
    """Do jobs meanwhile, each as `command` with its arguments. At the end those under way are
    ended cleanly, and put back for the next process that does jobs."""
    over = Event()
    worker = Worker(engine, command, lease_seconds)
    thread = Thread(target=worker.work, args=[over], daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(STOP_SECONDS + 10)


@dataclass(slots=True)
class _Running:
    """A job under way; `owner` has its lease. `stopping` is since when it is to end."""

    job: Job
    owner: str
    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]
    stopping: float | None = None
    kept: float = field(default_factory=time.monotonic)

    def stop(self) -> None:
        """Ask it to end; the second time, after a while, end it."""
        if self.stopping is None:
            self.stopping = time.monotonic()
            self.process.terminate()
        elif time.monotonic() - self.stopping > STOP_SECONDS:
            self.process.kill()


class Worker:
    """Takes jobs and does them; see `working`."""

    def __init__(self, engine: Engine, command: Sequence[str], lease_seconds: float) -> None:
        self._engine = engine
        self._command = command
        self._seconds = lease_seconds
        self._running: list[_Running] = []

    def work(self, over: Event) -> None:
        """Do jobs until it is `over`; what fails here is tried again."""
        while not over.wait(LOOK_SECONDS):
            with DATABASE.borne():
                self._look()
        end = time.monotonic() + STOP_SECONDS
        while self._running:
            try:
                self._end(killed=time.monotonic() > end)
            except SQLAlchemyError:
                logger.exception("what was asked for could not be put back")
                return
            time.sleep(0.1)

    def _look(self) -> None:
        for running in [*self._running]:
            self._mind(running)
        with reading(self._engine) as session:
            if not jobs.is_any_left(session):
                return
        for kinds, most in LANES.items():
            while sum(running.job.kind in kinds for running in self._running) < most:
                taken = self._store(jobs.take, kinds, self._seconds, _now())
                if taken is None:
                    break
                self._running.append(self._begin(*taken))

    def _begin(self, job: Job, owner: str) -> _Running:
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 (see _ended)
        process = subprocess.Popen(  # noqa: S603
            [*self._command, *arguments_of(job)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # Ctrl-C is for us; we pass it on
        )
        logger.info("job %s (%s, asked for by %s) begins: %s", job.id, job.kind, job.who, job.about)
        return _Running(job, owner, process, out, err)

    def _mind(self, running: _Running) -> None:
        """See whether a job has ended, or is to end."""
        code = running.process.poll()
        if code is not None:
            self._ended(running, code)
            return
        goes_on = self._store(jobs.keep, running.job.id, running.owner, self._seconds, _now())
        if not goes_on:
            running.stop()

    def _ended(self, running: _Running, code: int) -> None:
        result, error = _documents(running.out), _last_sentence(running.err)
        if running.stopping is not None:
            state, error = JobState.CANCELLED, None
        elif code == 0 or (code == 1 and result):
            state = JobState.DONE
        else:
            state, error = JobState.FAILED, error or f"It ended with exit code {code}."
        logger.info("job %s (%s) is %s: %s", running.job.id, running.job.kind, state, error or code)
        id_, owner = running.job.id, running.owner
        self._store(jobs.finish, id_, owner, state, _now(), result=result, error=error)
        self._forget(running)

    def _end(self, *, killed: bool) -> None:
        """End what is under way, and put it back."""
        for running in [*self._running]:
            if running.process.poll() is None:
                if killed:
                    running.process.kill()
                running.stop()
                continue
            self._store(jobs.put_back, running.job.id, running.owner)
            self._forget(running)

    def _forget(self, running: _Running) -> None:
        self._running.remove(running)
        running.out.close()
        running.err.close()

    def _store(self, function: Callable[..., T], *args: object, **more: object) -> T:
        with Session(self._engine) as session, session.begin():
            return function(session, *args, **more)


def _documents(out: IO[bytes]) -> list[Any]:
    """The JSON documents, one to a line; none where it is something else or far too much."""
    out.seek(0)
    text = out.read(MAX_RESULT + 1)
    if len(text) > MAX_RESULT:
        return []
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return []


def _last_sentence(err: IO[bytes]) -> str | None:
    """What a command said last, on stderr."""
    size = err.seek(0, 2)
    err.seek(max(0, size - 4 * MAX_ERROR))
    lines = err.read().decode(errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return said.removeprefix("pantau: ")[:MAX_ERROR] or None


def _now() -> datetime:
    return datetime.now(UTC)
