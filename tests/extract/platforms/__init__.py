"""Test pages in the manner of the platforms Indonesia's regional press is made with.

`NAME.html` is a platform's article page (string.Template), `NAME.toml` what it is filled with and
what must be read from it; `NAME-list.html`, where there is one, its index, tag and error pages.
All of it is ours.

A TOML file has of its theme: `outlet`, `host`, `zone`, `date` (how the page prints a date), the
markup of a `line`, `figure`, `tag` and `tags`, and `[between]`: furniture after the line of that
number. Each `[[article]]` has the fields expected of it (no field: none), and

* `path`; `fetched`, when that matters; `listed`, the date its sitemap gives; `inferred`, where its
  date has no year; `second_page`, the line that begins it (at `second`, which its theme adds to
  the path); `charset`, if not UTF-8;
* `[article.printed]`: what the page shows instead of a field's value ("title", "date", "author",
  "iso": the timestamp of its structured data, ...);
* `[article.markup]`: the HTML of the line of that number, or of what comes "after 3".

A `[[list]]` is a page with a `heading` and every article as an `item`, or with the HTML of an
`empty` one.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from zoneinfo import ZoneInfo

from extract.article import Page

FOLDER = Path(__file__).parent
FETCHED = datetime(2026, 11, 21, tzinfo=UTC)
DAYS = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
MONTHS = "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember"
ABBREVIATIONS = {timedelta(hours=7): "WIB", timedelta(hours=8): "WITA", timedelta(hours=9): "WIT"}


@dataclass(frozen=True)
class Expected:
    """What must be read from an article's pages: every field exactly so. `inferred`: the date's
    year is not on the page."""

    title: str
    text: tuple[str, ...]
    authors: tuple[str, ...]
    published: datetime | None
    section: str | None
    tags: tuple[str, ...]
    image: str | None
    caption: str | None
    dateline: str | None
    paid: bool
    inferred: bool
    language: str = "id"


@dataclass(frozen=True)
class Case:
    """An article, or something that is none (`expected` is None), as it would be fetched."""

    name: str
    pages: list[Page] = field(repr=False)
    outlet: str
    zone: ZoneInfo
    listed: datetime | None = None
    expected: Expected | None = None


def cases() -> list[Case]:
    """Every page of every platform."""
    themes = {file.stem: tomllib.loads(file.read_text("utf-8")) for file in FOLDER.glob("*.toml")}
    found = []
    for name, theme in sorted(themes.items()):
        found += [_article(name, theme, article) for article in theme["article"]]
        found += [_list(name, theme, page, themes) for page in theme.get("list", ())]
    return found


def _article(name: str, theme: dict[str, Any], article: dict[str, Any]) -> Case:
    lines = article["text"]
    bodies = [(article["path"], 0, len(lines))]
    if begin := article.get("second_page"):
        second = (_second(theme, article), begin - 1, len(lines))
        bodies = [(article["path"], 0, begin - 1), second]
    fetched = article.get("fetched", FETCHED)
    template = Template((FOLDER / f"{name}.html").read_text("utf-8"))
    pages = []
    for path, start, end in bodies:
        body = "\n".join(_body(theme, article, start, end))
        source = template.substitute(
            _values(theme, article), body=body, pager=_pager(theme, article)
        )
        html = source.encode(article.get("charset", "utf-8"))
        pages.append(Page(f"https://{theme['host']}{path}", html, fetched))
    return Case(
        f"{name}: {article['title']}",
        pages,
        theme["outlet"],
        ZoneInfo(theme["zone"]),
        article.get("listed"),
        Expected(
            title=article["title"],
            text=tuple(lines),
            authors=tuple(article.get("authors", ())),
            published=article.get("published"),
            section=article.get("section"),
            tags=tuple(article.get("tags", ())),
            image=article.get("image"),
            caption=article.get("caption"),
            dateline=article.get("dateline"),
            paid=article.get("paid", False),
            inferred=article.get("inferred", False),
        ),
    )


def _body(theme: dict[str, Any], article: dict[str, Any], start: int, end: int) -> Iterator[str]:
    markup = article.get("markup", {})
    line = Template(theme["line"])
    for number, text in enumerate(article["text"][start:end], start + 1):
        yield markup.get(str(number)) or line.substitute(line=escape(text, quote=False))
        yield theme.get("between", {}).get(str(number), "")
        yield markup.get(f"after {number}", "")


def _values(theme: dict[str, Any], article: dict[str, Any]) -> dict[str, str]:
    """What the placeholders stand for; `json_…` for use within JSON strings."""
    facts = {
        "title": article["title"],
        "author": ", ".join(article.get("authors", ())),
        "section": article.get("section", ""),
        "image": article.get("image", ""),
        "caption": article.get("caption", ""),
        "description": article["text"][0],
        "outlet": theme["outlet"],
        "host": theme["host"],
        "url": f"https://{theme['host']}{article['path']}",
        "charset": article.get("charset", "utf-8"),
        **(_times(theme, article["published"]) if "published" in article else {}),
        **article.get("printed", {}),
    }
    values = {key: escape(value) for key, value in facts.items()}
    values |= {f"json_{key}": json.dumps(value)[1:-1] for key, value in facts.items()}
    people = [{"@type": "Person", "name": name} for name in article.get("authors", ())]
    values["json_authors"] = json.dumps(people or [{"@type": "Person", "name": facts["author"]}])
    values["json_tags"] = json.dumps(article.get("tags", []))
    values["figure"] = values["tags"] = ""
    if "image" in article:
        values["figure"] = Template(theme["figure"]).substitute(values)
    if tags := article.get("tags"):
        tag = Template(theme["tag"])
        items = (tag.substitute(name=escape(t), slug=t.lower().replace(" ", "-")) for t in tags)
        values["tags"] = Template(theme["tags"]).substitute(items="".join(items))
    return values


def _times(theme: dict[str, Any], at: datetime) -> dict[str, str]:
    parts = {
        "weekday": DAYS[at.weekday()],
        "month": MONTHS.split()[at.month - 1],
        "zone": ABBREVIATIONS[at.utcoffset() or timedelta(0)],
        **{key: f"{at:%{key}}" for key in "dmYHM"},
        "day": str(at.day),
    }
    return {
        "date": Template(theme["date"]).substitute(parts),
        "iso": at.isoformat(),
        "naive": f"{at:%Y-%m-%d %H:%M:%S}",
        "utc": at.astimezone(UTC).isoformat(),
    }


def _second(theme: dict[str, Any], article: dict[str, Any]) -> str:
    return f"{article['path']}{theme.get('second', '?page=2')}"


def _pager(theme: dict[str, Any], article: dict[str, Any]) -> str:
    if "second_page" not in article:
        return ""
    links = f'<a href="{article["path"]}">1</a> <a href="{_second(theme, article)}">2</a>'
    return f'<div class="paging paging--article"><span>Halaman:</span> {links}</div>'


def _list(
    name: str, theme: dict[str, Any], page: dict[str, Any], themes: dict[str, dict[str, Any]]
) -> Case:
    own = theme["article"] if not page.get("empty") else []
    others = [a for _, t in sorted(themes.items()) for a in t["article"] if t is not theme]
    item = Template(theme["item"])
    items = "".join(
        item.substitute(_values(theme, {**article, "printed": {"date": "12 Mei 2024"}}))
        for article in [*own, *others[: 9 if own else 0]]
    )
    source = Template((FOLDER / f"{name}-list.html").read_text("utf-8")).substitute(
        outlet=theme["outlet"],
        host=theme["host"],
        url=f"https://{theme['host']}{page['path']}",
        heading=escape(page["heading"]),
        items=items or page["empty"],
    )
    html = Page(f"https://{theme['host']}{page['path']}", source.encode(), FETCHED)
    return Case(f"{name}: {page['path']}", [html], theme["outlet"], ZoneInfo(theme["zone"]))
