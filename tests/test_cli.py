"""The command line, as a user meets it: what it prints, where, and how it exits."""

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import DECLARED, ROOT, Pantau
from tests.site import Site
from tests.test_crawl import FILLER, RELEVANT, feed


def one_sentence(text: str) -> bool:
    """Whether stderr holds one line, beginning with the program's name, and no traceback."""
    return bool(re.fullmatch(r"pantau: [^\n]+[.!?]\n", text))


@pytest.fixture
def crawled(pantau: Pantau, site: Site) -> Pantau:
    """An installation that has found one article of one outlet."""
    site.pages = {
        "/feed": feed(site, "/berita/1/camat", "/berita/2/cabai"),
        "/berita/1/camat": RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu"),
        "/berita/2/cabai": FILLER.format(title="Harga Cabai Turun"),
    }
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]', province="Bali", zone="WITA")
    assert pantau("crawl", "--outlet", "kabar").code == 0
    return pantau


def test_what_a_finding_looks_like(crawled: Pantau) -> None:
    (row,) = crawled("findings", "--json").lines()
    assert {
        "id", "url", "outlet", "title", "text", "authors", "published", "published_inferred",
        "fetched", "dateline", "tags", "image", "caption", "kind", "score", "borderline",
        "subjects", "places", "evidence", "paid", "story", "snapshot_sha256",
    } <= row.keys()  # fmt: skip
    assert crawled("finding", str(row["id"]), "--json").json() == row
    assert {"code", "level", "name", "province"} == row["places"][0].keys()
    shown = crawled("finding", str(row["id"])).out
    assert row["title"] in shown
    assert row["snapshot_sha256"] in shown
    clues = [clue for sentence in row["evidence"] for clue in sentence["clues"]]
    assert {"official", "candidate"} <= {clue["what"] for clue in clues}
    assert all(row["text"][c["start"] : c["end"]] == c["text"] for c in clues)
    assert "official: camat" in shown


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["--province", "Bali"], 1),
        (["--province", "Aceh"], 0),
        (["--kind", "examination"], 1),
        (["--kind", "pledge"], 0),
        (["--query", "camat klarifikasi"], 1),
        (["--query", "camat 100%"], 0),
        (["--outlet", "kabar", "--limit", "1"], 1),
        (["--since", "2020-01-01", "--until", "2021-01-01"], 0),
        (["--since", "2020-01-01"], 1),
    ],
)
def test_filters(crawled: Pantau, arguments: list[str], rows: int) -> None:
    ran = crawled("findings", "--json", *arguments)
    assert (ran.code, len(ran.lines())) == (0, rows)


def test_the_table_says_what_each_outlet_gave_and_why(pantau: Pantau, site: Site) -> None:
    site.pages = {
        "/feed": feed(site, "/berita/1/camat", "/gone"),
        "/berita/1/camat": RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu"),
    }
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]')
    ran = pantau("crawl", "--outlet", "kabar")
    assert ran.code == 1
    assert one_sentence(ran.err)
    assert re.search(r"kabar\s*│\s*2\s*│\s*2\s*│\s*1\s*│\s*0\s*│\s*1\s*│\s*1\s*│", ran.out)
    assert f"HTTP 404 from {site.url}/gone" in ran.out
    assert "Camat di Buleleng Diperiksa Bawaslu" in ran.out
    assert "“" in ran.out  # the sentence that proves it


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["crawl", "--outlet", "nusabli"], "did you mean nusabali"),
        (["crawl", "--limit", "0"], "--limit"),
        (["findings", "--since", "27/11/2024"], "2024-11-27"),
        (["findings", "--outlet", "nowhere"], "no outlet"),
        (["findings", "--kind", "rumour"], "rumour"),
        (["finding", "99"], "no finding 99"),
        (["finding", "one"], "one"),
        (["extract", "missing.html", "--url", "https://a.example/1"], "missing.html"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(
    pantau: Pantau, arguments: list[str], says: str
) -> None:
    ran = pantau(*arguments)
    assert ran.code == 2
    assert says in ran.err
    assert one_sentence(ran.err), ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"database_url": "mysql://a/b"}, "PANTAU_DATABASE_URL"),
        ({"database_url": "nonsense"}, "PANTAU_DATABASE_URL"),
        ({"database_url": "postgresql://u:secret@127.0.0.1:1/x"}, "PANTAU_DATABASE_URL"),
        ({"redis_url": "redis://127.0.0.1:1/0"}, "PANTAU_REDIS_URL"),
        ({"redis_url": "http://127.0.0.1"}, "PANTAU_REDIS_URL"),
        ({"delay": "soon"}, "PANTAU_DELAY"),
        ({"crawl_at": "25:00"}, "PANTAU_CRAWL_AT"),
        ({"stand_ins": "{"}, "PANTAU_STAND_INS"),
        ({"catalogue": "nowhere.toml"}, "nowhere.toml"),
        ({"home": "/proc/nowhere"}, "/proc/nowhere"),
    ],
)
def test_bad_configuration_is_one_sentence_and_exit_2(
    pantau: Pantau, settings: dict[str, str], says: str
) -> None:
    pantau.set(**settings)
    ran = pantau("crawl", "--outlet", "nusabali")
    assert ran.code == 2, ran
    assert says in ran.err
    assert "secret" not in ran.err
    assert one_sentence(ran.err), ran.err
    assert ran.out == ""


def test_extract_reads_a_saved_page(pantau: Pantau, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu"), "utf-8")
    ran = pantau("extract", str(page), "--url", "https://nusabali.invalid/berita/1/camat")
    assert ran.code == 0
    article = ran.json()
    assert article["title"] == "Camat di Buleleng Diperiksa Bawaslu"
    assert article["published"] == "2026-11-20T09:00:00+08:00"


@pytest.mark.parametrize("data", [b"%PDF-1.7 <<", b"just words", b"\x89PNG\r\n<", b""])
def test_extract_refuses_what_is_no_html(pantau: Pantau, tmp_path: Path, data: bytes) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(data)
    ran = pantau("extract", str(page), "--url", "https://nusabali.invalid/berita/1/camat")
    assert (ran.code, ran.out) == (2, "")
    assert "not an HTML page" in ran.err
    assert one_sentence(ran.err)


def test_judge_reads_and_writes_json_lines(pantau: Pantau) -> None:
    lines = [
        {"title": "Camat Diduga Ajak Warga Pilih Paslon", "text": "Bawaslu memeriksa camat itu."},
        {"title": "Wasit Diminta Netral", "text": "Laga final berlangsung sengit."},
    ]
    ran = pantau("judge", stdin="\n".join(map(json.dumps, lines)))
    assert ran.code == 0, ran.err
    verdicts = ran.lines()
    assert [verdict["relevant"] for verdict in verdicts] == [True, False]
    assert verdicts[0].keys() >= {"relevant", "score", "kind", "subjects", "places", "evidence"}


def test_a_word_of_ones_own_counts(pantau: Pantau, tmp_path: Path) -> None:
    words = tmp_path / "words.toml"
    words.write_text('[subjects.village_official]\nnames = ["opu lao"]\n', "utf-8")
    line = json.dumps({"title": "Opu lao dukung paslon nomor dua di Pilkada", "text": ""})
    (before,) = pantau("judge", stdin=line).lines()
    pantau.set(lexicon=str(words))
    (after,) = pantau("judge", stdin=line).lines()
    assert after["score"] > before["score"]
    assert after["subjects"] == ["village_official"]


def test_a_lexicon_that_cannot_be_used_is_said_before_anything_is_done(
    pantau: Pantau, tmp_path: Path
) -> None:
    words = tmp_path / "words.toml"
    words.write_text("[groups]\nduties = []\n", "utf-8")
    pantau.set(lexicon=str(words))
    for command in (["judge"], ["crawl"], ["run"], ["doctor"]):
        ran = pantau(*command, stdin="")
        assert ran.code == 2, command
        assert "words.toml: groups: 'duties' is not known" in ran.err + ran.out
    assert one_sentence(pantau("judge", stdin="").err)


@pytest.mark.parametrize("bad", ["{", "[]", '{"title": 1}', '"text"'])
def test_judge_names_the_line_it_cannot_read(pantau: Pantau, bad: str) -> None:
    ran = pantau("judge", stdin='{"title": "a", "text": "b"}\n' + bad)
    assert (ran.code, ran.out) == (2, "")
    assert "Line 2" in ran.err
    assert one_sentence(ran.err), ran.err


def test_doctor_says_what_to_do(pantau: Pantau) -> None:
    pantau.set(allow_private_addresses="false")
    ran = pantau("doctor", "--json")
    checks = {check["name"]: check for check in ran.json()["checks"]}
    assert [*checks] == ["settings", "database", "clock", "redis", "lexicon", "disk", "outlets"]
    assert checks["database"]["ok"]
    assert checks["redis"]["ok"]
    assert not checks["settings"]["ok"]  # no contact is set
    assert ran.code == 1
    assert "PANTAU_CONTACT" in pantau("doctor").out
    pantau.set(database_url="postgresql://127.0.0.1:1/x")
    broken = pantau("doctor")
    assert broken.code == 2
    assert "not well" in broken.out


def test_scrapy_works_from_the_checkout(pantau: Pantau, site: Site) -> None:
    def scrapy(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scrapy", *arguments],
            cwd=ROOT, env=pantau.environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    listed = scrapy("list")
    assert set(DECLARED) <= set(listed.stdout.split())
    site.pages = {
        "/rss": feed(site, "/berita/1/camat"),
        "/search": "<html><div id=article-list></div></html>",
        "/berita/1/camat": RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu"),
    }
    pantau.set(stand_ins=json.dumps({"nusabali": site.url}))
    assert scrapy("crawl", "nusabali").returncode == 0
    (row,) = pantau("findings", "--json").lines()
    assert row["outlet"] == "nusabali"
    shell = scrapy(
        "shell",
        "--spider=nusabali",
        f"{site.url}/berita/1/camat",
        "-c",
        "(spider.name, response.css('h1::text').get())",
    )
    assert "('nusabali', 'Camat di Buleleng Diperiksa Bawaslu')" in shell.stdout, shell.stderr


def test_without_internet_each_outlet_is_one_line(pantau: Pantau) -> None:
    """The five declared outlets, under names that do not resolve."""
    ran = pantau("crawl")
    assert ran.code == 1
    for name in DECLARED:
        assert len(re.findall(rf"^{name}: unreachable: .+$", ran.out, re.MULTILINE)) == 1
    reports = pantau("crawl", "--json").json()["outlets"]
    assert [report["errors"] for report in reports] == [1] * 5


@pytest.mark.parametrize("to", ["file", "stderr"])
def test_the_log_goes_where_it_is_to_go(pantau: Pantau, to: str) -> None:
    pantau.set(log_to=to, log_format="json")
    program = "import cli.log, logging; cli.log.write_log(); logging.warning('the disk is full')"
    ran = subprocess.run(
        [sys.executable, "-c", program], env=pantau.environment, cwd=ROOT,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    path = pantau.home / "pantau.log"
    written = {"stderr": ran.stderr, "file": path.read_text() if path.exists() else ""}
    assert json.loads(written.pop(to))["event"] == "the disk is full"
    assert [*written.values()] == [""]


def test_run_crawls_now_keeps_the_schedule_and_ends_on_sigterm(pantau: Pantau) -> None:
    run = pantau.start("run", "--now", "--json")
    assert run.stdout
    crawled = json.loads(run.stdout.readline())
    assert len(crawled["outlets"]) == 5
    time.sleep(1)
    assert run.poll() is None  # the schedule goes on
    run.terminate()
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (0, "")
    assert one_sentence(err), err


def test_run_goes_on_where_the_dashboards_address_is_taken(pantau: Pantau) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        pantau.set(dashboard_address=f"127.0.0.1:{taken.getsockname()[1]}")
        run = pantau.start("run", "--now", "--json")
        assert run.stdout
        assert len(json.loads(run.stdout.readline())["outlets"]) == 5
        run.terminate()
        _, err = run.communicate(timeout=60)
        alone = pantau("serve")
    assert run.returncode == 0
    assert "is the address taken?" in err.splitlines()[0]
    assert (alone.code, alone.err.count("taken?")) == (2, 1)


def test_judge_looks_up_where_an_outlet_is_at_home(pantau: Pantau) -> None:
    row = {"title": "ASN diminta netral", "text": "Sekda mengingatkan ASN agar netral di pilkada."}
    urls = ("https://www.nusabali.invalid/berita/1/asn", "https://lain.example/berita/1/asn")
    ran = pantau("judge", stdin="\n".join(json.dumps({**row, "url": url}) for url in urls))
    at_home, elsewhere = ran.lines()
    assert [place["name"] for place in at_home["places"]] == ["Bali"]
    assert elsewhere["places"] == []
