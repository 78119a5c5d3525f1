"""Messages: what is told, in a plain, an HTML and a short form, in Indonesian or English."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sparklines import sparklines

from alerts import words
from alerts.news import CHART_DAYS, News, one_line
from storage.rules import Rule

SHORT = 280  # characters
LEAST_TITLE = 60  # of those
LEAST_PART = 20  # less says nothing
MOST_LISTED = 100  # reports in one message
MOST_OLD = 10  # old ones among them
CHART_HEIGHT = 40  # pixels

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(enabled_extensions=("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=False,
)


@dataclass(frozen=True, slots=True)
class Message:
    """`kind` is "alert" (of one report), "summary" (of many at once), "hourly", "digest",
    "operator" or "test"; `items` are the reports it tells of, for programs."""

    kind: str
    language: str
    rule: str | None
    title: str
    text: str
    html: str
    short: str
    items: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Group:
    """Reports of one kind: those of each province, in order."""

    kind: str
    provinces: list[tuple[str, list[News]]]


@dataclass(frozen=True, slots=True)
class Chart:
    """How much news there was on each of the last days: as a line of text, as the heights of bars
    in pixels, and in words."""

    line: str
    heights: list[int]
    says: str


def alert(news: News, rule: Rule, message_id: str) -> Message:
    """One report, at once."""
    title = f"{words.kind(news.kind, rule.language)}: {news.title}"
    told = (news.place, news.province, news.site, _when(news, rule.language))
    short = _short(
        title,
        ", ".join(dict.fromkeys(filter(None, told))),
        words.count(news.outlets, "outlets", rule.language),
        news.link,
        news.sentence,
    )
    return _message("alert", rule.language, rule.name, title, short, [news], message_id, news=news)


def many(kind: str, news: Sequence[News], rule: Rule, message_id: str) -> Message:
    """Many reports in one: a flood ("summary") or an hour's ("hourly")."""
    title = words.count(len(news), kind, rule.language)
    news = sorted(news, key=_weight)
    listed, more = news[:MOST_LISTED], len(news[MOST_LISTED:])
    groups = _groups(listed, rule.language)
    return _message(
        kind, rule.language, rule.name, title, _short(title, _counts(news, rule.language)), listed,
        message_id, groups=groups, more=more,
    )  # fmt: skip


def digest(
    news: Sequence[News], per_day: Sequence[int], rule: Rule, message_id: str, now: datetime
) -> Message:
    """A day's reports: first the stories that went on, then the new ones, then old news; with
    `per_day`, how many there were on each of the last days."""
    say, language = words.WORDS[rule.language], rule.language
    news = sorted(news, key=_weight)
    fresh = [one for one in news if not one.quiet]
    old = [one for one in news if one.quiet]
    changed = [one for one in fresh if one.before]
    rest = [one for one in fresh if not one.before]
    today = now.astimezone(ZoneInfo(rule.zone)).date()
    title = say["digest"].format(
        words.day(today, language), words.count(len(fresh), "reports", language)
    )
    if changed:
        title += say["digest_changed"].format(len(changed))
    if old:
        title += f" (+ {len(old)} {say['old'].lower()})"
    first = today - timedelta(days=CHART_DAYS - 1)
    highest = max(per_day)
    chart = Chart(
        sparklines(per_day)[0],
        [round(CHART_HEIGHT * count / max(highest, 1)) for count in per_day],
        say["chart_says"].format(
            words.count(sum(per_day), "reports", language),
            words.day(first, language),
            words.day(today, language),
            highest,
        ),
    )
    listed = rest[: max(0, MOST_LISTED - len(changed))]
    return _message(
        "digest", language, rule.name, title, _short(title, _counts(fresh, language)),
        [*changed[:MOST_LISTED], *listed, *old[:MOST_OLD]], message_id,
        changed=changed[:MOST_LISTED], more_changed=len(changed[MOST_LISTED:]),
        groups=_groups(listed, language), more=len(rest) - len(listed),
        old=old[:MOST_OLD], all_old=len(old), more_old=len(old[MOST_OLD:]), chart=chart,
    )  # fmt: skip


def notice(
    title: str,
    lines: Sequence[str],
    message_id: str,
    *,
    kind: str = "operator",
    language: str = "en",
) -> Message:
    """A word to the operators: what is wrong, or well again."""
    title = one_line(title, SHORT)
    lines = [one_line(line, 1000) for line in lines]
    return _message(
        kind, language, None, title, _short(title, lines[0] if lines else ""), [], message_id,
        template="notice", lines=lines,
    )  # fmt: skip


def test(channel: str, language: str, message_id: str) -> Message:
    """A message that says that the channel works."""
    say = words.WORDS[language]
    lines = [say["test_says"].format(channel)]
    return notice(say["test"], lines, message_id, kind="test", language=language)


def _message(
    kind: str,
    language: str,
    rule: str | None,
    title: str,
    short: str,
    items: Sequence[News],
    message_id: str,
    *,
    template: str | None = None,
    **told: Any,
) -> Message:
    name = template or {"alert": "alert", "digest": "digest"}.get(kind, "many")
    say = words.WORDS[language]
    known = {
        "say": say,
        "language": language,
        "title": title,
        "by": say["by"].format(message_id[:8], rule)
        if rule
        else say["by_pantau"].format(message_id[:8]),
        **told,
    }
    plain = _templates.get_template(f"{name}.txt").render(known)
    return Message(
        kind=kind,
        language=language,
        rule=rule,
        title=_calls_nobody(title),
        text=_calls_nobody(re.sub(r"\n{3,}", "\n\n", plain).strip()),
        html=_templates.get_template(f"{name}.html").render(known),
        short=_calls_nobody(short),
        items=[{**asdict(one), "when": one.when.isoformat()} for one in items],
    )


def _groups(news: Sequence[News], language: str) -> list[Group]:
    """The reports by kind and province, the weightiest kind first, those without a place last."""
    nowhere = words.WORDS[language]["nowhere"]
    return [
        Group(
            words.kind(kind, language),
            [
                (province or nowhere, list(some))
                for province, some in groupby(of, lambda n: n.province)
            ],
        )
        for kind, of in (
            (kind, list(some)) for kind, some in groupby(sorted(news, key=_weight), _kind)
        )
    ]


def _weight(one: News) -> tuple[int, bool, str]:
    """The order in which reports are listed."""
    return list(words.KINDS).index(_kind(one)), one.province is None, one.province or ""


def _kind(one: News) -> str:
    return one.kind if one.kind in words.KINDS else "other"


def _counts(news: Sequence[News], language: str) -> str:
    """Sanksi 2, Dugaan pelanggaran 5"""
    kinds = [one.kind for one in news]
    return ", ".join(
        f"{words.kind(kind, language)} {kinds.count(kind)}" for kind in words.KINDS if kind in kinds
    )


def _when(news: News, language: str) -> str:
    clock = words.clock(news.when, language)
    return clock if news.dated else f"{words.WORDS[language]['found']} {clock}"


def _short(title: str, facts: str, end: str = "", link: str | None = None, proof: str = "") -> str:
    """At most SHORT characters: the `end` always, the link whole or not at all, of title and facts
    what fits, and of the proof where there is room left."""
    end = f" · {end}" if end else ""
    if link and len(link) < SHORT - LEAST_TITLE - len(end):
        end += f" {link}"
    room = SHORT - len(end)
    for_facts = room - min(LEAST_TITLE, len(title))
    facts = one_line(f"– {facts}", for_facts - 1) if facts and for_facts > LEAST_PART else ""
    short = f"{one_line(title, room - len(facts) - 1)} {facts}".rstrip()
    left = room - len(short)
    if proof and left > LEAST_PART:
        short += f": “{one_line(proof, left - 4)}”"
    return short + end


def _calls_nobody(text: str) -> str:
    """`text` in which no @name of a headline calls the people of a chat; addresses stay."""
    return re.sub(r"(?<![\w/.=-])@(?=\w)", "@\N{ZERO WIDTH SPACE}", text)


_templates.filters |= {
    "count": words.count, "kind": words.kind, "subject": words.subject, "when": _when,
}  # fmt: skip
