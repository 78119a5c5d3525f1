"""When an article was published: every place a page may say so, the surest first."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dateparser.date import DateDataParser

EARLIEST = 1998  # before it there was no online press to speak of; typos like 15/1/1024 fall out
ZONES = {
    "WIB": ZoneInfo("Asia/Jakarta"),
    "WITA": ZoneInfo("Asia/Makassar"),
    "WIT": ZoneInfo("Asia/Jayapura"),
}

_MONTH = (
    r"Jan(?:uari|uary)?|[FP]eb(?:ruari|ruary)?|Mar(?:et|ch)?|Apr(?:il)?|Mei|May|Jun[ie]?|Jul[iy]?"
    r"|A(?:gustus|ugust|gt|gs|gu|ug)|Sept?(?:ember)?|O[kc]t(?:ober)?|No[vp](?:ember)?"
    r"|De[sc](?:ember)?"
)
_TIME = (
    r"(?:[\s,|/•·–—-]{0,5}(?:pukul|jam|at|@)?[\s:]{0,2}"
    r"(?P<hour>[01]?\d|2[0-3])[.:](?P<minute>[0-5]\d)(?:[.:](?P<second>[0-5]\d))?(?!\d)"
    r"(?:\s?(?P<half>[ap]\.?m\b)\.?)?)?"
    r"(?:\s{0,2}\(?(?P<zone>WIB|WITA|WIT)\b)?"
)
# Day before month, as Indonesia writes; the month first only where it is a word.
VISIBLE = re.compile(
    rf"(?<![\d/.-])(?:"
    rf"(?P<day>\d{{1,2}})(?:\s|\s?[-/.]\s?)(?P<month>{_MONTH})\.?(?:\s|\s?[-/.,]\s?)(?P<year>\d{{4}})"
    rf"|(?P<day2>\d{{1,2}})\s?[-/.]\s?(?P<month2>\d{{1,2}})\s?[-/.]\s?(?P<year2>\d{{4}})"
    rf"|(?P<month3>{_MONTH})\.?\s(?P<day3>\d{{1,2}}),?\s(?P<year3>\d{{4}})"
    rf"|(?P<year4>\d{{4}})-(?P<month4>\d{{2}})-(?P<day4>\d{{2}})"
    rf")(?!\d){_TIME}",
    re.IGNORECASE,
)
_SPELLINGS = {"peb": "Februari", "ags": "Agustus", "nop": "November"}  # what dateparser lacks
_STAMP = re.compile(
    r"\s*(\d{4}-\d{2}-\d{2})(?:[T\s]{1,2}(\d{2}:\d{2}(?::\d{2})?)(?:\.\d{1,9})?\s?(Z|UTC|[+-]\d{2}:?\d{2})?)?"
)
_IN_PATH = re.compile(r"/(\d{4})/(\d{1,2})/(\d{1,2})(?=/)")
_words = DateDataParser(
    languages=["id", "en"],
    settings={"DATE_ORDER": "DMY", "REQUIRE_PARTS": ["day", "month", "year"]},
)


class Stamp(NamedTuple):
    """A point in time as a page gives it; `exact` when it says the hour too, `utc` when it was
    written as UTC."""

    at: datetime
    exact: bool
    utc: bool = False


def read_stamp(text: str, zone: ZoneInfo) -> Stamp | None:
    """A machine-written timestamp (ISO 8601 and its neighbours); without an offset, in `zone`."""
    found = _STAMP.match(text)
    if not found:
        return None
    day, clock, offset = found.groups()
    offset = "+00:00" if offset in ("Z", "UTC") else offset or ""
    try:
        at = datetime.fromisoformat(f"{day}T{clock or '00:00'}{offset}")
        utc = offset != "" and not at.utcoffset()
        return Stamp(_in_zone(at, zone), clock is not None, utc)
    except (ValueError, OverflowError):
        return None


def read_visible(text: str, zone: ZoneInfo) -> Stamp | None:
    """The first date with a year that people wrote in `text`, in `zone` unless it says WIB, WITA
    or WIT."""
    found = VISIBLE.search(text)
    if not found:
        return None
    part = found.groupdict()
    day = part["day"] or part["day2"] or part["day3"] or part["day4"]
    month = part["month"] or part["month2"] or part["month3"] or part["month4"]
    year = part["year"] or part["year2"] or part["year3"] or part["year4"]
    try:
        if month.isdecimal():
            date = datetime(int(year), int(month), int(day))  # noqa: DTZ001 - its zone comes below
        else:
            month = _SPELLINGS.get(month.lower()[:3], month)
            parsed = _words.get_date_data(f"{day} {month} {year}").date_obj
            if parsed is None:
                return None
            date = parsed
        hour = int(part["hour"] or 0)
        if part["half"]:
            hour = hour % 12 + (12 if part["half"][0] in "pP" else 0)
        at = date.replace(
            hour=hour, minute=int(part["minute"] or 0), second=int(part["second"] or 0)
        )
        return Stamp(
            _in_zone(at, zone, ZONES.get((part["zone"] or "").upper())), part["hour"] is not None
        )
    except (ValueError, OverflowError):
        return None


def read_path(url: str, zone: ZoneInfo) -> Stamp | None:
    """The day in an address like /2024/05/15/slug."""
    found = _IN_PATH.search(urlsplit(url).path)
    try:
        return found and Stamp(datetime(*map(int, found.groups()), tzinfo=zone), exact=False)  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def published(
    given: Iterable[tuple[str, str]],
    visible: Iterable[str],
    *,
    url: str,
    zone: ZoneInfo,
    fetched: datetime,
    listed: datetime | None,
) -> tuple[datetime, str] | tuple[None, None]:
    """When the article came out, in the outlet's zone, and what says so.

    `given` are (source, timestamp) pairs in order of trust, `visible` the short lines around the
    headline, nearest first. A bare day is made exact by a later candidate of that same day.
    Impossible dates (before 1998, or more than a day after `fetched`) count as absent.
    """
    stamps = [
        (stamp, source)
        for stamp, source in _candidates(given, visible, url, zone, listed)
        if stamp.at.year >= EARLIEST and stamp.at <= fetched + timedelta(days=1)
    ]
    if not stamps:
        return None, None
    first, source = stamps[0]
    if first.utc:
        # Some sites call their local time "Z". The clock they print beside the headline tells.
        clock = first.at.astimezone(UTC).replace(tzinfo=None, second=0)
        for stamp, its_source in stamps:
            if its_source == "text" and stamp.exact and stamp.at.replace(tzinfo=None) == clock:
                return first.at.astimezone(UTC).replace(tzinfo=zone), source
    if not first.exact:
        for stamp, its_source in stamps[1:]:
            if stamp.exact and stamp.at.date() == first.at.date():
                return stamp.at, its_source
    return first.at, source


def _candidates(
    given: Iterable[tuple[str, str]],
    visible: Iterable[str],
    url: str,
    zone: ZoneInfo,
    listed: datetime | None,
) -> Iterator[tuple[Stamp, str]]:
    for source, text in given:
        if stamp := read_stamp(text, zone) or read_visible(text, zone):
            yield stamp, source
    for line in visible:
        if stamp := read_visible(line, zone):
            yield stamp, "text"
    if listed is not None:
        yield Stamp(_in_zone(listed, zone), exact=True), "source"
    if stamp := read_path(url, zone):
        yield stamp, "url"


def _in_zone(at: datetime, zone: ZoneInfo, written_in: ZoneInfo | None = None) -> datetime:
    if at.tzinfo is None:
        at = at.replace(tzinfo=written_in or zone)
    return at.astimezone(zone)
