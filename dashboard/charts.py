"""Pictures of numbers, as SVG within the page: bars by day or week, drawn by pygal, and the map.

They take their colours from pantau.css. Whoever cannot see them has the same numbers in a table
beside them, so they are hidden from screen readers and from the keyboard."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import pygal
from lxml import etree
from markupsafe import Markup

from storage.trends import Day

OUTLINES = Path(__file__).parent / "data" / "outlines.json"
LEVELS = 5  # of the map's colours
LABELS = 10  # bars that are named below
MOST_DAYS = 120  # that have a bar each; of more, a week has one
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True, slots=True)
class Span:
    """The findings of a day or a week, by kind: from `first` to `last`, both included."""

    first: date
    last: date
    kinds: Mapping[str, int]


def spans(days: Sequence[Day]) -> list[Span]:
    """A span for each day or, where they are many, for each seven of them; the last is whole."""
    if len(days) <= MOST_DAYS:
        return [Span(day.day, day.day, day.kinds) for day in days]
    weeks = [days[max(0, end - 7) : end] for end in range(len(days), 0, -7)]
    return [
        Span(week[0].day, week[-1].day, sum((Counter(day.kinds) for day in week), Counter()))
        for week in reversed(weeks)
    ]


def bars(
    shown: Sequence[Span],
    kinds: Mapping[str, str],
    name: Callable[[date], str],
    address: Callable[[Span, str], str],
) -> Markup:
    """A bar for each span, its findings by kind upon each other: `kinds` names them in the order of
    the colours, `name` a day; `address` is where a part of a bar leads."""
    chart = pygal.StackedBar(
        css=(), js=(), width=1000, height=260, margin=12, spacing=2, show_legend=False,
        show_minor_x_labels=False, disable_xml_declaration=True, no_prefix=True, truncate_label=-1,
        max_scale=5, integer=True,
        x_labels_major_every=max(1, -(-len(shown) // LABELS)),
    )  # fmt: skip
    chart.value_formatter = lambda value: f"{value:.0f}" if value == int(value) else ""
    chart.x_labels = [name(span.first) for span in shown]
    for kind, title in kinds.items():
        counts = [span.kinds.get(kind, 0) for span in shown]
        chart.add(
            title,
            [
                {"value": count, "xlink": {"href": address(span, kind)}} if count else None
                for span, count in zip(shown, counts, strict=True)
            ],
        )
    return _plain(chart.render_tree())


def _plain(tree: etree._Element) -> Markup:
    """pygal's picture without its own styles, scripts and tooltips."""
    etree.strip_elements(tree, "defs", "desc", "title", etree.Comment, with_tail=False)
    for group in tree.iter("g"):
        if "tooltip-overlay" in group.get("class", ""):
            group.clear()
    for link in tree.iter("a"):
        link.set("href", link.attrib.pop(_XLINK, ""))
        link.set("tabindex", "-1")
    tree.attrib.pop("id", "")
    tree.set("aria-hidden", "true")
    tree.set("class", "chart")
    return Markup(etree.tostring(tree, encoding="unicode"))  # noqa: S704 (made of numbers and days)


@dataclass(frozen=True, slots=True)
class Shape:
    """A province on the map: `path` is its outline, `level` its colour, 0 (none) to LEVELS."""

    code: str
    path: str
    findings: int
    level: int


@cache
def outlines() -> dict[str, str]:
    """The outline of each province by its code, as an SVG path in a picture of 1000 × 377."""
    loaded: dict[str, str] = json.loads(OUTLINES.read_text("utf-8"))["provinces"]
    return loaded


def shapes(findings: Mapping[str, int]) -> list[Shape]:
    """The map: `findings` by the code of the province."""
    most = max(findings.values(), default=0)
    return [
        Shape(code, path, count, -(-count * LEVELS // most) if count else 0)
        for code, path in outlines().items()
        for count in [findings.get(code, 0)]
    ]
