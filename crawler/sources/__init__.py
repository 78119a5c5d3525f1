"""The ways an outlet lists its articles.

A source reads its listing back, page after page, and offers each page's links to the reader, until
all of a page was known to the last complete reading.
"""

from crawler.sources.captures import CommonCrawl, Wayback
from crawler.sources.feed import Feed
from crawler.sources.index import Index
from crawler.sources.pages import (
    BY_SHAPE,
    TAGS,
    TERMS,
    WORDPRESS_SEARCH,
    WORDPRESS_TAGS,
    Archive,
    DateArchive,
    Search,
)
from crawler.sources.reader import Reader, Source, SourceError
from crawler.sources.sitemap import Sitemap
from crawler.sources.wordpress import WordPress

__all__ = [
    "BY_SHAPE",
    "TAGS",
    "TERMS",
    "WORDPRESS_SEARCH",
    "WORDPRESS_TAGS",
    "Archive",
    "CommonCrawl",
    "DateArchive",
    "Feed",
    "Index",
    "Reader",
    "Search",
    "Sitemap",
    "Source",
    "SourceError",
    "Wayback",
    "WordPress",
]
