"""What all crawls of one process share: the database, the seen-set and the examiners."""

import atexit
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

from sqlalchemy import Engine
from sqlalchemy.orm import Session

import settings
from crawler.examine import Examiners
from extract.gate import prepare
from extract.lexicon import load, use
from storage.database import open_database
from storage.links import settled_urls
from storage.seen import Seen
from storage.valkey import open_redis


class Shared:
    """The process's database (`engine`), seen-set (`seen`) and pool of examiners (`examiners`).

    Raises DatabaseError, LexiconError, RedisUnavailableError, SettingsError."""

    def __init__(self) -> None:
        self.settings = settings.load()
        lexicon = load(more=self.settings.lexicon)
        use(replace(lexicon))  # a copy: with its phrases compiled it could not go to the workers
        self._open = ExitStack()
        self.engine: Engine = open_database(self.settings.database)
        self._open.callback(self.engine.dispose)
        redis = self._open.enter_context(open_redis(self.settings.redis_url, self.settings.home))
        self.seen = Seen(redis, lambda: settled_urls(self.engine))
        self.examiners = Examiners(self.settings.workers, lexicon)
        self._open.callback(self.examiners.close)
        prepare(self.settings.home / "cache")  # later, it would hold the event loop up
        atexit.register(self.close)

    def close(self) -> None:
        """Close all three; again is harmless."""
        self._open.close()

    def transaction(self) -> Session:
        """A session to use as `with shared.transaction() as session, session.begin():`."""
        return Session(self.engine)


@cache
def shared() -> Shared:
    """This process's; opened when first asked for, closed when the process ends."""
    return Shared()
