"""Where it happened: the province, the regency or city where the article says so, and districts.

What is weighed, most telling first: an office with its area ("Bupati Buleleng", "Bawaslu Kukar",
"Camat Praya"), a bare name, the dateline, and as the last resort the outlet's own region; the title
weighs more than the lead, and the lead more than the rest.

Codes and names of the areas (`data/areas.csv`) are from cahyadsn/wilayah (MIT licence), after
Kepmendagri 2025; what the press makes of them is in `data/places.toml`.
"""

import csv
import re
import tomllib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from extract.article import Place
from extract.lexicon import DATA, LexiconError, Word, words

LEAD = 700  # characters that count as the lead
READ = 1_500  # characters of the text that are read for names at all
MOST = 5  # places named
LONGEST = 5  # words of a name
# Weights of a name after an office and of a bare one.
TITLE, FIRST, REST = (8.0, 6.0), (4.0, 2.5), (1.0, 0.4)
DATELINE = 2.0
OUTLET = 1.0
FAINT = 0.3  # of the weight: a name that says little, a district without a word that says it is one
REGENCY = 1.8  # how much more a regency says than its province
CLEAR = 1.5  # times the next regency's score: one that stands out so is where it happened
SPREAD = 3  # provinces, or more, among which an article is about the country, when none has half

_PREFIX = re.compile(r"\A(?:kabupaten|kota)(?:administrasi)?(?=.)")
_ISLANDS = re.compile(r"\A(?:kepulauan|pulau)(?=.)")
_BETWEEN = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"\d+|[ivx]+")
_start = attrgetter("start")
_BYLINE = re.compile(r"\AOleh\b[^\n]*")
_DATELINE = tuple(",(-–—|:/")
_LEVELS = {
    "province": ("province",),
    "regency": ("regency",),
    "city": ("city",),
    "local": ("regency", "city"),
}
_ORDER = ("province", "regency", "city", "district")


@dataclass(frozen=True)
class Gazetteer:
    """All areas, and the names by which they are found, spaces left out ("tanjungpinang").

    `areas` is by code. `names` gives the provinces, regencies and cities a name may mean,
    `districts` the districts. `offices` says what a word before a name makes of it: a key of
    _LEVELS, "any" or "district". `seats` are the provinces' seats by the province's name, `words`
    the lists of places.toml, `keys` all names in order.
    """

    areas: Mapping[str, Place]
    names: Mapping[str, tuple[Place, ...]]
    districts: Mapping[str, tuple[Place, ...]]
    initials: frozenset[str]
    offices: Mapping[str, str]
    seats: Mapping[str, Place]
    words: Mapping[str, frozenset[str]]
    keys: Sequence[str]

    def named(self, name: str | None, level: str) -> Place | None:
        """The area of `level` that is called `name`: "Kabupaten Bima", "Bima", "Bima (kota)"."""
        if not name:
            return None
        if name.endswith(" (kota)"):
            name = "Kota " + name.removesuffix(" (kota)")
        key = _key(name)
        bare = (key, _PREFIX.sub("", key, count=1))
        found = [a for b in bare for a in self.names.get(b, ()) if a.level == level]
        exact = [a for a in found if _key(a.name) == key]
        city = [a for a in found if _level(a) == "city" and key in self.words["city_first"]]
        return next(iter(exact or city or found), None)

    def beginning(self, texts: list[str], start: int) -> list[tuple[int, str]]:
        """The names that begin at the word `start`: where each ends, and its key."""
        found, key = [], ""
        for end in range(start, min(start + LONGEST, len(texts))):
            key += texts[end]
            at = bisect_left(self.keys, key)
            if at == len(self.keys) or not self.keys[at].startswith(key):
                break
            if self.keys[at] == key:
                found.append((end + 1, key))
        return found

    def regency(self, place: Place) -> Place:
        """The regency or city a district lies in; any other area is its own."""
        return self.areas[place.code[:5]]


class Mention(NamedTuple):
    """A name found: the areas it may mean (none: it is no place after all) and its weight."""

    areas: tuple[Place, ...]
    weight: float


@dataclass(frozen=True)
class Home:
    """The outlet's own region."""

    regency: Place | None
    province: str | None


def places(
    title: str,
    text: str,
    dateline: str | None = None,
    province: str | None = None,
    regency: str | None = None,
) -> tuple[Place, ...]:
    """The places an article is about, most probable first, at most MOST; districts come last.

    `province` and `regency` are the outlet's own. Time is bounded: only the first READ characters
    are read.
    """
    gazetteer = load()
    home = _home(province, regency)
    mentions = [
        *_Text(gazetteer, title, TITLE, TITLE).mentions(),
        *_Text(gazetteer, text, FIRST, REST, prose=True).mentions(),
    ]
    if dateline and dateline.casefold() not in gazetteer.words["desks"]:
        named = _Text(gazetteer, dateline.title(), TITLE, TITLE, sure=True).mentions()
        mentions += [Mention(m.areas, DATELINE) for m in named]
    scores: defaultdict[Place, float] = defaultdict(float)
    districts: dict[Place, None] = {}
    namesakes = any(len(m.areas) > 1 for m in mentions)
    lean = _lean(gazetteer, title + "\n" + text[:READ]) if namesakes else ""
    # names that can mean only one area first: they decide what the others mean
    for mention in sorted(mentions, key=lambda m: (m.areas[0].level == "district", len(m.areas))):
        area = _choose(gazetteer, mention.areas, scores, home, lean)
        if area is None:
            continue
        if area.level == "district":
            districts[area] = None
            area = gazetteer.regency(area)
        scores[area] += mention.weight
    ranked = _rank(gazetteer, scores, home)
    within = [d for d in districts if gazetteer.regency(d) in ranked]
    return (*ranked, *within)[:MOST]


@lru_cache(1 << 12)
def _home(province: str | None, regency: str | None) -> Home:
    own, wider = load().named(regency, "regency"), load().named(province, "province")
    return Home(own, wider.province if wider else own.province if own else None)


@dataclass(frozen=True)
class _Text:
    """A text that is read for names. `lead` and `rest` are the weights of a name after an office
    and of a bare one; `sure` takes every name for a place's; `prose` may begin with a
    dateline."""

    gazetteer: Gazetteer
    text: str
    lead: tuple[float, float]
    rest: tuple[float, float]
    sure: bool = False
    prose: bool = False

    def mentions(self) -> Iterator[Mention]:
        text = self.text.title() if self.text.islower() else self.text
        byline = _BYLINE.match(text)
        begin, end = (
            bisect_left(words(text), place, key=_start)
            for place in (byline.end() if byline else 0, READ)
        )
        found = words(text)[begin:end]
        texts = [w.text for w in found]
        titled = _titled(text, found)
        until = 0
        for start, word in enumerate(found):
            if start < until or text[word.start].islower():
                continue
            # the longest of the names that begin here wins: "Aceh Barat Daya" over "Aceh"
            for end, key in reversed(self.gazetteer.beginning(texts, start)):
                mention = self._mention(key, text, found, start, end, titled)
                if mention:
                    until = end
                    if mention.areas:
                        yield mention
                    break

    def _mention(
        self, key: str, text: str, found: Sequence[Word], start: int, end: int, titled: bool
    ) -> Mention | None:
        """What the name of the words `start` to `end` means, None where it is not one."""
        gazetteer, lists = self.gazetteer, self.gazetteer.words
        first, last = found[start].start, found[end - 1].end
        glued = text[first - 1 : first].isalnum() or text[last : last + 1].isalnum()
        if glued or text[found[end - 1].start].islower():
            return None
        if key in gazetteer.initials and not text[first:last].isupper():
            return None
        near, far = _before(found, start)
        after = found[end].text if end < len(found) else ""
        if key in lists["leading"] and _follows(gazetteer, text, found, end):
            return None
        if near in lists["villages"] and (
            _follows(gazetteer, text, found, end + 1)  # "the village head of Tegal Jaya in Inhil"
            or (near not in gazetteer.offices and _goes_on(text, found, end))
        ):
            return None
        if key in lists["nowhere"] or near in lists["others"] or after in lists["after"]:
            return Mention((), 0)
        opens = self.prose and start == 0 and text[last:].lstrip()[:1] in _DATELINE
        if {near, far} & lists["passing"] or (opens and key in lists["desks"]):
            return Mention((), 0)
        office = _office(gazetteer, near, far)
        behind = after == "kota" and text[found[end].start].isupper()
        areas = self._areas(key, "city" if behind and office != "district" else office)
        told = (
            self.sure
            or near in gazetteer.offices
            or near in lists["before"]
            or _capital_tells(text, found, start, titled)
        )
        bare = areas[0].level == "district" and office != "district"
        if not told and (bare or key in lists["common"]):
            return None
        if bare and (key in lists["unlikely"] or key.startswith(("kota", "kabupaten"))):
            return None
        if opens:
            return Mention(areas, DATELINE)
        if near in lists["plain"] and far != "wali" and far not in gazetteer.offices:
            office = None
        doubtful = key in lists["faint"] or near in lists["villages"] or near in lists["courts"]
        faint = bare or (doubtful and not office)
        with_office, alone = self.lead if first < LEAD else self.rest
        return Mention(areas, alone * FAINT if faint else with_office if office else alone)

    def _areas(self, key: str, office: str | None) -> tuple[Place, ...]:
        """The areas a name may mean after `office`."""
        names = self.gazetteer.names.get(key, ())
        districts = self.gazetteer.districts.get(key, ())
        if office == "district":
            # a town that is called so is the likelier district
            likely = sorted(districts, key=lambda d: self.gazetteer.regency(d) not in names)
            within = {self.gazetteer.regency(d) for d in districts}
            return (*likely, *(a for a in names if a not in within))
        wanted = _LEVELS.get(office or "", _ORDER)
        return tuple(a for a in names if _level(a) in wanted) or names or districts


def _before(found: Sequence[Word], start: int) -> tuple[str, str]:
    """The two words before a name, the numbers and "Negeri" of a school or court left out."""
    before = [w.text for w in found[max(0, start - 4) : start]]
    said = [w for w in reversed(before) if not _NUMBER.fullmatch(w) and w != "negeri"]
    return (*said, "", "")[0], (*said, "", "")[1]


def _office(gazetteer: Gazetteer, near: str, far: str) -> str | None:
    """What the two words before a name say of it; the nearer and the more exact one counts."""
    # an official in a place ("di") need not be the place's
    said = [gazetteer.offices.get(near), gazetteer.offices.get(far) if near != "di" else None]
    exact = [office for office in said if office and office != "any"]
    return exact[0] if exact else said[0] or said[1]


def _titled(text: str, found: Sequence[Word]) -> bool:
    """Whether so many words are capitalised that a capital letter tells nothing."""
    long = [w for w in found[:200] if w.end - w.start > 3]
    return 2 * sum(text[w.start].isupper() for w in long) > len(long)


def _capital_tells(text: str, found: Sequence[Word], start: int, titled: bool) -> bool:
    """Whether a word stands capitalised after a small one, amid a sentence."""
    if titled or not start:
        return False
    last = found[start - 1]
    return text[last.start].islower() and text[last.end : found[start].start].isspace()


def _goes_on(text: str, found: Sequence[Word], end: int) -> bool:
    """Whether a capitalised word stands right behind the word `end` - 1."""
    if end >= len(found) or not text[found[end - 1].end : found[end].start].isspace():
        return False
    return text[found[end].start].isupper()


def _follows(gazetteer: Gazetteer, text: str, found: Sequence[Word], end: int) -> bool:
    """Whether another name stands right behind the word `end` - 1."""
    behind = [w.text for w in found[end : end + LONGEST]]
    return _goes_on(text, found, end) and bool(gazetteer.beginning(behind, 0))


def _level(area: Place) -> str:
    if area.level != "regency":
        return area.level
    return "city" if area.name.startswith("Kota ") else "regency"


def _lean(gazetteer: Gazetteer, text: str) -> str:
    """Whether an article speaks of a city's offices or of a regency's."""
    said = " ".join(["", *text.lower().split()]).replace("wali kota", "walikota")
    cities = sum(said.count(" " + word) for word in gazetteer.words["cities"])
    regencies = sum(said.count(" " + word) for word in gazetteer.words["regencies"])
    return "city" if cities > regencies else "regency" if regencies > cities else ""


def _choose(
    gazetteer: Gazetteer,
    areas: tuple[Place, ...],
    scores: Mapping[Place, float],
    home: Home,
    lean: str,
) -> Place | None:
    """Which of several areas of one name is meant: one named clearly elsewhere, else the outlet's
    own, else what the article speaks of, else the province, the regency, the city. Where nothing
    tells several districts apart it is the province they share, or None."""
    if len(areas) == 1:
        return areas[0]
    named = {area.province for area in scores}

    def evidence(area: Place) -> tuple[Any, ...]:
        regency = gazetteer.regency(area) if area.level != "province" else area
        return (
            scores.get(regency, 0.0),
            regency == home.regency,
            area.province in named,
            area.province == home.province,
        )

    best = max(
        areas,
        key=lambda a: (
            *evidence(a),
            a.level == "province",
            _level(a) == lean,
            _level(a) == "city" and _bare(a) in gazetteer.words["city_first"],
            -_ORDER.index(_level(a)),
        ),
    )
    if best.level != "district" or any(evidence(best)):
        return best
    shared = {area.province for area in areas}
    return gazetteer.named(best.province, "province") if len(shared) == 1 else None


def _rank(gazetteer: Gazetteer, scores: Mapping[Place, float], home: Home) -> tuple[Place, ...]:
    """The areas by likelihood, those of the likeliest province first; what scores under half of
    the best is left. None where the country is meant, or nothing tells two provinces apart."""
    provinces: defaultdict[str, float] = defaultdict(float)
    for area, score in scores.items():
        provinces[area.province] += score * (1 if area.level == "province" else REGENCY)
    total = sum(provinces.values())
    if home.province:
        provinces[home.province] += OUTLET
    if not provinces:
        return ()
    likeliest, *others = sorted(provinces, key=lambda name: -provinces[name])
    best = provinces[likeliest]
    if len(provinces) >= SPREAD and 2 * best < total:
        return ()
    if others and best == provinces[others[0]]:
        return ()
    areas = {
        area: (score + OUTLET * (area == home.regency))
        * (1 if area.level == "province" else REGENCY)
        for area, score in scores.items()
    }
    first = _first(gazetteer, areas, likeliest, home)
    ranked = sorted(areas, key=lambda a: (a.province != likeliest, -areas[a], a.code))
    enough = max(areas.values(), default=0.0) / 2
    implied = gazetteer.named(likeliest, "province")
    rest = [a for a in ranked if areas[a] >= enough and a != implied]
    return tuple(dict.fromkeys([first, *rest]))


def _first(gazetteer: Gazetteer, areas: Mapping[Place, float], province: str, home: Home) -> Place:
    """Where in the likeliest province: the regency that stands out; the province itself where
    several are named beside it. Its seat, where the outlet sits there or it is named as much."""
    whole, seat = gazetteer.named(province, "province"), gazetteer.seats[province]
    assert whole
    regencies = sorted(
        (a for a in areas if a.province == province and a != whole),
        key=lambda a: (-areas[a], a.code),
    )
    if not regencies:
        named = seat if whole in areas else home.regency
        return named if named and named == home.regency else whole
    first, *others = regencies
    if whole in areas and areas.get(seat, 0.0) == areas[first]:
        return seat
    clear = not others or areas[first] >= CLEAR * areas[others[0]]
    return first if clear or areas[first] >= areas.get(whole, 0.0) else whole


@cache
def load() -> Gazetteer:
    """The gazetteer, read once. Raises LexiconError where an area in places.toml is unknown."""
    path = DATA / "places.toml"
    data = tomllib.loads(path.read_text("utf-8"))
    areas = _areas(data["names"])
    by_name = {area.name: area for area in areas.values() if area.level != "district"}

    def called(name: str, entry: str) -> Place:
        if name not in by_name:
            raise LexiconError(f"{path}: {entry}: no area is called {name!r}")
        return by_name[name]

    names: defaultdict[str, dict[Place, None]] = defaultdict(dict)
    districts: defaultdict[str, dict[Place, None]] = defaultdict(dict)
    for area in areas.values():
        key = _key(area.name)
        if area.level == "district":
            districts[key][area] = None
            continue
        bare = _PREFIX.sub("", key, count=1) if area.level == "regency" else key
        names[bare][area] = None
        if area.level == "regency":
            names[_ISLANDS.sub("", bare, count=1)][area] = None
    for table in ("aliases", "initials", "nicknames", "campuses", "towns"):
        for short, full in data[table].items():
            for name in [full] if isinstance(full, str) else full:
                names[_key(short)][called(name, f"{table}.{short}")] = None
    keyed = ("common", "leading", "faint", "nowhere", "desks", "unlikely", "city_first")
    lists = {
        name: frozenset(_key(w) if name in keyed else w for w in found)
        for name, found in data["words"].items()
    }
    lists["faint"] |= set(map(_key, data["campuses"]))
    for key in lists["nowhere"]:
        names.setdefault(key, {})
    return Gazetteer(
        areas=areas,
        names={key: tuple(found) for key, found in names.items()},
        districts={key: tuple(found) for key, found in districts.items()},
        initials=frozenset(map(_key, data["initials"])),
        offices={word: office for office, found in data["offices"].items() for word in found},
        seats={name: called(seat, f"seats.{name}") for name, seat in data["seats"].items()},
        words=lists,
        keys=sorted({*names, *districts}),
    )


def _areas(common: Mapping[str, str]) -> dict[str, Place]:
    with (DATA / "areas.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.reader(line for line in file if not line.startswith("#"))][1:]
    names = {code: common.get(name.strip(), name.strip()) for code, _, name in rows}
    return {code: Place(code, level, names[code], names[code[:2]]) for code, level, _ in rows}


def _key(name: str) -> str:
    """A name's letters and digits without spaces: "Toli-Toli" → "tolitoli"."""
    return _BETWEEN.sub("", name.lower())


def _bare(area: Place) -> str:
    return _PREFIX.sub("", _key(area.name), count=1)
