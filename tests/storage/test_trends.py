"""Trends: counted by day, area, outlet and subject; and what is new, by story."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, delete, select, text, update

from alerts.words import KINDS as TOLD_IN_ORDER
from extract.article import Place
from extract.lexicon import KINDS
from storage import models, reviews, trends
from storage.database import reading
from storage.reviews import Change
from tests.storage.conftest import Writing
from tests.storage.test_findings import ARTICLE, BULELENG, HOUR, KALTIM, NOW, VERDICT, WIB, keep

BADUNG = Place("51.03.01", "district", "Kuta", "Bali")


def test_the_weightiest_kinds_come_first_everywhere() -> None:
    assert [*TOLD_IN_ORDER] == [*trends.GRAVITY]
    assert {*trends.GRAVITY} == {*KINDS, "other"}


def test_findings_are_counted(writing: Writing, engine: Engine) -> None:
    rows = [  # hours before NOW (noon in Jakarta), kind, subjects, places, outlet
        (1, "sanction", ("civil_servant",), (BULELENG,), "kabar"),
        (13, "sanction", ("civil_servant", "village_official"), (BULELENG, KALTIM), "kabar"),
        (13, "pledge", ("election_organiser",), (BADUNG, BULELENG), "warta"),
        (60, "pledge", (), (), "warta"),
        (61, "other", (), (KALTIM,), "warta"),
    ]
    with writing() as session:
        for number, (age, kind, subjects, places, outlet) in enumerate(rows):
            article = replace(ARTICLE, published=NOW - age * HOUR)
            verdict = replace(VERDICT, kind=kind, subjects=subjects, places=places)
            keep(session, article, verdict, name=str(number), outlet=outlet)
    with reading(engine) as session:
        counted = trends.trends(session, NOW - 60 * HOUR, NOW, WIB)
        assert [(day.day, day.kinds) for day in counted.days] == [
            (date(2024, 11, 18), {"pledge": 1}),
            (date(2024, 11, 19), {"sanction": 1, "pledge": 1}),
            (date(2024, 11, 20), {"sanction": 1}),
        ]
        assert counted.total == 4
        assert [(k.name, k.findings) for k in counted.kinds] == [("pledge", 2), ("sanction", 2)]
        assert [(a.code, a.findings) for a in counted.provinces] == [("51", 3), ("64", 1)]
        assert [(o.name, o.findings) for o in counted.outlets] == [("kabar", 2), ("warta", 2)]
        assert [(s.name, s.findings) for s in counted.subjects] == [
            ("civil_servant", 2), ("election_organiser", 1), ("village_official", 1),
        ]  # fmt: skip
        regencies = trends.regencies(session, "51", NOW - 60 * HOUR, NOW)
        assert [(a.code, a.findings) for a in regencies] == [("51.08", 3), ("51.03", 1)]
        assert trends.regencies(session, "5%", NOW - 60 * HOUR, NOW) == ()
        wit = timezone(timedelta(hours=9))
        days = trends.trends(session, NOW - 24 * HOUR, NOW, wit).days
        assert [day.kinds for day in days] == [{}, {"sanction": 2, "pledge": 1}]


@pytest.mark.parametrize("east", [timedelta(hours=7), timedelta(hours=5, minutes=45)])
def test_what_changes_is_counted_as_it_is_then(
    writing: Writing, engine: Engine, east: timedelta
) -> None:
    """The tallies, hours and days of them and the rest, say what the findings do."""
    zone = timezone(east)

    def agrees() -> None:
        with reading(engine) as session:
            rows = session.scalars(select(models.Finding)).all()
            for since, until in ((70 * HOUR, -HOUR), (50 * HOUR, 2 * HOUR), (9 * HOUR, 8 * HOUR)):
                begin, end = NOW - since + timedelta(minutes=20), NOW - until
                told = [
                    row
                    for row in rows
                    if begin.timestamp() <= row.told < end.timestamp() and not row.dismissed
                ]
                counted = trends.trends(session, begin, end, zone)
                days = {(day.day, kind): n for day in counted.days for kind, n in day.kinds.items()}
                assert days == Counter(
                    (datetime.fromtimestamp(row.told, zone).date(), row.kind) for row in told
                )
                assert counted.total == len(told)
                assert {o.name: o.findings for o in counted.outlets} == Counter(
                    row.outlet for row in told
                )
                for length, areas in (
                    (2, counted.provinces),
                    (5, trends.regencies(session, "51", begin, end)),
                ):
                    codes = [{place.code[:length] for place in row.places} for row in told]
                    assert {area.code: area.findings for area in areas} == {
                        code: number
                        for code, number in Counter(code for of in codes for code in of).items()
                        if length == 2 or code.startswith("51.")
                    }

    ids = []
    with writing() as session:
        for number in range(12):
            article = replace(ARTICLE, published=NOW - number * 7 * HOUR)
            spots = ((BULELENG, BADUNG), (KALTIM,), ())[number % 3]
            outlet = ("kabar-bali", "kabarbali")[number % 2]
            verdict = replace(VERDICT, places=spots, borderline=True)
            ids.append(keep(session, article, verdict, name=str(number), outlet=outlet)[0])
    agrees()
    with writing() as session:
        for id_, change in (
            (ids[0], Change(relevant=False)),
            (ids[1], Change(relevant=False, kind="pledge")),
            (ids[2], Change(kind="sanction", state="checked")),
        ):
            reviews.review(session, id_, None, change, NOW)
        later = replace(ARTICLE, title="Lagi", published=NOW - 30 * HOUR)
        verdict = replace(VERDICT, kind="opinion", places=(KALTIM,), borderline=False)
        keep(session, later, verdict, name="6", outlet="kabar-bali")
    agrees()
    with writing() as session:
        reviews.review(session, ids[0], None, Change(relevant=True), NOW)
        session.execute(delete(models.FindingPlace).where(models.FindingPlace.finding_id == ids[3]))
        for table in ("snapshots", "revisions", "marks", "wordings"):
            session.execute(text(f"DELETE FROM {table}"))  # noqa: S608
        session.execute(delete(models.Finding).where(models.Finding.id == ids[3]))
    agrees()


def test_what_is_new_is_told_by_story(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        told = [
            keep(session, verdict=replace(VERDICT, kind=kind), name=name, outlet=outlet, now=now)[0]
            for name, kind, outlet, now in (
                ("1", "allegation", "kabar", NOW - HOUR),
                ("2", "allegation", "warta", NOW),
                ("3", "sanction", "harian", NOW + HOUR),
            )
        ]
        other = replace(ARTICLE, title="Ikrar kades", text="Kepala desa berikrar di Samarinda.")
        pledge = replace(VERDICT, kind="pledge", places=(KALTIM,))
        new = keep(session, other, pledge, name="4", now=NOW + HOUR)[0]
        quiet = keep(session, replace(other, text="Lama."), pledge, name="5", now=NOW + HOUR)[0]
        lone = keep(session, replace(other, text="Sendiri."), pledge, name="6", now=NOW + HOUR)[0]
        session.execute(update(models.Finding).where(models.Finding.id == quiet).values(quiet=True))
        session.execute(
            update(models.Finding).where(models.Finding.id == lone).values(story_id=None)
        )
    with reading(engine) as session:
        seen = trends.today(session, NOW, NOW + 2 * HOUR)
        first, *rest = seen.stories
        assert (seen.total, seen.findings) == (3, 4)
        assert (first.kind, first.before) == ("sanction", "allegation")
        assert (first.first.id, first.newest.id) == (told[0], told[2])
        assert (first.new, first.count, first.outlets) == (2, 3, 3)
        assert first.latest == NOW + HOUR
        assert {story.newest.id for story in rest} == {new, lone}
        assert all((story.kind, story.before) == ("pledge", None) for story in rest)
        short = trends.today(session, NOW, NOW + 2 * HOUR, limit=1, quiet=True)
        assert (len(short.stories), short.findings) == (1, 5)
        assert trends.today(session, NOW + 2 * HOUR, NOW + 3 * HOUR).stories == ()
