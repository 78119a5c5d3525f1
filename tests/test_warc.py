"""WARC files: what an archive kept becomes findings, once, whatever is broken or cut short."""

import gzip
import io
import json
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import brotli
import pytest
from fastwarc.stream_io import GzipWriter, ZstdWriter
from fastwarc.warc import WarcRecord, WarcRecordType

import addresses
from benchmarks.pages import Pages
from benchmarks.warc import of_the_day
from crawler.outlets.catalogue import load
from crawler.past.warc import Tally, Wanted, records
from crawler.web import remote
from tests.conftest import Pantau, Ran, row
from tests.site import Answer, Site, rss
from tests.test_crawl import FILLER, processes_of, wait_for
from tests.test_crawl import RELEVANT as NEWS

CAPTURED = datetime(2024, 5, 10, 8, tzinfo=UTC)
MAY = date(2024, 5, 1), date(2024, 5, 31)
WINDOW = ("--from", "2024-05-01", "--to", "2024-05-31")
RELEVANT = NEWS.replace("2026-11-20", "2024-05-10")
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
        found = [a.link.url for a in records(stream, Wanted(load(catalogue), *MAY), tally) if a]
    return found, tally


def warc(pantau: Pantau, *arguments: str | Path) -> Ran:
    """Begin a backfill through a file, of May unless more is said."""
    file, *rest = map(str, arguments)
    return pantau("backfill", "--json", "--warc", file, *(rest or WINDOW))


def kabar(ran: Ran) -> dict[str, Any]:
    """The report of the outlet "kabar"."""
    return kabar_of(ran.json())


def kabar_of(told: dict[str, Any]) -> dict[str, Any]:
    return next(report for report in told["outlets"] if report["outlet"] == "kabar")


def test_findings_of_a_file_of_300_pages_are_right(pantau: Pantau, tmp_path: Path) -> None:
    pages = Pages()
    labels = pages.labels(300)
    address = "https://www.kabar.example/2024/05/{}/berita-daerah/".format
    undated = "https://www.kabar.example/berita/{}/berita-daerah".format
    bodies = {address(n): of_the_day(pages.page(label, n)) for n, label in enumerate(labels)}
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
        record(address(502).replace("/05/", "/06/"), html, captured=CAPTURED + timedelta(days=30)),
        record(undated(510), FILLER, captured=CAPTURED + timedelta(days=30)),
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
    june, may = html.replace("2024-05-10", "2024-06-10"), CAPTURED + timedelta(days=30)
    dated = [record(undated(511), june, captured=may), record(undated(512), html, captured=may)]
    whole = packed([*parts, *encoded, *left_out, *no_articles, *twins, *dated])
    whole[100] = whole[100][:400] + b"?" * 100 + whole[100][500:]  # damaged
    whole.append(packed([record(address(507), html)])[0][:-2000])  # cut off
    relevant = [url for url in relevant if url != address(99)]
    path = write(tmp_path / "news.warc.gz", whole)

    pantau.catalogue(OUTLETS)
    ran = warc(pantau, path)
    assert ran.code == 1
    assert ran.err == "pantau: 4 broken records were left out.\n"
    (file,) = ran.json()["files"]
    assert (file["file"], file["state"], file["problem"]) == (str(path), "done", None)
    assert {name: file[name] for name in ("broken", "outside", "other")} == {
        "broken": 4,
        "outside": 3,
        "other": 2 + 1 + len(no_articles),  # the front page
    }
    counts = kabar(ran)
    assert (counts["listed"], counts["new"]) == (307, 305)
    assert counts["found"] == len(relevant) + len(encoded) + 1
    assert counts["errors"] == 0

    found = pantau("findings", "--json").lines()
    expected = {*relevant, *(address(n) for n in (401, 402, 403, 404)), undated(512)}
    assert Counter(row["url"] for row in found) == Counter(expected)
    assert {row["fetched"] for row in found} == {CAPTURED.isoformat(), may.isoformat()}
    assert all(row["quiet"] for row in found)
    told = {o["outlet"]: o for o in pantau("backfills", "1", "--json").json()["by_outlet"]}
    (month,) = told["kabar"]["months"]
    assert (month["month"], month["listed"], month["mark"]) == ("2024-05", 304, None)
    assert month["fetched"] == 304
    assert month["found"] == len(found)
    assert "4 " in pantau("backfills", "1").out

    again = kabar(warc(pantau, path))
    assert (again["listed"], again["new"], again["found"]) == (307, 1, 0), "of another window"
    june_too = warc(pantau, path, "--from", "2024-05-01", "--to", "2024-06-30")
    assert kabar(june_too)["found"] == 2


@pytest.mark.parametrize("writer", [None, GzipWriter, ZstdWriter])
def test_one_damaged_record_costs_no_other(tmp_path: Path, writer: type | None) -> None:
    pages = [f"http://warta.example/{n}/camat-diperiksa" for n in range(5)]
    html = FILLER.format(title="Harga") + "".join(f"<p>{n * n}</p>" for n in range(300))
    whole = packed([warcinfo(), *(record(url, html) for url in pages)], writer)
    asked = [url.replace("http:", "https:") for url in pages]
    found, tally = read(write(tmp_path / "warc", whole), tmp_path)
    assert (found, tally.records, tally.broken) == (asked, 6, 0)

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
    missing, absent = tmp_path / "none.warc", f"{site.url}/none.warc"
    for arguments, said in (
        ([missing, *WINDOW], f"There is no file “{missing}”."),
        ([good], "Say which days: --from 2023-07-01 --to 2024-11-30, or --resume ID."),
        ([good, *WINDOW, "--archives"], "--warc asks no site, so it goes without --archives."),
        (
            [good, *WINDOW, "--delay", "2"],
            "--max-pages and --delay are for sites; WARC files are read as they are.",
        ),
    ):
        ran = pantau("backfill", "--warc", *map(str, arguments))
        assert (ran.code, ran.err, ran.out) == (2, f"pantau: {said}\n", "")
    ran = warc(pantau, page, "--warc", str(good), *WINDOW)  # the others are read all the same
    assert (ran.code, ran.err) == (1, f"pantau: {page}: it is not a WARC file.\n")
    assert ran.json()["state"] == "done", "it will not become one"
    ran = warc(pantau, absent)
    assert (ran.code, ran.json()["state"]) == (1, "done")
    assert ran.err.startswith(f"pantau: {absent}: HTTP 404. Stopped; `pantau backfill --resume 2`")
    assert f"{absent}: HTTP 404" in pantau("backfills", "2").out
    site.pages["/none.warc"] = Answer(good.read_bytes())
    assert pantau("backfill", "--resume", "2").code == 0
    assert "HTTP" not in pantau("backfills", "2").out
    pantau.set(allow_private_addresses="false")
    ran = warc(pantau, f"{site.url}/good.warc")
    assert ran.err.startswith(f"pantau: {site.url}/good.warc: 127.0.0.1 is at a private address.")


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
    ran = warc(pantau, f"{site.url}/news.warc.gz")
    assert ran.code == 0, ran.err
    assert sum(report["found"] for report in ran.json()["outlets"]) == 40
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
    monkeypatch.setattr(addresses, "is_public", lambda address: True)
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
    ran = warc(pantau, path)
    assert (ran.code, kabar(ran)["found"]) == (0, 2)
    site.pages["/feed"] = rss(site, [f"/berita/{n}/camat" for n in (1, 3, 4)])
    again = pantau.crawl("kabar")["kabar"]
    assert (again["new"], again["fetched"]) == (0, 0)


def test_what_is_still_to_be_fetched_is_taken_only_where_a_file_knows_better(
    pantau: Pantau, site: Site, tmp_path: Path
) -> None:
    """Of the daily crawl's links a file has one from before its window, one that was empty, and one
    that is an article."""
    html = RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu")
    early, empty, whole = (f"/berita/{n}/camat" for n in range(3))
    site.pages |= dict.fromkeys((early, empty, whole), Answer("later", 500))
    site.pages["/feed"] = rss(site, [early, empty, whole])
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]', zone="WITA")
    pantau.crawl("kabar")
    path = write(
        tmp_path / "news.warc.gz",
        packed(
            [
                record(site.url + early, html.replace("2024-05-10", "2024-04-10")),
                record(site.url + empty, "<html><body><p>Netralitas ASN, camat</p></body></html>"),
                record(site.url + whole, html),
            ]
        ),
    )
    assert kabar(warc(pantau, path))["found"] == 1
    site.pages |= dict.fromkeys((early, empty, whole), html)
    report = pantau.crawl("kabar")["kabar"]
    assert (report["fetched"], report["findings"]) == (2, 2)
    assert pantau("coverage", "--json").json()["overall"]["too_old"] == 0


def test_a_file_does_not_put_back_what_its_site_has_changed(
    pantau: Pantau, site: Site, tmp_path: Path
) -> None:
    """The finding's newer wording is still to be fetched."""
    news = "/berita/1/camat"
    html = RELEVANT.format(title="Camat Diperiksa")
    now = datetime.now(UTC)

    def feed(modified: datetime) -> str:
        entry = (f'<entry><link href="{site.url}{news}"/><published>{now.isoformat()}</published>'
                 f"<updated>{modified.isoformat()}</updated></entry>")  # fmt: skip
        return f'<feed xmlns="http://www.w3.org/2005/Atom">{entry}</feed>'

    site.pages |= {news: html, "/feed": feed(now)}
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]', zone="WITA")
    assert pantau.crawl("kabar")["kabar"]["findings"] == 1
    site.pages |= {news: Answer("later", 500), "/feed": feed(now + timedelta(hours=1))}
    pantau.crawl("kabar")
    path = write(
        tmp_path / "news.warc.gz", packed([record(site.url + news, html.replace(">C", ">Eks C"))])
    )
    warc(pantau, path)
    site.pages[news] = html.replace("Camat Diperiksa", "Camat Diberi Sanksi")
    assert pantau.crawl("kabar")["kabar"]["fetched"] == 1
    (found,) = pantau("findings", "--json").lines()
    assert found["title"] == "Camat Diberi Sanksi"


def many(count: int) -> tuple[bytes, list[str]]:
    """A WARC file of so many pages of kabar, and the addresses of those that are relevant."""
    relevant, made = [], []
    for n in range(count):
        url = f"https://kabar.example/{n}/camat-diperiksa"
        relevant += [url] * (n % 100 == 0)
        template = FILLER if n % 100 else RELEVANT
        html = template.format(title=f"Kabar ke-{n} dari Buleleng")
        made.append(record(url, f"{html}<!-- {os.urandom(1000).hex()} -->"))
    return b"".join(packed(made)), relevant


def test_nothing_is_lost_or_doubled_by_kills_and_next_to_nothing_read_again(
    pantau: Pantau, tmp_path: Path
) -> None:
    pantau.outlet("kabar", "https://kabar.example", '[{feed = "/feed"}]')
    whole, relevant = many(10_000)
    path = write(tmp_path / "news.warc.gz", [whole])
    arguments: tuple[str, ...] = ("--warc", str(path), *WINDOW)
    for part in (1 / 3, 2 / 3):
        reading = pantau.start("backfill", *arguments)
        wait_for(lambda part=part: position_in(pantau.home) > part * len(whole))
        os.kill(reading.pid, signal.SIGSTOP)
        lost = (place_in(reading.pid, path) - position_in(pantau.home)) / len(whole)
        os.kill(reading.pid, signal.SIGKILL)
        reading.communicate()
        wait_for(lambda: not processes_of(pantau.home))
        print(f"{lost:.2%} of the file is read again after a kill")
        assert 0 < lost < 0.01
        arguments = ("--resume", "1")
    ran = pantau("backfill", *arguments, "--json")
    assert (ran.code, ran.json()["state"]) == (0, "done"), ran.err
    assert 0 < kabar(ran)["listed"] < 4000
    check_all(pantau, 10_000, relevant)


def place_in(pid: int, path: Path) -> int:
    """How far a process has read a file; Linux tells it."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if entry.readlink() == path:
            said = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
            return int(said.split()[1])
    raise AssertionError("it does not read the file")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_it_is_told_and_goes_on(
    pantau: Pantau, site: Site, how: signal.Signals
) -> None:
    pantau.outlet("kabar", "https://kabar.example", '[{feed = "/feed"}]')
    whole, relevant = many(2000)
    seconds = [10.0]  # it takes to come over a slow network

    def file(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers["Range"]
        start = int((asked or "bytes=0-")[6:-1])
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Length", str(len(whole) - start))
        handler.end_headers()
        with suppress(OSError):
            for at in range(start, len(whole), 10_000):
                handler.wfile.write(whole[at : at + 10_000])
                time.sleep(10_000 / len(whole) * seconds[0])

    site.pages["/news.warc.gz"] = file
    pantau.set(lease_seconds=20)
    arguments = "--warc", f"{site.url}/news.warc.gz", *WINDOW
    reading = pantau.start("backfill", *arguments, "--json")
    wait_for(lambda: findings_in(pantau.home) > 2)
    (listed,) = pantau("backfills", "--json").lines()
    assert (listed["state"], listed["files"], listed["files_done"]) == ("running", 1, 0)
    reading.send_signal(how)
    out, err = reading.communicate(timeout=60)
    assert reading.returncode == 1
    assert err == "pantau: Stopped; `pantau backfill --resume 1` goes on with it.\n"
    first = json.loads(out)
    assert (first["state"], first["files"][0]["state"]) == ("stopped", "stopped")
    seconds[0] = 0.0
    ran = pantau("backfill", "--resume", "1", "--json")
    assert (ran.code, ran.json()["state"]) == (0, "done"), ran.err
    listed_in_runs = kabar_of(first)["listed"], kabar(ran)["listed"]
    assert sum(listed_in_runs) == 2000, "none is read twice"
    assert min(listed_in_runs) > 0
    check_all(pantau, 2000, relevant)


def check_all(pantau: Pantau, pages: int, relevant: list[str]) -> None:
    """That each of the pages was taken in once."""
    about = pantau("backfills", "1", "--json").json()
    (file,) = about["by_file"]
    assert (file["records"], file["broken"], file["done"]) == (pages, 0, True)
    assert (about["listed"], about["fetched"], about["pending"]) == (pages, pages, 0)
    assert about["found"] == len(relevant)
    found = Counter(row["url"] for row in pantau("findings", "--limit", "1000", "--json").lines())
    assert found == Counter(relevant)


def findings_in(home: Path) -> int:
    """How many findings are stored."""
    return number_in(home, "SELECT count(*) FROM findings")


def position_in(home: Path) -> int:
    """How far the file has been stored."""
    return number_in(home, "SELECT max(position) FROM archive_files")


def number_in(home: Path, query: str) -> int:
    try:
        with closing(sqlite3.connect(f"file:{home / 'pantau.db'}?mode=ro", uri=True)) as database:
            return int(database.execute(query).fetchone()[0] or 0)
    except sqlite3.OperationalError:  # not made yet
        return 0
