"""Finding findings: by words and by what they are filtered by, the newest first, in pages.

Every finding has facets ("ksanction", "p5108"): whatever it can be filtered by, as words. SQLite
indexes them with title and text in one FTS5 table whose row ids grow with the time a finding was
told, so that a search is a walk through that index from its newest end; PostgreSQL has them in one
GIN index beside the words, which it stems (see docs/findings.md).
"""

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any, Literal, cast

from sqlalchemy import (
    ColumnElement,
    Select,
    column,
    exists,
    func,
    literal,
    literal_column,
    select,
    table,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from extract.article import Place
from extract.lexicon import KINDS, SUBJECTS
from extract.query import Both, Either, Node, Not, Words, parse
from storage.models import Finding, FindingPlace, Review, Story
from storage.stories import local_time

COUNTED = 1_000  # findings that a page counts; of more it says so
IDS = 30  # bits of a row id in the full-text index that are the finding's id
# FTS5 has an index of what words begin with, of 2, 4 and 6 letters; that begins with 3 or 5 which
# begins with one more of these
BETWEEN = (3, 5)
LETTERS = string.digits + string.ascii_lowercase + "ßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ"
LEVELS = 20  # of the score, that have a facet each
SHOWN = 240  # characters of a text that a row shows
LEAD_IN = 60  # of these, before the first word looked for

State = Literal["new", "checked", "escalated", "closed"]
STATES: tuple[State, ...] = ("new", "checked", "escalated", "closed")

_ALL = "all"  # the facet of every finding
_PIECE = re.compile(r"[^\W_]+")


class CursorError(ValueError):
    """A cursor that no page gave; its text is one sentence."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which findings are asked for; what is empty asks nothing, and all that is said must hold.

    `words` is a boolean query of title and text (see `extract.query`). `places` are the codes of
    provinces ("51"), regencies and cities ("51.08"), of which one must be among a finding's.
    `since` and `until` are about when they were told: published, or else found; `found_since` and
    `found_until` about when they were found. `assigned_to`: the id of a person, 0 for nobody.
    `relevant`: True leaves out what a reviewer called not relevant, False asks for that alone;
    `borderline` and `quiet` (old news) likewise."""

    words: str | None = None
    kinds: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    outlets: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    found_since: datetime | None = None
    found_until: datetime | None = None
    least_score: float = 0.0
    states: tuple[str, ...] = ()
    assigned_to: int | None = None
    story: int | None = None
    relevant: bool | None = None
    borderline: bool | None = None
    quiet: bool | None = None


@dataclass(frozen=True, slots=True)
class Marked:
    """A text, and where in it the words looked for stand: (start, end), in order."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A finding as a list shows it. `published` has the outlet's offset; `told` is when it was
    published, or else found, UTC. `snippet` is a part of the text: around the first word looked
    for, else the first proving sentence. `story_count` is how many findings tell its story."""

    id: int
    url: str
    outlet: str
    title: Marked
    snippet: Marked
    published: datetime | None
    found: datetime
    told: datetime
    kind: str
    score: float
    borderline: bool
    quiet: bool
    paid: bool
    subjects: tuple[str, ...]
    places: tuple[Place, ...]
    story: int | None
    story_count: int
    state: State
    relevant: bool | None
    assigned_to: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some findings, the newest told first. `next` is the cursor of the page after, none at the
    end. There are `total` findings in all; where not `exact`, more than that."""

    rows: tuple[Row, ...]
    next: str | None
    total: int
    exact: bool


# --- What a finding is filtered by ----------------------------------------------------------------


def facets(
    *,
    kind: str,
    outlet: str,
    subjects: Iterable[str],
    places: Iterable[str],
    score: float,
    borderline: bool,
    quiet: bool,
    state: str = "new",
    assigned_to: int | None = None,
    dismissed: bool = False,
) -> tuple[str, ...]:
    """The facets of a finding; `places` are codes, of which each stands for the areas around it,
    too."""
    around = {code[:length] for code in places for length in (2, 5, 8) if len(code) >= length}
    flags = {"borderline": borderline, "quiet": quiet, "dismissed": dismissed}
    return (
        _ALL,
        _facet("k", kind),
        _outlet(outlet),
        *(_facet("s", subject) for subject in sorted(set(subjects))),
        *(_facet("p", code) for code in sorted(around)),
        _facet("w", state),
        _facet("a", str(assigned_to or 0)),
        _level(_level_of(score)),
        *(_facet("f", flag) for flag, on in flags.items() if on),
    )


def describe(row: Finding, review: Review | None) -> None:
    """Give `row` the facets of what it and its review say."""
    row.facets = facets(
        kind=row.kind,
        outlet=row.outlet,
        subjects=row.subjects,
        places=[place.code for place in row.places],
        score=row.score,
        borderline=row.borderline,
        quiet=row.quiet,
        state=review.state if review else "new",
        assigned_to=review.assigned_to if review else None,
        dismissed=bool(row.dismissed),
    )


def sort_of(facet: str) -> str:
    """Its first letter; "r" for regencies and cities, "d" for districts."""
    sorts = {("p", 5): "r", ("p", 7): "d"}
    return sorts.get((facet[0], len(facet)), facet[0])


def name_of(facet: str) -> str:
    """The kind, subject, outlet or area's code that a facet says."""
    match facet[0], facet[1:]:
        case "o", name:
            return bytes.fromhex(name).decode()
        case "p", code:
            return ".".join(code[at : at + 2] for at in range(0, len(code), 2))
    return _NAMES[facet]


def _facet(what: str, value: str) -> str:
    return what + re.sub(r"[^a-z0-9]", "", value.lower())


_NAMES = {_facet("k", kind): kind for kind in (*KINDS, "other")} | {
    _facet("s", subject): subject for subject in (*SUBJECTS, "other")
}


def _outlet(name: str) -> str:
    return "o" + name.encode().hex()  # names may differ in a dash alone


def _level_of(score: float) -> int:
    return min(max(int(score * LEVELS + 1e-9), 0), LEVELS - 1)


def _is_between(score: float) -> bool:
    """Whether it is between two facets."""
    return abs(score * LEVELS - round(score * LEVELS)) > 1e-6


def _level(level: int) -> str:
    return f"c{level:02}"


@dataclass(frozen=True, slots=True)
class _Facets:
    """A search in facets: one of each group of `some`, nothing of `none`, and `words`."""

    some: tuple[tuple[str, ...], ...]
    none: tuple[str, ...]
    words: Node | None

    @classmethod
    def of(cls, search: Search) -> "_Facets":
        some = [
            tuple(_facet("k", kind) for kind in search.kinds),
            tuple(_facet("s", subject) for subject in search.subjects),
            tuple(_facet("p", code) for code in search.places),
            tuple(map(_outlet, search.outlets)),
            tuple(_facet("w", state) for state in search.states),
        ]
        if search.assigned_to is not None:
            some.append((_facet("a", str(search.assigned_to)),))
        if search.least_score > 0:
            least = _level_of(search.least_score)
            some.append(tuple(_level(level) for level in range(least, LEVELS)))
        none = []
        for flag, wanted in _flags(search).items():
            if wanted:
                some.append((_facet("f", flag),))
            elif wanted is False:
                none.append(_facet("f", flag))
        words = parse(search.words).node if search.words and search.words.strip() else None
        return cls(tuple(filter(None, some)), tuple(none), words)


def _flags(search: Search) -> dict[str, bool | None]:
    return {
        "dismissed": None if search.relevant is None else not search.relevant,
        "borderline": search.borderline,
        "quiet": search.quiet,
    }


# --- Searching ------------------------------------------------------------------------------------


def page(session: Session, search: Search, cursor: str | None = None, *, limit: int = 50) -> Page:
    """The findings that `search` asks for, `limit` of them from `cursor` on. Raises QueryError
    (`extract.query`) for words that cannot be read, and CursorError."""
    if cursor:
        before, total = _read(cursor)
        ranks = _ranks(session, search, before, limit + 1)
    elif session.get_bind().dialect.name == "postgresql":
        # apart: it would sort all that fits to give so many in order
        ranks = _ranks(session, search, None, limit + 1)
        total = count(session, search) if len(ranks) > limit else len(ranks)
    else:
        ranks = _ranks(session, search, None, max(COUNTED, limit) + 1)
        total = len(ranks)
    rows = _rows(session, [_id_of(rank) for rank in ranks[:limit]], _Facets.of(search).words)
    after = f"{ranks[limit - 1]:x}.{total:x}" if len(ranks) > limit else None
    return Page(tuple(rows), after, min(total, COUNTED), total <= COUNTED)


def ids(session: Session, search: Search, *, batch: int = 200) -> Iterator[int]:
    """The ids of all findings that `search` asks for, the newest told first. Raises QueryError."""
    before = None
    while ranks := _ranks(session, search, before, batch):
        yield from map(_id_of, ranks)
        before = ranks[-1]
        if len(ranks) < batch:
            return


def count(session: Session, search: Search) -> int:
    """How many findings `search` asks for, at most COUNTED + 1. Raises QueryError."""
    query = _matching(session, search).limit(COUNTED + 1)
    wanted = _on_facets(search)
    # in order, what is not old news is met first, and flags alone are read from the index
    if search.quiet is not False and (wanted.some or wanted.words):
        query = query.order_by(None)
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


def _read(cursor: str) -> tuple[int, int]:
    """The rank that a cursor begins after, and how many findings the first page counted."""
    parts = re.fullmatch(r"([0-9a-f]{1,15}|[0-7][0-9a-f]{15})\.([0-9a-f]{1,6})", cursor)
    if not parts:
        raise CursorError("This is not a cursor: take it from the page before.")
    return int(parts[1], 16), int(parts[2], 16)


def _id_of(rank: int) -> int:
    return rank & ((1 << IDS) - 1)


def _ranks(session: Session, search: Search, before: int | None, limit: int) -> Sequence[int]:
    """Of the newest `limit` before the rank `before`: the time told and the id in one number."""
    query = _matching(session, search, before).limit(limit)
    return session.scalars(query).all()


_INDEX = table("findings_words", column("rowid"), column("findings_words"))
_RANK = Finding.told.op("<<")(literal_column(str(IDS))) + Finding.id


def _matching(session: Session, search: Search, before: int | None = None) -> Select[int]:
    """The ranks of the findings asked for, in order."""
    if session.get_bind().dialect.name == "postgresql":
        return _on_postgresql(search, before)
    wanted = _Facets.of(search)
    if not wanted.some and not wanted.none and not wanted.words:
        return _in_order(search, before)
    match = _INDEX.c.findings_words.bool_op("MATCH")(_expression(wanted))
    if search.story is not None:  # few: each is looked up
        looked_up = exists().where(match, _INDEX.c.rowid == _RANK).correlate(Finding)
        return _in_order(search, before).where(looked_up)
    query = select(_INDEX.c.rowid).where(match).order_by(_INDEX.c.rowid.desc())
    if search.since:
        query = query.where(_INDEX.c.rowid >= _second(search.since) << IDS)
    if search.until:
        query = query.where(_INDEX.c.rowid < _second(search.until) << IDS)
    if before is not None:
        query = query.where(_INDEX.c.rowid < before)
    if more := _conditions(search):
        this = Finding.id == _INDEX.c.rowid.op("&")(literal_column(str((1 << IDS) - 1)))
        query = query.where(exists().where(this, *more).correlate(_INDEX))
    return query


def _in_order(search: Search, before: int | None) -> Select[int]:
    """The ranks by what the index has no facets of."""
    query = select(_RANK).order_by(Finding.told.desc(), Finding.id.desc())
    if search.since:
        query = query.where(Finding.told >= _second(search.since))
    if search.until:
        query = query.where(Finding.told < _second(search.until))
    if before is not None:
        query = query.where(tuple_(Finding.told, Finding.id) < (before >> IDS, _id_of(before)))
    return query.where(*_conditions(search))


def _second(moment: datetime) -> int:
    """The first whole second from `moment` on."""
    return max(0, min(ceil(moment.timestamp()), 2**33 - 1))


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if _is_between(search.least_score):
        conditions.append(Finding.score >= search.least_score)
    if search.found_since:
        conditions.append(Finding.found >= search.found_since)
    if search.found_until:
        conditions.append(Finding.found < search.found_until)
    if search.story is not None:
        conditions.append(Finding.story_id == search.story)
    return conditions


# --- As the databases write it --------------------------------------------------------------------


def _expression(wanted: _Facets) -> str:
    """In FTS5's language. Words are letters and digits, so that nothing in them is read as its
    syntax."""
    parts = [_any_of(group) for group in wanted.some]
    if wanted.words:
        parts.append(_fts5(wanted.words))
    positive = " AND ".join(parts) or _any_of([_ALL])
    return f"({positive}) NOT {_any_of(wanted.none)}" if wanted.none else positive


def _any_of(group: Sequence[str]) -> str:
    return f"facets:({' OR '.join(group)})"


def _fts5(node: Node) -> str:
    return _written(_negations_down(node))[1]


def _negations_down(node: Node, negative: bool = False) -> Node:
    """The same with NOT before words only."""
    match node:
        case Words():
            return Not(node) if negative else node
        case Not(part):
            return _negations_down(part, not negative)
        case Both(parts) | Either(parts):
            kind = Both if isinstance(node, Both) is not negative else Either
            return kind(tuple(_negations_down(part, negative) for part in parts))


def _written(node: Node) -> tuple[int, str]:
    """How deep it goes, and its text: what goes deepest stands first, for FTS5's parser has a small
    stack. There, NOT stands between two sides and binds first."""
    match node:
        case Words(said, prefix):
            return 0, f"{{title text}}:{_phrase(said, prefix)}"
        case Not(part):
            return 0, f"({_any_of([_ALL])} NOT {_written(part)[1]})"
        case Either(parts):
            written = sorted(map(_written, parts), reverse=True)
            return written[0][0] + 1, f"({' OR '.join(text for _, text in written)})"
        case Both(parts):
            unwanted = [_written(part.part)[1] for part in parts if isinstance(part, Not)]
            wanted = [_written(part) for part in parts if not isinstance(part, Not)]
            (depth, first), *rest = sorted(wanted, reverse=True) or [(0, _any_of([_ALL]))]
            sure = "".join(f" NOT {text}" for text in unwanted)
            return depth + 1, f"({' AND '.join([first + sure, *(text for _, text in rest)])})"


def _phrase(said: Sequence[str], prefix: bool) -> str:
    words = " ".join(said)
    if prefix and len(said[-1]) in BETWEEN:
        longer = " OR ".join(f'"{words}{letter}"*' for letter in LETTERS)
        return f'("{words}" OR {longer})'
    return f'"{words}"{"*" if prefix else ""}'


def _on_postgresql(search: Search, before: int | None) -> Select[int]:
    """Scores and flags are in the index by time, where no facet is; what is rare or common the
    planner knows."""
    wanted = _on_facets(search)
    query = _in_order(search, before)
    for flag, on in _flags(search).items():
        if on is not None:
            query = query.where(getattr(Finding, flag).is_(on))
    single = [group[0] for group in wanted.some if len(group) == 1]
    if single:
        query = query.where(Finding.facets.bool_op("@>")(_array(single)))
    for group in wanted.some:
        if len(group) > 1:
            query = query.where(Finding.facets.bool_op("&&")(_array(group)))
    if wanted.words:
        asked = func.to_tsquery(literal_column("'indonesian'::regconfig"), _tsquery(wanted.words))
        query = query.where(literal_column("findings.words").bool_op("@@")(asked))
    return query


def _on_facets(search: Search) -> _Facets:
    """What PostgreSQL is to find by facets and words: not the flags, and a score between two facets
    only beside something else."""
    unflagged = replace(search, relevant=None, borderline=None, quiet=None)
    without_score = _Facets.of(replace(unflagged, least_score=0.0))
    is_alone = not without_score.some and not without_score.words
    return without_score if is_alone and _is_between(search.least_score) else _Facets.of(unflagged)


def _array(words: Sequence[str]) -> ColumnElement[Any]:
    return literal(list(words), ARRAY(Text()))


def _tsquery(node: Node) -> str:
    match node:
        case Words(said, prefix):
            phrase = " <-> ".join(f"'{word}'" for word in said)
            return f"({phrase}{':*' if prefix else ''})"
        case Not(part):
            return f"!{_tsquery(part)}"
        case Both(parts):
            return f"({' & '.join(map(_tsquery, parts))})"
        case Either(parts):
            return f"({' | '.join(map(_tsquery, parts))})"


# --- As a list shows it ---------------------------------------------------------------------------


def _rows(session: Session, wanted: Sequence[int], words: Node | None) -> Iterator[Row]:
    """The rows of the findings with these ids, in this order."""
    query = (
        select(Finding, Story.count, Review.state, Review.relevant, Review.assigned_to)
        .outerjoin(Story, Story.id == Finding.story_id)
        .outerjoin(Review, Review.finding_id == Finding.id)
        .where(Finding.id.in_(wanted))
    )
    found = {row[0].id: row for row in session.execute(query)}
    places: dict[int, list[Place]] = {}
    query_places = (
        select(FindingPlace)
        .where(FindingPlace.finding_id.in_(wanted))
        .order_by(FindingPlace.position)
    )
    for place in session.scalars(query_places):
        spot = Place(place.code, place.level, place.name, place.province)
        places.setdefault(place.finding_id, []).append(spot)
    said = tuple(_said(words)) if words else ()
    for id_ in wanted:
        if id_ not in found:
            continue
        row, story_count, state, relevant, assigned_to = found[id_]
        yield Row(
            id=row.id,
            url=row.url,
            outlet=row.outlet,
            title=Marked(row.title, marks(row.title, said)),
            snippet=_snippet(row, said),
            published=local_time(row),
            found=row.found,
            told=datetime.fromtimestamp(row.told, UTC),
            kind=row.kind,
            score=row.score,
            borderline=row.borderline,
            quiet=row.quiet,
            paid=row.paid,
            subjects=tuple(row.subjects),
            places=tuple(places.get(id_, ())),
            story=row.story_id,
            story_count=story_count or 1,
            state=cast(State, state or "new"),
            relevant=relevant,
            assigned_to=assigned_to,
        )


def _said(node: Node) -> Iterator[Words]:
    """The words that a finding is wanted for."""
    match node:
        case Words():
            yield node
        case Both(parts) | Either(parts):
            for part in parts:
                yield from _said(part)


def marks(text: str, said: Sequence[Words]) -> tuple[tuple[int, int], ...]:
    """Where in `text` one of `said` stands; what a database finds by its stem only is not marked.
    Takes time in proportion to the text."""
    if not said:
        return ()
    pieces = [
        (found.start(), found.end(), unicodedata.normalize("NFKC", found[0]).casefold())
        for found in _PIECE.finditer(text)
    ]
    by_first: dict[str, list[Words]] = {}
    beginnings: list[Words] = []
    for words in said:
        if words.prefix and len(words.words) == 1:
            beginnings.append(words)
        else:
            by_first.setdefault(words.words[0], []).append(words)
    stems = tuple(words.words[0] for words in beginnings)
    found: list[tuple[int, int]] = []
    for at, (start, end, piece) in enumerate(pieces):
        length = 1 if stems and piece.startswith(stems) else 0
        for words in by_first.get(piece, ()):
            if _stands(words, [piece for _, _, piece in pieces[at : at + len(words.words)]]):
                length = max(length, len(words.words))
        if not length:
            continue
        end = pieces[at + length - 1][1]
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def _stands(words: Words, pieces: Sequence[str]) -> bool:
    *whole, last = words.words
    if len(pieces) != len(words.words) or [*pieces[:-1]] != whole:
        return False
    return pieces[-1].startswith(last) if words.prefix else pieces[-1] == last


def _snippet(row: Finding, said: Sequence[Words]) -> Marked:
    stand = marks(row.text, said)
    proof = next((e["start"] for e in row.evidence if e.get("where", "text") == "text"), 0)
    start = _word_start(row.text, max(0, stand[0][0] - LEAD_IN)) if stand else proof
    shown = row.text[start : start + SHOWN]
    if start + SHOWN < len(row.text):
        shown = shown.rsplit(None, 1)[0] if " " in shown else shown
    inside = ((s - start, e - start) for s, e in stand if s >= start and e <= start + len(shown))
    return Marked(shown, tuple(inside))


def _word_start(text: str, at: int) -> int:
    """The beginning of the first word from `at` on."""
    if at == 0:
        return 0
    space = re.compile(r"\s+").search(text, at, at + LEAD_IN)
    return space.end() if space else at
