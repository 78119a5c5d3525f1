"""pantau worker, pantau workers"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import click
from rich.table import Table
from rich.text import Text

from cli.inputs import InputError, catalogue, json_option
from cli.output import mention, print_json, stdout

if TYPE_CHECKING:
    from storage.queue import WorkerInfo

SHOWN = 8  # outlets of one worker


@click.command()
@click.option(
    "--outlets",
    type=click.IntRange(min=1, max=1000),
    metavar="N",
    help="Crawl so many outlets at a time; by default eight for each core.",
)
@click.option("--burst", is_flag=True, help="End when the queue is empty.")
def worker(outlets: int | None, burst: bool) -> None:
    """Take outlets from the queue and crawl them, until stopped (Ctrl-C): those under way are then
    ended cleanly; with a second Ctrl-C, at once. PANTAU_QUEUE=true fills the queue.

    Example: pantau worker --outlets 16
    """
    import settings
    from scheduler.worker import work
    from storage.database import open_database

    refuse_half_shared()
    catalogue()  # so that a mistake in it is said now, and not by every unit
    open_database(settings.load().database).dispose()
    mention("Waiting for outlets. Ctrl-C ends it cleanly.")
    work(outlets or 0, burst=burst)


@click.command()
@json_option
def workers(as_json: bool) -> None:
    """Show the workers, which outlets they are at, and how much waits.

    Example: pantau workers
    """
    from redis.exceptions import RedisError

    import settings
    from storage.queue import QUEUES, Work, look
    from storage.valkey import running_redis

    current = settings.load()
    try:
        with running_redis(current.redis_url, current.home) as redis:
            work = look(redis)
    except (RedisError, ValueError) as error:
        if current.redis_url:
            raise InputError(f"PANTAU_REDIS_URL cannot be used ({error}).") from None
        work = Work((), dict.fromkeys(QUEUES, 0))  # the private one runs only while something does
    if as_json:
        print_json(work)
        return
    if not work.workers:
        stdout().print("There are no workers; `pantau worker` starts one.")
    else:
        table = Table("Worker", "State", "At", "Done", "Failed", "Heard of")
        for one in work.workers:
            table.add_row(one.name, one.state, Text(_doing(one)), str(one.done), str(one.failed),
                          _ago(one.heard))  # fmt: skip
        stdout().print(table)
    waiting = ", ".join(f"{count} {name}" for name, count in work.waiting.items())
    stdout().print(f"Waiting: {waiting}.")


def refuse_half_shared() -> None:
    """Refuse a queue on other machines with a database on this one, and the other way round."""
    import settings

    current = settings.load()
    database, redis = _is_elsewhere(current.database), _is_elsewhere(current.redis_url or "")
    if database != redis:
        missing = "PANTAU_DATABASE_URL" if redis else "PANTAU_REDIS_URL"
        raise InputError(
            f"The queue needs one database and one Redis for all machines: {missing} names none "
            "that they share."
        )


def _is_elsewhere(url: str) -> bool:
    parts = urlsplit(url)
    # PostgreSQL's may be a parameter, with its port, or the folder of a socket
    named = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    host = named.partition(":")[0]  # of “::1” nothing is left
    return host not in ("", "localhost") and not host.startswith(("127.", "/"))


def _doing(one: "WorkerInfo") -> str:
    names = [f"{doing.outlet} ({_ago(doing.since)})" for doing in one.doing[:SHOWN]]
    more = len(one.doing) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "") or f"{one.places} places free"


def _ago(moment: datetime) -> str:
    return f"{timedelta(seconds=max(0, round((datetime.now(UTC) - moment).total_seconds())))}"
