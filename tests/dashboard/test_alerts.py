"""Alerts: rules tried and saved, channels tested, deliveries seen and sent again."""

import html
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.feeds import feed_for
from dashboard.serve import serving
from storage import people, rules
from storage.database import open_database, reading
from storage.models import Role
from storage.rules import Rule
from tests.alerts.conftest import Desk, Mailbox, Receiver, mailbox, receiver, settings_in
from tests.dashboard.conftest import Dashboard

__all__ = ["mailbox", "receiver"]

KEY = "a-key-of-20-letters!"
WORDS = 'netralitas AND (ASN OR "kepala desa")'
HOSTILE = "<script>alert(1)</script> netralitas ASN"


@dataclass
class Newsroom:
    """A desk whose alerts the `dashboard` shows; its clock begins ten days ago."""

    desk: Desk
    dashboard: Dashboard

    def rules(self) -> list[Rule]:
        with reading(self.desk.engine) as session:
            return [stored.rule for stored in rules.stored(session)]


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    current = settings_in(tmp_path, dashboard_address="127.0.0.1:0")
    engine = open_database(current.database)
    with serving(engine, current) as url:
        served = Dashboard(url, engine, current)
        yield Newsroom(Desk(engine, current, datetime.now(UTC) - timedelta(days=10)), served)
        for client in served.clients:
            client.close()
    engine.dispose()


def test_a_rule_is_tried_saved_changed_and_deleted(newsroom: Newsroom, receiver: Receiver) -> None:
    desk, operator = newsroom.desk, newsroom.dashboard.signed_in(Role.OPERATOR)
    desk.channel("tim", receiver.address)
    desk.rule("acuan", "tim", wanted={"words": WORDS})  # what is sent to it is what a trial counts
    desk.find("Netralitas ASN sebelum sepekan")
    desk.deliver(days=5)
    receiver.got.clear()
    told = desk.find("Netralitas ASN: camat dilaporkan")
    for title, more in (
        ("Netralitas ASN: camat dilaporkan, kata media lain", {"story": told, "outlet": "antara"}),
        ("Netralitas ASN: camat itu diberi sanksi", {"story": told, "kind": "sanction"}),
        ("Berita lama netralitas ASN", {"quiet": True}),
        ("Netralitas TNI dibahas", {}),
        (HOSTILE, {"kind": "outreach"}),
    ):
        desk.deliver(hours=3)
        desk.find(title, **more)
    desk.deliver(hours=3)
    form = {"name": "coba", "channel": "tim", "words": WORDS, "active": "true"}
    page = operator.post("/alerts/rules/new", **form, do="try")
    assert f"Would have sent {len(receiver.got)} messages in the past week" in page
    assert len(receiver.got) == 3
    assert "3 reports of 2 stories." in page
    assert "camat itu diberi sanksi" in page
    assert html.escape(HOSTILE) in page
    assert HOSTILE not in page
    assert "kata media lain" not in page
    assert [rule.name for rule in newsroom.rules()] == ["acuan"]

    daily = operator.post("/alerts/rules/new", **form, do="try", pace="daily")
    assert "4 reports of 3 stories." in daily  # and the old one
    only = operator.post("/alerts/rules/new", **form, do="try", kinds=["sanction", "statistics"])
    assert "Would have sent 1 message in the past week" in only

    page = operator.post(
        "/alerts/rules/new",
        **form,
        do="save",
        kinds=["sanction", "allegation"],
        subjects="civil_servant",
        provinces=["Bali", "Papua"],
        regencies="bima\nKota Surabaya",
        outlets="nusabali",
        least_score="0.5",
        zone="Asia/Makassar",
        quiet_from="22:00",
        quiet_to="06:00",
    )
    assert "The rule “coba” is saved." in page
    (saved,) = (rule for rule in newsroom.rules() if rule.name == "coba")
    assert saved.wanted.kinds == ("sanction", "allegation")
    assert saved.wanted.places == (
        "Bali", "Papua", "Kabupaten Bima", "Kota Bima", "Kota Surabaya",
    )  # fmt: skip
    assert (saved.quiet, saved.zone, saved.active) == ("22:00-06:00", "Asia/Makassar", True)

    id_ = re.search(r'action="/alerts/rules/(\d+)"', page)
    assert id_
    rule = f"/alerts/rules/{id_[1]}"
    operator.post(rule, **form | {"name": "baru", "channel": ""}, do="save")
    assert {(rule.name, rule.channel) for rule in newsroom.rules()} == {
        ("acuan", "tim"), ("baru", None),
    }  # fmt: skip
    operator.post(f"{rule}/active")
    assert [rule.active for rule in newsroom.rules()] == [True, False]
    assert "Delete the rule “baru”?" in operator.get(f"{rule}/delete")
    assert len(newsroom.rules()) == 2
    operator.post(f"{rule}/delete")
    assert [rule.name for rule in newsroom.rules()] == ["acuan"]
    with reading(desk.engine) as session:
        assert [entry.what for entry in people.audit(session)] == [
            "rule removed", "rule deactivated", "rule changed", "rule added",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "english", "indonesian"),
    [
        (
            {"words": "netralitas AND (ASN"},
            "Words: a ) is missing, at character 20: netralitas AND (ASN▸",
            "Kata: tanda ) kurang, pada karakter ke-20: netralitas AND (ASN▸",
        ),
        (
            {"regencies": "Bulelang"},
            "Places: there is no province, regency or city “Bulelang”; did you mean Buleleng",
            "Wilayah: tidak ada provinsi, kabupaten atau kota “Bulelang”; mungkin maksudnya Bule",
        ),
        (
            {"outlets": "nusabalii"},
            "Outlets: there is no outlet “nusabalii”; did you mean nusabali",
            "Media: tidak ada media “nusabalii”; mungkin maksudnya nusabali",
        ),
        (
            {"quiet_from": "22:00"},
            "Quiet hours: “22:00-” are no hours; write them as 22:00-06:00",
            "Jam tenang: “22:00-” bukan jam; isi keduanya, misalnya 22:00-06:00",
        ),
        (
            {"least_score": "2"},
            "Least score: Input should be less than or equal to 1",
            ": paling tinggi 1",
        ),
        ({"name": "sama"}, "There is a rule “sama” already", "Sudah ada aturan “sama”"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(
    newsroom: Newsroom, wrong: dict[str, str], english: str, indonesian: str
) -> None:
    newsroom.desk.rule("sama", None)
    for language, said in (("en", english), ("id", indonesian)):
        operator = newsroom.dashboard.signed_in(Role.OPERATOR, language)
        form = {"name": "coba", **wrong}
        page = html.unescape(operator.post("/alerts/rules/new", 400, **form, do="save"))
        assert said in page
        assert all(value in page.partition("<form method=")[2] for value in form.values())
    assert len(newsroom.rules()) == 1


def test_a_channel_is_kept_tested_and_its_address_never_shown(
    newsroom: Newsroom, receiver: Receiver, mailbox: Mailbox
) -> None:
    operator = newsroom.dashboard.signed_in(Role.OPERATOR)
    wrong = operator.post("/alerts/channels/new", 400, name="x", address="slak://hush/hush/hush")
    assert "did you mean slack" in wrong
    assert "hush" not in wrong
    pages = [
        operator.post("/alerts/channels/new", name="hook", address=receiver.url, key=KEY),
        operator.post("/alerts/channels/test", name="hook"),
    ]
    assert "The channel “hook” took the test message." in pages[-1]
    assert receiver.got[0].json()["kind"] == "test"
    receiver.answers = [500]
    pages.append(operator.post("/alerts/channels/test", name="hook"))
    assert "did not take the test message: HTTP 500" in pages[-1]
    operator.post("/alerts/channels/new", name="surel", address=mailbox.address)
    pages.append(operator.post("/alerts/channels/test", name="surel"))
    assert "The channel “surel” took the test message." in pages[-1]
    assert mailbox.mails[0]["Subject"] == "A test from Pantau"
    made = operator.post("/alerts/channels/new", name="hook2", address=f"webhook+{receiver.url}")
    shown = re.search(r'<code class="secret">([\w-]{43})</code>', made)
    assert shown
    pages.append(operator.get("/alerts"))
    for page in pages:
        for secret in ("very-secret-path", KEY, "redaksi@example.org", shown[1]):
            assert secret not in page

    newsroom.desk.rule("r", "hook")
    used = operator.post("/alerts/channels/delete", 400, name="hook")
    assert "is used by: r" in used
    assert "Delete the channel “hook2”?" in operator.get("/alerts/channels/delete?name=hook2")
    assert "hook2" not in operator.post("/alerts/channels/delete", name="hook2").replace(
        "The channel “hook2” is deleted.", ""
    )


def test_a_channel_that_hangs_holds_nobody_up(newsroom: Newsroom, receiver: Receiver) -> None:
    newsroom.desk.channel("hook", receiver.address)
    operator = newsroom.dashboard.signed_in(Role.OPERATOR)
    let_go = threading.Event()
    receiver.answers = [lambda _: let_go.wait(20)]
    pages: list[str] = []
    test = threading.Thread(
        target=lambda: pages.append(operator.post("/alerts/channels/test", name="hook"))
    )
    test.start()
    while not receiver.got:
        time.sleep(0.01)
    other = newsroom.dashboard.signed_in(Role.VIEWER)
    assert "hook" in other.get("/alerts")
    assert pages == []  # it was answered meanwhile
    test.join(10)
    let_go.set()
    assert "no answer within 1 seconds" in pages[0]


def test_what_was_given_up_is_seen_and_sent_again(newsroom: Newsroom, receiver: Receiver) -> None:
    desk, dashboard = newsroom.desk, newsroom.dashboard
    desk.channel("tim", receiver.address)
    desk.rule("bali", "tim")
    desk.find(HOSTILE)
    receiver.answers = [500] * 5
    for _ in range(5):
        desk.deliver(hours=7)
    viewer, operator = dashboard.signed_in(Role.VIEWER), dashboard.signed_in(Role.OPERATOR)
    listed = viewer.get("/alerts/deliveries?state=given+up&channel=tim&rule=bali")
    assert html.escape(HOSTILE) in listed
    assert HOSTILE not in listed
    for none in ("state=sent", "state=waiting", "channel=other", "rule=other"):
        assert html.escape(HOSTILE) not in viewer.get(f"/alerts/deliveries?{none}")
    page = viewer.get("/alerts/deliveries/1")
    assert "HTTP 500" in page
    assert "Bukti dari" in page
    assert "Send again" not in page
    assert "Send again" in operator.get("/alerts/deliveries/1")
    operator.post("/alerts/deliveries/1/again")
    desk.now = datetime.now(UTC)
    receiver.answers = []
    receiver.got.clear()
    desk.deliver(seconds=1)
    assert [got.json()["title"] for got in receiver.got] == [f"Dugaan pelanggaran: {HOSTILE}"]
    assert html.escape(HOSTILE) in viewer.get("/alerts/deliveries?state=sent")
    operator.post("/alerts/deliveries/1/again", 409)
    for path in ("deliveries/99", f"rules/{2**31}", "rules/99", "deliveries?state=x"):
        assert viewer.client.get(f"/alerts/{path}").status_code in (404, 422)


def test_feeds_addresses_are_for_operators_and_can_be_renewed(newsroom: Newsroom) -> None:
    token = newsroom.desk.rule("umpan", None)
    operator = newsroom.dashboard.signed_in(Role.OPERATOR)
    assert f"/feeds/{token}.atom" in operator.get("/alerts/rules/1")
    for path in ("/alerts", "/alerts/rules/1"):
        assert token not in newsroom.dashboard.signed_in(Role.REVIEWER).get(path)
    page = operator.post("/alerts/rules/1/token")
    assert token not in page
    renewed = re.search(r"/feeds/([\w-]+)\.json", page)
    assert renewed
    assert feed_for(newsroom.desk.engine, renewed[1], "json")
    assert feed_for(newsroom.desk.engine, token, "json") is None


def test_without_a_key_it_is_said_what_to_do(dashboard: Dashboard) -> None:
    operator = dashboard.signed_in(Role.OPERATOR)
    assert "`pantau alerts key` prints one" in operator.get("/alerts")
    refused = operator.post(
        "/alerts/channels/new", 400, name="x", address="ntfys://ntfy.sh/topik-pantau"
    )
    assert "PANTAU_SECRET_KEY" in refused
    assert "is saved" in operator.post("/alerts/rules/new", name="umpan", do="save")
