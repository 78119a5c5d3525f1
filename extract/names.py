"""A page's elements by what they are called."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain, count
from typing import NamedTuple

from lxml.html import HtmlElement


class Called(NamedTuple):
    """What an element is called, "" where it is not: its attributes `class`, `id`, `rel` and
    `itemprop`."""

    kind: str
    id: str
    rel: str
    prop: str


class Names:
    """The elements of a page by what they are called.

    It is read once, before anything is taken out of the tree: thousands of elements share a few
    dozen names, so that to ask each name is quicker than to ask each element, which XPath does.
    While it lives, so do the elements: lxml need not make them anew for every walk.
    """

    def __init__(self, root: HtmlElement) -> None:
        # a broken page may go on behind its root
        parts = (part.iter() for part in (root, *root.itersiblings()))
        self._places = dict(zip(chain.from_iterable(parts), count()))
        named = defaultdict[tuple[str, ...], list[HtmlElement]](list)
        for element in self._places:
            get = element.get
            called = get("class", ""), get("id", ""), get("rel", ""), get("itemprop", "")
            named[called].append(element)
        self._named = {Called._make(called): elements for called, elements in named.items()}

    def find(self, is_meant: Callable[[Called], bool]) -> list[HtmlElement]:
        """The elements called so, in the page's order."""
        found = (elements for called, elements in self._named.items() if is_meant(called))
        return self.ordered(chain.from_iterable(found))

    def ordered(self, elements: Iterable[HtmlElement]) -> list[HtmlElement]:
        """Elements of the page in its order, each once."""
        return sorted({*elements}, key=self._places.__getitem__)

    def behind(self, element: HtmlElement) -> Callable[[HtmlElement], bool]:
        """Whether an element stands behind `element` and all that is in it."""
        end = self._places[element] + sum(1 for _ in element.iterdescendants())
        return lambda other: self._places[other] > end
