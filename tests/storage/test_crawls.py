"""Crawls: their reports, how far sources were read, what servers gave to ask again with."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from storage import crawls
from storage.crawls import Counts
from storage.database import reading
from storage.models import Crawl, Source
from tests.storage.conftest import Writing

NOW = datetime(2024, 11, 20, 5, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_crawl_is_noted_from_its_beginning(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        crawl_id = crawls.begin(session, "run", "laksara", NOW)
    with reading(engine) as session:
        crawl = session.get_one(Crawl, crawl_id)
        assert (crawl.outlet, crawl.started, crawl.finished) == ("laksara", NOW, None)
        assert crawls.last_finished(session) is None
    counts = Counts(7, 6, 5, 4, 3, 2, "nul\0 in\udc80 a note")
    with writing() as session:
        crawls.finish(session, crawl_id, counts, NOW + HOUR)
    with reading(engine) as session:
        crawl = session.get_one(Crawl, crawl_id)
        assert crawl.finished == crawls.last_finished(session) == NOW + HOUR
        kept = [crawl.links, crawl.new, crawl.fetched, crawl.gated, crawl.findings, crawl.errors]
        assert kept == [7, 6, 5, 4, 3, 2]
        assert crawl.note == "nul\ufffd in\ufffd a note"


def test_the_last_crawl_is_the_one_that_ended_last(writing: Writing) -> None:
    with writing() as session:
        long = crawls.begin(session, "1", "laksara", NOW)
        short = crawls.begin(session, "2", "nusabali", NOW + HOUR)
        crawls.finish(session, short, Counts(), NOW + 2 * HOUR)
        crawls.finish(session, long, Counts(), NOW + 3 * HOUR)
        crawls.begin(session, "3", "nusabali", NOW + 4 * HOUR)
        assert crawls.last_finished(session) == NOW + 3 * HOUR


def note(writing: Writing, *, at: datetime | None, error: str | None = None, **more: str) -> None:
    validators: dict[str, tuple[str | None, str | None]] = {
        url: (etag or None, None) for url, etag in more.items()
    }
    with writing() as session:
        crawls.note_reading(
            session, "laksara", "feed /feed/", completed=at, error=error, validators=validators
        )


def test_a_failed_reading_leaves_what_the_last_good_one_said(
    writing: Writing, engine: Engine
) -> None:
    def completed() -> datetime | None:
        with reading(engine) as session:
            return crawls.completed(session, "laksara", "feed /feed/")

    assert completed() is None
    note(writing, at=None, error="HTTP 500 \0")
    assert completed() is None
    note(writing, at=NOW)
    assert completed() == NOW
    note(writing, at=None, error="HTTP 500")
    assert completed() == NOW
    with reading(engine) as session:
        assert session.get_one(Source, ("laksara", "feed /feed/")).error == "HTTP 500"
    note(writing, at=NOW + HOUR)
    assert completed() == NOW + HOUR
    with reading(engine) as session:
        assert session.get_one(Source, ("laksara", "feed /feed/")).error is None


def test_validators_are_kept_and_replaced(writing: Writing, engine: Engine) -> None:
    note(writing, at=NOW, feed='"a"', sitemap='W/"x"')
    note(writing, at=NOW, feed='"b"')
    with reading(engine) as session:
        assert crawls.validator(session, "feed") == ('"b"', None)
        assert crawls.validator(session, "sitemap") == ('W/"x"', None)
        assert crawls.validator(session, "unheard of") == (None, None)
    note(writing, at=NOW, feed="")
    with reading(engine) as session:
        assert crawls.validator(session, "feed") == (None, None)


def test_hostile_validators_do_no_harm(writing: Writing, engine: Engine) -> None:
    endless = "https://kabar.id/" + "".join(chr(0x4E00 + n % 20_000) for n in range(0, 90_000, 7))
    note(
        writing,
        at=NOW,
        **{"https://kabar.id/nul\0": "nul\0", endless: "etag", "good": "x" * 70_000},
    )
    with reading(engine) as session:
        assert crawls.validator(session, "https://kabar.id/nul\0") == ("nul\ufffd", None)
        assert crawls.validator(session, "good") == ("x" * 70_000, None)
        assert crawls.validator(session, endless) == (None, None)
        assert crawls.completed(session, "laksara", "feed /feed/") == NOW
