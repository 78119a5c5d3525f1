"""Channels: what is refused, what arrives, and what is never shown."""

import logging
import re
import time
from html import unescape

import pytest
from apprise import Apprise
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from pydantic import SecretStr
from sqlalchemy.orm import Session

from alerts import channels, messages, secrets, services
from alerts.errors import AddressError, DeliveryError
from scheduler import health
from settings import Settings
from storage import rules
from tests.alerts.conftest import Desk, Mailbox, Receiver
from tests.conftest import ROOT, Pantau

ID = "7f3a9c1b-0000-4000-8000-000000000000"


def send(desk: Desk, name: str, **settings: object) -> None:
    """Send a test to the channel."""
    with Session(desk.engine) as session:
        secret = channels.get(session, name).address
    message = messages.test(name, "id", ID)
    channels.send(secret, message, ID, desk.settings.model_copy(update=settings))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("slak://T1JJ3T3L2/A1BRTD4JD/hush", "“slak://” is no address .* did you mean slack"),
        ("slack://T1JJ3T3L2/hush", "no whole address of Slack"),
        ("tgram://hush", "no whole address of Telegram"),
        ("hush", "“hush://” is no address|That is no address"),
        ("hu sh/hush", "That is no address of a service"),
        ("", "That is no address of a service"),
        ("https://example.org/hush", "a webhook of your own is written webhook"),
        ("webhook+ftp://example.org/hush", "is written webhook"),
        ("webhook+https://", "is written webhook"),
        ("webhook+https://[hush/", "is written webhook"),
        ("webhook+https://hush@example.org/", "at least 16 characters"),
    ],
)
def test_a_wrong_address_is_one_sentence_without_it(desk: Desk, address: str, says: str) -> None:
    with pytest.raises(AddressError, match=says) as refused:
        channels.parse(address, desk.settings)
    assert "\n" not in str(refused.value)
    if address != "hush":
        assert "hush" not in str(refused.value)


def test_plain_http_is_for_trials_only() -> None:
    with pytest.raises(AddressError):
        channels.parse("webhook+http://example.org/", Settings(allow_private_addresses=False))


def test_a_signed_webhook_is_what_the_documentation_checks(desk: Desk, receiver: Receiver) -> None:
    key = "x" * 20
    desk.channel("hook", receiver.url.replace("http://", f"webhook+http://{key}@"))
    send(desk, "hook")
    (got,) = receiver.got
    (example,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/alerts.md").read_text(), re.DOTALL
    )
    documented: dict[str, object] = {}
    exec(example, documented)  # noqa: S102 (it is ours)
    check = documented["is_from_pantau"]
    assert callable(check)
    assert check(key, got.headers, got.body)
    assert not check(key + "x", got.headers, got.body)
    assert not check(key, got.headers, got.body + b" ")
    assert not check(key, {**got.headers, "Pantau-Id": "another"}, got.body)
    late = str(int(time.time()) + 1)
    assert not check(key, {**got.headers, "Pantau-Time": late}, got.body)
    assert got.json()["id"] == got.headers["Pantau-Id"] == ID
    assert got.json()["kind"] == "test"


@pytest.mark.parametrize(
    ("answer", "why"),
    [(500, "HTTP 500"), (404, "HTTP 404"), ((302, {"Location": "/elsewhere"}), "it redirects")],
)
def test_what_is_not_taken_is_said(
    desk: Desk, receiver: Receiver, answer: int | tuple[int, dict[str, str]], why: str
) -> None:
    desk.channel("hook", receiver.address)
    receiver.answers = [answer]
    with pytest.raises(DeliveryError, match=why):
        send(desk, "hook")
    assert len(receiver.got) == 1


def test_a_private_address_is_refused_before_anything_is_sent(
    desk: Desk, receiver: Receiver
) -> None:
    desk.channel("hook", receiver.address)
    with pytest.raises(DeliveryError, match="private address"):
        send(desk, "hook", allow_private_addresses=False)
    assert receiver.got == []


def test_an_email_has_both_forms_and_the_id(desk: Desk, mailbox: Mailbox) -> None:
    desk.channel("mail", mailbox.address)
    desk.rule("bali", "mail")
    desk.find("<script>alert(1)</script> Camat\r\nBcc: all@example.org")
    assert [sent.error for sent in desk.deliver()] == [None]
    (mail,) = mailbox.mails
    assert mail["Subject"] == (
        "Dugaan pelanggaran: <script>alert(1)</script> Camat Bcc: all@example.org"
    )
    assert mail["To"] == "redaksi@example.org"
    assert mail["Bcc"] is None
    assert len(mail["Pantau-Id"]) == 36
    html, plain = (mail.get_body((form,)) for form in ("html", "plain"))
    assert html is not None
    assert plain is not None
    assert "<script>" not in html.get_content()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Camat" in html.get_content()
    assert "Kabupaten Buleleng, Bali" in plain.get_content()
    assert "https://nusabali.example/berita/1" in plain.get_content()


def test_a_chat_gets_the_plain_form(desk: Desk, receiver: Receiver) -> None:
    desk.channel("ntfy", receiver.url.replace("http://", "ntfy://").replace("/hook", ""))
    desk.rule("bali", "ntfy")
    desk.find("Camat <b>A</b>, kata @everyone")
    assert [sent.error for sent in desk.deliver()] == [None]
    (got,) = receiver.got
    assert got.json()["title"] == "Dugaan pelanggaran: Camat <b>A</b>, kata @\u200beveryone"
    assert got.json()["message"].startswith("Dugaan pelanggaran · ASN · Kabupaten Buleleng, Bali")
    assert "https://nusabali.example/berita/1" in got.json()["message"]


@pytest.mark.parametrize(
    ("address", "moved", "path", "escapes"),
    [
        (
            "tgram://123456789:abcdefg_hijklmnop/12315544", (NotifyTelegram, "notify_url", "/bot"),
            "/bot123456789:abcdefg_hijklmnop/sendMessage", True,
        ),
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
            (NotifySlack, "webhook_url", "/services"),
            "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", True,
        ),
        ("mmost://{host}/abcdefghijklmnop", None, "/hooks/abcdefghijklmnop", False),
        ("gotify://{host}/Aabcdefghijklmn", None, "/message", False),
    ],
)  # fmt: skip
def test_services_get_what_an_alert_says(
    desk: Desk,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    moved: tuple[type, str, str] | None,
    path: str,
    escapes: bool,
) -> None:
    """As Apprise sends it to them, only that they live on this machine."""
    place = receiver.url.removesuffix("/hook/very-secret-path")
    if moved:
        service, name, below = moved
        monkeypatch.setattr(service, name, place + below)
    desk.channel("chat", address.replace("{host}", place.removeprefix("http://")))
    desk.rule("bali", "chat")
    desk.find("Camat <b>A</b> & B")
    assert [sent.error for sent in desk.deliver()] == [None]
    (got,) = receiver.got
    assert got.path == path
    said = " ".join(strings(got.json()))
    assert ("&lt;b&gt;A&lt;/b&gt; &amp; B" in said) == escapes
    for part in (
        "Dugaan pelanggaran: Camat <b>A</b> & B",
        "ASN · Kabupaten Buleleng, Bali",
        "nusabali.example · 15 Juni 2026, 08.00 WITA · 1 media",
        "“Bukti dari Camat <b>A</b> & B.”",
        "https://nusabali.example/berita/1",
    ):
        assert part in unescape(said)


def strings(value: object) -> list[str]:
    """All texts in what JSON holds."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [text for one in inner for text in strings(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("mailtos://user:password@example.org", "html"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544", "text"),
        ("twilio://AC735c307c62944b5a:e29dfbcebf390dee9@15551233456/15551234567", "short"),
    ],
)
def test_each_service_gets_the_form_that_suits_it(
    monkeypatch: pytest.MonkeyPatch, address: str, form: str
) -> None:
    given: list[str] = []

    def notify(_: Apprise, body: str, **_more: object) -> bool:
        given.append(body)
        return True

    monkeypatch.setattr(Apprise, "notify", notify)
    message = messages.test("x", "id", ID)
    services.notify(address, message, ID, 1)
    assert given == [getattr(message, form)]


def test_addresses_show_nowhere(pantau: Pantau, receiver: Receiver) -> None:
    """Not in the database, the log at its most talkative, listings or errors."""
    port = receiver.url.split(":")[2].split("/")[0]
    through_apprise = f"json://user:hush-password@127.0.0.1:{port}/very-secret-path"
    pantau.set(log_level="DEBUG", timeout=5, secret_key=secrets.new_key())
    ran = pantau("alerts", "channels", "add", "hook", "-", "--json", stdin=receiver.address)
    assert ran.json() == {"name": "hook", "key": "a_key_of_the_test's_own"}  # once
    assert pantau("alerts", "channels", "add", "json", through_apprise).out == ""
    receiver.answers = [500, 500]
    said = [pantau("alerts", "test", name) for name in ("hook", "json")]
    assert [(ran.code, "500" in ran.err) for ran in said] == [(1, True), (1, True)]
    said.append(pantau("alerts", "channels", "--json"))
    assert [row["service"] for row in said[2].lines()] == ["signed webhook", "JSON"]
    files = [path for path in pantau.home.rglob("*") if path.is_file()]
    assert {"pantau.db", "pantau.log"} <= {path.name for path in files}
    kept = b"".join(path.read_bytes() for path in files)
    shown = "".join(ran.out + ran.err for ran in said)
    for hushed in ("very-secret", "hush-password", "a_key_of_the", f"127.0.0.1:{port}"):
        assert hushed.encode() not in kept
        assert hushed not in shown


def test_doctor_says_which_channels_cannot_be_used(desk: Desk, receiver: Receiver) -> None:
    def said(**settings: object) -> dict[str, tuple[bool, str]]:
        current = desk.settings.model_copy(update=settings)
        checks = [*health._channels(desk.engine, current)]
        assert all(check.advice for check in checks)
        return {check.name: (check.ok, check.says) for check in checks}

    assert said() == {}
    assert said(operators="tim") == {
        "operators": (
            False,
            "PANTAU_OPERATORS: There is no channel “tim”; `pantau alerts channels add` makes one.",
        )
    }
    desk.channel("tim", receiver.address)
    assert said(operators="tim") == {
        "operators": (True, "they are told by the channel “tim”"),
        "channels": (True, "the key opens all 1"),
    }
    assert "there are: tim." in said(operators="team")["operators"][1]
    for key, why in ((SecretStr(secrets.new_key()), "None of the keys"), (None, "Channels need")):
        well, says = said(secret_key=key)["channels"]
        assert not well
        assert says.startswith(f"1 of 1 cannot be used, “tim”: {why}")
        assert "secret-path" not in says


def test_without_a_key_there_are_no_channels(pantau: Pantau) -> None:
    ran = pantau("alerts", "channels", "add", "mail", "-", stdin="mailtos://a:hush@example.org")
    assert (ran.code, ran.out) == (2, "")
    assert "PANTAU_SECRET_KEY" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert "hush" not in ran.err


def test_a_channel_is_removed_when_no_rule_uses_it(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    desk.rule("bali", "hook")
    desk.find("A")
    receiver.answers = [500]
    desk.deliver()
    with Session(desk.engine) as session, session.begin():
        with pytest.raises(AddressError, match="is used by: bali"):
            channels.remove(session, "hook")
        rules.remove(session, "bali", desk.now)
        assert channels.remove(session, "hook") == 1
        with pytest.raises(AddressError, match="There is no channel"):
            channels.remove(session, "hook")


def test_keys_are_changed_without_losing_a_channel(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    old = desk.settings
    assert old.secret_key
    new = secrets.new_key()
    both = old.model_copy(
        update={"secret_key": type(old.secret_key)(f"{new},{old.secret_key.get_secret_value()}")}
    )
    only = old.model_copy(update={"secret_key": type(old.secret_key)(new)})
    with Session(desk.engine) as session:
        (row,) = channels.listed(session, only)
        assert "None of the keys" in row.service
    with Session(desk.engine) as session, session.begin():
        assert channels.rekey(session, both) == 1
    desk.settings = only
    send(desk, "hook")
    desk.settings = old
    with pytest.raises(DeliveryError, match="None of the keys"):
        send(desk, "hook")


def test_what_apprise_says_is_kept_from_the_log(
    desk: Desk, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.channel("json", receiver.url.replace("http://", "json://user:hush-hush@"))
    receiver.answers = [500]
    with pytest.raises(DeliveryError, match="500") as refused:
        send(desk, "json")
    assert "secret" not in str(refused.value) + caplog.text
    assert "hush" not in str(refused.value) + caplog.text


def test_a_malformed_answer_puts_no_address_into_the_log(
    desk: Desk, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    desk.channel("hook", receiver.address)
    receiver.answers = [lambda asked: asked.wfile.write(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n")]
    send(desk, "hook")
    assert "secret" not in caplog.text
