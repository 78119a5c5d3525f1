"""What is owed: news, written for each rule that wants it in the finding's own transaction.

A rule is told of a story once, and again when the story has come to a later stage.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, select, update
from sqlalchemy.orm import Session, selectinload

from storage.models import Channel, Crawl, Delivery, Finding, Owed
from storage.models import Rule as Row
from storage.rules import FEED_ONLY, Rule, Stored, active, due, is_quiet, last_digest, matches
from storage.writing import upsert

STAGES = ("told", "allegation", "examination", "sanction")  # of a story, in order


def stage(kind: str) -> str:
    """The stage of a story that a finding of this kind tells."""
    return kind if kind in STAGES else "told"


def is_later(name: str, before: str) -> bool:
    """Whether a story that has come to the stage `name` has gone on since `before`."""
    return STAGES.index(name) > STAGES.index(before)


def owe(session: Session, finding: Finding, now: datetime) -> None:
    """Note one; see `owe_all`."""
    owe_all(session, [finding], now)


def owe_all(session: Session, findings: Sequence[Finding], now: datetime) -> None:
    """Note `findings`, which are written and have their stories, for the active rules they are news
    to, one after another.

    Old news (`quiet`) is for daily rules alone; what was old news is news when it is told afresh. A
    copy is news only to rules that did not want what it is a copy of."""
    rules = list(active(session))
    known = {finding.id: finding for finding in findings}
    originals = {finding.same_as for finding in findings} - {None, *known}
    query = select(Finding).where(Finding.id.in_(originals)).options(selectinload(Finding.places))
    known |= {row.id: row for row in session.scalars(query)} if originals else {}
    interested: list[tuple[Finding, list[Stored]]] = []
    for finding in findings:
        wanting = [stored for stored in rules if _wants(stored.rule, finding)]
        if wanting and finding.same_as:
            original = known[finding.same_as]
            if finding.quiet or not original.quiet:
                wanting = [stored for stored in wanting if not _wants(stored.rule, original)]
        if wanting:
            interested.append((finding, wanting))
    if not interested:
        return
    told = _told(session, interested)
    rows: dict[tuple[int, int, str], dict[str, Any]] = {}
    for finding, wanting in interested:
        assert finding.story_id
        name = stage(finding.kind)
        for stored in wanting:
            before = told.get((stored.id, finding.story_id))
            if before is None or STAGES.index(name) <= before.reached(quiet=finding.quiet):
                continue
            key = stored.id, finding.story_id, name
            if not finding.quiet and name in before.old:
                rows.pop(key, None)
                _forget_old(session, *key)
                before.old.remove(name)
            (before.old if finding.quiet else before.news).add(name)
            rows[key] = {
                "rule_id": stored.id,
                "finding_id": finding.id,
                "story_id": finding.story_id,
                "stage": name,
                "created": now,
                "due": due(stored.rule, now),
                "delivery_id": None if stored.rule.channel else FEED_ONLY,
            }
    if rows:
        insert = upsert(session, Owed).on_conflict_do_nothing()
        session.connection().execute(insert, list(rows.values()))


def withdraw(session: Session, finding: Finding, now: datetime) -> None:
    """Take back what is owed of `finding` and in no message yet: a reviewer called it not relevant.
    What else tells its story is owed in its place."""
    unsent = Owed.delivery_id.is_(None) | (Owed.delivery_id == FEED_ONLY)
    session.execute(delete(Owed).where(Owed.finding_id == finding.id, unsent))
    others = select(Finding).where(
        Finding.story_id == finding.story_id, Finding.id != finding.id, ~Finding.dismissed
    )
    for other in session.scalars(others.order_by(Finding.id)):
        owe(session, other, now)


def _wants(rule: Rule, finding: Finding) -> bool:
    return (rule.pace == "daily" or not finding.quiet) and matches(rule.wanted, finding)


@dataclass(slots=True)
class _Told:
    """The stages of a story that a rule has been told of as news, and as old news."""

    news: set[str] = field(default_factory=set)
    old: set[str] = field(default_factory=set)

    def reached(self, *, quiet: bool) -> int:
        """How far the rule knows the story, -1: not at all. What was told as old news was not told
        as news."""
        return max(map(STAGES.index, self.news | self.old if quiet else self.news), default=-1)


_TOLD = (
    select(Row.id, Owed.story_id, Owed.stage, Finding.quiet)
    .outerjoin(
        Owed,
        (Owed.rule_id == Row.id) & Owed.story_id.in_(bindparam("stories", expanding=True)),
    )
    .outerjoin(Finding, Finding.id == Owed.finding_id)
    .where(Row.id.in_(bindparam("rules", expanding=True)))
    .with_for_update(read=True, key_share=True, of=Row)
)


def _told(
    session: Session, interested: Sequence[tuple[Finding, Sequence[Stored]]]
) -> dict[tuple[int, int | None], _Told]:
    """What each of the rules that are still there has been told of the findings' stories. They stay
    there until the commit."""
    rules = {stored.id for _, wanting in interested for stored in wanting}
    stories = {finding.story_id for finding, _ in interested}
    asked = {"rules": sorted(rules), "stories": [*stories]}
    told: dict[tuple[int, int | None], _Told] = {}
    for rule, story, name, quiet in session.connection().execute(_TOLD, asked).all():
        if (rule, None) not in told:
            told |= {(rule, story): _Told() for story in (None, *stories)}
        if name:
            (told[rule, story].old if quiet else told[rule, story].news).add(name)
    return told


def _forget_old(session: Session, rule: int, story: int, name: str) -> None:
    """Take back that this stage of the story was owed as old news: now it is news."""
    old = select(Finding.id).where(Finding.story_id == story, Finding.quiet)
    session.execute(
        delete(Owed).where(
            Owed.rule_id == rule,
            Owed.story_id == story,
            Owed.stage == name,
            Owed.finding_id.in_(old),
        )
    )


def waiting(
    session: Session, now: datetime, digest_at: time
) -> list[tuple[Stored, Sequence[Owed]]]:
    """What may be sent now, by rule, in the order in which it was found; the rule that waits
    longest first. Locked until the transaction's end: another deliverer sees none of it.

    Daily rules' is given from the digest's time (`digest_at` in the rule's zone) on, and in quiet
    hours nothing is."""
    groups = []
    for stored in active(session):
        if not stored.rule.channel or is_quiet(stored.rule, now):
            continue
        daily = stored.rule.pace == "daily"
        until = last_digest(stored.rule, now, digest_at) if daily else now
        owed = session.scalars(
            select(Owed)
            .join(
                Row, Row.id == Owed.rule_id
            )  # locked, too: who changes it would wait for us, and we for them
            .where(Row.id == stored.id, Owed.delivery_id.is_(None), Owed.due <= until)
            .order_by(Owed.id)
            .with_for_update(skip_locked=True, key_share=True)
        ).all()
        if owed:
            groups.append((stored, owed))
    return sorted(groups, key=lambda group: group[1][0].id)


def held(session: Session, now: datetime) -> set[int]:
    """The rules for which nothing may be sent now, not even again: it is their quiet hours, or they
    are paused."""
    paused = session.scalars(select(Row.id).where(~Row.active))
    return {*paused, *(stored.id for stored in active(session) if is_quiet(stored.rule, now))}


def take_up(session: Session, delivery: Delivery, owed: Iterable[int]) -> None:
    """Note that `delivery`, which has its id, takes up what is owed."""
    session.execute(update(Owed).where(Owed.id.in_(owed)).values(delivery_id=delivery.id))


def owe_again(session: Session, deliveries: Sequence[int]) -> None:
    """Note that what these messages took up is owed still: they will not be sent."""
    session.execute(update(Owed).where(Owed.delivery_id.in_(deliveries)).values(delivery_id=None))


def forget(session: Session, which: ColumnElement[bool]) -> None:
    """Forget the messages for which `which` holds. What they took up stays in the rules' feeds, and
    is no later message's that SQLite gives the same id."""
    ids = select(Delivery.id).where(which)
    session.execute(update(Owed).where(Owed.delivery_id.in_(ids)).values(delivery_id=FEED_ONLY))
    session.execute(delete(Delivery).where(which))


def crawl_of(session: Session, finding: int) -> str | None:
    """The run of crawls that found it, as the log names it."""
    return session.scalar(
        select(Crawl.run)
        .join(Finding, (Finding.outlet == Crawl.outlet) & (Finding.found >= Crawl.started))
        .where(Finding.id == finding)
        .order_by(Crawl.started.desc())
        .limit(1)
    )


@dataclass(frozen=True, slots=True)
class Pending:
    """News that waits to be sent; `due` is when it may be, for a daily rule with the next digest
    after it."""

    id: int
    rule: str
    channel: str
    pace: str
    finding: int
    title: str
    story: int
    stage: str
    due: datetime


def pending(session: Session) -> list[Pending]:
    """What waits to be sent, in order."""
    rows = session.execute(
        select(
            Owed.id,
            Row.name,
            Channel.name,
            Row.pace,
            Finding.id,
            Finding.title,
            Owed.story_id,
            Owed.stage,
            Owed.due,
        )
        .join(Row, Row.id == Owed.rule_id)
        .join(Channel, Channel.id == Row.channel_id)
        .join(Finding, Finding.id == Owed.finding_id)
        .where(Owed.delivery_id.is_(None))
        .order_by(Owed.id)
    )
    return [Pending(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class News:
    """What a rule would have been told of: `finding` with its `story` (None: its own)."""

    finding: int
    story: int | None
    stage: str
    found: datetime
    outlet: str
    title: str
    url: str


def would_owe(session: Session, rule: Rule, since: datetime) -> Iterator[News]:
    """What `rule` would have been told of the findings since then, if it had been there."""
    told: dict[tuple[int, bool], int] = {}  # how far, of a story; whether old news counts, too
    wanted: dict[int, bool] = {}  # findings, and whether they are old news
    query = select(Finding).where(Finding.found >= since, *_at_least(rule)).order_by(Finding.id)
    options = selectinload(Finding.places)
    for row in session.scalars(query.options(options).execution_options(yield_per=200)):
        if not _wants(rule, row):
            continue
        wanted[row.id] = row.quiet
        if row.same_as in wanted and (row.quiet or not wanted[row.same_as]):
            continue
        story, reached = row.story_id or -row.id, STAGES.index(stage(row.kind))
        if reached > told.get((story, row.quiet), -1):
            told[story, True] = max(reached, told.get((story, True), -1))
            if not row.quiet:
                told[story, False] = reached
            yield News(
                row.id, row.story_id, stage(row.kind), row.found, row.outlet, row.title, row.url
            )


def _at_least(rule: Rule) -> Iterator[ColumnElement[bool]]:
    """What holds for every finding that `rule` wants, for the database: a backfill stores many that
    need not be read."""
    wanted = rule.wanted
    if rule.pace != "daily":
        yield ~Finding.quiet
    if not wanted.borderline:
        yield ~Finding.borderline
    if wanted.least_score:
        yield Finding.score >= wanted.least_score
    if wanted.kinds:
        yield Finding.kind.in_(wanted.kinds)
    if wanted.outlets:
        yield Finding.outlet.in_(wanted.outlets)
