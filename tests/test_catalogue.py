"""The catalogues: their rows are outlets, and what is wrong with one is said in a sentence."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import pytest

from crawler.outlet import WIB, WIT, WITA, Outlet
from crawler.outlets import catalogue
from crawler.outlets.platforms import PLATFORMS
from crawler.sources import Archive, DateArchive, Feed, Index, Search, Sitemap, WordPress
from crawler.spider import OutletSpider
from extract import places
from tests.conftest import DECLARED, ROOT, Pantau, row
from tests.site import Site
from tests.test_crawl import FILLER, feed

ENDED = "koran.tempo.co-makassar"  # nothing new is to be searched for there

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
    {search = "/?s={term}&feed=rss2"},
    {archive = "/berita?page={page}", links = ".card a"},
    {index = ["/", "/politik?page={page}"]},
]
past = [
    {days = "/{year}/{month}/{day}/"},
    {days = "/arsip?bulan={year}-{month}&page={page}", links = "h2 a"},
    {feed = "/rss", window = "/rss?dari={since}&sampai={until}", window_per_page = 10},
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
        Search("/?s={term}&feed=rss2", None),
        Archive("/berita?page={page}", ".card a"),
        Index(("/", "/politik?page={page}")),
    )
    assert len({source.name for source in first.sources}) == 10
    assert tuple(first.past) == (
        DateArchive("/{year}/{month}/{day}/"),
        DateArchive("/arsip?bulan={year}-{month}&page={page}", "h2 a"),
        Feed("/rss", window="/rss?dari={since}&sampai={until}", window_per_page=10),
    )
    assert second.outlet.zone == WIB
    assert second.outlet.url("/rss") == "http://suara.example:8080/rss"


PLATFORM = """
[[outlet]]
name = "a"
title = "A"
domain = "a.example"
platform = "wordpress"

[[outlet]]
name = "b"
title = "B"
domain = "b.example"
section = "/bali"
twins = ["c.example", "d.example:8080"]
platform = "wordpress"
sources = [{feed = "/rss"}]
spare = []
"""


def test_a_platform_gives_what_a_row_does_not_say(pantau: Pantau) -> None:
    pantau.catalogue(PLATFORM)
    plain, own = catalogue.load(pantau.home / "outlets.toml")
    usual = PLATFORMS["wordpress"]
    assert (plain.sources, plain.spare, plain.past) == (usual.sources, usual.spare, usual.past)
    assert (own.sources, own.spare, own.past) == ((Feed("/rss"),), (), usual.past)
    assert own.outlet.section == "/bali"
    assert own.outlet.twins == ("c.example", "d.example:8080")


def test_what_an_outlet_with_a_section_and_twins_owns_and_publishes() -> None:
    outlet = Outlet("Kabar", "kabar.example", section="/bali", twins=("lama.example:8080",))
    for own in ("https://www.kabar.example/indeks", "http://m.lama.example:8080/x"):
        assert outlet.owns(own)
        assert not outlet.publishes(own)
    for article in ("https://kabar.example/amp/bali/x?utm_a=b", "http://lama.example:8080/bali/x"):
        assert outlet.publishes(article)
    for other in ("https://kabar.example/balikpapan/x", "https://lama.example/bali/x"):
        assert not outlet.publishes(other)
    assert Outlet("Kabar", "kabar.example").publishes("https://kabar.example/x")


@pytest.fixture(scope="module")
def built_in() -> Sequence[type[OutletSpider]]:
    return catalogue.load(catalogue.BUILT_IN)


def test_the_catalogue_covers_all_provinces(built_in: Sequence[type[OutletSpider]]) -> None:
    assert len(built_in) >= 400
    areas = places.load().areas.values()
    by_province = Counter(spider.outlet.province for spider in built_in)
    assert by_province.keys() == {area.name for area in areas if area.level == "province"}
    sites = Counter((spider.outlet.domain, spider.outlet.section) for spider in built_in)
    assert sites.most_common(1)[0][1] == 1
    zones = {(spider.outlet.province, spider.outlet.zone) for spider in built_in}
    assert len(zones) == len(by_province)
    assert {("Kalimantan Barat", WIB), ("Kalimantan Utara", WITA), ("Papua", WIT)} <= zones


def test_each_of_its_outlets_has_what_a_crawl_needs(
    built_in: Sequence[type[OutletSpider]],
) -> None:
    for spider in built_in:
        outlet = spider.outlet
        assert spider.name == (outlet.domain + outlet.section).replace("/", "-")
        assert outlet.owns(outlet.url("/"))
        names = [source.name for source in (*spider.sources, *spider.spare, *spider.past)]
        assert len(names) == len(set(names)), spider.name
        assert spider.sources
        asked = [*spider.sources, *spider.spare]
        assert any(isinstance(source, Search) for source in asked) == (spider.name != ENDED)
        if spider.spare and spider.name != ENDED:
            assert isinstance(spider.spare[-1], Search), "what is only guessed is asked last"
        assert not set(outlet.title) & set("(/")  # as it is printed


def test_scrapy_lists_every_outlet(pantau: Pantau, built_in: Sequence[type[OutletSpider]]) -> None:
    pantau.catalogue(GOOD)
    pantau.set(outlets="")
    ran = subprocess.run(
        [sys.executable, "-m", "scrapy", "list"],
        env=pantau.environment, cwd=ROOT, text=True, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    rows = {spider.name for spider in built_in}
    assert sorted(ran.stdout.split()) == sorted({*DECLARED, *rows, "kabar-daerah", "suara.2"})


def listed(pantau: Pantau) -> set[str]:
    """The outlets that a crawl would crawl."""
    code = "from crawler.outlets.catalogue import spiders; print(*spiders())"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=pantau.environment, cwd=ROOT, text=True, capture_output=True, check=True,
    )  # fmt: skip
    return set(ran.stdout.split())


def test_outlets_are_chosen_by_name_and_province(
    pantau: Pantau, built_in: Sequence[type[OutletSpider]]
) -> None:
    pantau.catalogue(row("own", "https://own.example", '[{feed = "/rss"}]'))
    del pantau.environment["PANTAU_CATALOGUE"]  # it lies where it is looked for
    pantau.set(outlets=" transparansi, Papua Selatan,aceh.antaranews.com ,")
    far = {spider.name for spider in built_in if spider.outlet.province == "Papua Selatan"}
    assert len(far) >= 2
    assert listed(pantau) == {"transparansi", "aceh.antaranews.com", "own", *far}


@pytest.mark.parametrize(
    ("outlets", "near"),
    [
        ("nusabali,Jawa Bart", "'Jawa Bart' is neither a built-in outlet nor a province; did you"),
        ("jubi.ids", "did you mean jubi.id"),
        ("zzz", "'zzz' is neither a built-in outlet nor a province."),
    ],
)
def test_an_unknown_choice_is_said(pantau: Pantau, outlets: str, near: str) -> None:
    pantau.set(outlets=outlets)
    ran = pantau("crawl")
    assert (ran.code, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("pantau: PANTAU_OUTLETS: ")
    assert near in line


def test_a_crawl_of_many_outlets_shows_those_with_something_to_say(
    pantau: Pantau, site: Site
) -> None:
    site.pages = {"/rss": feed(site, "/politik/ikan"), "/politik/ikan": FILLER.format(title="Ikan")}
    names = [f"outlet-{n}" for n in range(31)]
    rows = [row(name, site.url, '[{feed = "/rss"}]') for name in names[1:]]
    pantau.catalogue("".join([row("outlet-0", site.url, '[{feed = "/none"}]'), *rows]))
    ran = pantau("crawl", *[part for name in names for part in ("--outlet", name)])
    assert ran.code == 1
    lines = [line for line in ran.out.splitlines() if line.startswith("│")]
    table = [[cell.strip() for cell in line.strip("│").split("│")][:2] for line in lines]
    assert table == [["outlet-0", "0"], ["all 31", "30"]]  # and how many links
    assert "outlet-0: feed /none: HTTP 404" in ran.out
    assert "outlet-1" not in ran.out


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
        (edited('sources = [{feed = "/rss"}]', ""), "outlet 'suara.2': it needs sources, or a"),
        (edited('"Bali"', '"Balli"'), "'kabar-daerah', province: there is no province 'Balli'"),
        (edited('"Bali"', '"Jabar"'), "there is no province 'Jabar'; did you mean Jawa Barat?"),
        (edited('"Buleleng"', '"Bulelang"'), "no regency or city 'Bulelang'; did you mean"),
        (edited('"Buleleng"', '"Kota Palu"'), "Kota Palu lies in Sulawesi Tengah, not in Bali"),
        (edited('zone =', 'platform = "wordpres"\nzone ='), "'wordpres'; did you mean wordpress?"),
        (edited('zone =', 'twins = ["a/b"]\nzone ='), "outlet 'kabar-daerah', twins.0: String"),
        (edited('zone =', 'section = "bali"\nzone ='), "outlet 'kabar-daerah', section: String"),
        (edited('["/", "/politik', '["/", "politik'), "sources.9.index.1: a path begins with /"),
        (edited('"/{year}/{month}/', '"/{yaer}/{month}/'), "past.0.days: {yaer} is unknown here"),
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
        (edited('links = ".card a"', 'hits = ".card a"'), "sources.8.links: Field required"),
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
    (pantau.home / "pantau.db").unlink()
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
