"""Boolean queries: netralitas AND (ASN OR "pegawai negeri") NOT pilkades

The syntax is Lucene's, read by luqum, without fields, ranges, fuzziness and boosts. A word is found
whole, whatever its case; `netral*` finds the words that begin so. Words with nothing between them
must all be there; that binds last: `camat lurah OR kades` is camat AND (lurah OR kades).
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from luqum import tree
from luqum.exceptions import IllegalCharacterError, ParseError
from luqum.thread import parse as read

LONGEST = 1000  # characters
DEEPEST = 50  # parentheses and NOTs in each other
SHOWN = 30  # characters shown on both sides of a mistake
LEAST = 2  # letters before the * of a prefix

_WORD = re.compile(r"[^\W_]+")
_PLACE = re.compile(r"at position (\d+)!?\Z")
_TOKEN = re.compile(r'"(?:[^\\"]|\\.)*"|[()]|\bNOT\b|[-+]|[~^]|[^\s()"+~^-]+', re.DOTALL)
_QUOTES = str.maketrans("“”„", '"""')
_REFUSED = {
    tree.SearchField: "no fields can be searched",
    tree.Range: "ranges are not understood",
    tree.From: "ranges are not understood",
    tree.To: "ranges are not understood",
    tree.Regex: "write a word with / in quotation marks",
}


class QueryError(ValueError):
    """A query that cannot be read; the text says why and where. `position` is that of the first
    wrong character, from 0; at the text's length it ended too early."""

    def __init__(self, why: str, text: str, position: int) -> None:
        before, after = text[:position], text[position:]
        shown = f"{'…' * (len(before) > SHOWN)}{before[-SHOWN:]}▸{after[:SHOWN]}"
        shown += "…" * (len(after) > SHOWN)
        super().__init__(f"{why}, at character {position + 1}: {shown}")
        self.position = position


@dataclass(frozen=True, slots=True)
class Words:
    """These words, lower case, one after the other; `prefix`: the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """What `part` does not hold for."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class Both:
    """Every one of `parts`."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of `parts`."""

    parts: tuple["Node", ...]


Node = Words | Not | Both | Either


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it was written, and what it asks for."""

    text: str
    node: Node

    def matches(self, *texts: str) -> bool:
        """Whether `texts` together hold what is asked for; a phrase stands in one of them."""
        return _holds(self.node, "\n".join(map(_marked, texts)))


@lru_cache(8)  # a finding's texts are asked for by many rules
def _marked(text: str) -> str:
    """The words with their ends marked, " camat| diperiksa|": there, they are found whole."""
    return _mark(_words(text))


def _mark(words: Iterable[str]) -> str:
    return f" {'| '.join(words)}|"


def _words(text: str) -> list[str]:
    """The words in lower case and plain letters: some write headlines in mathematical ones."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _holds(node: Node, text: str) -> bool:
    match node:
        case Words(said, prefix):
            return _mark(said).removesuffix("|" * prefix) in text
        case Not(part):
            return not _holds(part, text)
        case Both(parts):
            return all(_holds(part, text) for part in parts)
        case Either(parts):
            return any(_holds(part, text) for part in parts)


def parse(text: str) -> Query:
    """Raises QueryError."""
    if not text.strip():
        raise QueryError("there is nothing to look for", text, 0)
    if len(text) > LONGEST:
        raise QueryError(f"a query has {LONGEST} characters at the most", text, LONGEST)
    plain = text.translate(_QUOTES)
    _refuse(plain)
    try:
        item = read(plain)
    except ParseError as error:
        raise _located(error, plain) from None
    return Query(text, _node(item, plain))


def _refuse(text: str) -> None:
    """What is nested too deep for a stack, and what is never wanted, is refused unread."""
    depth = nots = 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("~", "^"):
            raise QueryError(f"{token[0]} is not understood", text, token.start())
        if token[0] in ("NOT", "-", "+"):
            nots += 1
        elif token[0] == "(":
            depth += 1
        else:
            depth -= token[0] == ")"
            nots = 0
        if depth + nots > DEEPEST:
            raise QueryError("too much is nested", text, token.start())


def _located(error: ParseError, text: str) -> QueryError:
    found = _PLACE.search(str(error))
    if not found:
        opened = text.count("(") > text.count(")")
        return QueryError("a ) is missing" if opened else "it ends too early", text, len(text))
    position = int(found[1])
    if isinstance(error, IllegalCharacterError) and text[position] == '"':
        return QueryError("a closing quotation mark is missing", text, position)
    at = re.match(r"\w+|.", text[position:], re.DOTALL)
    return QueryError(f"“{at[0] if at else ''}” cannot stand here", text, position)


def _node(item: tree.Item, text: str) -> Node:
    match item:
        case tree.Group(expr=part) | tree.Plus(a=part):
            return _node(part, text)
        case tree.Not(a=part) | tree.Prohibit(a=part):
            return Not(_node(part, text))
        case tree.AndOperation() | tree.UnknownOperation():
            return Both(tuple(_node(part, text) for part in item.operands))
        case tree.OrOperation():
            return Either(tuple(_node(part, text) for part in item.operands))
        case tree.Word() | tree.Phrase():
            return _term(item, text)
    why = next((why for kind, why in _REFUSED.items() if isinstance(item, kind)), "this is unknown")
    raise QueryError(why, text, item.pos)


def _term(item: tree.Term, text: str) -> Words:
    written: str = item.value
    if written.lower() in ("and", "or", "not"):
        raise QueryError(
            f"write {written.upper()} in capitals, or “{written}” in quotation marks",
            text,
            item.pos,
        )
    prefix = isinstance(item, tree.Word) and written.endswith("*")
    bare = written.removesuffix("*" * prefix)
    if wrong := re.search(r"[*?\\]", bare):
        raise QueryError(
            f"{wrong[0]} cannot stand here: a word may end in *, and that is all",
            text,
            item.pos + wrong.start(),
        )
    said = tuple(_words(bare))
    if not said:
        raise QueryError(f"“{written}” has neither a letter nor a digit", text, item.pos)
    if prefix and (len(said[-1]) < LEAST or not bare[-1].isalnum()):
        raise QueryError(f"a * wants {LEAST} letters before it", text, item.pos)
    return Words(said, prefix)
