"""The saved pages of real sites beside the checkout, and what must be read from them.

The text is computed from the pages by the XPaths in saved.toml, independently of extract/.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lxml.html import HtmlElement, document_fromstring

from extract.article import Page

FOLDER = Path(__file__).parents[3] / "shared" / "html"
ZONE = ZoneInfo("Asia/Jakarta")
FETCHED = datetime(2026, 11, 21, tzinfo=UTC)
BLOCKS = frozenset("p div br blockquote li ul ol table tr td h1 h2 h3 h4 h5 h6".split())  # noqa: SIM905


@dataclass(frozen=True)
class Saved:
    """A saved page. `fields` are what must be read from it ("title", "text", "published", "tags",
    ...: the names of Article); None for an index, which is no article."""

    name: str
    page: Page = field(repr=False)
    fields: dict[str, Any] | None = field(default=None, repr=False)


def saved_pages() -> Iterator[Saved]:
    """All of them; none without the folder."""
    if not FOLDER.is_dir():
        return
    facts = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    for name, url in facts["index"].items():
        yield Saved(name, _page(name, url))
    for name, known in facts["article"].items():
        page = _page(name, known["url"])
        yield Saved(name, page, _fields(document_fromstring(page.html.decode("utf-8")), known))


def _page(name: str, url: str) -> Page:
    html = (FOLDER / f"{name}.html").read_bytes()
    return Page(url, html.decode("utf-8", "replace").encode(), FETCHED)


def _fields(root: HtmlElement, known: dict[str, Any]) -> dict[str, Any]:
    given = ("published", "section", "dateline")
    found: dict[str, Any] = {key: known[key] for key in given if key in known}
    if "authors" in known:
        found["authors"] = tuple(known["authors"])
    if "caption" in known:
        (caption,) = root.xpath(known["caption"])
        found["caption"] = _line(caption.text_content())
    if "image" in known:
        found["image"] = str(root.xpath(known["image"])[0])
    if "tags" in known:
        texts = (_line(tag.text_content()).lstrip("# ") for tag in root.xpath(known["tags"]))
        found["tags"] = tuple(dict.fromkeys(texts))
    (title,) = root.xpath(known["title"])
    bodies = root.xpath(known["body"])
    assert bodies, known["body"]
    for body in bodies:
        for element in [*body.iter("script", "style"), *body.xpath(known.get("without", "_"))]:
            element.drop_tree()
    lines = [line for body in bodies for line in _lines(body)]
    return found | {"title": _line(title.text_content()), "text": "\n".join(lines)}


def _lines(body: HtmlElement) -> list[str]:
    """The lines of an element's text: those of the source end no line, those of the page do."""
    for element in body.iter():
        element.text = (element.text or "").replace("\n", " ")
        element.tail = (element.tail or "").replace("\n", " ")
        if element.tag in BLOCKS:
            element.text, element.tail = f"\n{element.text}", f"\n{element.tail}"
    return [line for part in body.text_content().split("\n") if (line := _line(part))]


def _line(text: str) -> str:
    return " ".join(text.split())
