"""What is printed under an article's pictures; no part of its text."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from lxml.html import HtmlElement

from extract.clean import HEADINGS, Block, is_boilerplate
from extract.dates import is_imprint

_CAPTION = re.compile(r"caption|(?:^|[\s_-])keterangan(?=$|[\s_-])", re.IGNORECASE)
_PICTURE = re.compile(
    r"image|img|photo|foto|picture|gambar|caption|(?:^|[\s_-])(?:pic|thumb(?:nail)?|featured)(?=$|[\s_-])",
    re.IGNORECASE,
)
_INNOCENT = re.compile(r"(?:has|no|with)-\S+|(?:wp-)?post-\d+\S*", re.IGNORECASE)
_SIZE = re.compile(r"(?:[-_]?\d{2,4}x\d{2,4}|-scaled|-e\d{8,}|-1)+$")
_NO_PICTURE = re.compile(
    r"avatar|gravatar|logo|icon|emoji|pixel|blank|spacer|banner|iklan|profil", re.IGNORECASE
)
_LONGEST = 700  # characters of a caption


class Caption(NamedTuple):
    """The blocks that stand under one picture, the box they stand in, whether that is `labelled`
    a caption, and the name of the picture."""

    blocks: tuple[Block, ...]
    box: HtmlElement
    labelled: bool
    picture: str

    @property
    def text(self) -> str:
        return " ".join(block.text for block in self.blocks)


def captions(near: Sequence[Block], above: HtmlElement | None) -> list[Caption]:
    """The captions among the blocks near an article's text, in order; `above` is its headline."""
    boxes = _Boxes({*above.iterancestors()} if above is not None else set())
    found: dict[HtmlElement, list[Block]] = {}
    for block in near:
        if block.element is not above and not is_boilerplate(block.text):
            box = boxes.of(block)
            if box is not None:
                found.setdefault(box, []).append(block)
    return [
        Caption(tuple(held), box, _is_labelled(box), boxes.picture(box))
        for box, held in found.items()
    ]


def lead(found: Sequence[Caption], image: str | None, before: Sequence[Block]) -> Caption | None:
    """The caption of the lead picture: of `image`, else the first among the blocks `before` the
    article's text has well begun; one that is labelled so if there is any."""
    name = _name(image or "")
    begun = {id(block) for block in before}
    named = [caption for caption in found if name and caption.picture == name]
    first = [caption for caption in found if any(id(block) in begun for block in caption.blocks)]
    candidates = sorted([*named, *first], key=lambda caption: not caption.labelled)
    return next(iter(candidates), None)


class _Boxes:
    """What the blocks of a page are held by; each element is looked at once."""

    def __init__(self, outer: set[HtmlElement]) -> None:
        self._outer = outer
        self._captions: dict[HtmlElement, tuple[bool, bool]] = {}
        self._pictures: dict[HtmlElement, str | None] = {}
        self._lengths: dict[HtmlElement, int] = {}
        self._slanted: dict[HtmlElement, int] = {}

    def of(self, block: Block) -> HtmlElement | None:
        """The caption or the box with a picture that `block` belongs to: one that is called so, or
        one that holds nothing but a picture and `block`."""
        around = self._around_picture(block)
        for box in islice(_upward(block.element), 5):
            if box in self._outer or box.tag in ("body", "html", "article", "main", *HEADINGS):
                return None
            labelled, pictured = self._is_caption(box)
            if labelled or (pictured and not block.is_link):
                return box
            if box in around and self._length(box) <= len(block.text) + 10:
                return box
        return None

    def picture(self, box: HtmlElement) -> str:
        """The name of the picture in or just before a box."""
        return next(filter(None, map(self._picture_in, islice(_upward(box), 3))), "")

    def _is_caption(self, box: HtmlElement) -> tuple[bool, bool]:
        """Whether a box is called a caption, and whether it is called and has a picture."""
        if box not in self._captions:
            labelled = _is_labelled(box)
            pictured = box.tag == "figure" or _PICTURE.search(_names(box)) is not None
            short = (labelled or pictured) and self._is_short(box)
            self._captions[box] = (
                short and labelled,
                short and pictured and self._picture_in(box) is not None,
            )
        return self._captions[box]

    def _around_picture(self, block: Block) -> set[HtmlElement]:
        """What holds the picture that `block` follows. A paragraph that begins with a picture is
        text, unless all of it is in italics or small type, or the picture's own description."""
        picture = block.picture
        if picture is None or not _is_picture(picture) or is_imprint(block.text):
            return set()
        holders = {*islice(picture.iterancestors(), 5)}
        if block.element in holders:
            described = "".join((picture.get("alt") or "").split()) == "".join(block.text.split())
            if not described and not self._is_slanted(block.element):
                return set()
        return holders

    def _is_slanted(self, element: HtmlElement) -> bool:
        if element not in self._slanted:
            marked = islice(element.iter("i", "em", "small", "font"), 20)
            self._slanted[element] = sum(map(self._length, marked))
        return self._slanted[element] >= 0.9 * self._length(element)

    def _picture_in(self, box: HtmlElement) -> str | None:
        """The name of the first picture in a box, None without any."""
        if box not in self._pictures:
            picture = box.find(".//img")
            self._pictures[box] = None if picture is None else _name(_source(picture))
        return self._pictures[box]

    def _is_short(self, box: HtmlElement) -> bool:
        headings = box.iter("h1", "h2")
        return self._length(box) <= _LONGEST and next(headings, None) is None

    def _length(self, box: HtmlElement) -> int:
        """Characters of text, or a few more than the longest caption has."""
        if box not in self._lengths:
            length = 0
            for text in box.itertext():
                length += len(text.strip())
                if length > _LONGEST:
                    break
            self._lengths[box] = length
        return self._lengths[box]


def _is_labelled(box: HtmlElement) -> bool:
    return box.tag == "figcaption" or _CAPTION.search(_names(box)) is not None


def _names(box: HtmlElement) -> str:
    names = f"{box.get('class') or ''} {box.get('id') or ''}"[:400].split()
    return " ".join(name for name in names if not _INNOCENT.fullmatch(name))


def _upward(element: HtmlElement) -> Iterator[HtmlElement]:
    yield element
    yield from element.iterancestors()


def first_picture(before: Sequence[Block], url: str) -> str | None:
    """The address of the first picture among the blocks `before` the article's text has well
    begun; no icon, portrait or advertisement."""
    for block in before:
        if block.picture is not None and _is_picture(block.picture):
            try:
                return urljoin(url, _source(block.picture))
            except ValueError:
                continue
    return None


def _is_picture(element: HtmlElement) -> bool:
    told = " ".join(filter(None, map(element.get, ("class", "src", "alt"))))[:400]
    width = element.get("width") or ""
    small = width.isdecimal() and int(width) < 150
    return not small and bool(_source(element)) and not _NO_PICTURE.search(told)


def _source(picture: HtmlElement) -> str:
    said = (picture.get(name) for name in ("data-src", "data-lazy-src", "data-original", "src"))
    return next((s.strip() for s in said if s and not s.startswith("data:")), "")


def _name(address: str) -> str:
    """The name of a picture without its size and ending."""
    try:
        path = urlsplit(address).path
    except ValueError:
        return ""
    return _SIZE.sub("", path.rpartition("/")[2].rpartition(".")[0][-200:])
