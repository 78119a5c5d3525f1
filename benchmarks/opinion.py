"""Trains the learned second opinion and says what it is worth on articles it was not trained on.

    python -m benchmarks.opinion [FILE…] [--by cluster|outlet] [--write]

FILEs are labelled articles as JSON lines (see benchmarks/corpus/README.md); without any, all of
benchmarks/corpus. Whole clusters (one event, told by several outlets) or whole outlets are held out
in turn. --write trains on all and replaces extract/data/opinion.json.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.judgement import Share
from extract import opinion
from extract.article import Article
from extract.judge import rule_kind, weigh
from extract.lexicon import DATA, default
from extract.sentences import Sentence, sentences

CORPUS = Path(__file__).with_name("corpus")
FOLDS = 10
RARE = 2  # a trait must be in so many articles
FAINT = 0.03  # weights below it are left out
STRENGTH, KIND_STRENGTH, WHOLE_STRENGTH = 0.3, 0.3, 1.0  # inverse of the regularisation


@dataclass(frozen=True)
class Sample:
    """A labelled article, read once; `file` is the name of the file it is from."""

    file: str
    row: dict[str, Any]
    sentences: list[Sentence]
    traits: set[str]

    @property
    def relevant(self) -> bool:
        return bool(self.row["label"] == "relevant")

    @property
    def whole(self) -> bool:
        return "text" in self.row

    def group(self, by: str) -> str:
        host = urlsplit(self.row.get("url") or "").hostname
        return str((by == "cluster" and self.row.get("cluster")) or host or self.row.get("cluster"))


def read(files: Iterable[Path]) -> list[Sample]:
    """The labelled articles of some files, without the borderline ones."""
    lexicon, found = default(), []
    for file, line in ((f, line) for f in files for line in f.read_text("utf-8").splitlines()):
        if (row := json.loads(line))["label"] != "borderline":
            text = row.get("text") or row.get("lead") or ""
            said = sentences(Article("", row.get("title") or "", text), lexicon)
            weigh(said, lexicon)
            found.append(
                Sample(file.name, row, said, opinion.traits(said, [opinion.said(s) for s in said]))
            )
    return found


def halves(samples: Sequence[Sample]) -> Iterator[Sample]:
    """The titles and the leads on their own: all of those that are no findings, and what a rule
    knows for one by itself. Half of an article must be judged as well, and short ones."""
    lexicon = default()
    for sample in samples:
        for where in ("title", "text"):
            half = [replace(s, score=0.0) for s in sample.sentences if s.where == where]
            weigh(half, lexicon)
            best = max((s.score for s in half), default=0.0)
            if half and (not sample.relevant or best >= lexicon.threshold):
                said = [opinion.said(s) for s in half]
                yield Sample(sample.file, sample.row, half, opinion.traits(half, said))


def fit(samples: Sequence[Sample]) -> opinion.Model:
    """The model that these articles teach: titles with a lead teach what words mean, whole articles
    what their parts are worth."""
    short = [s for s in samples if not s.whole]
    short = [*short, *halves(short)]
    (bias,), weights = regress([s.traits for s in short], [s.relevant for s in short], STRENGTH)
    first = opinion.Model(bias, {t: w for t, (w,) in weights.items()}, {}, (), (), {})
    long = [s for s in samples if s.whole]
    (start,), parts = regress(
        [opinion.read(s.sentences, first)[0] for s in long],
        [s.relevant for s in long],
        WHOLE_STRENGTH,
    )
    found = [s for s in samples if s.relevant]
    kind_bias, kind_weights = regress(
        [kind_traits(s, first) for s in found],
        [s.row["kind"] for s in found],
        KIND_STRENGTH,
        weight=None,
    )
    return opinion.Model(
        bias=bias,
        weights=first.weights,
        article={"bias": start} | {part: weight for part, (weight,) in parts.items()},
        kinds=tuple(sorted({s.row["kind"] for s in found})),
        kind_bias=kind_bias,
        kind_weights=kind_weights,
    )


def kind_traits(sample: Sample, model: opinion.Model) -> set[str]:
    _, telling = opinion.read(sample.sentences, model)
    return opinion.kind_traits(telling, rule_kind(telling, default()))


def regress(
    rows: Sequence[set[str] | dict[str, float]],
    wanted: Sequence[Any],
    strength: float,
    weight: str | None = "balanced",
) -> tuple[tuple[float, ...], dict[str, tuple[float, ...]]]:
    """The bias of each class and, by trait, its weight for each."""
    often = Counter(trait for row in rows for trait in row)
    vectors = DictVectorizer()
    matrix = vectors.fit_transform(
        [
            {t: row[t] if isinstance(row, dict) else 1.0 for t in row if often[t] >= RARE}
            for row in rows
        ]
    )
    model = LogisticRegression(C=strength, max_iter=5_000, class_weight=weight)
    model.fit(matrix, np.array(wanted))
    names, columns = vectors.get_feature_names_out(), model.coef_.T.round(3)
    return tuple(model.intercept_.round(3).tolist()), {
        name: tuple(column.tolist())
        for name, column in zip(names, columns, strict=True)
        if np.abs(column).max() >= FAINT
    }


def crossvalidate(samples: Sequence[Sample], by: str) -> list[tuple[float, str]]:
    """The score and the kind of every article, from models that saw none of its group."""
    fold = [zlib.crc32(s.group(by).encode()) % FOLDS for s in samples]
    found = [(0.0, "")] * len(samples)
    for held_out in range(FOLDS):
        model = fit([s for s, f in zip(samples, fold, strict=True) if f != held_out])
        for n, sample in enumerate(samples):
            if fold[n] == held_out:
                told = opinion.opinion(sample.sentences, model)
                ruled = rule_kind(told.telling, default())
                found[n] = told.score, opinion.kind(told.telling, ruled, model)
    return found


def figures(samples: Sequence[Sample], told: Sequence[tuple[float, str]]) -> dict[str, Share]:
    """Recall, precision and kind, with what the rules alone would have said beside them."""
    threshold = default().threshold
    said = [score >= threshold for score, _ in told]
    rules = [max((x.score for x in s.sentences), default=0.0) >= threshold for s in samples]
    true = [s.relevant for s in samples]
    silent = [
        t and not any("netral" in w.text for x in s.sentences for w in x.words)
        for s, t in zip(samples, true, strict=True)
    ]

    def share(wanted: Sequence[bool], among: Sequence[bool]) -> Share:
        return Share(sum(w and a for w, a in zip(wanted, among, strict=True)), sum(among))

    right = [kind == s.row["kind"] for s, (_, kind) in zip(samples, told, strict=True)]
    return {
        "recall": share(said, true),
        "precision": share(true, said),
        'recall, never says "netral"': share(said, silent),
        "recall, rules alone": share(rules, true),
        "precision, rules alone": share(true, rules),
        "kind right": share(right, [s and t for s, t in zip(said, true, strict=True)]),
    }


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", type=click.Choice(["cluster", "outlet"]), default="cluster")
@click.option("--write", is_flag=True, help="Train on all and replace extract/data/opinion.json.")
def main(files: tuple[Path, ...], by: str, write: bool) -> None:
    """Cross-validates the second opinion, or trains it."""
    files = files or tuple(sorted(CORPUS.glob("*.jsonl")))
    samples = read(files)
    if write:
        path = DATA / "opinion.json"
        path.write_text(json.dumps(asdict(fit(samples)), indent=0, ensure_ascii=False) + "\n")
        click.echo(f"{path.relative_to(Path.cwd())}: {path.stat().st_size // 1000} KB")
        return
    told = crossvalidate(samples, by)
    table = Table(title=f"{len(samples)} articles, every {by} held out in turn")
    for heading in ("", "figure", "value, 95 % interval, count"):
        table.add_column(heading)
    for file in files:
        some = [n for n, s in enumerate(samples) if s.file == file.name]
        shares = figures([samples[n] for n in some], [told[n] for n in some])
        for label, share in shares.items():
            table.add_row(file.name, label, str(share))
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()
