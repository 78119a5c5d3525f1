"""Outlets per minute with 1, 2 and 4 workers: python -m benchmarks.scaling [--json]

Network namespaces of this machine are the hosts (tests/machines.py: Linux, root, iproute2): one
has PostgreSQL and Redis, one plays the outlets, and the others have a `pantau worker --outlets N`
each. One after the other 1, 2 and 4 of them crawl so many outlets that each worker has the same
number, each time into an empty database, at polite speed. The clock runs from the first request to
the last answer, as the outlets' own log has them. All share the cores of this machine: `cores` says
how much of them was used, and that must be less than there is, or it is not politeness that limits.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tests.machines import Machine, machines, postgresql, redis, wait_for, why_none
from tests.outlets import Asked, Outlets, read

WORKERS = (1, 2, 4)
START_SECONDS = 120


@dataclass(frozen=True)
class Figures:
    """What so many workers did: `cores` are CPU seconds of workers and coordinator per second,
    `least_gap` the seconds between an answer and the next request to the same outlet."""

    workers: int
    outlets: int
    seconds: float
    outlets_per_minute: float
    times_one: float
    growth_per_worker: float | None
    cores: float
    least_gap: float


@dataclass(frozen=True)
class Setting:
    """What is the same for all."""

    folder: Path
    hub: Machine
    log: Path
    database: str
    redis: str
    delay: float
    places: int

    def environment(self, host: Machine, number: int) -> Mapping[str, str]:
        """Of the host's installation in the run `number`."""
        return {
            **{name: text for name, text in os.environ.items() if not name.startswith("PANTAU_")},
            "PANTAU_HOME": str(self.folder / host.name),
            "PANTAU_DATABASE_URL": f"{self.database.rpartition('/')[0]}/run{number}",
            "PANTAU_REDIS_URL": f"{self.redis.rpartition('/')[0]}/{number}",
            "PANTAU_CATALOGUE": str(self.folder / "outlets.toml"),
            "PANTAU_ALLOW_PRIVATE_ADDRESSES": "true",
            "PANTAU_QUEUE": "true",
            "PANTAU_DELAY": str(self.delay),
        }


def crawl(
    setting: Setting, hosts: list[Machine], outlets: list[str], number: int
) -> tuple[float, float, list[Asked]]:
    """One crawl by a worker on each of `hosts`: its seconds, CPU seconds, and the sites' log."""
    hub, environment = setting.hub, setting.environment(setting.hub, number)
    create = f"import psycopg; psycopg.connect({setting.database!r}, autocommit=True).execute("
    _run(hub.start(sys.executable, "-c", f"{create}'CREATE DATABASE run{number}')"))
    _run(hub.pantau("outlets", "--json", environment=environment, stdout=subprocess.DEVNULL))
    before, asked_before = _cpu(), len(read(setting.log))
    workers = [
        host.pantau(
            "worker", "--outlets", str(setting.places),
            environment=setting.environment(host, number),
        )
        for host in hosts
    ]  # fmt: skip
    try:
        wait_for(lambda: _places(setting, environment) == len(hosts) * setting.places,
                 START_SECONDS, every=2)  # fmt: skip
        chosen = [word for name in outlets for word in ("--outlet", name)]
        _run(hub.pantau("crawl", *chosen, environment=environment, stdout=subprocess.DEVNULL))
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
    for worker in workers:
        worker.wait()
    log = read(setting.log)[asked_before:]
    return log[-1].answered - log[0].came, _cpu() - before, log


def _places(setting: Setting, environment: Mapping[str, str]) -> int:
    process = setting.hub.pantau(
        "workers", "--json", environment=environment, stdout=subprocess.PIPE
    )
    return sum(one["places"] for one in json.loads(process.communicate()[0])["workers"])


def _run(process: subprocess.Popen[str]) -> None:
    if process.wait():
        raise click.ClickException("a command failed, see above")


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def least_gap(log: list[Asked]) -> float:
    """The shortest time between an answer of an outlet and the next request to it."""
    by_outlet = groupby(sorted(log, key=lambda a: (a.outlet, a.came)), lambda a: a.outlet)
    return min(
        after.came - before.answered for _, its in by_outlet for before, after in pairwise(its)
    )


@click.command(help=__doc__)
@click.option("--outlets", default=6, show_default=True, help="For each place of each worker.")
@click.option("--articles", default=11, show_default=True, help="Of each outlet.")
@click.option("--places", default=4, show_default=True, help="Outlets at a time, of each worker.")
@click.option("--delay", default=1.0, show_default=True, help="Seconds between two requests.")
@click.option("--json", "as_json", is_flag=True)
def main(outlets: int, articles: int, places: int, delay: float, as_json: bool) -> None:
    if reason := why_none():
        raise click.ClickException(f"It cannot be measured here: {reason}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and stop what was started
    names = [f"host{number}" for number in range(max(WORKERS))]
    found: list[Figures] = []
    each = outlets * places
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sites, hub, *hosts = stack.enter_context(machines("sites", "hub", *names))
        played = Outlets(sites.address, (articles,) * (each * max(WORKERS)))
        (folder / "outlets.toml").write_text(played.catalogue(), "utf-8")
        log = folder / "access.log"
        log.touch()
        counts = ",".join(map(str, played.articles))
        sites.start(sys.executable, "-m", "tests.outlets", sites.address, counts, log)
        setting = Setting(
            folder, hub, log, stack.enter_context(postgresql(hub)),
            stack.enter_context(redis(hub)), delay, places,
        )  # fmt: skip
        for number, workers in enumerate(WORKERS):
            began = time.monotonic()
            chosen = played.names()[: each * workers]
            seconds, cpu, asked = crawl(setting, hosts[:workers], chosen, number)
            cores = cpu / (time.monotonic() - began)
            rate = len(chosen) * 60 / seconds
            times = rate / found[0].outlets_per_minute if found else 1.0
            growth = (times - 1) / (workers - 1) if workers > 1 else None
            gap = least_gap(asked)
            found.append(Figures(workers, len(chosen), seconds, rate, times, growth, cores, gap))
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    table = Table(f"workers × {places} places", "outlets", "seconds", "a minute", "to one",
                  "growth a worker", "cores", "least gap, s")  # fmt: skip
    for one in found:
        growth = "" if one.growth_per_worker is None else f"{one.growth_per_worker:.2f}"
        table.add_row(str(one.workers), str(one.outlets), f"{one.seconds:.1f}",
                      f"{one.outlets_per_minute:.1f}", f"{one.times_one:.2f}", growth,
                      f"{one.cores:.2f}", f"{one.least_gap:.2f}")  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
