"""Links: every one is recorded once, settled once, and none is lost."""

import random
import string
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from crawler import urls
from extract.article import Article, Page, Verdict
from extract.link import Link
from extract.snapshot import Snapshot
from storage import backfills, findings, links
from storage.links import CHUNK, MAX_ATTEMPTS, Discovery, Outcome
from storage.models import Link as Row
from storage.models import SeenIn, State
from tests.storage.conftest import Writing

NOW = datetime(2024, 11, 20, 5, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def link(name: str | int, **dates: datetime | None) -> Link:
    return Link(f"https://kabar.id/{name}", f"https://www.kabar.id/{name}/", **dates)


def url(name: str | int) -> str:
    return link(name).url


def record(session: Session, *listed: Link, **more: Any) -> Discovery:
    how: dict[str, Any] = {"now": NOW, "known_before": None, "oldest": None} | more
    return links.record(session, "kabar", listed, **how)


def settle(session: Session, state: State, *names: str | int, now: datetime = NOW) -> list[str]:
    return links.settle(session, [Outcome(url(name), state) for name in names], now)


def fail(session: Session, name: str | int, *, final: bool = False) -> list[str]:
    return links.settle(session, [Outcome(url(name), State.FAILED, "HTTP 500", final)], NOW)


def pending(session: Session, limit: int = 1_000_000) -> list[str]:
    return [found.url for found in links.pending(session, "kabar", limit)]


def row(session: Session, name: str | int) -> Row:
    return session.scalars(select(Row).where(Row.url == url(name))).one()


def find(session: Session, name: str | int, now: datetime = NOW) -> None:
    """Make a finding of a link."""
    page = Page(url(name), b"<p>ASN", now)
    article = Article(url(name), "Judul", "ASN netral.")
    verdict = Verdict(relevant=True, score=0.9, kind="pledge")
    findings.keep(session, url(name), article, verdict, [Snapshot.of(page)], now)
    settle(session, State.FOUND, name, now=now)


# --- recording ------------------------------------------------------------------------------------


def test_new_links_are_pending(writing: Writing) -> None:
    with writing() as session:
        discovery = record(session, link(1, published=NOW - HOUR), link(2))
        assert discovery == Discovery(new=[url(1), url(2)], unread=2)
    with writing() as session:
        first, second = links.pending(session, "kabar", 10)
        assert first == link(1, published=NOW - HOUR)
        assert second == link(2)
        assert links.pending(session, "another", 10) == []
        assert links.count(session) == {State.PENDING: 2}


def test_known_links_are_not_new_again(writing: Writing) -> None:
    with writing() as session:
        record(session, link(1), link(2), link(3))
        settle(session, State.GATED, 2)
        settle(session, State.REJECTED, 3)
    with writing() as session:
        discovery = record(session, link(1), link(2), link(3), link(4))
        assert discovery.new == [url(4)]
        assert sorted(discovery.settled) == [url(2), url(3)]
        assert pending(session) == [url(1), url(4)]


def test_twins_on_one_page_are_one_link_and_the_first_counts(writing: Writing) -> None:
    twin = Link(url(1), "https://amp.kabar.id/1")
    with writing() as session:
        assert record(session, link(1), link(2), twin).new == [url(1), url(2)]
        assert [found.address for found in links.pending(session, "kabar", 10)] == [
            "https://www.kabar.id/1/",
            "https://www.kabar.id/2/",
        ]


def test_one_too_old_is_skipped_for_good(writing: Writing) -> None:
    oldest = NOW - 7 * DAY
    with writing() as session:
        discovery = record(
            session,
            link("old", published=oldest - HOUR),
            link("new", published=oldest),
            link("undated"),
            oldest=oldest,
        )
        assert discovery.skipped == [url("old")]
        assert discovery.new == [url("new"), url("undated")]
        assert discovery.unread == 2
    with writing() as session:
        again = record(session, link("old", published=NOW), oldest=None)
        assert again.skipped == [url("old")]
        assert again.unread == 0, "what is skipped is no reason to read further back"
        assert again.new == []
        assert url("old") not in pending(session)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=timezone(7 * HOUR)),
        datetime(1024, 1, 15, tzinfo=UTC),
        datetime(9999, 12, 31, 23, tzinfo=timezone(-7 * HOUR)),
    ],
    ids=["unset", "mistyped", "far future"],
)
def test_an_impossible_date_is_none(writing: Writing, moment: datetime) -> None:
    with writing() as session:
        odd = link(1, published=moment, modified=moment)
        assert record(session, odd, oldest=NOW - DAY).new == [url(1)], "it may be new"
        assert links.pending(session, "kabar", 1) == [link(1)]
        find(session, 1)
        assert record(session, odd).changed == []


def test_a_date_that_another_source_gives_is_taken(writing: Writing) -> None:
    with writing() as session:
        record(session, link(1))
        record(session, link(1, published=NOW - DAY))
        record(session, link(1, published=NOW - HOUR))
        assert links.pending(session, "kabar", 1) == [link(1, published=NOW - DAY)]


def test_a_finding_modified_later_is_fetched_again_once(writing: Writing) -> None:
    before, after = NOW - HOUR, NOW + HOUR
    with writing() as session:
        record(session, link(1))
        find(session, 1)
        assert record(session, link(1, modified=before)).changed == []
        discovery = record(session, link(1, modified=after), known_before=NOW + DAY)
        assert discovery == Discovery(changed=[url(1)], unread=1)
        assert pending(session) == [url(1)]
        assert record(session, link(1, modified=after)).changed == []  # it is pending already
        settle(session, State.FOUND, 1, now=NOW + 2 * HOUR)
        assert record(session, link(1, modified=after)).changed == []
        # a clock that is ahead: the same date again is no change
        settle(session, State.FOUND, 1, now=NOW)
        assert record(session, link(1, modified=after)).changed == []
        assert record(session, link(1, modified=after + HOUR)).changed == [url(1)]


def test_only_findings_are_fetched_again(writing: Writing) -> None:
    states = [State.GATED, State.EMPTY, State.REJECTED, State.TWIN]
    with writing() as session:
        record(session, *map(link, states), link("failed"))
        for state in states:
            settle(session, state, state)
        fail(session, "failed", final=True)
        listed = [link(name, modified=NOW + HOUR) for name in [*states, "failed"]]
        discovery = record(session, *listed)
        assert discovery.changed == []
        assert len(discovery.settled) == 5
        assert pending(session) == []


def test_a_finding_of_a_backfill_that_is_modified_is_the_daily_crawls(writing: Writing) -> None:
    with writing() as session:
        record(session, link(1), seen_in=SeenIn.PAST, backfill_id=7)
        find(session, 1)
        assert record(session, link(1, modified=NOW + HOUR)).changed == [url(1)]
        assert pending(session) == [url(1)]


def test_what_a_spare_source_listed_first_is_news_where_a_daily_one_lists_it(
    writing: Writing,
) -> None:
    first, later = {"oldest": NOW - 7 * DAY}, {"known_before": NOW + DAY}
    names = "undated", "dated now", "old", "old to the feed", "undated to the feed"
    undated, dated_now, old, *others = names
    with writing() as session:
        dates = dict.fromkeys((old, *others), NOW - 30 * DAY)
        listed = [link(name, published=dates.get(name)) for name in names]
        spare = {"seen_in": SeenIn.SPARE, "undated": State.SKIPPED}
        assert record(session, *listed, **first, **spare).skipped == [url(name) for name in names]
        for seen_in in (SeenIn.SPARE, SeenIn.SEARCH, SeenIn.STAND_IN):  # they know no better
            again = record(session, *listed, **later, seen_in=seen_in)
            assert again.skipped == [url(name) for name in names], seen_in
        daily = {undated: None, dated_now: NOW, old: dates[old], others[0]: NOW - 30 * DAY}
        fed = [link(name, published=date) for name, date in daily.items()]
        discovery = record(session, *fed, link(others[1]), **later)
        assert discovery.new == [url(undated), url(dated_now)]
        assert sorted(pending(session)) == sorted([url(undated), url(dated_now)])


def test_where_a_link_leads_to_counts_as_listed_by_what_listed_the_link(writing: Writing) -> None:
    def lead(name: str, target: str) -> list[str]:
        return links.redirected(session, "kabar", url(name), link(target), now=NOW).new

    with writing() as session:
        record(session, link("daily"))
        record(session, link("spare"), seen_in=SeenIn.SPARE)
        record(session, link("skipped"), seen_in=SeenIn.SPARE, undated=State.SKIPPED)
        assert lead("daily", "one") == [url("one")]
        assert lead("spare", "two") == [url("two")]
        assert lead("daily", "two") == [], "it is known"
        assert lead("daily", "skipped") == [url("skipped")]
        assert row(session, "one").seen_in == SeenIn.DAILY
        assert row(session, "skipped").seen_in == SeenIn.DAILY | SeenIn.SPARE
        record(session, link("spare again"), seen_in=SeenIn.SPARE)
        lead("spare again", "three")
        assert row(session, "three").seen_in == SeenIn.SPARE


def test_unread_are_those_that_the_last_complete_reading_cannot_have_seen(
    writing: Writing,
) -> None:
    completed = NOW + HOUR
    with writing() as session:
        record(session, link("before"), link("settled before"), now=NOW)
        settle(session, State.REJECTED, "settled before")
        record(session, link("since"), link("settled since"), now=completed + HOUR)
        settle(session, State.REJECTED, "settled since")

        def unread(*names: str, known_before: datetime | None = completed) -> int:
            return record(session, *map(link, names), known_before=known_before).unread

        assert unread("before", "settled before") == 0
        assert unread("before", "since") == 1
        assert unread("settled since") == 1, "another source may have listed it"
        assert unread("before", "since", known_before=None) == 2, "nothing was ever read whole"
        assert unread("before", "new") == 1


# --- settling -------------------------------------------------------------------------------------


def test_settled_links_are_no_longer_pending(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        record(session, *map(link, range(6)))
        outcomes = [
            Outcome(url(0), State.GATED),
            Outcome(url(1), State.EMPTY),
            Outcome(url(2), State.GATED),
            Outcome(url(3), State.FAILED, "HTTP 404"),
            Outcome(url(4), State.TWIN),
        ]
        assert sorted(links.settle(session, outcomes, NOW)) == [url(n) for n in range(5)]
    with writing() as session:
        assert pending(session) == [url(5)]
        assert links.count(session) == {
            State.GATED: 2, State.EMPTY: 1, State.FAILED: 1, State.TWIN: 1, State.PENDING: 1,
        }  # fmt: skip
        assert row(session, 0).settled == NOW
        assert row(session, 3).error == "HTTP 404"
    batches = list(links.settled_urls(engine))
    assert sorted(chain(*batches)) == [url(n) for n in range(5)]


def test_a_failed_link_is_tried_again_until_it_has_failed_too_often(writing: Writing) -> None:
    with writing() as session:
        record(session, link(1))
        for _ in range(MAX_ATTEMPTS - 1):
            assert fail(session, 1) == []
            assert pending(session) == [url(1)]
        assert fail(session, 1) == [url(1)]
        assert pending(session) == []
        assert row(session, 1).attempts == MAX_ATTEMPTS


def test_a_final_failure_is_final_at_once(writing: Writing) -> None:
    with writing() as session:
        record(session, link(1))
        assert fail(session, 1, final=True) == [url(1)]
        assert pending(session) == []


def test_a_failure_made_good_is_forgotten(writing: Writing) -> None:
    with writing() as session:
        record(session, link(1))
        fail(session, 1)
        settle(session, State.GATED, 1)
        assert row(session, 1).error is None


@pytest.mark.parametrize("state", [State.GATED, State.EMPTY, State.REJECTED, State.FAILED])
def test_a_found_link_stays_found(writing: Writing, state: State) -> None:
    with writing() as session:
        record(session, link(1))
        find(session, 1)
        record(session, link(1, modified=NOW + HOUR))
        assert links.settle(session, [Outcome(url(1), state)], NOW + 2 * HOUR) == [url(1)]
        assert links.count(session) == {State.FOUND: 1}


def test_what_was_never_recorded_is_not_settled(writing: Writing) -> None:
    with writing() as session:
        assert settle(session, State.GATED, "unheard of") == []
        assert links.settle(session, [], NOW) == []


def test_skipped_and_pending_links_are_not_among_the_settled(
    writing: Writing, engine: Engine
) -> None:
    with writing() as session:
        record(session, link(1), link(2, published=NOW - DAY), oldest=NOW - HOUR)
    assert list(links.settled_urls(engine)) == []


def test_the_newest_come_first_and_undated_ones_as_listed(writing: Writing) -> None:
    with writing() as session:
        record(
            session,
            link("undated 1"),
            link("old", published=NOW - DAY),
            link("undated 2"),
            link("newest", published=NOW.astimezone(timezone(9 * HOUR))),
            link("new", published=NOW - HOUR),
        )
        order = [url(name) for name in ("newest", "new", "old", "undated 1", "undated 2")]
        assert pending(session) == order
        assert pending(session, 2) == order[:2]


# --- many -----------------------------------------------------------------------------------------


def test_a_sitemap_of_ten_thousand_links(writing: Writing) -> None:
    listed = [link(n, published=NOW - n * timedelta(minutes=1)) for n in range(10_000)]
    assert len(listed) > 2 * CHUNK
    began = time.monotonic()
    with writing() as session:
        assert record(session, *listed).new == [found.url for found in listed]
    with writing() as session:
        assert record(session, *listed).new == []
        assert pending(session) == [found.url for found in listed]
    with writing() as session:
        assert len(settle(session, State.GATED, *range(10_000))) == 10_000
    with writing() as session:
        discovery = record(session, *listed, link("one more"), known_before=NOW + HOUR)
        assert discovery.new == [url("one more")]
        assert len(discovery.settled) == 10_000
        assert discovery.unread == 1
    assert time.monotonic() - began < 30


def test_several_recording_and_settling_the_same_lose_and_double_nothing(
    writing: Writing,
) -> None:
    names = list(range(1200))

    def work(seed: int) -> int:
        order = random.Random(seed).sample(names, len(names))  # noqa: S311
        with writing() as session:
            new = len(record(session, *map(link, order)).new)
        random.Random(seed + 100).shuffle(order)  # noqa: S311
        with writing() as session:
            settle(session, State.GATED, *order)
        with writing() as session:
            return new + len(record(session, *map(link, order)).new)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(8))) == len(names), "each is new to one of them"
    with writing() as session:
        assert sum(links.count(session).values()) == len(names)


def test_two_failing_at_once_are_two_failures(writing: Writing) -> None:
    with writing() as session:
        record(session, link(1))

    def work(_: int) -> list[str]:
        with writing() as session:
            return fail(session, 1)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(MAX_ATTEMPTS)))
    assert sorted(results) == [[]] * (MAX_ATTEMPTS - 1) + [[url(1)]]


# --- odd ------------------------------------------------------------------------------------------

_LONG = "".join(random.Random(4).choices(string.ascii_letters + string.digits, k=2000))  # noqa: S311
ODD = [
    "http://kabar.id/berita/é-漢-😀",
    'http://kabar.id/it\'s "quoted" `and` \\slashed; DROP TABLE links; --',
    "http://kabar.id/100%25/%s/{0}/:name/?q=%(x)s&y=?",
    "http://kabar.id/nul\0/in?the=\0path",
    "http://kabar.id/" + _LONG[:1984],
    "http://kabar.id/?\r\nX: y",
]


@pytest.mark.parametrize("address", ODD, ids=range(len(ODD)))
def test_odd_addresses_are_links_like_others(writing: Writing, address: str) -> None:
    canonical, whole = urls.canonical(address), urls.address(address)
    assert canonical
    assert whole
    with writing() as session:
        assert record(session, Link(canonical, whole)).new == [canonical]
    with writing() as session:
        [found] = links.pending(session, "kabar", 5)
        assert found.url == canonical
        assert found.address == whole.replace("\0", "\ufffd")
        assert record(session, Link(canonical, whole)).new == []
        assert links.settle(session, [Outcome(canonical, State.FAILED, "\0\ud800 " + address)], NOW)
        assert pending(session) == []


@pytest.mark.parametrize("odd", ["nul\0", "lone \ud800 surrogate"])
def test_what_no_database_takes_is_replaced(writing: Writing, engine: Engine, odd: str) -> None:
    clean = odd.replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    with writing() as session:
        assert record(session, link(odd), link("good")).new == [url(clean), url("good")]
    with writing() as session:
        assert record(session, link(odd)).new == []
        assert settle(session, State.GATED, odd) == [url(clean)]
    assert list(links.settled_urls(engine)) == [[url(clean)]]


def test_an_endless_url_is_left_out_and_the_others_stay(writing: Writing) -> None:
    endless = Link(url(_LONG + _LONG), "https://kabar.id/endless")
    with writing() as session:
        assert record(session, link(1), endless, link(2)).new == [url(1), url(2)]


def recorded(session: Session, names: Sequence[str]) -> list[str]:
    return list(session.scalars(select(Row.url).where(Row.url.in_(map(url, names)))))


def test_the_longest_url_fits(writing: Writing) -> None:
    """It must fit into PostgreSQL's index, and cannot be compressed."""
    name = (_LONG + _LONG)[: links.MAX_URL - len(url(""))]
    with writing() as session:
        assert record(session, link(name)).new == [url(name)]
    with writing() as session:
        assert recorded(session, [name]) == [url(name)]


def test_a_cancelled_backfill_leaves_a_modified_finding_to_the_daily_crawl(
    writing: Writing,
) -> None:
    with writing() as session:
        record(session, link(1))
        find(session, 1)
        id_ = backfills.begin(session, NOW, NOW, ["kabar"], [], NOW)
        listed = link(1, modified=NOW + HOUR), link(2)
        assert record(session, *listed, backfill_id=id_).changed == [url(1)]
        backfills.ask(session, id_, backfills.CANCEL, NOW)
    with writing() as session:
        assert pending(session) == [url(1)]
        assert row(session, 2).state == State.SKIPPED
        settle(session, State.REJECTED, 1)
        assert row(session, 1).state == State.FOUND
