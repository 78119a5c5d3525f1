"""Findings: storing what was found with its proof, and reading it back."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, selectinload

from extract.article import Article, Clue, Evidence, Place, Verdict
from extract.copies import fingerprint
from extract.snapshot import Snapshot
from storage import models, outbox, search, stories
from storage.search import Search

BATCH = 200  # findings read at once


@dataclass(frozen=True, slots=True)
class Finding:
    """A stored article that is relevant or in doubt (`borderline`); the field names are those of
    the JSON form.

    `published` is aware, with the outlet's offset; `found` and `fetched`, the last time it was
    fetched, are UTC. `quiet`: old news, of a backfill or an outlet's first crawl. `same_as` is the
    finding whose copy it is, on another site or at another address. `snapshot_sha256` is of the
    page that this wording was read from, `revision` the number of wordings seen. `story` is the
    story it tells; findings stored before there were stories have none.
    """

    id: int
    url: str
    outlet: str
    title: str
    text: str
    authors: tuple[str, ...]
    published: datetime | None
    published_from: str | None
    published_inferred: bool
    found: datetime
    fetched: datetime
    dateline: str | None
    section: str | None
    tags: tuple[str, ...]
    image: str | None
    caption: str | None
    language: str | None
    kind: str
    score: float
    borderline: bool
    subjects: tuple[str, ...]
    places: tuple[Place, ...]
    evidence: tuple[Evidence, ...]
    paid: bool
    quiet: bool
    same_as: int | None
    story: int | None
    snapshot_sha256: str
    revision: int


def keep(
    session: Session,
    link_url: str,
    article: Article,
    verdict: Verdict,
    snapshots: Sequence[Snapshot],
    now: datetime,
    *,
    quiet: bool = False,
) -> tuple[int, bool]:
    """Store an article that is to be kept, or a new revision of it where its wording changed.

    Gives the finding's id and whether it is new. `snapshots` are its pages in order. The link must
    have been recorded before. A later wording that clears the article does not unmake the finding:
    it becomes a revision, and the finding keeps the wording that proves it best.

    `quiet`: it is old news; so is, in any case, what the outlet's first crawl came upon."""
    # locked, so that two who keep the same link take turns
    link = session.scalars(
        select(models.Link).where(models.Link.url == link_url).with_for_update()
    ).one()
    row = session.scalar(select(models.Finding).where(models.Finding.link_id == link.id))
    new = row is None
    if row is None:
        quiet = quiet or _is_of_first_crawl(session, link)
        row = models.Finding(link_id=link.id, outlet=link.outlet, found=now, quiet=quiet)
        row.fingerprint = fingerprint(models.storable(article.text))
        row.same_as = _first_of(session, row.fingerprint)
        session.add(row)
    row.fetched = snapshots[0].fetched
    wording = models.storable(article.title), models.storable(article.text)
    if row.revisions and wording == (row.revisions[-1].title, row.revisions[-1].text):
        return row.id, False
    sure = verdict.relevant and not verdict.borderline
    if new or sure or (row.borderline and verdict.kept and verdict.score >= row.score):
        _describe(row, article, verdict, session.get(models.Review, row.id) if row.id else None)
    row.revisions.append(_revision(len(row.revisions) + 1, article, snapshots))
    session.flush()
    if new:
        stories.assign(session, row, now)
    if row.story_id:
        outbox.owe(session, row, now)
    return row.id, new


def _is_of_first_crawl(session: Session, link: models.Link) -> bool:
    """Whether the outlet's first daily crawl that was listed anything came upon `link`, or would
    have: it may be fetched days later, and a crawl that could not read the outlet is not the
    first."""
    crawl = models.Crawl
    ended, crawls = session.execute(
        select(func.min(case((crawl.links > 0, crawl.finished))), func.count()).where(
            crawl.outlet == link.outlet, crawl.backfill_id.is_(None)
        )
    ).one()
    return link.discovered <= ended if ended else bool(crawls)


def _first_of(session: Session, mark: str | None) -> int | None:
    """The first finding with the fingerprint `mark`."""
    same = select(func.min(models.Finding.id)).where(models.Finding.fingerprint == mark)
    return session.scalar(same) if mark else None


def _describe(
    row: models.Finding, article: Article, verdict: Verdict, review: models.Review | None
) -> None:
    published = article.published
    offset = published.utcoffset() if published else None
    row.url, row.title, row.text = article.url, article.title, article.text
    row.authors, row.tags = list(article.authors), list(article.tags)
    row.dateline, row.section = article.dateline, article.section
    row.published, row.published_from = published, article.published_from
    row.published_offset = int(offset.total_seconds() // 60) if offset is not None else None
    row.published_inferred = article.published_inferred
    row.image, row.caption = article.image, article.caption
    row.language, row.paid = article.language, article.paid
    row.kind, row.score, row.borderline = verdict.kind or "other", verdict.score, verdict.borderline
    if review:
        review.judged = row.kind
        row.kind = review.kind or row.kind
    row.subjects = list(verdict.subjects)
    row.evidence = [asdict(sentence) for sentence in verdict.evidence]
    row.told = models.told(published, row.found)
    row.places = [
        models.FindingPlace(position=position, told=row.told, **asdict(place))
        for position, place in enumerate(verdict.places)
    ]
    search.describe(row, review)


def _revision(number: int, article: Article, snapshots: Sequence[Snapshot]) -> models.Revision:
    return models.Revision(
        number=number,
        fetched=snapshots[0].fetched,
        title=article.title,
        text=article.text,
        snapshots=[
            models.Snapshot(
                page=page,
                url=snapshot.url,
                fetched=snapshot.fetched,
                charset=snapshot.charset,
                sha256=snapshot.sha256,
                html=snapshot.html,
            )
            for page, snapshot in enumerate(snapshots, 1)
        ],
    )


def find(session: Session, wanted: Search, limit: int | None = None) -> Iterator[Finding]:
    """The findings that `wanted` describes, the newest told first, `limit` of them. Raises
    QueryError."""
    found = islice(search.ids(session, wanted, batch=BATCH), limit)
    while batch := list(islice(found, BATCH)):
        query = select(models.Finding).where(models.Finding.id.in_(batch)).options(*_WHOLE)
        rows = {row.id: row for row in session.scalars(query)}
        for id_ in batch:
            if id_ in rows:
                yield _finding(rows[id_])


def get(session: Session, finding_id: int) -> Finding | None:
    """The finding with this id."""
    if not 0 < finding_id < 2**31:  # more than the database's integers hold
        return None
    row = session.get(models.Finding, finding_id, options=_WHOLE)
    return _finding(row) if row else None


_WHOLE = (
    selectinload(models.Finding.places),
    selectinload(models.Finding.revisions)
    .selectinload(models.Revision.snapshots)
    .load_only(models.Snapshot.sha256, models.Snapshot.page, models.Snapshot.revision_id),
)


def _finding(row: models.Finding) -> Finding:
    proof = next(
        revision
        for revision in reversed(row.revisions)
        if (revision.title, revision.text) == (row.title, row.text)
    )
    return Finding(
        id=row.id,
        url=row.url,
        outlet=row.outlet,
        title=row.title,
        text=row.text,
        authors=tuple(row.authors),
        published=stories.local_time(row),
        published_from=row.published_from,
        published_inferred=row.published_inferred,
        found=row.found,
        fetched=row.fetched,
        dateline=row.dateline,
        section=row.section,
        tags=tuple(row.tags),
        image=row.image,
        caption=row.caption,
        language=row.language,
        kind=row.kind,
        score=row.score,
        borderline=row.borderline,
        subjects=tuple(row.subjects),
        places=tuple(
            Place(place.code, place.level, place.name, place.province) for place in row.places
        ),
        evidence=tuple(map(_evidence, row.evidence)),
        paid=row.paid,
        quiet=row.quiet,
        same_as=row.same_as,
        story=row.story_id,
        snapshot_sha256=proof.snapshots[0].sha256,
        revision=len(row.revisions),
    )


def _evidence(stored: dict[str, Any]) -> Evidence:
    clues = tuple(Clue(**clue) for clue in stored.get("clues", ()))  # those of old have none
    return Evidence(**{**stored, "clues": clues})
