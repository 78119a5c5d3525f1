"""Delivery: once, in order, and never lost."""

import contextlib
import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from structlog.contextvars import get_contextvars

from alerts import channels, deliver
from storage import models, rules
from storage.database import open_database
from tests.alerts.conftest import Desk, Receiver, receiving, settings_in, wait_until
from tests.conftest import Pantau


def test_each_news_is_one_message_in_order(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook")
    story = desk.find("Camat A")
    desk.find("Lurah B")
    desk.find("Camat A", outlet="other", story=story)  # the same story, again
    assert [sent.error for sent in desk.deliver()] == [None, None]
    assert receiver.titles() == ["Dugaan pelanggaran: Camat A", "Dugaan pelanggaran: Lurah B"]
    assert receiver.got[0].json()["items"][0]["outlets"] == 2
    assert desk.deliver(days=2) == []
    desk.find("Camat A dihukum", "sanction", story=story)
    desk.deliver()
    assert receiver.titles()[2:] == ["Sanksi: Camat A dihukum"]
    assert "Dugaan pelanggaran → Sanksi" in receiver.got[2].json()["text"]


def test_a_message_that_is_not_taken_holds_the_next_ones_back(
    desk: Desk, receiver: Receiver
) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook")
    desk.find("A")
    desk.find("B")
    receiver.answers = [500, 404, 500]
    assert [sent.error for sent in desk.deliver()] == ["HTTP 500"]
    assert desk.deliver(seconds=30) == []
    tried = [desk.deliver(seconds=90), desk.deliver(seconds=90), desk.deliver(seconds=180)]
    assert [[sent.error for sent in run] for run in tried] == [["HTTP 404"], [], ["HTTP 500"]]
    (first,) = desk.unsent()  # the other is owed again
    pause = first.next_try - desk.now
    assert timedelta(minutes=4) <= pause <= timedelta(minutes=4.4)
    assert first.attempts == 3
    assert [sent.error for sent in desk.deliver(minutes=5)] == [None, None]
    assert receiver.titles() == ["Dugaan pelanggaran: A"] * 4 + ["Dugaan pelanggaran: B"]
    assert len({got.headers["Pantau-Id"] for got in receiver.got[:4]}) == 1
    assert len({got.body for got in receiver.got[:4]}) == 1


def test_what_a_receiver_asks_for_is_heeded(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook")
    desk.find("A")
    receiver.answers = [(429, {"Retry-After": "1800"})]
    assert [sent.error for sent in desk.deliver()] == ["HTTP 429"]
    assert desk.deliver(minutes=29) == []
    assert [sent.error for sent in desk.deliver(minutes=2)] == [None]


def test_nothing_is_tried_again_in_quiet_hours_or_for_a_paused_rule(
    desk: Desk, receiver: Receiver
) -> None:
    """Nor does what is held back keep the channel's other rules waiting."""
    desk.channel("hook", receiver.address)
    desk.rule("early", "hook", quiet="10:00-12:00", language="en")
    desk.rule("all day", "hook", wanted={"kinds": ["sanction"]}, language="en")
    desk.find("A")
    receiver.answers = [500]
    assert [sent.error for sent in desk.deliver(minutes=59, seconds=50)] == ["HTTP 500"]
    desk.find("B", "sanction")
    desk.deliver(minutes=30)
    assert receiver.titles()[1:] == ["Sanction: B"]
    change(desk, "early", active=False)
    assert desk.deliver(hours=2) == []
    change(desk, "early", active=True)
    desk.deliver()
    assert receiver.titles()[2:] == ["Allegation: A", "Sanction: B"]
    assert receiver.got[0].headers["Pantau-Id"] == receiver.got[2].headers["Pantau-Id"]


def change(desk: Desk, name: str, **fields: object) -> None:
    with Session(desk.engine) as session, session.begin():
        rule = rules.get(session, name).rule
        rules.change(session, name, rule.model_copy(update=fields))


def run_once(desk: Desk) -> list[deliver.Sent]:
    """As `pantau run` does."""
    return deliver.run(desk.engine, desk.settings, lambda: desk.now, gathers=True)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Never silent for long, and never done."""
    with contextlib.suppress(OSError):
        for letter in b"HTTP/1.1 200 OK":
            handler.wfile.write(bytes([letter]))
            time.sleep(0.3)


@pytest.mark.parametrize("hang", [lambda _: time.sleep(5), drip])
def test_a_channel_that_hangs_keeps_no_other_waiting(
    desk: Desk, receiver: Receiver, hang: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    with receiving() as hanging:
        hanging.answers = [hang]
        desk.channel("hanging", hanging.address)
        desk.channel("hook", receiver.address)
        desk.rule("first", "hanging")
        desk.rule("second", "hook")
        desk.find("A")
        began = time.monotonic()
        assert {sent.channel: sent.error for sent in desk.deliver()} == {
            "hanging": "no answer within 1 seconds",
            "hook": None,
        }
        assert time.monotonic() - began < 4


def test_after_a_day_it_is_given_up_said_and_the_channel_goes_on(
    desk: Desk, receiver: Receiver
) -> None:
    with receiving() as operators:
        desk.settings = desk.settings.model_copy(update={"operators": "operators"})
        desk.channel("hook", receiver.address)
        desk.channel("operators", operators.address)
        desk.rule("bali", "hook")
        desk.find("A")
        desk.find("B")
        receiver.answers = [503] * 28
        for _ in range(28):
            desk.deliver(minutes=67)  # longer than any pause
            if receiver.titles()[-1].endswith("B"):
                break
        given_up = [one for one in desk.unsent() if one.given_up]
        assert [(one.title, one.error) for one in given_up] == [
            ("Dugaan pelanggaran: A", "HTTP 503")
        ]
        assert given_up[0].given_up
        age = given_up[0].given_up - given_up[0].created
        assert timedelta(days=1) <= age <= timedelta(days=1, minutes=67)
        receiver.answers = []
        desk.deliver(hours=2)
        assert receiver.titles()[-1] == "Dugaan pelanggaran: B"
        assert operators.titles() == ["Given up: Dugaan pelanggaran: A"]
        assert "HTTP 503" in operators.got[0].json()["text"]
        with Session(desk.engine) as session, session.begin():
            assert deliver.again(session, given_up[0].id, desk.now)
            assert not deliver.again(session, 10**12, desk.now)
        desk.deliver()
        assert receiver.titles()[-1] == "Dugaan pelanggaran: A"
        assert desk.unsent() == []


def test_a_flood_is_one_summary(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook", language="en")
    for number in range(11):
        desk.find(f"A{number}")
    desk.deliver()
    assert receiver.titles() == ["11 new reports at once"]
    text = receiver.got[0].json()["text"]
    assert all(f"A{number}\n" in text for number in range(11))


def test_a_flood_that_comes_bit_by_bit_is_folded_too(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook", language="en")
    for number in range(60):
        desk.find(f"A{number}")
        desk.deliver(seconds=15)
    for _ in range(60):
        desk.deliver(seconds=30)
    assert receiver.titles() == [
        *(f"Allegation: A{number}" for number in range(10)),
        "11 new reports at once",
        "39 new reports at once",
    ]
    desk.find("after the flood")
    desk.deliver()
    assert receiver.titles()[-1] == "Allegation: after the flood"


def test_what_gathers_while_a_channel_fails_is_folded(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook", language="en")
    receiver.answers = [500] * 5
    for number in range(8):
        desk.find(f"A{number}")
    for number in range(8, 20):
        desk.deliver(minutes=4)
        desk.find(f"A{number}")
    desk.deliver(hours=1)
    assert receiver.titles()[-2:] == ["Allegation: A0", "19 new reports at once"]
    assert set(receiver.titles()[:-2]) == {"Allegation: A0"}
    assert len({got.headers["Pantau-Id"] for got in receiver.got}) == 2
    told = [item["title"] for got in receiver.got[-2:] for item in got.json()["items"]]
    assert told == [f"A{number}" for number in range(20)]
    assert desk.unsent() == []


def test_what_is_being_sent_is_not_withdrawn(desk: Desk, receiver: Receiver) -> None:
    """While somebody sends to a channel that failed before, its next messages stay as they are."""
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook")
    for name in "ABC":
        desk.find(name)
    receiver.answers = [500]
    desk.deliver()

    def meanwhile(_: object) -> None:
        with Session(desk.engine) as session, session.begin():
            deliver.take_up(session, desk.now, desk.settings)

    receiver.answers = [meanwhile] * 3
    desk.deliver(minutes=5)
    assert [title[-1] for title in receiver.titles()] == ["A", "A", "B", "C"]


def test_what_a_crawl_finds_within_moments_is_told_together(desk: Desk, receiver: Receiver) -> None:
    """`pantau run` looks every few seconds; a flood has only begun then."""

    def look() -> None:
        assert all(sent.error is None for sent in run_once(desk))

    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook", language="en")
    for number in range(25):
        desk.find(f"A{number}", "sanction" if number == 24 else "allegation")
        desk.now += timedelta(seconds=2)
        if number % 4 == 0:
            look()
    assert receiver.titles() == []
    for _ in range(2):
        desk.now += timedelta(seconds=15)
        look()
    assert receiver.titles() == ["25 new reports at once"]
    told = [item["title"] for item in receiver.got[0].json()["items"]]
    assert told == ["A24", *(f"A{number}" for number in range(24))]
    # what comes without end is not waited for
    desk.now += timedelta(hours=1)
    for number in range(9):
        desk.find(f"B{number}")
        desk.now += timedelta(seconds=15)
        look()
    assert receiver.titles()[1:] == [f"Allegation: B{number}" for number in range(8)]


def test_hourly_and_daily_news_come_together(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("hourly", "hook", pace="hourly")
    desk.rule("daily", "hook", pace="daily")
    desk.find("A")
    desk.find("B")
    desk.find("old", quiet=True)
    assert desk.deliver(minutes=59) == []
    desk.deliver(minutes=2)
    assert receiver.titles() == ["2 kabar baru"]
    for _ in range(24):
        desk.deliver(hours=1)
    assert receiver.titles()[1:] == ["Ringkasan 16 Juni 2026: 2 kabar (+ 1 berita lama)"]


def test_old_news_that_is_told_again_today_is_news(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("daily", "hook", pace="daily")
    waiting = desk.find("Old A", quiet=True)
    desk.find("A", story=waiting, outlet="other")  # before the digest: it is told once, as news
    told = desk.find("Old B", quiet=True)
    further = desk.find("Old C", quiet=True)
    desk.deliver(days=1)
    desk.find("B", story=told, outlet="other")  # after it: it is news, and nothing that went on
    desk.find("C", "sanction", story=further, outlet="other")
    desk.deliver(days=1)
    digests = [got.json() for got in receiver.got]
    said = [[(item["title"], item["quiet"]) for item in one["items"]] for one in digests]
    assert said == [
        [("A", False), ("Old B", True), ("Old C", True)],
        [("C", False), ("B", False)],
    ]
    assert [item["before"] for item in digests[1]["items"]] == ["allegation", None]
    assert digests[1]["items"][1]["outlets"] == 2
    assert len(re.findall("2 kabar, 1 berkembang", digests[1]["title"])) == 1


def test_many_deliverers_send_each_message_once(
    database_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    settings = settings_in(tmp_path, database_url=database_url)
    engine = open_database(database_url)
    desk = Desk(engine, settings)
    desk.channel("hook", receiver.address)
    desk.rule("at once", "hook")
    desk.rule("daily", "hook", pace="daily")
    for number in range(8):
        desk.find(f"A{number}")
    desk.now += timedelta(days=1)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(desk.deliver)
    desk.deliver(minutes=5)
    titles = receiver.titles()
    assert sorted(titles) == sorted(set(titles))
    assert [title for title in titles if "A" in title] == [
        f"Dugaan pelanggaran: A{number}" for number in range(8)
    ]
    assert len(titles) == 9
    engine.dispose()


def test_a_kill_between_sending_and_noting_repeats_it_once_with_the_same_id(
    pantau: Pantau, desk: Desk, receiver: Receiver
) -> None:
    pantau.set(
        database_url=desk.settings.database,
        secret_key=desk.settings.secret_key.get_secret_value() if desk.settings.secret_key else "",
        timeout=2,
    )
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook")
    for name in "ABC":
        desk.find(name)
    killed = threading.Event()
    receiver.answers = [200, lambda _: killed.wait(20)]
    process = pantau.start("alerts", "deliver")
    wait_until(lambda: len(receiver.got) == 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed.set()
    with Session(desk.engine) as session, session.begin():
        assert len(session.scalars(select(models.Lease)).all()) == 1
        # as if the time had passed after which another may take over
        session.execute(update(models.Lease).values(expires=desk.now))
    assert pantau("alerts", "deliver").code == 0
    ids = [got.headers["Pantau-Id"] for got in receiver.got]
    assert [title[-1] for title in receiver.titles()] == ["A", "B", "B", "C"]
    assert ids[1] == ids[2]
    assert len(set(ids)) == 3
    assert pantau("alerts", "pending", "--json").json() == {"messages": [], "news": []}


def test_a_killed_flood_is_the_same_summary_again(
    pantau: Pantau, desk: Desk, receiver: Receiver
) -> None:
    pantau.set(
        database_url=desk.settings.database,
        secret_key=desk.settings.secret_key.get_secret_value() if desk.settings.secret_key else "",
        timeout=2,
    )
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook", language="en")
    for number in range(15):
        desk.find(f"A{number}")
    killed = threading.Event()
    receiver.answers = [lambda _: killed.wait(20)]
    process = pantau.start("alerts", "deliver")
    wait_until(lambda: len(receiver.got) == 1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed.set()
    for number in range(15, 18):  # and more comes: not into what may have been sent
        desk.find(f"A{number}")
    with Session(desk.engine) as session, session.begin():
        session.execute(update(models.Lease).values(expires=desk.now))
    assert pantau("alerts", "deliver").code == 0
    assert receiver.titles() == ["15 new reports at once"] * 2
    assert receiver.got[0].body == receiver.got[1].body
    assert receiver.got[0].headers["Pantau-Id"] == receiver.got[1].headers["Pantau-Id"]
    waiting = pantau("alerts", "pending", "--json").json()
    assert [row["title"] for row in waiting["news"]] == ["A15", "A16", "A17"]


def test_old_messages_are_forgotten_and_their_news_is_not_sent_again(
    desk: Desk, receiver: Receiver
) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook")
    desk.find("A")
    for days in (0, 89, 2):
        desk.deliver(days=days)
    with Session(desk.engine) as session:
        assert session.scalars(select(models.Delivery)).all() == []
    assert len(receiver.got) == 1


def test_what_is_given_up_while_it_is_sent_stays_so(desk: Desk, receiver: Receiver) -> None:
    def remove(_: object) -> None:
        with Session(desk.engine) as session, session.begin():
            rules.remove(session, "bali", desk.now)
        time.sleep(1.5)  # too long

    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook")
    desk.find("A")
    receiver.answers = [remove]
    assert [sent.error for sent in desk.deliver()] == ["no answer within 1 seconds"]
    assert [one.error for one in desk.unsent()] == ["its rule, bali, was removed"]


def test_what_was_sent_to_a_removed_channel_is_not_sent_again(
    desk: Desk, receiver: Receiver
) -> None:
    """The next messages may have the ids of those that went with the channel."""
    with receiving() as before:
        desk.channel("before", before.address)
        desk.rule("bali", "before")
        desk.find("A")
        desk.find("B")
        desk.deliver()
    desk.channel("hook", receiver.address)
    change(desk, "bali", channel="hook")
    with Session(desk.engine) as session, session.begin():
        assert channels.remove(session, "before") == 0
    desk.find("C")
    desk.find("D")
    receiver.answers = [500]
    desk.deliver(days=1)
    desk.deliver(hours=1)
    assert [title[-1] for title in receiver.titles()] == ["C", "C", "D"]


def test_the_log_says_which_crawl_and_outlet_a_message_is_about(
    desk: Desk, receiver: Receiver
) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook")
    with Session(desk.engine) as session, session.begin():
        for run, hours in (("yesterday", 24), ("today", 0)):
            began = desk.now - timedelta(hours=hours, minutes=5)
            session.add(models.Crawl(run=run, outlet="nusabali", started=began, dropped={}))
    desk.find("A")
    receiver.answers = [500]
    with said() as lines:
        desk.deliver()
        desk.deliver(minutes=2)
        for number in range(11):
            desk.find(f"B{number}", outlet=f"outlet{number}")
        desk.deliver(hours=1)
    about = {"channel": "hook", "rule": "bali"}
    one = about | {"reports": 1, "outlet": "nusabali", "crawl": "today"}
    assert [fields for _, fields in lines] == [one, one, about | {"reports": 11}]
    assert ["not taken: HTTP 500" in line for line, _ in lines] == [True, False, False]


@contextlib.contextmanager
def said() -> Iterator[list[tuple[str, dict[str, object]]]]:
    """The lines that the delivery writes into the log, with the fields they have there."""
    lines: list[tuple[str, dict[str, object]]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.getMessage(), get_contextvars()))

    keep = Keep()
    deliver.logger.addHandler(keep)
    deliver.logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        deliver.logger.removeHandler(keep)
        deliver.logger.setLevel(logging.NOTSET)
