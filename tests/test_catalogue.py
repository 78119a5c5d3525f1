"""The catalogue file: its rows are outlets, and what is wrong with it is said in a sentence."""

import subprocess
import sys

import pytest

from crawler import catalogue
from crawler.outlet import WIB, WITA, Outlet
from crawler.sources import Archive, Feed, Search, Sitemap, WordPress
from tests.conftest import ROOT, Pantau

GOOD = """
[[outlet]]
name = "kabar-daerah"
title = "Kabar Daerah"
domain = "kabardaerah.example"
province = "Bali"
regency = "Buleleng"
zone = "WITA"
note = "asked for in 2026"
sources = [
    {feed = "/feed/", pages = "/feed/?paged={page}"},
    {feed = "/posts", pages = "/posts?start={start}", per_page = 20},
    {sitemap = "/sitemap.xml"},
    {wordpress = true},
    {wordpress = "/id/wp-json/wp/v2/posts"},
    {search = "/?s={term}", hits = "h2 a"},
    {search = "/cari?q={term}", hits = "h2 a", terms = ["netralitas"]},
    {archive = "/berita?page={page}", links = ".card a"},
]

[[outlet]]
name = "suara.2"
title = "Suara"
domain = "suara.example:8080"
scheme = "http"
sources = [{feed = "/rss"}]
"""


def test_each_kind_of_source(pantau: Pantau) -> None:
    pantau.catalogue(GOOD)
    first, second = catalogue.load(pantau.home / "outlets.toml")
    assert first.name == "kabar-daerah"
    assert first.outlet == Outlet(
        "Kabar Daerah", "kabardaerah.example", province="Bali", regency="Buleleng", zone=WITA
    )
    assert tuple(first.sources) == (
        Feed("/feed/", "/feed/?paged={page}"),
        Feed("/posts", "/posts?start={start}", 20),
        Sitemap("/sitemap.xml"),
        WordPress(),
        WordPress("/id/wp-json/wp/v2/posts"),
        Search("/?s={term}", "h2 a"),
        Search("/cari?q={term}", "h2 a", ("netralitas",)),
        Archive("/berita?page={page}", ".card a"),
    )
    assert len({source.name for source in first.sources}) == 8
    assert second.outlet.zone == WIB
    assert second.outlet.url("/rss") == "http://suara.example:8080/rss"


def test_scrapy_lists_declared_outlets_and_rows(pantau: Pantau) -> None:
    pantau.catalogue(GOOD)
    ran = subprocess.run(
        [sys.executable, "-m", "scrapy", "list"],
        env=pantau.environment, cwd=ROOT, text=True, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    listed = ran.stdout.split()
    assert {"kabar-daerah", "suara.2", "nusabali", "laksara"} <= set(listed)
    assert len(listed) == len(set(listed))


def edited(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[outlet]\nname = 1", "cannot be read: Expected ']]'"),
        ("[[outlets]]\nname = 'a'", "has an unknown table: outlets"),
        ("outlet = 3", "has outlets that do not begin with [[outlet]]"),
        ("outlet = ['a']", "outlet 'a'"),
        ("[outlet]\nname = 'a'", "has outlets that do not begin with [[outlet]]"),
        (edited('note = "asked', 'colour = "asked'), "outlet 'kabar-daerah', colour: Extra"),
        (edited('"WITA"', '"WITTA"'), "outlet 'kabar-daerah', zone: Input should be 'WIB', 'WITA'"),
        (edited('[{feed = "/rss"}]', "[]"), "outlet 'suara.2', sources: Tuple should have at"),
        (edited('sources = [{feed = "/rss"}]', ""), "outlet 'suara.2', sources: Field required"),
        (edited('"suara.2"', '"kabar-daerah"'), "has two outlets named 'kabar-daerah'"),
        (edited('"suara.2"', '"Suara Dua"'), "outlet 'Suara Dua', name: String should match"),
        (edited('"suara.example:8080"', '"https://suara.example/"'), "outlet 'suara.2', domain:"),
        (edited('"suara.example:8080"', '"suara.example:99999"'), "outlet 'suara.2', domain:"),
        (edited('{feed = "/rss"}', '{fed = "/rss"}'), "sources.0: a source is a table with one"),
        (edited('{feed = "/rss"}', '{feed = 3}'), "outlet 'suara.2', sources.0.feed: Input should"),
        (edited('{feed = "/rss"}', '{feed = "/r", page = "x"}'), "sources.0.page: Extra inputs"),
        (edited("/feed/?paged={page}", "/feed/?paged={pag}"), "{pag} is unknown here; {page} and"),
        (edited("/?s={term}", "/?s={term"), "sources.5.search: '/?s={term' is not a path"),
        (edited('"/sitemap.xml"', '"sitemap.xml"'), "sources.2.sitemap: a path begins with /"),
        (edited('links = ".card a"', 'links = ".card >> a["'), "links: '.card >> a[' is not a CSS"),
        (edited('hits = "h2 a", terms', "terms"), "sources.6.hits: Field required"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(pantau: Pantau, text: str, said: str) -> None:
    pantau.catalogue(text)
    with pytest.raises(catalogue.CatalogueError) as error:
        catalogue.load(pantau.home / "outlets.toml")
    sentence = str(error.value)
    assert sentence.startswith(f"The catalogue {pantau.home / 'outlets.toml'}")
    assert said in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("crawl", "[[outlet]]\nname = 'a'\ncolour = 1"),
        ("crawl", "\udcff"),
        ("findings --outlet x", "[[outlet]\n"),
    ],
)
def test_a_command_says_it_and_does_nothing(pantau: Pantau, command: str, text: str) -> None:
    pantau.home.mkdir()
    path = pantau.home / "outlets.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    pantau.set(catalogue=path)
    ran = pantau(*command.split())
    assert ran.code == 2
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    assert line.startswith(f"pantau: The catalogue {path}")
    assert not (pantau.home / "pantau.db").exists()


def test_a_missing_catalogue(pantau: Pantau) -> None:
    pantau.set(catalogue=pantau.home / "none.toml")
    ran = pantau("crawl")
    assert ran.code == 2
    assert "none.toml cannot be read" in ran.err


def test_a_row_takes_a_declarations_place(pantau: Pantau) -> None:
    pantau.catalogue(GOOD.replace('"suara.2"', '"nusabali"'))
    ran = pantau("findings", "--outlet", "nusabali", "--json")
    assert (ran.code, ran.out) == (0, "")
    ran = pantau("crawl", "--outlet", "nusabal")
    assert ran.code == 2
    assert ran.err == "pantau: There is no outlet “nusabal”; did you mean nusabali?\n"
