"""Findings: storing what was found with its proof, and reading it back."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, selectinload

from extract.article import Article, Clue, Evidence, Place, Verdict
from extract.copies import fingerprint
from extract.likeness import Wording
from extract.snapshot import Snapshot
from storage import models, outbox, search, stories
from storage.search import Search
from storage.writing import insert_all, next_ids

BATCH = 200  # findings read or written at once


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


@dataclass(frozen=True, slots=True)
class Arrival:
    """An article that is to be kept, from the link `url`, which must have been recorded before.
    `snapshots` are its pages in order. `quiet`: it is old news; so is, in any case, what the
    outlet's first crawl came upon. `wording` is what `extract.likeness.prepare` gave of it, if it
    did."""

    url: str
    article: Article
    verdict: Verdict
    snapshots: Sequence[Snapshot]
    quiet: bool = False
    wording: Wording | None = None


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
    """Keep one; see `keep_all` and `Arrival`."""
    [kept] = keep_all(session, [Arrival(link_url, article, verdict, snapshots, quiet)], now)
    return kept


def keep_all(
    session: Session, arrivals: Iterable[Arrival], now: datetime
) -> list[tuple[int, bool]]:
    """Store articles that are to be kept, or a new revision where the wording of one changed; with
    each its story and the alerts that it owes. It comes to the same as keeping them one by one.

    Gives each finding's id and whether it is new. A later wording that clears the article does not
    unmake the finding: it becomes a revision, and the finding keeps the wording that proves it
    best."""
    kept: list[tuple[int, bool]] = []
    remaining = iter(arrivals)
    while some := list(islice(remaining, BATCH)):
        kept += _keep_some(session, some, now)
    return kept


def _keep_some(
    session: Session, arrivals: Sequence[Arrival], now: datetime
) -> Iterator[tuple[int, bool]]:
    # locked, in one order, so that those who keep the same links take turns
    query = select(models.Link).where(
        models.Link.url.in_([models.storable(a.url) for a in arrivals])
    )
    locked = session.scalars(query.order_by(models.Link.id).with_for_update()).all()
    links = {link.url: link for link in locked}
    ids = [link.id for link in locked]
    known = {
        *session.scalars(select(models.Finding.link_id).where(models.Finding.link_id.in_(ids)))
    }
    fresh: list[tuple[models.Link, Arrival]] = []
    for arrival in arrivals:
        link = links[models.storable(arrival.url)]
        if link.id not in known:
            known.add(link.id)
            fresh.append((link, arrival))
            continue
        yield from _add(session, fresh, now)
        fresh = []
        yield _revise(session, link, arrival, now), False
    yield from _add(session, fresh, now)


def _add(
    session: Session, fresh: Sequence[tuple[models.Link, Arrival]], now: datetime
) -> Iterator[tuple[int, bool]]:
    """Store new findings, in few statements however many they are."""
    if not fresh:
        return
    ended = _first_crawls(session, {link.outlet for link, _ in fresh})
    rows = []
    for id_, (link, arrival) in zip(
        next_ids(session, models.Finding, len(fresh)), fresh, strict=True
    ):
        row = models.Finding(
            id=id_,
            link_id=link.id,
            outlet=link.outlet,
            found=now,
            fetched=arrival.snapshots[0].fetched,
            quiet=arrival.quiet or link.discovered <= ended[link.outlet],
            dismissed=False,
        )
        # past SQLAlchemy, which would note each change of a row that it does not write
        vars(row).update(_said(arrival.article, arrival.verdict, None, now))
        search.describe(row, None)
        row.fingerprint = fingerprint(row.text)
        rows.append(row)
    _find_originals(session, rows)
    wordings = {row.id: arrival.wording for row, (_, arrival) in zip(rows, fresh, strict=True)}
    tellings = stories.assign(session, rows, now, wordings)
    insert_all(session, models.Finding, map(_values, rows))
    insert_all(
        session,
        models.FindingPlace,
        [{**_values(place), "finding_id": row.id} for row in rows for place in row.places],
    )
    revisions = [
        {
            "id": id_,
            "finding_id": row.id,
            "number": 1,
            "fetched": row.fetched,
            "title": row.title,
            "text": row.text,
        }
        for id_, row in zip(next_ids(session, models.Revision, len(rows)), rows, strict=True)
    ]
    insert_all(session, models.Revision, revisions)
    insert_all(
        session,
        models.Snapshot,
        [
            {**_values(snapshot), "revision_id": revision["id"]}
            for revision, (_, arrival) in zip(revisions, fresh, strict=True)
            for snapshot in _snapshots(arrival.snapshots)
        ],
    )
    stories.write(session, tellings)
    outbox.owe_all(session, rows, now)
    for row in rows:
        yield row.id, True


def _values(row: models.Base) -> dict[str, Any]:
    """A new row's columns; what was not said is null."""
    said = vars(row)
    names = (column.key for column in row.__table__.columns)
    return {name: said.get(name) for name in names if name != "id" or "id" in said}


def _revise(session: Session, link: models.Link, arrival: Arrival, now: datetime) -> int:
    """Add a wording to what was found before, unless it is the last one again."""
    article, verdict = arrival.article, arrival.verdict
    row = session.scalars(select(models.Finding).where(models.Finding.link_id == link.id)).one()
    row.fetched = arrival.snapshots[0].fetched
    wording = models.storable(article.title), models.storable(article.text)
    if wording == (row.revisions[-1].title, row.revisions[-1].text):
        return row.id
    sure = verdict.relevant and not verdict.borderline
    if sure or (row.borderline and verdict.kept and verdict.score >= row.score):
        review = session.get(models.Review, row.id)
        for name, said in _said(article, verdict, review, row.found).items():
            setattr(row, name, said)
        search.describe(row, review)
        stories.forget(session, row.id)
    row.revisions.append(
        models.Revision(
            number=len(row.revisions) + 1,
            fetched=row.fetched,
            title=article.title,
            text=article.text,
            snapshots=_snapshots(arrival.snapshots),
        )
    )
    session.flush()
    if row.story_id:
        outbox.owe(session, row, now)
    return row.id


def _first_crawls(session: Session, outlets: Set[str]) -> dict[str, datetime]:
    """Until when the outlets' first daily crawls that were listed anything came upon links: what
    was discovered then is old news. It may be fetched days later, and a crawl that could not read
    the outlet is not the first; an outlet that was never crawled has no old news."""
    crawl = models.Crawl
    ended = dict.fromkeys(outlets, datetime.min.replace(tzinfo=UTC))
    query = (
        select(crawl.outlet, func.min(case((crawl.links > 0, crawl.finished))))
        .where(crawl.outlet.in_(outlets), crawl.backfill_id.is_(None))
        .group_by(crawl.outlet)
    )
    ended.update(
        (outlet, first or datetime.max.replace(tzinfo=UTC))
        for outlet, first in session.execute(query)
    )
    return ended


def _find_originals(session: Session, rows: Sequence[models.Finding]) -> None:
    """Note of each of the new findings the first that has its fingerprint."""
    finding = models.Finding
    prints = {row.fingerprint for row in rows if row.fingerprint}
    query = select(finding.fingerprint, func.min(finding.id)).where(finding.fingerprint.in_(prints))
    firsts = dict(session.execute(query.group_by(finding.fingerprint)).all()) if prints else {}
    for row in rows:
        if row.fingerprint and (first := firsts.setdefault(row.fingerprint, row.id)) != row.id:
            row.same_as = first


def _said(
    article: Article, verdict: Verdict, review: models.Review | None, found: datetime
) -> dict[str, Any]:
    """What a finding says that was `found` then, by the names of its columns."""
    published = article.published
    offset = published.utcoffset() if published else None
    kind = verdict.kind or "other"
    if review:
        review.judged = kind
        kind = review.kind or kind
    return {
        "url": article.url,
        "title": models.storable(article.title),
        "text": models.storable(article.text),
        "authors": list(article.authors),
        "tags": list(article.tags),
        "dateline": article.dateline,
        "section": article.section,
        "published": published,
        "published_from": article.published_from,
        "published_offset": int(offset.total_seconds() // 60) if offset is not None else None,
        "published_inferred": article.published_inferred,
        "image": article.image,
        "caption": article.caption,
        "language": article.language,
        "paid": article.paid,
        "kind": kind,
        "score": verdict.score,
        "borderline": verdict.borderline,
        "subjects": list(verdict.subjects),
        "evidence": [_stored(sentence) for sentence in verdict.evidence],
        "told": models.told(published, found),
        "places": [
            models.FindingPlace(position=position, **asdict(place))
            for position, place in enumerate(verdict.places)
        ],
    }


def _snapshots(pages: Sequence[Snapshot]) -> list[models.Snapshot]:
    return [
        models.Snapshot(
            page=page,
            url=snapshot.url,
            fetched=snapshot.fetched,
            charset=snapshot.charset,
            sha256=snapshot.sha256,
            html=snapshot.html,
        )
        for page, snapshot in enumerate(pages, 1)
    ]


def find(session: Session, wanted: Search, limit: int | None = None) -> Iterator[Finding]:
    """The findings that `wanted` describes, the newest told first, `limit` of them. Raises
    QueryError."""
    return read(session, islice(search.ids(session, wanted, batch=BATCH), limit))


def read(session: Session, ids: Iterable[int]) -> Iterator[Finding]:
    """Those with these ids that are there, in the order of the ids."""
    remaining = iter(ids)
    while batch := list(islice(remaining, BATCH)):
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


def _stored(sentence: Evidence) -> dict[str, Any]:
    # as `asdict` does, which takes five times as long
    clues = [
        {"what": clue.what, "text": clue.text, "start": clue.start, "end": clue.end}
        for clue in sentence.clues
    ]
    return {
        "text": sentence.text,
        "start": sentence.start,
        "end": sentence.end,
        "where": sentence.where,
        "clues": clues,
    }


def _evidence(stored: dict[str, Any]) -> Evidence:
    clues = tuple(Clue(**clue) for clue in stored.get("clues", ()))  # those of old have none
    return Evidence(**{**stored, "clues": clues})
