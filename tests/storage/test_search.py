"""Searching findings: by words, by what they are filtered by, in pages."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from extract.article import Place
from extract.query import QueryError, parse
from storage import models, search
from storage.database import MIGRATIONS, reading
from storage.search import CursorError, Search
from tests.storage.conftest import Writing
from tests.storage.test_findings import ARTICLE, HOUR, KALTIM, NOW, VERDICT, keep

DAY = timedelta(days=1)
BIMA = Place("52.06.01", "district", "Monta", "Nusa Tenggara Barat")
# what PostgreSQL's stemmer and parser leave as it is, or the same as another form of itself
TEXTS = {
    "a": ("Camat Buleleng", "Bawaslu periksa camat, lurah/kades: netralitas ASN diuji."),
    "b": ("Netralitas ASN", "Sangadi-sangadi dan P3K 2024; e-KTP bupati@kabar.id hadir."),
    "c": ("Ikrar", "Lurah netral. Camat netral karbon, 'kutip' \" dan C:\\berkas 100%_"),
    "d": ("Kades ASN", "café Kepala Desa Ñandú sikapnya"),
}


def found(engine: Engine, **wanted: Any) -> str:
    """The names of what is found, in order: the last letter of the address."""
    with reading(engine) as session:
        return "".join(row.url[-1] for row in search.page(session, Search(**wanted)).rows)


@pytest.fixture
def corpus(writing: Writing, engine: Engine) -> Engine:
    with writing() as session:
        for age, (name, (title, body)) in enumerate(TEXTS.items()):
            article = replace(
                ARTICLE,
                url=f"https://kabar.id/{name}",
                title=title,
                text=body,
                published=NOW - age * DAY,
            )
            keep(session, article, name=name)
    return engine


@pytest.mark.parametrize(
    "words",
    [
        "camat", "CAMAT", "camat lurah", "camat OR sangadi", "NOT camat", "camat NOT bawaslu",
        "NOT (camat OR sangadi)", "ikrar OR NOT camat", "NOT NOT camat", '"camat lurah"',
        '"buleleng bawaslu"', '"netralitas asn"', '"asn netralitas"', "netral*", "netralitas",
        "sangad* NOT 2024", "p3k", "2024", "lurah kades", "e-ktp", '"ektp"', "bupati@kabar.id",
        "kutip'", "100", "ca*", "cam*", "cama*", "camat*", "pemerik* OR (ka* NOT kade*)",
        "berkas", "café", "cafe", "ñandú", "facets", "all", "kpledge", "p51",
        "kexamination", "qendoftitleq NOT qendoftitleq", "asn (camat OR kades) NOT (p3k OR karbon)",
    ],
)  # fmt: skip
def test_words_find_what_a_rule_with_them_would_tell_of(corpus: Engine, words: str) -> None:
    query = parse(words)
    wanted = [name for name, texts in TEXTS.items() if query.matches(*texts)]
    assert found(corpus, words=words) == "".join(wanted)


def test_postgresql_finds_other_forms_of_a_word(corpus: Engine) -> None:
    stems = corpus.dialect.name == "postgresql"
    assert found(corpus, words="sikap") == ("d" if stems else "")


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(st.sampled_from("camt ORNDT*\"'()-+:\\{}^~&|!<>%_\0\n;é1."), max_size=30))
def test_no_words_are_taken_for_the_databases_language(corpus: Engine, words: str) -> None:
    try:
        parse(words)
    except QueryError:
        return
    found(corpus, words=words, kinds=("examination",), relevant=True)


def test_the_longest_and_deepest_queries_are_answered(corpus: Engine) -> None:
    assert found(corpus, words=" OR ".join(["xx"] * 160 + ["camat"])) == "ac"
    assert found(corpus, words="(" * 50 + "camat" + ")" * 50) == "ac"
    assert found(corpus, words="NOT (" * 25 + "camat" + ")" * 25) == "bd"
    nested = "camat"
    for _ in range(24):
        nested = f"(xx OR (camat AND {nested}))"
    assert found(corpus, words=nested) == "ac"
    assert found(corpus, words=f"NOT (xx OR NOT ({'(' * 20}camat{')' * 20} AND NOT xx))") == "ac"
    alternating = "camat"
    for _ in range(24):
        alternating = f"NOT (xx OR {alternating})"
    assert found(corpus, words=alternating) == "ac"
    assert found(corpus, words='"' + "camat " * 160 + '"') == ""


def test_what_a_finding_is_filtered_by(writing: Writing, engine: Engine) -> None:
    variants: dict[str, dict[str, Any]] = {
        "a": {},
        "b": {"kind": "pledge", "score": 0.5, "borderline": False},
        "c": {"subjects": ("election_organiser",), "places": (BIMA,)},
        "d": {"kind": "sanction", "places": (), "score": 0.93},
        "e": {"places": (KALTIM,), "score": 1.0},
    }
    with writing() as session:
        for number, (name, change) in enumerate(variants.items()):
            article = replace(ARTICLE, url=f"https://kabar.id/{name}", published=NOW - number * DAY)
            outlet = "kabar-bali" if name in "ab" else "kabarbali"
            verdict = replace(VERDICT, **change)
            keep(session, article, verdict, name=name, outlet=outlet, now=NOW + number * HOUR)

    def of(**wanted: Any) -> str:
        return found(engine, **wanted)

    assert of() == "abcde"
    assert of(kinds=("pledge",)) == "b"
    assert of(kinds=("pledge", "sanction")) == "bd"
    assert of(subjects=("village_official",)) == "abde"
    assert of(subjects=("election_organiser", "village_official")) == "abcde"
    assert of(places=("51",)) == "ab"
    assert of(places=("51.08",)) == "ab"
    assert of(places=("52",)) == of(places=("52.06",)) == of(places=("52.06.01",)) == "c"
    assert of(places=("52.0",)) == ""
    assert of(places=("51", "64")) == "abe"
    assert of(outlets=("kabar-bali",)) == "ab"
    assert of(outlets=("kabarbali",)) == "cde"
    assert of(outlets=('x" OR "', "kabar-bali")) == "ab"
    assert of(least_score=0.5) == "abcde"
    assert of(least_score=0.51) == "acde"
    assert of(least_score=0.93) == "de"
    assert of(least_score=0.94) == of(least_score=0.95) == of(least_score=1.0) == "e"
    assert of(least_score=0.51, kinds=("examination", "pledge")) == "ace"
    assert of(least_score=0.51, relevant=True, borderline=True, quiet=False) == "acde"
    assert of(borderline=False) == "b"
    assert of(borderline=True) == "acde"
    assert of(quiet=True) == ""
    assert of(quiet=False, relevant=True, states=("new",), assigned_to=0) == "abcde"
    assert of(since=NOW - 2 * DAY) == "abc"
    assert of(until=NOW - 2 * DAY, kinds=("sanction", "examination")) == "de"
    assert of(since=NOW - 3 * DAY, until=NOW, words="camat") == "bcd"
    assert of(found_since=NOW + 3 * HOUR) == "de"
    assert of(found_until=NOW + HOUR, words="camat") == "a"
    assert of(kinds=("examination",), places=("51",), words="camat NOT lurah") == "a"
    with reading(engine) as session:
        story = next(row.story for row in search.page(session, Search()).rows if row.url[-1] == "a")
    assert "a" in of(story=story)
    assert of(story=story, words="camat", kinds=("examination",)).startswith("a")
    assert of(story=story, kinds=("regulation",)) == ""


def test_pages_follow_each_other_whatever_comes_in_between(
    writing: Writing, engine: Engine
) -> None:
    with writing() as session:
        for number in range(25):  # five of each second
            published = NOW - timedelta(seconds=number // 5, microseconds=number)
            keep(session, replace(ARTICLE, published=published), name=str(number))
    for wanted in (Search(), Search(words="camat", kinds=("examination",))):
        with reading(engine) as session:
            whole = search.page(session, wanted, limit=100)
            assert (whole.total, whole.exact, whole.next) == (25, True, None)
            assert list(search.ids(session, wanted, batch=7)) == [row.id for row in whole.rows]
            assert search.count(session, wanted) == 25
            assert all(a.told >= b.told for a, b in pairwise(whole.rows))
            seen: list[int] = []
            cursor = None
            for _ in range(4):
                page = search.page(session, wanted, cursor, limit=7)
                assert page.total == 25
                seen += [row.id for row in page.rows]
                cursor = page.next
            assert cursor is None
            assert seen == [row.id for row in whole.rows]
    with reading(engine) as session:
        first = search.page(session, Search(), limit=10)
    with writing() as session:
        keep(session, replace(ARTICLE, published=NOW - HOUR), name="late", now=NOW + HOUR)
        keep(session, replace(ARTICLE, published=NOW), name="new", now=NOW + HOUR)
    with reading(engine) as session:
        second = search.page(session, Search(), first.next, limit=10)
        assert [row.id for row in second.rows] == [row.id for row in whole.rows[10:20]]


@pytest.mark.parametrize("cursor", ["x", "1", "1.", "-1.2", "f" * 16 + ".1", "1.1 OR 1", "٣.1"])
def test_what_is_no_cursor_is_refused(corpus: Engine, cursor: str) -> None:
    with reading(corpus) as session, pytest.raises(CursorError):
        search.page(session, Search(), cursor)


def test_counts_have_a_bound(corpus: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "COUNTED", 2)
    with reading(corpus) as session:
        page = search.page(session, Search(), limit=1)
        assert (page.total, page.exact, len(page.rows)) == (2, False, 1)
        assert not search.page(session, Search(), page.next, limit=1).exact


def test_the_words_are_marked_where_they_stand(writing: Writing, engine: Engine) -> None:
    body = f"{'Kata lain. ' * 100}CAMAT Buleleng, camat-camat; pemeriksaan netralitas. Ekor."
    with writing() as session:
        keep(session, replace(ARTICLE, title="Camat dan lurah", text=body))
    with reading(engine) as session:
        wanted = Search(words='"camat buleleng" OR lurah OR pemeriks* NOT kades')
        [row] = search.page(session, wanted).rows
        assert [row.title.text[a:b] for a, b in row.title.marks] == ["lurah"]
        marked = [row.snippet.text[a:b] for a, b in row.snippet.marks]
        assert marked == ["CAMAT Buleleng", "pemeriksaan"]
        assert len(row.snippet.text) <= search.SHOWN
        [plain] = search.page(session, Search()).rows
        assert plain.title.marks == plain.snippet.marks == ()


def test_nothing_is_told_after_it_was_found(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        keep(session, replace(ARTICLE, published=NOW + 400 * DAY), name="typo")
        keep(session, replace(ARTICLE, published=None), name="none", now=NOW + HOUR)
    with reading(engine) as session:
        rows = search.page(session, Search()).rows
        assert [row.told for row in rows] == [NOW + HOUR, NOW]


def test_a_changed_wording_is_found_and_the_old_one_is_not(
    writing: Writing, engine: Engine
) -> None:
    for title, kind in (("Camat", "examination"), ("Bupati", "sanction")):
        with writing() as session:
            article = replace(ARTICLE, title=title, text="Isi.", url="https://kabar.id/x")
            keep(session, article, replace(VERDICT, kind=kind, borderline=False))
    assert found(engine, words="camat") == found(engine, kinds=("examination",)) == ""
    assert found(engine, words="bupati", kinds=("sanction",)) == "x"
    with writing() as session:
        session.execute(models.FindingPlace.__table__.delete())
        for table in ("snapshots", "revisions", "marks", "wordings", "findings"):
            session.execute(text(f"DELETE FROM {table}"))  # noqa: S608
    assert found(engine, words="bupati") == ""


def test_words_are_found_after_the_schema_went_back_and_forth(
    writing: Writing, engine: Engine
) -> None:
    def keep_one(name: str, title: str) -> None:
        with writing() as session:
            article = replace(ARTICLE, title=title, text="Isi.", url=f"https://kabar.id/{name}")
            keep(session, article, name=name)

    keep_one("a", "Camat/lurah")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0010")
        command.upgrade(config, "head")
    keep_one("b", "Bupati.lurah")
    assert found(engine, words="lurah") == "ba"


def test_a_text_of_any_size_can_be_stored(writing: Writing, engine: Engine) -> None:
    words = " ".join(f"kata{number}x" for number in range(120_000))
    with writing() as session:
        keep(session, replace(ARTICLE, text=words, url="https://kabar.id/x"))
    assert found(engine, words="kata7x") == "x"
