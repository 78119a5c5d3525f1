"""The five sample articles, found by the five declared spiders on sites that play their outlets."""

import json
from contextlib import ExitStack
from pathlib import Path

from tests import seeds
from tests import site as sites
from tests.conftest import Pantau


def test_the_five_outlets_are_crawled_and_each_seed_found_exactly(
    pantau: Pantau, shared: Path
) -> None:
    wanted = seeds.load(shared / "seeds")
    with ExitStack() as stack:
        stand_ins = {}
        for name, seed in wanted.items():
            site = stack.enter_context(sites.running())
            stand_ins[name] = site.url
            link = site.url + seed.path
            listing = f"<div id=article-list><a href='{link}'>{seed.title}</a></div>"
            rss = f'<rss version="2.0"><channel><item><link>{link}</link></item></channel></rss>'
            map_of_site = (
                '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
                f"<url><loc>{link}</loc></url></urlset>"
            )
            site.pages = {
                "/feed/": rss,
                "/rss": rss,
                "/feeds/posts/default": rss,
                "/sitemap_index.xml": map_of_site,
                "/news-sitemap.xml": map_of_site,
                "/wp-json/wp/v2/posts": "[]",
                "/search": listing,
                "/berita": listing,
                seed.path: seed.html(link),
            }
        pantau.set(stand_ins=json.dumps(stand_ins), first_crawl_days=2000)
        arguments = [argument for name in wanted for argument in ("--outlet", name)]
        ran = pantau("crawl", "--json", *arguments)
    assert ran.code == 0, ran
    found = {row["outlet"]: row for row in pantau("findings", "--json").lines()}
    assert found.keys() == wanted.keys()
    for name, seed in wanted.items():
        row = found[name]
        assert row["url"] == stand_ins[name] + seed.path
        assert row["title"] == seed.title
        lines = [line for line in seed.lines if line != row["caption"]]
        assert row["text"].split("\n") == lines
        assert row["dateline"] == seed.dateline
        assert row["published"] == seed.published
        assert row["paid"] == seed.paid
        assert row["places"][0]["name"] == seed.place
        assert "civil_servant" in row["subjects"]
        assert row["evidence"]
