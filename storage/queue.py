"""The work queue: outlets to be crawled, on their way to workers on any machine (RQ, in Redis).

The database is the truth, the queue only a conveyor: what it loses is offered again by the process
that waits for it. Workers take what is in `DAILY` before what is in `BACKFILL`.
"""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from redis import Redis
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import import_attribute
from rq.worker import BaseWorker

DAILY, BACKFILL = "daily", "backfill"
QUEUES = (DAILY, BACKFILL)  # in the order in which workers take from them
STATES = WORKING, IDLE, SILENT = "working", "idle", "silent"
DO = "scheduler.worker.do"  # what a worker calls with a unit's fields
PREFIX = "pantau-"
KEPT = timedelta(days=7)  # so long a run's marks stay
SILENCE = timedelta(seconds=30)  # a worker that lives is heard of every few seconds
WAY = timedelta(seconds=60)  # so long a daily unit waits for who gives way to it
GRACE_SECONDS = 600  # beyond its slice a unit may take to end, before it is killed
FAILURE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Unit:
    """What a worker does at a time: crawls `outlet`, or goes on with that, until its slice of time
    is over. It belongs to `run`, which has no “_” in its name. `backfill` is a backfill's id or 0;
    `limit` is the most articles to fetch, 0 for no other limit than every day's; `delay` the least
    seconds between two requests; with `check` the spare sources are asked, too. Its slice is as
    long as so many `slices`."""

    run: str
    outlet: str
    backfill: int = 0
    limit: int = 0
    check: bool = False
    delay: float = 0.0
    slices: int = 1


@dataclass(frozen=True, slots=True)
class Doing:
    """An outlet that a worker is at."""

    outlet: str
    run: str
    since: datetime


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A `pantau worker` process: its `state` is "working", "idle" or "silent" (it has not been
    heard of for a while, and has probably died). It takes `places` outlets at a time; `done` and
    `failed` count its units."""

    name: str
    host: str
    pid: int
    state: str
    places: int
    doing: tuple[Doing, ...]
    done: int
    failed: int
    started: datetime
    heard: datetime


@dataclass(frozen=True, slots=True)
class Work:
    """Who does what: the workers by their names, and how many units wait in each of `QUEUES`."""

    workers: tuple[WorkerInfo, ...]
    waiting: Mapping[str, int]


class UnitJob(Job):
    """RQ's job. A job of RQ names what is called; this one calls `DO` and nothing else, whatever
    Redis says."""

    @property
    def func(self) -> Any:
        return import_attribute(DO)

    def restore(self, raw_data: Any) -> None:
        super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = None
        self._stopped_callback_name = None
        self.webhooks = []


def queue(redis: Redis, name: str) -> Queue:
    """One of `QUEUES`. Its contents are JSON, each a `UnitJob`: who can write to Redis cannot have
    code run by it."""
    return Queue(PREFIX + name, connection=redis, serializer=JSONSerializer, job_class=UnitJob)


def queues(redis: Redis) -> list[Queue]:
    """Those of `QUEUES`, in their order."""
    return [queue(redis, name) for name in QUEUES]


# --- the conveyor ---------------------------------------------------------------------------------


def offer(
    redis: Redis, units: Iterable[Unit], slice_seconds: float, *, first: bool = False
) -> None:
    """Put units at the end of their queues, or where they come `first`."""
    for unit in units:
        queue(redis, _queue_of(unit)).enqueue_call(
            DO,
            kwargs=asdict(unit),
            # each offer has a name of its own: what RQ keeps of one whose worker died stays apart
            job_id=f"{unit.run}_{token_hex(4)}_{unit.outlet.replace('.', '_')}",
            description=f"{unit.outlet} ({unit.run})",
            timeout=int(slice_seconds * unit.slices) + GRACE_SECONDS,
            ttl=int(KEPT.total_seconds()),  # of one that is lost between the queue and a worker
            result_ttl=0,
            failure_ttl=FAILURE_SECONDS,
            at_front=first,
        )


def waiting(redis: Redis, run: str) -> set[str]:
    """The outlets of which a unit of `run` waits in the queue."""
    ids = (id_ for each in queues(redis) for id_ in each.get_job_ids())
    return {outlet for of, outlet in map(_run_and_outlet, ids) if of == run}


def taken(redis: Redis, run: str) -> set[str]:
    """The outlets of which a living worker has taken a unit of `run`."""
    found: set[str] = set()
    for each in queues(redis):
        started = each.started_job_registry
        dead = {*started.get_expired_job_ids()}
        ids = (id_ for id_ in started.get_job_ids(cleanup=False) if id_ not in dead)
        found |= {outlet for of, outlet in map(_run_and_outlet, ids) if of == run}
    return found


def withdraw(redis: Redis, run: str) -> None:
    """Take what waits of `run` from the queue; what is under way is told to end."""
    redis.set(_key("withdrawn", run), 1, ex=KEPT)
    for each in queues(redis):
        for id_ in each.get_job_ids():
            if _run_and_outlet(id_)[0] == run:
                each.remove(id_)
                redis.delete(each.job_class.key_for(id_))


def welcome(redis: Redis, run: str) -> None:
    """Let `run` go on that may have been withdrawn."""
    redis.delete(_key("withdrawn", run))


def is_withdrawn(redis: Redis, run: str) -> bool:
    """Whether units of `run` are to end."""
    return bool(redis.exists(_key("withdrawn", run)))


def gives_way(redis: Redis) -> bool:
    """Whether who is at a backfill is to end, as daily work waits: one for each unit of it."""
    return any(
        redis.set(_key("way", id_), 1, nx=True, ex=WAY) for id_ in queue(redis, DAILY).get_job_ids()
    )


def begin_try(redis: Redis, unit: Unit) -> None:
    """Count a try at a unit, before it."""
    key = _key("tries", unit.run)
    with redis.pipeline() as pipeline:
        pipeline.hincrby(key, unit.outlet)
        pipeline.expire(key, KEPT)
        pipeline.execute()


def end_try(redis: Redis, unit: Unit) -> None:
    """Forget the tries at a unit: its process has outlived this one."""
    redis.hdel(_key("tries", unit.run), unit.outlet)


def tries(redis: Redis, run: str) -> dict[str, int]:
    """How many tries at each outlet of `run`, the last ones in a row, have not come to an end."""
    found: dict[Any, Any] = redis.hgetall(_key("tries", run))
    return {outlet.decode(): int(count) for outlet, count in found.items()}


def note_outage(redis: Redis, place: str) -> bool:
    """Note that the database is away; whether that was not known to the worker of `place`."""
    return bool(redis.set(_key("outage", _worker_of(place)), 1, nx=True, ex=KEPT))


def end_outage(redis: Redis, place: str) -> bool:
    """Note that the database is there; whether that was not known to the worker of `place`."""
    return bool(redis.delete(_key("outage", _worker_of(place))))


def _queue_of(unit: Unit) -> str:
    return BACKFILL if unit.backfill else DAILY


def _run_and_outlet(job_id: str) -> tuple[str, str]:
    run, _, outlet = (*job_id.split("_", 2), "", "")[:3]
    return run, outlet.replace("_", ".")


def _key(what: str, run: str) -> str:
    return f"pantau:{what}:{run}"


# --- who does what --------------------------------------------------------------------------------


def name_of_worker(pid: int) -> str:
    """What the `pantau worker` process `pid` of this machine is called."""
    return f"{socket.gethostname()}:{pid}"


def _worker_of(place: str) -> str:
    return place.rpartition("/")[0]


def look(redis: Redis) -> Work:
    """Who does what at this moment."""
    now = datetime.now(UTC)
    groups: dict[str, list[BaseWorker]] = {}
    for place in Worker.all(queue=queue(redis, DAILY), serializer=JSONSerializer):
        groups.setdefault(_worker_of(place.name), []).append(place)
    workers = tuple(_info(name, groups[name], now) for name in sorted(groups) if name)
    return Work(workers, {name: queue(redis, name).count for name in QUEUES})


def _info(name: str, places: list[BaseWorker], now: datetime) -> WorkerInfo:
    host, _, pid = name.rpartition(":")
    doing = []
    for place in places:
        for execution in place.get_current_executions():
            run, outlet = _run_and_outlet(execution.job_id)
            doing.append(Doing(outlet, run, execution.created_at))
    heard = max((place.last_heartbeat or now for place in places), default=now)
    state = WORKING if doing else IDLE
    return WorkerInfo(
        name=name,
        host=host,
        pid=int(pid),
        state=SILENT if now - heard > SILENCE else state,
        places=len(places),
        doing=tuple(sorted(doing, key=lambda one: one.since)),
        done=sum(place.successful_job_count for place in places),
        failed=sum(place.failed_job_count for place in places),
        started=min((place.birth_date or now for place in places), default=now),
        heard=heard,
    )
