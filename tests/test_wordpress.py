"""Against a real WordPress with 300 posts: by feed, by REST and by sitemap the same is found; and
against one with 1,200: what was published in three months of the past, whatever reaches it.

The site is set up by ../shared/wordpress (WordPress, MariaDB, PHP and nginx from Debian's
packages, which it installs where they are missing), on loopback, and stopped at the end.
"""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from crawler.outlet import WIB
from tests.conftest import Pantau
from tests.test_crawl import processes_of, wait_for

# the first test waits for the setup, which may have packages to install
pytestmark = pytest.mark.timeout(600)

APT_FAILED = 100  # apt-get's exit code
FEED = '[{feed = "/feed/", pages = "/feed/?paged={page}"}]'
REST = "[{wordpress = true}]"
SITEMAP = '[{sitemap = "/wp-sitemap.xml"}]'

Answered = tuple[str, int]  # a path asked for and the status it gave


@dataclass(frozen=True)
class Post:
    """A post as its site knows it; `text` as words, for WordPress sets quotes and dashes anew."""

    title: str
    published: str
    text: tuple[str, ...]


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text))


class WordPress:
    """The running site `name`: `relevant` has the posts to be found, by URL, `ids` their numbers,
    `dates` when each was published."""

    def __init__(self, scripts: Path, folder: Path, url: str, name: str) -> None:
        self.scripts, self.folder, self.url, self.name = scripts, folder, url, name
        truth = json.loads((folder / f"sites/{name}/truth.json").read_text("utf-8"))
        self.dates = {post["url"]: post["date"] for post in truth}
        self.others = {post["url"] for post in truth if post["kind"] in ("decoy", "filler")}
        found = [post for post in truth if post["kind"] in ("seed", "relevant")]
        self.ids = {post["url"]: post["id"] for post in found}
        self.relevant = {
            post["url"]: Post(post["title"], _wib(post["date"]), words(post["text"]))
            for post in found
        }

    def post(self, title: str, text: str) -> str:
        """Publish a relevant article now; gives its URL."""
        when = f"{datetime.now(WIB):%Y-%m-%d %H:%M:%S}"
        id_, url = self._change("post", title, self._file(text), when).split()
        self.ids[url], self.relevant[url] = int(id_), Post(title, _wib(when), words(text))
        return url

    def edit(self, url: str, text: str) -> None:
        """Change the text of a relevant article."""
        self._change("edit", str(self.ids[url]), self._file(text))
        self.relevant[url] = replace(self.relevant[url], text=words(text))

    def _file(self, text: str) -> str:
        path = self.folder / "text.txt"
        path.write_text(text, "utf-8")
        return str(path)

    def _change(self, *arguments: str) -> str:
        return subprocess.check_output(
            ["bash", self.scripts / "site.sh", self.name, *arguments],
            env=os.environ | {"WP_RUN": str(self.folder)}, text=True,
        )  # fmt: skip

    def asked(self) -> list[Answered]:
        """Every request so far."""
        log = (self.folder / f"sites/{self.name}/access.log").read_text("utf-8")
        return [(path, int(status)) for path, status in re.findall(r'"GET (\S+) \S+" (\d+)', log)]


def _free_port() -> int:
    """A port that stays free until nginx takes it, half a minute later: below those that the
    system gives to others meanwhile."""
    for port in range(20_000, 30_000):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def _wib(local: str) -> str:
    return f"{local.replace(' ', 'T')}+07:00"


SetUp = Callable[[str, int], WordPress]


@pytest.fixture(scope="module")
def set_up(shared: Path) -> Iterator[SetUp]:
    """Sets a WordPress up, by its name and its number of posts."""
    if os.getuid() != 0:
        pytest.skip("only root can set a WordPress up")
    version = Path("/etc/debian_version")
    if not version.exists() or not version.read_text().startswith("12."):
        pytest.skip("the WordPress is set up from the packages of Debian 12")
    scripts = shared / "wordpress"
    # Not in pytest's folder: PHP and MariaDB run as other users, and whatever pytest starts next
    # closes that folder to them.
    with tempfile.TemporaryDirectory(prefix="wordpress-") as run:
        folder = Path(run)
        folder.chmod(0o755)
        environment = os.environ | {"WP_RUN": run}

        def running(name: str, posts: int) -> WordPress:
            port = _free_port()
            ran = subprocess.run(
                ["bash", scripts / "setup.sh", str(port), "--site", name, "--posts", str(posts)],
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                check=False,
            )  # fmt: skip
            if ran.returncode == APT_FAILED:
                pytest.skip("the packages of WordPress cannot be had from Debian here")
            assert ran.returncode == 0, ran.stdout
            return WordPress(scripts, folder, f"http://127.0.0.1:{port}", name)

        try:
            yield running
        finally:
            subprocess.run(["bash", scripts / "stop.sh"], env=environment, check=True)
            while (folder / "myrun/my.pid").exists():  # MariaDB takes its time
                time.sleep(0.1)


@pytest.fixture(scope="module")
def wordpress(set_up: SetUp) -> WordPress:
    """A WordPress with 300 posts, 16 of them relevant."""
    return set_up("kabar", 300)


@pytest.fixture(scope="module")
def old_wordpress(set_up: SetUp) -> WordPress:
    """A WordPress with 1,200 posts in 18 months."""
    return set_up("lama", 1200)


@pytest.fixture
def reader(pantau: Pantau) -> Pantau:
    """An installation whose first crawl goes back beyond the site's first post."""
    days = (datetime.now(WIB).date() - date(2023, 6, 1)).days
    pantau.set(first_crawl_days=days, max_source_pages=200)
    return pantau


def crawl(pantau: Pantau) -> dict[str, Any]:
    """The report of a crawl of the site, which must be without errors."""
    ran = pantau("crawl", "--outlet", "kabar", "--json")
    assert ran.code == 0, ran.err + ran.out
    (report,) = ran.json()["outlets"]
    return dict(report)


def found(pantau: Pantau) -> dict[str, Post]:
    """What the installation has found, by URL."""
    return {
        row["url"]: Post(row["title"], row["published"], words(row["text"]))
        for row in pantau("findings", "--json").lines()
    }


def crawl_twice(wordpress: WordPress, pantau: Pantau, sources: str, again: list[Answered]) -> None:
    """Find every relevant post and nothing else, then, with the requests `again`, nothing new."""
    pantau.outlet("kabar", wordpress.url, sources)
    report = crawl(pantau)
    findings = found(pantau)
    assert wordpress.relevant.keys() - findings.keys() == set(), "missed"
    assert findings.keys() - wordpress.relevant.keys() == set(), "too many"
    assert findings == wordpress.relevant
    assert report["fetched"] == len(wordpress.relevant) + len(wordpress.others)
    first = wordpress.asked()
    report = crawl(pantau)
    assert (report["new"], report["fetched"], report["findings"]) == (0, 0, 0)
    second = [(path.split("?")[0], status) for path, status in wordpress.asked()[len(first) :]]
    print(f"{len(findings)} of {len(wordpress.relevant)} found, then asked again: {second}")
    assert second == [("/robots.txt", 200), *again]


def test_by_feed(wordpress: WordPress, reader: Pantau) -> None:
    crawl_twice(wordpress, reader, FEED, [("/feed/", 304)])


def test_by_sitemap(wordpress: WordPress, reader: Pantau) -> None:
    again = [("/wp-sitemap.xml", 200), ("/wp-sitemap-posts-post-1.xml", 200)]
    crawl_twice(wordpress, reader, SITEMAP, again)


def test_by_rest_and_what_changes(wordpress: WordPress, reader: Pantau) -> None:
    crawl_twice(wordpress, reader, REST, [("/wp-json/wp/v2/posts", 200)] * 3)
    changed = next(url for url in wordpress.relevant if "pakta-integritas" in url)
    old = found(reader)[changed]
    wordpress.edit(
        changed,
        "BONDOWOSO - Sebanyak 40 aparatur sipil negara menandatangani ikrar netralitas.\n"
        "Bawaslu mencatat bahwa tiga camat belum ikut dan akan dimintai penjelasan pekan depan.\n"
        "Ralat: jumlah penandatangan dalam berita sebelumnya keliru.",
    )
    new = wordpress.post(
        "Bawaslu Periksa Lurah yang Diduga Tidak Netral",
        "SLEMAN - Bawaslu memeriksa seorang lurah yang diduga mengampanyekan calon bupati.\n"
        "Lurah itu diduga melanggar netralitas ASN karena membagikan stiker pasangan calon.\n"
        "Hasil pemeriksaan diumumkan dalam rapat pleno lima hari lagi.",
    )
    before = len(wordpress.asked())
    report = crawl(reader)
    assert (report["new"], report["fetched"], report["findings"]) == (1, 2, 1)
    assert len(wordpress.asked()) - before == 5, "robots.txt, two of REST, two articles"
    assert found(reader) == wordpress.relevant
    assert found(reader)[changed] != old
    revisions = {row["url"]: row["revision"] for row in reader("findings", "--json").lines()}
    assert revisions == dict.fromkeys(wordpress.relevant, 1) | {changed: 2, new: 1}


# --- the past -------------------------------------------------------------------------------------

WINDOW = "2023-09", "2023-10", "2023-11"
BACKFILL = "backfill", "--json", "--outlet", "kabar", "--from", "2023-09-01", "--to", "2023-11-30"
ARCHIVE_PAGES = '[{days = "/{year}/{month}/page/{page}/", links = ".wp-block-post-title a"}]'


def finds_the_window(wordpress: WordPress, pantau: Pantau, before: int, again: int = 0) -> None:
    """Of all posts exactly those of the window were fetched, `again` of them twice at the most, and
    exactly the relevant ones found."""
    within = {url for url, day in wordpress.dates.items() if day.startswith(WINDOW)}
    asked = Counter(wordpress.url + path for path, _ in wordpress.asked()[before:])
    fetched = {url: number for url, number in asked.items() if url in wordpress.dates}
    assert fetched.keys() == within
    assert sum(fetched.values()) - len(fetched) <= again
    expected = {url for url in wordpress.relevant if url in within}
    assert found(pantau) == {url: wordpress.relevant[url] for url in expected}
    print(
        f"{asked.total() - sum(fetched.values())} requests for listings and robots.txt, "
        f"{sum(fetched.values())} for {len(within)} articles; {len(expected)} relevant ones found"
    )


@pytest.mark.parametrize(
    ("sources", "listings"),
    [
        pytest.param(REST, 3, id="rest"),
        pytest.param(SITEMAP, 2, id="sitemap"),
        # two of them in the month before: a site's clock may be behind its outlet's
        pytest.param(ARCHIVE_PAGES, 26, id="archive pages"),
    ],
)
def test_three_months_of_the_past(
    old_wordpress: WordPress, pantau: Pantau, sources: str, listings: int
) -> None:
    pantau.outlet("kabar", old_wordpress.url, sources)
    before = len(old_wordpress.asked())
    ran = pantau(*BACKFILL)
    assert ran.code == 0, ran.err
    (report,) = ran.json()["outlets"]
    finds_the_window(old_wordpress, pantau, before)
    assert report["requests"] == {"listing": listings, "pages": report["fetched"]}


@pytest.mark.parametrize(
    ("sources", "kills"),
    [
        pytest.param(REST, (30, 60, 110), id="rest"),
        pytest.param(SITEMAP, (60, 130), id="sitemap"),
        pytest.param(ARCHIVE_PAGES, (60, 130), id="archive pages"),
    ],
)
def test_three_months_of_the_past_resumed_after_kills(
    old_wordpress: WordPress, pantau: Pantau, sources: str, kills: tuple[int, ...]
) -> None:
    pantau.outlet("kabar", old_wordpress.url, sources)
    before, arguments = len(old_wordpress.asked()), BACKFILL
    for kill in kills:
        running = pantau.start(*arguments)
        wait_for(lambda kill=kill: len(old_wordpress.asked()) - before >= kill)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        arguments = "backfill", "--json", "--resume", "1"
    wait_for(lambda: not processes_of(pantau.home))
    ran = pantau(*arguments)
    assert ran.code == 0, ran.err
    finds_the_window(old_wordpress, pantau, before, again=len(kills))
