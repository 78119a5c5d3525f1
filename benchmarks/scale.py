"""What so many outlets need: python -m benchmarks.scale --outlets 5000 --articles 20 [--json]

The model of docs/scaling.md: arithmetic over what the other benchmarks measured (each figure says
which), and over assumptions, which are the options. Prices are assumptions, too: put in your own.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import click
from rich import box
from rich.console import Console
from rich.table import Table

MB, GB, MONTH = 1e6, 1e9, 365 / 12

# measured on two virtual cores that others kept busy: see benchmarks/README.md
REQUESTS = 2  # of an outlet with nothing new: robots.txt and its feed (daily)
ANSWERS = 500  # bytes of the two (daily)
PAGE = 12_000  # bytes of an article's page of 95 KB, gzipped (daily)
UNIT_CPU = 0.25  # seconds: a unit's process, but for its articles (docs/scaling.md, replay)
PAGE_CPU = 0.009  # seconds an article: fetched, scanned, 5 % of them read and judged (daily)
FINDING_CPU = 0.002  # seconds to store one, in batches (storing)
UNIT_DATABASE_CPU = 0.018  # seconds of PostgreSQL's for a unit, and of Redis' (replay)
UNIT_REDIS_CPU = 0.005
UNIT_COMMANDS, UNIT_TRANSACTIONS = 165, 33  # of Redis, of PostgreSQL (replay)
WORKER, PLACE = 230 * MB, 80 * MB  # memory of a worker, and for each outlet it is at (operating.md)
# bytes (seen); beyond 512 in each of the 65,536 sets, unless set-max-intset-entries is raised
URL_IN_REDIS, MANY_URLS, URL_BEYOND = 13.0, 512 * 65_536, 39.0
UNIT_IN_REDIS = 1_200  # bytes, while it waits (replay)
LINK_ROW, CRAWL_ROW, FINDING_ROW = 930, 310, 31_000  # bytes in PostgreSQL, indexes and all (sizes)


def seconds_of_crawl(articles: float, answer: float, delay: float = 1.0) -> float:
    """How long a crawl takes at polite speed: the delay begins with the end of an answer, and is as
    long as the answer took where that is longer."""
    return (REQUESTS + articles) * (answer + max(delay, answer))


@dataclass(frozen=True)
class Need:
    """What a day takes, unless it says otherwise: `requests`, bytes over the network (`received`);
    `places` are the outlets to be crawled at a time so that it is over in time, `database` is the
    share of a core; memory and sizes in bytes, `cost` a month."""

    outlets: int
    requests: float
    received: float
    findings: float
    cpu_hours: float
    places: int
    memory: float
    database: float
    connections: float
    commands_a_second: float
    transactions_a_second: float
    redis: float
    rows_a_year: float
    bytes_a_year: float
    cost: float


@dataclass(frozen=True)
class Assumed:
    """What is assumed of the outlets, of the deployment and of prices."""

    articles: float
    relevant: float
    answer: float
    delay: float
    hours: float
    core_hour: float
    memory_month: float
    disk_month: float
    traffic: float


def need(outlets: int, assumed: Assumed) -> Need:
    """What `outlets` need."""
    a = assumed
    articles = outlets * a.articles
    findings = articles * a.relevant
    one = seconds_of_crawl(a.articles, a.answer, a.delay)
    seconds = a.hours * 3600
    places = math.ceil(outlets * one / seconds)
    cpu = outlets * UNIT_CPU + articles * PAGE_CPU + findings * FINDING_CPU
    beside = outlets * (UNIT_DATABASE_CPU + UNIT_REDIS_CPU) + findings * FINDING_CPU
    memory = places * PLACE + -(-places // 8) * WORKER
    received = outlets * ANSWERS + articles * PAGE
    rows = 365 * (articles + outlets + findings)
    size = 365 * (articles * LINK_ROW + outlets * CRAWL_ROW + findings * FINDING_ROW)
    urls = 365 * articles
    redis = urls * (URL_IN_REDIS if urls < MANY_URLS else URL_BEYOND) + outlets * UNIT_IN_REDIS
    cost = (
        (cpu + beside) / 3600 * MONTH * a.core_hour
        + (memory * a.hours / 24 + redis) / GB * a.memory_month
        + size / GB * a.disk_month
        + received * MONTH / GB * a.traffic
    )
    return Need(
        outlets=outlets,
        requests=outlets * REQUESTS + articles,
        received=received,
        findings=findings,
        cpu_hours=(cpu + beside) / 3600,
        places=places,
        memory=memory,
        database=beside / seconds,
        connections=2 * places,
        commands_a_second=outlets * UNIT_COMMANDS / seconds,
        transactions_a_second=outlets * UNIT_TRANSACTIONS / seconds,
        redis=redis,
        rows_a_year=rows,
        bytes_a_year=size,
        cost=cost,
    )


ROWS = (
    ("requests a day", "requests", 1, ",.0f"),
    ("received a day, GB", "received", GB, ",.1f"),
    ("findings a day", "findings", 1, ",.0f"),
    ("CPU a day, core-hours", "cpu_hours", 1, ",.2f"),
    ("outlets at a time", "places", 1, ",.0f"),
    ("memory of the workers, GB", "memory", GB, ",.1f"),
    ("database and Redis, cores", "database", 1, ",.2f"),
    ("connections to PostgreSQL", "connections", 1, ",.0f"),
    ("commands of Redis a second", "commands_a_second", 1, ",.0f"),
    ("transactions a second", "transactions_a_second", 1, ",.0f"),
    ("Redis after a year, MB", "redis", MB, ",.0f"),
    ("rows a year, millions", "rows_a_year", 1e6, ",.1f"),
    ("database a year, GB", "bytes_a_year", GB, ",.0f"),
    ("cost a month, after a year", "cost", 1, ",.0f"),
)


@click.command()
@click.option(
    "--outlets", "many", multiple=True, type=click.IntRange(min=1), metavar="N",
    default=(400, 5_000, 50_000), show_default=True, help="How many; repeatable.",
)  # fmt: skip
@click.option("--articles", default=20.0, show_default=True, help="New ones of an outlet a day.")
@click.option("--relevant", default=0.01, show_default=True, help="The share of them.")
@click.option("--answer", default=0.8, show_default=True, help="Seconds an outlet takes to answer.")
@click.option("--delay", default=1.0, show_default=True, help="Seconds between two requests.")
@click.option("--hours", default=3.0, show_default=True, help="In which a day's crawl is to end.")
@click.option("--core-hour", default=0.04, show_default=True, help="Price of an hour of a core.")
@click.option("--memory-month", default=3.0, show_default=True, help="Of a GB of memory a month.")
@click.option("--disk-month", default=0.10, show_default=True, help="Of a GB of disk a month.")
@click.option("--traffic", default=0.01, show_default=True, help="Of a GB received.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(many: Sequence[int], as_json: bool, **assumed: float) -> None:
    """Says what so many outlets need."""
    given = Assumed(**{field.name: assumed[field.name] for field in fields(Assumed)})
    needs = [need(outlets, given) for outlets in many]
    if as_json:
        click.echo(json.dumps({"assumed": asdict(given), "needs": [*map(asdict, needs)]}))
        return
    table = Table("outlets", box=box.SIMPLE)
    for one in needs:
        table.add_column(f"{one.outlets:,}", justify="right")
    for says, name, unit, form in ROWS:
        table.add_row(says, *(format(getattr(one, name) / unit, form) for one in needs))
    Console().print(table)


if __name__ == "__main__":
    main()
