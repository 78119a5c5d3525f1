"""The learned second opinion: how much an article's words and clues speak for a finding.

A small linear model, as data (`data/opinion.json`): every trait of a text has a weight, learned
from labelled articles by `python -m benchmarks.opinion --write`. Traits are words and pairs of
words, cut to their stems, and what the lexicon's rules saw; so an operator's new phrases count
here too, and every verdict can be traced to the traits that made it.
"""

import json
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations, pairwise
from statistics import fmean

from extract.lexicon import DATA
from extract.sentences import Sentence

HEAD = 2  # sentences of the text that are read together with the title
STRONGEST = 5  # windows of a long article: what fewer of them say was said in passing
LONG = 12  # sentences of the text from which an article is judged by all its parts alike
LEVELS = (0.3, 0.5, 0.6, 0.7, 0.8)  # of a rule's score
DOUBTFUL = 0.6  # probability from which a finding is taken for a borderline case
LIKELY = 12.0  # log-odds beyond which nothing becomes surer

_AFTER = (("nya", "lah", "kah"), ("kan", "an", "i"))
_BEFORE = (
    *("memper", "diper", "meng", "meny", "mem", "men", "peng", "peny", "pem", "pen"),
    *("ber", "ter", "per", "me", "di", "pe", "se", "ke"),
)


@dataclass(frozen=True)
class Model:
    """`weights` are log-odds by trait, `bias` those of a text without any. `article` says how a
    whole article's odds come from its parts; the others are of each kind, and of doubt."""

    bias: float
    weights: Mapping[str, float]
    article: Mapping[str, float]
    kinds: tuple[str, ...]
    kind_bias: tuple[float, ...]
    kind_weights: Mapping[str, tuple[float, ...]]
    doubt_bias: float
    doubt: Mapping[str, float]


@lru_cache(1 << 15)
def stem(word: str) -> str:
    """A word without its commonest affixes: not the dictionary's root, but the same for most forms
    of one word. Numbers are all alike."""
    if len(word) < 5 or word.isdigit():
        return "#" if word.isdigit() else word
    for suffixes in _AFTER:
        for suffix in suffixes:
            if word.endswith(suffix) and len(word) > len(suffix) + 3:
                word = word[: -len(suffix)]
                break
    for prefix in _BEFORE:
        if word.startswith(prefix) and len(word) > len(prefix) + 2:
            return word[len(prefix) :]
    return word


def said(sentence: Sentence) -> list[str]:
    """What one sentence says: its stems, pairs of neighbours, and its clues."""
    stems = [*map(stem, [word[0] for word in sentence.words])]
    return [
        *stems,
        *map(" ".join, pairwise(stems)),
        *_pairs(sentence.clues, "&"),
        *(f"+{clue}" for clue in sentence.clues),
        *(f"@{subject}" for subject in sentence.subjects),
        *(f"!{kind}" for kind in sentence.cues),
    ]


def together(sentences: Sequence[Sentence]) -> frozenset[str]:
    """What sentences that are read together say beyond what each of them says."""
    clues = frozenset[str]().union(*[s.clues for s in sentences])
    return _together(clues, max([s.score for s in sentences], default=0.0))


@lru_cache(1 << 12)
def _together(clues: frozenset[str], best: float) -> frozenset[str]:
    return frozenset([*_pairs(clues, ".."), *(f">={level}" for level in LEVELS if best >= level)])


@lru_cache(1 << 12)
def _pairs(clues: frozenset[str], between: str) -> tuple[str, ...]:
    return tuple(between.join(pair) for pair in combinations(sorted(clues), 2))


@dataclass(frozen=True)
class Opinion:
    """`score` is the probability that an article is a finding, `telling` are the title, the head
    and the strongest of the other sentences, in their order."""

    score: float
    telling: tuple[Sentence, ...]


def opinion(sentences: Sequence[Sentence], model: Model) -> Opinion:
    """What the model holds of an article."""
    parts, telling = read(sentences, model)
    if len(parts) == 1:
        return Opinion(parts["head"], telling)
    score = probability(
        model.article["bias"]
        + sum(model.article.get(part, 0.0) * value for part, value in parts.items())
    )
    # the shorter it is, the less can be in passing, and the more its head alone may say
    length = sum(s.where == "text" for s in sentences)
    short = max(0.0, (LONG - length) / (LONG - HEAD))
    return Opinion(score + short * max(0.0, parts["head"] - score), telling)


def read(
    sentences: Sequence[Sentence], model: Model
) -> tuple[dict[str, float], tuple[Sentence, ...]]:
    """What an article's parts say, and its telling sentences. The parts are the probability of its
    `head`, the title with the lead, and of a longer one also the mean probability of its
    `strongest` windows and a tenth of the log-odds of `all` of it; a window is a sentence of the
    text with the one after it."""
    weights = model.weights
    spoken = [{trait for trait in said(s) if trait in weights} for s in sentences]

    def odds(places: Sequence[int]) -> float:
        found = together([sentences[n] for n in places]).union(*[spoken[n] for n in places])
        return model.bias + sum(filter(None, map(weights.get, found)))

    title = [n for n, s in enumerate(sentences) if s.where == "title"]
    text = [n for n, s in enumerate(sentences) if s.where == "text"]
    head = [*title, *text[:HEAD]]
    if len(text) <= HEAD:
        return {"head": probability(odds(head))}, tuple(sentences)
    windows = sorted(((odds(pair), pair) for pair in pairwise(text)), reverse=True)
    parts = {
        "head": probability(odds(head)),
        "strongest": fmean(probability(value) for value, _ in windows[:STRONGEST]),
        "all": odds([*title, *text]) / 10,  # about as large as the others
    }
    telling = {*head, *(n for _, pair in windows[:2] for n in pair)}
    return parts, tuple(sentences[n] for n in sorted(telling))


def probability(odds: float) -> float:
    """Log-odds as a number from 0 to 1."""
    return 1 / (1 + math.exp(-max(-LIKELY, min(LIKELY, odds))))


def manner(telling: Sequence[Sentence], ruled: str) -> set[str]:
    """How a finding tells it, by which its kind is known and whether it is in doubt: its telling
    sentences, the title's words once more as the title's, the order of their clues, and `ruled`,
    the kind by the lexicon's cues."""
    found = {f"={ruled}"}
    for sentence in telling:
        spoken = said(sentence)
        found.update(spoken)
        if sentence.where == "title":
            found.update(f"title:{trait}" for trait in spoken)
        clues = [hit.label for hit in sorted(sentence.said, key=lambda hit: hit.start)]
        found.update(f"{sentence.where}:{one}>{other}" for one, other in pairwise(clues))
    return found


def kind(manner: Set[str], model: Model) -> str:
    """The kind that a finding's manner speaks for most."""
    found = manner & model.kind_weights.keys()
    columns = zip(model.kind_bias, *(model.kind_weights[trait] for trait in found), strict=True)
    sums = [*map(sum, columns)]
    return model.kinds[sums.index(max(sums))]


def doubt(manner: Set[str], model: Model) -> float:
    """The probability that a person would call it borderline: an official who resigns to stand, one
    passing line, an elected head who takes sides."""
    found = manner & model.doubt.keys()
    return probability(model.doubt_bias + sum(map(model.doubt.__getitem__, found)))


@cache
def load() -> Model:
    """The model that comes with the project, read once."""
    data = json.loads((DATA / "opinion.json").read_text("utf-8"))
    return Model(
        bias=data["bias"],
        weights=data["weights"],
        article=data["article"],
        kinds=tuple(data["kinds"]),
        kind_bias=tuple(data["kind_bias"]),
        kind_weights={trait: tuple(weights) for trait, weights in data["kind_weights"].items()},
        doubt_bias=data["doubt_bias"],
        doubt=data["doubt"],
    )
