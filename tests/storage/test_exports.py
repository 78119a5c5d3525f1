"""Exports: every format holds what was asked for, and nothing in it is run by who opens it."""

import csv
import hashlib
import io
import json
import zipfile
from dataclasses import replace

import lxml.etree
from fastwarc.warc import ArchiveIterator, WarcRecordType
from sqlalchemy import Engine

from storage import exports, reviews
from storage.database import reading
from storage.exports import Format
from storage.reviews import Change
from storage.search import Search
from tests.storage.conftest import Writing
from tests.storage.test_findings import ARTICLE, HOUR, NOW, VERDICT, keep

HOSTILE = '=HYPERLINK("https://evil.example";"klik")'
CELL = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def written(
    engine: Engine, format_: Format, search: Search | None = None, limit: int | None = None
) -> bytes:
    with reading(engine) as session:
        return b"".join(exports.pieces(session, format_, search or Search(), limit))


def fill(writing: Writing) -> None:
    with writing() as session:
        keep(session, name="1", html=(b"<p>one</p>", b"<p>two</p>"))
        odd = replace(
            ARTICLE,
            title=HOSTILE,
            text="\x01 kendali\x0b " + "panjang " * 8_000,
            url="https://kabar.id/a\r\nWARC-Type: x b",
            authors=("@SUM(A1)", " +62"),
        )
        keep(session, odd, replace(VERDICT, kind="pledge"), name="2", now=NOW + HOUR)
        finding = keep(session, replace(ARTICLE, title="Lurah"), name="1", html=(b"three",))[0]
        reviews.review(session, finding, 3, Change(note="-1+1", state="checked"), NOW)


def test_json_lines_are_whole(writing: Writing, engine: Engine) -> None:
    fill(writing)
    rows = [json.loads(line) for line in written(engine, "jsonl").splitlines()]
    assert [row["title"] for row in rows] == [HOSTILE, "Lurah"]
    assert rows[1]["review"]["note"] == "-1+1"
    assert rows[1]["published"] == "2024-11-20T00:30:00+08:00"
    wanted = Search(kinds=("pledge",))
    assert len(written(engine, "jsonl", wanted).splitlines()) == 1
    assert len(written(engine, "jsonl", limit=1).splitlines()) == 1


def test_no_cell_of_a_csv_is_a_formula(writing: Writing, engine: Engine) -> None:
    fill(writing)
    raw = written(engine, "csv")
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert [row["title"] for row in rows] == [f"'{HOSTILE}", "Lurah"]
    assert rows[0]["authors"] == "'@SUM(A1);  +62"
    assert rows[1]["note"] == "'-1+1"
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.lstrip()[:1] in ("=", "+", "-", "@")]


def test_every_text_of_a_workbook_is_a_text(writing: Writing, engine: Engine) -> None:
    fill(writing)
    with zipfile.ZipFile(io.BytesIO(written(engine, "xlsx"))) as book:
        sheet = lxml.etree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        assert not [name for name in book.namelist() if "rels" in name and "sheet1" in name]
    rows = list(sheet.iter(f"{CELL}row"))
    texts = [["".join(cell.itertext()) for cell in row] for row in rows]
    assert texts[0][:4] == ["id", "published", "outlet", "title"]
    assert HOSTILE in texts[1]
    assert len(rows) == 3
    assert not list(sheet.iter(f"{CELL}f"))
    assert max(len(text) for row in texts for text in row) < exports.CELL + 100


def test_an_empty_export_is_a_file_all_the_same(engine: Engine) -> None:
    assert written(engine, "jsonl") == b""
    assert written(engine, "csv").startswith(b"\xef\xbb\xbfid,")
    assert zipfile.is_zipfile(io.BytesIO(written(engine, "xlsx")))
    assert len(list(ArchiveIterator(io.BytesIO(written(engine, "warc"))))) == 1


def test_a_warc_file_has_the_pages_and_what_was_found(writing: Writing, engine: Engine) -> None:
    fill(writing)
    pages: dict[str, tuple[str, bytes]] = {}
    proofs: dict[str, str] = {}
    any_type = WarcRecordType.any_type
    raw = io.BytesIO(written(engine, "warc"))
    for record in ArchiveIterator(raw, record_types=any_type, parse_http=True):
        if record.record_type == WarcRecordType.response:
            assert record.http_headers.status_code == 200
            html = record.reader.read()
            digest = record.headers["WARC-Payload-Digest"]
            assert digest == f"sha256:{hashlib.sha256(html).hexdigest()}"
            pages[record.headers["WARC-Record-ID"]] = (digest[7:], html)
        elif record.record_type == WarcRecordType.metadata:
            finding = json.loads(record.reader.read())
            assert "\n" not in record.headers["WARC-Target-URI"]
            proofs[record.headers["WARC-Refers-To"]] = finding["snapshot_sha256"]
    assert sorted(html for _, html in pages.values()) == [
        b"<p>Camat</p>", b"<p>one</p>", b"<p>two</p>", b"three",
    ]  # fmt: skip
    assert {name: pages[name][0] for name in proofs} == proofs
