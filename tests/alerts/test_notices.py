"""What operators are told, in Indonesian and English."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from alerts import notices
from storage import runs, states
from storage.states import DAILY, Change
from tests.alerts.conftest import Desk, receiving
from tests.history import crawled
from tests.test_watch import HISTORY

ENGLISH = re.compile(
    r"\b(the|it|no|new|none|was|were|has|had|did|not|since|last|more|before|days?|pages?|ended|"
    r"began|outlets?|needs?|well|quiet|failing|blocked|changed|crawl|errors?|findings|took)\b",
    re.IGNORECASE,
)
CHANGES = [
    Change(name, before, state, why)
    for name, before, state, why in (
        (
            "kabar", "well", "blocked",
            "It cannot be read (HTTP 403); it was last read on 2026-03-01.",
        ),
        (
            "warta", "well", "quiet",
            "No new articles since 2026-03-01, where its habit lets expect 24; in four weeks it "
            "was never silent for more than 1 day.",
        ),
        ("suara", "failing", "well", "12 new articles on 2026-03-02."),
        (
            DAILY, "well", "missing",
            "No daily crawl was completed since 2026-03-01 22:00 UTC; there has been none.",
        ),
    )
]  # fmt: skip


def test_every_reason_there_is_can_be_said_in_indonesian(desk: Desk) -> None:
    """Those that the watch gives for what outlets and runs may go through."""
    first = datetime(2026, 3, 1, 22, tzinfo=UTC)
    whys: set[str] = set()
    for number in range(42):
        at = first + timedelta(days=number)
        with Session(desk.engine) as session, session.begin():
            for outlet, history in HISTORY.items():
                crawled(session, outlet, at, history[number], run=f"{number}")
            changes = states.settle(session, at + timedelta(hours=1))
            whys |= {change.why for change in changes}
    assert len(whys) > 10
    whys |= {daily.why for daily in dailies()}
    for why in whys:
        said = notices.reason(why, "id")
        assert not ENGLISH.search(re.sub(r"\(.*\)", "", said)), (why, said)
        assert re.findall(r"\d+", said) == re.findall(r"\d+", why)
        assert notices.reason(why, "en") == why


def dailies() -> list[runs.Daily]:
    """Every way in which a daily crawl may go."""
    began = datetime(2026, 3, 1, 22, tzinfo=UTC)
    hour = timedelta(hours=1)
    well = runs.Run("a", began, began + hour, 40, 40, 0, 900, 90, 9, 1)
    cases = [
        [well],
        [replace(well, barren=30)],
        [replace(well, new=0)],
        [replace(well, finished=20, ended=None)],
        [replace(well, ended=began + 9 * hour)],
        [replace(well, started=began - 99 * hour, ended=began - 98 * hour)],
        [],
    ]
    told = [
        runs.daily(known, 40, since=began - hour, now=began + later * hour, limit=6 * hour)
        for known in cases
        for later in (2, 10)
    ]
    assert {one.state for one in told} == {"well", "nothing", "late", "missing", "going"}
    return told


@pytest.mark.parametrize(
    ("language", "title", "lines"),
    [
        (
            "en",
            "Pantau: the daily crawl did not run, 2 outlets need a look, 1 outlet is well again",
            [
                "daily crawl: missing (was well). No daily crawl was completed since ",
                "kabar: blocked (was well). It cannot be read (HTTP 403); it was last read on ",
                "warta: quiet (was well). No new articles since 2026-03-01, where its habit ",
                "suara: well (was failing). 12 new articles on 2026-03-02.",
            ],
        ),
        (
            "id",
            "Pantau: perayapan harian tidak berjalan, 2 media perlu dilihat, 1 media pulih",
            [
                "perayapan harian: tidak berjalan (sebelumnya baik). Tidak ada perayapan harian ",
                "kabar: diblokir (sebelumnya baik). Tidak dapat dibaca (HTTP 403); terakhir ",
                "warta: sepi (sebelumnya baik). Tidak ada artikel baru sejak 2026-03-01, ",
                "suara: baik (sebelumnya gagal). 12 artikel baru pada 2026-03-02.",
            ],
        ),
    ],
)
def test_a_change_is_told_in_both_languages(language: str, title: str, lines: list[str]) -> None:
    assert notices.title(CHANGES, language) == title
    told = notices.lines(CHANGES, language)
    assert len(told) == len(lines)
    assert [line[: len(begins)] for line, begins in zip(told, lines, strict=True)] == lines
    assert len(notices.lines(CHANGES * 10, language)) == notices.MOST_LINES + 1


@pytest.mark.parametrize(
    ("language", "title", "says"),
    [
        ("en", "Given up: Dugaan pelanggaran: A", "not take it in a day: HTTP 503."),
        ("id", "Tidak terkirim: Dugaan pelanggaran: A", "menerimanya selama sehari: HTTP 503."),
    ],
)  # fmt: skip
def test_what_is_given_up_is_told_in_the_operators_language(
    desk: Desk, language: str, title: str, says: str
) -> None:
    with receiving() as operators, receiving() as receiver:
        desk.settings = desk.settings.model_copy(
            update={"operators": "operators", "language": language}
        )
        desk.channel("hook", receiver.address)
        desk.channel("operators", operators.address)
        desk.rule("bali", "hook")
        desk.find("A")
        receiver.answers = [503] * 9
        for _ in range(9):
            desk.deliver(hours=6)
        (got,) = operators.got
        assert (got.json()["title"], got.json()["language"]) == (title, language)
        assert says in got.json()["text"]
