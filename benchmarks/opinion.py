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
from extract.article import Article, Verdict
from extract.judge import judge, rule_kind, weigh
from extract.lexicon import DATA, default
from extract.sentences import Sentence, sentences

CORPUS = Path(__file__).with_name("corpus")
FOLDS = 10
RARE = 2  # a trait must be in so many articles
FAINT = 0.03  # weights below it are left out
RULE = 0.5  # the score from which a rule alone would make a finding
# inverse of the regularisation
STRENGTH, WHOLE_STRENGTH, KIND_STRENGTH, DOUBT_STRENGTH = 0.3, 1.0, 0.3, 0.1


@dataclass(frozen=True)
class Sample:
    """A labelled article, read once; `file` is the name of the file it is from."""

    file: str
    row: dict[str, Any]
    article: Article
    sentences: list[Sentence]

    @property
    def label(self) -> str:
        return str(self.row["label"])

    @property
    def relevant(self) -> bool:
        return self.label == "relevant"

    @property
    def whole(self) -> bool:
        return "text" in self.row

    def group(self, by: str) -> str:
        host = urlsplit(self.row.get("url") or "").hostname
        return str((by == "cluster" and self.row.get("cluster")) or host or self.row.get("cluster"))


def read(files: Iterable[Path]) -> list[Sample]:
    """The labelled articles of some files."""
    lexicon, found = default(), []
    for file in files:
        for row in map(json.loads, file.read_text("utf-8").splitlines()):
            text = row.get("text") or row.get("lead") or ""
            article = Article(row.get("url") or "", row.get("title") or "", text)
            said = sentences(article, lexicon)
            weigh(said, lexicon)
            found.append(Sample(file.name, row, article, said))
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
            if half and (not sample.relevant or best >= RULE):
                yield replace(sample, sentences=half)


def fit(samples: Sequence[Sample]) -> opinion.Model:
    """The model that these articles teach: titles with a lead teach what words mean, whole articles
    what their parts are worth, relevant and borderline ones the kinds and the doubt."""
    clear = [s for s in samples if s.label != "borderline"]
    short = [s for s in clear if not s.whole]
    short = [*short, *halves(short)]
    (bias,), weights = regress(
        [opinion.together(s.sentences).union(*map(opinion.said, s.sentences)) for s in short],
        [s.relevant for s in short],
        STRENGTH,
    )
    words = {trait: weight for trait, (weight,) in weights.items()}
    first = opinion.Model(bias, words, {}, (), (), {}, 0.0, {})
    long = [s for s in clear if s.whole]
    (start,), parts = regress(
        [opinion.read(s.sentences, first)[0] for s in long],
        [s.relevant for s in long],
        WHOLE_STRENGTH,
    )
    near = [s for s in samples if s.label != "not_relevant"]
    manners = [manner(s, first) for s in near]
    (doubt_bias,), doubt = regress(manners, [not s.relevant for s in near], DOUBT_STRENGTH)
    found = [(s, m) for s, m in zip(near, manners, strict=True) if s.relevant]
    kind_bias, kind_weights = regress(
        [m for _, m in found], [s.row["kind"] for s, _ in found], KIND_STRENGTH, weight=None
    )
    return opinion.Model(
        bias=bias,
        weights=words,
        article={"bias": start} | {part: weight for part, (weight,) in parts.items()},
        kinds=tuple(sorted({s.row["kind"] for s, _ in found})),
        kind_bias=kind_bias,
        kind_weights=kind_weights,
        doubt_bias=doubt_bias,
        doubt={trait: weight for trait, (weight,) in doubt.items()},
    )


def manner(sample: Sample, model: opinion.Model) -> set[str]:
    _, telling = opinion.read(sample.sentences, model)
    return opinion.manner(telling, rule_kind(telling, default()))


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


def crossvalidate(samples: Sequence[Sample], by: str) -> list[Verdict]:
    """The verdict on every article, with models that saw none of its group."""
    fold = [zlib.crc32(s.group(by).encode()) % FOLDS for s in samples]
    verdicts: dict[int, Verdict] = {}
    for held_out in range(FOLDS):
        model = fit([s for s, f in zip(samples, fold, strict=True) if f != held_out])
        verdicts |= {
            n: judge(s.article, model=model) for n, s in enumerate(samples) if fold[n] == held_out
        }
    return [verdicts[n] for n in range(len(samples))]


def figures(samples: Sequence[Sample], verdicts: Sequence[Verdict]) -> dict[str, Share]:
    """How well articles are judged, with what the rules alone would have said beside it."""
    rules = [max((x.score for x in s.sentences), default=0.0) >= RULE for s in samples]
    clear = [
        (s, v, rule)
        for s, v, rule in zip(samples, verdicts, rules, strict=True)
        if s.label != "borderline"
    ]
    silent = [
        v.relevant
        for s, v, _ in clear
        if s.relevant and "netral" not in f"{s.article.title} {s.article.text}".lower()
    ]
    found = [(s, v) for s, v, _ in clear if s.relevant and v.relevant]
    doubtful = [v for s, v in zip(samples, verdicts, strict=True) if s.label == "borderline"]
    return {
        "recall": Share.of(v.relevant for s, v, _ in clear if s.relevant),
        "precision": Share.of(s.relevant for s, v, _ in clear if v.relevant),
        'recall, never says "netral"': Share.of(silent),
        "recall, rules alone": Share.of(rule for s, _, rule in clear if s.relevant),
        "precision, rules alone": Share.of(s.relevant for s, _, rule in clear if rule),
        "kind right": Share.of(s.row["kind"] == v.kind for s, v in found),
        "subject among those named": Share.of(s.row["subjects"][0] in v.subjects for s, v in found),
        "relevant but marked borderline": Share.of(v.borderline for _, v in found),
        "borderline, marked so or not kept": Share.of(v.borderline or not v.kept for v in doubtful),
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
        model = json.dumps(asdict(fit(samples)), indent=0, ensure_ascii=False)
        path.write_text(model + "\n", "utf-8")
        click.echo(f"{path}: {path.stat().st_size // 1000} KB")
        return
    verdicts = crossvalidate(samples, by)
    table = Table(title=f"{len(samples)} articles, every {by} held out in turn")
    for heading in ("", "figure", "value, 95 % interval, count"):
        table.add_column(heading)
    for file in files:
        some = [n for n, s in enumerate(samples) if s.file == file.name]
        shares = figures([samples[n] for n in some], [verdicts[n] for n in some])
        for label, share in shares.items():
            if share.total:
                table.add_row(file.name, label, str(share))
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()
