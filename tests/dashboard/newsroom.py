"""News of our own making, kept as a crawl keeps it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from extract.article import Article, Clue, Evidence, Page, Place, Verdict
from extract.link import Link
from extract.snapshot import Snapshot
from storage import findings, links

WITA = timezone(timedelta(hours=8))
BULELENG = Place("51.08", "regency", "Kabupaten Buleleng", "Bali")
BALI = Place("51", "province", "Bali", "Bali")
BIMA = Place("52.06", "regency", "Kabupaten Bima", "Nusa Tenggara Barat")


def article(title: str, text: str, *, name: str = "1", outlet: str = "kabar") -> Article:
    return Article(
        url=f"https://{outlet}.example/berita/{name}",
        title=title,
        text=text,
        authors=("Ketut Sari",),
        published=datetime.now(WITA).replace(microsecond=0) - timedelta(hours=9),
        published_from="json-ld",
        dateline="SINGARAJA",
        section="Politik",
        tags=("netralitas ASN",),
        language="id",
    )


def verdict(
    text: str,
    proof: Sequence[str],
    *,
    kind: str = "allegation",
    score: float = 0.9,
    places: tuple[Place, ...] = (BULELENG,),
    subjects: tuple[str, ...] = ("civil_servant",),
) -> Verdict:
    """What is thought of `text`, which the sentences `proof` in it prove."""
    evidence = []
    for said in proof:
        start = text.index(said)
        word = said.split()[0]
        clue = Clue("official", word, start, start + len(word))
        evidence.append(Evidence(said, start, start + len(said), clues=(clue,)))
    return Verdict(
        relevant=True,
        score=score,
        kind=kind,
        subjects=subjects,
        places=places,
        evidence=tuple(evidence),
    )


def keep(
    engine: Engine,
    told: Article,
    judged: Verdict,
    *,
    html: bytes = b"<p>Camat</p>",
    ago: timedelta = timedelta(hours=5),
) -> int:
    """Keep an article that was found some time `ago`; gives the finding's id."""
    now = datetime.now(UTC) - ago
    page = Page(told.url, html, now, "utf-8")
    outlet = told.url.split("/")[2].split(".")[0]
    with Session(engine) as session, session.begin():
        link = [Link(told.url, told.url)]
        links.record(session, outlet, link, now=now, known_before=None, oldest=None)
        return findings.keep(session, told.url, told, judged, [Snapshot.of(page)], now)[0]


CAMAT = (
    "Camat Sukasada diperiksa Bawaslu Buleleng pada Senin pagi.\n"
    "Ia diduga mengajak warga memilih petahana. Rekamannya beredar di grup WhatsApp.\n"
    "Camat itu membantah dan mengaku hanya memberi salam."
)


def camat(engine: Engine, *, kind: str = "allegation", **given: timedelta) -> int:
    """A finding about a camat."""
    judged = verdict(CAMAT, ["Ia diduga mengajak warga memilih petahana."], kind=kind)
    return keep(engine, article("Camat Sukasada Diperiksa", CAMAT), judged, **given)


def kades(engine: Engine, **given: timedelta) -> int:
    """A finding about a village head on another island."""
    text = "Kepala Desa Teke menerima sanksi.\nBupati memberhentikannya sementara."
    told = replace(
        article("Kades Teke Kena Sanksi", text, name="kades", outlet="suara"), dateline="BIMA"
    )
    judged = verdict(
        text,
        ["Kepala Desa Teke menerima sanksi."],
        kind="sanction",
        score=0.75,
        places=(BIMA,),
        subjects=("village_official",),
    )
    return keep(engine, told, judged, **given)
