"""What a source lists."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Link:
    """An address found in a source, with the dates the source gave (aware), if any.

    `url` is the canonical form, `address` what to fetch; `found`: it gave a finding before.
    """

    url: str
    address: str
    published: datetime | None = None
    modified: datetime | None = None
    found: bool = False
