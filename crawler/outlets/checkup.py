"""Are the outlets' sources well? And what can be done for those that are not."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapy.exceptions import CannotResolveHostError

import settings
from crawler.outlet import Outlet
from crawler.outlets.catalogue import BUILT_IN, CatalogueError
from crawler.outlets.frontpage import squeezed
from crawler.outlets.rows import outlet_row, rows_in, source_row
from crawler.outlets.study import MOST_SECONDS, StudyError, arrive, explore, proposal
from crawler.outlets.trial import Tried, Visit, Visits, try_out
from crawler.sources import Source, SourceError
from crawler.spider import OutletSpider
from crawler.web.answer import GONE
from crawler.web.errors import ForbiddenError, WaitError, in_words
from crawler.web.listing import NoAnswerError
from crawler.web.middlewares import ElsewhereError

logger = logging.getLogger(__name__)

STALE = timedelta(days=7)
HABITS = 3  # times its usual interval without anything new


class Condition(StrEnum):
    """How a source is."""

    FRESH = "fresh"
    STALE = "stale"
    MOVED = "moved"
    BLOCKED = "blocked"
    GONE = "gone"
    BROKEN = "broken"  # it answers, but not with what it should
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Probe:
    """One source, looked at. `daily`: it is read every day, and no spare one."""

    source: str
    daily: bool
    condition: Condition
    says: str
    newest: datetime | None = None
    links: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """One outlet, looked at: `condition` is the worst of its daily sources'. Where it could be
    repaired, `changes` say how, and `row` is what the operator's catalogue should say."""

    outlet: str
    condition: Condition
    probes: tuple[Probe, ...] = ()
    changes: tuple[str, ...] = ()
    row: dict[str, Any] | None = None
    unrepaired: str = ""


async def check(
    visits: Visits,
    spiders: Sequence[type[OutletSpider]],
    own: Path,
    done: Callable[[Checked], None] = lambda checked: None,
) -> list[Checked]:
    """Look at the sources of `spiders`, and for repairs where their daily ones are not well. `own`
    is the operator's catalogue; `done` is called for each outlet."""
    places = asyncio.Semaphore(settings.load().parallel_outlets)
    rows = rows_in(BUILT_IN) | rows_in(own)

    async def one(spider: type[OutletSpider]) -> Checked:
        async with places:
            try:
                checked = await _check(visits, spider, rows.get(spider.name))
            except Exception as error:
                logger.exception("checking %s", spider.name)
                checked = Checked(spider.name, Condition.UNREACHABLE, unrepaired=in_words(error))
            done(checked)
            return checked

    return list(await asyncio.gather(*map(one, spiders)))


async def _check(visits: Visits, spider: type[OutletSpider], row: dict[str, Any] | None) -> Checked:
    daily, spare = list(spider.sources), list(spider.spare)

    async def probe(visit: Visit) -> list[Tried]:
        tried: list[Tried] = []
        for source in [*daily, *spare]:
            try:
                async with asyncio.timeout(MOST_SECONDS):
                    tried.append(await try_out(visit, source, cost=False))
            except TimeoutError:
                late = NoAnswerError(f"it was not read within {MOST_SECONDS} s")
                tried.append(Tried(source, late))
        return tried

    outlet = spider.outlet
    tried = await visits.to(spider.name, outlet, probe)
    probes = tuple(
        Probe(
            t.source.name, n < len(daily), _condition(t, outlet), _says(t), t.newest, len(t.links)
        )
        for n, t in enumerate(tried)
    )
    worst = max((p.condition for p in probes if p.daily), key=list(Condition).index)
    checked = Checked(spider.name, worst, probes)
    if worst in (Condition.FRESH, Condition.BLOCKED, Condition.UNREACHABLE):
        return checked
    try:
        return await _repaired(visits, spider, tried, checked, row)
    except (StudyError, SourceError, CatalogueError) as error:
        return replace(checked, unrepaired=str(error))


def _condition(tried: Tried, outlet: Outlet) -> Condition:
    failure = tried.failure
    if failure is None:
        secured = outlet.scheme == "http" and tried.address.startswith("https:")
        if tried.moved or secured:
            return Condition.MOVED
        return Condition.STALE if _is_stale(tried.dates) else Condition.FRESH
    status, causes = failure.status or 0, list(_causes(failure))
    if any(isinstance(cause, ElsewhereError) for cause in causes):
        return Condition.MOVED
    forbidden = any(isinstance(cause, ForbiddenError | WaitError) for cause in causes)
    if forbidden or status in (401, 403, 429, 451):
        return Condition.BLOCKED
    if status in GONE or any(isinstance(cause, CannotResolveHostError) for cause in causes):
        return Condition.GONE
    if isinstance(failure, NoAnswerError) or status >= 500:
        return Condition.UNREACHABLE
    return Condition.BROKEN


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it came of, what that came of …"""
    while error:
        yield error
        error = error.__cause__


def _is_stale(dates: Sequence[datetime]) -> bool:
    """Whether nothing new has come for a week, and for three times as long as usual."""
    if not dates:
        return False
    habit = (dates[-1] - dates[0]) / max(len(dates) - 1, 1)
    return datetime.now(UTC) - dates[-1] > max(STALE, HABITS * habit)


def _says(tried: Tried) -> str:
    if tried.error:
        return tried.error
    if tried.moved:
        return f"now at {tried.address}"
    newest = f"the newest of {tried.newest:%Y-%m-%d}" if tried.newest else "without dates"
    return f"{len(tried.links)} links, {newest}"


# --- repairing ------------------------------------------------------------------------------------


async def _repaired(
    visits: Visits,
    spider: type[OutletSpider],
    tried: Sequence[Tried],
    checked: Checked,
    row: dict[str, Any] | None,
) -> Checked:
    """`checked` with what mends it, if anything does."""
    changes: list[str] = []
    outlet = spider.outlet
    kept = {p.source: t for p, t in zip(checked.probes, tried, strict=True) if t.error is None}
    conditions = {p.source: p.condition for p in checked.probes if p.daily}
    if any(p.condition == Condition.MOVED and p.source not in kept for p in checked.probes):
        outlet = await _new_home(visits, spider.name, outlet)
        changes.append(f"domain: {spider.outlet.domain} → {outlet.domain}")
    elif any(urlsplit(t.address).scheme == "https" for t in kept.values()):
        outlet = replace(outlet, scheme="https")
    if outlet.scheme != spider.outlet.scheme:
        changes.append(f"scheme: {spider.outlet.scheme} → {outlet.scheme}")
    sources = [(t.moved or t.source) for name in conditions if (t := kept.get(name))]
    lost = [s for s in spider.sources if s.name not in kept]
    stale = [s for s in spider.sources if conditions[s.name] == Condition.STALE]
    spare = [(t.moved or t.source) for s in spider.spare if (t := kept.get(s.name))]
    if lost or stale:
        found = await _found(visits, spider.name, outlet)
        sources = _replaced(sources, lost, stale, found)
        spare += [s for s in found if s.name not in {x.name for x in (*sources, *spare)}]
    names = {s.name for s in sources}
    before = [s.name for s in spider.sources]
    changes += [f"{name} is given up" for name in before if name not in names]
    changes += [f"{s.name} is read instead" for s in sources if s.name not in before]
    if not changes or not sources:
        return replace(checked, unrepaired="no other source that works was found")
    spare = [s for s in spare if s.name not in names]
    base = dict(row) if row else outlet_row(spider.name, spider.outlet, past=spider.past)
    base["domain"] = outlet.domain
    base["scheme"] = outlet.scheme
    base["sources"] = list(map(source_row, sources))
    base["spare"] = list(map(source_row, spare))
    return replace(checked, changes=tuple(changes), row=base)


def _replaced(
    sources: Sequence[Source],
    lost: Sequence[Source],
    stale: Sequence[Source],
    found: Sequence[Source],
) -> list[Source]:
    """The daily sources with others of those `found` (the best first) for what is lost or stale: of
    the same kind where there is one."""
    chosen = [s for s in sources if s not in stale]
    for old in [*lost, *stale]:
        known = {s.name for s in (*chosen, *stale)}
        new = [s for s in found if s.name not in known]
        alike = [s for s in new if type(s) is type(old)]
        fit = alike[:1] or ([] if chosen else new[:1])
        chosen += fit or ([old] if old in stale else [])
    return chosen


async def _found(visits: Visits, name: str, outlet: Outlet) -> list[Source]:
    """What the outlet's site offers that is fresh, the best first."""

    async def errand(visit: Visit) -> list[Source]:
        studied = await explore(visit)
        fresh = [t for t in studied.tried if t.error is None and not _is_stale(t.dates)]
        return [source for part in proposal(fresh, studied.front.articles) for source in part]

    return await visits.to(name, outlet, errand)


async def _new_home(visits: Visits, name: str, outlet: Outlet) -> Outlet:
    """The outlet at the domain that its front page redirects to, where that looks like its own and
    not like one that bought its name. Raises StudyError."""
    parts = urlsplit(await arrive(visits, outlet.url("/"), name))
    moved = replace(outlet, domain=parts.netloc, scheme=parts.scheme)
    if moved.owns(outlet.url("/")):
        return moved

    async def title(visit: Visit) -> str:
        return (await explore(visit, look_only=True)).outlet.title

    old, new = outlet.hostname.split(".")[0], moved.hostname.split(".")[0]
    said = squeezed(await visits.to(name, moved, title))
    ours = squeezed(outlet.title)
    if old != new and not (ours and said and (ours in said or said in ours)):
        raise StudyError(f"it leads to {parts.netloc}, which may be another's: see for yourself")
    return moved
