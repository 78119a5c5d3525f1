"""Exports: findings as CSV, JSON Lines, XLSX and WARC, and reviews as labelled articles.

All are written as they are read. What a spreadsheet would take for a formula is marked as text. A
WARC file has the pages as they were fetched, with the digest that the finding shows, and the
finding beside them as JSON; the servers' own headers are not kept.
"""

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal, get_args
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import xlsxwriter
import zstandard
from fastwarc.stream_io import GzipWriter
from fastwarc.warc import WarcRecord, WarcRecordType
from sqlalchemy import select
from sqlalchemy.orm import Session
from xlsxwriter.worksheet import Worksheet

from storage import findings, models
from storage.findings import Finding
from storage.search import Search

Format = Literal["csv", "jsonl", "xlsx", "warc"]
FORMATS: tuple[Format, ...] = get_args(Format)
TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "warc": "application/warc",
}
ENDINGS: dict[Format, str] = {"csv": ".csv", "jsonl": ".jsonl", "xlsx": ".xlsx", "warc": ".warc.gz"}

BATCH = 200
PIECE = 64 * 1024  # bytes
CELL = 32_767  # characters that a cell of a spreadsheet takes
SHEET = 1_000_000  # rows; a spreadsheet takes a few more

_FORMULA = re.compile(r"\s*[=+\-@|\t\r\n]")
_CHARSET = re.compile(r"[\w.:-]{1,40}", re.ASCII)
_COLUMNS = (
    "id", "published", "outlet", "title", "kind", "score", "borderline", "subjects", "place",
    "province", "places", "url", "authors", "evidence", "text", "found", "fetched", "dateline",
    "section", "tags", "language", "paid", "quiet", "story", "same_as", "revision",
    "snapshot_sha256", "state", "relevant", "assigned_to", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What the team says of an exported finding; see `storage.reviews.Review`."""

    state: str = "new"
    relevant: bool | None = None
    kind: str | None = None
    assigned_to: int | None = None
    note: str | None = None


def pieces(
    session: Session, format_: Format, search: Search, limit: int | None = None
) -> Iterator[bytes]:
    """The findings that `search` asks for, the newest told first, `limit` of them, as a file of
    this format in pieces. Memory does not grow with how many they are; XLSX passes through a file
    on disk. Raises QueryError (`extract.query`)."""
    rows = _reviewed(session, findings.find(session, search, limit))
    match format_:
        case "csv":
            return _csv(rows)
        case "jsonl":
            return _jsonl(rows)
        case "xlsx":
            return _xlsx(rows)
        case "warc":
            return _warc(session, rows)


_Rows = Iterable[tuple[Finding, Reviewed]]


def _reviewed(session: Session, found: Iterator[Finding]) -> Iterator[tuple[Finding, Reviewed]]:
    names = [field.name for field in fields(Reviewed)]
    columns = [getattr(models.Review, name) for name in names]
    while batch := list(islice(found, BATCH)):
        query = select(models.Review.finding_id, *columns)
        ids = [finding.id for finding in batch]
        said = {
            id_: Reviewed(*values)
            for id_, *values in session.execute(query.where(models.Review.finding_id.in_(ids)))
        }
        for finding in batch:
            yield finding, said.get(finding.id, Reviewed())


def document(finding: Finding, review: Reviewed) -> dict[str, Any]:
    """The finding as `pantau findings --json` shows it, with its review."""
    return {**asdict(finding), "review": asdict(review)}


def _json(value: Any) -> str:
    return json.dumps(value, default=datetime.isoformat, ensure_ascii=False)


def _jsonl(rows: _Rows) -> Iterator[bytes]:
    for row in rows:
        yield f"{_json(document(*row))}\n".encode()


# --- Tables ---------------------------------------------------------------------------------------


def _cells(finding: Finding, review: Reviewed) -> list[Any]:
    """The row of a finding, in the order of _COLUMNS."""
    first = finding.places[0] if finding.places else None
    lists = {
        "subjects": "; ".join(finding.subjects),
        "place": first.name if first else None,
        "province": first.province if first else None,
        "places": "; ".join(f"{place.name} ({place.code})" for place in finding.places),
        "authors": "; ".join(finding.authors),
        "tags": "; ".join(finding.tags),
        "evidence": "\n".join(sentence.text for sentence in finding.evidence),
    }
    of_review = {name: value for name, value in asdict(review).items() if name != "kind"}
    given = lists | of_review
    return [given[name] if name in given else getattr(finding, name) for name in _COLUMNS]


def _csv(rows: _Rows) -> Iterator[bytes]:
    """With a byte order mark, by which Excel knows UTF-8."""
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(_COLUMNS)
    yield b"\xef\xbb\xbf" + line.getvalue().encode()
    for row in rows:
        line.seek(0)
        line.truncate()
        writer.writerow([_harmless(cell) for cell in _cells(*row)])
        yield line.getvalue().encode()


def _harmless(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(cell, datetime):
        return cell.isoformat()
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _xlsx(rows: _Rows) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory(prefix="pantau-") as folder:
        path = f"{folder}/findings.xlsx"
        settings = {
            "constant_memory": True,
            "tmpdir": folder,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        with xlsxwriter.Workbook(path, settings) as book:
            heading = book.add_format({"bold": True})
            moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
            for number, row in enumerate(rows):
                if number % SHEET == 0:
                    sheet = _sheet(book, heading)
                for column, cell in enumerate(_cells(*row)):
                    _write(sheet, number % SHEET + 1, column, cell, moment)
            if not book.worksheets():
                _sheet(book, heading)
        with open(path, "rb") as file:  # noqa: PTH123
            while piece := file.read(PIECE):
                yield piece


def _sheet(book: Any, heading: Any) -> Worksheet:
    sheet: Worksheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    sheet.set_column(_COLUMNS.index("title"), _COLUMNS.index("title"), 60)
    for column, name in enumerate(_COLUMNS):
        sheet.write_string(0, column, name, heading)
    return sheet


def _write(sheet: Worksheet, row: int, column: int, cell: Any, moment: Any) -> None:
    """Texts stay texts, whatever they look like; times are those of the outlet, or UTC."""
    match cell:
        case bool():
            sheet.write_boolean(row, column, cell)
        case int() | float():
            sheet.write_number(row, column, cell)
        case datetime() if cell.year > 1900:
            sheet.write_datetime(row, column, cell.replace(tzinfo=None), moment)
        case datetime():
            sheet.write_string(row, column, cell.isoformat())
        case str() if cell:
            sheet.write_string(row, column, cell[:CELL])


# --- WARC -----------------------------------------------------------------------------------------


def _warc(session: Session, rows: _Rows) -> Iterator[bytes]:
    info = "software: Pantau\r\nformat: WARC File Format 1.1\r\n"
    about = "description: findings; the servers' headers are not kept\r\n"
    yield _record(
        WarcRecordType.warcinfo,
        datetime.now(UTC),
        {"Content-Type": "application/warc-fields"},
        f"{info}{about}".encode(),
        f"info {datetime.now(UTC).isoformat()}",
    )
    for finding, review in rows:
        proof = ""
        for snapshot, number in session.execute(_snapshots(finding.id)):
            name = f"snapshot {snapshot.id} {snapshot.sha256}"
            if not proof or snapshot.sha256 == finding.snapshot_sha256:
                proof = name
            yield _record(
                WarcRecordType.response,
                snapshot.fetched,
                {
                    "Content-Type": "application/http; msgtype=response",
                    "WARC-Target-URI": _address(snapshot.url),
                    "WARC-Payload-Digest": f"sha256:{snapshot.sha256}",
                    "WARC-Identified-Payload-Type": "text/html",
                    "X-Pantau-Finding": f"{finding.id}, revision {number}, page {snapshot.page}",
                },
                _answer(snapshot),
                name,
            )
        yield _record(
            WarcRecordType.metadata,
            finding.fetched,
            {
                "Content-Type": "application/json",
                "WARC-Target-URI": _address(finding.url),
                "WARC-Refers-To": _identity(proof),
            },
            _json(document(finding, review)).encode(),
            f"finding {finding.id} {finding.revision} {finding.snapshot_sha256}",
        )


def _snapshots(finding_id: int) -> Any:
    """The pages of every wording of a finding, with its number, one at a time."""
    return (
        select(models.Snapshot, models.Revision.number)
        .join(models.Revision, models.Revision.id == models.Snapshot.revision_id)
        .where(models.Revision.finding_id == finding_id)
        .order_by(models.Revision.number, models.Snapshot.page)
        .execution_options(yield_per=1)
    )


def _answer(snapshot: models.Snapshot) -> bytes:
    """The page as a server would have sent it."""
    html = zstandard.decompress(snapshot.html)
    charset = snapshot.charset or ""
    of_charset = f"; charset={charset}" if _CHARSET.fullmatch(charset) else ""
    header = (
        "HTTP/1.1 200 OK\r\n"
        f"Content-Type: text/html{of_charset}\r\n"
        f"Content-Length: {len(html)}\r\n\r\n"
    )
    return header.encode("ascii") + html


def _record(
    type_: WarcRecordType, date: datetime, headers: dict[str, str], content: bytes, name: str
) -> bytes:
    record = WarcRecord()
    record.init_headers(record_type=type_)
    record.headers["WARC-Record-ID"] = _identity(name)
    record.headers["WARC-Date"] = f"{date.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for header, value in headers.items():
        record.headers[header] = value
    record.set_bytes_content(content)
    written = io.BytesIO()
    stream = GzipWriter(written)  # each record can be read by itself
    record.write(stream)
    stream.close()
    return written.getvalue()


def _identity(name: str) -> str:
    return f"<{uuid5(NAMESPACE_URL, f'pantau:{name}').urn}>"


def _address(url: str) -> str:
    """The address as one line of a header takes it."""
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]")


# --- Labelled articles ----------------------------------------------------------------------------


def labels(session: Session) -> Iterator[dict[str, Any]]:
    """What reviewers said of findings, as articles for `benchmarks.judgement`: `label` ("relevant"
    or "not_relevant") where they said which; `kind` where they corrected it, or checked the finding
    as it is. Places and subjects are not reviewed: `places` and `subjects` are as judged."""
    query = (
        select(models.Finding.id, models.Review.relevant, models.Review.kind, models.Review.state)
        .join(models.Review, models.Review.finding_id == models.Finding.id)
        .where(models.Review.relevant.is_not(None) | models.Review.kind.is_not(None))
        .order_by(models.Finding.id)
    )
    for id_, relevant, kind, state in session.execute(query.execution_options(yield_per=BATCH)):
        finding = findings.get(session, id_)
        if finding is None:
            continue
        looked_at = kind is not None or state != "new"
        yield {
            "url": finding.url,
            "title": finding.title,
            "text": finding.text,
            "label": "not_relevant" if relevant is False else "relevant",
            "kind": finding.kind if looked_at and relevant is not False else None,
            "subjects": finding.subjects,
            "places": [asdict(place) for place in finding.places],
        }
