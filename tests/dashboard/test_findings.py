"""The pages of findings: searched, exported, read, reviewed, whatever the articles hold."""

import csv
import hashlib
import html
import io
import json
import re
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import lxml.html
import pytest
import zstandard
from sqlalchemy import update
from sqlalchemy.orm import Session

from dashboard import findings as pages
from dashboard.pages import static
from dashboard.serve import serving
from dashboard.texts import Piece, difference, marked, paragraphs
from extract.article import Clue, Evidence, Place
from settings import Settings
from storage import models, people, reviews
from storage.database import open_database
from storage.models import Role
from storage.reviews import Change
from tests.dashboard.conftest import Dashboard
from tests.dashboard.newsroom import CAMAT, article, camat, kades, keep, verdict


def titles(page: str) -> list[str]:
    """The titles that a list shows."""
    found = re.findall(r'<a class="title wrap"[^>]*>(.*?)</a>', page, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", title)).strip() for title in found]


def test_words_and_filters_say_what_is_shown(dashboard: Dashboard) -> None:
    camat(dashboard.engine)
    kades(dashboard.engine)
    both = ["Camat Sukasada Diperiksa", "Kades Teke Kena Sanksi"]
    browser = dashboard.signed_in(Role.VIEWER)
    for query, shown in (
        ("", both),
        ("?q=camat", both[:1]),
        ("?q=camat+OR+sanksi", both),
        ("?q=camat+AND+sanksi", []),
        ("?kind=sanction", both[1:]),
        ("?kind=sanction&kind=allegation", both),
        ("?subject=village_official", both[1:]),
        ("?province=51", both[:1]),
        ("?province=52&regency=52.06", both[1:]),
        ("?province=51&regency=52.06", both[:1]),  # left over from the province before
        ("?outlet=suara", both[1:]),
        ("?since=2100-01-01", []),
        ("?until=9999-12-31&since=0001-01-01", both),
        ("?score=0.8", both[:1]),
        ("?state=new", both),
        ("?state=checked", []),
        ("?assigned=me", []),
        ("?assigned=nobody", both),
        ("?relevance=doubt", []),
        ("?story=1", both[:1]),
    ):
        assert sorted(titles(browser.get(f"/findings{query}"))) == shown, query
    page = browser.get("/findings?q=camat&province=51")
    assert '<option value="51.08">Kabupaten Buleleng</option>' in page
    assert "<strong>1 finding</strong>" in page
    assert "<mark>Camat</mark> Sukasada" in page
    assert "Kabupaten Bima" in browser.get("/findings/regencies?province=52")
    answer = browser.client.get("/findings?q=camat&kind=&outlet=")
    assert str(answer.url).endswith("/findings?q=camat")
    assert browser.client.get("/findings?score=9").status_code == 422
    assert browser.client.get("/findings?cursor=wrong").status_code == 200


def test_what_is_wrong_with_a_search_is_shown_where_it_is(dashboard: Dashboard) -> None:
    page = dashboard.signed_in(Role.VIEWER).get("/findings?q=camat+AND+OR+kades", 400)
    assert "camat AND <mark>OR</mark> kades" in page
    assert "“OR” cannot stand here." in page
    page = dashboard.signed_in(Role.VIEWER, "id").get("/findings?q=(camat", 400)
    assert "Pencarian ini tidak bisa dibaca: tanda ) kurang." in page
    dashboard.signed_in(Role.VIEWER).get("/findings?q=" + quote("100% <b> \x00 ) ("), 400)


def test_a_long_list_is_read_page_by_page(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SHOWN", 2)
    for number in range(5):
        told = article(f"Camat {number} Diperiksa", CAMAT, name=str(number))
        keep(dashboard.engine, told, verdict(CAMAT, []))
    browser = dashboard.signed_in(Role.VIEWER)
    address, seen = "/findings?q=camat", []
    while address:
        page = browser.get(address)
        assert "<strong>5 findings</strong>" in page
        seen += titles(page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        address = html.unescape(older[1]) if older else ""
    assert seen == [f"Camat {number} Diperiksa" for number in (4, 3, 2, 1, 0)]


def test_what_is_shown_can_be_exported(dashboard: Dashboard) -> None:
    camat(dashboard.engine)
    kades(dashboard.engine)
    client = dashboard.signed_in(Role.VIEWER).client
    table = client.get("/findings/export/csv?q=camat")
    assert re.search(r'filename="pantau-[\d-]+\.csv"', table.headers["Content-Disposition"])
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert [row["title"] for row in rows] == ["Camat Sukasada Diperiksa"]
    lines = client.get("/findings/export/jsonl?kind=sanction").text.splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["Kades Teke Kena Sanksi"]
    book = zipfile.ZipFile(io.BytesIO(client.get("/findings/export/xlsx").content))
    cells = "".join(book.read(name).decode() for name in book.namelist() if "sheet1" in name)
    assert "Camat Sukasada" in cells
    assert "Kades Teke" in cells
    assert client.get("/findings/export/csv?q=(").status_code == 400
    assert client.get("/findings/export/warc").status_code == 404


def test_a_finding_shows_its_proof_and_where_all_of_it_is_from(dashboard: Dashboard) -> None:
    said = "Ia diduga mengajak warga memilih petahana."
    start = CAMAT.index(said)
    judged = verdict(CAMAT, [said])
    judged = replace(
        judged,
        evidence=(
            *judged.evidence,
            Evidence(CAMAT[start + 10 : start + 60], start + 10, start + 60),
            Evidence("Camat", 0, 5, "title", (Clue("official", "Camat", 0, 5),)),
        ),
    )
    told = replace(article("Camat Diperiksa", CAMAT), published_inferred=True)
    first = keep(dashboard.engine, told, judged)
    twin = article("Camat Sukasada Dipanggil", CAMAT, outlet="suara")
    second = keep(dashboard.engine, twin, judged)
    browser = dashboard.signed_in(Role.VIEWER)
    page = browser.get(f"/findings/{first}")
    assert f"<mark>{CAMAT[start : start + 60]}</mark>" in page
    assert "<mark>Camat</mark> Diperiksa" in page
    for fact in ("JSON-LD", "given in part", "SINGARAJA", "Ketut Sari", "ia, camat", "0.9"):
        assert fact in page, fact
    assert f'href="/findings/{second}"' in page
    assert "Camat Sukasada Dipanggil" in page
    assert "<textarea" not in page  # a viewer does not review
    browser.get("/findings/99", 404)
    browser.get("/findings/99999999999", 422)


def test_wordings_differ_and_are_proved_by_stored_pages(dashboard: Dashboard) -> None:
    first = b"<script>alert(1)</script><p>Senin"
    told = article("Camat Diperiksa", CAMAT)
    id_ = keep(dashboard.engine, told, verdict(CAMAT, []), html=first)
    later = CAMAT.replace("Senin pagi", "Selasa sore")
    keep(dashboard.engine, replace(told, text=later), verdict(later, []), html=b"<p>Selasa")
    browser = dashboard.signed_in(Role.VIEWER)
    page = browser.get(f"/findings/{id_}")
    assert "<del> Senin pagi.</del><ins> Selasa sore.</ins>" in re.sub(r"\s*\n\s*", "", page)
    assert hashlib.sha256(b"<p>Selasa").hexdigest() in page
    address = f"/findings/{id_}/snapshots/1/1"
    page = browser.get(f"/findings/{id_}/revisions/1")
    assert hashlib.sha256(first).hexdigest() in page
    assert f'<iframe sandbox src="{address}"' in page
    framed = browser.client.get(address)
    assert framed.content == first
    policy = framed.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "script" not in policy
    assert framed.headers["Content-Type"] == "text/html; charset=utf-8"
    raw = browser.client.get(f"{address}/raw")
    assert raw.content == first
    assert raw.headers["Content-Type"] == "application/octet-stream"
    assert raw.headers["Content-Disposition"].startswith("attachment")
    for nowhere in ("snapshots/1/2", "snapshots/3/1", "revisions/3"):
        browser.get(f"/findings/{id_}/{nowhere}", 404)


def test_a_stored_page_that_swells_is_not_shown(dashboard: Dashboard) -> None:
    id_ = camat(dashboard.engine)
    bomb = zstandard.compress(bytes(50_000_000))
    with Session(dashboard.engine) as session, session.begin():
        session.execute(update(models.Snapshot).values(html=bomb, charset="no\r\nsuch"))
    dashboard.signed_in(Role.VIEWER).get(f"/findings/{id_}/snapshots/1/1", 413)


# --- reviewing ------------------------------------------------------------------------------------


def test_a_review_is_kept_with_its_history(dashboard: Dashboard) -> None:
    id_ = camat(dashboard.engine)
    browser = dashboard.signed_in(Role.REVIEWER)
    me = dashboard.person(Role.REVIEWER).id
    said = {
        "version": 0,
        "state": "escalated",
        "relevant": "yes",
        "kind": "examination",
        "assigned_to": me,
        "note": "Hubungi Bawaslu <b>Buleleng</b>.",
    }
    page = browser.post(f"/findings/{id_}/review?q=camat", **said)
    assert "Your review is saved." in page
    assert "Hubungi Bawaslu &lt;b&gt;Buleleng&lt;/b&gt;." in page
    assert "<del>new</del>" in page
    assert f"/findings/{id_}/next?q=camat" in page
    assert titles(browser.get("/findings?state=escalated&kind=examination&assigned=me"))
    assert not titles(browser.get("/findings?kind=allegation"))
    with Session(dashboard.engine) as session:
        assert [c.person for c in reviews.history(session, id_)] == [me] * 5
        assert people.audit(session)[0].what == "finding reviewed"
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    browser.post(f"/findings/{id_}/review", **{**said, "version": version[1], "relevant": "no"})
    assert not titles(browser.get("/findings"))
    assert titles(browser.get("/findings?relevance=no"))


def test_two_reviewers_at_once_overwrite_nothing(dashboard: Dashboard) -> None:
    id_ = camat(dashboard.engine)
    browser = dashboard.signed_in(Role.REVIEWER)
    with Session(dashboard.engine) as session, session.begin():
        reviews.review(session, id_, None, Change(note="Sudah ditelepon."), datetime.now(UTC))
    sent = {"version": 0, "state": "closed", "note": "Tutup saja."}
    page = browser.post(f"/findings/{id_}/review", 409, **sent)
    assert "Somebody else has changed this review meanwhile; yours is not saved." in page
    assert "Tutup saja." in page
    assert '<textarea id="note" name="note" maxlength="10000">Sudah ditelepon.</textarea>' in page
    with Session(dashboard.engine) as session:
        kept = reviews.get(session, id_)
        assert kept
        assert (kept.state, kept.note) == ("new", "Sudah ditelepon.")


def test_a_review_that_cannot_be_is_refused(dashboard: Dashboard) -> None:
    id_ = camat(dashboard.engine)
    browser = dashboard.signed_in(Role.REVIEWER)
    viewer = dashboard.person(Role.VIEWER).id
    for wrong in ({"assigned_to": viewer}, {"state": "lost"}, {"kind": "gossip"}):
        browser.post(f"/findings/{id_}/review", 400, **{"version": 0, "state": "new", **wrong})
    with Session(dashboard.engine) as session:
        assert not reviews.history(session, id_)
    browser.post("/findings/99/review", 404, version=0, state="new")


def test_a_reviewer_goes_through_the_list(dashboard: Dashboard) -> None:
    ids = [
        keep(
            dashboard.engine,
            article(f"Camat {number}", CAMAT, name=str(number)),
            verdict(CAMAT, []),
        )
        for number in range(3)
    ]
    kades(dashboard.engine)
    browser = dashboard.signed_in(Role.REVIEWER)
    at, seen = ids[2], [ids[2]]
    for _ in range(2):  # each is new at first
        sent = {"version": 0, "state": "checked", "then": "next"}
        page = browser.post(f"/findings/{at}/review?q=camat", **sent)
        found = re.search(r'action="/findings/(\d+)/review\?q=camat"', page)
        assert found
        at = int(found[1])
        seen.append(at)
    assert seen == ids[::-1]
    sent = {"version": 0, "state": "checked", "then": "next"}
    page = browser.post(f"/findings/{at}/review?q=camat", **sent)
    assert "Everything in this list has been reviewed." in page
    assert len(titles(page)) == 3


# --- hostile articles -----------------------------------------------------------------------------

SCRIPT = "<script>alert(1)</script>"
BREAK = "\"'><img src=x onerror=alert(2)>"
TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe"
LONG = "a" * 5000


def test_a_hostile_article_is_text_everywhere(dashboard: Dashboard) -> None:
    foul = f"{SCRIPT}{BREAK}{TURNED} %(name)s {{{{ 7*7 }}}}"
    text = f"Camat {foul} {LONG}\n</p></body>{SCRIPT}"
    told = replace(
        article(f"{foul} {LONG}", text),
        authors=(foul, "javascript:alert(3)"),
        tags=(foul,),
        section=foul,
        dateline=foul,
        caption=foul,
        image="javascript:alert(4)",
        language=BREAK[:16],
    )
    judged = replace(
        verdict(text, [text.split("\n")[0]]),
        places=(Place("51.08", "regency", foul, foul),),
        subjects=(foul,),
    )
    id_ = keep(dashboard.engine, told, judged, html=SCRIPT.encode())
    other = replace(told, text=f"{text}\n{foul} baru", title=f"{foul} lagi")
    keep(dashboard.engine, other, replace(judged, score=1.0), html=SCRIPT.encode())
    keep(dashboard.engine, replace(told, url="https://suara.example/2"), judged)
    with Session(dashboard.engine) as session, session.begin():
        session.execute(
            update(models.Finding).values(
                outlet=foul[:64], url="javascript:alert(5)", published_from=BREAK[:16]
            )
        )
        session.execute(update(models.Snapshot).values(url="javascript:alert(6)"))
        note = Change(note=foul)
        reviews.review(session, id_, None, note, datetime.now(UTC))
    browser = dashboard.signed_in(Role.REVIEWER)
    for path in (
        "/",
        "/?last=week",
        "/findings",
        "/findings?q=camat",
        f"/findings?q={quote(f'{BREAK} AND')}",
        f"/findings?outlet={quote(foul[:64])}",
        f"/findings/{id_}",
        f"/findings/{id_}?q={quote(BREAK)}",
        f"/findings/{id_}/revisions/2",
    ):
        page = browser.client.get(path)
        assert "alert(" in page.text or path == "/", path
        tree = lxml.html.document_fromstring(page.text)
        scripts = tree.xpath("//script")
        assert [script.get("src") for script in scripts] == [static("pantau.js")], path
        assert all(src.startswith("/static/") for src in tree.xpath("//img/@src")), path
        for address in tree.xpath("//@href | //@src | //@action"):
            assert address.startswith(("/", "#", "https://")), (path, address)
        names = {attribute.attrname for attribute in tree.xpath("//@*")}
        assert not {name for name in names if name.startswith(("on", "style"))}, path


def test_the_pages_are_the_same_on_postgresql(postgres: str, tmp_path: Path) -> None:
    engine = open_database(postgres)
    with serving(engine, Settings(home=tmp_path, dashboard_address="127.0.0.1:0")) as url:
        served = Dashboard(url, engine, Settings(home=tmp_path))
        id_ = camat(engine)
        kades(engine)
        later = article("Camat Diperiksa Lagi", f"{CAMAT}\nPemeriksaan berlanjut.")
        keep(engine, later, verdict(later.text, []))
        browser = served.signed_in(Role.REVIEWER)
        assert len(titles(browser.get("/"))) == 2
        query = "?q=camat&kind=allegation&kind=sanction&province=51&since=2020-01-01&score=0.8"
        page = browser.get(f"/findings{query}")
        assert titles(page) == ["Camat Diperiksa Lagi"]
        assert '<option value="suara">' in page
        assert "<ins>Pemeriksaan berlanjut.</ins>" in browser.get(f"/findings/{id_}{query}")
        assert browser.get(f"/findings/{id_}/snapshots/2/1") == "<p>Camat</p>"
        sent = {"version": 0, "state": "checked", "then": "next"}
        assert "has been reviewed" in browser.post(f"/findings/{id_}/review{query}", **sent)
        assert len(browser.get("/findings/export/jsonl").splitlines()) == 2
        browser.client.close()
    engine.dispose()


# --- texts ----------------------------------------------------------------------------------------


def test_marks_may_overlap_and_reach_beyond_the_text() -> None:
    pieces = marked("camat diperiksa", [(2, 4), (0, 3), (6, 6), (9, 99), (-5, 1)])
    assert pieces == [Piece("cama", "mark"), Piece("t dip"), Piece("eriksa", "mark")]
    lines = paragraphs(marked("satu\n\ndua tiga", [(0, 9)]))
    assert [[piece.text for piece in line] for line in lines] == [["satu"], ["dua", " tiga"]]


def test_a_difference_holds_both_texts_and_is_quick_whatever_they_are() -> None:
    # each line's words, and the lines, are such that comparing all would take minutes
    one = "\n".join(" ".join(str(n * m % 97) for n in range(300)) for m in range(1, 400))
    other = "\n".join(" ".join(str(n * m % 89) for n in range(300)) for m in range(1, 400))
    for before, after in (
        ("Camat hadir.\nIa diam.", "Camat tidak hadir.\nIa diam.\nTamat."),
        ("", "baru"),
        ("lama", ""),
        (one, other),
        ("a " * 100_000, "b a " * 100_000),
        ("x\n" * 100_000, "x\ny\n" * 100_000),
    ):
        began = time.process_time()
        pieces = difference(before, after)
        assert time.process_time() - began < 2
        assert "".join(p.text for p in pieces if p.kind != "new") == before
        assert "".join(p.text for p in pieces if p.kind != "gone") == after
