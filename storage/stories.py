"""Stories: findings that tell the same thing find each other as they come in.

Each finding leaves marks (bands of its text's MinHash, what happened where in which week, who is
named in which province); a new one looks up the findings with the same marks, at most NEWEST of
each, and is compared with the few that share most. So the cost does not grow with what is stored.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from operator import attrgetter

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session, selectinload

from extract import likeness
from extract.article import Article, Place, Verdict
from extract.likeness import Telling
from storage import models

NEWEST = 16  # findings read by one mark
COMPARED = 12  # findings, those that share most marks
LOCK = 0x73746F727921  # "story!"


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


def assign(session: Session, finding: models.Finding, now: datetime) -> int:
    """Put the new `finding`, which the session has written, into the story it tells, or begin one;
    gives the story's id. To be called in the finding's own transaction.

    Whoever else assigns waits until this transaction ends: of two findings of one story that come
    at once, the second sees the first."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite's writers take turns anyway
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    telling = _telling(finding)
    story_id = _of_original(session, finding) or _told_before(session, finding, telling)
    if story_id is None:
        return _begin(session, finding, telling, now)
    finding.story_id = story_id
    story = session.get_one(models.Story, story_id)
    story.count += 1
    story.latest = now
    _mark(session, finding, telling)
    return story_id


def _begin(session: Session, first: models.Finding, telling: Telling, now: datetime) -> int:
    story = models.Story(first=first.id, count=1, begun=telling.told, latest=now)
    session.add(story)
    session.flush()
    first.story_id = story.id
    _mark(session, first, telling)
    return story.id


def _mark(session: Session, finding: models.Finding, telling: Telling) -> None:
    session.flush()
    marks = likeness.marks(telling)
    rows = [{"mark": mark, "finding_id": finding.id} for mark in marks]
    session.execute(insert(models.Mark), rows)


def _of_original(session: Session, copy: models.Finding) -> int | None:
    """The story of the finding whose copy it is; one from before there were stories begins its
    own now."""
    original = session.get(models.Finding, copy.same_as) if copy.same_as else None
    if original is None:
        return None
    return original.story_id or _begin(session, original, _telling(original), original.found)


def _told_before(session: Session, finding: models.Finding, telling: Telling) -> int | None:
    """The story that the finding tells, too; of several the one that shares most marks."""
    shared = _sharing(session, likeness.sought(telling))
    shared.pop(finding.id, None)
    ranked = sorted(shared, key=lambda id_: (-shared[id_], -id_))[:COMPARED]
    if not ranked:
        return None
    findings = select(models.Finding).options(selectinload(models.Finding.places))
    rows = session.scalars(findings.where(models.Finding.id.in_(ranked)))
    found = {row.id: row for row in rows}
    told = [*dict.fromkeys(found[id_].story_id for id_ in ranked if id_ in found)]
    # asked for apart: in one query with the others PostgreSQL would read the whole table
    began = findings.join(models.Story, models.Story.first == models.Finding.id)
    firsts = session.scalars(began.where(models.Story.id.in_(told)))
    oldest = {row.story_id: row for row in firsts}
    for story_id in told:
        newest = max(
            (row for row in found.values() if row.story_id == story_id), key=attrgetter("id")
        )
        if likeness.continues(telling, _telling(oldest[story_id]), _telling(newest)):
            return story_id
    return None


def _sharing(session: Session, marks: Sequence[str]) -> Counter[int]:
    """How many of `marks` a finding shares, of those NEWEST with each."""
    if not marks:
        return Counter()
    newest = " UNION ALL ".join(
        f"SELECT finding_id FROM (SELECT finding_id FROM marks WHERE mark = :m{n}"  # noqa: S608
        f" ORDER BY finding_id DESC LIMIT {NEWEST}) AS q{n}"
        for n in range(len(marks))
    )
    values = {f"m{n}": mark for n, mark in enumerate(marks)}
    return Counter(session.scalars(text(newest), values))


def _telling(row: models.Finding) -> Telling:
    article = Article(row.url, row.title, row.text)
    places = tuple(Place(p.code, p.level, p.name, p.province) for p in row.places)
    verdict = Verdict(relevant=True, score=row.score, kind=row.kind, places=places)
    return likeness.read(article, verdict, row.published or row.found)
