"""Opening the database: always migrated, by many at once, and clear about what is wrong."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Engine, inspect, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.schema import SchemaItem

from storage import crawls
from storage.database import open_database, reading
from storage.errors import DatabaseError
from storage.models import Base, Crawl, Source
from tests.storage.conftest import ROOT, at_once

NOW = datetime(2024, 11, 20, 5, 0, 0, 123456, tzinfo=UTC)


def error_of(url: str) -> str:
    """What open_database says of `url`: one line."""
    with pytest.raises(DatabaseError) as caught:
        open_database(url)
    words = str(caught.value)
    assert "\n" not in words
    assert words.endswith(".")
    return words


@contextmanager
def as_nobody() -> Iterator[None]:
    """Not as root, whom no permission keeps out."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def open_to_all(folder: Path) -> None:
    for parent in folder.parents:
        if os.geteuid() == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)


def of_the_index(name: str | None) -> bool:
    """Whether a table belongs to the full-text index, which SQLAlchemy knows nothing of."""
    return bool(name and name.startswith("findings_words"))


def known(thing: SchemaItem, name: str | None, kind: str, *_: object) -> bool:
    """Leaves out what each database indexes words by in its own way."""
    column = kind == "column" and isinstance(thing, Column) and thing.table.name == "findings"
    return not of_the_index(name) and not (column and name == "words")


def test_an_empty_database_gets_every_table(engine: Engine) -> None:
    tables = set(inspect(engine).get_table_names())
    assert {name for name in tables if not of_the_index(name)} == {
        *Base.metadata.tables,
        "alembic_version",
    }


def test_opening_again_changes_nothing(database_url: str) -> None:
    first = open_database(database_url)
    with Session(first) as session, session.begin():
        crawls.begin(session, "run", "laksara", NOW)
    first.dispose()
    again = open_database(database_url)
    with reading(again) as session:
        assert [crawl.outlet for crawl in session.query(Crawl)] == ["laksara"]
    again.dispose()


def test_models_and_migrations_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": known}
        )
        assert compare_metadata(context, Base.metadata) == []
        connection.execute(text("ALTER TABLE links ADD COLUMN surplus INTEGER"))
        [difference] = compare_metadata(context, Base.metadata)
        assert difference[0] == "remove_column"


def test_many_processes_open_a_fresh_database_at_once(database_url: str) -> None:
    at_once(
        5,
        "import sys\n"
        "from datetime import datetime, UTC\n"
        "from sqlalchemy.orm import Session\n"
        "import storage.models\n"
        "from storage import crawls\n"
        "from storage.database import open_database\n",
        "engine = open_database(sys.argv[1])\n"
        "with Session(engine) as session, session.begin():\n"
        "    crawls.begin(session, 'run', 'laksara', datetime.now(UTC))\n",
        database_url,
    )
    engine = open_database(database_url)
    with reading(engine) as session:
        assert session.query(Crawl).count() == 5
    engine.dispose()


def test_times_come_back_aware_and_equal(engine: Engine) -> None:
    wit = timezone(timedelta(hours=9))
    with Session(engine) as session, session.begin():
        session.add(Source(outlet="a", name="feed", completed=NOW.astimezone(wit)))
        session.add(Source(outlet="a", name="none"))
    with reading(engine) as session:
        completed = crawls.completed(session, "a", "feed")
        assert completed == NOW
        assert completed.utcoffset() == timedelta(0)
        assert crawls.completed(session, "a", "none") is None


def test_a_postgresql_of_another_zone_gives_utc(postgres: str) -> None:
    url = make_url(postgres).update_query_dict({"options": "-c timezone=Asia/Jayapura"})
    engine = open_database(url.render_as_string(hide_password=False))
    with Session(engine) as session:
        session.add(Source(outlet="a", name="feed", completed=NOW))
        session.flush()
        session.expire_all()
        completed = crawls.completed(session, "a", "feed")
        assert completed == NOW
        assert completed.utcoffset() == timedelta(0)
    engine.dispose()


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=7))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=7))),
    ],
    ids=["year 1", "year 9999"],
)
def test_times_at_the_ends_of_the_calendar_are_no_error(engine: Engine, moment: datetime) -> None:
    with Session(engine) as session, session.begin():
        session.add(Source(outlet="a", name="feed", completed=moment))
    with reading(engine) as session:
        completed = crawls.completed(session, "a", "feed")
        assert completed is not None
        assert completed.year == moment.year
        assert completed.astimezone(timezone(timedelta(hours=9))).year == moment.year


def test_a_long_reading_keeps_no_writer_waiting(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        crawls.begin(session, "run", "laksara", NOW)
    with reading(engine) as reader:
        assert reader.query(Crawl).count() == 1
        began = time.monotonic()
        with Session(engine) as session, session.begin():
            crawls.begin(session, "run", "nusabali", NOW)
        assert time.monotonic() - began < 5
        if engine.dialect.name == "sqlite":  # PostgreSQL's statements see what was committed
            assert reader.query(Crawl).count() == 1, "a reading sees one moment"
    with reading(engine) as reader:
        assert reader.query(Crawl).count() == 2


def test_opening_does_not_wait_for_a_writer(database_url: str) -> None:
    engine = open_database(database_url)
    with Session(engine) as session, session.begin():
        crawls.begin(session, "run", "laksara", NOW)
        began = time.monotonic()
        open_database(database_url).dispose()
        assert time.monotonic() - began < 5
    engine.dispose()


def test_a_transaction_cut_short_leaves_nothing(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        crawls.begin(session, "run", "laksara", NOW)
        session.rollback()
    with reading(engine) as session:
        assert session.query(Crawl).count() == 0


# --- what is wrong with it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://user:geheim@host/name", "only sqlite:/// and postgresql://"),
        ("oracle+cx://user:geheim@host", "only sqlite:/// and postgresql://"),
        ("postgresql+nothing://user:geheim@host/name", "postgresql.nothing"),
        ("postgresql+asyncpg://user:geheim@host/name", "asyncpg"),
        ("postgresql://user:geheim@host:port/name", "the port is not a number"),
        ("not an address", "PANTAU_DATABASE_URL"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
    ],
)
def test_an_unusable_address_is_said_in_one_sentence(url: str, said: str) -> None:
    words = error_of(url)
    assert said in words
    assert "heim" not in words


def test_a_refused_connection_is_said_without_the_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        words = error_of(f"postgresql://pantau:geheim@127.0.0.1:{port}/pantau")
    assert "refused" in words
    assert "the server is running" in words
    assert "geheim" not in words


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        began = time.monotonic()
        words = error_of(
            f"postgresql://pantau:geheim@127.0.0.1:{deaf.getsockname()[1]}/x?connect_timeout=2"
        )
        assert time.monotonic() - began < 10
    assert "geheim" not in words


def test_a_missing_postgresql_database_is_said(postgres: str) -> None:
    url = make_url(postgres).set(database="no_such_database")
    assert "no_such_database" in error_of(url.render_as_string(hide_password=False))


def test_a_file_that_is_no_database_is_said_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 100)
    assert "not a database" in error_of(f"sqlite:///{path}")
    assert path.read_text() == "not a database\n" * 100


def test_a_folder_in_the_databases_place_is_said(tmp_path: Path) -> None:
    assert "unable to open" in error_of(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "File exists" in error_of(f"sqlite:///{tmp_path / 'file' / 'pantau.db'}")


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    open_to_all(folder)
    with as_nobody():
        assert "can be written to" in error_of(f"sqlite:///{folder / 'pantau.db'}")
        assert "Permission denied" in error_of(f"sqlite:///{folder / 'sub' / 'pantau.db'}")


def test_a_database_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    url = f"sqlite:///{folder / 'pantau.db'}"
    engine = open_database(url)
    with engine.begin() as connection:  # so that there is something to migrate
        connection.execute(text("DELETE FROM alembic_version"))
    engine.dispose()
    folder.chmod(0o555)
    open_to_all(folder)
    with as_nobody():
        error_of(url)


def test_a_database_of_a_newer_version_is_said(database_url: str) -> None:
    engine = open_database(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert "newer Pantau" in error_of(database_url)


def test_a_failed_migration_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    """Schema changes are part of the transaction, on SQLite too."""
    program = (
        "import sys\n"
        "from alembic import op\n"
        "create = op.create_table\n"
        "def fail_late(name, *rest, **more):\n"
        "    if name == 'snapshots': sys.exit(3)\n"
        "    return create(name, *rest, **more)\n"
        "op.create_table = fail_late\n"
        "from storage.database import open_database\n"
        f"open_database({database_url!r})\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False)
    assert ran.returncode == 3
    engine = open_database(database_url)
    assert set(Base.metadata.tables) < set(inspect(engine).get_table_names())
    engine.dispose()
