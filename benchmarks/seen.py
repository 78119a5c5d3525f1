"""What the seen-set costs: python -m benchmarks.seen [--urls N] [--no-rival] [--json]

On a private server of its own, with 10 million URLs settled: Redis memory for each, claims a second
of known and of new ones (over its unix socket and over TCP) and the CPU they take of client and
server, what is left of leases that lapse, and the seconds to make the set anew from a database of a
million links. Beside it scrapy-redis's filter, asked in its own way, one request at a time; it is
installed from PyPI into an environment of its own in `PANTAU_HOME/benchmarks`. Most of its set is
written here, in batches of random fingerprints such as its own: by itself it would take half an
hour.
"""

import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click
from redis import Redis
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

import settings
from benchmarks.rivals import python_of
from benchmarks.throughput import free_ports
from storage.database import open_database
from storage.links import settled_urls
from storage.models import Link, State
from storage.seen import Claim, Seen
from storage.valkey import open_redis

AIM_BYTES, AIM_CLAIMS = 24, 20_000
BATCHES = (1000, 20)  # what one call to Redis takes at the most, and what a crawl claims at a time
CLAIMS = 100_000
LINKS = 1_000_000
LEASE_SECONDS = 30
LAPSE_SECONDS = 30  # for lapsed leases to be gone, at the most
KEY = "dupefilter"
DUPEFILTER = Path(__file__).with_name("dupefilter.py")


@dataclass(frozen=True)
class Speed:
    """URLs a second by the clock, and microseconds of CPU for each, of client and server."""

    per_second: float
    cpu: float


@dataclass(frozen=True)
class Asked:
    """How fast known and new URLs were claimed, `batch` at a time, `over` a unix socket or TCP."""

    over: str
    batch: int
    known: Speed
    new: Speed


@dataclass
class Figures:
    """Bytes are `used_memory` of INFO memory: what a settled URL takes and, of a claimed one, its
    lease, and what is left of that when it has lapsed."""

    bytes_per_url: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    settled_per_second: float = 0.0
    bytes_per_lease: float = 0.0
    bytes_per_lapsed_lease: float = 0.0


def batches(start: int, stop: int, size: int = BATCHES[0]) -> Iterator[list[str]]:
    """URLs such as articles have, in batches."""
    for first in range(start, stop, size):
        yield [
            f"https://kabar{n % 570}.id/berita/{n}/camat-diperiksa-bawaslu-perkara-{n * 7919}"
            for n in range(first, min(first + size, stop))
        ]


def speed(redis: Redis, work: Callable[[list[str]], object], batches: Iterable[list[str]]) -> Speed:
    """That of `work` over the batches; `redis` is the server that it asks."""
    prepared = list(batches)
    began, spent = time.perf_counter(), cpu(redis)
    for urls in prepared:
        work(urls)
    seconds, spent = time.perf_counter() - began, cpu(redis) - spent
    count = sum(map(len, prepared))
    return Speed(count / seconds, 1_000_000 * spent / count)


def cpu(redis: Redis) -> float:
    """Seconds of it that this process and the server took so far."""
    server = redis.info("cpu")
    return time.process_time() + server["used_cpu_user"] + server["used_cpu_sys"]


def memory(redis: Redis) -> int:
    """Bytes in use, when the server is not writing its file anew."""
    while redis.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.2)
    return int(redis.info("memory")["used_memory"])


def empty(redis: Redis) -> None:
    """Empty it, at once: by default Valkey frees the memory later, in the background."""
    redis.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call]


def ours(clients: dict[str, Redis], urls: int) -> Figures:
    """The seen-set's, by each of the clients of one server."""
    redis, figures = clients["socket"], Figures()
    empty(redis)
    seen = Seen(redis, list)
    seen.claim(["https://kabar.id/"], "benchmark", 60)  # loads what the first call loads
    before, began = memory(redis), time.perf_counter()
    for some in batches(0, urls):
        seen.settle(some)
    figures.settled_per_second = urls / (time.perf_counter() - began)
    figures.bytes_per_url = (memory(redis) - before) / urls
    known, new = (urls - CLAIMS, urls), (urls, urls + CLAIMS)
    for over, client in clients.items():
        for size in BATCHES:
            asked = (
                speed(redis, claiming(client, Claim.SETTLED), batches(*known, size)),
                speed(redis, claiming(client, Claim.GRANTED), batches(*new, size)),
            )
            figures.asked.append(Asked(over, size, *asked))
            for some in batches(*new):
                seen.release(some, "benchmark")
    before, keys = memory(redis), redis.dbsize()
    claim = claiming(redis, Claim.GRANTED, LEASE_SECONDS)
    for some in batches(*new):
        claim(some)
    figures.bytes_per_lease = (memory(redis) - before) / CLAIMS
    deadline = time.monotonic() + LEASE_SECONDS + LAPSE_SECONDS
    while redis.dbsize() > keys:
        if time.monotonic() > deadline:
            raise click.ClickException(f"{redis.dbsize() - keys} lapsed leases are still there.")
        time.sleep(0.1)
    figures.bytes_per_lapsed_lease = (memory(redis) - before) / CLAIMS
    return figures


def claiming(redis: Redis, expected: Claim, seconds: float = 900) -> Callable[[list[str]], None]:
    """Claims URLs, as crawls do, and checks what is answered."""
    seen = Seen(redis, list)

    def claim(urls: list[str]) -> None:
        if any(given != expected for given in seen.claim(urls, "benchmark", seconds)):
            raise click.ClickException(f"Not every URL was {expected.name.lower()}.")

    return claim


def rebuilt(redis: Redis, links: int, home: Path) -> float:
    """Seconds until the first claim is answered, when an empty Redis stands beside a database of
    so many settled links (SQLite)."""
    engine = open_database(f"sqlite:///{home / 'pantau.db'}")
    now = datetime.now(UTC)
    with engine.begin() as connection:
        for urls in batches(0, links):
            more = {"outlet": "kabar", "state": State.GATED, "discovered": now, "settled": now}
            connection.execute(insert(Link), [{"url": u, "address": u, **more} for u in urls])
    empty(redis)
    began = time.perf_counter()
    seen = Seen(redis, lambda: settled_urls(engine))
    assert seen.claim(next(batches(0, 1)), "benchmark", 60) == [Claim.SETTLED]
    seconds = time.perf_counter() - began
    engine.dispose()
    assert set(seen.claim(next(batches(links - 1, links + 1)), "benchmark", 60)) == {
        Claim.SETTLED, Claim.GRANTED,
    }  # fmt: skip
    return seconds


def theirs(addresses: dict[str, str], redis: Redis, urls: int) -> Figures:
    """scrapy-redis's: one set of SHA-1 fingerprints in hexadecimal; asking adds them."""
    python, figures = python_of("scrapy-redis", settings.load().home / "benchmarks"), Figures()
    empty(redis)
    before = memory(redis)
    for first in range(0, urls, BATCHES[0]):
        size = min(BATCHES[0], urls - first)
        redis.sadd(KEY, *(secrets.token_hex(20) for _ in range(size)))
    figures.bytes_per_url = (memory(redis) - before) / urls
    for number, (over, address) in enumerate(addresses.items(), 1):
        ran = subprocess.run(
            [python, "-I", DUPEFILTER, address, KEY, str(number * urls)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ran.returncode:
            raise click.ClickException(f"scrapy-redis failed:\n{ran.stderr[-2000:]}")
        answers = json.loads(ran.stdout)
        known, new = Speed(**answers["known"]), Speed(**answers["new"])
        figures.asked.append(Asked(over, 1, known, new))
    return figures


@click.command()
@click.option("--urls", type=click.IntRange(min=100_000), default=10_000_000, show_default=True)
@click.option("--links", type=click.IntRange(min=1), default=LINKS, show_default=True)
@click.option("--rival/--no-rival", default=True, help="Whether to measure scrapy-redis's filter.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(urls: int, links: int, rival: bool, as_json: bool) -> None:
    """Measures the seen-set beside scrapy-redis's filter."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and stop what was started
    with (
        tempfile.TemporaryDirectory(prefix="pantau-seen-") as home,
        open_redis(None, Path(home)) as redis,
    ):
        [port] = free_ports(1)
        redis.config_set("port", port)
        socket = redis.connection_pool.connection_kwargs["path"]
        addresses = {"socket": f"unix://{socket}", "TCP": f"redis://127.0.0.1:{port}"}
        with closing(Redis.from_url(addresses["TCP"])) as over_tcp:
            seen = ours({"socket": redis, "TCP": over_tcp}, urls)
        rebuild_seconds = rebuilt(redis, links, Path(home))
        dupefilter = theirs(addresses, redis, urls) if rival else None
    if as_json:
        aims = {"aim_bytes_per_url": AIM_BYTES, "aim_claims_per_second": AIM_CLAIMS}
        click.echo(
            json.dumps(
                {
                    "urls": urls,
                    **aims,
                    "seen": asdict(seen),
                    "scrapy_redis": dupefilter and asdict(dupefilter),
                    "links": links,
                    "rebuild_seconds": rebuild_seconds,
                }
            )
        )
        return
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    columns = ("", "bytes", "over", "batch", "known/s", "new/s", "CPU, µs", "new, µs")
    for name in columns:
        table.add_column(name, justify="left" if name in ("", "over") else "right", no_wrap=True)
    table.title = f"{urls:,} URLs; aim: {AIM_BYTES} bytes each, {AIM_CLAIMS:,} claims/s"
    for name, figures in (("seen-set", seen), ("scrapy-redis", dupefilter)):
        for number, asked in enumerate(figures.asked if figures else ()):
            first = (name, f"{figures.bytes_per_url:.1f}") if figures and not number else ("", "")
            speeds = (asked.known, asked.new)
            rates = (f"{given.per_second:,.0f}" for given in speeds)
            table.add_row(
                *first, asked.over, f"{asked.batch:,}", *rates, *(f"{s.cpu:.0f}" for s in speeds)
            )
    Console().print(table)
    click.echo(
        f"Settled {seen.settled_per_second:,.0f} a second. A lease takes {seen.bytes_per_lease:.0f}"
        f" bytes, {seen.bytes_per_lapsed_lease:.1f} when it has lapsed.\n"
        f"Made anew from {links:,} links in {rebuild_seconds:.1f} s."
    )


if __name__ == "__main__":
    main()
