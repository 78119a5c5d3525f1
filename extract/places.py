"""Where it happened: the province, and the regency or city where the article says so.

What is weighed, most telling first: an office with its area ("Bupati Buleleng", "Bawaslu Kukar"),
a bare name, the dateline, and as the last resort the outlet's own region; the title weighs more
than the lead, and the lead more than the rest.

Codes and names of the areas (`data/areas.csv`) are from cahyadsn/wilayah (MIT licence), after
Kepmendagri 2025; what the press makes of them is in `data/places.toml`.
"""

import csv
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from extract.article import Place
from extract.lexicon import DATA, LexiconError, Phrases, Word, words

LEAD = 700  # characters that count as the lead
READ = 2_500  # characters of the text that are read for names at all
MOST = 5  # places named
# Weights of a name after an office and of a bare one.
TITLE, FIRST, REST = (6.0, 4.0), (4.0, 2.5), (1.0, 0.4)
DATELINE = 3.0
OUTLET = 1.0
REGENCY = 1.8  # how much more a regency says than its province
RUN = 6  # mentions of one area beyond which more of them tell nothing new

_PREFIXES = ("kabupaten administrasi ", "kota administrasi ", "kabupaten ", "kota ")
_LEVELS = ("province", "regency", "city")


@dataclass(frozen=True)
class Gazetteer:
    """All areas, and the names by which they are found.

    `names` gives the areas a name may mean; `offices` what a word before a name makes of it:
    "province", "regency", "city" or "any".
    """

    areas: Mapping[str, Place]
    names: Phrases[tuple[Place, ...]]
    offices: Mapping[str, str]
    ambiguous: frozenset[str]
    desks: frozenset[str]

    def named(self, name: str | None, level: str) -> Place | None:
        """The area of `level` that is called `name`, in full or without "Kabupaten"."""
        if not name:
            return None
        wanted = " ".join(w.text for w in words(name))
        found = [a for a in _meant(self, wanted) if a.level == level]
        exact = [a for a in found if a.name.casefold() == name.casefold()]
        return next(iter(exact or found), None)


class Mention(NamedTuple):
    """A name found: the areas it may mean and its weight."""

    areas: tuple[Place, ...]
    weight: float


def places(
    title: str,
    text: str,
    dateline: str | None = None,
    province: str | None = None,
    regency: str | None = None,
) -> tuple[Place, ...]:
    """The places an article is about, most probable first, at most MOST.

    `province` and `regency` are the outlet's own. Time is bounded: only the first READ characters
    are read.
    """
    gazetteer = load()
    home = (gazetteer.named(regency, "regency"), gazetteer.named(province, "province"))
    mentions = [*_mentions(gazetteer, title, TITLE, TITLE)]
    mentions += _mentions(gazetteer, text[:READ], FIRST, REST)
    if dateline and dateline.casefold() not in gazetteer.desks:
        mentions += [
            Mention(m.areas, DATELINE)
            for m in _mentions(gazetteer, dateline.title(), TITLE, TITLE, sure=True)
        ]
    scores: defaultdict[Place, float] = defaultdict(float)
    times: Counter[Place] = Counter()
    # names that can mean only one area first: they decide what the others mean
    for mention in sorted(mentions, key=lambda m: len(m.areas)):
        area = _choose(mention.areas, scores, home)
        times[area] += 1
        if times[area] <= RUN:
            scores[area] += mention.weight
    ranked = _rank(scores, home)
    return ranked or tuple(p for p in (home[0] or home[1],) if p)


def _mentions(
    gazetteer: Gazetteer,
    text: str,
    lead: tuple[float, float],
    rest: tuple[float, float],
    *,
    sure: bool = False,
) -> Iterator[Mention]:
    found = words(text)
    texts = [w.text for w in found]
    until = -1
    # the longest of the names that begin at one word wins: "Aceh Barat Daya" over "Aceh"
    hits = sorted(gazetteer.names.find(texts), key=lambda h: (h.start, -h.end))
    for hit in hits:
        if hit.start < until or not _stands_alone(text, found, hit.start, hit.end):
            continue
        until = hit.end
        office = _office(gazetteer, texts, hit.start)
        name = " ".join(texts[hit.start : hit.end])
        if name in gazetteer.ambiguous and not office and not sure:
            continue
        areas = hit.label
        if office in _LEVELS:
            areas = tuple(a for a in areas if _level(a) == office) or areas
        weight = lead if found[hit.start].start < LEAD else rest
        yield Mention(areas, weight[0] if office else weight[1])


def _stands_alone(text: str, found: list[Word], first: int, end: int) -> bool:
    """Whether the words are capitalised and no part of a longer one, such as an outlet's name."""
    start, stop = found[first].start, found[end - 1].end
    glued = text[start - 1 : start].isalnum() or text[stop : stop + 1].isalnum()
    return text[start].isupper() and not glued


def _office(gazetteer: Gazetteer, texts: list[str], start: int) -> str | None:
    """What the two words before a name say of it; the nearer and the more exact one counts."""
    before = [gazetteer.offices.get(w) for w in reversed(texts[max(0, start - 2) : start])]
    exact = [office for office in before if office and office != "any"]
    return exact[0] if exact else next((office for office in before if office), None)


def _level(area: Place) -> str:
    if area.level == "province":
        return "province"
    return "city" if area.name.startswith("Kota ") else "regency"


def _choose(
    areas: tuple[Place, ...],
    scores: Mapping[Place, float],
    home: tuple[Place | None, Place | None],
) -> Place:
    """Which of several areas of one name is meant: one named clearly elsewhere, else the outlet's
    own, else a province before a regency before a city."""
    if len(areas) == 1:
        return areas[0]
    return max(
        areas,
        key=lambda a: (
            scores.get(a, 0.0),
            a in home,
            home[1] is not None and a.province == home[1].province,
            -_LEVELS.index(_level(a)),
        ),
    )


def _rank(
    scores: Mapping[Place, float], home: tuple[Place | None, Place | None]
) -> tuple[Place, ...]:
    """The areas by likelihood: those of the likeliest province first, in it a regency before the
    province, which it implies, unless it is faint; what scores under half of the first is left."""
    if not scores:
        return ()
    provinces: defaultdict[str, float] = defaultdict(float)
    areas: dict[Place, float] = {}
    for area, score in scores.items():
        own = score + OUTLET * (area in home)
        ours = home[1] is not None and area.province == home[1].province
        provinces[area.province] += own + OUTLET * ours
        areas[area] = own * (1 if area.level == "province" else REGENCY)
    likeliest = max(provinces, key=lambda name: provinces[name])
    ranked = sorted(areas, key=lambda a: (a.province != likeliest, -areas[a], a.code))
    kept: list[Place] = []
    for area in ranked:
        implied = area.level == "province" and any(k.province == area.name for k in kept)
        if areas[area] >= areas[ranked[0]] / 2 and not implied:
            kept.append(area)
    return tuple(kept[:MOST])


@cache
def load() -> Gazetteer:
    """The gazetteer, read once. Raises LexiconError where a name in places.toml is unknown."""
    path = DATA / "places.toml"
    data = tomllib.loads(path.read_text("utf-8"))
    areas = _areas(data["provinces"])
    by_name = {area.name: area for area in areas.values()}
    names: dict[str, tuple[Place, ...]] = {}
    for area in areas.values():
        bare = " ".join(w.text for w in words(area.name))
        for prefix in _PREFIXES:
            bare = bare.removeprefix(prefix)
        for name in {bare, bare.removeprefix("kep ").removeprefix("kepulauan ")}:
            names[name] = (*names.get(name, ()), area)
    for entry in ("aliases", "towns"):
        for short, full in data[entry].items():
            if full not in by_name:
                raise LexiconError(f"{path}: {entry}.{short}: no area is called {full!r}")
            if by_name[full] not in names.get(short, ()):
                names[short] = (*names.get(short, ()), by_name[full])
    return Gazetteer(
        areas=areas,
        names=Phrases(names.items()),
        offices={word: office for office, found in data["offices"].items() for word in found},
        ambiguous=frozenset(data["words"]["ambiguous"]),
        desks=frozenset(data["words"]["desks"]),
    )


def _areas(common: Mapping[str, str]) -> dict[str, Place]:
    with (DATA / "areas.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(line for line in file if not line.startswith("#"))]
    provinces = {
        row["code"]: common.get(row["name"], row["name"])
        for row in rows
        if row["level"] == "province"
    }
    areas = {}
    for row in rows:
        province = provinces[row["code"][:2]]
        name = province if row["level"] == "province" else row["name"].strip()
        areas[row["code"]] = Place(row["code"], row["level"], name, province)
    return areas


def _meant(gazetteer: Gazetteer, name: str) -> tuple[Place, ...]:
    bare = name
    for prefix in _PREFIXES:
        bare = bare.removeprefix(prefix)
    texts = bare.split()
    hits = [h for h in gazetteer.names.find(texts) if (h.start, h.end) == (0, len(texts))]
    return tuple(area for hit in hits for area in hit.label)
