"""News: what an alert tells of one finding, read from the database."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import islice
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, load_only, selectinload

from storage.models import Finding, Owed
from storage.outbox import is_later
from storage.rules import Stored

LONGEST_TITLE = 300  # characters
LONGEST_SENTENCE = 600
CHART_DAYS = 30
AT_A_TIME = 500  # ids in one question to the database


@dataclass(frozen=True, slots=True)
class News:
    """One finding, as a message tells of it. `stage` is how far its story has come, `before` how
    far it had when the rule was last told, None where it was not; `outlets` how many carry the
    story. `when` is when it was published, with the outlet's offset; else when it was found, with
    `dated` false. `link` is None where the address is not one of the web."""

    finding: int
    story: int
    stage: str
    before: str | None
    kind: str
    subjects: tuple[str, ...]
    title: str
    outlet: str
    site: str
    place: str | None
    province: str | None
    when: datetime
    dated: bool
    sentence: str
    link: str | None
    outlets: int
    quiet: bool


_TOLD = (
    Finding.url,
    Finding.outlet,
    Finding.title,
    Finding.published,
    Finding.published_offset,
    Finding.found,
    Finding.kind,
    Finding.subjects,
    Finding.evidence,
    Finding.quiet,
)


def of(session: Session, stored: Stored, owed: Sequence[Owed]) -> list[News]:
    """The news that is `owed` to a rule, in its order."""
    findings: dict[int, Finding] = {}
    outlets: dict[int, int] = {}
    before: dict[tuple[int, str], str] = {}
    for some in _parts([row.finding_id for row in owed]):
        query = select(Finding).where(Finding.id.in_(some))
        whole = query.options(load_only(*_TOLD), selectinload(Finding.places))
        findings |= {finding.id: finding for finding in session.scalars(whole)}
    for some in _parts([row.story_id for row in owed]):
        carrying = select(Finding.story_id, func.count(Finding.outlet.distinct()))
        grouped = carrying.where(Finding.story_id.in_(some)).group_by(Finding.story_id)
        outlets |= {story: count for story, count in session.execute(grouped) if story}
        last: dict[int, str] = {}
        stages = select(Owed.story_id, Owed.stage).order_by(Owed.id)
        for story, stage in session.execute(
            stages.where(Owed.rule_id == stored.id, Owed.story_id.in_(some))
        ):
            if story in last and is_later(stage, last[story]):
                before[story, stage] = last[story]
            last[story] = stage
    zone = ZoneInfo(stored.rule.zone)
    return [
        _news(
            findings[row.finding_id],
            row,
            before.get((row.story_id, row.stage)),
            outlets.get(row.story_id, 1),
            zone,
        )
        for row in owed
    ]


def per_day(session: Session, stored: Stored, today: date) -> list[int]:
    """How much news the rule had on each of the CHART_DAYS days that end with `today`, in its zone;
    old news does not count."""
    zone = ZoneInfo(stored.rule.zone)
    first = today - timedelta(days=CHART_DAYS - 1)
    begin = datetime.combine(first, datetime.min.time(), zone)
    query = (
        select(Owed.created)
        .join(Finding, Finding.id == Owed.finding_id)
        .where(Owed.rule_id == stored.id, Owed.created >= begin, ~Finding.quiet)
    )
    counts = [0] * CHART_DAYS
    for created in session.scalars(query):
        number = (created.astimezone(zone).date() - first).days
        if number < CHART_DAYS:
            counts[number] += 1
    return counts


def _news(finding: Finding, owed: Owed, before: str | None, outlets: int, zone: ZoneInfo) -> News:
    place = finding.places[0] if finding.places else None
    address = urlsplit(finding.url)
    when, offset = finding.published, finding.published_offset
    if when:
        when = when.astimezone(zone if offset is None else timezone(timedelta(minutes=offset)))
    proof = next((one for one in finding.evidence if one.get("where", "text") == "text"), None)
    return News(
        finding=finding.id,
        story=owed.story_id,
        stage=owed.stage,
        before=before,
        kind=finding.kind,
        subjects=tuple(finding.subjects),
        title=one_line(finding.title, LONGEST_TITLE) or finding.url[:LONGEST_TITLE],
        outlet=finding.outlet,
        site=(address.hostname or finding.outlet).removeprefix("www."),
        place=place.name if place else None,
        province=place.province if place else None,
        when=when or finding.found.astimezone(zone),
        dated=when is not None,
        sentence=one_line(proof["text"], LONGEST_SENTENCE) if proof else "",
        link=finding.url if address.scheme in ("http", "https") else None,
        outlets=outlets,
        quiet=finding.quiet,
    )


def one_line(text: str, longest: int) -> str:
    """`text` as one line of at most `longest` characters, without what cannot be seen, or turns the
    direction of what follows."""
    seen = "".join(
        " " if letter.isspace() else letter
        for letter in text
        if letter.isspace() or not unicodedata.category(letter).startswith("C")
    )
    line = " ".join(seen.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _parts(ids: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(dict.fromkeys(ids))
    while some := list(islice(rest, AT_A_TIME)):
        yield some
