"""When an article was published: every place a page may say so, the surest first."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from itertools import chain, islice
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dateparser.date import DateDataParser

EARLIEST = 1998  # before it there was no online press to speak of; typos like 15/1/1024 fall out
AHEAD = timedelta(hours=2)  # an outlet's clock may be in the wrong zone of the country
DAY = timedelta(days=1)
ZONES = {
    "WIB": ZoneInfo("Asia/Jakarta"),
    "WITA": ZoneInfo("Asia/Makassar"),
    "WIT": ZoneInfo("Asia/Jayapura"),
    "GMT": UTC,
    "UTC": UTC,
}
_GIVEN = frozenset(("json-ld", "meta", "time"))

_WEEKDAYS = ("sen mon", "sel tue", "rab wed", "kam thu", "jum fri", "sab sat", "min aha sun")
_WEEKDAY_NAMES = (
    r"senin|selasa|rabu|kamis|jum['’`]?at|sabtu|minggu|ahad|sen|sel|rab|kam|jum|sab|min"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun"
)
_WEEKDAY = rf"(?P<weekday>{_WEEKDAY_NAMES})\b[\s.,/|(-]{{0,4}}"
_MONTH = (
    r"Jan(?:uari|uary)?|[FP]eb(?:ruari|ruary)?|Mar(?:et|ch)?|Apr(?:il)?|Mei|May|Jun[ie]?|Jul[iy]?"
    r"|A(?:gustus|ugust|gt|gs|gu|ug)|Sept?(?:ember)?|O[kc]t(?:ober)?|No[vp](?:ember)?"
    r"|De[sc](?:ember)?"
)
_TIME = (
    r"(?:[\s,|/•·)–—-]{0,5}(?:pukul|jam|at|@)?[\s:]{0,2}"
    r"(?P<hour>[01]?\d|2[0-3])[.:](?P<minute>[0-5]\d)(?:[.:](?P<second>[0-5]\d))?(?!\d)"
    r"(?:\s?(?P<half>[ap]\.?m\b)\.?)?)?"
    r"(?:\s{0,2}\(?(?P<zone>WIB|WITA|WIT|GMT|UTC)?\b(?P<offset>[+-]\d{2}:?\d{2}\b)?)?"
)
# Day before month, as Indonesia writes; the month first only where it is a word.
VISIBLE = re.compile(
    rf"(?:\b{_WEEKDAY})?(?<![\d/.:-])(?:"
    rf"(?P<day1>\d{{1,2}})(?:st|nd|rd|th)?(?:\s|\s?[-/.]\s?)(?P<month1>{_MONTH})\b\.?"
    rf"(?:,?\s|\s?[-/.,]\s?)['’]?(?P<year1>\d{{4}}|\d{{2}}(?![\d:.]))"
    rf"|(?P<day2>\d{{1,2}})\s?[-/.]\s?(?P<month2>\d{{1,2}})\s?[-/.]\s?(?P<year2>\d{{4}})"
    rf"|(?P<day3>\d{{1,2}})(?P<mark>[-/])(?P<month3>\d{{1,2}})(?P=mark)(?P<year3>\d{{2}}(?![\d/-]))"
    rf"|(?P<month4>{_MONTH})\.?\s(?P<day4>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<year4>\d{{4}})"
    rf"|(?P<year5>\d{{4}})[-/](?P<month5>\d{{2}})[-/](?P<day5>\d{{2}})"
    rf")(?!\d){_TIME}",
    re.IGNORECASE,
)
_YEARLESS = re.compile(
    rf"(?:\b{_WEEKDAY}(?P<day1>\d{{1,2}})/(?P<month1>\d{{1,2}})(?![/\d])\)?"
    rf"|(?:\b{_WEEKDAY.replace('weekday', 'weekday2')})?(?<![\d/.:-])"
    rf"(?P<day2>\d{{1,2}})\s(?P<month2>{_MONTH})\b(?!\s?\d{{4}})){_TIME}",
    re.IGNORECASE,
)
_AGO = re.compile(
    r"\b(?P<number>\d{1,2}|se|an? )\s?(?P<unit>menit|jam|hari|minutes?|mins?|hours?|days?)"
    r"(?: yang)? (?:lalu|ago)\b|^\W*(?P<yesterday>kemarin|yesterday)\b"
    rf"(?=(?:{_TIME.replace('?P<', '?P<y')})\W*$)",
    re.IGNORECASE,
)
_TIME_BEFORE = re.compile(
    r"(?<![\d.:])(?P<hour>[01]?\d|2[0-3])[.:](?P<minute>[0-5]\d)\s?(?P<zone>WIB|WITA|WIT)?\W{1,4}$",
    re.IGNORECASE,
)
_UPDATED = re.compile(r"(?:updated?|di-?perbarui|diubah|modified|pembaruan)\b\W*$", re.IGNORECASE)
_IMPRINT_WORDS = re.compile(
    rf"\b(?:{_WEEKDAY_NAMES}|\d+|views?|kali|dibaca|dilihat|on|in"
    r"|by|oleh|posted|published|pada|tanggal|tgl|hari|waktu|dipublikasikan|diterbitkan|diposting"
    r"|publikasi|terbit|tayang|penulis|reporter|pewarta|editor|redaksi|admin|jurnalis|wib|wita|wit"
    r"|last|updated?|diperbarui|share|bagikan|komentar|comments?|menit|min|read|baca)\b|[^\w\s]+",
    re.IGNORECASE,
)
_SIGNED = re.compile(
    r"\b(?:by|oleh|penulis|reporter|pewarta|editor|redaksi|admin|jurnalis)\b|\s[|•·/»–—-]\s",
    re.IGNORECASE,
)
_SPELLINGS = {"peb": "Februari", "ags": "Agustus", "nop": "November"}  # what dateparser lacks
_STAMP = re.compile(
    r"\s*(\d{4}-\d{2}-\d{2})(?:[T\s]{1,2}(\d{2}:\d{2}(?::\d{2})?)(?:\.\d{1,9})?\s?(Z|UTC|[+-]\d{2}:?\d{2})?)?"
)
_EPOCH = re.compile(r"\s*(\d{10})(?:\d{3})?\s*")
_IN_PATH = re.compile(r"/(\d{4})/(\d{1,2})/(\d{1,2})(?=/)")
_MONTH_IN_PATH = re.compile(r"/(\d{4})/(\d{1,2})(?=/)")
_words = DateDataParser(languages=["id", "en"])


class Stamp(NamedTuple):
    """A point in time as a page gives it: `exact` when it says the hour too, `utc` when it was
    written as UTC, `clock` what it shows without any zone, `inferred` when a part of it is not
    written."""

    at: datetime
    exact: bool
    utc: bool = False
    clock: datetime | None = None
    inferred: bool = False


def read_stamp(text: str, zone: ZoneInfo) -> Stamp | None:
    """A machine-written timestamp (ISO 8601 and its neighbours, RFC 5322, seconds since 1970);
    without an offset, in `zone`. Midnight sharp is a day without its hour."""
    try:
        if found := _EPOCH.fullmatch(text):
            return _stamp(datetime.fromtimestamp(int(found[1]), UTC), zone)
        if found := _STAMP.match(text):
            day, clock, offset = found.groups()
            offset = "+00:00" if offset in ("Z", "UTC") else offset or ""
            at = datetime.fromisoformat(f"{day}T{clock or '00:00'}{offset}")
            return _stamp(at, zone, utc=offset != "" and not at.utcoffset())
        if "," in text[:5]:
            at = parsedate_to_datetime(text[:60])
            return _stamp(at, zone, utc=at.tzinfo is not None and not at.utcoffset())
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _stamp(at: datetime, zone: ZoneInfo, *, utc: bool = False) -> Stamp:
    clock = at.replace(tzinfo=None)
    if not (at.hour or at.minute or at.second):
        return Stamp(clock.replace(tzinfo=zone), False, False, clock)
    return Stamp(_in_zone(at, zone), True, utc, clock)


def read_visible(
    text: str, zone: ZoneInfo, *, by: datetime | None = None, near: date | None = None
) -> Stamp | None:
    """The first date that people wrote in `text`, in `zone` unless it says WIB, WITA or WIT.

    The day stands before the month unless that cannot be, or the weekday says otherwise. With
    `by`, the time it was seen, a missing year or day ("Jumat (4/10)", "3 jam lalu") is inferred:
    the year nearest to `near`, else the latest that fits the weekday and is not after `by`.
    """
    for found in VISIBLE.finditer(text):
        if not _UPDATED.search(text[max(found.start() - 20, 0) : found.start()]):
            day, inferred = _day(_parts(found))
            if day and day.year >= EARLIEST and (stamp := _at(day, found, zone)):
                return stamp._replace(inferred=inferred)
    return _infer(text, zone, by, near) if by else None


def _infer(text: str, zone: ZoneInfo, by: datetime, near: date | None) -> Stamp | None:
    now = by.astimezone(zone)
    if (found := _AGO.search(text)) and not _UPDATED.search(text[: found.start()]):
        number, unit = found["number"], (found["unit"] or "day").lower()
        count = int(number) if number and number.isdecimal() else 1
        if unit.startswith(("hari", "day")):
            at = (now - count * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
        else:
            hours = unit.startswith(("jam", "hour"))
            at = now - (timedelta(hours=count) if hours else timedelta(minutes=count))
        return Stamp(at.replace(second=0, microsecond=0), False, inferred=True)
    if (found := _YEARLESS.search(text)) and not _UPDATED.search(text[: found.start()]):
        part = _parts(found)
        days = []
        for year in range(now.year - 12, now.year + 1):
            day = _date(year, _month(part["month"]), int(part["day"]))
            if day and day <= now.date():
                days.append(day)
        weekday = _weekday(part)
        days = [day for day in days if day.weekday() == weekday] or days
        if days:
            day = min(days, key=lambda d: abs(d - near)) if near else days[-1]
            stamp = _at(day, found, zone)
            return stamp and stamp._replace(inferred=True)
    return None


def _parts(found: re.Match[str]) -> dict[str, str]:
    """The named groups that took part, without the numbers that tell like ones apart."""
    return {name.rstrip("0123456789"): text for name, text in found.groupdict().items() if text}


def _day(part: dict[str, str]) -> tuple[date | None, bool]:
    """The day that is meant, and whether that is not quite sure: two figures for the year, with
    neither the month's name nor the weekday to confirm it."""
    day, month, year = int(part["day"]), part["month"], int(part["year"])
    short = len(part["year"]) == 2
    year += 2000 if short else 0
    readings = [_date(year, _month(month), day)]
    if month.isdecimal():
        readings.append(_date(year, day, int(month)))
    possible = [reading for reading in readings if reading]
    fitting = [reading for reading in possible if reading.weekday() == _weekday(part)]
    unsure = short and month.isdecimal() and not fitting
    return next(iter(fitting + possible), None), unsure


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


@cache
def _month(word: str) -> int:
    if word.isdecimal():
        return int(word)
    parsed = _words.get_date_data(f"1 {_SPELLINGS.get(word.lower()[:3], word)} 2000").date_obj
    return parsed.month if parsed else 0


def _weekday(part: dict[str, str]) -> int | None:
    word = part.get("weekday", "-")[:3].lower()
    return next((number for number, names in enumerate(_WEEKDAYS) if word in names.split()), None)


def _at(day: date, found: re.Match[str], zone: ZoneInfo) -> Stamp | None:
    """`day` with the time that was written behind it, or else just before it."""
    part = _parts(found)
    if "hour" not in part:
        before = _TIME_BEFORE.search(found.string[max(found.start() - 25, 0) : found.start()])
        part |= _parts(before) if before else {}
    hour = int(part.get("hour", 0))
    if half := part.get("half"):
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    minute, second = int(part.get("minute", 0)), int(part.get("second", 0))
    clock = datetime.combine(day, time(hour, minute, second))
    if "hour" not in part:
        return Stamp(clock.replace(tzinfo=zone), False, False, clock)
    try:
        if offset := part.get("offset"):
            at = datetime.fromisoformat(f"{clock.isoformat()}{offset}")
        else:
            at = clock.replace(tzinfo=ZONES.get(part.get("zone", "").upper(), zone))
        return Stamp(_in_zone(at, zone), True, not at.utcoffset(), clock)
    except (ValueError, OverflowError):
        return None


def date_in(text: str) -> str | None:
    """The one date in a text, as it stands there; None if there are several or it is that of a
    change."""
    found = list(islice(VISIBLE.finditer(text), 3)) or list(islice(_YEARLESS.finditer(text), 3))
    if len(found) != 1 or _UPDATED.search(text[max(found[0].start() - 20, 0) : found[0].start()]):
        return None
    return found[0][0].strip()


def is_imprint(line: str) -> bool:
    """Whether a line is about a date: one, and few other words than bylines and counters have."""
    if len(line) > 160 or line.endswith((".", "-", "–", "—")):
        return False
    rest, dates = VISIBLE.subn(" ", line)
    if not dates:
        rest, dates = (_AGO if _AGO.search(line) else _YEARLESS).subn(" ", line)
    words = len(_IMPRINT_WORDS.sub(" ", rest).split())
    return dates > 0 and words <= (8 if _SIGNED.search(line) else 3)


def read_path(url: str, zone: ZoneInfo) -> Stamp | None:
    """The day in an address like /2024/05/15/slug."""
    found = _IN_PATH.search(urlsplit(url).path)
    day = found and _date(*map(int, found.groups()))
    return Stamp(datetime(day.year, day.month, day.day, tzinfo=zone), False) if day else None


def published(
    given: Iterable[tuple[str, str]],
    visible: Iterable[str],
    *,
    url: str,
    zone: ZoneInfo,
    fetched: datetime,
    listed: datetime | None,
) -> tuple[Stamp, str] | None:
    """When the article came out, in the outlet's zone, and what says so.

    `given` are (source, timestamp) pairs in order of trust, `visible` the short lines around the
    headline, nearest first. The first candidate counts unless the others overrule it; a bare day
    is made exact by a candidate of that same day. Impossible dates (before 1998, or after
    `fetched`) count as absent.
    """
    address = read_path(url, zone)
    near = address or (Stamp(_in_zone(listed, zone), exact=True) if listed else None)
    anchor = near.at.date() if near else _month_in(url)
    imprints = [line for line in visible if is_imprint(line)]
    written = [
        (stamp, "text")
        for line in imprints
        if (stamp := read_visible(line, zone, by=fetched, near=anchor))
    ]
    stamps = chain(
        ((s, source) for source, text in given if (s := _read_given(text, zone, fetched))),
        (pair for pair in written if not pair[0].inferred),
        [(Stamp(_in_zone(listed, zone), exact=True), "source")] if listed else (),
        [(address, "url")] if address else (),
        (pair for pair in written if pair[0].inferred),
    )
    possible = [
        (stamp, source)
        for stamp, source in stamps
        if stamp.at.year >= EARLIEST and stamp.at <= fetched + AHEAD
    ]
    if not possible:
        return None
    days = _days(possible)
    chosen = (pair for pair in possible if not _is_overruled(*pair, days, fetched))
    return _exact(*next(chosen, possible[0]), possible, zone)


def _read_given(text: str, zone: ZoneInfo, fetched: datetime) -> Stamp | None:
    stamp = read_stamp(text, zone) or read_visible(text, zone)
    if stamp and stamp.utc and stamp.clock and stamp.at > fetched:  # it cannot be UTC
        return Stamp(stamp.clock.replace(tzinfo=zone), True, False, stamp.clock)
    return stamp


def _month_in(url: str) -> date | None:
    """The middle of the month in an address like /2024/05/slug.html."""
    found = _MONTH_IN_PATH.search(urlsplit(url).path)
    return _date(int(found[1]), int(found[2]), 15) if found else None


def _days(stamps: Sequence[tuple[Stamp, str]]) -> dict[str, date]:
    """The day that each kind of source names first."""
    days: dict[str, date] = {}
    for stamp, source in stamps:
        if not stamp.inferred:
            days.setdefault(source, stamp.at.date())
    return days


def _is_overruled(stamp: Stamp, source: str, days: dict[str, date], fetched: datetime) -> bool:
    """Whether the page's other dates agree on another day: two against one, or two that do not
    come from the same structured data. One is enough against the day of the fetch, which is what
    a page says that prints the time it was built."""
    day, today = stamp.at.date(), fetched.astimezone(stamp.at.tzinfo).date()
    support = {kind for kind, other in days.items() if abs(other - day) <= DAY} - {source}
    for other in {*days.values()}:
        backers = {kind for kind, its in days.items() if abs(its - other) <= DAY} - {source}
        if abs(other - day) <= DAY or abs(other - today) <= DAY:
            continue
        if len(backers - _GIVEN) >= 2 and not support - _GIVEN:
            return True
        if not support and len(backers) >= (1 if abs(today - day) <= DAY else 2):
            return True
    return False


def _exact(
    stamp: Stamp, source: str, possible: Sequence[tuple[Stamp, str]], zone: ZoneInfo
) -> tuple[Stamp, str]:
    """A candidate with what the others of its day know better: the hour, the right offset."""
    if not stamp.exact:
        same = (pair for pair in possible if pair[0].exact and pair[0].at.date() == stamp.at.date())
        exact = next(same, None)
        return (exact[0]._replace(inferred=stamp.inferred), exact[1]) if exact else (stamp, source)
    if source not in _GIVEN or stamp.clock is None:
        return stamp, source
    minute = stamp.at.replace(second=0, microsecond=0)
    for written, kind in possible:
        if kind != "text" or not written.exact or written.clock is None:
            continue
        if written.clock == stamp.clock.replace(second=0) and written.at != minute:
            # the same clock in two zones: it is the outlet's, or that of the zone it prints
            at = written.at if stamp.utc else stamp.clock.replace(tzinfo=zone)
            return stamp._replace(at=at.replace(second=stamp.at.second)), source
        if written.at.replace(second=0) - minute == zone.utcoffset(stamp.clock):
            # UTC that does not say so
            return stamp._replace(at=written.at.replace(second=stamp.at.second)), source
    days = {s.at.date() for s, kind in possible if kind == "text"}
    if stamp.utc and stamp.clock.date() in days and stamp.at.date() not in days:
        return stamp._replace(at=stamp.clock.replace(tzinfo=zone)), source  # local time called UTC
    return stamp, source


def _in_zone(at: datetime, zone: ZoneInfo) -> datetime:
    return at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
