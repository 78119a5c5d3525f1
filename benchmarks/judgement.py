"""How well articles are judged: python -m benchmarks.judgement [FILE] [--json]

FILE holds labelled articles as JSON lines (url, title, lead or text, label, kind, subject,
province, regency; all after the label may be missing), as `pantau export --labels` writes them;
without it ../shared/relevance/dev.jsonl is read. Borderline ones are left out. An outlet's own
province and regency come from outlets.csv beside the file's folder, where it exists.
"""

import csv
import json
import math
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table

from extract.article import Article, Verdict
from extract.gate import passes
from extract.judge import judge

SHARED = Path(__file__).parents[2] / "shared"


@dataclass(frozen=True)
class Share:
    """So many `hits` out of `total`, with the 95 % Wilson interval."""

    hits: int
    total: int

    @classmethod
    def of(cls, said: Iterable[bool]) -> "Share":
        """The share of those that are true."""
        all_ = [*said]
        return cls(sum(all_), len(all_))

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        if not self.total:
            return math.nan, math.nan
        z, n, p = 1.96, self.total, self.value
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return centre - half, centre + half

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3f}  [{low:.3f}, {high:.3f}]  {self.hits}/{self.total}"


def outlets(path: Path) -> dict[str, tuple[str | None, str | None]]:
    """The outlets' own province and regency, by domain."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["domain"]: (row["province"] or None, row["regency"] or None)
            for row in csv.DictReader(file)
        }


def place_right(wanted: str, verdict: Verdict) -> bool:
    """Whether the first place is the regency `wanted` ("Bima", "Bima (kota)")."""
    if not verdict.places or verdict.places[0].level != "regency":
        return False
    name = verdict.places[0].name
    if wanted.endswith(" (kota)"):
        return name == "Kota " + wanted.removesuffix(" (kota)")
    bare = name.removeprefix("Kabupaten ").removeprefix("Kota Administrasi ").removeprefix("Kota ")
    return bare.replace(" ", "").lower() == wanted.replace(" ", "").lower()


def measure(rows: list[dict[str, Any]], home: dict[str, tuple[str | None, str | None]]) -> Any:
    """All figures: a dict of name to Share, and the milliseconds an article took."""
    verdicts, passed, spent = [], [], 0.0
    texts = [
        f"{row.get('title') or ''}\n{row.get('text') or row.get('lead') or ''}" for row in rows
    ]
    for row, text in zip(rows, texts, strict=True):
        domain = (urlsplit(row["url"]).hostname or "").removeprefix("www.")
        province, regency = home.get(domain, (None, None))
        article = Article(row["url"], row.get("title") or "", row.get("text") or row["lead"])
        start = time.perf_counter()
        verdicts.append(judge(article, province=province, regency=regency))
        spent += time.perf_counter() - start
        passed.append(passes(text.encode()))

    true = [row["label"] == "relevant" for row in rows]
    lower = [text.lower() for text in texts]
    contenders = {
        "pantau": [v.relevant for v in verdicts],
        'search "netralitas ASN"': ["netralitas asn" in t for t in lower],
        'search "netral*" + (ASN or PNS)': [
            "netral" in t and re.search(r"\b(asn|pns)\b", t) is not None for t in lower
        ],
    }
    silent = [is_true and "netral" not in t for is_true, t in zip(true, lower, strict=True)]

    def share(wanted: list[bool], among: list[bool]) -> Share:
        return Share(sum(w and a for w, a in zip(wanted, among, strict=True)), sum(among))

    figures = {
        name: {
            "recall": share(said, true),
            "precision": share(true, said),
            'recall, never says "netral"': share(said, silent),
        }
        for name, said in contenders.items()
    }
    found = [
        (r, v)
        for r, v in zip(rows, verdicts, strict=True)
        if v.relevant and r["label"] == "relevant"
    ]
    kinds = [(r["kind"], v.kind) for r, v in found if r.get("kind")]
    subjects = [(r["subject"], v.subjects) for r, v in found if r.get("subject")]
    placed = [(r, v) for r, v in found if r.get("province")]
    narrow = [(r, v) for r, v in found if r.get("regency")]
    figures["pantau"] |= {
        "kind right": Share.of(wanted == kind for wanted, kind in kinds),
        "subject among those named": Share(sum(s in all_ for s, all_ in subjects), len(subjects)),
        "subject first": Share(sum(s == all_[0] for s, all_ in subjects), len(subjects)),
        "province right": Share(
            sum(bool(v.places) and v.places[0].province == r["province"] for r, v in placed),
            len(placed),
        ),
        "regency right": Share(sum(place_right(r["regency"], v) for r, v in narrow), len(narrow)),
        "gate passes relevant": share(passed, true),
        "gate passes the rest": share(passed, [not t for t in true]),
    }
    return figures, 1000 * spent / len(rows)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=SHARED / "relevance/dev.jsonl")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(file: Path, as_json: bool) -> None:
    """Measures the judgement on labelled articles."""
    if not file.exists():
        raise click.UsageError(f"{file} does not exist: name a file of labelled articles.")
    with file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if row["label"] != "borderline"]
    if not rows:
        raise click.UsageError(f"{file} holds no labelled articles.")
    figures, milliseconds = measure(rows, outlets(file.resolve().parent.parent / "outlets.csv"))
    if as_json:
        shares = {
            name: {
                label: {"value": s.value, "interval": s.interval, "hits": s.hits, "total": s.total}
                for label, s in part.items()
            }
            for name, part in figures.items()
        }
        click.echo(json.dumps({"articles": len(rows), "ms": milliseconds, "figures": shares}))
        return
    table = Table(title=f"{len(rows)} articles, {milliseconds:.2f} ms each to judge")
    for heading in ("", "figure", "value, 95 % interval, count"):
        table.add_column(heading)
    for name, part in figures.items():
        for label, share in part.items():
            table.add_row(name, label, str(share))
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()
