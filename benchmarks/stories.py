"""How well stories are told apart, and what it costs: python -m benchmarks.stories [--cost N]

Pairwise precision and recall on labelled groups (`stories/groups.jsonl`), kept one by one in a
database as a crawl keeps them; with --cost the time to add one finding when N are stored, against
1,000. `--write` learns from `corpus/whole.jsonl` which words are usual (`extract/data/usual.json`).
"""

import json
import math
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import click
from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import Session

from extract import likeness, opinion
from extract.article import Article, Place, Verdict
from extract.judge import judge
from extract.lexicon import DATA, words
from extract.link import Link
from extract.places import load
from extract.snapshot import Snapshot
from storage import findings, links, models, stories
from storage.database import open_database

HERE = Path(__file__).parent
FEW, ADDED, BATCH = 1_000, 300, 1_000
TABLES = (models.Link, models.Finding, models.FindingPlace, models.Story, models.Mark)
USUAL = 3  # articles of the corpus that have a word from which it is usual


@dataclass(frozen=True)
class Score:
    """Pairs of findings: of one story and put into one (`right`), put into one wrongly (`wrong`),
    of one story and kept apart (`missed`)."""

    half: str
    groups: int
    findings: int
    not_kept: int
    right: int
    wrong: int
    missed: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Cost:
    """Milliseconds to keep one finding, its story and all (`keep`), and to read and compare it
    alone (`story`), when `stored` are stored; `marks` is how many marks a finding has."""

    stored: int
    keep_median: float
    keep_p95: float
    story_median: float
    story_p95: float
    marks: float


def keep(session: Session, number: int, article: Article, verdict: Verdict) -> int:
    """Store it as a crawl does; gives the finding's id."""
    now = article.published or datetime.now(UTC)
    url = f"https://kabar.id/{number}"
    links.record(session, "kabar", [Link(url, url)], now=now, known_before=None, oldest=None)
    snapshot = Snapshot(url, now, None, "0" * 64, b"")
    return findings.keep(session, url, article, verdict, [snapshot], now)[0]


def judged(rows: Sequence[dict[str, str]]) -> Iterator[tuple[dict[str, str], Article, Verdict]]:
    """The labelled articles with their verdicts, by an outlet of the province."""
    for row in rows:
        home = load().named(row["regency"], "regency")
        assert home
        published = datetime.fromisoformat(row["published"])
        article = Article("", row["title"], row["text"], published=published)
        yield row, article, judge(article, province=home.province)


def score(half: str, rows: Sequence[dict[str, str]], home: Path) -> Score:
    """Keep all of them in the order of their publication, and see which came together."""
    engine = open_database(f"sqlite:///{home / half}.db")
    told: list[tuple[str, int | None]] = []
    for number, (row, article, verdict) in enumerate(judged(rows)):
        if verdict.kept:
            with Session(engine) as session, session.begin():
                id_ = keep(session, number, article, verdict)
                told.append((row["group"], session.get_one(models.Finding, id_).story_id))
    engine.dispose()
    pairs = Counter((a[0] == b[0], a[1] == b[1]) for a, b in combinations(told, 2))
    right, wrong, missed = pairs[True, True], pairs[False, True], pairs[True, False]
    precision, recall = right / (right + wrong), right / (right + missed)
    f1 = 2 * precision * recall / (precision + recall)
    groups = len({group for group, _ in told})
    return Score(
        half, groups, len(told), len(rows) - len(told), right, wrong, missed, precision, recall, f1
    )


def invented(
    rows: Sequence[dict[str, str]], start: int, stop: int
) -> Iterator[tuple[int, Article, Verdict]]:
    """Articles of three years and all regencies: the labelled ones with other names in them."""
    regencies = [place for place in load().areas.values() if place.level == "regency"]
    for number in range(start, stop):
        chance = random.Random(number)
        row, place = chance.choice(rows), chance.choice(regencies)
        name = "".join(chance.choice("bdgklmnprst") + chance.choice("aiueo") for _ in range(3))
        said = [
            word if word.islower() or not word.isalpha() or chance.random() < 0.5 else name.title()
            for word in row["text"].split(" ")
        ]
        published = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(
            minutes=chance.randrange(1_500_000)
        )
        article = Article("", row["title"], " ".join(said), published=published)
        where = Place(place.code, place.level, place.name, place.province)
        verdict = Verdict(relevant=True, score=0.9, kind="allegation", places=(where,))
        yield number, article, verdict


def fill(engine: Engine, rows: Sequence[dict[str, str]], start: int, stop: int) -> None:
    """Store invented findings at once, each with its marks and a story of its own."""
    for first in range(start, stop, BATCH):
        found: dict[type[models.Base], list[dict[str, object]]] = {model: [] for model in TABLES}
        for number, article, verdict in invented(rows, first, min(first + BATCH, stop)):
            id_, now, url = number + 1, article.published, f"https://kabar.id/{number}"
            assert now
            found[models.Link].append(
                {"id": id_, "url": url, "address": url, "outlet": "kabar", "state": "found",
                 "discovered": now}
            )  # fmt: skip
            found[models.Finding].append(
                {"id": id_, "link_id": id_, "url": url, "outlet": "kabar", "title": article.title,
                 "text": article.text, "authors": [], "published": now, "found": now,
                 "published_inferred": False, "fetched": now, "tags": [], "paid": False,
                 "kind": verdict.kind, "score": 0.9, "borderline": False, "subjects": [],
                 "evidence": [], "story_id": id_}
            )  # fmt: skip
            found[models.FindingPlace].append(
                {"finding_id": id_, "position": 0, **asdict(verdict.places[0])}
            )
            found[models.Story].append({"id": id_, "first": id_, "begun": now, "latest": now})
            marks = likeness.marks(likeness.read(article, verdict, now))
            found[models.Mark] += [{"mark": mark, "finding_id": id_} for mark in marks]
        with engine.begin() as connection:
            for model, values in found.items():
                connection.execute(insert(model), values)
    if engine.dialect.name == "postgresql":  # it counts only ids of its own giving
        with engine.begin() as connection:
            for table in ("links", "findings", "stories"):
                connection.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {stop})")
                )


def add(engine: Engine, rows: Sequence[dict[str, str]], stored: int, seed: int) -> Cost:
    """Keep ADDED more, each in a transaction that is given up, so that none is left behind."""
    kept, told, marks = [], [], []
    assign = stories.assign

    def timed(*arguments: object) -> int:
        began = time.perf_counter()
        story = assign(*arguments)  # type: ignore[arg-type]
        told.append(time.perf_counter() - began)
        return story

    stories.assign = timed  # type: ignore[assignment]
    try:
        for number, article, verdict in invented(rows, seed, seed + ADDED):
            with Session(engine) as session:
                began = time.perf_counter()
                keep(session, number, article, verdict)
                kept.append(time.perf_counter() - began)
                session.rollback()
            assert article.published
            marks.append(len(likeness.marks(likeness.read(article, verdict, article.published))))
    finally:
        stories.assign = assign

    def at(seconds: list[float], share: int) -> float:
        return 1000 * statistics.quantiles(seconds, n=100)[share - 1]

    return Cost(
        stored, at(kept, 50), at(kept, 95), at(told, 50), at(told, 95), statistics.fmean(marks)
    )


def usual() -> dict[str, float]:
    """What the stems weigh that several findings of the corpus have."""
    lines = (HERE / "corpus" / "whole.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["label"] != "not_relevant"]
    having: Counter[str] = Counter()
    for row in rows:
        having.update({opinion.stem(w.text) for w in words(row["title"] + "\n" + row["text"])})
    return {
        stem: round(math.log(len(rows) / count) / math.log(len(rows)), 2)
        for stem, count in sorted(having.items())
        if count >= USUAL and stem != "#"
    }


@click.command()
@click.option("--cost", type=click.IntRange(min=FEW), help="Measure with so many stored.")
@click.option("--database", help="Address of an empty PostgreSQL database to measure on.")
@click.option("--write", is_flag=True, help="Learn anew which words are usual, and do no more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(cost: int | None, database: str | None, write: bool, as_json: bool) -> None:
    """Scores the stories of the labelled groups; measures what one more finding costs."""
    if write:
        weights = json.dumps(usual(), ensure_ascii=False, indent=0)
        (DATA / "usual.json").write_text(weights + "\n", "utf-8")
        return
    lines = (HERE / "stories" / "groups.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        scores = [
            score(half, [row for row in rows if row["half"] == half], home)
            for half in ("tune", "held-out")
        ]
        if cost:
            engine = open_database(database or f"sqlite:///{home / 'cost.db'}")
            fill(engine, rows, 0, FEW)
            add(engine, rows, FEW, 10_000_000)  # whatever the first calls load
            costs.append(add(engine, rows, FEW, 20_000_000))
            fill(engine, rows, FEW, cost)
            costs.append(add(engine, rows, cost, 20_000_000))
            engine.dispose()
    if as_json:
        click.echo(json.dumps({"scores": [*map(asdict, scores)], "costs": [*map(asdict, costs)]}))
        return
    for s in scores:
        click.echo(
            f"{s.half:9} {s.groups} stories, {s.findings} findings ({s.not_kept} articles none):"
            f" precision {s.precision:.3f}, recall {s.recall:.3f}, F1 {s.f1:.3f}"
            f" ({s.right} pairs right, {s.wrong} wrong, {s.missed} missed)"
        )
    for c in costs:
        click.echo(
            f"{c.stored:9,} stored: keeping one {c.keep_median:.1f} ms (p95 {c.keep_p95:.1f}), its"
            f" story {c.story_median:.1f} ms (p95 {c.story_p95:.1f}), {c.marks:.0f} marks"
        )


if __name__ == "__main__":
    main()
