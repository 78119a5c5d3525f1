"""What a link, a finding and a crawl take in the database: python -m benchmarks.sizes [--json]

Filled by Pantau's own code: links as a crawl lists and settles them, with addresses as long as
those of the press, and findings as in `benchmarks.storing`: articles of some 2,000 characters with
evidence, places and a snapshot of a page of 95 KB; of three one is a copy of one before or tells
much the same. Bytes are those of the tables with all their indexes, on PostgreSQL after VACUUM.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

import click
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from benchmarks.storing import NOW, databases, prepare
from extract.link import Link
from storage import crawls, links
from storage.crawls import Counts
from storage.database import open_database, reading
from storage.links import Outcome
from storage.models import State

OUTLETS = 400
WORDS = ("camat", "lurah", "kades", "bupati", "netral", "pilkada", "bawaslu", "sanksi", "warga")
OF_POSTGRESQL = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
OF_SQLITE = """
SELECT coalesce(s.tbl_name, d.name), sum(d.pgsize) FROM dbstat AS d
LEFT JOIN sqlite_schema AS s ON s.name = d.name GROUP BY 1
"""
FEW = {"channels", "rules", "alembic_version"}  # so many rows as there are people
PARTS = {"findings_words": "findings", "finding_places": "findings", "owed": "findings"}


def sizes(engine: Engine) -> Counter[str]:
    """The bytes of each table, with its indexes; on SQLite with those of the search."""
    server = engine.dialect.name == "postgresql"
    if server:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
    found: Counter[str] = Counter()
    with reading(engine) as session:
        for name, size in session.execute(text(OF_POSTGRESQL if server else OF_SQLITE)):
            whole = "findings_words" if name.startswith("findings_words") else name
            found[PARTS.get(whole, whole)] += size
    return found


def addresses(count: int) -> Iterator[tuple[str, Link]]:
    """Outlets, and the addresses of their articles: 90 characters on average."""
    chance = random.Random(1)
    for n in range(count):
        name = f"outlet-{n % OUTLETS}"
        slug = "-".join(chance.choices(WORDS, k=8))
        url = f"https://www.{name}.co.id/daerah/2026/11/{n % 28 + 1:02}/{n}/{slug}"
        yield name, Link(url, url, published=NOW)


def list_and_settle(engine: Engine, count: int) -> None:
    """As a crawl does with what is no finding."""
    rows = iter(sorted(addresses(count), key=lambda pair: pair[0]))
    while batch := [*islice(rows, 100)]:
        with Session(engine) as session, session.begin():
            for name in {name for name, _ in batch}:
                listed = [link for of, link in batch if of == name]
                links.record(session, name, listed, now=NOW, known_before=None, oldest=None)
            outcomes = [Outcome(link.url, State.GATED) for _, link in batch]
            links.settle(session, outcomes, NOW)


def crawl(engine: Engine, count: int) -> None:
    """Note so many crawls."""
    with Session(engine) as session, session.begin():
        for n in range(count):
            id_ = crawls.begin(session, f"20261101T{n // OUTLETS:06}", f"outlet-{n % OUTLETS}", NOW)
            gave = Counts(links=40, new=20, fetched=20, gated=18, findings=1,
                          dropped={"of another site": 3})  # fmt: skip
            crawls.finish(session, id_, gave, NOW + timedelta(minutes=1))


@click.command()
@click.option("--links", "many", default=20_000, show_default=True)
@click.option("--findings", "found", default=2_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(many: int, found: int, as_json: bool) -> None:
    """Measures what rows take in the database."""
    told: dict[str, dict[str, float]] = {}
    with databases(None) as (_, urls):
        for name, url in urls.items():
            engine = open_database(url)
            empty = sizes(engine)
            list_and_settle(engine, many)
            listed = sizes(engine)
            crawl(engine, many)
            crawled = sizes(engine)
            prepare(engine, found)
            stored = sizes(engine)
            engine.dispose()
            # a finding's link is a link like others
            of_findings = {
                f"a finding: {table}": (stored[table] - crawled[table]) / found
                for table in stored
                if stored[table] > crawled[table] and table not in {"links", *FEW}
            }
            told[name] = {
                "a link": (listed["links"] - empty["links"]) / many,
                "a crawl": (crawled["crawls"] - listed["crawls"]) / many,
                **of_findings,
                "a finding": sum(of_findings.values()),
            }
    if as_json:
        click.echo(json.dumps(told))
        return
    table = Table("bytes", *told, box=box.SIMPLE)
    for row in dict.fromkeys(row for columns in told.values() for row in columns):
        table.add_row(row, *(f"{columns.get(row, 0):,.0f}" for columns in told.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
