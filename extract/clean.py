"""From a page's tree to the article's lines: furniture out, body found, every sentence kept.

trafilatura says where the article is; its text alone would lose sentences (of pages that mix
`<p>` and `<div>`, or whose class names look like furniture to it), so what it found is looked up
in the tree and the place it came from is read in whole.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lxml.etree import iterwalk
from lxml.html import HtmlElement
from trafilatura import bare_extraction
from trafilatura.settings import Document

from extract.dates import VISIBLE, date_in, is_imprint
from extract.names import Names

BOILERPLATE: dict[str, Any] = tomllib.loads(
    files("extract").joinpath("data/boilerplate.toml").read_text("utf-8")
)


def compiled(pattern: str | Iterable[str]) -> re.Pattern[str]:
    """One pattern, or any of several, without regard to case."""
    joined = pattern if isinstance(pattern, str) else "|".join(f"(?:{p})" for p in pattern)
    return re.compile(f"(?:{joined})", re.IGNORECASE)


LINES = compiled(BOILERPLATE["lines"])
COMMENTS = compiled(BOILERPLATE["comments"])
BYLINE = compiled(BOILERPLATE["byline"])
CREDITS = compiled(BOILERPLATE["credits"])
_INNOCENT = compiled(BOILERPLATE["innocent"])
_NAMES = re.compile(
    r"(?:^|[\s_-])(?:" + "|".join(BOILERPLATE["names"]) + r")(?=$|[\s_-])", re.IGNORECASE
)

_DEAD = frozenset(
    re.findall(
        r"[\w-]+",
        "script style noscript iframe button input select textarea svg nav footer template dialog "
        "object embed audio video canvas map amp-ad amp-sidebar amp-social-share",
    )
)
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body caption center dd details div dl dt fieldset "
        "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html li main ol p pre section "
        "summary table tbody tfoot thead tr ul",
    )
)
HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_APART = frozenset(["td", "th", "img", "time", "abbr"])  # no word goes on from or into these
_LEAVES = frozenset(["p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "tr"])
_SENTENCE_END = re.compile(r"[.!?…:;,)\]][\"'”’»)\]]*$|[”\"]$")
_OPEN_END = re.compile(r"\w\W{0,3} (?:-{1,2}|[–—])$")  # of a dateline outside its paragraph
_SUFFIXES = re.compile(r"(?:nya|lah|kah|pun|ku|mu)\b")  # may follow a link without a space
_WORDS = rf"[\s*(\[«»>•–-]{{0,3}}\b(?:{BOILERPLATE['see_also']})"
SEE_ALSO = compiled(rf"{_WORDS}\s?[:;,>»|–-]|\W{{0,3}}\b(?:baca|simak|terkait|related)\s?:")
_BEFORE_LINK = re.compile(
    rf"(?:(?:^|(?<=[.!?”\")]))(?:{_WORDS}|\s{{0,3}}baca)|{_WORDS}\s?[:>»|–-])\W{{0,5}}$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://|\bwww\.")
_LONGEST_BOILERPLATE = 400  # characters
_LONGEST_HEADLINE = 130


@dataclass(slots=True)
class Block:
    """A run of text between block boundaries or line breaks: its holder, its text with single
    spaces, how many of its characters stand in links, and the last picture before its end that no
    earlier block has."""

    element: HtmlElement
    text: str
    linked: int
    picture: HtmlElement | None = None

    @property
    def prose(self) -> int:
        """Characters outside links."""
        return len(self.text) - self.linked

    @property
    def is_link(self) -> bool:
        """Nothing but a link (a headline elsewhere, a label) and perhaps its date, unless it is a
        whole sentence."""
        length = len(self.text)
        if 0.4 * length < self.linked < length < _LONGEST_BOILERPLATE:
            length = len(VISIBLE.sub("", self.text))
        return self.linked > 0.85 * length and not self.text.endswith((".", '."', ".”"))


def prune(root: HtmlElement, names: Names) -> None:
    """Take the furniture out of the tree, in place: scripts, menus, forms, and what its class or
    id names as ads, related headlines, comments and the like."""
    for element in list(root.iter(*_DEAD)):
        _drop(element)
    whole = _length(root) or 1
    headline = root.find(".//h1")
    kept = {headline, *headline.iterancestors()} if headline is not None else set()
    for element in list(root.iter("form", "aside")):
        if element not in kept and _is_less(element, 0.4 * whole):
            _drop(element)
    hidden = root.xpath("//@hidden/.. | //@style/..")
    named = names.find(lambda called: _names_furniture(f"{called.kind} {called.id}"[:400]))
    for element in names.ordered([*hidden, *named]):
        if element in kept or not _is_furniture(element):
            continue
        if next(element.iterancestors("body"), None) is None:  # its holder was taken out
            continue
        if _is_in_sentence(element):
            continue
        if _is_less(element, 0.4 * whole):
            _drop(element)


def _drop(element: HtmlElement) -> None:
    """Take furniture out; if it holds a date, like the bar of bylines and share buttons that some
    themes have below the headline, leave that."""
    if element.getparent() is None:  # its holder was emptied
        return
    text = short_text(element) if element.tag == "footer" or element.tag not in _DEAD else ""
    date = date_in(text) if len(text) < 300 and any(map(str.isdigit, text)) else None
    if date and 2 * _linked(element) < len(text):
        tail = element.tail
        element.clear()
        element.tag, element.text, element.tail = "div", date, tail
    else:
        element.drop_tree()


def short_text(element: HtmlElement) -> str:
    """The text of an element, or of its beginning if that is long."""
    parts, length = [], 0
    for part in element.itertext():
        parts.append(part)
        length += len(part)
        if length > 1000:
            break
    return " ".join(" ".join(parts).split())


def _linked(element: HtmlElement) -> int:
    return sum(len(" ".join(link.text_content().split())) for link in element.iter("a"))


def _is_furniture(element: HtmlElement) -> bool:
    if element.get("hidden") is not None:
        return True
    style = element.get("style")
    if style and re.search(r"display\s*:\s*none", style, re.IGNORECASE):
        return True
    return _names_furniture(f"{element.get('class') or ''} {element.get('id') or ''}"[:400])


@lru_cache(1024)  # a page has few names, and each many times
def _names_furniture(names: str) -> bool:
    if not _NAMES.search(names):
        return False
    guilty = " ".join(name for name in names.split() if not _INNOCENT.fullmatch(name))
    return _NAMES.search(guilty) is not None


def _is_in_sentence(element: HtmlElement) -> bool:
    """An inline element between words, whatever it is called: "baca-juga" on a link of the text."""
    if element.tag in _BLOCKS:
        return False
    parent, previous = element.getparent(), element.getprevious()
    around = (element.tail, parent.text if previous is None else previous.tail)
    return any(len((text or "").strip()) > 2 for text in around)


def blocks(root: HtmlElement) -> list[Block]:
    """The text under `root`, in order. A line break inside a sentence does not break it; links
    announced by "Baca juga" are left out with these words."""
    reader = _Reader(root)
    for event, element in iterwalk(root, events=("start", "end")):
        if event == "start":
            reader.open(element)
        else:
            reader.shut(element)
    reader.close()
    return reader.found


class _Reader:
    """Gathers the text of a tree into blocks."""

    def __init__(self, root: HtmlElement) -> None:
        self.found: list[Block] = []
        self._root = root
        self._holders = [root]
        self._run: list[str] = []
        self._linked = 0
        self._link: int | None = None  # where in the run the open link began
        self._dropped: int | None = None  # where in the run a link was dropped last
        self._broken = False
        self._picture: HtmlElement | None = None

    def open(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag in _BLOCKS or _is_layout(element):
            self.close()
            self._holders.append(element)
        elif tag == "br":
            self.close()
            self._broken = True
        elif tag == "a":
            if _glued(self._run, element.text):
                self._run.append(" ")
            self._link = len(self._run)
        elif tag in _APART:
            self._run.append(" ")
            if tag == "img":
                self._picture = element
        self._run.append(element.text or "")

    def shut(self, element: HtmlElement) -> None:
        if element is self._holders[-1] and element is not self._root:
            self.close()
            self._holders.pop()
        elif element.tag == "a" and self._link is not None:
            self._end_link()
            if _glued(self._run, element.tail) and not _SUFFIXES.match(element.tail):
                self._run.append(" ")
        elif element.tag in _APART:
            self._run.append(" ")
        if element is not self._root:
            self._run.append(element.tail or "")

    def _end_link(self) -> None:
        begin, self._link = self._link or 0, None
        words = " ".join("".join(self._run[begin:]).split())
        near = max(begin - 5, 0)
        before = "".join(self._run[near:begin])
        announced = _BEFORE_LINK.search(before, max(len(before) - 200, 1 if near else 0))
        since = self._dropped
        follows = since is not None and not _has_letters("".join(self._run[since:begin])[:50])
        if follows:
            del self._run[since:]
        elif announced:
            self._run[near:] = [before[: announced.start()]]
        elif SEE_ALSO.match(words):
            del self._run[begin:]
        if follows or announced or SEE_ALSO.match(words):
            self._dropped = len(self._run)
        else:
            self._linked += len(words)

    def close(self) -> None:
        """End the block that is being read."""
        text = "".join(self._run)
        if self._link is None and (not text or text.isspace()):
            self._run.clear()
            self._linked, self._dropped, self._broken = 0, None, False
            return
        text = " ".join(text.split())
        if self._link is not None:  # a link around blocks
            self._linked += len(" ".join("".join(self._run[self._link :]).split()))
            self._link = 0
        if _has_letters(text):
            linked = min(self._linked, len(text))
            last = self.found[-1] if self.found else None
            if (
                self._broken
                and last
                and last.element is self._holders[-1]
                and _goes_on(last.text, text)
            ):
                last.text, last.linked = f"{last.text} {text}", last.linked + linked
            else:
                self.found.append(Block(self._holders[-1], text, linked, self._picture))
                self._picture = None
        self._run.clear()
        self._linked, self._dropped, self._broken = 0, None, False


def _is_layout(element: HtmlElement) -> bool:
    """A table's cell that holds a part of the page, not a figure or a name."""
    return element.tag == "td" and next(element.iter("br", "p", "div", "table"), None) is not None


def _has_letters(text: str) -> bool:
    return any(map(str.isalnum, text))


def _goes_on(line: str, following: str) -> bool:
    # no paragraph is that long: joining without end would cost time without end
    return following[0].islower() and len(line) < 2000 and not _SENTENCE_END.search(line[-8:])


def _glued(run: list[str], following: str | None) -> bool:
    """Whether a link's edge lacks the space that its letters need."""
    return bool(run and following and run[-1][-1:].isalpha() and following[0].isalpha())


def article_blocks(root: HtmlElement, everything: list[Block], headline: int | None) -> list[Block]:
    """Those of `everything` (the blocks of the pruned tree) that are the article's.

    `headline` is the place of the headline in `everything`, where there is one.
    """
    found = bare_extraction(
        _without_asides(root), include_comments=False, include_tables=True, fast=True
    )
    text = found.text or "" if isinstance(found, Document) else ""
    said = {_key(line) for line in text.splitlines()}
    texts = [b for b in everything if b.prose > 60]
    seen = [b for b in texts if _key(b.text) in said] or texts
    seen = seen or [b for b in everything if b.prose > 0 and _key(b.text) in said]
    weight: Counter[HtmlElement] = Counter()
    for block in seen:
        for element in (block.element, *block.element.iterancestors()):
            weight[element] += block.prose
    regions = _regions(root, weight)
    theirs = {element for region in regions for element in region.iter()}
    inside = [i for i, b in enumerate(everything) if b.element in theirs]
    if not inside:
        return []
    lead = []
    if headline is not None and headline < inside[0]:
        lead = [b for b in everything[headline + 1 : inside[0]] if _is_lead(b)]
    return lead + [everything[i] for i in inside if i != headline]


def _without_asides(root: HtmlElement) -> HtmlElement:
    """The tree without what trafilatura never takes for the article, and is slow to find out."""
    if not any(next(p.iterancestors("aside"), None) is None for p in root.iter("p")):
        return root
    copied = deepcopy(root)
    for aside in list(copied.iter("aside")):
        if aside.getparent() is not None:
            aside.drop_tree()
    return copied


def _regions(root: HtmlElement, weight: Counter[HtmlElement]) -> set[HtmlElement]:
    """The element with most of the article's text, and its neighbours that have the rest."""
    enough = 0.75 * weight[root]
    body = root
    while True:
        inner = next((c for c in body if weight[c] >= enough and c.tag not in _LEAVES), None)
        if inner is None:
            break
        body = inner
    regions, node = {body}, body
    for _ in range(3):
        parent = node.getparent()
        if parent is None or parent.tag in ("body", "html"):
            break
        regions.update(c for c in parent if c is not node and weight[c] and _is_text(c))
        node = parent
    return regions


def _is_text(element: HtmlElement) -> bool:
    """Running text rather than a list of teasers."""
    inner = blocks(element)
    whole = sum(len(b.text) for b in inner)
    return sum(b.linked for b in inner) < 0.25 * whole


def _is_lead(block: Block) -> bool:
    """A kicker, summary or caption between headline and body."""
    words = block.text.count(" ") + 1
    return words >= 5 and block.linked < 0.3 * len(block.text) and not is_boilerplate(block.text)


def is_boilerplate(line: str) -> bool:
    """Whether nothing in this line is the article's."""
    if len(line) > _LONGEST_BOILERPLATE:
        return False
    return bool(LINES.fullmatch(line) or CREDITS.fullmatch(line))


def article_lines(found: Sequence[Block], title: str) -> list[str]:
    """The article's lines: without boilerplate, related headlines and readers' comments."""
    lines: list[str] = []
    prose = 0
    related = False  # inside a run of related headlines
    for block, following in zip(found, (*found[1:], None), strict=False):
        line = block.text
        if prose >= 2 and COMMENTS.fullmatch(line):
            break
        heading = block.element.tag in HEADINGS
        announces = (
            (SEE_ALSO.match(line) is not None and len(line) < 200)
            or (_RELATED.fullmatch(line) is not None and is_boilerplate(line))
            or (heading and following is not None and following.is_link)
        )
        if announces or (
            block.is_link and len(line) <= _LONGEST_HEADLINE and not _ADDRESS.search(line)
        ):
            related = related or announces
            continue
        listed = heading or block.element.tag == "li"
        if related and not line.endswith(".") and (listed or _reads_like_headline(line)):
            continue
        related = False
        if is_boilerplate(line) or _is_title(line, title) or (prose < 2 and _is_imprint(line)):
            continue
        prose += len(line) > 60
        if 0 < len(lines) < 4 and len(lines[-1]) < 90 and _OPEN_END.search(lines[-1]):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    quoted = {line for line in lines[:3] if _is_pull_quote(line, lines)}
    return [line for line in lines if line not in quoted]


def _is_pull_quote(line: str, lines: list[str]) -> bool:
    """Whether a line is a part of the text, set before it with dots for what is left out."""
    if not (line.startswith(("...", "…")) or line.endswith(("...", "…"))):
        return False
    words = _key(line).strip(".…“”\"'")
    return any(words in _key(other) for other in lines[:60] if other != line)


def _reads_like_headline(line: str) -> bool:
    """Every Word With a Capital, and no full stop."""
    if len(line) > _LONGEST_HEADLINE:
        return False
    words = [word for word in re.findall(r"[^\W\d_]+", line) if len(word) > 3]
    return (
        len(words) > 2
        and not _SENTENCE_END.search(line[-3:])
        and sum(word[0].isupper() for word in words) >= 0.75 * len(words)
    )


def _is_imprint(line: str) -> bool:
    """A date, a byline, or both, before the text."""
    if line.endswith(".") or len(line) > 120:
        return False
    if BYLINE.fullmatch(line) and line.count(" ") < 8:
        return True
    return is_imprint(line)


_RELATED = compiled(r"(baca|simak|lihat|artikel|berita|related|read|rekomendasi)\b.{0,40}")


def _is_title(line: str, title: str) -> bool:
    """The headline again, or a breadcrumb that ends in it."""
    return _key(line) == _key(title) or (
        line.startswith(("Beranda ", "Home ")) and _key(line).endswith(_key(title))
    )


def is_list(found: Sequence[Block], *, few: bool) -> bool:
    """Whether these are the headlines and teasers of an index page, not one article. `few`:
    the title speaks for it, so that two will do."""
    headlines = sum(b.is_link and b.text.count(" ") >= 3 for b in found)
    longest = run = texts = 0
    for block in found:
        run = 0 if block.is_link else run + block.prose * (block.prose > 60)
        longest, texts = max(longest, run), texts + (block.prose > 60)
    return headlines >= (2 if few or not texts else 4) and headlines > 0.6 * texts and longest < 400


def _key(text: str) -> str:
    """A line without what readers of the same page print differently."""
    return "".join(text.split()).strip("-|").casefold()


def _is_less(element: HtmlElement, length: float) -> bool:
    """Whether `_length(element)` is less, which is mostly seen without walking through it."""
    if len(element.text_content()) < length:
        return True
    for text in element.itertext():
        length -= len(text.strip())
        if length <= 0:
            return False
    return length > 0


def _length(element: HtmlElement) -> int:
    return sum(map(len, map(str.strip, element.itertext())))
