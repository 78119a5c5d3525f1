"""Stories: findings that tell the same find each other, from any worker, at a constant cost."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, func, select

from extract import likeness
from extract.article import Article, Place, Verdict
from extract.link import Link
from extract.snapshot import Snapshot
from storage import findings, links, models, stories
from storage.database import reading
from storage.findings import Arrival
from storage.stories import get_story
from tests.storage.conftest import Writing, at_once

NOW = datetime(2024, 11, 20, 5, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SIGI = Place("72.10", "regency", "Kabupaten Sigi", "Sulawesi Tengah")
BIMA = Place("52.06", "regency", "Kabupaten Bima", "Nusa Tenggara Barat")

TEXT = (
    "Camat Palolo, Arman Lasoma, diduga membagikan kaus calon bupati di pasar.\n"
    "Bawaslu Sigi menerima foto dari pedagang yang melihat kaus diturunkan dari mobil dinas.\n"
    "Ketua Bawaslu Sigi, Ratna Tandi, mengatakan camat wajib menjaga netralitas sebagai ASN.\n"
    "Arman Lasoma belum menjawab pertanyaan wartawan tentang kaus dan mobil dinas itu."
)
RETOLD = (
    "Pedagang pasar kaget ketika mobil pelat merah berhenti dan menurunkan setumpuk kaus.\n"
    "Yang mengantar disebut-sebut Arman Lasoma, pejabat yang memimpin Kecamatan Palolo.\n"
    "Ratna Tandi dari Bawaslu Sigi berjanji memeriksa foto mobil dinas di pasar tersebut."
)
SANCTION = (
    "Bupati mencopot Camat Palolo Arman Lasoma, Senin pagi.\n"
    "Ia terbukti tidak netral karena kaus calon ditemukan di kendaraan dinasnya."
)
ANOTHER = TEXT.replace("Arman Lasoma", "Yoris Mangge").replace("Palolo", "Kulawi")
ELSEWHERE = (
    TEXT.replace("Sigi", "Bima")
    .replace("Arman Lasoma", "Syamsul Hakim")
    .replace("Palolo", "Sape")
    .replace("Ratna Tandi", "Nurdin Wahab")
)


def keep(
    writing: Writing,
    text: str,
    number: int,
    *,
    day: float = 0,
    kind: str = "allegation",
    place: Place = SIGI,
) -> int:
    """Store an article; gives the id of its story."""
    [story] = keep_all(writing, [arrival(text, number, day, kind, place)])
    return story


def arrival(
    text: str, number: int, day: float = 0, kind: str = "allegation", place: Place = SIGI
) -> Arrival:
    url = f"https://kabar{number}.id/berita"
    now = NOW + day * DAY
    article = Article(url, "Camat dan kaus calon bupati", text, published=now)
    verdict = Verdict(relevant=True, score=0.9, kind=kind, places=(place,))
    return Arrival(url, article, verdict, [Snapshot(url, now, None, "0" * 64, b"")])


def keep_all(writing: Writing, arrivals: Sequence[Arrival]) -> list[int]:
    """Store articles in one transaction; gives the ids of their stories."""
    now = max(arrival.snapshots[0].fetched for arrival in arrivals)
    told = []
    with writing() as session:
        for each in arrivals:
            link = Link(each.url, each.url)
            outlet = each.url.removeprefix("https://").partition(".")[0]
            links.record(session, outlet, [link], now=now, known_before=None, oldest=None)
        for id_, new in findings.keep_all(session, arrivals, now):
            assert new
            finding = findings.get(session, id_)
            assert finding
            assert finding.story
            told.append(finding.story)
    return told


def test_a_story_has_its_first_a_count_and_a_list(writing: Writing, engine: Engine) -> None:
    story = keep(writing, TEXT, 1)
    assert keep(writing, f"SIGI, KABAR –\n{TEXT}\nBaca juga: Debat", 2, day=0.5) == story
    assert keep(writing, RETOLD, 3, day=1) == story
    assert keep(writing, SANCTION, 4, day=30, kind="sanction") == story
    with reading(engine) as session:
        told = get_story(session, story)
        assert told
        assert told.count == len(told.findings) == 4
        assert told.first == told.findings[0].id
        assert [report.outlet for report in told.findings] == [f"kabar{n}" for n in range(1, 5)]
        assert told.begun == NOW
        assert told.latest == NOW + 30 * DAY
        assert get_story(session, story + 1) is None


@pytest.mark.parametrize(
    ("text", "day", "place"),
    [(ANOTHER, 1, SIGI), (ELSEWHERE, 0, BIMA), (TEXT, 70, SIGI)],
    ids=["another official", "the same form elsewhere", "after months"],
)
def test_another_story(writing: Writing, text: str, day: float, place: Place) -> None:
    # the last line makes it no plain copy, which belongs to its original whenever it comes
    first = keep(writing, TEXT, 1)
    assert (
        keep(writing, text + "\nDebat calon digelar pekan depan.", 2, day=day, place=place) != first
    )


def test_a_copy_of_a_finding_from_before_there_were_stories(
    writing: Writing, engine: Engine
) -> None:
    long = TEXT + "\nSejumlah pedagang lain, katanya, siap bersaksi."
    long += " Mereka meminta pengawas menjaga identitas pelapor sampai perkara kaus selesai."
    keep(writing, long, 1)
    with writing() as session:  # as the migration leaves it
        for table in (models.Mark, models.Wording, models.Story):
            session.execute(table.__table__.delete())  # type: ignore[attr-defined]
        session.execute(models.Finding.__table__.update().values(story_id=None))  # type: ignore[attr-defined]
    story = keep(writing, long, 2, day=90)
    with reading(engine) as session:
        told = get_story(session, story)
        assert told
        assert [report.outlet for report in told.findings] == ["kabar1", "kabar2"]
        assert told.count == 2


def test_what_was_read_before_is_what_its_text_says(writing: Writing, engine: Engine) -> None:
    dated = TEXT + "\nItu terjadi pada Senin (18/11/2024)."
    keep_all(writing, [arrival(dated, 1)])
    for text, there in ((dated, 1), (SANCTION, 0)):  # another wording is read when it is needed
        with writing() as session:
            again = arrival(text, 1, kind="sanction")
            [(id_, _)] = findings.keep_all(session, [again], NOW)
            assert session.scalar(select(func.count(models.Wording.finding_id))) == there
        with reading(engine) as session:
            [read] = stories.wordings(session, [id_]).values()
            assert read == likeness.prepare(again.article)


def test_who_is_like_a_copy_that_is_hardly_like_its_original(writing: Writing) -> None:
    def lines(word: str, count: int) -> str:
        return "\n".join(
            f"{word} {n}: {word}{n}a, {word}{n}b dan {word}{n}c." for n in range(count)
        )

    quoted = lines("kutipan", 1) + "\n" + "\n".join(f"{n} kutip " * 40 for n in range(5))
    frame = lines("bingkai", 300)
    first = keep(writing, lines("awal", 300) + "\n" + quoted, 1)
    copy, alike = frame + "\n" + quoted, frame + "\n" + quoted.replace("kutip ", "sebut ")
    told = keep_all(writing, [arrival(copy, 2, day=90), arrival(alike, 3, day=90)])
    assert told[0] == first
    assert told[1] != first  # it is like the copy, but tells it months after the first


def test_a_finding_takes_as_many_queries_however_many_are_stored(
    writing: Writing, engine: Engine
) -> None:
    def queries(number: int) -> int:
        said: list[str] = []

        def note(*call: object) -> None:
            said.append(str(call[2]))

        event.listen(engine, "before_cursor_execute", note)
        keep(writing, RETOLD, number, day=1)
        event.remove(engine, "before_cursor_execute", note)
        return len(said)

    keep(writing, TEXT, 1)
    few = queries(2)
    for number in range(3, 2 * stories.NEWEST):
        keep(writing, TEXT + f"\nKabar ke-{number}.", number)
    assert queries(100) <= few + 1  # what the story began with is no longer among the newest


SETTING_UP = """
import sys
from datetime import UTC, datetime
from sqlalchemy.orm import Session
from storage.database import open_database
from tests.storage import test_stories as story
engine = open_database(sys.argv[1])
"""
PROGRAM = """
import os
from contextlib import contextmanager
@contextmanager
def writing():
    with Session(engine) as session, session.begin():
        yield session
for days in ([0, 1], [2], [3, 4]):
    texts = [
        (story.TEXT, story.RETOLD)[os.getpid() % 2]
        .replace("Lasoma", "Lasoma" + "abcde"[day])
        .replace("Arman", "Arman" + "abcde"[day])
        for day in days
    ]
    arrivals = [
        story.arrival(text, os.getpid() * 10 + day, 7 * day) for day, text in zip(days, texts)
    ]
    print(*story.keep_all(writing, arrivals))
"""


def test_who_comes_at_once_comes_into_one_story(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    printed = at_once(4, SETTING_UP, PROGRAM, url)
    told = {tuple(map(int, out.split())) for out in printed}
    assert len(told) == 1, told  # all saw the same stories
    assert len(set(told.pop())) == 5
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(models.Story)) == 5
        assert set(session.scalars(select(models.Story.count))) == {4}
