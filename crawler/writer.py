"""Storing what all crawls of a process bring in one transaction: it costs little more than each of
many small ones would."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from storage import database, findings, links
from storage.findings import Arrival
from storage.links import Outcome
from storage.models import storable

# the database or Redis, for a while
AWAY = (*database.AWAY, RedisError)


@dataclass(frozen=True, slots=True)
class Load:
    """What one crawl brings at a time: articles that are to be kept, and what became of links."""

    arrivals: Sequence[Arrival]
    outcomes: Sequence[Outcome]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a load came to: each arrival's finding, and whether it is new; the URLs settled."""

    findings: list[tuple[int, bool]]
    settled: list[str]


class Writer:
    """Stores loads, in sessions that `transaction` gives; those that come while others are being
    stored go in the next transaction, together."""

    def __init__(self, transaction: Callable[[], Session]) -> None:
        self._transaction = transaction
        self._waiting: list[tuple[Load, asyncio.Future[Stored]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def store(self, load: Load) -> Stored:
        """Store `load`; raises what went wrong with it, which is no other's."""
        stored: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting.append((load, stored))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await stored

    async def _write(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting, []
            results = await self._together([load for load, _ in some])
            for (_, stored), result in zip(some, results, strict=True):
                if stored.cancelled():
                    continue
                if isinstance(result, Stored):
                    stored.set_result(result)
                else:
                    stored.set_exception(result)

    async def _together(self, loads: Sequence[Load]) -> Sequence[Stored | Exception]:
        """Store `loads` in one transaction; where that fails, each in its own."""
        try:
            return await asyncio.to_thread(self._keep, loads)
        except Exception as problem:  # noqa: BLE001 (whoever brought it is told)
            if len(loads) == 1 or isinstance(problem, AWAY):
                return [problem] * len(loads)
        return [result for load in loads for result in await self._together([load])]

    def _keep(self, loads: Sequence[Load]) -> list[Stored]:
        now = datetime.now(UTC)
        with self._transaction() as session, session.begin():
            kept = findings.keep_all(session, [a for load in loads for a in load.arrivals], now)
            outcomes = [outcome for load in loads for outcome in load.outcomes]
            settled = set(links.settle(session, outcomes, now))
        found = iter(kept)
        return [
            Stored(
                [next(found) for _ in load.arrivals],
                [url for o in load.outcomes if (url := storable(o.url)) in settled],
            )
            for load in loads
        ]
