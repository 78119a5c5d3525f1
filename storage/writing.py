"""Writing rows: many at once, and such as may be there."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from storage.models import Base


def upsert(session: Session, table: type) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can take ON CONFLICT, in the dialect of the session's database."""
    dialect = session.get_bind().dialect.name
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def next_ids(session: Session, table: type[Base], count: int) -> Sequence[int]:
    """Ids for so many new rows, in order. To be called in the transaction that writes them."""
    if session.get_bind().dialect.name == "postgresql":
        query = (
            "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)"
        )
        asked = {"name": table.__tablename__, "count": count}
        return sorted(session.scalars(text(query), asked))
    # its writers take turns, from the beginning of their transactions
    column = table.__table__.columns["id"]
    last = session.scalar(select(func.max(column))) or 0
    return range(last + 1, last + 1 + count)


def insert_all(session: Session, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `rows`, which name the same columns, at once. They go past SQLAlchemy, but for their
    columns' types: it takes longer to say them than the database takes to write them."""
    if not (values := list(rows)):
        return
    connection = session.connection()
    dialect = connection.dialect
    columns = [table.__table__.columns[name] for name in values[0]]
    bound: list[Iterable[Any]] = []
    for column in columns:
        process = column.type.dialect_impl(dialect).bind_processor(dialect)
        said = [row[column.key] for row in values]
        bound.append(map(process, said) if process else said)
    names = ", ".join(column.name for column in columns)
    into = f"{table.__tablename__} ({names})"
    if dialect.name != "postgresql":
        slots = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {into} VALUES ({slots})"  # noqa: S608 (of our own names)
        connection.exec_driver_sql(statement, [*zip(*bound, strict=True)])
        return
    statement = f"COPY {into} FROM STDIN (FORMAT BINARY)"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor:
            cursor.execute(f"SELECT {names} FROM {table.__tablename__} LIMIT 0")  # noqa: S608
            types = [type_code for _, type_code, *_ in cursor.description]
            with cursor.copy(statement) as copy:
                copy.set_types(types)
                for row in zip(*bound, strict=True):
                    copy.write_row(row)
    except dialect.loaded_dbapi.Error as error:
        base = dialect.loaded_dbapi.Error
        raise DBAPIError.instance(statement, None, error, base, dialect=dialect) from error
