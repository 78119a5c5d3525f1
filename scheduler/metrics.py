"""What Prometheus and feed readers get from `pantau run`, over HTTP: /metrics, /feeds/TOKEN.atom
and /feeds/TOKEN.json.

Crawls are other processes, often on other machines: the numbers come from the database and Redis
when they are asked for, and so are the same wherever they are asked.
"""

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock, Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app
from redis.exceptions import RedisError
from sqlalchemy import Engine, case, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from alerts import feeds
from settings import Settings
from storage import links, queue, runs, states
from storage.database import reading
from storage.models import Crawl, Delivery, Finding, Link, OutletState, Owed, State
from storage.valkey import running_redis

logger = logging.getLogger(__name__)

KEPT_SECONDS = 15  # whoever asks more often gets the same again
KEPT_TIMES = 20  # as long as it took, where that is longer: a large database is not kept busy by it
REQUEST_SECONDS = 20  # until a connection that says nothing is closed
PAGES = ("links", "new", "fetched", "gated", "findings", "errors")
_FEED = re.compile(r"/feeds/([\w-]{1,64})\.(atom|json)")

Environ = dict[str, Any]
Respond = Callable[..., Any]
App = Callable[[Environ, Respond], Iterable[bytes]]


class Numbers:
    """A collector of prometheus_client: the numbers of the installation."""

    def __init__(self, engine: Engine, current: Settings) -> None:
        self._engine = engine
        self._settings = current
        self._lock = Lock()
        self._kept: list[Metric] = []
        self._until = 0.0

    def describe(self) -> Iterable[Metric]:
        return ()  # not asked when it is registered: that would be before anything is there

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            began = time.monotonic()
            if began >= self._until:
                self._kept = [*self._database(), *self._redis()]
                ended = time.monotonic()
                self._until = ended + max(KEPT_SECONDS, (ended - began) * KEPT_TIMES)
            return self._kept

    def _database(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("pantau_database_up", "Whether the database answers.")
        try:
            with reading(self._engine) as session:
                metrics = [metric for part in _PARTS for metric in part(session)]
        except SQLAlchemyError:
            logger.exception("the database could not be asked for metrics")
            metrics = []
        up.add_metric([], bool(metrics))
        yield up
        yield from metrics

    def _redis(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "pantau_redis_up", "Whether Redis answers; a private one runs only while crawls do."
        )
        numbers: list[Metric] = []
        try:
            with running_redis(self._settings.redis_url, self._settings.home) as client:
                numbers = [
                    GaugeMetricFamily(
                        "pantau_redis_memory_bytes",
                        "Memory that Redis uses.",
                        client.info("memory")["used_memory"],
                    ),
                    GaugeMetricFamily("pantau_redis_keys", "Keys in Redis.", client.dbsize()),
                    *_work(queue.look(client)),
                ]
        except (RedisError, ValueError):
            pass  # that is what is measured
        up.add_metric([], bool(numbers))
        yield up
        yield from numbers


def _work(work: queue.Work) -> Iterator[Metric]:
    workers = GaugeMetricFamily("pantau_workers", "Workers by their state.", labels=["state"])
    number = Counter(worker.state for worker in work.workers)
    for state in queue.STATES:
        workers.add_metric([state], number[state])
    yield workers
    units = GaugeMetricFamily("pantau_queue_units", "Units that wait, by queue.", labels=["queue"])
    for name, count in work.waiting.items():
        units.add_metric([name], count)
    yield units


def _crawls(session: Session) -> Iterator[Metric]:
    whole = runs.whole(runs.runs(session, datetime.now(UTC)))
    ended = [run for run in whole if run.ended and run.finished == run.outlets]
    moments = {
        "start": next((run.started for run in whole), None),
        "end": next((run.ended for run in ended), None),
        "success": next((run.ended for run in ended if not run.trouble), None),
    }
    for what, moment in moments.items():
        if moment:
            yield GaugeMetricFamily(
                f"pantau_daily_crawl_last_{what}_timestamp_seconds",
                f"The last {what} of a daily crawl.",
                moment.timestamp(),
            )
    for run in ended[:1]:
        assert run.ended
        yield GaugeMetricFamily(
            "pantau_daily_crawl_last_duration_seconds",
            "How long the last daily crawl took.",
            (run.ended - run.started).total_seconds(),
        )
    counts = session.execute(
        select(
            func.count(Crawl.finished),
            *(func.coalesce(func.sum(getattr(Crawl, name)), 0) for name in PAGES),
        )
    ).one()
    yield CounterMetricFamily("pantau_crawls", "Crawls of an outlet that ended.", counts[0])
    pages = CounterMetricFamily(
        "pantau_pages", "Links listed, new, fetched, gated; findings; errors.", labels=["outcome"]
    )
    for name, count in zip(PAGES, counts[1:], strict=True):
        pages.add_metric([name], count)
    yield pages


def _links(session: Session) -> Iterator[Metric]:
    count = links.count(session)
    known = GaugeMetricFamily("pantau_links", "Links by what became of them.", labels=["state"])
    for state in State:
        known.add_metric([state], count.get(state, 0))
    yield known
    queue = GaugeMetricFamily("pantau_queue_links", "Links to be fetched.", labels=["by"])
    backfills = session.scalar(
        select(func.count()).where(Link.state == State.PENDING, Link.backfill_id.is_not(None))
    )
    queue.add_metric(["crawl"], count.get(State.PENDING, 0) - (backfills or 0))
    queue.add_metric(["backfill"], backfills or 0)
    yield queue
    verdicts = GaugeMetricFamily("pantau_verdicts", "Articles judged.", labels=["verdict", "kind"])
    verdicts.add_metric(["rejected", ""], count.get(State.REJECTED, 0))
    for kind, borderline, number in session.execute(
        select(Finding.kind, Finding.borderline, func.count()).group_by(
            Finding.kind, Finding.borderline
        )
    ):
        verdicts.add_metric(["borderline" if borderline else "relevant", kind], number)
    yield verdicts


def _deliveries(session: Session) -> Iterator[Metric]:
    state = case(
        (Delivery.sent.is_not(None), "sent"),
        (Delivery.given_up.is_not(None), "given up"),
        else_="pending",
    )
    deliveries = GaugeMetricFamily("pantau_deliveries", "Messages.", labels=["kind", "state"])
    for kind, how, count in session.execute(
        select(Delivery.kind, state, func.count()).group_by(Delivery.kind, state)
    ):
        deliveries.add_metric([kind, how], count)
    yield deliveries
    waiting = select(func.min(Delivery.created)).where(
        Delivery.sent.is_(None), Delivery.given_up.is_(None)
    )
    oldest = session.scalar(waiting)
    age = datetime.now(UTC) - oldest if oldest else timedelta()
    yield GaugeMetricFamily(
        "pantau_delivery_oldest_pending_seconds",
        "How long the oldest message has waited.",
        age.total_seconds(),
    )
    owed = session.scalar(select(func.count()).where(Owed.delivery_id.is_(None)))
    yield GaugeMetricFamily("pantau_owed", "News owed to rules, not in a message yet.", owed or 0)


def _outlets(session: Session) -> Iterator[Metric]:
    vitals = states.vitals(session, None, datetime.now(UTC))
    counts = GaugeMetricFamily("pantau_outlets", "Outlets by how they do.", labels=["state"])
    number = Counter(signs.state for signs in vitals.values())
    for known in (*states.Health, states.PAUSED):
        counts.add_metric([known], number[known])
    yield counts
    state = GaugeMetricFamily(
        "pantau_outlet_state", "How an outlet does.", labels=["outlet", "state"]
    )
    success, latest, habit = (
        GaugeMetricFamily(f"pantau_outlet_{name}", says, labels=["outlet"])
        for name, says in (
            ("last_success_timestamp_seconds", "When a source was last read to its end."),
            ("new_articles", "New articles on the day it was last crawled."),
            ("habitual_articles", "New articles on an ordinary day, by habit."),
        )
    )
    for name, signs in vitals.items():
        state.add_metric([name, signs.state], 1)
        if signs.last_success:
            success.add_metric([name], signs.last_success.timestamp())
        if signs.latest is not None:
            latest.add_metric([name], signs.latest)
        if signs.habit is not None:
            habit.add_metric([name], signs.habit)
    yield from (state, success, latest, habit)
    daily = session.get(OutletState, states.DAILY)
    yield GaugeMetricFamily(
        "pantau_daily_crawl_well",
        "Whether the daily crawl is well.",
        daily is None or daily.state == states.Health.WELL,
    )


def _size(session: Session) -> Iterator[Metric]:
    query = (
        "SELECT pg_database_size(current_database())"
        if session.get_bind().dialect.name == "postgresql"
        else "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    )
    size = session.scalar(text(query))
    yield GaugeMetricFamily("pantau_database_bytes", "Size of the database.", size or 0)


_PARTS = (_crawls, _links, _deliveries, _outlets, _size)


class _Server(ThreadingWSGIServer):
    request_queue_size = 32

    def handle_error(self, request: object, client_address: object) -> None:
        logger.debug("a request for metrics broke off", exc_info=True)


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_SECONDS

    def log_message(self, *args: object) -> None:
        """Nothing on stderr; and a feed's address is a secret."""


@contextmanager
def serving(engine: Engine, current: Settings) -> Iterator[str | None]:
    """Serve metrics and feeds at PANTAU_METRICS_ADDRESS meanwhile; gives the address, None where
    that is off or taken. A crawl does not wait for its metrics."""
    if current.metrics_address == "off":
        yield None
        return
    host, _, port = current.metrics_address.rpartition(":")
    try:
        server = make_server(host, int(port), _app(engine, current), _Server, _Handler)
    except OSError as error:
        logger.warning("metrics cannot be served at %s: %s", current.metrics_address, error)
        yield None
        return
    thread = Thread(target=server.serve_forever, args=[0.1], daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _app(engine: Engine, current: Settings) -> App:
    registry = CollectorRegistry()
    registry.register(Numbers(engine, current))
    metrics: App = make_wsgi_app(registry)

    def app(environ: Environ, respond: Respond) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] != "GET":
            return _answer(respond, "405 Method Not Allowed")
        if path == "/metrics":
            return metrics(environ, respond)
        if match := _FEED.fullmatch(path):
            return _feed(respond, engine, match[1], "atom" if match[2] == "atom" else "json")
        return _answer(respond, "404 Not Found")

    return app


def _feed(respond: Respond, engine: Engine, token: str, form: feeds.Format) -> list[bytes]:
    try:
        feed = feeds.feed_for(engine, token, form)
    except SQLAlchemyError:
        logger.exception("a feed could not be read")
        return _answer(respond, "503 Service Unavailable")
    if feed is None:
        return _answer(respond, "404 Not Found")
    return _answer(respond, "200 OK", feed, feeds.TYPES[form], "private, max-age=300")


def _answer(
    respond: Respond,
    status: str,
    body: bytes = b"",
    type_: str = "text/plain; charset=utf-8",
    cache: str = "no-store",
) -> list[bytes]:
    body = body or f"{status[4:]}\n".encode()
    headers = [
        ("Content-Type", type_),
        ("Content-Length", str(len(body))),
        ("Cache-Control", cache),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ]
    respond(status, headers)
    return [body]
