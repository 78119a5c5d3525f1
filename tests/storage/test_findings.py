"""Findings: kept once, with their proof, and read back as they were."""

import asyncio
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, cast

import pytest
import zstandard
from alembic import command
from alembic.config import Config
from redis import Redis
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from crawler.crawl import Kept, OutletCrawl
from crawler.examine import Examination
from crawler.shared import Shared
from crawler.writer import Writer
from extract.article import Article, Clue, Evidence, Page, Place, Verdict
from extract.link import Link
from extract.snapshot import Snapshot
from storage import findings, links, models
from storage.database import MIGRATIONS, reading
from storage.findings import Finding
from storage.links import Outcome
from storage.models import State
from storage.search import Search
from storage.seen import Claim, Seen
from tests.conftest import RedisServer
from tests.storage.conftest import Writing

NOW = datetime(2024, 11, 20, 5, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WIB, WITA, WIT = (timezone(hours * HOUR) for hours in (7, 8, 9))

TEXT = "Camat diperiksa Bawaslu.\nIa diduga mengajak memilih petahana."
BULELENG = Place("51.08", "regency", "Kabupaten Buleleng", "Bali")
KALTIM = Place("64", "province", "Kalimantan Timur", "Kalimantan Timur")
ARTICLE = Article(
    url="https://www.kabar.id/berita/1",
    title="Camat Diperiksa",
    text=TEXT,
    authors=("Ketut", "I Made “Dé”"),
    published=datetime(2024, 11, 20, 0, 30, tzinfo=WITA),
    published_from="json-ld",
    published_inferred=True,
    dateline="SINGARAJA",
    section="Politik",
    tags=("netralitas ASN", "Pilkada “2024”"),
    image="https://www.kabar.id/1.jpg",
    caption="Camat di kantor Bawaslu. (Foto: Ketut)",
    language="id",
    paid=True,
)
VERDICT = Verdict(
    relevant=True,
    score=0.875,
    borderline=True,
    kind="examination",
    subjects=("civil_servant", "village_official"),
    places=(BULELENG, KALTIM),
    evidence=(
        Evidence(TEXT[:24], 0, 24, clues=(Clue("official", "Camat", 0, 5),)),
        Evidence("Camat", 0, 5, "title"),
    ),
)


def pages(*html: bytes, fetched: datetime = NOW) -> list[Page]:
    return [
        Page(f"https://www.kabar.id/berita/1/{n}", body, fetched, "utf-8")
        for n, body in enumerate(html, 1)
    ]


def keep(
    session: Session,
    article: Article = ARTICLE,
    verdict: Verdict = VERDICT,
    *,
    name: str = "1",
    outlet: str = "kabar",
    html: tuple[bytes, ...] = (b"<p>Camat</p>",),
    now: datetime = NOW,
) -> tuple[int, bool]:
    url = f"https://kabar.id/berita/{name}"
    links.record(session, outlet, [Link(url, url)], now=now, known_before=None, oldest=None)
    snapshots = [Snapshot.of(page) for page in pages(*html, fetched=now)]
    return findings.keep(session, url, article, verdict, snapshots, now)


def read(engine: Engine, limit: int | None = None, **wanted: Any) -> list[Finding]:
    with reading(engine) as session:
        return list(findings.find(session, Search(**wanted), limit))


def test_a_finding_comes_back_as_it_was_kept(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        finding_id, new = keep(session)
        assert new
    [finding] = read(engine)
    with reading(engine) as session:
        assert findings.get(session, finding_id) == finding
    assert finding.id == finding_id
    assert finding.outlet == "kabar"
    for field in fields(Article):
        if field.name != "pages":
            assert getattr(finding, field.name) == getattr(ARTICLE, field.name), field.name
    for name in ("score", "borderline", "kind", "subjects", "places", "evidence"):
        assert getattr(finding, name) == getattr(VERDICT, name), name
    assert finding.found == finding.fetched == NOW
    assert finding.revision == 1
    assert finding.story


def test_doubt_gives_way_to_a_surer_wording_and_not_the_other_way_round(
    writing: Writing, engine: Engine
) -> None:
    sure, fair = replace(VERDICT, borderline=False), replace(VERDICT, score=0.5)
    faint = replace(VERDICT, relevant=False, score=0.2)
    steps = [(faint, 0), (fair, 1), (faint, 1), (sure, 3), (fair, 3), (faint, 3)]
    for number, (verdict, shown) in enumerate(steps):
        with writing() as session:
            keep(session, replace(ARTICLE, title=f"Wording {number}"), verdict)
        [finding] = read(engine)
        assert finding.title == f"Wording {shown}"
        assert finding.borderline == (shown < 3)
    assert finding.revision == len(steps)


def test_an_article_of_which_little_is_known(writing: Writing, engine: Engine) -> None:
    bare = Article("https://kabar.id/2", "Judul", "Isi")
    with writing() as session:
        keep(session, bare, Verdict(relevant=True, score=0.5))
    [finding] = read(engine)
    assert finding.kind == "other"
    assert finding.published is None
    assert finding.places == finding.evidence == finding.authors == finding.subjects == ()
    assert (finding.tags, finding.caption, finding.published_inferred) == ((), None, False)


def test_findings_from_before_tags_and_captions_are_kept(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        keep(session)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        command.upgrade(config, "head")
    [finding] = read(engine)
    assert finding.title == ARTICLE.title
    assert (finding.tags, finding.caption, finding.published_inferred) == ((), None, False)


@pytest.mark.parametrize("zone", [WIB, WITA, WIT, UTC, timezone(-timedelta(hours=3, minutes=30))])
def test_the_time_of_publication_keeps_the_outlets_offset(
    writing: Writing, engine: Engine, zone: timezone
) -> None:
    published = datetime(2024, 11, 20, 0, 30, tzinfo=zone)
    with writing() as session:
        keep(session, replace(ARTICLE, published=published))
    [finding] = read(engine)
    assert finding.published
    assert finding.published.isoformat() == published.isoformat()


@pytest.mark.parametrize("year", [1, 1024, 9999])
def test_an_impossible_date_can_be_read_back(writing: Writing, engine: Engine, year: int) -> None:
    published = (
        datetime(year, 1, 1, tzinfo=WIT) if year == 1 else datetime(year, 12, 31, 23, tzinfo=WIT)
    )
    with writing() as session:
        keep(session, replace(ARTICLE, published=published))
    [finding] = read(engine)
    assert finding.published
    assert finding.published.year == year


# --- proof and revisions --------------------------------------------------------------------------


def snapshots(session: Session) -> list[tuple[int, int, bytes, str]]:
    """(revision, page, html, sha256) of each."""
    query = (
        select(models.Revision.number, models.Snapshot)
        .join(models.Snapshot, models.Snapshot.revision_id == models.Revision.id)
        .order_by(models.Revision.number, models.Snapshot.page)
    )
    return [
        (number, snapshot.page, zstandard.decompress(snapshot.html), snapshot.sha256)
        for number, snapshot in session.execute(query)
    ]


def test_the_snapshot_is_every_byte_of_the_page(writing: Writing, engine: Engine) -> None:
    hostile = bytes(range(256)) * 1000 + b"\0<script>\xff\xfe"
    with writing() as session:
        keep(session, html=(hostile, b"", b"page 3"))
    with reading(engine) as session:
        kept = snapshots(session)
        stored = session.scalars(select(models.Snapshot.html)).first()
        assert stored
        assert len(stored) < len(hostile) / 20, "it is compressed"
    assert [html for _, _, html, _ in kept] == [hostile, b"", b"page 3"]
    assert [page for _, page, _, _ in kept] == [1, 2, 3]
    assert all(hashlib.sha256(html).hexdigest() == digest for _, _, html, digest in kept)
    [finding] = read(engine)
    assert finding.snapshot_sha256 == hashlib.sha256(hostile).hexdigest()


def test_the_same_wording_again_is_no_revision(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        first = keep(session)
    with writing() as session:
        again = keep(session, html=(b"another advertisement",), now=NOW + HOUR)
    assert first[0] == again[0]
    assert not again[1]
    [finding] = read(engine)
    assert finding.revision == 1
    assert finding.found == NOW
    assert finding.fetched == NOW + HOUR
    with reading(engine) as session:
        assert len(snapshots(session)) == 1


def test_a_changed_wording_is_a_revision_and_the_first_stays(
    writing: Writing, engine: Engine
) -> None:
    changed = replace(ARTICLE, title="Camat Dihukum", text="KASN menghukum camat.", paid=False)
    verdict = replace(
        VERDICT,
        kind="sanction",
        places=(KALTIM,),
        evidence=(Evidence("KASN menghukum camat.", 0, 21),),
    )
    with writing() as session:
        keep(session, html=(b"one",))
    with writing() as session:
        assert keep(session, changed, verdict, html=(b"two", b"three"), now=NOW + HOUR)[1] is False
    [finding] = read(engine)
    assert (finding.title, finding.text, finding.paid) == (changed.title, changed.text, False)
    assert (finding.kind, finding.places) == ("sanction", (KALTIM,))
    assert finding.evidence == verdict.evidence
    assert finding.revision == 2
    assert finding.found == NOW
    assert finding.snapshot_sha256 == hashlib.sha256(b"two").hexdigest()
    with reading(engine) as session:
        assert [kept[:3] for kept in snapshots(session)] == [
            (1, 1, b"one"),
            (2, 1, b"two"),
            (2, 2, b"three"),
        ]
        texts = session.scalars(select(models.Revision.text).order_by(models.Revision.number))
        assert list(texts) == [TEXT, changed.text]
    with writing() as session:  # and back
        keep(session, now=NOW + 2 * HOUR)
    [finding] = read(engine)
    assert (finding.revision, finding.text) == (3, TEXT)
    assert finding.places == VERDICT.places


def test_a_wording_that_clears_the_article_does_not_unmake_the_finding(
    writing: Writing, engine: Engine
) -> None:
    cleared = replace(ARTICLE, text="Berita ini telah dicabut.")
    nothing = Verdict(relevant=False, score=0.1)
    with writing() as session:
        keep(session, html=(b"one",))
    for _ in range(2):
        with writing() as session:
            keep(session, cleared, nothing, html=(b"two",), now=NOW + HOUR)
    [finding] = read(engine)
    assert (finding.kind, finding.score) == (VERDICT.kind, VERDICT.score)
    assert finding.revision == 2
    assert finding.fetched == NOW + HOUR
    # what proves it still does
    assert finding.snapshot_sha256 == hashlib.sha256(b"one").hexdigest()
    for sentence in finding.evidence:
        assert getattr(finding, sentence.where)[sentence.start : sentence.end] == sentence.text
    with reading(engine) as session:
        assert [kept[2] for kept in snapshots(session)] == [b"one", b"two"]


def test_two_who_keep_the_same_article_at_once_keep_it_once(
    writing: Writing, engine: Engine
) -> None:
    url = "https://kabar.id/berita/1"
    with writing() as session:
        links.record(session, "kabar", [Link(url, url)], now=NOW, known_before=None, oldest=None)

    def work(_: int) -> bool:
        snapshot = Snapshot.of(pages(b"<p>Camat</p>")[0])
        with writing() as session:
            return findings.keep(session, url, ARTICLE, VERDICT, [snapshot], NOW)[1]

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(work, range(6))) == [False] * 5 + [True]
    assert len(read(engine)) == 1


def test_one_that_cannot_be_stored_costs_no_other(
    engine: Engine, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    shared = SimpleNamespace(
        engine=engine,
        transaction=lambda: Session(engine),
        writer=Writer(lambda: Session(engine)),
        seen=Seen(Redis.from_url(redis_server.url), lambda: links.settled_urls(engine)),
    )
    crawl = OutletCrawl(cast(Shared, shared), "kabar", "run", pytest.fail)
    urls = [f"https://kabar.id/berita/{n}" for n in range(4)]
    snapshot = Snapshot.of(pages(b"<p>Camat</p>")[0])
    bad = replace(snapshot, sha256=cast(str, None))

    async def live() -> None:
        await crawl.record([Link(url, url) for url in urls], known_before=None, oldest=None)
        for number, url in enumerate(urls):
            proof = (bad if number == 1 else snapshot,)
            article = replace(ARTICLE, title=f"Perkara {number}")
            await crawl.keep(Kept(Outcome(url, State.FOUND), Examination(article, VERDICT, proof)))
        await crawl.flush()

    asyncio.run(live())
    titles = {finding.id: finding.title for finding in read(engine)}
    assert sorted(titles.values()) == ["Perkara 0", "Perkara 2", "Perkara 3"]
    assert (sorted(crawl.found), crawl.counts.findings, crawl.counts.errors) == (
        sorted(titles), 3, 1,
    )  # fmt: skip
    with reading(engine) as session:
        assert [link.url for link in links.pending(session, "kabar", 9)] == [urls[1]]
    claims = shared.seen.claim(urls, "kabar", 9)
    assert [claim == Claim.SETTLED for claim in claims] == [True, False, True, True]


def test_a_finding_is_kept_whole_or_not_at_all(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        keep(session)
        session.rollback()
    assert read(engine) == []
    with reading(engine) as session:
        assert snapshots(session) == []


def test_what_no_database_takes_is_replaced_and_offsets_stay(
    writing: Writing, engine: Engine
) -> None:
    odd = "Camat\0 \ud800 Diperiksa"
    article = Article(
        "https://kabar.id/\0", odd, f"{odd}.\n{TEXT}", (odd,),
        dateline=odd, section=odd, tags=(odd,), image=odd, caption=odd,
    )  # fmt: skip
    start = len(odd) + 2
    verdict = replace(
        VERDICT, evidence=(Evidence(odd, 0, len(odd)), Evidence(TEXT, start, start + len(TEXT)))
    )
    with writing() as session:
        keep(session, article, verdict)
    with writing() as session:
        keep(session, article, verdict)
    [finding] = read(engine)
    assert finding.revision == 1, "it is the same wording"
    assert finding.title == "Camat\ufffd \ufffd Diperiksa"
    assert {*finding.authors, *finding.tags, finding.dateline, finding.caption} == {finding.title}
    assert json.dumps(asdict(finding), default=str, ensure_ascii=False).encode()
    for sentence in finding.evidence:
        assert finding.text[sentence.start : sentence.end] == sentence.text


# --- finding --------------------------------------------------------------------------------------


@pytest.fixture
def four(writing: Writing, engine: Engine) -> Engine:
    """Four findings, an hour apart, named 1 to 4."""
    other = replace(VERDICT, kind="pledge", places=(KALTIM,))
    with writing() as session:
        keep(session, name="1")
        keep(session, replace(ARTICLE, title="Ikrar 100% Netral"), other, name="2", now=NOW + HOUR)
        keep(
            session,
            replace(ARTICLE, title="Netral_ASN", text=r"C:\bupati 'kutip' \" 50"),
            name="3", outlet="warta", now=NOW + 2 * HOUR,
        )  # fmt: skip
        keep(session, replace(ARTICLE, text="Lurah."), other, name="4", now=NOW + 3 * HOUR)
    return engine


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, "4321"),
        ({"limit": 2}, "43"),
        ({"found_since": NOW + HOUR}, "432"),
        ({"found_until": NOW + HOUR}, "1"),
        ({"found_since": (NOW + HOUR).astimezone(WIT), "found_until": NOW + 3 * HOUR}, "32"),
        ({"outlets": ("warta",), "words": "kutip"}, "3"),
        ({"words": "bawaslu camat", "kinds": ("pledge",), "limit": 5}, "2"),
    ],
    ids=str,
)
def test_findings_are_found_by(four: Engine, wanted: dict[str, Any], names: str) -> None:
    with reading(four) as session:
        query = select(models.Finding.id, models.Link.url).join(models.Link)
        name_of = {id_: url[-1] for id_, url in session.execute(query)}
    assert "".join(name_of[finding.id] for finding in read(four, **wanted)) == names


def test_many_findings_are_read_in_batches(writing: Writing, engine: Engine) -> None:
    with writing() as session:
        for number in range(250):
            keep(session, replace(ARTICLE, title=f"Perkara {number}"), name=str(number))
    found = read(engine)
    assert [finding.title for finding in found] == [f"Perkara {n}" for n in reversed(range(250))]
    assert all(finding.places == VERDICT.places for finding in found)


@pytest.mark.parametrize("finding_id", [0, -1, 2**31, 10**30])
def test_there_is_no_such_finding(four: Engine, finding_id: int) -> None:
    with reading(four) as session:
        assert findings.get(session, finding_id) is None


def test_the_fields_are_those_of_the_contract(four: Engine) -> None:
    document = asdict(read(four, words="bawaslu", limit=1)[0])
    assert document.keys() >= {
        "id", "url", "outlet", "title", "text", "authors", "published", "published_inferred",
        "fetched", "dateline", "tags", "image", "caption", "kind", "score",
        "subjects", "places", "evidence", "paid", "story", "snapshot_sha256",
    }  # fmt: skip
    assert document["places"][0].keys() == {"code", "level", "name", "province"}
    assert document["evidence"][0].keys() >= {"text", "start", "end"}
