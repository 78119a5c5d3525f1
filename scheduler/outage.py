"""The database or Redis is away for a while: said once when it goes, and once when it is back."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from storage import database
from storage.errors import DatabaseError, RedisUnavailableError

logger = logging.getLogger(__name__)

AWAY = (*database.AWAY, DatabaseError, RedisError, RedisUnavailableError)


class Outage:
    """Whether `what` is there, as far as who asks it has noticed."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._since: float | None = None
        self._changing = Lock()

    @contextmanager
    def borne(self) -> Iterator[None]:
        """Bear that it is away in what is done here: that is to be tried again."""
        try:
            yield
        except AWAY as problem:
            with self._changing:
                if self._since is None:
                    self._since = time.monotonic()
                    logger.warning("%s is away, waiting for it: %s", self._what, in_words(problem))
        except SQLAlchemyError:
            logger.exception("an error of ours, not of %s; trying again", self._what)
        else:
            with self._changing:
                if self._since is not None:
                    away = time.monotonic() - self._since
                    self._since = None
                    logger.warning("%s is back after %.0f s", self._what, away)


DATABASE = Outage("the database")  # of all that this process does beside crawls


def in_words(problem: Exception) -> str:
    """What went wrong, in a line: what follows the first one is the statement, and advice."""
    return next(iter(str(problem).splitlines()), "") or type(problem).__name__
