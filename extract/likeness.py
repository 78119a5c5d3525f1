"""How like two articles are: do they tell the same story?

Two do where they share the text (copies, press releases, shortened reports), as MinHash over runs
of words tells; or the event: the same regency, a time close by, and the same people and things. The
office held against one camat is held against another in the same words, so those whom an article
is about weigh most, and two that are about different ones are never one story. A wrong union is
worse than a missed one.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property, lru_cache
from itertools import islice
from math import sqrt
from operator import eq

from rensa import RMinHash

from extract import opinion, places
from extract.article import Article, Verdict
from extract.lexicon import DATA, Word, words

SEED = 1
PERMUTATIONS = 128
BANDS, ROWS = 16, 3  # texts that share half of their runs share a band in 9 of 10 cases
RUN = 3  # words
INITIAL = 3  # letters before a full stop that ends no name: "I. Gede", "Drs. Ahmad"
NAMES = 0.75  # the weight of a word from which it may be a name
READ = 6_000  # characters of a text that are compared
MOST_NAMES, MOST_PLACES = 8, 2  # by which an article is looked for

SAME_TEXT = 0.5  # of all runs of words
SAME_FORM = 0.3  # as much, and other names in it: a form, filled in for another place
SAME_NAMES = 0.6  # of the names of the one that has fewer
SAME_EVENT = 5.0  # see `_likeness`
SAME_CASE, NEXT_STAGE = 0.15, 0.03  # of the terms, where the people are the same
REPRINTED = timedelta(days=14)
REPORTED = timedelta(days=5)  # between reports of one event
DEVELOPED = timedelta(days=60)  # from the first report of a case to the last of its developments

STAGES = {"allegation": 1, "examination": 2, "sanction": 3}  # any other kind comes before them

_DATE = re.compile(r"\b(\d{1,2})[/-](\d{1,2})(?:[/-]\d{2,4})?\b")
_INITIALS = re.compile(r"\binisial ([A-Z]{1,4})\b|\bberinisial ([A-Z]{1,4})\b")
_ENDS = re.compile(r"[.!?…\n:;]")


@dataclass(frozen=True)
class _Words:
    """What `data/likeness.toml` says of words, and `data/usual.json` of stems: how much they tell,
    from 0 (every article of this topic has them) to 1 (one has); of others nothing is known."""

    roles: Mapping[str, str]
    candidates: frozenset[str]
    speech: frozenset[str]
    between: frozenset[str]
    behind: frozenset[str]
    never: frozenset[str]
    usual: Mapping[str, float]


@cache
def _load() -> _Words:
    lists = tomllib.loads((DATA / "likeness.toml").read_text("utf-8"))
    roles = {
        **dict.fromkeys(lists["actor"], "actor"),
        **dict.fromkeys([*lists["voice"], *lists["candidate"]], "voice"),
    }
    return _Words(
        roles=roles,
        candidates=frozenset(lists["candidate"]),
        speech=frozenset(lists["speech"]),
        between=frozenset(lists["between"]),
        behind=frozenset(lists["behind"]),
        never=frozenset([*lists["never"], *roles]),
        usual=json.loads((DATA / "usual.json").read_text("utf-8")),
    )


@dataclass(frozen=True)
class Wording:
    """What is compared of an article's words: `minhash` of the runs of words in its text, the words
    of names, the days, and the stems of other words; see `Telling`."""

    minhash: tuple[int, ...]
    names: frozenset[str]
    actors: frozenset[str]
    voices: frozenset[str]
    areas: frozenset[str]
    days: frozenset[str]
    terms: tuple[str, ...]

    @cached_property
    def bands(self) -> tuple[str, ...]:
        rows = [[*self.minhash[band * ROWS : (band + 1) * ROWS]] for band in range(BANDS)]
        return tuple(
            "t:" + hashlib.blake2b(f"{band} {row}".encode(), digest_size=8).hexdigest()
            for band, row in enumerate(rows)
        )


@lru_cache(256)  # what is new is compared with what is new: the same articles again and again
def _wording(title: str, text: str) -> Wording:
    named = _named(title, text)
    said = (*words(title), *words(text))
    terms = {opinion.stem(word.text) for word in said if len(word.text) > 3}
    terms -= {"#", *map(opinion.stem, named["names"])}
    days = frozenset(f"{int(day)}/{int(month)}" for day, month in _DATE.findall(text))
    return Wording(_minhash(text), **named, days=days, terms=tuple(sorted(terms)))


def _minhash(text: str) -> tuple[int, ...]:
    minhash = RMinHash(PERMUTATIONS, SEED)
    said = [word.text for word in words(text)]
    minhash.update([" ".join(said[n : n + RUN]) for n in range(max(1, len(said) - RUN + 1))])
    return tuple(minhash.digest())


def _named(title: str, text: str) -> dict[str, frozenset[str]]:
    """The words of names by the role of who bears them; see `_names`."""
    if _capitals(title):
        title = ""  # where every word has a capital, none tells a name
    named: dict[str, set[str]] = {role: set() for role in ("actor", "voice", "speaker", "area", "")}
    for run, role in (*_names(text, words(text)), *_names(title, words(title))):
        named[role].update(word for word in run if len(word) > 2)
    named["actor"].update(a.lower() or b.lower() for a, b in _INITIALS.findall(text))
    voices = named["voice"] | (named["speaker"] - named["actor"])
    return {
        "names": frozenset().union(*named.values()),
        "actors": frozenset(named["actor"] - named["area"] - voices),
        "voices": frozenset(voices),
        "areas": frozenset(named["area"]),
    }


@dataclass(frozen=True)
class Telling:
    """What an article tells, as far as it can be compared.

    `names` are all words of names (of people, villages, venues, lower case), `actors` those of the
    officials it is about, `voices` those of watchers and candidates, whom many stories of a place
    share. `regencies`, `provinces` and `districts` are Kemendagri codes, `days` the days
    it names ("7/10", the month last), `terms` the stems of the words beside names; `stage` is one
    of STAGES or 0.
    """

    wording: Wording
    regencies: frozenset[str]
    provinces: frozenset[str]
    districts: frozenset[str]
    stage: int
    told: datetime

    @property
    def names(self) -> frozenset[str]:
        return self.wording.names

    @property
    def actors(self) -> frozenset[str]:
        return self.wording.actors

    @property
    def voices(self) -> frozenset[str]:
        return self.wording.voices

    @property
    def areas(self) -> frozenset[str]:
        return self.wording.areas

    @property
    def days(self) -> frozenset[str]:
        return self.wording.days

    @property
    def terms(self) -> tuple[str, ...]:
        return self.wording.terms


def prepare(article: Article) -> Wording:
    """What is compared of an article's words: most of the work, to be done wherever there is time,
    and carried along."""
    wording = _wording(article.title, article.text[:READ])
    assert wording.bands
    return wording


def read(
    article: Article, verdict: Verdict, told: datetime, wording: Wording | None = None
) -> Telling:
    """What is compared of an article; `told` is when it was published, or found; `wording` is what
    `prepare` gave of it, if it did."""
    return Telling(
        wording=wording or _wording(article.title, article.text[:READ]),
        regencies=frozenset(p.code[:5] for p in verdict.places if p.level != "province"),
        provinces=frozenset(p.code[:2] for p in verdict.places),
        districts=frozenset(p.code for p in verdict.places if p.level == "district"),
        stage=STAGES.get(verdict.kind or "", 0),
        told=told,
    )


def _names(text: str, found: Sequence[Word]) -> Iterator[tuple[list[str], str]]:
    """The names in `text`, as their words, each with the role of its bearer: "actor", "voice",
    "speaker" (of whom nothing else is known), "area" (a regency or province) or ""."""
    gazetteer = places.load()
    initials = [text[word.start] for word in found]
    small = {word.text for word, initial in zip(found, initials, strict=True) if initial.islower()}
    known = _load()

    def is_name(n: int) -> bool:
        word, shown = found[n].text, text[found[n].start : found[n].end]
        if not shown[0].isupper() or (len(shown) > 1 and shown.isupper()) or word in small:
            return False
        return word not in known.never and known.usual.get(opinion.stem(word), 1.0) > NAMES

    end = 0
    for start in [n for n, initial in enumerate(initials) if initial.isupper()]:
        if start < end or not is_name(start):
            continue
        end, pair = start + 1, False
        while end < len(found) and is_name(end):
            gap = text[found[end - 1].end : found[end].start]
            initial = gap == ". " and len(found[end - 1].text) <= INITIAL  # or a sentence's end
            if gap not in (" ", "-", "–", "'", "’") and not initial:
                break
            pair |= gap in ("-", "–")
            end += 1
        if end == start + 1 and _opens(text, found, start):
            continue  # the first word of a sentence: nothing tells a name
        run = [word.text for word in found[start:end]]
        before = found[start - 1].text if start else ""
        if before in gazetteer.offices and before not in gazetteer.words["villages"]:
            # "Bawaslu Bima Made Sukanta"
            area = max(
                (n for n, key in gazetteer.beginning(run, 0) if key in gazetteer.names), default=0
            )
            yield run[:area], "area"
            run = run[area:]
        if "".join(run) in gazetteer.names:
            yield run, "area"
        else:  # two who stand together are joined by a dash
            yield run, "voice" if pair else _role(text, found, start, end)


def _capitals(title: str) -> bool:
    long = [w for w in title.split() if len(w) > 3]
    return 2 * sum(w[0].isupper() for w in long) > len(long)


def _opens(text: str, found: Sequence[Word], start: int) -> bool:
    return not start or bool(_ENDS.search(text[found[start - 1].end : found[start].start]))


def _role(text: str, found: Sequence[Word], start: int, end: int) -> str:
    """Who bears the name of the words `start` to `end`: by the office before it, or behind it, or
    by a verb of speech."""
    known = _load()
    for n in range(start - 1, max(-1, start - 7), -1):
        word = found[n]
        if _opens(text, found, n + 1):
            break
        if role := known.roles.get(word.text):
            return "voice" if n and found[n - 1].text in known.candidates else role
        if text[word.start].islower() and word.text not in known.between:
            break
    behind = found[end : end + 3]
    if behind and (
        behind[0].text in known.behind or text[found[end - 1].end : behind[0].start] == ", "
    ):
        for word in behind:
            if role := known.roles.get(word.text):
                return role
    beside = [*found[max(0, start - 1) : start], *behind[:1]]
    return "speaker" if any(word.text in known.speech for word in beside) else ""


def alike(one: Telling, other: Telling) -> bool:
    """Whether two articles tell the same story; their order does not matter."""
    apart = abs(one.told - other.told)
    if apart > DEVELOPED:
        return False
    jaccard = sum(map(eq, one.wording.minhash, other.wording.minhash)) / PERMUTATIONS
    if jaccard >= SAME_FORM and not _name_the_same(one, other):
        return False  # a form, filled in for another place or person
    another_day = bool(one.days and other.days and not one.days & other.days)
    if jaccard >= SAME_TEXT and apart <= REPRINTED and not another_day:
        return True
    if not _same_place(one, other) or _different_actors(one, other):
        return False
    if apart <= REPORTED:
        return _likeness(one, other) >= SAME_EVENT
    return _same_case(one, other)


def continues(new: Telling, first: Telling, latest: Telling) -> bool:
    """Whether `new` belongs to the story that `first` began and `latest` told last. Where only the
    latest is like it, it must not contradict the first, so that no chain of likenesses drifts."""
    if alike(first, new):
        return True
    if abs(first.told - new.told) > DEVELOPED or not alike(latest, new):
        return False
    return _same_place(first, new) and not _different_actors(first, new)


def marks(telling: Telling) -> tuple[str, ...]:
    """The marks by which an article is found: bands of its MinHash ("t:"), the week in each
    regency ("w:"), names in a province ("n:"); at most 64 characters each."""
    return (*telling.wording.bands, *_events(telling, weeks=(0,), seasons=(0,)))


def sought(telling: Telling) -> tuple[str, ...]:
    """The marks that those articles may have which tell the same: of the weeks and seasons before
    and after, too."""
    return (*telling.wording.bands, *_events(telling, weeks=(-1, 0, 1), seasons=(-1, 0, 1)))


def _events(telling: Telling, weeks: Sequence[int], seasons: Sequence[int]) -> Iterator[str]:
    day = telling.told.toordinal()
    week, season = day // 7, day // DEVELOPED.days
    for place in sorted(telling.regencies or telling.provinces)[:MOST_PLACES]:
        yield from (f"w:{place}:{week + n}" for n in weeks)
    actors, voices = sorted(telling.actors), sorted(telling.voices - telling.actors)
    others = sorted(telling.names - telling.areas - telling.actors - telling.voices)
    names = dict.fromkeys(name[:40] for name in (*actors, *others, *voices))  # each mark once
    for province in sorted(telling.provinces)[:1]:
        for name in islice(names, MOST_NAMES):
            yield from (f"n:{province}:{season + n}:{name}" for n in seasons)


def _likeness(one: Telling, other: Telling) -> float:
    """How much speaks for one event. The weights are rounded from a logistic regression over the
    pairs of the tuning half of `benchmarks/stories`."""
    own, others = _own(one, other), _own(other, one)
    shared = one.names & other.names
    return (
        1.0 * min(len(own & others), 4)
        + 4.0 * (_overlap(own, others) if own and others else 0.5)
        + 1.0 * min(len(shared - own - one.areas), 2)
        + 3.0 * _terms(one, other)
        + 0.5 * bool(one.days & other.days)
        - 0.25 * abs(one.told - other.told) / timedelta(days=1)
        - 4.0 * (bool(one.stage) != bool(other.stage))
    )


def _same_case(one: Telling, other: Telling) -> bool:
    """Whether they tell of one case weeks apart: of the same people, and, unless it went on from
    one stage to another, much the same of them."""
    own, others = _own(one, other), _own(other, one)
    if not (one.stage and other.stage) or len(own & others) < 2:
        return False
    if _overlap(own, others) < SAME_NAMES:
        return False
    return _terms(one, other) >= (SAME_CASE if one.stage == other.stage else NEXT_STAGE)


def _own(one: Telling, other: Telling) -> frozenset[str]:
    """The names in `one` that not every story of the place has."""
    return one.names - one.voices - one.areas - other.voices - other.areas


def _overlap(some: frozenset[str], others: frozenset[str]) -> float:
    """How many of the fewer are in both."""
    return len(some & others) / max(1, min(len(some), len(others)))


def _name_the_same(one: Telling, other: Telling) -> bool:
    if one.areas and other.areas and not one.areas & other.areas:
        return False
    own, others = _own(one, other), _own(other, one)
    if own and others:
        return _overlap(own, others) >= SAME_NAMES
    return _overlap(one.names, other.names) >= SAME_NAMES or not (one.names and other.names)


def _same_place(one: Telling, other: Telling) -> bool:
    """The same regency, and no other district in it; the same province where one of them names no
    regency."""
    if one.districts and other.districts and not one.districts & other.districts:
        return False
    if one.regencies and other.regencies:
        return bool(one.regencies & other.regencies)
    return bool(one.provinces & other.provinces)


def _different_actors(one: Telling, other: Telling) -> bool:
    """Whether they are about different people; where one says of nobody what they are, whoever it
    names may be meant."""
    actors, others = one.actors or _own(one, other), other.actors or _own(other, one)
    return bool(actors and others) and not (actors & other.names or others & one.names)


def _terms(one: Telling, other: Telling) -> float:
    """The cosine of what both say beside names."""
    shared = _squares({*one.terms}.intersection(other.terms))
    return shared / sqrt(_squares(one.terms) * _squares(other.terms)) if shared else 0.0


def _squares(terms: Iterable[str]) -> float:
    usual = _load().usual
    return sum(usual.get(term, 1.0) ** 2 for term in terms)
