"""What the seen-set costs: python -m benchmarks.seen [--urls N] [--json]

Redis memory for each settled URL and claims a second, on a private server of its own; beside it a
plain Redis set of SHA-1 fingerprints in hexadecimal, as scrapy-redis keeps them.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from redis import Redis
from rich.console import Console
from rich.table import Table

from storage.seen import Claim, Seen
from storage.valkey import open_redis

AIM = 32  # bytes of Redis memory for each URL, at a million
BATCH = 1000
CLAIMS = 100_000
KEY = "dupefilter"


@dataclass(frozen=True)
class Figures:
    """Bytes are `used_memory` of INFO memory; rates are URLs a second, in batches of BATCH."""

    bytes_per_url: float
    settled_per_second: float
    known_per_second: float
    new_per_second: float


def batches(start: int, stop: int) -> Iterator[list[str]]:
    """URLs such as articles have, in batches."""
    for first in range(start, stop, BATCH):
        yield [
            f"https://kabar{n % 570}.id/berita/{n}/camat-diperiksa-bawaslu-perkara-{n * 7919}"
            for n in range(first, min(first + BATCH, stop))
        ]


def rate(work: Callable[[list[str]], object], start: int, stop: int) -> float:
    """URLs a second of `work` over the batches; making the URLs does not count."""
    seconds = 0.0
    for urls in batches(start, stop):
        began = time.perf_counter()
        work(urls)
        seconds += time.perf_counter() - began
    return (stop - start) / seconds


def memory(redis: Redis) -> int:
    """Bytes in use."""
    return int(redis.info("memory")["used_memory"])


def empty(redis: Redis) -> None:
    """Empty it, at once: by default Valkey frees the memory later, in the background."""
    redis.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call]


def measure(
    redis: Redis,
    urls: int,
    settle: Callable[[list[str]], object],
    claim: Callable[[list[str]], Sequence[bool]],
) -> Figures:
    """Settle `urls` URLs, then claim some of them and some new ones. `claim` says which are new."""

    def checked(expected: bool) -> Callable[[list[str]], None]:
        def work(batch: list[str]) -> None:
            if any(new != expected for new in claim(batch)):
                raise AssertionError(f"a URL that is {'new' if expected else 'known'} was not")

        return work

    claims = min(urls, CLAIMS)
    settle([])  # whatever the first call loads
    before = memory(redis)
    settled = rate(settle, 0, urls)
    used = memory(redis) - before
    known = rate(checked(expected=False), urls - claims, urls)
    new = rate(checked(expected=True), urls, urls + claims)
    return Figures(used / urls, settled, known, new)


def ours(redis: Redis, urls: int) -> tuple[Figures, float]:
    """The seen-set, and the seconds that making it anew took."""
    empty(redis)
    seen = Seen(redis, list)
    seen.claim(["https://kabar.id/"], "benchmark", 60)
    figures = measure(
        redis,
        urls,
        seen.settle,
        lambda batch: [claim == Claim.GRANTED for claim in seen.claim(batch, "benchmark", 900)],
    )
    empty(redis)
    began = time.perf_counter()
    rebuilt = Seen(redis, lambda: batches(0, urls))
    assert rebuilt.claim(next(batches(0, 1)), "benchmark", 60) == [Claim.SETTLED]
    return figures, time.perf_counter() - began


def plain(redis: Redis, urls: int) -> Figures:
    """One set of fingerprints; asking adds them."""
    empty(redis)

    def add(batch: list[str]) -> list[bool]:
        pipeline = redis.pipeline(transaction=False)
        for url in batch:
            pipeline.sadd(KEY, hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest())
        return [bool(added) for added in pipeline.execute()]

    return measure(redis, urls, add, add)


@click.command()
@click.option("--urls", type=click.IntRange(min=1000), default=1_000_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(urls: int, as_json: bool) -> None:
    """Measures the seen-set against a plain Redis set of fingerprints."""
    with tempfile.TemporaryDirectory() as home, open_redis(None, Path(home)) as redis:
        seen, rebuild_seconds = ours(redis, urls)
        fingerprints = plain(redis, urls)
    ratio = fingerprints.bytes_per_url / seen.bytes_per_url
    if as_json:
        click.echo(
            json.dumps(
                {
                    "urls": urls,
                    "aim_bytes_per_url": AIM,
                    "seen": asdict(seen),
                    "plain_set": asdict(fingerprints),
                    "ratio": ratio,
                    "rebuild_seconds": rebuild_seconds,
                }
            )
        )
        return
    table = Table("", "seen-set", "plain set", title=f"{urls:,} URLs, batches of {BATCH:,}")
    for title, name, form in (
        (f"bytes a URL (aim: at most {AIM})", "bytes_per_url", ".1f"),
        ("settled a second", "settled_per_second", ",.0f"),
        ("claims a second, known", "known_per_second", ",.0f"),
        ("claims a second, new", "new_per_second", ",.0f"),
    ):
        row = (f"{getattr(figures, name):{form}}" for figures in (seen, fingerprints))
        table.add_row(title, *row)
    table.add_row("seconds to make it anew", f"{rebuild_seconds:.1f}", "")
    Console().print(table)
    click.echo(f"The plain set takes {ratio:.1f} times the memory.")


if __name__ == "__main__":
    main()
