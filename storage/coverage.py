"""The ledger: what became of everything that was listed, and how much of the press we see.

How much we see is estimated by capture and recapture: the daily sources and the others, which are
asked once a week, list articles independently of each other, more or less; what only one of them
knows tells how many neither does (Chapman's estimator of 1951). A search for the topic is asked
about findings only: it is no sample of all articles.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import sqrt
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.models import Crawl, Link, SeenIn, Source, State

CHECK = "check"  # stands among an outlet's sources for the asking of its spare ones
ARTICLES = (State.PENDING, State.GATED, State.REJECTED, State.FOUND)
_Z = 1.96  # the normal distribution's quantile of a 95 % interval
_ADDRESS = re.compile(r"(?: from)? ?https?://\S+(?<!:):? ?")


@dataclass(frozen=True, slots=True)
class Estimate:
    """`daily` articles were listed by the daily sources, `others` by those asked once a week,
    `both` by both. `total` is how many there probably are, `share` how many of them the daily
    sources list, `low` to `high` its 95 % interval (all three 0 to 1): wide where the others listed
    few."""

    daily: int
    others: int
    both: int
    total: float
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of the links of an outlet that were discovered in a window of time.

    All `listed` are either `waiting`, `too_old` for the crawl that saw them, a `twin` of another,
    `failed`, or `fetched`; of these some were `gated` (no word of the topic), some `empty` (no
    article), the rest `judged`, and some of these `found`. `dropped` says how many of what was
    listed were no link at all, `failures` how many failed, by why. `missed` were listed by no
    daily source. `articles` and `findings` estimate what the daily sources see; None where no
    other source could be read when they were last asked, or they listed nothing.
    """

    outlet: str
    listed: int = 0
    waiting: int = 0
    too_old: int = 0
    twin: int = 0
    failed: int = 0
    fetched: int = 0
    gated: int = 0
    empty: int = 0
    judged: int = 0
    found: int = 0
    missed: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    articles: Estimate | None = None
    findings: Estimate | None = None


def coverage(session: Session, since: datetime) -> list[Coverage]:
    """The ledger of each outlet that was crawled since `since`, in the order of their names."""
    states: defaultdict[str, Counter[State]] = defaultdict(Counter)
    for outlet, state, count in session.execute(
        select(Link.outlet, Link.state, func.count())
        .where(Link.discovered >= since)
        .group_by(Link.outlet, Link.state)
    ):
        states[outlet][State(state)] += count
    missed: Counter[str] = Counter()
    dropped: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for outlet, more, why in session.execute(
        select(Crawl.outlet, Crawl.missed, Crawl.dropped).where(Crawl.started >= since)
    ):
        missed[outlet] += more
        dropped[outlet].update(why)
    failures = _failures(session, since)
    sights = _sights(session, since)
    return [
        _of(
            outlet,
            states[outlet],
            missed=missed[outlet],
            dropped=dict(dropped[outlet].most_common()),
            failures=dict(failures[outlet].most_common()),
            articles=estimate(sights[outlet], ARTICLES, SeenIn.SPARE),
            findings=estimate(sights[outlet], (State.FOUND,), SeenIn.SPARE | SeenIn.SEARCH),
        )
        for outlet in sorted({*states, *dropped})
    ]


def overall(outlets: Iterable[Coverage]) -> Coverage:
    """The sum of all."""
    rows = list(outlets)
    counted = [
        name
        for name in Coverage.__dataclass_fields__
        if name not in ("outlet", "dropped", "failures", "articles", "findings")
    ]
    return Coverage(
        outlet="all",
        **{name: sum(getattr(row, name) for row in rows) for name in counted},
        dropped=_sum(row.dropped for row in rows),
        failures=_sum(row.failures for row in rows),
        articles=_together([row.articles for row in rows if row.articles]),
        findings=_together([row.findings for row in rows if row.findings]),
    )


Sights = Mapping[tuple[int, State], int]
"""How many links of an outlet there are, by where they were seen and what became of them."""


def estimate(sights: Sights, states: Iterable[State], others: SeenIn) -> Estimate | None:
    """How much the daily sources see of the links in `states`; None where the others saw nothing.

    The others are a sample of `n2` articles, of which the daily sources list `both`: the interval
    of that proportion is Wilson's (Journal of the American Statistical Association 22, 1927, p.
    209-212), cut off where what the others list already shows it to be less."""
    wanted = {*states}
    n1 = n2 = both = 0
    for (seen_in, state), count in sights.items():
        if state in wanted:
            daily, other = bool(seen_in & SeenIn.DAILY), bool(seen_in & others)
            n1 += count * daily
            n2 += count * other
            both += count * (daily and other)
    if not n2:
        return None
    seen = n1 + n2 - both
    total = max((n1 + 1) * (n2 + 1) / (both + 1) - 1, seen)
    low, high = _wilson(both, n2)
    return _estimate(n1, n2, both, total, low, min(high, n1 / seen))


def _wilson(part: int, whole: int) -> tuple[float, float]:
    """Wilson's interval of the proportion `part` of `whole`."""
    centre = part + _Z**2 / 2
    margin = _Z * sqrt(part * (whole - part) / whole + _Z**2 / 4)
    return (centre - margin) / (whole + _Z**2), (centre + margin) / (whole + _Z**2)


def _estimate(n1: int, n2: int, both: int, total: float, low: float, high: float) -> Estimate:
    share = n1 / total
    low, high = max(0.0, min(low, share)), min(1.0, max(high, share))
    return Estimate(n1, n2, both, round(total, 1), round(share, 3), round(low, 3), round(high, 3))


def _together(estimates: list[Estimate]) -> Estimate | None:
    """Outlets differ in how well they are seen: their totals are added, not their counts. The
    interval is that of a weighted sum of shares (Zou and Donner, Statistics in Medicine 27, 2008,
    p. 1693-1702), each outlet's weight its part of the total."""
    if not estimates:
        return None
    n1, n2, both = (sum(getattr(e, n) for e in estimates) for n in ("daily", "others", "both"))
    total = sum(e.total for e in estimates)
    down = sqrt(sum((e.total * (e.share - e.low)) ** 2 for e in estimates)) / total
    up = sqrt(sum((e.total * (e.high - e.share)) ** 2 for e in estimates)) / total
    return _estimate(n1, n2, both, total, n1 / total - down, n1 / total + up)


def _of(outlet: str, states: Counter[State], **more: Any) -> Coverage:
    judged = states[State.REJECTED] + states[State.FOUND]
    return Coverage(
        outlet=outlet,
        listed=states.total(),
        waiting=states[State.PENDING],
        too_old=states[State.SKIPPED],
        twin=states[State.TWIN],
        failed=states[State.FAILED],
        fetched=states[State.GATED] + states[State.EMPTY] + judged,
        gated=states[State.GATED],
        empty=states[State.EMPTY],
        judged=judged,
        found=states[State.FOUND],
        **more,
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total.most_common())


def _failures(session: Session, since: datetime) -> defaultdict[str, Counter[str]]:
    """Why links failed, by outlet: their errors without the addresses."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for outlet, error, count in session.execute(
        select(Link.outlet, Link.error, func.count())
        .where(Link.discovered >= since, Link.state == State.FAILED)
        .group_by(Link.outlet, Link.error)
    ):
        found[outlet][_ADDRESS.sub("", error or "").strip() or "unknown"] += count
    return found


def _sights(session: Session, since: datetime) -> defaultdict[str, dict[tuple[int, State], int]]:
    """Where the links of an outlet were seen, up to the last time its spare sources were asked;
    without the outlets where they never were, or where none of them could be read."""
    moment = func.coalesce(Link.published, Link.discovered)
    found: defaultdict[str, dict[tuple[int, State], int]] = defaultdict(dict)
    for outlet, seen_in, state, count in session.execute(
        select(Link.outlet, Link.seen_in, Link.state, func.count())
        .join(Source, (Source.outlet == Link.outlet) & (Source.name == CHECK))
        .where(Source.error.is_(None))
        .where(moment >= since, moment < Source.completed, Link.discovered <= Source.completed)
        .group_by(Link.outlet, Link.seen_in, Link.state)
    ):
        found[outlet][seen_in, State(state)] = count
    return found
