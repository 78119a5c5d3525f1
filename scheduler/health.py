"""Is the installation well? What `pantau doctor` asks, and what to do where it is not."""

import shlex
import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Thread
from time import monotonic
from urllib.parse import urlsplit

from redis.exceptions import RedisError
from sqlalchemy import Engine, func, select

import settings
from alerts import channels
from alerts.errors import AddressError
from crawler.outlet import Outlet
from crawler.outlets import catalogue
from extract.lexicon import LexiconError, load
from storage import crawls, links, queue, runs, states
from storage.database import open_database, reading
from storage.errors import DatabaseError, RedisUnavailableError
from storage.models import State
from storage.states import Change
from storage.valkey import open_redis, running_redis

LEAST_FREE_BYTES = 1024**3
MOST_CLOCK_DIFFERENCE = timedelta(seconds=10)
CONNECT_SECONDS = 5
SAMPLE = 16  # outlets that are tried: they tell whether this machine reaches the internet


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `advice` says what to do, where `ok` is false. `vital`: nothing works
    without it."""

    name: str
    ok: bool
    says: str
    advice: str = ""
    vital: bool = False


def check() -> Iterator[Check]:
    """Look at settings, database, clock, channels, Redis, workers, lexicon, disk, and whether the
    outlets answer."""
    current = settings.load()
    yield Check(
        "settings",
        bool(current.contact),
        f"PANTAU_HOME is {current.home}; outlets see “{current.user_agent}”",
        "Set PANTAU_CONTACT to a web page or an e-mail address, so that outlets can reach you.",
    )
    try:
        engine = open_database(current.database)
    except DatabaseError as error:
        yield Check("database", False, str(error), "See docs/settings.md.", vital=True)
    else:
        yield _database(engine)
        yield _clock(engine)
        yield from _channels(engine, current)
        engine.dispose()
    yield _redis(current)
    if current.queue:
        yield workers(current)
    yield _lexicon(current)
    free = shutil.disk_usage(current.home if current.home.exists() else ".").free
    yield Check(
        "disk",
        free >= LEAST_FREE_BYTES,
        f"{free / 1024**3:.1f} GB free",
        "Free some space: with a full disk nothing can be kept.",
    )
    yield _outlets()


def check_daily(engine: Engine, since: timedelta) -> Check:
    """Whether a daily crawl was completed within the time `since`, and found something. Raises
    CatalogueError."""
    now = datetime.now(UTC)
    with reading(engine) as session:
        daily = runs.daily(
            runs.runs(session, now),
            len(catalogue.spiders().keys() - states.paused(session).keys()),
            since=now - since,
            now=now,
            limit=timedelta(hours=settings.load().crawl_hours),
        )
    return Check(
        "daily crawl",
        daily.state == "well",
        daily.why,
        "See whether `pantau run` runs, and pantau.log.",
    )


def outlets(engine: Engine) -> list[Change]:
    """How each outlet does that is watched, not paused, and has been crawled, judged now. Raises
    CatalogueError."""
    watched = [*catalogue.spiders()]
    with reading(engine) as session:
        return states.judged(session, datetime.now(UTC), watched)


def workers(current: settings.Settings) -> Check:
    """Whether somebody does what waits in the queue."""
    advice = "Start `pantau worker`, here or on another machine."
    try:
        with running_redis(current.redis_url, current.home) as client:
            work = queue.look(client)
    except (RedisError, ValueError):  # the private one runs only while something does
        return Check("workers", False, "none can be seen, as Redis does not answer", advice)
    living = [worker for worker in work.workers if worker.state != queue.SILENT]
    waiting = sum(work.waiting.values())
    places = sum(worker.places for worker in living)
    says = f"{len(living)} alive, for {places} outlets at a time; {waiting} units wait"
    return Check("workers", bool(living), says, advice)


def _database(engine: Engine) -> Check:
    with reading(engine) as session:
        counts = links.count(session)
        last = crawls.last_finished(session)
    when = f"the last crawl ended {last:%Y-%m-%d %H:%M} UTC" if last else "nothing crawled yet"
    place = engine.url.render_as_string(hide_password=True)
    return Check(
        "database",
        True,
        f"{place}: {sum(counts.values())} links, {counts.get(State.FOUND, 0)} findings; {when}",
    )


def _clock(engine: Engine) -> Check:
    now = datetime.now(UTC)
    difference = timedelta()
    if engine.dialect.name == "postgresql":
        with reading(engine) as session:
            moment = session.scalar(select(func.clock_timestamp()))
        difference = abs(now - moment) if moment else difference
    with reading(engine) as session:
        last = crawls.last_finished(session)
    ahead = bool(last and last > now + MOST_CLOCK_DIFFERENCE)
    return Check(
        "clock",
        difference <= MOST_CLOCK_DIFFERENCE and not ahead,
        f"{now:%Y-%m-%d %H:%M:%S} UTC, {difference.total_seconds():.0f} s off the database's"
        + ("; the last crawl is in the future" if ahead else ""),
        "Set the clock, for instance by NTP: leases and schedules go by it.",
    )


def _channels(engine: Engine, current: settings.Settings) -> Iterator[Check]:
    """Whether the operators' channel is there, and the key opens all; where there are any."""
    with reading(engine) as session:
        count, closed = channels.closed(session, current)
        if current.operators:
            try:
                channels.get(session, current.operators)
                wrong = ""
            except AddressError as error:
                wrong = f"PANTAU_OPERATORS: {error}"
            yield Check(
                "operators",
                not wrong,
                wrong or f"they are told by the channel “{current.operators}”",
                "Name one of `pantau alerts channels` in PANTAU_OPERATORS, or add this one: "
                f"`pantau alerts channels add {shlex.quote(current.operators)} -`.",
            )
    if count:
        names = ", ".join(f"“{name}”" for name in closed)
        yield Check(
            "channels",
            not closed,
            f"{len(closed)} of {count} cannot be used, {names}: {next(iter(closed.values()))}"
            if closed
            else f"the key opens all {count}",
            "Put the key they were added with into PANTAU_SECRET_KEY, behind the newer one and a "
            "comma; or remove these channels and add them again.",
        )


def _lexicon(current: settings.Settings) -> Check:
    try:
        words = load(more=current.lexicon)
    except LexiconError as error:
        return Check("lexicon", False, str(error), "See docs/lexicon.md.", vital=True)
    more = f", with {current.lexicon}" if current.lexicon else ""
    return Check("lexicon", True, f"{len(words.rules)} rules{more}")


def _redis(current: settings.Settings) -> Check:
    try:
        with open_redis(current.redis_url, current.home) as client:
            used = client.info("memory")["used_memory_human"]
    except RedisUnavailableError as error:
        return Check("redis", False, str(error), "See docs/settings.md.", vital=True)
    kind = "at PANTAU_REDIS_URL" if current.redis_url else "private"
    return Check("redis", True, f"{kind}, {used} used")


def _outlets() -> Check:
    try:
        all_outlets = [spider.outlet for spider in catalogue.spiders().values()]
    except catalogue.CatalogueError as error:
        return Check("outlets", False, str(error), "Mend the row it names.", vital=True)
    tried = all_outlets[:: -(-len(all_outlets) // SAMPLE) or 1]
    reached = _reached(tried)
    away = [outlet.title for outlet in tried if outlet not in reached]
    provinces = {outlet.province for outlet in all_outlets} - {None}
    not_reached = f"; not: {', '.join(away[:5])}{' …' if len(away) > 5 else ''}" if away else ""
    return Check(
        "outlets",
        len(away) * 2 < len(tried),  # one that is away is its own affair
        f"{len(all_outlets)} are watched, in {len(provinces)} provinces; of {len(tried)} tried, "
        f"{len(reached)} take a connection{not_reached}",
        "Check this machine's internet connection and name resolution, then the outlets.",
    )


def _reached(outlets: Sequence[Outlet]) -> list[Outlet]:
    """Those of `outlets` that take a connection, tried for CONNECT_SECONDS in all."""
    reached: list[Outlet] = []

    def reach(outlet: Outlet) -> None:
        if _answers(outlet):
            reached.append(outlet)

    # daemons: nothing waits for a name that takes minutes to resolve
    threads = [Thread(target=reach, args=[outlet], daemon=True) for outlet in outlets]
    for thread in threads:
        thread.start()
    deadline = monotonic() + CONNECT_SECONDS
    for thread in threads:
        thread.join(max(0, deadline - monotonic()))
    return [*reached]


def _answers(outlet: Outlet) -> bool:
    parts = urlsplit(outlet.url("/"))
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    try:
        with socket.create_connection((parts.hostname or "", port), CONNECT_SECONDS):
            return True
    except OSError:
        return False
