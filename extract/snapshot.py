"""A page as the proof of a finding."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import zstandard

from extract.article import Page


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One page as it was fetched: `html` is compressed with zstd, `sha256` is of the raw bytes."""

    url: str
    fetched: datetime
    charset: str | None
    sha256: str
    html: bytes

    @classmethod
    def of(cls, page: Page) -> "Snapshot":
        """The snapshot of `page`."""
        return cls(
            page.url,
            page.fetched,
            page.charset,
            hashlib.sha256(page.html).hexdigest(),
            zstandard.compress(page.html),
        )
