"""Windows of the past: what an address says about when its articles are from."""

import re
from datetime import date, datetime, time, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

_IN_PATH = re.compile(r"/((?:19|20)\d\d)/(\d\d?)(?:/(\d\d?))?(?=/)")
# post-sitemap-2023-07 · .202307. · /2023/7 · ?yyyy=2023&mm=07; not 2023-7, which may be a page
_IN_NAME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)(?:(?:[-_.]|&mm=|&month=)?(0[1-9]|1[0-2])|/(0?[1-9]|1[0-2]))(?!\d)",
    re.IGNORECASE,
)

Span = tuple[datetime, datetime]
"""When something begins, and when it has ended."""


def window_of(first: date, last: date, zone: ZoneInfo) -> Span:
    """From the beginning of the day `first` to the end of the day `last` in `zone`."""
    following = last + timedelta(days=1)
    return datetime.combine(first, time.min, zone), datetime.combine(following, time.min, zone)


def span_of_article(url: str, zone: ZoneInfo) -> Span | None:
    """The day or month in `zone` that the path of an article names, as /2023/07/15/slug."""
    named = _IN_PATH.search(urlsplit(url).path + "/")
    return _span(int(named[1]), int(named[2]), int(named[3] or 0), zone) if named else None


def span_of_listing(url: str, zone: ZoneInfo) -> Span | None:
    """The month in `zone` that the address of a sitemap names, as post-sitemap-2023-07.xml."""
    parts = urlsplit(url)
    named = _IN_NAME.search(f"{parts.path}?{parts.query}")
    return _span(int(named[1]), int(named[2] or named[3]), 0, zone) if named else None


def _span(year: int, month: int, day: int, zone: ZoneInfo) -> Span | None:
    try:
        begin = datetime(year, month, day or 1, tzinfo=zone)
    except ValueError:
        return None
    return begin, begin + timedelta(days=1) if day else next_month(begin)


def months(since: datetime, until: datetime, zone: ZoneInfo) -> list[Span]:
    """The months of the window in `zone`, the newest first; the first and last may be parts."""
    first = since.astimezone(zone)
    begins = [datetime.combine(first.replace(day=1), time.min, zone)]
    while (following := next_month(begins[-1])) < until:
        begins.append(following)
    ends = [*begins[1:], until]
    begins[0] = first
    return list(zip(begins, ends, strict=True))[::-1]


def next_month(begin: datetime) -> datetime:
    """The beginning of the month after the one that begins with `begin`."""
    return (begin + timedelta(days=31)).replace(day=1)
