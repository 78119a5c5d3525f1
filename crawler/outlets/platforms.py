"""The systems that outlets run on: each with its sources, described once.

A row of the catalogue that names its platform needs no sources of its own. The sources are in the
order of what they are worth; an outlet that lacks one falls back to the next.

What is known of each, and whence: WordPress and Blogger from their own documentation; Antara's
feed and /terkini, Tribun's /index-news and sitemap, Promedia's /indeks-berita (Jawa Pos and Haluan
run on it too), PRMN's sitemap, Disway's /rss, WahanaNews' /rss and iNews' /feed from the code of
public crawlers that read them, and so the searches of Antara, Jawa Pos, VIVA's Lampung site, Suara,
iNews and PRMN, and Tribun's tags. Suara's, RMOL's and VIVA's regional sites are taken to offer what
the chain's main site does; for Bacakoran, Drupal sites and government portals the paths are the
system's usual ones. LIKELY_SEARCH is where most sites have one: nobody was seen to read it there.
A search stands last among the spare sources: it is asked once a week, and by backfills, and where
an outlet has none the others have been asked before. `pantau outlets check` tells which an outlet
really has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crawler.sources import (
    BY_SHAPE,
    TAGS,
    WORDPRESS_SEARCH,
    WORDPRESS_TAGS,
    Archive,
    DateArchive,
    Feed,
    Index,
    Search,
    Sitemap,
    Source,
    WordPress,
)


@dataclass(frozen=True, slots=True)
class Platform:
    """`sources` are read every day, `spare` once a week and where a daily one fails, `past` by
    backfills only; see `crawler.spider.OutletSpider`."""

    sources: Sequence[Source]
    spare: Sequence[Source] = ()
    past: Sequence[Source] = ()


LIKELY_SEARCH = Search("/search?q={term}&page={page}", BY_SHAPE)
# /search is what Blogger's robots.txt forbids
BLOGGER_SEARCH = Search(
    "/feeds/posts/default?q={term}&alt=rss&orderby=published&max-results=150", hits=None
)
TRIBUN_TAGS = Search("/tag/{term}?page={page}", BY_SHAPE, TAGS)
DRUPAL_SEARCH = Search("/search/node?keys={term}&page={index}", BY_SHAPE)

PLATFORMS = {
    "wordpress": Platform(
        sources=(
            Feed(
                "/feed/",
                pages="/feed/?paged={page}",
                window="/feed/?m={year}{month}&paged={page}",
            ),
        ),
        spare=(
            WordPress(),
            Sitemap("/wp-sitemap.xml"),
            Sitemap("/sitemap_index.xml"),
            Index(),
            WORDPRESS_SEARCH,
        ),
        past=(DateArchive("/{year}/{month}/page/{page}/"), WORDPRESS_TAGS),
    ),
    "blogger": Platform(
        sources=(
            Feed(
                "/feeds/posts/default?alt=rss",
                pages="/feeds/posts/default?alt=rss&start-index={start}",
                window="/feeds/posts/default?alt=rss&orderby=published&max-results=150"
                "&published-min={since}&published-max={until}&start-index={start}",
            ),
        ),
        spare=(Sitemap("/sitemap.xml"), Index(), BLOGGER_SEARCH),
    ),
    # /berita/ID/slug; the feed holds the last few dozen articles, /terkini goes further back
    "antara": Platform(
        sources=(Feed("/rss/terkini.xml"), Index(("/terkini?page={page}",))),
        spare=(
            Sitemap("/sitemap.xml"),
            Search("/search?q={term}&page={page}", "a[href*='/berita/']"),
        ),
    ),
    # /YYYY/MM/DD/slug. The main site's feed gives the front page as every article's address; the
    # sitemap is an index of one or more for each section
    "tribun": Platform(
        sources=(Index(("/index-news?page={page}",)),),
        spare=(Sitemap("/sitemap.xml"), Feed("/rss"), TRIBUN_TAGS),
        past=(DateArchive("/index-news?date={year}-{month}-{day}&page={page}"),),
    ),
    # /kanal/ID/slug
    "promedia": Platform(
        sources=(Archive("/indeks-berita?page={page}", "a.latest__link"),),
        spare=(
            Feed("/rss"),
            Sitemap("/sitemap.xml"),
            Index(("/indeks-berita?page={page}", "/")),
            Search("/search?q={term}&sort=latest&page={page}", "a.latest__link"),
        ),
    ),
    # /kanal/pr-ID/slug: Promedia's system, with the network's numbers
    "prmn": Platform(
        sources=(Archive("/indeks-berita?page={page}", "a[href*='/pr-']"),),
        spare=(
            Sitemap("/sitemap.xml"),
            Feed("/rss"),
            Index(),
            Search("/search?q={term}&page={page}", "a[href*='/pr-']"),
        ),
    ),
    # /read/ID/slug
    "disway": Platform(
        sources=(Feed("/rss"),),
        spare=(Sitemap("/sitemap.xml"), Archive("/", "a[href*='/read/']"), LIKELY_SEARCH),
    ),
    # newspapers' pages by Disway: /read/ID/slug, not known to have a feed
    "bacakoran": Platform(
        sources=(Archive("/", "a[href*='/read/']"),),
        spare=(Sitemap("/sitemap.xml"), Feed("/rss"), Index(), LIKELY_SEARCH),
    ),
    # /read/YYYY/MM/DD/HHMMSS/slug
    "suara": Platform(
        sources=(Feed("/rss"),),
        spare=(
            Sitemap("/sitemap.xml"),
            Index(("/indeks?page={page}", "/")),
            Search("/search?q={term}&page={page}", "a[href*='/read/']"),
        ),
    ),
    # /read/ID/slug
    "inews": Platform(
        sources=(Feed("/feed"),),
        spare=(
            Feed("/rss"),
            Sitemap("/sitemap.xml"),
            Archive("/", "a[href*='/read/']"),
            Index(),
            Search("/find?q={term}&page={page}", "a[href*='/read/']"),
        ),
    ),
    # /slug
    "rmol": Platform(
        sources=(Feed("/rss/latest-posts"),),
        spare=(Feed("/rss"), Feed("/feed"), Sitemap("/sitemap.xml"), Index(), LIKELY_SEARCH),
    ),
    # /kanal/slug-HASH
    "wahananews": Platform(
        sources=(Feed("/rss"),),
        spare=(Sitemap("/sitemap.xml"), Index(("/", "/arsip")), LIKELY_SEARCH),
        past=(DateArchive("/arsip?tanggal={day}-{month}-{year}"),),
    ),
    # /kanal/ID-slug; the main site's sitemaps are one for each section
    "viva": Platform(
        sources=(Sitemap("/sitemap/news/news-sitemap.xml"),),
        spare=(
            Feed("/get/all"),
            Sitemap("/sitemap.xml"),
            Index(),
            Search("/search?q={term}&page={page}", BY_SHAPE),
        ),
    ),
    # /content/slug; Drupal counts pages from 0
    "drupal": Platform(
        sources=(Feed("/rss.xml"),),
        spare=(Sitemap("/sitemap.xml"), Index(("/", "/node")), DRUPAL_SEARCH),
        past=(Index(("/node?page={index}",)),),
    ),
    # the election supervisor's offices: Drupal, /berita/slug
    "bawaslu": Platform(
        sources=(Archive("/berita", "a[href*='/berita/']"),),
        spare=(Feed("/rss.xml"), Sitemap("/sitemap.xml"), Index(), DRUPAL_SEARCH),
        past=(Archive("/berita?page={index}", "a[href*='/berita/']"),),
    ),
    # portals of regencies, cities and their offices: /berita/slug, as a rule
    "government": Platform(
        sources=(Archive("/berita?page={page}", "a[href*='/berita/']"),),
        spare=(
            Feed("/feed"),
            Feed("/rss"),
            Sitemap("/sitemap.xml"),
            Index(("/", "/berita")),
            LIKELY_SEARCH,
        ),
    ),
    # unknown, or a system of the outlet's own
    "generic": Platform(
        sources=(Feed("/feed"),),
        spare=(Feed("/rss"), Feed("/rss.xml"), Sitemap("/sitemap.xml"), Index(), LIKELY_SEARCH),
    ),
}
