"""The lexicon: the words and rules by which an article is judged, read from TOML.

The data is `data/lexicon.toml`, written to be read and extended by an operator; this module
turns it into typed objects, says in one sentence what is wrong with it, and finds its phrases in
a text.
"""

import re
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, repeat
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

DATA = Path(__file__).with_name("data")

GROUPS = (
    "duty",
    "sides",
    "partisan",
    "act",
    "candidate",
    "politics",
    "oversight",
    "accused",
    "speech",
    "others",
    "former",
    "beneficiary",
    "modal",
    "routine",
    "false_senses",
    "other_elections",
    "not_about",
)
SUBJECTS = (
    "civil_servant",
    "military_police",
    "village_official",
    "election_organiser",
    "acting_regional_head",
)
KINDS = (
    "pledge",
    "sanction",
    "examination",
    "statistics",
    "regulation",
    "opinion",
    "allegation",
    "outreach",
)
# What a rule may ask for: official and bystander are the two kinds of mention of a subject.
CLUES = (
    "official",
    "bystander",
    "duty",
    "sides",
    "partisan",
    "act",
    "candidate",
    "politics",
    "oversight",
    "accused",
)
# A clue that is always another one, too: who takes sides is partisan, a candidate is politics.
IMPLIED = {"sides": "partisan", "candidate": "politics"}

# Styled letters (mathematical and full-width) fold to one plain letter each, so that offsets hold.
_PLAIN = {
    code: plain
    for code in (*range(0x1D400, 0x1D800), *range(0xFF10, 0xFF5B))
    if len(plain := unicodedata.normalize("NFKC", chr(code))) == 1
}
_STYLED = re.compile("[\U0001d400-\U0001d7ff\uff10-\uff5a]")
# A change of case inside a run of letters is a lost space: "DenpasarAnggota", "TNIdari".
_WORD = re.compile(r"([A-Z]?[^\W\dA-Z_]+(?:\d[^\W\dA-Z_]*)?|[A-Z0-9]{2,}|[^\W_])")
_TERM = re.compile(r"\*?[^\W_]+\*?|~[^\W_]+|#")

# Indonesian verbs: how meN- changes a root's first letter, and which of them it swallows.
_NASAL = {
    **dict.fromkeys("aiueogh", "meng"),
    **dict.fromkeys("bfv", "mem"),
    **dict.fromkeys("cdjz", "men"),
    "k": "meng",
    "p": "mem",
    "s": "meny",
    "t": "men",
}
_SWALLOWED = "kpst"

Label = TypeVar("Label")


class LexiconError(ValueError):
    """The lexicon cannot be used: the message names the file, the entry and what is wrong."""


class Word(NamedTuple):
    """A word of a text, lower case and in plain letters, at its characters `start` to `end`."""

    text: str
    start: int
    end: int


class Hit(NamedTuple, Generic[Label]):
    """A phrase found: the words `start` to `end` (exclusive) carry `label`."""

    label: Label
    start: int
    end: int


@lru_cache(8)  # an article's texts are asked for by the judge and by the places
def words(text: str) -> tuple[Word, ...]:
    """The words of `text` in order; time linear in its length."""
    plain = text.translate(_PLAIN) if _STYLED.search(text) else text
    # no loop and no call of Python's own: they would be a fifth of the time that judging takes
    parts = _WORD.split(plain)
    places = [*accumulate(map(len, parts))]
    found = zip(map(str.lower, parts[1::2]), places[::2], places[1::2], strict=False)
    return tuple(map(tuple.__new__, repeat(Word), found))


@lru_cache(1 << 12)
def forms(root: str) -> frozenset[str]:
    """A verb's forms: "ajak" → ajak, mengajak, diajak, terajak, berajak, ngajak, and each with
    -kan, -i. Some are no words of the language; they never occur."""
    nasal = _NASAL.get(root[0], "me")
    active = {nasal + root}
    if root[0] in _SWALLOWED:
        active.add(nasal + root[1:])
    spoken = {form.removeprefix("me") for form in active}
    stems = {root, "di" + root, "ter" + root, "ber" + root} | active | spoken
    return frozenset(stem + suffix for stem in stems for suffix in ("", "kan", "i"))


def core(root: str) -> tuple[str, ...]:
    """What every one of a verb's `forms` contains: one of one or two parts."""
    if root[0] not in _SWALLOWED:
        return (root,)
    return root, _NASAL[root[0]].removeprefix("me") + root[1:]


class Phrases(Generic[Label]):
    """Finds many phrases at once, each carrying a label.

    A phrase is words between spaces. `~ajak` stands for the verb in all its `forms`, `kampanye*`
    for any word that begins so, `*netral*` for any that contains it, `#` for a number in digits.
    A word may carry -nya ("the", "its").
    """

    def __init__(self, labelled: Iterable[tuple[str, Label]]) -> None:
        self._whole: dict[str, list[tuple[list[str], Label]]] = defaultdict(list)
        self._begins: dict[str, list[tuple[list[str], Label]]] = defaultdict(list)
        self._within: dict[str, list[tuple[list[str], Label]]] = defaultdict(list)
        for phrase, label in labelled:
            first, *rest = phrase.split()
            entry = (rest, label)
            if first.startswith("~"):
                for form in forms(first[1:]):
                    self._whole[form].append(entry)
            elif first.startswith("*"):
                self._within[first.strip("*")].append(entry)
            elif first.endswith("*"):
                self._begins[first[:-1]].append(entry)
            else:
                self._whole[first].append(entry)
        self._alone = lru_cache(1 << 15)(self._look_up_word)
        self._longer = lru_cache(1 << 16)(self._look_up_pair)

    def _look_up_word(self, word: str) -> tuple[list[Label], bool] | None:
        """The labels of `word` alone, and whether it begins any longer phrase; None where there
        is neither."""
        found = self._beginning(word)
        if not found:
            return None
        return [label for rest, label in found if not rest], any(rest for rest, _ in found)

    def _look_up_pair(self, word: str, following: str) -> list[tuple[list[str], Label]]:
        """The longer phrases that `word` and `following` begin: what they ask for after both."""
        return [
            (rest[1:], label)
            for rest, label in self._beginning(word)
            if rest and _fits(rest[0], following)
        ]

    def _beginning(self, word: str) -> list[tuple[list[str], Label]]:
        found = [*self._whole.get(word, ())]
        if word.endswith("nya"):
            found += self._whole.get(word[:-3], ())
        if word.isdigit():
            found += self._whole.get("#", ())
        for end in range(2, min(len(word), 40) + 1):
            found += self._begins.get(word[:end], ())
        for part, entries in self._within.items():
            if part in word:
                found += entries
        return found

    def find(self, texts: list[str]) -> list[Hit[Label]]:
        """Every phrase in the words `texts`, by place of its first word; they may overlap."""
        hits = []
        for start, found in enumerate(map(self._alone, texts)):
            if not found:
                continue
            labels, begins = found
            hits += [Hit(label, start, start + 1) for label in labels]
            if not begins or start + 1 == len(texts):
                continue
            for rest, label in self._longer(texts[start], texts[start + 1]):
                end = start + 2 + len(rest)
                if not rest or (
                    end <= len(texts) and all(map(_fits, rest, texts[start + 2 : end]))
                ):
                    hits.append(Hit(label, start, end))
        return hits


def _fits(pattern: str, word: str) -> bool:
    if pattern == word or pattern == word.removesuffix("nya"):
        return True
    if pattern.startswith("~"):
        return word.removesuffix("nya") in forms(pattern[1:])
    if pattern.endswith("*"):
        part = pattern.strip("*")
        return part in word if pattern.startswith("*") else word.startswith(part)
    return pattern == "#" and word.isdigit()


@dataclass(frozen=True)
class Subject:
    """Those who must stay neutral: `names` always mean them; `bystanders` are more often heard or
    mentioned than meant (a police chief who warns, an election office that investigates)."""

    names: tuple[str, ...]
    bystanders: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of finding: the words that point to it, and how much one of them weighs."""

    weight: float
    cues: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """Where all clues of `needs` meet within `reach` further sentences, the score is `score`."""

    name: str
    needs: frozenset[str]
    reach: int
    score: float


@dataclass(frozen=True)
class Lexicon:
    """Everything the judgement knows; see `data/lexicon.toml` for what each part means.

    `threshold` is the score (0 to 1) from which an article is relevant; between the two scores of
    `borderline` it is in doubt. A sentence that begins with the two words of one of `related` is
    the headline of another article.
    """

    threshold: float
    borderline: tuple[float, float]
    abbreviations: frozenset[str]
    related: frozenset[tuple[str, ...]]
    groups: Mapping[str, tuple[str, ...]]
    subjects: Mapping[str, Subject]
    kinds: Mapping[str, Kind]
    rules: tuple[Rule, ...]

    @cached_property
    def phrases(self) -> Phrases[str]:
        """All phrases; the labels are a group's name, `official.SUBJECT`, `bystander.SUBJECT` and
        `kind.KIND`."""
        return Phrases(
            [
                *((phrase, group) for group in self.groups for phrase in self.groups[group]),
                *((p, meant) for group, meant in IMPLIED.items() for p in self.groups[group]),
                *((p, f"official.{name}") for name, s in self.subjects.items() for p in s.names),
                *(
                    (p, f"bystander.{name}")
                    for name, s in self.subjects.items()
                    for p in s.bystanders
                ),
                *((p, f"kind.{name}") for name, k in self.kinds.items() for p in k.cues),
            ]
        )

    def clue(self, name: str) -> tuple[str, ...]:
        """The phrases that give the clue `name`, one of CLUES, by themselves (see IMPLIED)."""
        if name == "official":
            return tuple(p for subject in self.subjects.values() for p in subject.names)
        if name == "bystander":
            return tuple(p for subject in self.subjects.values() for p in subject.bystanders)
        return self.groups[name]


def load(path: Path = DATA / "lexicon.toml", more: Path | None = None) -> Lexicon:
    """Reads and checks a lexicon; `path` is the one that comes with the project unless given.

    The file `more` has the same form, but only what it adds: its lists and rules come on top of
    those of `path`, its scores replace them. Raises LexiconError.
    """
    data = _read(path)
    if more:
        data = _merge(data, _read(more))
    return _Reader(more or path).lexicon(data)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise LexiconError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError alike
        raise LexiconError(f"{path}: is not valid TOML: {error}") from error


def _merge(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        known = base.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            merged[key] = _merge(known, value)
        elif isinstance(known, list) and isinstance(value, list) and key != "borderline":
            merged[key] = [*value, *known]
        else:
            merged[key] = value
    return merged


_chosen: list[Lexicon] = []


def default() -> Lexicon:
    """The lexicon that the gate and the judge go by: the one to `use`, else the project's own."""
    if not _chosen:
        use(load())
    return _chosen[0]


def use(lexicon: Lexicon) -> None:
    """Let the gate and the judge of this process go by `lexicon`. To be called before anything is
    judged: the gate compiles the phrases only once."""
    _chosen[:] = [lexicon]


@dataclass(frozen=True)
class _Reader:
    """Reads the entries of one file; every complaint names the file and the entry."""

    path: Path

    def lexicon(self, data: Mapping[str, Any]) -> Lexicon:
        parts = (
            "threshold",
            "borderline",
            "abbreviations",
            "related",
            "groups",
            "subjects",
            "kinds",
            "rules",
        )
        self.keys(data, "the file", parts)
        groups = self.table(data["groups"], "groups", GROUPS)
        subjects = self.table(data["subjects"], "subjects", SUBJECTS)
        kinds = self.table(data["kinds"], "kinds", KINDS)
        rules = data["rules"]
        if not isinstance(rules, list) or not rules:
            raise self.wrong("rules", "must be at least one [[rules]]")
        threshold = self.share(data["threshold"], "threshold")
        low, high = self.span(data["borderline"], "borderline")
        if not low <= threshold <= high:
            raise self.wrong("borderline", f"must lie about the threshold, {threshold}")
        return Lexicon(
            threshold=threshold,
            borderline=(low, high),
            abbreviations=frozenset(self.phrases(data["abbreviations"], "abbreviations")),
            related=frozenset(map(self.pair, self.phrases(data["related"], "related"))),
            groups={name: self.phrases(groups[name], f"groups.{name}") for name in GROUPS},
            subjects={name: self.subject(subjects[name], f"subjects.{name}") for name in SUBJECTS},
            kinds={name: self.kind(kinds[name], f"kinds.{name}") for name in KINDS},
            rules=tuple(self.rule(rule, f"rules[{n}]") for n, rule in enumerate(rules)),
        )

    def subject(self, value: object, entry: str) -> Subject:
        table = self.table(value, entry, ("names", "bystanders"))
        return Subject(
            self.phrases(table["names"], f"{entry}.names"),
            self.phrases(table["bystanders"], f"{entry}.bystanders"),
        )

    def kind(self, value: object, entry: str) -> Kind:
        table = self.table(value, entry, ("weight", "cues"))
        weight = table["weight"]
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 1e6:
            raise self.wrong(f"{entry}.weight", f"must be a number above 0, not {weight!r}")
        return Kind(float(weight), self.phrases(table["cues"], f"{entry}.cues"))

    def rule(self, value: object, entry: str) -> Rule:
        table = self.table(value, entry, ("name", "needs", "reach", "score"))
        if not isinstance(table["name"], str):
            raise self.wrong(f"{entry}.name", "must be a text")
        if type(table["reach"]) is not int or table["reach"] not in (0, 1, 2):
            raise self.wrong(f"{entry}.reach", f"must be 0, 1 or 2, not {table['reach']!r}")
        needs = self.phrases(table["needs"], f"{entry}.needs")
        if unknown := set(needs) - set(CLUES):
            raise self.wrong(f"{entry}.needs", f"{sorted(unknown)[0]!r} is none of {list(CLUES)}")
        if not needs:
            raise self.wrong(f"{entry}.needs", "must name at least one clue")
        score = self.share(table["score"], f"{entry}.score")
        return Rule(table["name"], frozenset(needs), table["reach"], score)

    def table(self, value: object, entry: str, keys: Sequence[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(entry, "must be a table")
        self.keys(value, entry, keys)
        return value

    def keys(self, table: Mapping[str, Any], entry: str, keys: Sequence[str]) -> None:
        if missing := [key for key in keys if key not in table]:
            raise self.wrong(entry, f"{missing[0]!r} is missing")
        if unknown := [key for key in table if key not in keys]:
            raise self.wrong(entry, f"{unknown[0]!r} is not known; it may hold {list(keys)}")

    def share(self, value: object, entry: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self.wrong(entry, f"must be a number from 0 to 1, not {value!r}")
        return float(value)

    def span(self, value: object, entry: str) -> tuple[float, float]:
        if not isinstance(value, list) or len(value) != 2:
            raise self.wrong(entry, f"must be two numbers, not {value!r}")
        low, high = (self.share(number, entry) for number in value)
        if low > high:
            raise self.wrong(entry, "must give the lower number first")
        return low, high

    def pair(self, phrase: str) -> tuple[str, ...]:
        if not re.fullmatch(r"[^\W_]+ [^\W_]+", phrase):
            raise self.wrong("related", f"{phrase!r} must be two plain words")
        return tuple(phrase.split())

    def phrases(self, value: object, entry: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.wrong(entry, "must be a list of phrases")
        for phrase in value:
            if not isinstance(phrase, str) or not phrase.strip():
                raise self.wrong(entry, f"{phrase!r} is not a phrase")
            if phrase != phrase.lower():
                raise self.wrong(entry, f"{phrase!r} must be in lower case")
            for word in phrase.split():
                if not (_TERM.fullmatch(word) or entry.endswith(".needs")):
                    raise self.wrong(
                        entry,
                        f"{phrase!r}: {word!r} is not a word, 'begin*', '*part*', '~root' or '#'"
                        " (write hyphens and dots as spaces)",
                    )
        return tuple(value)

    def wrong(self, entry: str, what: str) -> LexiconError:
        return LexiconError(f"{self.path}: {entry}: {what}")
