"""What is owed: once per rule, story and stage, with the finding or not at all."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from extract.article import Place
from extract.link import Link
from storage import findings, links, models, outbox, reviews, rules
from storage.database import reading
from storage.models import Finding, Mark, Owed
from storage.rules import valid
from storage.search import Search
from tests.storage import test_stories as told_of
from tests.storage.conftest import Writing, at_once
from tests.storage.test_findings import ARTICLE, NOW, VERDICT, keep

HOUR = timedelta(hours=1)
LONG = "Kepala desa Tuva membantah.\n" + " ".join(f"Keterangan saksi ke-{n}." for n in range(20))
DIGEST = time(6, 30)
STORIES = 1000  # their ids begin where those of real ones do not come


def tell(
    session: Session, name: str, kind: str = "allegation", story: int = 1, **fields: Any
) -> Finding:
    """A finding of this story. Nobody is owed it yet, where there is no rule yet."""
    article = replace(ARTICLE, title=f"Camat {name}", text=f"Camat {name} diperiksa.")
    verdict = replace(VERDICT, kind=kind, borderline=False)
    finding_id, _ = keep(session, article, verdict, name=name)
    row = session.get_one(Finding, finding_id)
    story += STORIES
    session.merge(models.Story(id=story, first=finding_id, begun=NOW, latest=NOW))
    for field, value in ({"story_id": story} | fields).items():
        setattr(row, field, value)
    session.flush()
    return row


def rule(session: Session, name: str, channel: str | None = "tim", **fields: Any) -> rules.Stored:
    if channel and not session.scalar(select(models.Channel).filter_by(name=channel)):
        session.add(models.Channel(name=channel, address=b"", created=NOW))
        session.flush()
    return rules.add(session, valid({"name": name, "channel": channel, **fields}), NOW)


def owed(session: Session) -> list[tuple[str, int, str]]:
    """Rule, story and stage of all that is owed, in order."""
    query = select(models.Rule.name, Owed.story_id, Owed.stage).join(Owed).order_by(Owed.id)
    return [(name, story - STORIES, stage) for name, story, stage in session.execute(query)]


def waiting(session: Session, now: datetime) -> dict[str, list[int]]:
    """The ids of the findings that may be sent, by rule."""
    groups = outbox.waiting(session, now, DIGEST)
    return {stored.rule.name: [row.finding_id for row in rows] for stored, rows in groups}


def test_a_story_is_news_once_and_again_when_it_has_come_further(writing: Writing) -> None:
    kinds = [
        "outreach", "pledge", "allegation", "opinion", "allegation", "sanction", "examination",
    ]  # fmt: skip
    with writing() as session:
        told = [tell(session, f"{n}", kind) for n, kind in enumerate(kinds)]
        other = tell(session, "other", story=2)
        rule(session, "all")
        rule(session, "sanctions", channel=None, wanted={"kinds": ["sanction"]})
        rule(session, "paused", active=False)
        for finding in [*told, other, *told]:
            outbox.owe(session, finding, NOW)
        assert owed(session) == [
            ("all", 1, "told"),
            ("all", 1, "allegation"),
            ("all", 1, "sanction"),
            ("sanctions", 1, "sanction"),
            ("all", 2, "allegation"),
        ]
        assert waiting(session, NOW) == {"all": [told[0].id, told[2].id, told[5].id, other.id]}
        assert len(outbox.pending(session)) == 4


def test_each_condition_of_a_rule_counts(writing: Writing) -> None:
    buleleng = Place("51.08", "regency", "Kabupaten Buleleng", "Bali")
    assert VERDICT.places[0] == buleleng
    asked = {
        "bali": ({"places": ["Bali"]}, True),
        "buleleng": ({"places": ["Badung", "Buleleng"]}, True),
        "badung": ({"places": ["Badung"]}, False),
        "kind": ({"kinds": ["sanction", "allegation"]}, True),
        "no kind": ({"kinds": ["sanction"]}, False),
        "subject": ({"subjects": ["military_police", "village_official"]}, True),
        "no subject": ({"subjects": ["military_police"]}, False),
        "outlet": ({"outlets": ["kabar"]}, True),
        "no outlet": ({"outlets": ["nusabali"]}, False),
        "words": ({"words": '"camat satu" AND diperiksa*'}, True),
        "no words": ({"words": "camat NOT satu"}, False),
        "score": ({"least_score": 0.875}, True),
        "no score": ({"least_score": 0.9}, False),
        "both": ({"places": ["Bali"], "kinds": ["sanction"]}, False),
    }
    with writing() as session:
        sure = tell(session, "satu")
        doubtful = tell(session, "dua", borderline=True, story=2)
        for name, (wanted, _) in asked.items():
            rule(session, name, wanted=wanted)
        rule(session, "doubtful", wanted={"borderline": True, "words": "dua"})
        outbox.owe(session, sure, NOW)
        outbox.owe(session, doubtful, NOW)
        fits = {name for name, (_, fits) in asked.items() if fits}
        assert {name for name, story, _ in owed(session) if story == 1} == fits
        assert [name for name, story, _ in owed(session) if story == 2] == ["doubtful"]


def test_old_news_is_for_digests_alone(writing: Writing) -> None:
    with writing() as session:
        old = tell(session, "old", quiet=True)
        new = tell(session, "new")
        late = [tell(session, kind, kind, quiet=True) for kind in ("allegation", "sanction")]
        for pace in ("at once", "hourly", "daily"):
            rule(session, pace, pace=pace)
        outbox.owe(session, old, NOW)
        assert owed(session) == [("daily", 1, "allegation")]
        # told afresh it is news to all, whether or not the digest had it as old news
        [(_, rows)] = outbox.waiting(session, NOW + 24 * HOUR, DIGEST)
        rows[0].delivery_id = 7
        for _ in range(2):
            outbox.owe(session, new, NOW)
        assert [name for name, *_ in owed(session)] == ["at once", "hourly", "daily"]
        assert waiting(session, NOW + 24 * HOUR)["daily"] == [new.id]
        # and once it was news it is nothing any more as old news; a later stage is
        for finding in late:
            outbox.owe(session, finding, NOW)
        assert owed(session)[3:] == [("daily", 1, "sanction")]


def test_a_copy_is_news_only_where_its_original_was_not_wanted(writing: Writing) -> None:
    with writing() as session:
        original, old = tell(session, "original"), tell(session, "old", quiet=True)
        copy = tell(session, "copy", outlet="nusabali", same_as=original.id, story=2)
        fresh = tell(session, "fresh", outlet="nusabali", same_as=old.id, story=3)
        rule(session, "all")
        rule(session, "digest", pace="daily")
        rule(session, "nusabali", wanted={"outlets": ["nusabali"]})
        outbox.owe(session, copy, NOW)
        assert owed(session) == [("nusabali", 2, "allegation")]
        outbox.owe(session, fresh, NOW)  # the old was news to nobody
        assert [name for name, story, _ in owed(session) if story == 3] == [
            "all", "digest", "nusabali",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "found", "due"),
    [  # in Makassar, UTC+8
        ({}, "13:05", "13:05"),
        ({"quiet": "22:00-06:00"}, "21:59", "21:59"),
        ({"quiet": "22:00-06:00"}, "22:00", "1 06:00"),
        ({"quiet": "22:00-06:00"}, "00:10", "06:00"),
        ({"quiet": "22:00-06:00"}, "06:00", "06:00"),
        ({"quiet": "12:00-14:30"}, "13:05", "14:30"),
        ({"pace": "hourly"}, "13:05", "14:00"),
        ({"pace": "hourly"}, "13:00", "14:00"),
        ({"pace": "hourly", "quiet": "22:00-06:15"}, "21:30", "1 06:15"),
        ({"pace": "daily", "quiet": "22:00-06:00"}, "23:00", "23:00"),
    ],
)
def test_when_news_is_due(fields: dict[str, Any], found: str, due: str) -> None:
    def moment(text: str) -> datetime:
        days, _, clock = text.rpartition(" ")
        at = datetime.fromisoformat(f"2024-11-20T{clock}+08:00")
        return at + timedelta(days=int(days or 0))

    asked = valid({"name": "r", "zone": "Asia/Makassar", **fields})
    assert rules.due(asked, moment(found)) == moment(due)


@pytest.mark.parametrize(
    ("quiet", "clock", "is_quiet"),
    [
        (None, "23:00", False),
        ("22:00-06:00", "21:59", False),
        ("22:00-06:00", "22:00", True),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "06:00", False),
        ("12:00-13:00", "12:30", True),
        ("12:00-13:00", "23:30", False),
    ],
)
def test_quiet_hours_are_those_of_the_zone(quiet: str | None, clock: str, is_quiet: bool) -> None:
    asked = valid({"name": "r", "zone": "Asia/Makassar", "quiet": quiet, "pace": "daily"})
    assert rules.is_quiet(asked, datetime.fromisoformat(f"2024-11-20T{clock}+08:00")) == is_quiet


def test_what_a_reviewer_dismissed_is_not_sent(writing: Writing) -> None:
    with writing() as session:
        first, second = tell(session, "Ani"), tell(session, "Ani lagi")
        alone = tell(session, "Budi", story=2)
        rule(session, "pagi", pace="daily")
        rule(session, "umpan", channel=None)
        for row in (first, second, alone):
            outbox.owe(session, row, NOW)
        assert owed(session) == [
            (name, n, "allegation") for n in (1, 2) for name in ("pagi", "umpan")
        ]
        for row in (first, alone):
            reviews.review(session, row.id, None, reviews.Change(relevant=False), NOW)
        assert set(owed(session)) == {("pagi", 1, "allegation"), ("umpan", 1, "allegation")}
        assert waiting(session, NOW + 48 * HOUR) == {"pagi": [second.id]}


def test_hours_and_digests_wait_for_their_time(writing: Writing) -> None:
    midnight = datetime(2024, 11, 20, 17, 0, tzinfo=UTC)  # in Jakarta
    with writing() as session:
        row, late = tell(session, "1"), tell(session, "2", story=2)
        rule(session, "at night", quiet="22:00-05:00")
        rule(session, "hourly", pace="hourly")
        rule(session, "daily", pace="daily")
        rule(session, "late", pace="daily", quiet="06:00-07:00")
        rule(session, "eastern", pace="daily", zone="Asia/Jayapura")
        outbox.owe(session, row, midnight)
        sent: dict[str, timedelta] = {}
        for minutes in range(0, 24 * 60, 15):
            after = timedelta(minutes=minutes)
            for name in waiting(session, midnight + after):
                sent.setdefault(name, after)
        assert sent == {
            "hourly": HOUR,
            "eastern": 4.5 * HOUR,
            "at night": 5 * HOUR,
            "daily": 6.5 * HOUR,
            "late": 7 * HOUR,
        }
        # what could not be sent before the quiet hours waits for their end, too
        assert "at night" not in waiting(session, midnight + 23 * HOUR)
        # found when the digest has gone: it waits for the next one
        outbox.owe(session, late, midnight + 6.5 * HOUR + HOUR / 60)
        assert waiting(session, midnight + 30 * HOUR)["daily"] == [row.id]
        assert len(waiting(session, midnight + 31 * HOUR)["daily"]) == 2


def test_what_a_message_took_up_waits_no_more(writing: Writing) -> None:
    with writing() as session:
        rows = [tell(session, f"{n}", story=n) for n in (1, 2, 3)]
        stored = rule(session, "all")
        for row in rows:
            outbox.owe(session, row, NOW)
        delivery = models.Delivery(
            key="k", channel_id=session.scalars(select(models.Channel.id)).one(), kind="news",
            rule_id=stored.id, message={}, created=NOW, next_try=NOW,
        )  # fmt: skip
        session.add(delivery)
        session.flush()
        [(_, first)] = outbox.waiting(session, NOW, DIGEST)
        outbox.take_up(session, delivery, [first[0].id, first[1].id])
        session.expire_all()
        assert waiting(session, NOW) == {"all": [rows[2].id]}
        assert [one.title for one in outbox.pending(session)] == ["Camat 3"]
        # a rule that is removed gives up what was to be sent, and forgets what waits
        rules.remove(session, "all", NOW)
        assert not owed(session)
        session.refresh(delivery)
        assert (delivery.rule_id, delivery.given_up) == (None, NOW)
        assert "removed" in (delivery.error or "")


def test_a_changed_rule_sends_what_waits_as_it_now_would(writing: Writing) -> None:
    with writing() as session:
        old, new = tell(session, "old", quiet=True), tell(session, "new", story=2)
        stored = rule(session, "digest", pace="daily")
        feed = rule(session, "feed", channel=None)
        for row in (old, new):
            outbox.owe(session, row, NOW)
        assert not waiting(session, NOW)
        at_once_now = stored.rule.model_copy(update={"pace": "at once", "name": "now"})
        assert rules.change(session, "digest", at_once_now).token == stored.token
        assert waiting(session, NOW) == {"now": [new.id]}  # old news is not sent at once
        # what stood in a feed alone is not sent when the rule gets a channel
        rules.change(session, "feed", feed.rule.model_copy(update={"channel": "tim"}))
        assert waiting(session, NOW) == {"now": [new.id]}
        assert len(owed(session)) == 3


def test_a_rule_is_changed_when_what_waits_for_it_has_been_taken_up(
    engine: Engine, writing: Writing
) -> None:
    with writing() as session:
        row, stored = tell(session, "1"), rule(session, "all")
        outbox.owe(session, row, NOW)
        channel = session.scalars(select(models.Channel.id)).one()

    def change() -> None:
        with writing() as session:
            rules.change(session, "all", stored.rule.model_copy(update={"pace": "hourly"}))

    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            [(_, taken)] = outbox.waiting(session, NOW, DIGEST)
            changed = pool.submit(change)
            with pytest.raises(TimeoutError):
                changed.result(0.5)
            delivery = models.Delivery(
                key="k", channel_id=channel, rule_id=stored.id, kind="alert", message={},
                created=NOW, next_try=NOW,
            )  # fmt: skip
            session.add(delivery)
            session.flush()
            outbox.take_up(session, delivery, [one.id for one in taken])
        changed.result()
    with reading(engine) as session:
        assert session.scalars(select(Owed.due)).one() == NOW
        assert rules.get(session, "all").rule.pace == "hourly"


def test_a_rule_that_cannot_be_read_keeps_no_finding_from_being_stored(writing: Writing) -> None:
    with writing() as session:
        row = tell(session, "1")
        broken = rule(session, "broken")
        rule(session, "well")
        session.get_one(models.Rule, broken.id).wanted = {"kinds": ["gossip"]}
        session.flush()
        outbox.owe(session, row, NOW)
        assert [name for name, *_ in owed(session)] == ["well"]
        with pytest.raises(rules.RuleError, match=r"broken.*gossip"):
            rules.stored(session)


OWE = """
from datetime import datetime, UTC
from sqlalchemy.orm import Session
from storage import outbox
from storage.database import open_database
from storage.models import Finding
engine = open_database(sys.argv[1])
"""
ALL = """
for finding_id in map(int, sys.argv[2].split(",")):
    with Session(engine) as session, session.begin():
        outbox.owe(session, session.get_one(Finding, finding_id), datetime.now(UTC))
"""


def test_two_processes_at_once_owe_once(engine: Engine, writing: Writing) -> None:
    with writing() as session:
        ids = [tell(session, f"{n}", story=n).id for n in range(1, 31)]
        rule(session, "one")
        rule(session, "two")
    url = engine.url.render_as_string(hide_password=False)
    at_once(2, f"import sys\n{OWE}", ALL, url, ",".join(map(str, ids)))
    with reading(engine) as session:
        stories = {("one", n, "allegation") for n in range(1, 31)}
        found = owed(session)
        assert len(found) == 60
        assert stories <= set(found)


def test_a_finding_and_what_it_owes_are_stored_together(writing: Writing, engine: Engine) -> None:
    def allege(session: Session, kind: str, text: str) -> None:
        verdict = replace(VERDICT, kind=kind, borderline=False)
        keep(session, replace(ARTICLE, text=text), verdict)

    with writing() as session:
        rule(session, "all")
    with Session(engine) as session:
        allege(session, "allegation", "Camat diduga.")
        assert owed(session)
        session.rollback()
    with reading(engine) as session:
        assert not owed(session)
        assert not list(findings.find(session, Search()))
    # its later wordings are news where they tell of a later stage
    for kind, text in (
        ("allegation", "Camat diduga."),
        ("allegation", "Camat diduga lagi."),
        ("sanction", "Camat dijatuhi sanksi."),
        ("examination", "Camat diperiksa."),
    ):
        with writing() as session:
            allege(session, kind, text)
    with reading(engine) as session:
        assert [stage for *_, stage in owed(session)] == ["allegation", "sanction"]


def test_what_is_kept_together_comes_to_the_same_as_one_by_one(
    writing: Writing, engine: Engine
) -> None:
    told = [
        (told_of.TEXT, "allegation"),
        (told_of.RETOLD, "pledge"),
        (f"SIGI, KABAR –\n{told_of.TEXT}", "allegation"),
        (told_of.ANOTHER, "examination"),
        (LONG, "allegation"),
        (LONG.replace("Kepala", "Salinan: kepala"), "allegation"),
        (told_of.SANCTION, "sanction"),
        (told_of.ELSEWHERE, "examination"),
    ]
    arrivals = [
        replace(told_of.arrival(text, number, number / 4, kind), quiet=number in (0, 6))
        for number, (text, kind) in enumerate(told)
    ]
    changed = replace(arrivals[1].verdict, kind="sanction")
    arrivals.insert(4, replace(arrivals[1], verdict=changed))  # the same wording again
    reworded = replace(arrivals[1].article, text=told_of.RETOLD + "\nSelesai.")
    arrivals.insert(6, replace(arrivals[1], article=reworded, verdict=changed))

    def left_by(*batches: list[findings.Arrival]) -> list[Any]:
        with writing() as session:
            for table in reversed(models.Base.metadata.sorted_tables):
                session.execute(table.delete())
            for pace in ("at once", "daily"):
                rule(session, pace, pace=pace)
            rule(session, "words", wanted={"words": "mobil dinas"})
        for batch in batches:
            with writing() as session:
                for arrival in batch:
                    link = Link(arrival.url, arrival.url)
                    links.record(
                        session, arrival.url[8:14], [link],
                        now=NOW, known_before=None, oldest=None,
                    )  # fmt: skip
                findings.keep_all(session, batch, NOW)
        with reading(engine) as session:
            found = session.scalars(select(Finding).order_by(Finding.id)).all()
            place = {row.id: number for number, row in enumerate(found)}
            story = {row.story_id: place[row.id] for row in reversed(found)}
            said = [
                (row.url, row.kind, row.quiet, row.same_as and place[row.same_as],
                 story[row.story_id], len(row.revisions), len(row.revisions[0].snapshots),
                 row.facets, row.fetched, len(row.places))
                for row in found
            ]  # fmt: skip
            stories = {
                (story[row.id], place[row.first], row.count, row.begun)
                for row in session.scalars(select(models.Story))
            }
            news = [
                (name, place[row.finding_id], story[row.story_id], row.stage)
                for name, row in session.execute(
                    select(models.Rule.name, Owed).join(Owed).order_by(Owed.id)
                )
            ]
            marks = {(row.mark, place[row.finding_id]) for row in session.scalars(select(Mark))}
            tallies = {
                (row.facet, row.since, row.findings)
                for row in session.scalars(select(models.Tally))
                if row.findings
            }
        return [said, stories, news, marks, tallies]

    alone = left_by(*([arrival] for arrival in arrivals))
    assert [row[4] for row in alone[0]] == [0, 0, 0, 3, 4, 4, 0, 7]
    assert alone[0][5][3] == 4, "it is a copy"
    assert len({name for name, *_ in alone[2]}) == 3
    assert left_by(arrivals) == alone
    assert left_by(arrivals[:3], arrivals[3:]) == alone
