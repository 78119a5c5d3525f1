"""Many machines: workers die and lose the network, and the sites' own logs tell what they saw."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.conftest import Pantau
from tests.machines import Machine, machines, postgresql, redis, wait_for, why_none
from tests.outlets import Asked, Outlets, read

SEED = int(os.environ.get("PANTAU_TEST_SEED", time.time_ns() % 1_000_000))
OUTLETS, ARTICLES = 60, 3
LONG, MANY_ARTICLES = 3, 8  # so many have so many: they are cut into slices
PLACES = 3
DELAY = 1.5
LEASE = 20.0
SLICE = 12.0
CUT_SECONDS = 90.0
SPLIT_SECONDS = 35.0
KILLS = 3
CLOSE = 0.05  # seconds by which the network may bring two requests closer together
# a transaction with what another would wait for: the lease of the outlet that comes last
HOLD = """
import sys, time
from datetime import UTC, datetime
from sqlalchemy.orm import Session
from storage import leases
from storage.database import open_database
with Session(open_database(sys.argv[1])) as session, session.begin():
    leases.acquire(session, f"crawl {sys.argv[2]}", "nobody", 1, datetime.now(UTC))
    print("held", flush=True)
    time.sleep(1000)
"""
TAKEN_UP_SECONDS = 80.0  # with the lease of every day, which is 40 s longer, two minutes


@dataclass
class Cut:
    """From when to when `machine` was cut off."""

    machine: Machine
    began: float
    ended: float = 0.0


class Place:
    """Three machines with a worker each, one with the database, one that plays the outlets."""

    def __init__(self, folder: Path, caches: Path) -> None:
        self._folder = folder
        self._caches = caches
        self._stack = ExitStack()
        self.workers: dict[Machine, subprocess.Popen[str]] = {}
        self.begun: dict[Machine, float] = {}

    def __enter__(self) -> "Place":
        with self._stack as stack:
            sites, self.hub, *hosts = stack.enter_context(
                machines("sites", "hub", "satu", "dua", "tiga")
            )
            self.outlets = Outlets(
                sites.address, (MANY_ARTICLES,) * LONG + (ARTICLES,) * (OUTLETS - LONG)
            )
            self.log = self._folder / "access.log"
            self.log.touch()
            articles = ",".join(map(str, self.outlets.articles))
            sites.start(sys.executable, "-m", "tests.outlets", sites.address, articles, self.log)
            self.database_url = stack.enter_context(postgresql(self.hub))
            self._redis_url = stack.enter_context(redis(self.hub))
            self._homes = {host: self._home(host) for host in (self.hub, *hosts)}
            assert self.run("outlets", "--json").returncode == 0  # the database is set up
            for host in hosts:
                self.start_worker(host)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _home(self, host: Machine) -> Mapping[str, str]:
        home = Pantau(self._folder / host.name)
        home.catalogue(self.outlets.catalogue())
        shutil.copytree(self._caches, home.home / "cache")
        home.set(
            database_url=self.database_url, redis_url=self._redis_url, queue="true", delay=DELAY,
            lease_seconds=LEASE, slice_seconds=SLICE,
        )  # fmt: skip
        return home.environment

    def start_worker(self, host: Machine) -> None:
        self.begun[host] = time.monotonic()
        with (self._folder / f"{host.name}.err").open("a") as errors:
            self.workers[host] = host.pantau(
                "worker", "--outlets", str(PLACES), environment=self._homes[host], stderr=errors
            )

    def is_at_work(self, host: Machine) -> bool:
        """Whether it has asked something in the last seconds, and since its worker was started."""
        since = max(self.begun[host], time.monotonic() - 2 * DELAY)
        return any(a.client == host.address and a.came > since for a in read(self.log))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.hub.pantau(
            *arguments, environment=self._homes[self.hub], stdout=PIPE, stderr=PIPE
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess([], process.returncode, out, err)


@pytest.fixture
def place(tmp_path: Path, first_home: Path) -> Iterator[Place]:
    if reason := why_none():
        pytest.skip(reason)
    with Place(tmp_path, first_home / "cache") as place:
        yield place


@pytest.mark.timeout(300)
def test_machines_die_and_lose_the_network_and_every_finding_is_there_once(place: Place) -> None:
    print(f"PANTAU_TEST_SEED={SEED}")
    chance = random.Random(SEED)  # noqa: S311
    chosen = [word for name in place.outlets.names() for word in ("--outlet", name)]
    crawl = place.start("crawl", "--json", *chosen)
    began = time.monotonic()
    wait_for(lambda: {asked.client for asked in read(place.log)} >= addresses(place), 100)

    hosts = list(place.workers)
    chance.shuffle(hosts)
    lonely, split, _ = hosts
    last = place.outlets.names()[-1]
    holder = lonely.start(sys.executable, "-c", HOLD, place.database_url, last, stdout=PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"  # it vanishes in the middle of a transaction
    cut, apart = Cut(lonely, 0), Cut(split, 0)
    kills: list[tuple[float, Machine]] = []
    out_of_reach: set[Machine] = set()

    def unplug() -> None:
        out_of_reach.add(lonely)
        cut.began = time.monotonic()
        lonely.unplug()

    def plug() -> None:
        lonely.plug()
        cut.ended = time.monotonic()
        out_of_reach.remove(lonely)

    def lose() -> None:  # it sees the sites, but neither the database nor Redis
        out_of_reach.add(split)
        wait_for(lambda: place.is_at_work(split), 60)
        apart.began = time.monotonic()
        split.lose(place.hub)

    def find() -> None:
        split.find(place.hub)
        apart.ended = time.monotonic()
        out_of_reach.remove(split)

    def kill() -> None:
        at_work = [host for host in hosts if host not in out_of_reach and place.is_at_work(host)]
        if at_work:
            victim = chance.choice(at_work)
            victim.kill()
            kills.append((time.monotonic(), victim))
            time.sleep(chance.uniform(0.2, 2))
            place.start_worker(victim)

    apart_at = chance.uniform(5, 40)
    plan: list[tuple[float, Callable[[], None]]] = [
        (0, unplug), (CUT_SECONDS, plug), (apart_at, lose), (apart_at + SPLIT_SECONDS, find),
    ]  # fmt: skip
    plan += [(chance.uniform(4, CUT_SECONDS), kill) for _ in range(KILLS)]
    start = time.monotonic()
    for at, act in sorted(plan, key=lambda item: item[0]):
        time.sleep(max(0.0, start + at - time.monotonic()))
        assert crawl.poll() is None, crawl.communicate()
        act()
    out, err = crawl.communicate(timeout=150)
    print(f"done after {time.monotonic() - began:.0f} s, {len(kills)} kills")
    log = read(place.log)
    summary(log)
    assert crawl.returncode == 0, err
    assert len(set(json.loads(out)["found"])) == OUTLETS

    found = place.run("findings", "--json", "--limit", "1000")
    urls = [json.loads(line)["url"] for line in found.stdout.splitlines()]
    assert Counter(urls) == Counter(place.outlets.relevant())

    of_outlets = [
        list(asked) for _, asked in groupby(sorted(log, key=lambda a: a.outlet), lambda a: a.outlet)
    ]
    assert len(of_outlets) == OUTLETS
    for asked in of_outlets:
        never_two_at_a_time_and_polite(asked)
    nothing_was_asked_without_a_lease(log, cut, cut.began)
    nothing_was_asked_without_a_lease(log, apart, apart.began + LEASE)
    for one in (cut, apart):
        its_outlets_were_taken_up(of_outlets, one)
        assert any(a.client == one.machine.address and a.came > one.ended for a in log)

    for host, worker in place.workers.items():  # none has ended but those that were killed
        assert worker.poll() is None, host.name
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(60) for worker in place.workers.values()] == [0, 0, 0]


def addresses(place: Place) -> set[str]:
    return {host.address for host in place.workers}


def never_two_at_a_time_and_polite(asked: list[Asked]) -> None:
    """Check an outlet's log: every process that crawls it has a connection of its own, asks for
    robots.txt first, and never comes back when another has begun; and between any answer and the
    next request, whosesoever, there is the delay."""
    connections = [key for key, _ in groupby(asked, connection)]
    assert len(set(connections)) == len(connections), connections
    firsts = [next(requests) for _, requests in groupby(asked, connection)]
    assert {one.path for one in firsts} == {"/robots.txt"}, firsts
    gaps = [after.came - before.answered for before, after in pairwise(asked)]
    assert min(gaps) >= DELAY - CLOSE, (min(gaps), asked)


def nothing_was_asked_without_a_lease(log: list[Asked], cut: Cut, since: float) -> None:
    """Check that one who could not renew its leases since `cut` began asked nothing any more from
    `since` on, when they were over."""
    its = [asked for asked in log if asked.client == cut.machine.address]
    late = [asked for asked in its if since + CLOSE < asked.came < cut.ended]
    assert not late, late


def its_outlets_were_taken_up(of_outlets: list[list[Asked]], cut: Cut) -> None:
    """Check that the outlets that it was at were soon gone on with."""
    waited = []
    for asked in of_outlets:
        for before, after in pairwise(asked):
            lost = before.client == cut.machine.address and connection(before) != connection(after)
            in_hand = cut.began - 2 * DELAY < before.came < cut.began + LEASE
            # a lease that was last renewed before the cut is over that much sooner
            if lost and in_hand and cut.began < after.came:
                waited.append(after.came - before.answered)
    assert waited
    assert max(waited) < TAKEN_UP_SECONDS
    print(f"{cut.machine.name}'s outlets were taken up after {min(waited):.0f} to "
          f"{max(waited):.0f} s")  # fmt: skip


def connection(asked: Asked) -> tuple[str, int]:
    return asked.client, asked.port


def summary(log: list[Asked]) -> None:
    print(f"{len(log)} requests", Counter(asked.client for asked in log))
