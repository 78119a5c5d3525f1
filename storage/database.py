"""Opening the database: SQLite by default, PostgreSQL by its URL, always at the newest schema."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 60
ADVISORY_LOCK = 0x70616E746175  # "pantau": one migration at a time


class DatabaseError(Exception):
    """The database cannot be used; its text is one sentence for the operator."""


def open_database(url: str) -> Engine:
    """An engine for `url`, its schema migrated to the newest. Raises DatabaseError."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError("only sqlite:/// and postgresql:// are supported")
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ValueError, OSError) as error:
        raise DatabaseError(
            f"PANTAU_DATABASE_URL is not a usable database address: {error}"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        _migrate(engine)
    except DBAPIError as error:
        engine.dispose()
        place = parsed.render_as_string(hide_password=True)
        reason = " ".join(str(error.orig).split())
        raise DatabaseError(
            f"The database {place} cannot be used ({reason}); "
            "check PANTAU_DATABASE_URL and that the server is running."
        ) from None
    return engine


def _set_up_sqlite(connection: object, _: ConnectionPoolEntry) -> None:
    # the driver must not begin transactions by itself: it would do so too late for BEGIN IMMEDIATE
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit outlives a power loss. Redis is told only after it, so it must.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # a transaction that reads first and writes later would otherwise fail where another wrote
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def reading(engine: Engine) -> Session:
    """A session that only reads, and keeps no writer waiting."""
    return Session(engine.execution_options(reading=True))


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() == head:
            return
    with _one_at_a_time(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _one_at_a_time(engine: Engine) -> Iterator[Connection]:
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            yield connection
    else:
        with Path(f"{engine.url.database}.lock").open("w") as lock, engine.begin() as connection:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield connection
