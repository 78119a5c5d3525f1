"""`pantau worker`: takes outlets from the queue and crawls each in a fresh process of its own.

The process that is started imports what is expensive, and nothing more: it has no connection, no
thread and no reactor. RQ's processes are forked from it, one for each place; each takes a unit at a
time from the queue, and forks the process that does it.
"""

import logging
import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any

from redis import ConnectionPool, Redis
from redis.exceptions import ConnectionError as NoConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswerError
from rq import Worker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool
from rq.worker_registration import register
from scrapy.settings import Settings
from scrapy.utils.misc import load_object
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bind_contextvars

import settings
from crawler.examine import Context, examine
from crawler.outlets.catalogue import spiders
from crawler.run import crawl
from crawler.shared import get_ready, shared
from extract.article import Page
from scheduler.outage import Outage, in_words
from storage import queue
from storage.errors import DatabaseError, RedisUnavailableError
from storage.queue import Unit
from storage.valkey import open_redis, running_redis

logger = logging.getLogger(__name__)

PLACES_PER_CORE = 8  # an outlet's crawl mostly waits: for its site's answers, and between them
MOST_PLACES = 64
BEATS = 12  # signs of life in the length of a lease
BEAT_SECONDS = 5  # between two, at the most: `storage.queue.SILENCE` is longer
WORKER_SECONDS = 20  # so long RQ waits for work, and 15 s more: then it looks around
MAINTENANCE_SECONDS = 300
FINISHING_SECONDS = 60
GONE = (NoConnectionError, NoAnswerError, RedisUnavailableError)
AGAIN_SECONDS = 5  # before more is taken where the database or Redis was not there
COMPONENTS = ("EXTENSIONS", "DOWNLOADER_MIDDLEWARES", "SPIDER_MIDDLEWARES", "DOWNLOAD_HANDLERS")
EXAMPLE = "<title>Kabar</title><article><p>Camat diperiksa karena mendukung calon bupati.</p>"
BACKFILL_SECONDS = 30  # a backfill's slice has at least so long before daily work takes its place


def work(places: int = 0, *, burst: bool = False) -> None:
    """Take outlets from the queue, `places` at a time (0: by the number of cores), until SIGINT or
    SIGTERM: then those under way are ended cleanly; the second time, at once. With `burst`, until
    the queue is empty. Raises DatabaseError, RedisUnavailableError and SettingsError."""
    current = settings.load()
    places = places or min(MOST_PLACES, PLACES_PER_CORE * (os.cpu_count() or 1))
    with open_redis(current.redis_url, current.home) as redis:
        _prepare()
        pool = _Pool([each.name for each in queue.queues(redis)], redis, num_workers=places)
        redis.connection_pool.disconnect()  # none goes through a fork
        pool.start(burst=burst, logging_level="WARNING")


def _prepare() -> None:
    """Load what every unit needs, so that none has to."""
    get_ready(to_fork=True)
    outlet = next(iter(spiders().values())).outlet
    page = Page(f"https://{outlet.domain}/", EXAMPLE.encode(), datetime.now(UTC))
    examine([page], Context(outlet.zone, outlet.title))
    create_engine(settings.load().database)  # loads the driver, and connects to nothing
    ours = Settings()
    ours.setmodule(settings)
    for kind in COMPONENTS:
        for name in chain.from_iterable(ours.getwithbase(kind).items()):
            if isinstance(name, str) and "." in name:
                load_object(name)


class _Pool(WorkerPool):
    """RQ's pool of workers, named after this process, and without RQ's scheduler, as nothing is
    scheduled in the queue."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = settings.load()
        self._redis = running_redis(current.redis_url, current.home)
        self._outage = Outage("Redis")

    def check_workers(self, respawn: bool = True) -> None:
        is_there = False
        with self._outage.borne():
            is_there = bool(self._redis.ping())
        self._redis.connection_pool.disconnect()  # see `work`
        super().check_workers(respawn and is_there)  # a place without Redis ends again

    def get_worker_process(self, name: str, burst: bool, *_: Any, **__: Any) -> BaseProcess:
        name = f"{queue.name_of_worker(os.getpid())}/{name[:8]}"
        return get_context("fork").Process(target=self._work, args=[name, burst])

    def _work(self, name: str, burst: bool) -> None:
        logging.getLogger("rq.worker").addFilter(_is_news)
        # what is lost is offered again: that one was, RQ need not say
        logging.getLogger("rq.registry").setLevel(logging.ERROR)
        for number in (signal.SIGINT, signal.SIGTERM):  # the pool's are not for its children
            signal.signal(number, signal.SIG_DFL)
        connections = ConnectionPool(connection_class=self._pool_class, **self._pool_kwargs)
        redis = Redis(connection_pool=connections)
        try:
            _Place(
                queue.queues(redis),
                name,
                connection=redis,
                serializer=JSONSerializer,
                job_class=queue.UnitJob,
                worker_ttl=WORKER_SECONDS,
                job_monitoring_interval=max(
                    1, int(min(settings.load().lease_seconds / BEATS, BEAT_SECONDS))
                ),
                maintenance_interval=MAINTENANCE_SECONDS,
                log_job_description=False,
            ).work(burst=burst, logging_level="WARNING")
        except GONE:  # the pool says it, and starts another in its place
            return


def _is_news(record: logging.LogRecord) -> bool:
    """Not what each place says of Redis at each try: the pool says it."""
    problem = record.exc_info[1] if record.exc_info else None
    return not isinstance(problem, GONE) and "Redis" not in str(record.msg)


class _Place(Worker):
    """RQ's worker: one unit at a time."""

    max_connection_wait_time = 5.0  # Redis is away for a minute, not a worker for two

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pool = os.getppid()

    def subscribe(self) -> None:
        """Listen to no commands: that would take a thread, which does not go well with forks."""

    def unsubscribe(self) -> None:
        pass

    def handle_warm_shutdown_request(self) -> None:
        self._drain()

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        if not self.is_horse and os.getppid() != self._pool:  # it was killed: this ends, too
            if not self.horse_pid:
                raise StopRequested
            self._drain()
        is_known = self.is_horse or self.connection.exists(self.key)
        super().heartbeat(*args, **kwargs)
        if not is_known:  # Redis was emptied, or this machine away for long
            register(self, kwargs.get("pipeline"))

    def maintain_heartbeats(self, *args: Any) -> None:
        with suppress(RedisError):  # the unit under way does not end for it
            super().maintain_heartbeats(*args)

    def set_shutdown_requested_date(self) -> None:
        with suppress(RedisError):  # a unit is drained all the same
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call]

    def handle_execution_ended(self, *args: Any) -> None:
        if self.execution:  # it is forgotten where Redis was away for long
            self.execution.save(FINISHING_SECONDS)
        super().handle_execution_ended(*args)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        return 4 * int(self.job_monitoring_interval)

    def _drain(self) -> None:
        if self.horse_pid:
            with suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)  # not its examiner, which has work to end


def do(**fields: Any) -> None:
    """Do a unit, given by the fields of `storage.queue.Unit`: what RQ calls, in a process of its
    own, which ends with it."""
    unit, worker = Unit(**fields), os.getppid()
    current = settings.load()
    place = os.environ.get("RQ_WORKER_ID", "")
    bind_contextvars(worker=place, crawl=unit.run, outlet=unit.outlet)
    # the pool says it
    with suppress(*GONE), open_redis(current.redis_url, current.home) as redis:
        if queue.is_withdrawn(redis, unit.run):
            return
        queue.begin_try(redis, unit)
        try:
            is_well = _crawl(unit, redis, worker)
        except (DatabaseError, SQLAlchemyError) as problem:
            if queue.note_outage(redis, place):  # the first of this worker's units
                logger.warning("the database is away, waiting for it: %s", in_words(problem))
            time.sleep(AGAIN_SECONDS)
            is_well = True
        else:
            if queue.end_outage(redis, place):
                logger.warning("the database is back")
        if is_well:
            queue.end_try(redis, unit)


def _crawl(unit: Unit, redis: Redis, worker: int) -> bool:
    """Crawl for the length of a slice; whether that came to its end, or can be gone on with."""
    end = time.monotonic() + settings.load().slice_seconds * unit.slices
    early = time.monotonic() + BACKFILL_SECONDS

    def is_over() -> bool:
        now = time.monotonic()
        if now >= end or os.getppid() != worker:
            return True
        try:
            if queue.is_withdrawn(redis, unit.run):
                return True
            return bool(unit.backfill) and now > early and queue.gives_way(redis)
        except RedisError:
            return False

    try:
        [report] = crawl(
            [spiders()[unit.outlet]],
            limit=unit.limit,
            check=unit.check,
            backfill=unit.backfill,
            delay=unit.delay,
            run=unit.run,
            is_over=is_over,
        )
    finally:
        shared().close()
    return report.is_cut or report.state in ("done", "paused")
