"""The seen-set: claims, leases, and that the database can always make it anew."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from extract.link import Link
from storage import links
from storage.database import open_database
from storage.links import Outcome, settled_urls
from storage.models import State
from storage.seen import BATCH, BUILT, REBUILDING, Claim, Seen
from storage.valkey import open_redis
from tests.storage.conftest import Writing, at_once

NOW = datetime(2024, 11, 20, 5, 0, tzinfo=UTC)
SETTLED, GRANTED, TAKEN = Claim.SETTLED, Claim.GRANTED, Claim.TAKEN
A, B, C = (f"https://kabar.id/{name}" for name in "abc")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with open_redis(None, tmp_path_factory.mktemp("home")) as redis:
        yield redis


@pytest.fixture
def redis(server: Redis) -> Redis:
    server.execute_command("FLUSHALL", "SYNC")  # its memory is free at once
    return server


@pytest.fixture
def seen(redis: Redis) -> Seen:
    """A seen-set beside a database in which nothing is settled."""
    return Seen(redis, list)


def test_a_new_url_is_granted_to_one_owner(seen: Seen) -> None:
    assert seen.claim([A, B], "laksara", 60) == [GRANTED, GRANTED]
    assert seen.claim([A, C], "nusabali", 60) == [TAKEN, GRANTED]
    assert seen.claim([A, B, C], "laksara", 60) == [GRANTED, GRANTED, TAKEN]
    assert seen.claim([], "laksara", 60) == []


def test_a_url_claimed_twice_in_one_breath(seen: Seen) -> None:
    assert seen.claim([A, A], "laksara", 60) == [GRANTED, GRANTED]


def test_a_settled_url_is_nobodys(seen: Seen, redis: Redis) -> None:
    seen.claim([A], "laksara", 60)
    seen.settle([A])
    assert seen.claim([A], "laksara", 60) == seen.claim([A], "nusabali", 60) == [SETTLED]
    assert not list(redis.scan_iter("pantau:l*")), "its lease is gone"
    seen.settle([A])
    seen.release([A], "laksara")
    assert seen.claim([A], "laksara", 60) == [SETTLED]


def test_a_lease_ends_by_itself(seen: Seen) -> None:
    seen.claim([A], "laksara", 0.3)
    assert seen.claim([A], "nusabali", 60) == [TAKEN]
    time.sleep(0.35)
    assert seen.claim([A], "nusabali", 60) == [GRANTED]


def test_leases_that_lapsed_do_not_pile_up(seen: Seen, redis: Redis) -> None:
    seen.claim([A], "laksara", 60)
    before, keys = redis.info("memory")["used_memory"], redis.dbsize()
    seen.claim([f"https://kabar.id/{n}" for n in range(5000)], "laksara", 3)
    leases = redis.info("memory")["used_memory"] - before
    assert redis.dbsize() == keys + 5000
    deadline = time.monotonic() + 10
    while redis.dbsize() > keys:  # nobody asks for them again
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert redis.info("memory")["used_memory"] - before < leases / 3


def test_a_new_claim_of_its_owner_prolongs_a_lease(seen: Seen) -> None:
    seen.claim([A], "laksara", 0.3)
    seen.claim([A], "laksara", 60)
    time.sleep(0.35)
    assert seen.claim([A], "nusabali", 60) == [TAKEN]


def test_only_its_owner_gives_a_lease_back(seen: Seen) -> None:
    seen.claim([A, B], "laksara", 60)
    seen.release([A, B], "nusabali")
    assert seen.claim([A], "nusabali", 60) == [TAKEN]
    seen.release([A], "laksara")
    assert seen.claim([A, B], "nusabali", 60) == [GRANTED, TAKEN]


def test_more_than_a_batch_keeps_its_order(seen: Seen) -> None:
    urls = [f"https://kabar.id/{n}" for n in range(2 * BATCH + 7)]
    seen.settle(urls[::2])
    expected = [SETTLED if n % 2 == 0 else GRANTED for n in range(len(urls))]
    assert seen.claim(urls, "laksara", 60) == expected
    seen.release(urls, "laksara")
    assert TAKEN not in seen.claim(urls, "nusabali", 60)


def test_odd_urls(seen: Seen) -> None:
    odd = ["", "\0", "\ud800", "https://kabar.id/漢" * 200, "a b", "a\r\nb"]
    assert seen.claim(odd, "laksara", 60) == [GRANTED] * len(odd)
    seen.settle(odd)
    assert seen.claim(odd, "laksara", 60) == [SETTLED] * len(odd)


def test_each_url_is_granted_once_however_many_ask(seen: Seen, redis: Redis) -> None:
    urls = [f"https://kabar.id/{n}" for n in range(1500)]

    def work(owner: str) -> list[Claim]:
        return Seen(redis, list).claim(urls, owner, 60)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(work, ["a", "b", "c", "d", "e", "f"]))
    assert all(sorted(given) == [GRANTED] + [TAKEN] * 5 for given in zip(*answers, strict=True))


# --- rebuilt from the database --------------------------------------------------------------------


@pytest.fixture
def stored(writing: Writing, engine: Engine) -> Engine:
    """A database with a hundred settled links, and two that are not."""
    urls = [f"https://kabar.id/{n}" for n in range(100)]
    old = Link("https://kabar.id/old", "https://kabar.id/old", datetime(2020, 1, 1, tzinfo=UTC))
    listed = [*(Link(url, url) for url in urls), Link(A, A), old]
    with writing() as session:
        links.record(session, "kabar", listed, now=NOW, known_before=None, oldest=NOW)
        states = [State.GATED, State.REJECTED, State.FAILED, State.TWIN, State.EMPTY]
        outcomes = [Outcome(url, states[n % len(states)]) for n, url in enumerate(urls)]
        assert len(links.settle(session, outcomes, NOW)) == 100
    return engine


def claims_after(redis: Redis, engine: Engine) -> list[Claim]:
    """What the settled, a pending, a skipped and a new link are, in this order."""
    urls = [*(f"https://kabar.id/{n}" for n in range(100)), A, "https://kabar.id/old", B]
    return Seen(redis, lambda: settled_urls(engine)).claim(urls, "kabar", 60)


EXPECTED = [SETTLED] * 100 + [GRANTED] * 3


def test_an_empty_redis_is_filled_from_the_database(redis: Redis, stored: Engine) -> None:
    assert claims_after(redis, stored) == EXPECTED
    redis.flushall()
    assert claims_after(redis, stored) == EXPECTED
    assert not redis.exists(REBUILDING)


def test_many_fill_it_at_once_and_one_of_them_does(redis: Redis, stored: Engine) -> None:
    fillings = []

    def settled() -> Iterator[Sequence[str]]:
        fillings.append(threading.get_ident())
        time.sleep(0.3)
        yield from settled_urls(stored)

    urls = [f"https://kabar.id/{n}" for n in range(100)]
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(lambda _: Seen(redis, settled).claim(urls, "kabar", 60), range(6))
        assert list(answers) == [[SETTLED] * 100] * 6
    assert len(fillings) == 1


def test_several_processes_fill_it_at_once(redis: Redis, database_url: str) -> None:
    urls = [f"https://kabar.id/{n}" for n in range(5000)]
    engine = open_database(database_url)
    with Session(engine) as session, session.begin():
        listed = [Link(url, url) for url in urls]
        links.record(session, "kabar", listed, now=NOW, known_before=None, oldest=None)
        links.settle(session, [Outcome(url, State.GATED) for url in urls], NOW)
    engine.dispose()
    answers = at_once(
        3,
        "import sys\n"
        "from redis import Redis\n"
        "from storage.database import open_database\n"
        "from storage.links import settled_urls\n"
        "from storage.seen import Seen\n"
        "engine = open_database(sys.argv[1])\n"
        "seen = Seen(Redis(unix_socket_path=sys.argv[2]), lambda: settled_urls(engine))\n"
        "urls = [f'https://kabar.id/{n}' for n in range(5000)]\n",
        "print(*set(map(int, seen.claim(urls, 'kabar', 60))))\n",
        database_url,
        redis.connection_pool.connection_kwargs["path"],
    )
    assert answers == [f"{int(SETTLED)}\n"] * 3


def test_one_that_died_filling_it_is_replaced(redis: Redis, stored: Engine) -> None:
    redis.set(REBUILDING, "somebody who died", px=500)
    assert claims_after(redis, stored) == EXPECTED


def test_one_emptied_while_it_is_filled_is_filled_again(redis: Redis) -> None:
    batches = [[f"https://kabar.id/{n}/{m}" for m in range(10)] for n in range(10)]
    emptied = []

    def settled() -> Iterable[Sequence[str]]:
        for number, batch in enumerate(batches):
            if number == 5 and not emptied:
                emptied.append(redis.flushall())
            yield batch

    seen = Seen(redis, settled)
    assert {*seen.claim([*chain(*batches)], "kabar", 60)} == {SETTLED}
    assert emptied


def test_a_database_that_fails_while_it_is_filled_leaves_it_unfilled(redis: Redis) -> None:
    def settled() -> Iterator[Sequence[str]]:
        yield [A]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Seen(redis, settled).claim([A], "kabar", 60)
    assert not redis.exists(BUILT)
    assert not redis.exists(REBUILDING), "the next need not wait"
    assert Seen(redis, lambda: [[A, B]]).claim([A, B, C], "kabar", 60) == [
        SETTLED,
        SETTLED,
        GRANTED,
    ]


# --- what happens to the server -------------------------------------------------------------------


def test_forgotten_scripts_are_loaded_again(seen: Seen, redis: Redis) -> None:
    steps: list[Callable[[], object]] = [
        lambda: seen.claim([A, B], "laksara", 60),
        lambda: seen.release([B], "laksara"),
        lambda: seen.settle([A]),
        lambda: seen.claim([A, B], "nusabali", 60),
    ]
    for step in steps:
        redis.script_flush()
        answer = step()
    assert answer == [SETTLED, GRANTED]


def test_a_server_that_was_killed_forgets_nothing(tmp_path: Path) -> None:
    with open_redis(None, tmp_path) as redis:
        seen = Seen(redis, list)
        seen.claim([A, B], "laksara", 60)
        seen.settle([A])
        os.kill(redis.info("server")["process_id"], signal.SIGKILL)
        with open_redis(None, tmp_path):  # whoever comes next starts it again
            assert seen.claim([A, B], "nusabali", 60) == [SETTLED, TAKEN]


def test_it_fits_into_little_memory(redis: Redis) -> None:
    """At 200,000 URLs, where the sets are still small; benchmarks/seen.py measures ten million."""
    seen = Seen(redis, list)
    seen.claim([A], "laksara", 60)
    before = redis.info("memory")["used_memory"]
    urls = [f"https://kabar.id/{n}" for n in range(200_000)]
    seen.settle(urls)
    assert (redis.info("memory")["used_memory"] - before) / len(urls) < 40
    assert {*seen.claim(urls[:5000], "laksara", 60)} == {SETTLED}
