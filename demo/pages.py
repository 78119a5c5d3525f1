"""Filling the demo's HTML templates, and writing dates as Indonesians do."""

from collections.abc import Iterable
from datetime import date
from functools import cache
from html import escape
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).with_name("templates")
DAYS = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)


class Html(str):
    """Text that is markup already: `render` inserts it as it is and escapes every other."""

    __slots__ = ()


@cache
def _template(name: str) -> Template:
    return Template((TEMPLATES / f"{name}.html").read_text("utf-8"))


def render(name: str, **values: str) -> Html:
    safe = {key: v if isinstance(v, Html) else escape(v) for key, v in values.items()}
    return Html(_template(name).substitute(safe))


def fill(markup: str, **values: str) -> Html:
    """The same for a few words of markup: `fill("<p>{text}</p>", text=…)`."""
    safe = {key: v if isinstance(v, Html) else escape(v) for key, v in values.items()}
    return Html(markup.format(**safe))


def join(parts: Iterable[str]) -> Html:
    return Html("\n".join(parts))


def links(targets: Iterable[tuple[str, str]], around: str = "<li>{link}</li>") -> Html:
    """A list of links, given as (address, words)."""
    return join(
        fill(around, link=fill('<a href="{address}">{words}</a>', address=address, words=words))
        for address, words in targets
    )


def day_month_year(day: date) -> str:
    """15 Mei 2024"""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def weekday(day: date) -> str:
    return DAYS[day.weekday()]
