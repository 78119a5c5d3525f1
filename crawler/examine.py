"""Reading and judging pages in worker processes, off the event loop."""

import asyncio
import ctypes
import fcntl
import gc
import logging
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from pebble import ProcessExpired, ProcessPool

from extract.article import Article, Page, Verdict
from extract.judge import judge
from extract.lexicon import Lexicon, use
from extract.likeness import Wording, prepare
from extract.snapshot import Snapshot

T = TypeVar("T")

SECONDS = 30  # for one article; a worker that takes longer is ended
MEMORY = 2 * 1024**3  # address space of a worker
TASKS = 2000  # after so many a worker is replaced, so that no leak adds up
PRELOAD = ["crawler.examine", "crawler.sources", "extract.read"]  # what every worker needs
PDEATHSIG = 1  # of prctl(2)


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of an article before its page is read: the outlet's zone, name and home, the
    date its source gave, and whether it is a finding already."""

    zone: ZoneInfo
    title: str
    province: str | None = None
    regency: str | None = None
    listed: datetime | None = None
    found: bool = False


@dataclass(frozen=True, slots=True)
class Examination:
    """What a page came to: an article (or none), its verdict and, where it is to be kept (it is
    a finding, or was), the snapshots that prove it and what its story is told by."""

    article: Article | None
    verdict: Verdict | None = None
    snapshots: tuple[Snapshot, ...] = ()
    wording: Wording | None = None


def examine(pages: Sequence[Page], context: Context) -> Examination:
    """Read and judge one article, given as its pages in order."""
    from extract.read import read  # trafilatura: 100 MB that the crawl's own process does not need

    article = read(pages, zone=context.zone, outlet=context.title, listed=context.listed)
    if article is None:
        return Examination(None)
    verdict = judge(article, province=context.province, regency=context.regency)
    if not (verdict.kept or context.found):
        return Examination(article, verdict)
    return Examination(article, verdict, tuple(map(Snapshot.of, pages)), prepare(article))


class ExaminationError(Exception):
    """A page or listing that could not be read; its text is one line for the report."""


class Examiners:
    """A pool of `workers` processes that examine pages by `lexicon`: copies of a process that has
    imported what they need, once for all of them; or of this one, with all that it has loaded,
    where they are `forked`.

    At most two articles a worker are under way at a time: who wants more waits, and with it the
    download of further pages."""

    def __init__(
        self, workers: int, lexicon: Lexicon | None = None, *, forked: bool = False
    ) -> None:
        workers = workers or os.cpu_count() or 1
        context = multiprocessing.get_context("fork" if forked else "forkserver")
        context.set_forkserver_preload(PRELOAD)
        self._pool = ProcessPool(
            max_workers=workers,
            max_tasks=TASKS,
            initializer=_set_up,
            initargs=(lexicon,),
            context=context,
        )
        start = self._pool.schedule(int)  # the workers start now: they need a second or two
        if forked:
            start.result()  # nothing else goes on here while a copy of this process is made
        self._places = asyncio.Semaphore(2 * workers)

    async def examine(self, pages: Sequence[Page], context: Context) -> Examination:
        """See the function `examine`. Raises ExaminationError."""
        try:
            return await self.run(examine, pages, context)
        except ExaminationError:
            raise
        except Exception as error:
            raise ExaminationError(f"reading it failed: {error!r}") from error

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """`function(*args)` in a worker, with its limits; raises what the function raises, and
        ExaminationError where a limit is met."""
        async with self._places:
            future = self._pool.schedule(function, args=args, timeout=SECONDS)
            try:
                result: T = await asyncio.wrap_future(future)
            except TimeoutError:
                raise ExaminationError(f"reading it took longer than {SECONDS} s") from None
            except (MemoryError, ProcessExpired):
                raise ExaminationError("reading it took more memory than there is") from None
            return result

    def close(self) -> None:
        """End the workers."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _set_up(lexicon: Lexicon | None) -> None:
    with suppress(AttributeError):  # not Linux
        # a copy of a crawl ends when that is killed, whatever page it is at: it would hold the
        # crawl's connections open, with what their transactions lock
        ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)
    if crawl := multiprocessing.parent_process():
        # of one that is no fork the parent is the fork server, which lives as long as this does;
        # but the crawl's death closes a pipe, and SIGIO, which nobody handles, ends a process (on
        # Linux; elsewhere it is ignored)
        with suppress(OSError):
            fcntl.fcntl(crawl.sentinel, fcntl.F_SETOWN, os.getpid())
            flags = fcntl.fcntl(crawl.sentinel, fcntl.F_GETFL)
            fcntl.fcntl(crawl.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    if lexicon:
        use(lexicon)
    gc.freeze()  # what is loaded stays: no collection need look through it
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # pages without text are no error
    # a copy of a running crawl writes the signals it gets into that one's event loop (Python 3.11):
    # when it is ended, the crawl would be
    signal.set_wakeup_fd(-1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
