"""kill -9, whenever it comes: nothing lost, nothing twice."""

import os
import signal
import time
from collections import Counter

from tests.conftest import Pantau
from tests.site import Answer, Site
from tests.test_crawl import FILLER, RELEVANT, processes_of, wait_for

ARTICLES = 60
PER_FEED_PAGE = 10
KILLS = 10


def test_every_finding_once_after_ten_kills(pantau: Pantau, site: Site) -> None:
    relevant = {f"/berita/{n}/camat" for n in range(0, ARTICLES, 3)}
    paths = [f"/berita/{n}/camat" if n % 3 == 0 else f"/berita/{n}/pasar" for n in range(ARTICLES)]
    for n, path in enumerate(paths):
        template = RELEVANT if path in relevant else FILLER
        site.pages[path] = _slowly(template.format(title=f"Kabar ke-{n} dari Buleleng"))
    for page in range(ARTICLES // PER_FEED_PAGE):
        chunk = paths[page * PER_FEED_PAGE : (page + 1) * PER_FEED_PAGE]
        items = "".join(f"<item><link>{site.url}{path}</link></item>" for path in chunk)
        key = "/feed" if page == 0 else f"/feed?paged={page + 1}"
        site.pages[key] = _slowly(f'<rss version="2.0"><channel>{items}</channel></rss>')
    site.pages[f"/feed?paged={ARTICLES // PER_FEED_PAGE + 1}"] = Answer("past the end", 404)
    pantau.outlet(
        "kabar", site.url, '[{feed = "/feed", pages = "/feed?paged={page}"}]', zone="WITA"
    )

    for kill in range(KILLS):
        # at every stop of the line: between feed pages, while articles come in, at the very start
        asked = len(site.log) + 1 + (kill * 5) % 13
        crawl = pantau.start("crawl", "--outlet", "kabar", "--json")
        wait_for(
            lambda asked=asked, crawl=crawl: len(site.log) >= asked or crawl.poll() is not None
        )
        time.sleep(0.05 * (kill % 4))
        os.kill(crawl.pid, signal.SIGKILL)
        crawl.communicate()
    wait_for(lambda: not processes_of(pantau.home))

    last = pantau("crawl", "--outlet", "kabar", "--json")
    assert last.code == 0, last.err
    found = Counter(row["url"] for row in pantau("findings", "--json").lines())
    assert found == Counter({site.url + path: 1 for path in relevant})
    # what was settled before a kill is not fetched again: only what was in flight is
    fetched = Counter(path for path in site.paths() if path.startswith("/berita/"))
    assert set(fetched) == set(paths)
    again = sum(fetched.values()) - ARTICLES
    assert again <= KILLS * 10, f"{again} pages were fetched again"
    print(f"{again} pages were fetched again after {KILLS} kills")


def _slowly(body: str):
    def page(_: object) -> Answer:
        time.sleep(0.02)
        return Answer(body)

    return page
