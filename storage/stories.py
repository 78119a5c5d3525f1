"""Stories: findings that tell the same thing find each other as they come in.

Each finding leaves marks (bands of its text's MinHash, what happened where in which week, who is
named in which province); a new one looks up the findings with the same marks, at most NEWEST of
each, and is compared with the few that share most. So the cost does not grow with what is stored.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from struct import Struct

from sqlalchemy import bindparam, delete, func, select, text, update
from sqlalchemy.orm import Session

from extract import likeness
from extract.article import Article, Place, Verdict
from extract.likeness import Telling, Wording
from storage import models
from storage.writing import insert_all, next_ids

NEWEST = 16  # findings read by one mark
COMPARED = 12  # findings, those that share most marks
LOCK = 0x73746F727921  # "story!"
NONE = frozenset[str]()
UNREAD = Wording((), NONE, NONE, NONE, NONE, NONE, ())  # told too long before to be compared


@dataclass(frozen=True, slots=True)
class Report:
    """A finding, as its story lists it; `published` is aware, with the outlet's offset."""

    id: int
    outlet: str
    title: str
    url: str
    published: datetime | None
    kind: str


@dataclass(frozen=True, slots=True)
class Story:
    """`first` is the id of the finding that was stored first, `begun` when that was published (or
    else found), `latest` when the last one was found, both UTC. `findings` are in the order of
    their publication; `count` is how many they are."""

    id: int
    first: int
    count: int
    begun: datetime
    latest: datetime
    findings: tuple[Report, ...]


def get_story(session: Session, story_id: int) -> Story | None:
    """The story with this id."""
    row = session.get(models.Story, story_id)
    if row is None:
        return None
    members = session.scalars(
        select(models.Finding)
        .where(models.Finding.story_id == story_id)
        .order_by(func.coalesce(models.Finding.published, models.Finding.found), models.Finding.id)
    )
    reports = tuple(Report(f.id, f.outlet, f.title, f.url, local_time(f), f.kind) for f in members)
    return Story(row.id, row.first, row.count, row.begun, row.latest, reports)


def local_time(row: models.Finding) -> datetime | None:
    """When it was published, with the outlet's offset."""
    if row.published is None or row.published_offset is None:
        return row.published
    return row.published.astimezone(timezone(timedelta(minutes=row.published_offset)))


@dataclass(frozen=True, slots=True)
class _Told:
    """A finding that another one may be like."""

    story: int
    telling: Telling


@dataclass(slots=True)
class _Memory:
    """What new findings, told at `moments`, are compared with: by mark the newest that have it,
    newest first; the findings among them, and those that their stories (`first`) began with."""

    newest: dict[str, list[int]]
    moments: list[datetime]
    told: dict[int, _Told] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)


def assign(
    session: Session,
    found: Sequence[models.Finding],
    now: datetime,
    wordings: Mapping[int, Wording | None],
) -> dict[int, Telling]:
    """Put the new findings, which have ids and are not written yet, into the stories they tell, one
    after another, or begin one; gives what they tell, by their ids, to be written (`write`) after
    them. `wordings` are those that were prepared.

    Whoever else assigns waits until this transaction ends: of two findings of one story that come
    at once, the second sees the first."""
    tellings = {row.id: _telling(row, wordings.get(row.id)) for row in found}
    if session.get_bind().dialect.name == "postgresql":  # SQLite's writers take turns anyway
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    originals = _originals(session, found)
    sought = {id_: likeness.sought(telling) for id_, telling in tellings.items()}
    memory = _Memory(
        _newest(session, {mark for marks in sought.values() for mark in marks}),
        [telling.told for telling in tellings.values()],
    )
    near = {id_ for marks in sought.values() for id_ in _ranked(memory.newest, marks)}
    _recall(session, memory, near | originals)
    ids = iter(next_ids(session, models.Story, len(found)))
    begun: dict[int, dict[str, object]] = {}
    more: Counter[int] = Counter()
    for row in found:
        telling = tellings[row.id]
        original = memory.told.get(row.same_as or 0)
        story_id = (
            original.story if original else _told_before(session, memory, telling, sought[row.id])
        )
        if story_id is None:
            story_id = next(ids)
            memory.first[story_id] = row.id
            begun[story_id] = {"id": story_id, "first": row.id, "begun": telling.told}
        row.story_id = story_id
        more[story_id] += 1
        memory.told[row.id] = _Told(story_id, telling)
        for trait in likeness.marks(telling):
            memory.newest[trait] = [row.id, *memory.newest.get(trait, ())][:NEWEST]
    insert_all(
        session,
        models.Story,
        [{**story, "count": more.pop(id_), "latest": now} for id_, story in begun.items()],
    )
    if more:
        _grow(session, more, now)
    return tellings


def write(session: Session, tellings: Mapping[int, Telling]) -> None:
    """Write by what findings, by their ids, are found and compared: of new ones."""
    insert_all(
        session,
        models.Wording,
        [{"finding_id": id_, **_stored(telling.wording)} for id_, telling in tellings.items()],
    )
    insert_all(
        session,
        models.Mark,
        [
            {"mark": mark, "finding_id": id_}
            for id_, telling in tellings.items()
            for mark in likeness.marks(telling)
        ],
    )


def _grow(session: Session, more: Counter[int], now: datetime) -> None:
    story = models.Story
    query = (
        update(story)
        .where(story.id == bindparam("story"))
        .values(count=story.count + bindparam("more"), latest=now)
    )
    rows = [{"story": story_id, "more": count} for story_id, count in sorted(more.items())]
    session.connection().execute(query, rows)


def _originals(session: Session, copies: Sequence[models.Finding]) -> set[int]:
    """The stored findings whose copies they are; one from before there were stories begins its own
    now."""
    ids = {copy.same_as for copy in copies if copy.same_as} - {copy.id for copy in copies}
    finding = models.Finding
    query = select(finding).where(finding.id.in_(ids), finding.story_id.is_(None))
    for first in session.scalars(query.order_by(finding.id)).all() if ids else ():
        _begin_late(session, first)
    return ids


def _begin_late(session: Session, first: models.Finding) -> None:
    telling = _telling(first)
    story = models.Story(first=first.id, count=1, begun=telling.told, latest=first.found)
    session.add(story)
    session.flush()
    first.story_id = story.id
    session.flush()
    write(session, {first.id: telling})


def _told_before(
    session: Session, memory: _Memory, telling: Telling, marks: Sequence[str]
) -> int | None:
    """The story that a finding tells, too; of several the one that shares most marks."""
    ranked = _ranked(memory.newest, marks)
    if missing := {*ranked} - memory.told.keys():  # new ones took the place of others
        _recall(session, memory, missing)
    ranked = [id_ for id_ in ranked if id_ in memory.told]
    for story in dict.fromkeys(memory.told[id_].story for id_ in ranked):
        first = memory.told[memory.first[story]]
        latest = max(id_ for id_ in ranked if memory.told[id_].story == story)
        if likeness.continues(telling, first.telling, memory.told[latest].telling):
            return story
    return None


def _ranked(newest: Mapping[str, Sequence[int]], marks: Sequence[str]) -> list[int]:
    """The findings that share most of `marks`."""
    shared = Counter(id_ for mark in marks for id_ in newest.get(mark, ()))
    return sorted(shared, key=lambda id_: (-shared[id_], -id_))[:COMPARED]


def _recall(session: Session, memory: _Memory, ids: Set[int]) -> None:
    """Remember these findings, and what their stories began with."""
    finding = models.Finding
    columns = finding.id, finding.story_id, finding.published, finding.found, finding.kind
    query = select(*columns, models.Story.first).join(
        models.Story, models.Story.id == finding.story_id
    )
    rows = {row.id: row for row in session.execute(query.where(finding.id.in_(ids)))}
    memory.first |= {row.story_id: row.first for row in rows.values()}
    # asked for apart: in one query with the others PostgreSQL would read the whole table
    firsts = {row.first for row in rows.values()} - rows.keys() - memory.told.keys()
    if firsts:
        rows |= {row.id: row for row in session.execute(query.where(finding.id.in_(firsts)))}
    told = {id_: row.published or row.found for id_, row in rows.items()}
    comparable = [
        id_
        for id_, moment in told.items()
        if any(abs(moment - other) <= likeness.DEVELOPED for other in memory.moments)
    ]
    said, places = wordings(session, comparable), _places(session, comparable)
    for id_, row in rows.items():
        verdict = Verdict(relevant=True, score=1, kind=row.kind, places=tuple(places[id_]))
        telling = likeness.read(Article("", "", ""), verdict, told[id_], said.get(id_, UNREAD))
        memory.told[id_] = _Told(row.story_id, telling)


def _newest(session: Session, marks: Set[str]) -> dict[str, list[int]]:
    """Of each of `marks` the NEWEST findings that have it, newest first."""
    if session.get_bind().dialect.name == "postgresql":
        query = (
            "SELECT mark, ARRAY(SELECT finding_id FROM marks WHERE marks.mark = asked.mark"
            " ORDER BY finding_id DESC LIMIT :newest)"
            " FROM unnest(CAST(:marks AS text[])) AS asked(mark)"
        )
        rows = session.execute(text(query), {"marks": sorted(marks), "newest": NEWEST})
        return {mark: ids for mark, ids in rows if ids}
    query = (
        "SELECT value, (SELECT group_concat(finding_id) FROM (SELECT finding_id FROM marks"
        " WHERE mark = value ORDER BY finding_id DESC LIMIT :newest)) FROM json_each(:marks)"
    )
    rows = session.execute(text(query), {"marks": json.dumps(sorted(marks)), "newest": NEWEST})
    return {mark: sorted(map(int, ids.split(",")), reverse=True) for mark, ids in rows if ids}


def wordings(session: Session, ids: Sequence[int]) -> dict[int, Wording]:
    """What findings are compared by: as it was stored, or else read from their text."""
    finding, stored = models.Finding, models.Wording
    query = select(stored.finding_id, stored.minhash, stored.words)
    rows = session.execute(query.where(stored.finding_id.in_(ids)))
    found = {id_: _restored(minhash, words) for id_, minhash, words in rows}
    if missing := {*ids} - found.keys():
        texts = select(finding.id, finding.title, finding.text).where(finding.id.in_(missing))
        for id_, title, body in session.execute(texts):
            found[id_] = likeness.prepare(Article("", title, body))
    return found


def _places(session: Session, ids: Sequence[int]) -> defaultdict[int, list[Place]]:
    place = models.FindingPlace
    columns = place.finding_id, place.code, place.level, place.name, place.province
    places: defaultdict[int, list[Place]] = defaultdict(list)
    query = select(*columns).where(place.finding_id.in_(ids)).order_by(place.position)
    for id_, *where in session.execute(query):
        places[id_].append(Place(*where))
    return places


_MINHASH = Struct(f"<{likeness.PERMUTATIONS}I")


def _stored(wording: Wording) -> dict[str, object]:
    of = wording.names, wording.actors, wording.voices, wording.areas, wording.days, wording.terms
    return {"minhash": _MINHASH.pack(*wording.minhash), "words": "\n".join(map(" ".join, of))}


def _restored(minhash: bytes, words: str) -> Wording:
    *sets, terms = map(str.split, words.split("\n"))
    names, actors, voices, areas, days = map(frozenset, sets)
    return Wording(_MINHASH.unpack(minhash), names, actors, voices, areas, days, tuple(terms))


def forget(session: Session, finding_id: int) -> None:
    """Forget the finding's words: it is told in others now."""
    session.execute(delete(models.Wording).where(models.Wording.finding_id == finding_id))


def _telling(row: models.Finding, wording: Wording | None = None) -> Telling:
    article = Article(row.url, row.title, row.text)
    places = tuple(Place(p.code, p.level, p.name, p.province) for p in row.places)
    verdict = Verdict(relevant=True, score=row.score, kind=row.kind, places=places)
    return likeness.read(article, verdict, row.published or row.found, wording)
