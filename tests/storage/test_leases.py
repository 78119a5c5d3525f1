"""Leases: one holder at a time, whoever competes, and never again once done."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy.orm import Session

from storage import leases
from tests.storage.conftest import Writing

ROOT = Path(__file__).parents[2]
NOW = datetime(2024, 11, 20, 5, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def acquire(session: Session, owner: str, at: float = 0, name: str = "crawl laksara") -> bool:
    return leases.acquire(session, name, owner, 60, after(at))


def test_a_lease_is_held_by_one_at_a_time(writing: Writing) -> None:
    with writing() as session:
        assert acquire(session, "a")
    with writing() as session:
        assert not acquire(session, "b", 59)
        assert acquire(session, "b", name="crawl nusabali"), "another lease is another thing"


def test_it_can_be_prolonged(writing: Writing) -> None:
    with writing() as session:
        assert acquire(session, "a")
        assert acquire(session, "a", 50)
        assert not acquire(session, "b", 100)
        assert acquire(session, "b", 111)


def test_it_is_taken_over_when_it_has_ended_and_lost_for_good(writing: Writing) -> None:
    with writing() as session:
        acquire(session, "a")
        assert not acquire(session, "b", 60), "its last moment is its holder's"
        assert acquire(session, "b", 60.001)
        assert not acquire(session, "a", 61)
        leases.release(session, "crawl laksara", "a")
        leases.finish(session, "crawl laksara", "a")
        assert not leases.is_done(session, "crawl laksara"), "it is not a's to finish"
        assert not acquire(session, "a", 61), "nor to release"


def test_one_that_ended_untaken_can_be_prolonged(writing: Writing) -> None:
    with writing() as session:
        acquire(session, "a")
        assert acquire(session, "a", 1000)


def test_a_released_one_is_free(writing: Writing) -> None:
    with writing() as session:
        acquire(session, "a")
        leases.release(session, "crawl laksara", "a")
        assert acquire(session, "b")


def test_what_is_done_is_never_given_again(writing: Writing) -> None:
    with writing() as session:
        assert not leases.is_done(session, "crawl laksara")
        acquire(session, "a")
        assert not leases.is_done(session, "crawl laksara")
        leases.finish(session, "crawl laksara", "a")
    with writing() as session:
        assert leases.is_done(session, "crawl laksara")
        leases.release(session, "crawl laksara", "a")
        assert not acquire(session, "a", 1)
        assert not acquire(session, "b", 10_000)
        assert leases.is_done(session, "crawl laksara")


# Each process takes the lease, works, gives it back or dies with it; what it did goes to a file.
COMPETITOR = """
import os, random, sys, time
from datetime import UTC, datetime
from sqlalchemy.orm import Session
from storage import leases
from storage.database import open_database

url, path, until = sys.argv[1], sys.argv[2], float(sys.argv[3])
me, engine = str(os.getpid()), open_database(url)
def do(function, *args):
    with Session(engine) as session, session.begin():
        return function(session, "crawl laksara", me, *args)
with open(path, "a", buffering=1) as log:
    while time.time() < until:
        asked = time.time()
        if not do(leases.acquire, 0.5, datetime.now(UTC)):
            time.sleep(0.02)
            continue
        began = time.time()
        if began - asked < 0.3:  # else too little of it is left to work
            time.sleep(random.uniform(0.01, 0.1))
            # what is worked after the lease has ended is not the lease's fault
            log.write(f"{began} {min(time.time(), asked + 0.5)} {me}\\n")
        if random.random() < 0.7:
            do(leases.release)
        else:
            time.sleep(0.6)  # as good as dead
"""


def test_many_processes_compete_and_one_holds_it(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    until = str(time.time() + 5)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMPETITOR, database_url, log, until],
            cwd=ROOT, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(5)
    ]  # fmt: skip
    errors = [process.communicate(timeout=90)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 5, errors
    held = sorted(
        (float(began), float(ended), who)
        for began, ended, who in map(str.split, log.read_text().splitlines())
    )
    assert len(held) >= 5
    assert len({who for _, _, who in held}) >= 2, "nobody else ever had it"
    for (_, ended, who), (began, _, other) in pairwise(held):
        assert ended <= began, f"{who} and {other} at once"
