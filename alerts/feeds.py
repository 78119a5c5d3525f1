"""A rule's news as an Atom feed and a JSON Feed, for who knows its token."""

import json
from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

from feedgenerator import Atom1Feed
from sqlalchemy import Engine, select

from alerts import news, words
from alerts.news import News
from storage import rules
from storage.database import reading
from storage.models import Owed
from storage.models import Rule as Row
from storage.rules import Rule, RuleError

Format = Literal["atom", "json"]
TYPES = {"atom": "application/atom+xml; charset=utf-8", "json": "application/feed+json"}
LONGEST = 100  # entries


def feed_for(engine: Engine, token: str, format_: Format) -> bytes | None:
    """The feed of the rule whose token it is; None where there is none. Its type is in TYPES."""
    with reading(engine) as session:
        name = session.scalar(select(Row.name).where(Row.token == token))
        try:
            stored = rules.get(session, name) if name else None
        except RuleError:  # a rule that cannot be read
            stored = None
        if stored is None:
            return None
        latest = select(Owed).where(Owed.rule_id == stored.id).order_by(Owed.id.desc())
        told = news.of(session, stored, session.scalars(latest.limit(LONGEST)).all())
    return {"atom": atom, "json": json_feed}[format_](stored.rule, told)


def atom(rule: Rule, told: Sequence[News]) -> bytes:
    """An Atom feed (RFC 4287) of what a rule was told."""
    feed = Atom1Feed(
        title=_title(rule),
        link=f"urn:pantau:{quote(rule.name)}",
        description=None,
        language=rule.language,
        feed_guid=f"urn:pantau:{quote(rule.name)}",
    )
    for one in told:
        feed.add_item(
            title=_headline(one, rule),
            link=one.link or "",
            description=_says(one, rule),
            unique_id=_id(one),
            pubdate=one.when,
            updateddate=one.when,
            author_name=one.site,
            categories=[words.kind(one.kind, rule.language)],
        )
    return feed.writeString("utf-8").encode()  # type: ignore[no-any-return]


def json_feed(rule: Rule, told: Sequence[News]) -> bytes:
    """A JSON Feed (version 1.1) of what a rule was told."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": _title(rule),
        "language": rule.language,
        "items": [
            {
                "id": _id(one),
                **({"url": one.link} if one.link else {}),
                "title": _headline(one, rule),
                "content_text": _says(one, rule),
                "date_published": one.when.isoformat(),
                "authors": [{"name": one.site}],
                "tags": [words.kind(one.kind, rule.language)],
                "_pantau": {
                    "finding": one.finding,
                    "kind": one.kind,
                    "stage": one.stage,
                    "subjects": one.subjects,
                    "outlet": one.outlet,
                    "place": one.place,
                    "province": one.province,
                    "outlets": one.outlets,
                },
            }
            for one in told
        ],
    }
    return json.dumps(feed, ensure_ascii=False).encode()


def _title(rule: Rule) -> str:
    return f"Pantau: {rule.name}"


def _headline(one: News, rule: Rule) -> str:
    return f"{words.kind(one.kind, rule.language)}: {one.title}"


def _says(one: News, rule: Rule) -> str:
    place = ", ".join(dict.fromkeys(filter(None, (one.place, one.province))))
    outlets = words.count(one.outlets, "outlets", rule.language)
    sentence = f"“{one.sentence}”" if one.sentence else ""
    return " · ".join(filter(None, (place, outlets, sentence)))


def _id(one: News) -> str:
    return f"urn:pantau:{one.story}:{one.stage}:{one.finding}"
