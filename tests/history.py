"""Simulated history of outlets, written into the real tables, a day at a time."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from storage.models import Crawl, Link, Source, State

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Day:
    """What one daily crawl of an outlet gives: `new` articles, of which `judged` pass the gate,
    `empty` pages that pass and hold no article; with a `problem` nothing, but this note."""

    new: int = 10
    judged: int = 2
    empty: int = 0
    dated: bool = True
    problem: str | None = None
    errors: int = 1


def crawled(
    session: Session, outlet: str, at: datetime, day: Day, *, run: str, seconds: int = 60
) -> None:
    """Write what the crawl of `outlet` that began at `at` left behind, but for links of pages that
    did not pass the gate: of those only the number counts."""
    ended = at + timedelta(seconds=seconds)
    if day.problem:
        given = {"errors": day.errors, "note": day.problem}
    else:
        gated = max(0, day.new - day.judged - day.empty)
        given = {"links": 20, "new": day.new, "fetched": day.new, "gated": gated}
        session.merge(Source(outlet=outlet, name="feed", completed=ended))
        _links(session, outlet, State.EMPTY, day.empty, ended)
        _links(session, outlet, State.REJECTED, day.judged, ended, at if day.dated else None)
    session.add(Crawl(run=run, outlet=outlet, started=at, finished=ended, dropped={}, **given))


def _links(
    session: Session,
    outlet: str,
    state: State,
    count: int,
    at: datetime,
    published: datetime | None = None,
) -> None:
    for _ in range(count):
        url = f"https://{outlet}.example/{next(_numbers)}"
        session.add(
            Link(
                url=url, address=url, outlet=outlet, state=state,
                discovered=at, settled=at, published=published,
            )
        )  # fmt: skip


def days(*parts: tuple[int, Day]) -> Sequence[Day]:
    """So many of each, one after the other."""
    return [day for count, day in parts for _ in range(count)]
