"""The town that stands before an article's text."""

import re

from extract.clean import BOILERPLATE
from extract.copies import fold
from extract.dates import VISIBLE
from extract.places import load

_AGENCIES = frozenset(BOILERPLATE["agencies"])
_NOT_TOWNS = frozenset(BOILERPLATE["not_towns"])
_DASH = re.compile(
    r"\s[-–—]{1,3}\s?|(?<=[A-Z]{3})\s\|\s|(?<=[\w).])[–—]{1,2}\s?|(?<=\w)-{2}\s?"
    r"|(?<=\))\s?[-–—]{1,2}\s?|(?<=\w)\.?-\s"
    r"|(?:(?<=\.(?:com|net|org))|(?<=\.(?:id|co)))(?:\s\|\s|-(?=[A-Z]))"  # behind an address
)
_PART = re.compile(r"[,|()/:]+|\.(?=\s|$)")
_SITE = re.compile(r"(?:[\w-]+\.)+(?:com|id|net|co|news|org|info|tv|online|my\.id)", re.IGNORECASE)
_TOWN = re.compile(r"[A-Z][\w'’.]*(?:[ -][A-Z][\w'’.]*){0,3}")
_GLUED = re.compile(r"\s*\|\s*([A-Z][a-z]+)(?=[A-Z][a-z])")
_OUTLET_FIRST = re.compile(r"([\w .-]{2,40}?)\s?[,.|:]\s+(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")
_LONGEST = 90  # characters of a dateline


def read_dateline(lines: list[str], outlet: str, host: str) -> str | None:
    """The dateline's town as printed ("SINGARAJA"), from an article's first lines.

    Known forms: "Town, Outlet –", "Outlet, Town -", "Outlet. TOWN –", "Town (AGENCY) -",
    "Outlet | TownText", "TOWN –", "Outlet, Town Text" where the town is in the gazetteer, and
    "TOWN, Outlet" on a line of its own. The outlet is known by its name or its host.
    """
    initials = "".join(word[0] for word in outlet.split()) if outlet.count(" ") else ""
    names = (outlet, initials, host.removeprefix("www."), *host.split("."))
    own = {*map(fold, names)} - {""}
    for line in lines:
        prefix, alone = _prefix(line)
        if prefix is None:
            if town := _undashed(line, own):
                return town
            continue
        parts = [p for part in _PART.split(prefix) if (p := part.strip(' *"“'))]
        towns = [
            part
            for part in parts
            if not (_is_outlet(part, own) or VISIBLE.search(part) or part.casefold() in _NOT_TOWNS)
        ]
        named = len(towns) < len(parts)
        if not towns or not (found := _TOWN.fullmatch(towns[0])):
            if not towns and not alone and _is_governed_by(outlet, prefix):
                return prefix
            if named and not alone:
                return None
            continue
        town = found[0]
        if named or (not alone and len(parts) <= 2 and _could_be_town(town)):
            return town.rstrip(".")
        if not alone and len(line) > 120:
            return None
    return None


def _prefix(line: str) -> tuple[str | None, bool]:
    """What stands before the dash, or the whole of a short line; and whether it stands alone."""
    head = line[: _LONGEST + 5]
    if (glued := _GLUED.search(head)) and _SITE.match(head):
        return f"{head[: glued.start()]}|{glued[1]}", False
    for dash in _DASH.finditer(head, 0, _LONGEST + 3):
        if not _SITE.fullmatch(head, 0, dash.start()):
            return line[: dash.start()], False
    return (line, True) if len(line) <= 60 else (None, False)


def _undashed(line: str, own: set[str]) -> str | None:
    """The town behind the outlet's name where no dash ends it: "Kabar.id, Jakarta Menteri …"."""
    head = _OUTLET_FIRST.match(line[:_LONGEST])
    if not head or not _is_outlet(head[1].strip(), own):
        return None
    words = list(_WORD.finditer(line, head.end(), _LONGEST))[:6]
    names = load().beginning([word[0].lower() for word in words], 0)
    end = words[names[-1][0] - 1].end() if names else 0
    town = line[head.end() : end]
    return town if town[:1].isupper() else None


def _is_outlet(part: str, own: set[str]) -> bool:
    folded = fold(part)
    return (
        folded in own
        or part.casefold() in _AGENCIES
        or _SITE.fullmatch(part) is not None
        or any(len(name) > 4 and folded.startswith(name) for name in own)
        or folded.startswith("antara")
    )


def _is_governed_by(outlet: str, town: str) -> bool:
    """Whether an office's name ends in that of its area: "Diskominfo Kabupaten Poso"."""
    office, _, area = outlet.casefold().rpartition(" ")
    return area == town.casefold() and office.endswith(("kabupaten", "kota", "provinsi", "desa"))


def _could_be_town(text: str) -> bool:
    """Whether a name that only a dash sets apart is a town's rather than a person's or office's."""
    words = text.split()
    if text.casefold() in _NOT_TOWNS or words[0].casefold().rstrip(".") in _NOT_TOWNS:
        return False
    return len(words) <= (3 if text.isupper() else 2)
