"""Opening the database: SQLite by default, PostgreSQL by its URL, always at the newest schema."""

import sqlite3
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from storage.errors import DatabaseError

MIGRATIONS = Path(__file__).parent / "migrations"
AWAY = (OperationalError, InterfaceError, PoolTimeoutError)  # says SQLAlchemy of a database
BUSY_SECONDS = 60
PASSING = sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL
# a network that swallows packets is an error within half a minute, not a wait for ever; in seconds,
# but for the last
PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

# and the server forgets a machine that is gone, with what its transactions lock, as soon: by itself
# it would in two hours; in seconds, but for the last
SERVER_PATIENCE = """
SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 20000
"""


def open_database(url: str) -> Engine:
    """An engine for `url`, its schema migrated to the newest. Raises DatabaseError."""
    try:
        parsed = make_url(url)
        engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed)
    except ValueError:  # its text may hold a part of the password
        raise DatabaseError(
            "PANTAU_DATABASE_URL is not a usable database address: the port is not a number "
            "(in a password, write / : @ as %2F %3A %40)."
        ) from None
    except (ArgumentError, NoSuchModuleError, ImportError, OSError) as error:
        raise DatabaseError(
            f"PANTAU_DATABASE_URL is not a usable database address: {error}."
        ) from None
    try:
        _migrate(engine)
    except DatabaseError:
        engine.dispose()
        raise
    except DBAPIError as error:
        engine.dispose()
        place = parsed.render_as_string(hide_password=True)
        advice = (
            "check that it is Pantau's and that its folder can be written to."
            if engine.dialect.name == "sqlite"
            else "check PANTAU_DATABASE_URL and that the server is running."
        )
        reason = " ".join(str(error.orig).split())
        raise DatabaseError(f"The database {place} cannot be used ({reason}); {advice}") from None
    return engine


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ArgumentError("a database in memory would be forgotten; name a file")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_timeout=BUSY_SECONDS)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(url: URL) -> Engine:
    if url.get_backend_name() != "postgresql":
        raise ArgumentError("only sqlite:/// and postgresql:// are supported")
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=BUSY_SECONDS,
        connect_args={
            **{name: url.query.get(name, value) for name, value in PATIENCE.items()},
            # a prepared statement has one plan, whether it asks for what is rare or common
            "prepare_threshold": None,
        },
    )
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.autocommit = True  # what is set in a transaction ends with it
    connection.execute(SERVER_PATIENCE)
    connection.autocommit = False


def _set_up_sqlite(connection: object, _: ConnectionPoolEntry) -> None:
    # the driver must not begin transactions by itself: it would do so too late for BEGIN IMMEDIATE
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    _set_wal(cursor)
    # FULL: a commit outlives a power loss. Redis is told only after it, so it must.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # findings are stored a hundred at a time: with what it has by default SQLite would write what
    # it changes before the commit, and copy it to its place after nearly each
    cursor.execute("PRAGMA cache_size = -4000")  # KiB
    cursor.execute("PRAGMA wal_autocheckpoint = 4000")  # pages of 4 KiB
    cursor.close()


def _set_wal(cursor: sqlite3.Cursor) -> None:
    """Have readers and a writer not wait for each other. SQLite may refuse that at once, in spite
    of the timeout, while another process does the same to a fresh file."""
    until = monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in PASSING or monotonic() > until:
                raise
            sleep(0.05)


def _begin_sqlite(connection: Connection) -> None:
    # a transaction that reads first and writes later would otherwise fail where another wrote
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def reading(engine: Engine) -> Session:
    """A session that only reads, and keeps no writer waiting."""
    return Session(engine.execution_options(reading=True))


def _migrate(engine: Engine) -> None:
    newest = max(script.name[:4] for script in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    with engine.execution_options(reading=True).connect() as connection:
        if inspect(connection).has_table("alembic_version"):
            revision = text("SELECT version_num FROM alembic_version")
            if connection.scalar(revision) == newest:
                return
    from storage.migrate import upgrade

    upgrade(engine, str(MIGRATIONS))
