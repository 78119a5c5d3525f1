"""Reviews: what is said of a finding, filtered by, remembered, and written over by nobody."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from storage import exports, findings, reviews, search, trends
from storage.database import reading
from storage.reviews import Change, ConflictError, ReviewError
from storage.search import Search
from tests.storage.conftest import Writing
from tests.storage.test_findings import ARTICLE, HOUR, NOW, VERDICT, keep

MAYA, BUDI = 1, 2


def ids(engine: Engine, **wanted: object) -> list[int]:
    with reading(engine) as session:
        return [row.id for row in search.page(session, Search(**wanted)).rows]  # type: ignore[arg-type]


def test_a_review_is_kept_with_its_history(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        one, two = keep(session, name="1")[0], keep(session, name="2")[0]
        blank = reviews.get(session, one)
        assert blank
        assert (blank.state, blank.judged, blank.version) == ("new", "examination", 0)
    with writing() as session:
        change = Change(state="checked", kind="sanction", assigned_to=BUDI, note="  Cocok. ")
        first = reviews.review(session, one, MAYA, change, NOW)
        assert (first.state, first.kind, first.judged) == ("checked", "sanction", "examination")
        assert (first.note, first.assigned_to, first.changed) == ("Cocok.", BUDI, NOW)
    with writing() as session:
        again = reviews.review(session, one, BUDI, Change(state="checked"), NOW + HOUR)
        assert again == first, "nothing changed"
        second = reviews.review(session, one, BUDI, Change(note=None, state="closed"), NOW + HOUR)
        assert second.version > first.version
    with reading(engine) as session:
        assert [
            (c.person, c.at, c.field, c.before, c.after) for c in reviews.history(session, one)
        ] == [
            (MAYA, NOW, "state", "new", "checked"),
            (MAYA, NOW, "kind", None, "sanction"),
            (MAYA, NOW, "assigned_to", None, BUDI),
            (MAYA, NOW, "note", None, "Cocok."),
            (BUDI, NOW + HOUR, "state", "checked", "closed"),
            (BUDI, NOW + HOUR, "note", "Cocok.", None),
        ]
        assert reviews.history(session, two) == []
        row = search.page(session, Search(states=("closed",))).rows[0]
        assert (row.id, row.state, row.kind, row.assigned_to) == (one, "closed", "sanction", BUDI)
    assert ids(engine, states=("checked",)) == []
    assert ids(engine, states=("new",)) == ids(engine, kinds=("examination",)) == [two]
    assert ids(engine, assigned_to=BUDI, kinds=("sanction",), words="camat") == [one]
    assert ids(engine, assigned_to=0) == [two]


def test_a_correction_outlasts_a_new_wording_and_can_be_taken_back(
    writing: Writing, engine: Engine
) -> None:
    with writing() as session:
        finding = keep(session)[0]
        reviews.review(session, finding, MAYA, Change(kind="sanction", state="checked"), NOW)
    sure = replace(VERDICT, kind="allegation", borderline=False)
    with writing() as session:
        keep(session, replace(ARTICLE, title="Lurah Diduga"), sure, now=NOW + HOUR)
    assert ids(engine, kinds=("sanction",), states=("checked",), words="lurah") == [finding]
    with writing() as session:
        review = reviews.review(session, finding, MAYA, Change(kind=None), NOW + HOUR)
        assert (review.kind, review.judged) == (None, "allegation")
    assert ids(engine, kinds=("allegation",)) == [finding]
    assert ids(engine, kinds=("sanction",)) == []


def test_what_is_not_relevant_is_left_out_where_asked(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        one, two = keep(session, name="1")[0], keep(session, name="2")[0]
        reviews.review(session, one, MAYA, Change(relevant=False), NOW)
        reviews.review(session, two, MAYA, Change(relevant=True, state="checked"), NOW)
    assert ids(engine) == [two, one]
    assert ids(engine, relevant=True) == [two]
    assert ids(engine, relevant=False) == [one]
    with reading(engine) as session:
        counted = trends.trends(session, NOW - 24 * HOUR, NOW + HOUR, NOW.tzinfo)  # type: ignore[arg-type]
        assert counted.total == sum(area.findings for area in counted.provinces[:1]) == 1
        labels = [*exports.labels(session)]
    assert [(row["label"], row["kind"]) for row in labels] == [
        ("not_relevant", None),
        ("relevant", "examination"),
    ]
    assert all(row["title"] == ARTICLE.title and row["text"] == ARTICLE.text for row in labels)
    with writing() as session:
        reviews.review(session, one, BUDI, Change(relevant=None), NOW)
    assert ids(engine, relevant=True) == [two, one]


def test_the_last_writer_wins_unless_asked_not_to(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        finding = keep(session)[0]
        seen = reviews.review(session, finding, MAYA, Change(state="checked"), NOW)
    with writing() as session:
        reviews.review(session, finding, BUDI, Change(state="closed"), NOW, version=seen.version)
    for version in (0, seen.version):
        with writing() as session, pytest.raises(ConflictError):
            reviews.review(session, finding, MAYA, Change(note="x"), NOW, version=version)
    with writing() as session:
        assert reviews.review(session, finding, MAYA, Change(note="x"), NOW).state == "closed"


def test_what_is_no_review_is_refused(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        finding = keep(session)[0]
    wrong = (Change(state="x"), Change(kind="x"), Change(note="x" * 10_001))  # type: ignore[arg-type]
    for change in wrong:
        with writing() as session, pytest.raises(ReviewError):
            reviews.review(session, finding, MAYA, change, NOW)
    for nobody in (0, finding + 1, 2**40):
        with writing() as session, pytest.raises(ReviewError):
            reviews.review(session, nobody, MAYA, Change(state="closed"), NOW)
    with reading(engine) as session:
        assert reviews.get(session, finding + 1) is None
        assert findings.get(session, finding)
        assert reviews.history(session, finding) == []
