"""Keeping XML bombs out."""

import re

from crawler.sources.reader import SourceError

# ASCII, and UTF-16 with its NULs: no honest feed or sitemap declares entities
_ENTITY = re.compile(rb"<\0?!\0?E\0?N\0?T\0?I\0?T\0?Y", re.IGNORECASE)


def refuse_entities(xml: bytes) -> None:
    """Raise SourceError where `xml` declares entities."""
    if _ENTITY.search(xml):
        raise SourceError("it declares XML entities, which Pantau refuses to expand")
