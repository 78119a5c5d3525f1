"""The systems that outlets run on: each with its sources, described once.

A row of the catalogue that names its platform needs no sources of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crawler.sources import Feed, Sitemap, Source, WordPress


@dataclass(frozen=True, slots=True)
class Platform:
    """`sources` are read every day, `spare` once a week and where a daily one fails, `past` by
    backfills only; see `crawler.spider.OutletSpider`."""

    sources: Sequence[Source]
    spare: Sequence[Source] = ()
    past: Sequence[Source] = ()


PLATFORMS = {
    "wordpress": Platform(
        sources=(Feed("/feed/", pages="/feed/?paged={page}"),),
        spare=(WordPress(), Sitemap("/wp-sitemap.xml"), Sitemap("/sitemap_index.xml")),
    ),
}
