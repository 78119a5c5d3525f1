"""Bringing a database to the newest schema, with Alembic; `storage.database` calls it when needed:
importing it takes longer than most commands."""

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, text

from storage.errors import DatabaseError

ADVISORY_LOCK = 0x70616E746175  # "pantau": one migration at a time


def upgrade(engine: Engine, scripts: str) -> None:
    """Run the migrations of the folder `scripts` that `engine` has not seen. Raises DatabaseError
    where its revision is not among them."""
    config = Config()
    config.set_main_option("script_location", scripts)
    with engine.begin() as connection:
        # one at a time; on SQLite BEGIN IMMEDIATE sees to that
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            place = engine.url.render_as_string(hide_password=True)
            raise DatabaseError(
                f"The database {place} was made by a newer Pantau ({error}); update this one."
            ) from None
