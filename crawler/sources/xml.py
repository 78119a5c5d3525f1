"""Keeping XML bombs out."""

import re

from crawler.sources.reader import SourceError

# ASCII, and UTF-16 or UTF-32 with its NULs: no honest feed or sitemap declares entities
_ENTITY = re.compile(rb"\0{0,3}".join(re.escape(bytes([c])) for c in b"<!ENTITY"), re.IGNORECASE)


def refuse_entities(xml: bytes) -> None:
    """Raise SourceError where `xml` declares entities."""
    if _ENTITY.search(xml):
        raise SourceError("it declares XML entities, which Pantau refuses to expand")
