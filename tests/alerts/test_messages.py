"""What the messages say, in every form and both languages; the feeds."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import feedparser
import pytest
from lxml import html

from alerts import messages
from alerts.feeds import feed_for
from alerts.messages import Message
from alerts.news import News
from storage.rules import Rule, valid
from tests.alerts.conftest import Desk, Receiver
from tests.conftest import Pantau

ID = "7f3a9c1b-0000-4000-8000-000000000000"
HOSTILE = '<script>alert(1)</script> "><img src=x onerror=y> @everyone\u202e {{ 7*7 }}\n\n\x07'
WITA = timezone(timedelta(hours=8))


def news(number: int, **more: object) -> News:
    facts: dict[str, object] = {
        "finding": number, "story": number, "stage": "allegation", "before": None,
        "kind": "allegation", "subjects": ("civil_servant",), "title": f"Camat {number}",
        "outlet": "nusabali", "site": "nusabali.com", "place": "Kabupaten Buleleng",
        "province": "Bali", "when": datetime(2024, 11, 27, 19, 24, tzinfo=WITA), "dated": True,
        "sentence": "Ia meminta warga memilih.", "link": f"https://nusabali.com/{number}",
        "outlets": 3, "quiet": False,
    }  # fmt: skip
    return News(**{**facts, **more})  # type: ignore[arg-type]


def rule(language: str) -> Rule:
    return valid({"name": "bali", "channel": "x", "language": language})


def shown(message: Message) -> str:
    """The text that a browser shows of the HTML form, which must be well formed."""
    page = html.document_fromstring(message.html)
    assert not page.xpath("//script | //img | //*[@onerror]")
    assert all(link.startswith("https://") for link in page.xpath("//a/@href"))
    assert len(page.xpath("//table//td")) in (0, 30)
    return " ".join(str(page.text_content()).split())


@pytest.mark.parametrize(
    ("language", "first", "facts"),
    [
        (
            "id",
            "Pemeriksaan · ASN · Kabupaten Buleleng, Bali",
            "nusabali.com · 27 November 2024, 19.24 WITA · 3 media",
        ),
        (
            "en",
            "Examination · civil servants · Kabupaten Buleleng, Bali",
            "nusabali.com · 27 November 2024, 19:24 WITA · 3 outlets",
        ),
    ],
)
def test_an_alert_says_all_there_is_to_know(language: str, first: str, facts: str) -> None:
    one = news(1, kind="examination", stage="examination", before="allegation")
    message = messages.alert(one, rule(language), ID)
    for form in (message.text, shown(message)):
        assert first in form
        assert facts in form
        assert "→" in form
        assert "Ia meminta warga memilih." in form
        assert "https://nusabali.com/1" in form
        assert "7f3a9c1b" in form
    assert message.title == f"{first.split()[0]}: Camat 1"
    site, when, outlets = facts.split(" · ")
    assert message.short == (
        f"{message.title} – Kabupaten Buleleng, Bali, {site}, {when}: “{one.sentence}” "
        f"· {outlets} {one.link}"
    )


@pytest.mark.parametrize(("language", "one"), [("id", "1 media"), ("en", "1 outlet")])
def test_how_many_outlets_carry_it_is_always_said(language: str, one: str) -> None:
    """Also of one, in every form, and however little room there is."""
    for title in ("Camat", "Camat " * 50):
        told = news(1, title=title, outlets=1, link="https://x/" + "y" * 180)
        message = messages.alert(told, rule(language), ID)
        forms = [message.text, shown(message), message.short]
        summary = messages.many("hourly", [told], rule(language), ID)
        forms += [summary.text, shown(summary)]
        digest = messages.digest([told], [0] * 29 + [1], rule(language), ID, datetime.now(UTC))
        forms += [digest.text, shown(digest)]
        for form in forms:
            assert re.search(rf"\b{one}\b", form), form
        assert len(message.short) <= 280
    if language == "en":
        assert (summary.title, digest.title[-8:]) == ("1 new report", "1 report")
        assert "1 report from" in digest.text


def test_many_are_told_in_the_order_of_seriousness() -> None:
    kinds = ["outreach", "sanction", "gossip", "allegation", "examination", "pledge"]
    told = [news(number, kind=kinds[number % 6]) for number in range(150)]
    message = messages.many("summary", told, rule("en"), ID)
    said = [item["kind"] for item in message.items]
    assert said == ["sanction"] * 25 + ["examination"] * 25 + ["allegation"] * 25 + ["pledge"] * 25
    assert message.title == "150 new reports at once"
    assert "… and 50 more" in message.text
    assert message.text.index("SANCTION") < message.text.index("ALLEGATION")


@pytest.mark.parametrize("language", ["id", "en"])
def test_what_is_hostile_is_text(language: str) -> None:
    from alerts.news import one_line

    title = one_line(HOSTILE, 300)
    one = news(1, title=title, sentence=title, place=title, province=title, site=title, link=None)
    for message in (
        messages.alert(one, rule(language), ID),
        messages.many("summary", [one] * 11, rule(language), ID),
        messages.digest([one], [0] * 30, rule(language), ID, datetime.now(UTC)),
        messages.notice(HOSTILE, [HOSTILE], ID),
    ):
        assert "<script>alert(1)</script>" in shown(message)
        assert "{{ 7*7 }}" in shown(message)
        assert "<script" not in message.html
        for plain in (message.title, message.text, message.short):
            assert "@everyone" not in plain  # nobody is called
            assert "\u202e" not in plain
            assert "\x07" not in plain
        assert "\n" not in message.title


@pytest.mark.parametrize("length", [1, 100, 199, 230, 2000])
def test_the_short_form_is_short(length: int) -> None:
    link = "https://x/" + "y" * length
    for title in ("Camat", "Camat " * 50):
        message = messages.alert(news(1, title=title, link=link), rule("id"), ID)
        assert len(message.short) <= 280
        assert message.short.startswith("Dugaan pelanggaran: Camat")
        assert (link in message.short) == (length < 200)


@pytest.mark.parametrize(
    ("language", "says"),
    [
        (
            "id",
            [
                "Ringkasan 28 November 2024: 5 kabar, 1 berkembang (+ 25 berita lama)",
                "Yang berubah", "Dugaan pelanggaran → Sanksi", "Camat 3",
                "Pemeriksaan", "Aceh (1)", "Camat 5",
                "Dugaan pelanggaran", "Bali (2)", "Camat 1", "Camat 2", "Tanpa wilayah (1)",
                "Camat 4", "30 hari terakhir", "14 kabar dari 30 Oktober 2024", "paling banyak 9",
                "Berita lama (25)", "Camat 100", "Camat 109", "… dan 15 lagi", "Pesan 7f3a9c1b",
            ],
        ),
        (
            "en",
            [
                "Digest of 28 November 2024: 5 reports, 1 developed (+ 25 old news)",
                "What changed", "Allegation → Sanction", "Camat 3",
                "Examination", "Aceh (1)", "Camat 5",
                "Allegation", "Bali (2)", "Camat 1", "Camat 2", "No place (1)",
                "Camat 4", "The last 30 days", "14 reports from 30 October 2024", "at most 9",
                "Old news (25)", "Camat 100", "Camat 109", "… and 15 more", "Message 7f3a9c1b",
            ],
        ),
    ],
)  # fmt: skip
def test_a_digest_leads_with_what_changed(language: str, says: list[str]) -> None:
    told = [
        news(1), news(2), news(3, kind="sanction", stage="sanction", before="allegation"),
        news(4, place=None, province=None), news(5, kind="examination", province="Aceh"),
        *(news(number, quiet=True) for number in range(100, 125)),
    ]  # fmt: skip
    now = datetime(2024, 11, 27, 23, 30, tzinfo=UTC)  # the next morning in Jakarta
    message = messages.digest(told, [0, 5] + [0] * 27 + [9], rule(language), ID, now)
    assert message.title == says[0]
    for form, wanted in ((shown(message), says), (message.text, says[1:])):
        places, at = [], 0
        for words in wanted:
            at = form.lower().find(words.lower(), at)
            places.append((words, at))
            assert at >= 0, (places, form)
    assert "▁▅▁▁▁" in message.text
    assert "Camat 110" not in message.text
    assert len(message.items) == 15


def test_feeds_are_opened_by_the_token_alone(desk: Desk, receiver: Receiver) -> None:
    desk.channel("hook", receiver.address)
    token = desk.rule("feed only", None, language="en")
    desk.rule("other", "hook")
    desk.find("Camat <b>A</b> & B")
    desk.find("Lurah", "outreach", url="javascript:alert(1)")
    atom, as_json = (feed_for(desk.engine, token, form) for form in ("atom", "json"))
    assert atom is not None
    assert as_json is not None
    feed = feedparser.parse(atom)
    assert not feed.bozo
    assert feed.version == "atom10"
    titles = ["Outreach: Lurah", "Allegation: Camat <b>A</b> & B"]
    assert [entry.title for entry in feed.entries] == titles
    assert feed.entries[1].link == "https://nusabali.example/berita/1"
    items = json.loads(as_json)["items"]
    assert [item["title"] for item in items] == titles
    assert len({item["id"] for item in items}) == 2
    assert b"javascript" not in atom + as_json
    assert "Bukti dari Camat" in items[1]["content_text"]
    for wrong in ("", token[:-1], token + "x"):
        assert feed_for(desk.engine, wrong, "atom") is None


def test_the_feed_command_prints_it(pantau: Pantau, desk: Desk) -> None:
    desk.rule("feed", None)
    desk.find("Camat")
    pantau.set(database_url=desk.settings.database)
    ran = pantau("alerts", "feed", "feed", "--format", "json")
    assert [item["title"] for item in ran.json()["items"]] == ["Dugaan pelanggaran: Camat"]
    ran = pantau("alerts", "feed", "fed")
    assert (ran.code, ran.out) == (2, "")
    assert "feed" in ran.err
