"""Backfills in the database: links are noted with how far a listing was read; months are marked."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from extract.link import Link
from storage import backfills, leases, links
from storage.backfills import Mark, Part
from storage.links import Outcome
from storage.models import Link as Row
from storage.models import SeenIn, State
from tests.storage.conftest import Writing

NOW = datetime(2024, 11, 20, 5, 0, tzinfo=UTC)
MONTHS = [
    (datetime(2023, month, 1, tzinfo=UTC), datetime(2023, month + 1, 1, tzinfo=UTC))
    for month in range(1, 7)
]


def link(number: int, published: datetime | None = None) -> Link:
    url = f"https://kabar.example/{number}"
    return Link(url, url, published)


def begun(session: Session) -> int:
    parts = [Part("kabar", "feed /feed", *month) for month in MONTHS]
    return backfills.begin(session, MONTHS[0][0], MONTHS[-1][1], ["kabar"], parts, NOW)


def daily(session: Session, *listed: Link, oldest: datetime | None = None) -> links.Discovery:
    return links.record(session, "kabar", listed, now=NOW, known_before=None, oldest=oldest)


def states(session: Session) -> dict[str, tuple[State, int | None]]:
    return {row.url[-1]: (row.state, row.backfill_id) for row in session.scalars(select(Row))}


def test_each_crawl_fetches_its_own_links(writing: Writing) -> None:
    with writing() as session:
        old = MONTHS[0][0]
        daily(session, link(1), link(2, old), oldest=NOW)  # 2 is skipped: too old
        id_ = begun(session)
        (part, *_) = backfills.unfinished(session, id_, "kabar")
        found = backfills.take(session, part, [link(1), link(2, old), link(3), link(4)], 1, NOW)
        assert [url[-1] for url in found.new] == ["2", "3", "4"]
        daily(session, link(4))  # a daily source lists it, too
    with writing() as session:
        assert states(session) == {
            "1": (State.PENDING, None), "2": (State.PENDING, id_), "3": (State.PENDING, id_),
            "4": (State.PENDING, None),
        }  # fmt: skip
        seen = session.scalars(select(Row.seen_in).order_by(Row.url))
        assert list(seen) == [SeenIn.DAILY | SeenIn.PAST] * 2 + [SeenIn.PAST, 9]
        assert [x.url[-1] for x in links.pending(session, "kabar", 9)] == ["1", "4"]
        assert [x.url[-1] for x in links.pending(session, "kabar", 9, id_)] == ["2", "3"]
        (again, *_) = backfills.unfinished(session, id_, "kabar")
        assert (again.cursor, again.listed) == (1, 4)
        another = begun(session)
        (part, *_) = backfills.unfinished(session, another, "kabar")
        backfills.take(session, part, [link(3)], 1, NOW)
        assert states(session)["3"] == (State.PENDING, another), "the first may never be resumed"


def test_what_a_backfill_skips_is_not_settled_and_may_be_news(writing: Writing) -> None:
    with writing() as session:
        id_ = begun(session)
        (part, *_) = backfills.unfinished(session, id_, "kabar")
        backfills.take(session, part, [link(1), link(2)], 1, NOW)
        outcomes = [
            Outcome(link(1).url, State.SKIPPED, published=NOW - timedelta(days=1)),
            Outcome(link(2).url, State.SKIPPED, published=NOW - timedelta(days=90)),
        ]
        assert links.settle(session, outcomes, NOW) == []
        assert backfills.fetched(session, id_, "kabar") == 2
        found = daily(session, link(1), link(2), oldest=NOW - timedelta(days=7))
        assert ([url[-1] for url in found.new], [url[-1] for url in found.skipped]) == (
            ["1"],
            ["2"],
        )


def test_months_are_counted_and_marked(writing: Writing) -> None:
    with writing() as session:
        id_ = begun(session)
        parts = backfills.unfinished(session, id_, "kabar")[::-1]
        for n, (part, articles) in enumerate(zip(parts, (20, 0, 3, 18, 0, 0), strict=True)):
            published = part.start + timedelta(days=2)
            listed = [link(n * 100 + i, published) for i in range(articles)]
            backfills.take(session, part, listed, 1, NOW)
            if n < 4:
                backfills.end(session, part, NOW, None)
        backfills.end(session, parts[4], None, "HTTP 500")
        backfills.take(session, parts[0], [link(9000)], 2, NOW)
        links.settle(session, [Outcome(link(0).url, State.GATED)], NOW)
    with writing() as session:
        months = backfills.months(session, id_, "kabar", MONTHS[::-1])
        assert [(m.listed, m.fetched, m.found) for m in months[:3]] == [
            (20, 1, 0), (0, 0, 0), (3, 0, 0),
        ]  # fmt: skip
        marks = [month.mark for month in months]
        assert marks == [None, Mark.EMPTY, Mark.FEW, None, Mark.UNREACHED, None], (
            "the last may come"
        )
        assert backfills.undated(session, id_, "kabar") == (1, 0, 0)
        row = backfills.get(session, id_, NOW)
        assert row
        assert (row.slices, row.slices_done, row.listed, row.fetched) == (6, 4, 42, 1)
        assert (row.pending, row.state) == (41, "stopped")
        leases.acquire(session, backfills.lease(id_), "me", 15, NOW)
        backfills.finish(session, id_, NOW)
        states = [
            row.state
            for at in (0, 16)
            if (row := backfills.get(session, id_, NOW + timedelta(seconds=at)))
        ]
        assert states == ["running", "done"]


def test_what_was_not_reached(writing: Writing) -> None:
    """Nothing there for one month is no failure of a source that answers for another."""

    def ended(*ends: tuple[str, str | None, bool]) -> tuple[set[Mark | None], str | None, bool]:
        """By (source, error, whether finally) of the first two months: the marks, why nothing could
        be read, and whether all was."""
        parts = [
            Part("kabar", source, *MONTHS[n])
            for n in range(2)
            for source in dict.fromkeys(source for source, _, _ in ends)
        ]
        with writing() as session:
            id_ = backfills.begin(session, MONTHS[0][0], MONTHS[1][1], ["kabar"], parts, NOW)
            slices = backfills.slices(session, id_, "kabar")
            for source, error, final in ends:
                part = next(part for part in slices if part.source == source)
                slices.remove(part)
                backfills.end(session, part, None if error and not final else NOW, error)
        with writing() as session:
            months = backfills.months(session, id_, "kabar", MONTHS[:2])
            marks = {month.mark for month in months}
            return marks, backfills.refusal(session, id_, "kabar"), backfills.is_read(session, id_)

    gone, broken = ("/feed", "HTTP 404", True), ("/rest", "HTTP 500", False)
    assert ended(gone, gone) == ({Mark.UNREACHED}, "/feed: HTTP 404", True)
    assert ended(gone, gone, broken, broken)[0] == {Mark.UNREACHED}
    assert ended(gone, ("/feed", None, True)) == ({None}, None, True)
    assert ended(gone, gone, broken, ("/rest", None, True))[1] is None
    assert ended(gone) == ({Mark.UNREACHED, None}, None, False), "one was never read"


def test_files_are_read_or_missed(writing: Writing) -> None:
    """A file may have articles of any month."""
    with writing() as session:
        places = ["/news/1.warc.gz", "https://archive.example/2.warc.gz"]
        start, until = MONTHS[0][0], MONTHS[1][1]
        id_ = backfills.begin(session, start, until, ["kabar"], (), NOW, files=places)
        files = backfills.files(session, id_)
        assert [file.place for file in files] == places
        backfills.note_read(session, files[0], position=5 * 1024**3, records=7)

    def now() -> tuple[set[Mark | None], bool, int]:
        with writing() as session:
            months = backfills.months(session, id_, "kabar", MONTHS[:2])
            row = backfills.get(session, id_, NOW)
            assert row
            is_read = backfills.is_read(session, id_)
            return {month.mark for month in months}, is_read, row.files_done

    assert now() == ({None}, False, 0)
    with writing() as session:
        files = backfills.files(session, id_)
        assert (files[0].position, files[0].records) == (5 * 1024**3, 7)
        backfills.note_read(session, files[0], finished=NOW)
        backfills.note_read(session, files[1], error="HTTP 404")
    assert now() == ({None}, True, 1)
    with writing() as session:
        files = backfills.files(session, id_)
        backfills.note_read(session, files[0], finished=NOW, position=0, error="it is no WARC file")
    assert now() == ({Mark.UNREACHED}, True, 1)


def test_a_living_page_stands_before_an_archive_s_copy(writing: Writing) -> None:
    url = "https://kabar.example/berita/1"
    kept = Link(url, f"https://web.archive.org/web/20230105000000id_/{url}")
    with writing() as session:
        id_ = begun(session)
        (part, *_) = backfills.unfinished(session, id_, "kabar")
        for listed in (kept, Link(url, "http://www.kabar.example/berita/1/"), kept):
            backfills.take(session, part, [listed], 1, NOW)
        (pending,) = links.pending(session, "kabar", 9, id_)
        assert pending.address == "http://www.kabar.example/berita/1/"


def test_who_comes_last_lends_a_lease_that_is_wanted(writing: Writing) -> None:
    def acquire(owner: str, at: float, *, last: bool = False) -> bool:
        with writing() as session:
            return leases.acquire(session, "x", owner, 60, NOW + timedelta(seconds=at), last=last)

    def wanted(at: float) -> bool:
        with writing() as session:
            return leases.is_wanted(session, "x", NOW + timedelta(seconds=at))

    assert acquire("backfill", 0, last=True)
    assert not acquire("daily", 1)
    with writing() as session:
        leases.want(session, "x", NOW + timedelta(seconds=1))
    assert acquire("backfill", 2, last=True), "it may end its page first"
    assert wanted(2)
    assert not wanted(7), "who wanted it has given up"
    with writing() as session:
        leases.lend(session, "x", "backfill", NOW + timedelta(seconds=3))
    assert not acquire("backfill", 3, last=True)
    assert acquire("daily", 4)
    assert not wanted(4)
    assert not acquire("backfill", 5, last=True)
    with writing() as session:
        leases.release(session, "x", "daily")
    assert acquire("backfill", 6, last=True)
    with writing() as session:
        leases.want(session, "x", NOW + timedelta(seconds=6))
        leases.lend(session, "x", "backfill", NOW + timedelta(seconds=6))
    assert acquire("backfill", 12, last=True), "nobody came for it"
