"""What all crawls of one process share: the database, the seen-set and the examiners."""

import atexit
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, cached_property

from sqlalchemy import Engine
from sqlalchemy.orm import Session

import settings
from crawler.examine import Examiners
from crawler.writer import Writer
from extract.gate import prepare
from extract.lexicon import Lexicon, load, use
from storage.database import open_database
from storage.links import settled_urls
from storage.seen import Seen
from storage.valkey import open_redis

_ready: Lexicon | None = None


def get_ready(*, to_fork: bool = False) -> Lexicon:
    """Load what the judgement needs; gives the lexicon. Of a process that is `to_fork`, and has
    loaded the rest as well, each copy needs no more than one examiner, a copy of itself."""
    global _ready
    current = settings.load()
    lexicon = load(more=current.lexicon)
    use(replace(lexicon))  # a copy: with its phrases compiled it could not go to the workers
    prepare(current.home / "cache")  # later, it would hold the event loop up
    if to_fork:
        _ready = lexicon
    return lexicon


class Shared:
    """The process's database (`engine`), what writes there for all crawls (`writer`), seen-set
    (`seen`) and pool of examiners (`examiners`).

    Raises DatabaseError, LexiconError, RedisUnavailableError, SettingsError."""

    def __init__(self) -> None:
        self.settings = settings.load()
        lexicon = _ready or get_ready()
        self._open = ExitStack()
        self.engine: Engine = open_database(self.settings.database)
        self._open.callback(self.engine.dispose)
        self.writer = Writer(self.transaction)
        redis = self._open.enter_context(open_redis(self.settings.redis_url, self.settings.home))
        self.seen = Seen(redis, lambda: settled_urls(self.engine))
        self._lexicon = lexicon
        atexit.register(self.close)

    @cached_property
    def examiners(self) -> Examiners:
        """They start when first asked for: a backfill that workers do needs none here."""
        made = (
            Examiners(1, forked=True) if _ready else Examiners(self.settings.workers, self._lexicon)
        )
        self._open.callback(made.close)
        return made

    def close(self) -> None:
        """Close what is open; again is harmless."""
        self._open.close()

    def transaction(self) -> Session:
        """A session to use as `with shared.transaction() as session, session.begin():`."""
        return Session(self.engine)


@cache
def shared() -> Shared:
    """This process's; opened when first asked for, closed when the process ends."""
    return Shared()
