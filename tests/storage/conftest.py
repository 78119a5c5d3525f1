"""An open database of each kind, emptied after each test."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

from storage.database import open_database
from storage.models import Base

ROOT = Path(__file__).parents[2]

Writing = Callable[[], AbstractContextManager[Session]]


def at_once(number: int, setting_up: str, program: str, *arguments: str) -> list[str]:
    """What `number` processes print that run `setting_up`, wait for each other, run `program`."""
    start = "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", f"{setting_up}\n{start}\n{program}", *arguments],
            cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(number)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=90) for process in processes]
    assert [process.returncode for process in processes] == [0] * number, printed
    return [out for out, _ in printed]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'pantau.db'}"
    else:
        server = make_url(request.getfixturevalue("postgres"))
        admin = create_engine(server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("DROP DATABASE IF EXISTS storage WITH (FORCE)"))
            connection.execute(text("CREATE DATABASE storage"))
        admin.dispose()
        url = server.set(database="storage").render_as_string(hide_password=False)
    engine = open_database(url)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(opened: Engine) -> Iterator[Engine]:
    """An engine on an empty database, of each kind in turn; a new one costs PostgreSQL a second."""
    yield opened
    with opened.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def writing(engine: Engine) -> Writing:
    """`with writing() as session:` is a transaction."""

    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session

    return transaction
