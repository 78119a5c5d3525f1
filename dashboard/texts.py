"""Texts cut into pieces: what is marked in them, and what differs between two."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

# More differing lines, or words of one line, are not compared but shown as replaced: comparing
# takes time with the square of their number, and a hostile text has many.
LINES = 200
WORDS = 400
COMPARED = 40_000  # characters, of all lines whose words are compared

_WORD = re.compile(r"\n|[^\S\n]*\S+|[^\S\n]+")

Kind = Literal["same", "mark", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that stands out, or does not."""

    text: str
    kind: Kind = "same"


def marked(text: str, marks: Iterable[tuple[int, int]]) -> list[Piece]:
    """`text` with the parts from start to end marked; they may overlap, and reach beyond it."""
    found: list[Piece] = []
    at = 0
    for start, end in _merged(marks, len(text)):
        found += [Piece(text[at:start]), Piece(text[start:end], "mark")]
        at = end
    return [piece for piece in (*found, Piece(text[at:])) if piece.text]


def _merged(marks: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(end, length)) for start, end in marks):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged


def paragraphs(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """The pieces of each line that is not empty."""
    found: list[list[Piece]] = [[]]
    for piece in pieces:
        first, *more = piece.text.split("\n")
        found[-1].append(Piece(first, piece.kind))
        found += [[Piece(line, piece.kind)] for line in more]
    return [line for line in found if any(piece.text.strip() for piece in line)]


def difference(before: str, after: str) -> list[Piece]:
    """`after`, with what is new in it, and what of `before` is gone; the time it takes is bounded,
    whatever the texts are."""
    found: list[Piece] = []
    left = COMPARED
    for old, new in _compared(before.splitlines(True), after.splitlines(True), LINES):
        if old == new:
            found.append(Piece("".join(new)))
            continue
        gone, came = "".join(old), "".join(new)
        left -= len(gone) + len(came)
        if left < 0:
            found += [Piece(gone, "gone"), Piece(came, "new")]
            continue
        for some, others in _compared(_WORD.findall(gone), _WORD.findall(came), WORDS):
            if some == others:
                found.append(Piece("".join(others)))
            else:
                found += [Piece("".join(some), "gone"), Piece("".join(others), "new")]
    return list(_joined(found))


def _compared(
    before: Sequence[str], after: Sequence[str], most: int
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Both in parts, in order: those that are the same, and what stands for what between them."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    yield before[:start], after[:start]
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if max(len(old), len(new)) > most:
        yield old, new
    else:
        for _, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
            yield old[i:j], new[k:m]
    yield before[len(before) - end :], after[len(after) - end :]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many there are at the beginning of both."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Neighbours of one kind as one."""
    last: Piece | None = None
    for piece in filter(lambda piece: piece.text, pieces):
        if last and last.kind == piece.kind:
            last = Piece(last.text + piece.text, piece.kind)
            continue
        if last:
            yield last
        last = piece
    if last:
        yield last
