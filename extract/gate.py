"""The gate: may this page, by its bytes alone, hold a finding?

The judge's own words, asked without grammar: somewhere in the page must stand the duty of
neutrality, or one who has it and an election or the taking of sides. That lets too much through (a
menu that says "Pilkada" counts), hardly ever too little: words match inside others, so that lost
spaces do no harm, and tags, entities and line ends may stand between the words of a phrase. Where
the bytes hide letters (UTF-16, styled letters, entities for plain letters, soft hyphens) a page
that did not pass is decoded and asked again.

Hyperscan does the scan: some thousand phrases in one pass, several times faster than bytes.lower()
and `in` for even a dozen words, and wheels for CPython 3.11 to 3.14 on x86_64 and aarch64.
"""

import contextlib
import hashlib
import html as entities
import re
import tempfile
import threading
import unicodedata
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import hyperscan

from extract.lexicon import CLUES, IMPLIED, Lexicon, core, default

# What may stand between the words of a phrase: anything but letters, digits; tags and entities.
_GAP = r"(?:[^a-z0-9<&]|<[^>]*>|&[a-z0-9#]+;)*"
_WHO = ("official", "bystander")
_HIDDEN = len(CLUES)  # the id of the patterns that say: letters may be hidden here
_HIDING = (
    r"&#0*(?:6[5-9]|[78]\d|9[07-9]|1[01]\d|12[0-2]);?",  # &#101;
    r"&#x0*(?:4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a]);?",  # &#x65;
    r"&#(?:0*1(?:19[89]|20[0-8])\d\d|x0*1d[4-7][0-9a-f]{2}|653\d\d|x0*ff[2-5][0-9a-f]);?",
    r"\xf0\x9d[\x90-\x9f]",  # mathematical letters in UTF-8
    r"\xef\xbc[\xa1-\xba]|\xef\xbd[\x81-\x9a]",  # full-width letters
    r"\xc2\xad|\xe2\x80[\x8b-\x8d]|&shy;|&#173;|&#xad;|&zwn?j;|&#820[3-5];|<wbr",
    r"\x00",  # UTF-16 and UTF-32
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d]|<wbr[^>]*>", re.IGNORECASE)
_local = threading.local()
_folder: Path | None = None  # where the compiled phrases are kept; see `prepare`


def passes(html: bytes) -> bool:
    """Whether the page goes on to extraction. Time linear in its length, about 0.1 ms per 100 KB;
    any charset, and bytes that are no HTML at all, are welcome."""
    found = _scan(html)
    if _enough(found):
        return True
    return bool(found >> _HIDDEN & 1) and _enough(_scan(_plain(html)))


def _enough(found: int) -> bool:
    return any(found & needs == needs for needs in _needs())


def _scan(html: bytes) -> int:
    """The clues that occur, as bits in the order of CLUES, and the bit _HIDDEN; ends early where
    they are enough."""
    found, bits = 0, _bits()

    def see(clue: int, start: int, end: int, flags: int, context: Any) -> bool:
        nonlocal found
        if found | bits[clue] == found:
            return False
        found |= bits[clue]
        return _enough(found)

    with contextlib.suppress(hyperscan.ScanTerminated):
        _database().scan(html, match_event_handler=see)
    return found


def _plain(html: bytes) -> bytes:
    """The page with nothing hidden, as UTF-8."""
    if html.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        text = html.decode("utf-32", "replace")
    elif html.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = html.decode("utf-16", "replace")
    else:
        text = html.replace(b"\0", b"").decode("utf-8", "replace")
    text = unicodedata.normalize("NFKC", entities.unescape(text))
    return _INVISIBLE.sub("", text).encode("utf-8", "replace")


@cache
def _needs() -> tuple[int, ...]:
    """What a page must have, as bits: any one of these. The duty alone is enough, for few other
    pages ever say "netral"; else one who must keep it, and an election or the taking of sides."""
    needs = [
        {"duty"},
        *({who, what} for who in _WHO for what in ("politics", "oversight", "sides")),
    ]
    return tuple(sum(1 << CLUES.index(clue) for clue in n) for n in needs)


@cache
def _bits() -> tuple[int, ...]:
    """What each clue, and last the pattern that letters may be hidden, adds to what was found."""
    meant = [{clue, IMPLIED.get(clue, clue)} for clue in CLUES]
    return (*(sum(1 << CLUES.index(c) for c in m) for m in meant), 1 << _HIDDEN)


def prepare(folder: Path) -> None:
    """Compile the phrases, which takes most of half a second; or take them, as they were compiled
    for this machine before, from `folder`, and keep them there."""
    global _folder
    _folder = folder
    _compiled.cache_clear()
    _local.database = _load(_compiled())


def _database() -> hyperscan.Database:
    """The compiled phrases; one copy a thread, as a scan needs scratch memory of its own."""
    database: hyperscan.Database | None = getattr(_local, "database", None)
    if database is None:
        database = _local.database = _load(_compiled())
    return database


def _load(compiled: bytes) -> hyperscan.Database:
    """Raises hyperscan.HyperscanError where it was compiled for another machine, or is broken."""
    database = hyperscan.loadb(compiled, hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    return database


@cache
def _compiled() -> bytes:
    patterns = _all_patterns(default())
    if _folder is None:
        return _compile(patterns)
    digest = hashlib.sha256(repr(patterns).encode()).hexdigest()
    path = _folder / f"gate-{digest[:32]}"
    with contextlib.suppress(OSError, hyperscan.HyperscanError):
        compiled = path.read_bytes()
        _load(compiled)
        return compiled
    compiled = _compile(patterns)
    with contextlib.suppress(OSError):
        _folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=_folder, delete=False) as new:
            new.write(compiled)
        Path(new.name).replace(path)
    return compiled


def _all_patterns(lexicon: Lexicon) -> list[tuple[bytes, int, int]]:
    """Each pattern over bytes, the number of its clue, and its flags."""
    patterns: set[tuple[bytes, int, int]] = {
        (p.encode("ascii"), _HIDDEN, hyperscan.HS_FLAG_CASELESS) for p in _HIDING
    }
    for number, clue in enumerate(CLUES):
        beginnings: defaultdict[str, list[str]] = defaultdict(list)
        for phrase in _needed(lexicon.clue(clue)):
            first, _, rest = phrase.partition(" ")
            beginnings[first].append(rest)
        for first, rests in beginnings.items():
            patterns |= {(p.encode(), number, f) for p, f in _patterns(first, rests)}
    return sorted(patterns)


def _compile(patterns: list[tuple[bytes, int, int]]) -> bytes:
    database = hyperscan.Database()
    expressions, ids, flags = zip(*patterns, strict=True)
    single = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL
    database.compile(
        expressions=expressions, ids=ids, elements=len(ids), flags=[f | single for f in flags]
    )
    return hyperscan.dumpb(database)


def _needed(phrases: tuple[str, ...]) -> list[str]:
    """The phrases without those in which a shorter one would be found anyway: fewer patterns,
    faster scans."""
    kept: list[str] = []
    short: list[tuple[str, ...]] = []  # those of one word that are found inside others, as parts
    for phrase in sorted(sorted(set(phrases)), key=len):  # in one order, for `prepare`
        words = [_parts(word) for word in phrase.split()]
        if any(_within(found, word) for found in short for word in words):
            continue
        kept.append(phrase)
        if len(words) == 1 and min(map(len, words[0])) > 4:
            short += words
    return kept


def _within(short: tuple[str, ...], word: tuple[str, ...]) -> bool:
    return all(any(s in part for s in short) for part in word)


def _patterns(first: str, rests: list[str]) -> list[tuple[str, int]]:
    """The phrases that begin with `first` as patterns over bytes. A word of up to four letters
    alone would occur by chance inside others, in scripts and addresses: it must stand alone, or
    where the case changes."""
    caseless = hyperscan.HS_FLAG_CASELESS
    if alone := "" in rests:
        rests = [rest for rest in rests if rest]
    patterns = []
    if rests:
        following = (_GAP.join(map(_part, rest.split())) for rest in rests)
        patterns.append((f"{_part(first)}{_GAP}(?:{'|'.join(following)})", caseless))
    if alone and (len(first) > 4 or not first.isalnum()):
        patterns.append((_part(first), caseless))
    elif alone:
        upper, capital = first.upper(), first.capitalize()
        patterns += [
            (rf"\b{first}(?:nya)?\b", caseless),
            (rf"(?:^|[^A-Z0-9]){upper}(?:[^A-Z0-9]|$)", 0),  # paraASNdan
            (rf"{capital}(?:[^a-z]|$)", 0),  # paraGuru
            (rf"\b(?:{first}|{capital})[A-Z]", 0),  # guruSD
        ]
    return patterns


def _part(word: str) -> str:
    """One word of a phrase as a pattern, to be found inside others as well."""
    return "[0-9]+" if word == "#" else f"(?:{'|'.join(map(re.escape, _parts(word)))})"


def _parts(word: str) -> tuple[str, ...]:
    """One of these is in every form of a phrase's word."""
    return core(word[1:]) if word.startswith("~") else (word.strip("*"),)
