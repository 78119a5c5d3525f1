"""The daily crawl: at its time, once, however many schedulers stand by.

APScheduler is the clock. The truth is a lease in the database for each slot (a day's crawl): who
holds it runs it, and it is done when the crawl has ended. A slot missed while nothing ran is made
up once; one whose runner died is taken over when its lease ends.
"""

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from scheduler.outage import DATABASE
from storage import leases

logger = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_SECONDS = 5
LEASE_SECONDS = 30  # of a slot, at the most: who stands by takes over within a minute
DAILY = "daily "  # with the time it is due: the lease of a slot


class Watcher(Protocol):
    """Who is told of each daily crawl; see `scheduler.watch.Watch`. It may take its time."""

    def begun(self) -> None: ...
    def ended(self, began: datetime, code: int) -> None: ...


def last_due(now: datetime, at: time, zone: ZoneInfo) -> datetime:
    """The latest moment, not after `now`, at which the clocks of `zone` showed `at`."""
    local = now.astimezone(zone)
    due = datetime.combine(local.date(), at, zone)
    return due if due <= local else datetime.combine(local.date() - timedelta(days=1), at, zone)


class DailyCrawl:
    """Runs `command` for each day's slot, at `at` in `zone`.

    `command` is run as a process of its own, which says itself what it does; SIGTERM is passed on
    to it, and its end awaited. A slot whose scheduler died is taken over after `lease_seconds`.
    Where it `names_runs`, the command is given the name of the slot's run, so that who takes a slot
    over goes on with it. `watcher` hears of each crawl; what is to be done `regularly` is done
    every so many seconds, beside the crawls, but never twice at the same time."""

    def __init__(
        self,
        engine: Engine,
        command: Sequence[str],
        at: time,
        zone: ZoneInfo,
        lease_seconds: float = LEASE_SECONDS,
        watcher: Watcher | None = None,
        regularly: Sequence[tuple[int, Callable[[], object]]] = (),
        *,
        names_runs: bool = False,
    ) -> None:
        self._engine = engine
        self._command = command
        self._at = at
        self._zone = zone
        self._lease_seconds = lease_seconds
        self._watcher = watcher
        self._regularly = regularly
        self._names_runs = names_runs
        self._me = secrets.token_hex(8)
        self._running = asyncio.Lock()
        self._stopped = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, *, now: bool = False, waiting: Callable[[], None] | None = None) -> None:
        """Stand by until SIGINT or SIGTERM; with `now`, crawl once at once, whatever the slots say.
        `waiting` is called when what is due has been done, and the waiting begins.

        A crawl under way when the signal comes is ended cleanly."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self._stop)
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it says each time that it looks
        clock = AsyncIOScheduler(timezone=self._zone)
        daily = CronTrigger(
            hour=self._at.hour, minute=self._at.minute, second=self._at.second, timezone=self._zone
        )
        clock.add_job(self._run_what_is_due, daily, misfire_grace_time=None, coalesce=True)
        stand_by = IntervalTrigger(seconds=max(1, int(self._lease_seconds / 2)))
        # for what was missed, and for what another scheduler began and did not end
        clock.add_job(self._run_what_is_due, stand_by, max_instances=2)  # beside a crawl: no harm
        for seconds, task in self._regularly:
            every = IntervalTrigger(seconds=seconds)
            clock.add_job(self._do, every, [task], misfire_grace_time=None, coalesce=True)
        clock.start()
        if now:
            await self._crawl_now()
        else:
            await self._run_what_is_due()
        if not self._stopped.is_set():
            if waiting:
                waiting()
            logger.info("the next daily crawl begins at %s", daily.get_next_fire_time(None, _now()))
        await self._stopped.wait()
        clock.shutdown(wait=False)
        async with self._running:  # a crawl under way ends first
            pass

    def next_due(self) -> datetime:
        """When the next daily crawl begins."""
        return last_due(_now() + timedelta(days=1), self._at, self._zone)

    async def _crawl_now(self) -> None:
        """Crawl once; it counts as the slot that is due, if that one is free."""
        async with self._running:
            slot = self._slot()
            await self._crawl(slot if await self._lease(slot) else None)

    async def _run_what_is_due(self) -> None:
        if self._running.locked() or self._stopped.is_set():
            return
        async with self._running:
            slot, is_ours = self._slot(), False
            with DATABASE.borne():
                is_ours = await self._lease(slot)
            if is_ours:
                await self._crawl(slot)

    def _slot(self) -> str:
        return f"{DAILY}{last_due(_now(), self._at, self._zone).isoformat()}"

    async def _crawl(self, slot: str | None) -> None:
        if self._stopped.is_set():
            return
        began = _now()
        run = ["--run", _run_of(slot)] if slot and self._names_runs else []
        self._process = await asyncio.create_subprocess_exec(
            *self._command, *run, start_new_session=True
        )
        begun = asyncio.create_task(self._do(self._watcher.begun)) if self._watcher else None
        while self._process.returncode is None:
            try:
                await asyncio.wait_for(self._process.wait(), self._lease_seconds / 3)
            except TimeoutError:
                if slot:
                    await self._prolong(slot)
        code, self._process = self._process.returncode, None
        if slot and self._stopped.is_set():
            with DATABASE.borne():  # else another goes on when it ends
                await self._store(leases.release, slot, self._me)
        elif slot and code in (0, 1):
            await self._finish(slot)
        elif slot:  # it is tried again when the lease ends
            logger.error("the crawl of the slot %s ended with exit code %s", slot, code)
        if self._watcher and begun and not self._stopped.is_set():
            await begun
            await self._do(self._watcher.ended, began, code)

    async def _do(self, task: Callable[..., object], *args: object) -> None:
        try:
            with DATABASE.borne():
                await asyncio.to_thread(task, *args)
        except Exception:  # the schedule goes on
            logger.exception("what is done beside the crawls failed; it is tried again")

    async def _lease(self, slot: str) -> bool:
        return await self._store(leases.acquire, slot, self._me, self._lease_seconds, _now())

    async def _prolong(self, slot: str) -> None:
        with DATABASE.borne():  # should another begin, each outlet has its lease
            await self._lease(slot)

    async def _finish(self, slot: str) -> None:
        """Note that a slot is done, as soon as that can be: it would be done again."""
        while not self._stopped.is_set():
            with DATABASE.borne():
                await self._store(leases.finish, slot, self._me)
                return
            await asyncio.sleep(AGAIN_SECONDS)

    def _stop(self) -> None:
        self._stopped.set()
        if self._process and self._process.returncode is None:
            self._process.terminate()

    async def _store(self, function: Callable[..., T], *args: object) -> T:
        def run() -> T:
            with Session(self._engine) as session, session.begin():
                return function(session, *args)

        return await asyncio.to_thread(run)


def _run_of(slot: str) -> str:
    """What the crawls of a slot are called, whoever begins them."""
    due = datetime.fromisoformat(slot.removeprefix(DAILY))
    return f"{due.astimezone(UTC):%Y%m%dT%H%M%S}"


def _now() -> datetime:
    return datetime.now(UTC)
