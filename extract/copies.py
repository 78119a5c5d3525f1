"""Copies: the same text on another site or at another address."""

import hashlib
import re

LONGEST = 5  # paragraphs that must be the same
LEAST = 300  # letters and digits; less than that may be the same by chance
_OTHER = re.compile(r"[\W_]+")


def fingerprint(text: str) -> str | None:
    """The same for an article and its copies, None where the text is too short to tell.

    It is of the longest paragraphs but the first: datelines, bylines and what a site adds at the
    end differ from copy to copy. Spaces, punctuation and case do not count."""
    lines = [fold(line) for line in text.splitlines()[1:]]
    longest = sorted(sorted(lines, key=len, reverse=True)[:LONGEST])
    whole = "\n".join(longest)
    return hashlib.sha256(whole.encode()).hexdigest() if len(whole) >= LEAST else None


def fold(text: str) -> str:
    """Letters and digits only, to compare what is printed differently."""
    return _OTHER.sub("", text.casefold())
