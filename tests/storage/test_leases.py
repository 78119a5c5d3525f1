"""Leases: one holder at a time, whoever competes, and never again once done."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy.orm import Session

from storage import leases
from tests.storage.conftest import Writing, at_once

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
        assert not acquire(session, "a", 61), "it is not a's to release"
        assert acquire(session, "b", 61), "nor to finish"


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
        acquire(session, "a")
        leases.finish(session, "crawl laksara", "a")
    with writing() as session:
        leases.release(session, "crawl laksara", "a")
        assert not acquire(session, "a", 1)
        assert not acquire(session, "b", 10_000)


# Each process takes the lease, works, gives it back or is as good as dead, three times over;
# what it did goes to a file.
COMPETITOR = """
me, engine = str(os.getpid()), open_database(sys.argv[1])
def do(function, *args):
    with Session(engine) as session, session.begin():
        return function(session, "crawl laksara", me, *args)
turns = 0
with open(sys.argv[2], "a", buffering=1) as log:
    while turns < 3:
        asked = time.time()
        if not do(leases.acquire, 0.6, datetime.now(UTC)):
            time.sleep(0.02)
            continue
        began = time.time()
        time.sleep(random.uniform(0.01, 0.1))
        # work after the end of the lease is not the lease's fault
        if began < (ended := min(time.time(), asked + 0.6)):
            log.write(f"{began} {ended} {me}\\n")
            turns += 1
        if random.random() < 0.8:
            do(leases.release)
        else:
            time.sleep(0.7)
"""


def test_many_processes_compete_and_one_holds_it(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    setting_up = (
        "import os, random, sys, time\n"
        "from datetime import UTC, datetime\n"
        "from sqlalchemy.orm import Session\n"
        "from storage import leases\n"
        "from storage.database import open_database\n"
    )
    at_once(5, setting_up, COMPETITOR, database_url, str(log))
    held = sorted(
        (float(began), float(ended), who)
        for began, ended, who in map(str.split, log.read_text().splitlines())
    )
    assert len(held) == 15
    assert len({who for _, _, who in held}) == 5
    for (_, ended, who), (began, _, other) in pairwise(held):
        assert ended <= began, f"{who} and {other} at once"
