"""One answer of a server as a WARC file keeps it, as a page to read."""

import io

from fastwarc.stream_io import BrotliReader, ChunkedReader, GzipReader, WarcReader, ZstdReader
from fastwarc.warc import WarcRecord
from w3lib.encoding import http_content_type_encoding

import settings
from extract.article import Page

_HTML = ("", "text/html", "application/xhtml+xml")


class TornError(Exception):
    """A record that is cut off, too large or not encoded as it says."""


def page_in(record: WarcRecord) -> Page | None:
    """The page in a response's record; None where it is none: an error, a picture. Raises
    TornError, and OSError where the record is damaged."""
    record.parse_http()
    headers, captured = record.http_headers, record.record_date
    if headers is None or captured is None:
        raise TornError
    if headers.status_code != 200 or (record.http_content_type or "").lower() not in _HTML:
        return None
    length = record.content_length
    raw = record.reader.read(settings.DOWNLOAD_MAXSIZE + 1)
    encodings = f"{headers.get('Content-Encoding', '')},{headers.get('Transfer-Encoding', '')}"
    html = _decoded(raw, encodings) if len(raw) == length <= settings.DOWNLOAD_MAXSIZE else None
    if html is None:
        raise TornError
    url = (record.headers.get("WARC-Target-URI") or "").strip("<>")
    charset = http_content_type_encoding(headers.get("Content-Type", "") or "")
    return Page(url, html, captured, charset)


def _decoded(body: bytes, encodings: str) -> bytes | None:
    """`body` without its encodings, the last one first; None where that cannot be done within the
    limit of size. Many archives keep the body decoded and the header as it was."""
    for encoding in reversed(encodings.lower().replace(" ", "").split(",")):
        inner = io.BytesIO(body)
        reader: WarcReader
        match encoding:
            case "gzip" | "x-gzip" if body.startswith(b"\x1f\x8b"):
                reader = GzipReader(inner)
            case "deflate":
                reader = GzipReader(inner, zlib=True)
            case "br":
                reader = BrotliReader(inner)
            case "zstd" if body.startswith(b"\x28\xb5\x2f\xfd"):
                reader = ZstdReader(inner)
            case "chunked":
                reader = ChunkedReader(inner)
            case _:
                continue
        try:
            decoded = reader.read(settings.DOWNLOAD_MAXSIZE + 1)
        except OSError:
            if body.lstrip().startswith(b"<"):
                continue  # it is decoded already
            return None
        if len(decoded) > settings.DOWNLOAD_MAXSIZE:
            return None
        body = decoded
    return body
