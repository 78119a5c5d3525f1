"""Where an article stands among the blocks of its page, and what stands around it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from lxml.html import HtmlElement

from extract.captions import Caption, captions
from extract.clean import HEADINGS, Block, article_blocks, blocks
from extract.copies import fold
from extract.dates import is_imprint

_LONGEST_NOTE = 120  # characters of a date or byline
_SHORTEST_TEXT = 60  # characters of a paragraph


@dataclass(frozen=True, slots=True)
class Body:
    """All `blocks` of a pruned page in order, the place of the `headline` among them, where it is
    printed, the blocks of the `text`, and the `captions` near it."""

    blocks: Sequence[Block]
    headline: int | None
    text: Sequence[Block]
    captions: Sequence[Caption]

    @property
    def paragraphs(self) -> Sequence[Block]:
        """The blocks of the text that are long enough to be paragraphs, or all."""
        return [block for block in self.text if block.prose > _SHORTEST_TEXT] or self.text

    @property
    def beginning(self) -> list[Block]:
        """What stands before the article's third paragraph: first what follows the headline, then
        what is above it."""
        end = self._place(self.paragraphs[min(2, len(self.paragraphs) - 1)])
        if self.headline is None:
            return [*self.blocks[:end]]
        above = self.blocks[max(self.headline - 6, 0) : self.headline + 1]
        return [*self.blocks[self.headline + 1 : end], *above]

    @property
    def notes(self) -> list[str]:
        """The short lines about the headline, nearest first: dates and bylines stand there. Above
        it only what shares its box, for the page's head tells today's date."""
        start = self._place(self.text[0]) if self.headline is None else self.headline
        holders = islice(self.blocks[start].element.iterancestors(), 3)
        box = {holder for holder in holders if holder.tag not in ("body", "html")}
        above = [
            block
            for block in self.blocks[max(start - 8, 0) : start]
            if not box.isdisjoint(block.element.iterancestors())
        ]
        below = takewhile(_is_note, self.blocks[start + 1 : start + 13])
        last = filter(_is_note, self.text[-3:])
        near = (*below, *reversed(above), *last)
        return [block.text for block in near if len(block.text) < _LONGEST_NOTE]

    @property
    def end(self) -> list[str]:
        """The last lines of the text and the short ones just behind it."""
        behind = self._place(self.text[-1]) + 1
        after = filter(_is_note, self.blocks[behind : behind + 7])
        return [block.text for block in (*self.text[-4:], *after)]

    def _place(self, wanted: Block) -> int:
        return next((i for i, block in enumerate(self.blocks) if block is wanted), 0)


def find_body(root: HtmlElement, title: str) -> Body | None:
    """Find the article of that title on a pruned page; None where there is no text."""
    everything = blocks(root)
    headline = _headline(everything, title)
    everything = everything[: _next_article(everything, headline)]
    found = article_blocks(root, everything, headline)
    above = everything[headline].element if headline is not None else None
    under = captions(_near(everything, found, headline), above)
    theirs = {id(block) for caption in under for block in caption.blocks}
    text = [block for block in found if id(block) not in theirs]
    return Body(everything, headline, text, under) if text else None


def with_heading_above(body: Body) -> Body:
    """The body with the last heading that stands above its first paragraph, or begins it, as its
    headline: for a page whose structured data and `<title>` have only the site's."""
    end = next((i for i, b in enumerate(body.blocks) if b is body.paragraphs[0]), 0)
    for place in range(end, max(end - 9, -1), -1):
        block = body.blocks[place]
        if block.element.tag in HEADINGS and not block.is_link and block.text.count(" ") >= 3:
            return replace(body, headline=place)
    return body


def _headline(everything: Sequence[Block], title: str) -> int | None:
    """Where the headline stands among the page's blocks."""
    wanted = fold(title)
    places = [
        place
        for place, block in enumerate(everything)
        if block.element.tag != "html" and fold(block.text) == wanted
    ]
    tagged = [place for place in places if everything[place].element.tag in ("h1", "h2", "h3")]
    return next(iter(tagged + places), None)


def _next_article(everything: Sequence[Block], headline: int | None) -> int | None:
    """Where another article begins below the text, as on pages that scroll without end: a heading
    that is no link and in a box of its own, soon a date, and a paragraph."""
    if headline is None:
        return None
    paragraphs, last = 0, None
    for place, block in enumerate(everything[headline + 1 :], headline + 1):
        if block.prose > _SHORTEST_TEXT:
            paragraphs, last = paragraphs + 1, block.element.getparent()
        if paragraphs < 2 or block.element.tag not in ("h1", "h2") or block.is_link:
            continue
        below = everything[place + 1 : place + 6]
        if (
            block.text.count(" ") >= 3
            and block.element.getparent() is not last
            and any(is_imprint(b.text) for b in below[:3])
            and any(b.prose > _SHORTEST_TEXT and b.element.tag == "p" for b in below)
        ):
            return place
    return None


def _near(
    everything: Sequence[Block], found: Sequence[Block], headline: int | None
) -> Sequence[Block]:
    """The article's blocks and those about its headline."""
    theirs = {id(block) for block in found}
    places = [place for place, block in enumerate(everything) if id(block) in theirs]
    if not places:
        return ()
    first = places[0] if headline is None else min(places[0], headline)
    return everything[max(first - 8, 0) : places[-1] + 1]


def _is_note(block: Block) -> bool:
    """Whether a block is a date, a name or a label rather than a sentence of the text."""
    line = block.text
    return len(line) <= _LONGEST_NOTE and not (line.endswith(".") and line.count(" ") > 7)
