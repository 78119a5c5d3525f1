"""How far what was read is what a page says."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import mean
from typing import Any, NamedTuple, Self

from benchmarks.extraction.pages import Sample

MIN_TEXT = 200  # characters: what gives less has not taken an index for an article


@dataclass(frozen=True)
class Reading:
    """What an extractor made of a sample: `published` is ISO 8601, with an offset or without;
    `seconds` of CPU time."""

    title: str
    text: str
    authors: Sequence[str]
    published: str | None
    seconds: float = 0.0


class Overlap(NamedTuple):
    """How many words were read, how many were to be read, and how many of them are the same."""

    read: int
    expected: int
    same: int

    @classmethod
    def of(cls, read: Counter[str], expected: Counter[str]) -> Self:
        return cls(read.total(), expected.total(), (read & expected).total())

    @property
    def precision(self) -> float:
        return self.same / self.read if self.read else 0.0

    @property
    def recall(self) -> float:
        return self.same / self.expected if self.expected else 0.0

    @property
    def f1(self) -> float:
        both = self.read + self.expected
        return 2 * self.same / both if both else 0.0


def words(text: str) -> Counter[str]:
    """The words of a text: lower case, NFKC, word characters only."""
    return Counter(re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower()))


def figures(samples: Sequence[Sample], readings: Sequence[Reading | None]) -> dict[str, Any]:
    """Shares from 0 to 1 and milliseconds over the articles; `indexes` counts the other pages that
    were given as articles."""
    pairs = list(zip(samples, readings, strict=True))
    articles = [(s.expected, r or Reading("", "", (), None), s) for s, r in pairs if s.expected]
    overlaps = [Overlap.of(words(r.text), words(e["text"])) for e, r, _ in articles]
    micro = Overlap(*map(sum, zip(*overlaps, strict=True)))
    dates = [(_published(r, s), e["published"]) for e, r, s in articles]
    return {
        "articles": len(articles),
        "precision": micro.precision,
        "recall": micro.recall,
        "f1": micro.f1,
        "mean_f1": mean(o.f1 for o in overlaps),
        "title": _share(_plain(r.title) == _plain(e["title"]) for e, r, _ in articles),
        "date": _share(_same_minute(at, known) for at, known in dates),
        "offset": _share(
            _same_minute(at, known) and at and at.utcoffset() == known.utcoffset()
            for at, known in dates
        ),
        "day": _share(
            at is not None and at.astimezone(known.tzinfo).date() == known.date()
            for at, known in dates
        ),
        "authors": _share(
            set(map(_plain, r.authors)) == set(map(_plain, e["authors"]))
            for e, r, _ in articles
            if "authors" in e
        ),
        "indexes": sum(
            len(r.text) >= MIN_TEXT for s, r in pairs if r is not None and s.expected is None
        ),
        "ms": 1000 * mean(r.seconds for _, r, _ in articles),
    }


def _published(reading: Reading, sample: Sample) -> datetime | None:
    """The date that was read; without an offset it is taken for the outlet's local time."""
    if not reading.published:
        return None
    at = datetime.fromisoformat(reading.published)
    return at if at.tzinfo else at.replace(tzinfo=sample.zone)


def _same_minute(at: datetime | None, known: datetime) -> bool:
    return at is not None and abs(at - known) < timedelta(minutes=1)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _share(right: Iterable[object]) -> float:
    return mean(map(bool, right))
