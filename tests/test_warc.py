"""WARC files: what an archive kept becomes findings, once, whatever is broken or cut short."""

import gzip
import io
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import brotli
import pytest
from fastwarc.stream_io import GzipWriter, ZstdWriter
from fastwarc.warc import WarcRecord, WarcRecordType

from benchmarks.pages import Pages
from crawler.outlets.catalogue import load
from crawler.past.warc import Tally, Wanted, records
from crawler.web import remote
from tests.conftest import Pantau, row
from tests.site import Answer, Site, rss
from tests.test_crawl import FILLER, RELEVANT, processes_of, wait_for

CAPTURED = datetime(2024, 5, 10, 8, tzinfo=UTC)
WINDOW = ("--from", "2024-05-01", "--to", "2024-05-31")
OUTLETS = row("kabar", "https://kabar.example", '[{feed = "/feed"}]', zone="WITA") + row(
    "warta", "http://warta.example", '[{feed = "/feed"}]', twins=["wartakita.example"]
)


def record(
    url: str,
    html: str | bytes,
    captured: datetime = CAPTURED,
    status: str = "200 OK",
    kind: str = "text/html; charset=UTF-8",
    **headers: str,
) -> WarcRecord:
    """A response of `url`; `headers` as Content_Encoding="gzip"."""
    made = WarcRecord()
    made.init_headers(record_type=WarcRecordType.response)
    made.headers["WARC-Target-URI"] = url
    made.headers["WARC-Date"] = f"{captured:%Y-%m-%dT%H:%M:%SZ}"
    made.is_http = True
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    body = html.encode() if isinstance(html, str) else html
    made.set_bytes_content("\r\n".join([*lines, "", ""]).encode() + body)
    return made


def warcinfo() -> WarcRecord:
    made = WarcRecord()
    made.init_headers(record_type=WarcRecordType.warcinfo)
    made.set_bytes_content(b"software: a test\r\n")
    return made


def packed(found: Iterable[WarcRecord], writer: type | None = GzipWriter) -> list[bytes]:
    """Each record as it stands in a file: a part of its own."""
    parts = []
    for one in found:
        out = io.BytesIO()
        stream = writer(out) if writer else out
        one.write(stream)
        if writer:
            stream.close()
        parts.append(out.getvalue())
    return parts


def write(path: Path, parts: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def read(path: Path, tmp_path: Path) -> tuple[list[str], Tally]:
    """The canonical URLs of the outlets' pages in a file, and the count of the rest."""
    catalogue = tmp_path / "outlets.toml"
    catalogue.write_text(OUTLETS, "utf-8")
    tally = Tally()
    with path.open("rb") as stream:
        found = [a.link.url for a in records(stream, Wanted(load(catalogue)), tally)]
    return found, tally


def test_findings_of_a_file_of_300_pages_are_right(pantau: Pantau, tmp_path: Path) -> None:
    pages = Pages()
    labels = pages.labels(300)
    address = "https://www.kabar.example/2024/05/{}/berita-daerah/".format
    bodies = {address(n): pages.page(label, n) for n, label in enumerate(labels)}
    relevant = [url for url, label in zip(bodies, labels, strict=True) if label == "relevant"]
    assert len(relevant) == 15
    parts = [warcinfo(), *(record(url, html) for url, html in bodies.items())]
    html = bodies[relevant[0]]

    def of(number: int, packed: bytes | str, **headers: str) -> WarcRecord:
        return record(address(number), packed, **headers)

    chunked = b"".join(
        b"%x\r\n%s\r\n" % (len(p), p) for p in (html.encode()[:500], html.encode()[500:], b"")
    )
    encoded = [
        of(401, gzip.compress(html.encode()), Content_Encoding="gzip"),
        of(402, brotli.compress(html.encode()), Content_Encoding="br"),
        of(403, chunked, Transfer_Encoding="chunked"),
        of(404, html, Content_Encoding="gzip"),  # as some archives have it: decoded, and so named
    ]  # fmt: skip
    left_out = [
        record("https://elsewhere.example/2024/05/berita/", html),
        record("https://kabar.example/", html),
        record(address(501), html, captured=CAPTURED - timedelta(days=30)),
        record(address(502), html, captured=CAPTURED + timedelta(days=30)),
        record(address(503), html, status="404 Not Found"),
        record(address(504), html, kind="application/pdf"),
        record(address(505), gzip.compress(bytes(11 * 1024**2)), Content_Encoding="gzip"),
        record(address(506), bytes(11 * 1024**2)),
    ]
    no_articles = [
        record("https://kabar.example/tag/netralitas-asn/", html),
        record("https://kabar.example/2024/05/9/camat-di-buleleng-diperiksa/2/", html),
        record(relevant[0] + "?page=2", html),
    ]
    twins = [
        record(relevant[0].replace("https://www.", "http://amp."), html),
        record(relevant[0] + "?utm_source=x", html),
    ]
    whole = packed([*parts, *encoded, *left_out, *no_articles, *twins])
    whole[100] = whole[100][:400] + b"?" * 100 + whole[100][500:]  # damaged
    whole.append(packed([record(address(507), html)])[0][:-2000])  # cut off
    relevant = [url for url in relevant if url != address(99)]
    path = write(tmp_path / "news.warc.gz", whole)

    pantau.catalogue(OUTLETS)
    ran = pantau("warc", str(path), *WINDOW, "--json")
    assert ran.code == 1
    assert ran.err == "pantau: 4 broken records were left out.\n"
    (file,) = ran.json()["files"]
    assert {name: file[name] for name in ("broken", "outside", "other")} == {
        "broken": 4,
        "outside": 2,
        "other": 2 + 1 + len(no_articles),  # the front page
    }
    (counts,) = ran.json()["outlets"]
    assert (counts["outlet"], counts["pages"], counts["known"]) == ("kabar", 305, 2)
    assert counts["found"] == len(relevant) + len(encoded)
    assert counts["gated"] > 250
    assert counts["failed"] == 0

    found = pantau("findings", "--json").lines()
    expected = {*relevant, *(address(n) for n in (401, 402, 403, 404))}
    assert Counter(row["url"] for row in found) == Counter(expected)
    assert {row["fetched"] for row in found} == {CAPTURED.isoformat()}
    assert all(row["quiet"] for row in found)
    assert sorted(ran.json()["found"]) == sorted(row["id"] for row in found)

    again = pantau("warc", str(path), *WINDOW, "--json")
    (counts,) = again.json()["outlets"]
    assert counts["known"] == counts["pages"] == 305
    assert again.json()["found"] == []


@pytest.mark.parametrize("writer", [None, GzipWriter, ZstdWriter])
def test_one_damaged_record_costs_no_other(tmp_path: Path, writer: type | None) -> None:
    pages = [f"http://warta.example/{n}/camat-diperiksa" for n in range(5)]
    html = FILLER.format(title="Harga") + "".join(f"<p>{n * n}</p>" for n in range(300))
    whole = packed([warcinfo(), *(record(url, html) for url in pages)], writer)
    asked = [url.replace("http:", "https:") for url in pages]
    assert read(write(tmp_path / "warc", whole), tmp_path) == (asked, Tally(records=6))

    for n in range(1, 6):  # its beginning, its middle, its end
        for at in (2, len(whole[n]) // 2, len(whole[n]) - 12):
            parts = [*whole]
            parts[n] = parts[n][:at] + b"\0" * 10 + parts[n][at + 10 :]
            found, tally = read(write(tmp_path / "warc", parts), tmp_path)
            others = [url for i, url in enumerate(asked) if i + 1 != n]
            assert [url for url in found if url in others] == others, (n, at)
            assert tally.broken or asked[n - 1] in found  # plain text may have any bytes in it

    cut = b"".join(whole)[:-100]
    found, tally = read(write(tmp_path / "warc", [cut]), tmp_path)
    assert found == asked[:-1]
    assert tally.broken == 1


def test_a_file_of_beginnings_without_records_ends(tmp_path: Path) -> None:
    began = time.monotonic()
    hostile = [
        b"\x1f\x8b\x08\0" * 500_000,
        b"WARC/1.0\r\n" * 500_000,
        b"WARC/1.0\r\nX: " + b"x" * 10**7,
    ]
    for content in hostile:  # fmt: skip
        found, tally = read(write(tmp_path / "warc", [content]), tmp_path)
        assert not found
        assert tally.broken == 1
    assert time.monotonic() - began < 20


def test_what_cannot_be_used_is_said_in_one_sentence(
    pantau: Pantau, site: Site, tmp_path: Path
) -> None:
    pantau.catalogue(OUTLETS)
    page = write(tmp_path / "page.html", [b"<html>"])
    good = write(tmp_path / "good.warc", packed([warcinfo()], None))
    for arguments, said in (
        ([str(page)], f"{page}: it is not a WARC file."),
        ([str(tmp_path / "none.warc")], f"There is no file “{tmp_path / 'none.warc'}”."),
        ([f"{site.url}/none.warc"], f"{site.url}/none.warc: HTTP 404."),
        (
            [str(good), "--from", "2024-05-02", "--to", "2024-05-01"],
            "--to 2024-05-01 lies before --from 2024-05-02.",
        ),
    ):
        ran = pantau("warc", *arguments)
        assert (ran.code, ran.err) == (2, f"pantau: {said}\n")
    ran = pantau("warc", str(good), str(page))  # the others are read all the same
    assert (ran.code, ran.err) == (1, f"pantau: {page}: it is not a WARC file.\n")
    pantau.set(allow_private_addresses="false")
    ran = pantau("warc", f"{site.url}/good.warc")
    assert (ran.code, ran.err) == (
        2,
        f"pantau: {site.url}/good.warc: 127.0.0.1 is at a private address.\n",
    )


def test_a_broken_connection_is_taken_up_again(pantau: Pantau, site: Site) -> None:
    urls = [f"http://warta.example/{n}/camat-diperiksa" for n in range(40)]
    html = RELEVANT.format(title="Camat Diperiksa")
    whole = b"".join(packed(record(url, html + f"<!-- {n} -->") for n, url in enumerate(urls)))
    asked: list[str | None] = []

    def file(handler: BaseHTTPRequestHandler) -> Answer | None:
        asked.append(handler.headers["Range"])
        start = int((asked[-1] or "bytes=0-")[6:-1])
        handler.send_response(206 if asked[-1] else 200)
        handler.send_header("Content-Length", str(len(whole) - start))
        handler.send_header("ETag", '"one"')
        handler.end_headers()
        handler.wfile.write(whole[start : start + 4000])  # and no more
        handler.close_connection = True
        return None

    site.pages["/news.warc.gz"] = file
    pantau.catalogue(OUTLETS)
    ran = pantau("warc", f"{site.url}/news.warc.gz", "--json")
    assert ran.code == 0, ran.err
    assert len(ran.json()["found"]) == 40
    assert len(asked) == -(-len(whole) // 4000) > 2


def test_a_file_that_only_drips_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def file(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "80")
        handler.end_headers()
        with suppress(OSError):
            for _ in range(80):
                handler.wfile.write(b"x")
                time.sleep(0.1)

    site.pages["/news.warc.gz"] = file
    monkeypatch.setattr(remote, "is_public", lambda address: True)
    monkeypatch.setattr(remote, "GRACE_SECONDS", 0.5)
    began = time.monotonic()
    with (
        remote.Remote(f"{site.url}/news.warc.gz") as stream,
        pytest.raises(remote.RemoteError, match="too slowly"),
    ):
        stream.readall()
    assert time.monotonic() - began < 4


def test_what_was_read_from_a_file_is_not_fetched_again(
    pantau: Pantau, site: Site, tmp_path: Path
) -> None:
    html = RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu")
    site.pages = {"/feed": rss(site, ["/berita/1/camat", "/berita/2/cabai", "/berita/3/camat"])}
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]', zone="WITA")
    first = pantau.crawl("kabar")["kabar"]  # the site has lost its articles
    assert (first["new"], first["findings"]) == (3, 0)
    path = write(
        tmp_path / "news.warc.gz",
        packed(
            [
                record(f"{site.url}/berita/1/camat?amp", html),
                record(f"{site.url}/berita/2/cabai", FILLER.format(title="Harga Cabai")),
                record(f"{site.url}/berita/4/camat", html.replace("camat", "lurah")),
            ]
        ),
    )
    ran = pantau("warc", str(path), "--json")
    assert (ran.code, len(ran.json()["found"])) == (0, 2)
    site.pages["/feed"] = rss(site, [f"/berita/{n}/camat" for n in (1, 3, 4)])
    again = pantau.crawl("kabar")["kabar"]
    assert (again["new"], again["fetched"]) == (0, 0)


def test_every_finding_once_after_kills(pantau: Pantau, tmp_path: Path) -> None:
    relevant = {f"https://kabar.example/{n}/camat-diperiksa" for n in range(0, 1200, 30)}
    made = []
    for n in range(1200):
        url = f"https://kabar.example/{n}/camat-diperiksa"
        template = RELEVANT if url in relevant else FILLER
        made.append(record(url, template.format(title=f"Kabar ke-{n} dari Buleleng")))
    path = write(tmp_path / "news.warc.gz", packed(made))
    pantau.catalogue(OUTLETS)

    stored = [0]
    for _ in range(2):
        reading = pantau.start("warc", str(path), "--json")
        wait_for(
            lambda reading=reading: (
                findings_in(pantau.home) > stored[-1] or reading.poll() is not None
            )
        )
        os.kill(reading.pid, signal.SIGKILL)
        reading.communicate()
        wait_for(lambda: not processes_of(pantau.home))
        stored.append(findings_in(pantau.home))
    assert 0 < stored[1] < stored[2] < len(relevant), stored

    last = pantau("warc", str(path), "--json")
    assert last.code == 0, last.err
    (counts,) = last.json()["outlets"]
    assert counts["known"] >= 200
    assert counts["found"] + stored[-1] == len(relevant)
    found = Counter(row["url"] for row in pantau("findings", "--json").lines())
    assert found == Counter(relevant)


def findings_in(home: Path) -> int:
    """How many findings are stored."""
    try:
        with closing(sqlite3.connect(f"file:{home / 'pantau.db'}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM findings").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0
