"""The pages that are read, and what they say."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from extract.article import Page
from tests.extract.platforms import Expected, cases
from tests.extract.saved import ZONE, saved_pages


@dataclass(frozen=True)
class Sample:
    """An article on its page or pages (or an index: `expected` is None) and what is known to be
    right of it: `title`, `text`, `published` and mostly `authors`."""

    name: str
    group: str
    pages: list[Page]
    zone: ZoneInfo
    outlet: str = ""
    listed: datetime | None = None
    expected: dict[str, Any] | None = None


def samples() -> list[Sample]:
    """All pages: those of the group "platforms", then those of the group "saved"."""
    ours = [
        Sample(
            case.name,
            "platforms",
            case.pages,
            case.zone,
            case.outlet,
            case.listed,
            _fields(case.expected) if case.expected else None,
        )
        for case in cases()
    ]
    return ours + [
        Sample(saved.name, "saved", [saved.page], ZONE, expected=saved.fields)
        for saved in saved_pages()
    ]


def _fields(expected: Expected) -> dict[str, Any]:
    return asdict(expected) | {"text": "\n".join(expected.text)}
