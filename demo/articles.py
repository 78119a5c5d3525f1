"""What the demo's outlets have to say: invented articles, dated back from the day they are served.

`articles/NAME.toml` holds an outlet's own articles; the rest is filler, composed from the
sentences of a stock (`articles/stock-*.toml`), always the same for the same outlet.
"""

import random
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("articles")
PAGE_BREAK = "<!--nextpage-->"  # WordPress's own mark


@dataclass(frozen=True, slots=True)
class Article:
    """One article of a demo site.

    `path` is its canonical address on the site, `pages` its paragraphs, page by page. `label` is
    "relevant", "decoy" or "filler"; `kind` says of which sort: the verdict's kinds for relevant
    ones. `published` and `modified` are aware, in the outlet's own zone.
    """

    number: int
    slug: str
    path: str
    title: str
    subtitle: str
    pages: tuple[tuple[str, ...], ...]
    town: str
    author: str
    section: str
    published: datetime
    modified: datetime
    label: str
    kind: str
    paid: bool

    def url(self, base: str) -> str:
        return base + self.path

    @property
    def text(self) -> str:
        """All paragraphs, one a line, without dateline and byline."""
        return "\n".join(paragraph for page in self.pages for paragraph in page)

    @property
    def lead(self) -> str:
        return self.pages[0][0]


def load(outlet: str, zone: tzinfo, permalink: str, now: datetime) -> tuple[Article, ...]:
    """The articles of `outlet` as they stand on the day of `now` (aware), newest first.

    `permalink` is a format string over `published`, `slug` and `number`.
    """
    if now.tzinfo is None:
        raise ValueError("now must carry its time zone")
    today = now.astimezone(zone).date()
    # numbered from the oldest on, the way a database would
    entries = sorted(_entries(outlet), key=lambda entry: (-entry["days_ago"], entry["time"]))
    articles = []
    for number, entry in enumerate(entries, start=14_501):
        moment: time = entry["time"]
        published = datetime.combine(today - timedelta(entry["days_ago"]), moment, zone)
        slug = re.sub(r"[^a-z0-9]+", "-", entry["title"].lower()).strip("-")
        pages = entry["text"].strip().split(PAGE_BREAK)
        articles.append(
            Article(
                number=number,
                slug=slug,
                path=permalink.format(published=published, slug=slug, number=number),
                title=entry["title"],
                subtitle=entry.get("subtitle", ""),
                pages=tuple(tuple(page.strip().splitlines()) for page in pages),
                town=entry["town"],
                author=entry["author"],
                section=entry["section"],
                published=published,
                modified=published + timedelta(minutes=entry.get("edited_after_minutes", 0)),
                label=entry["label"],
                kind=entry["kind"],
                paid=entry.get("paid", False),
            )
        )
    return tuple(sorted(articles, key=lambda article: (article.published, article.number))[::-1])


def before(article: Article, articles: Sequence[Article]) -> Sequence[Article]:
    """What had been published when `article` came out: its page links to nothing later."""
    return articles[articles.index(article) + 1 :]


def _entries(outlet: str) -> list[dict[str, Any]]:
    own = tomllib.loads((FOLDER / f"{outlet}.toml").read_text("utf-8"))
    return [*own["article"], *_fillers(outlet, **own["fillers"])]


def _fillers(
    outlet: str,
    stock: str,
    count: int,
    days: int,
    towns: list[str],
    authors: list[str],
    times: list[time],
) -> Iterator[dict[str, Any]]:
    """`count` articles over the last `days` days, no two alike."""
    topics = tomllib.loads((FOLDER / f"stock-{stock}.toml").read_text("utf-8"))["topic"]
    choice = random.Random(outlet)  # noqa: S311 (nothing secret: the same fillers every time)
    stories = [(topic, town) for topic in topics for town in towns]
    for index, (topic, town) in enumerate(choice.sample(stories, count)):
        words = {"town": town, "number": str(choice.randint(12, 240))}
        body = [topic["lead"], *choice.sample(topic["sentences"], 3)]
        yield {
            "title": topic["title"].format(**words),
            "text": "\n".join(paragraph.format(**words) for paragraph in body),
            "town": town,
            "author": choice.choice(authors),
            "section": topic["section"],
            "label": "filler",
            "kind": "lokal_biasa",
            "days_ago": 1 + index * days // count,
            "time": choice.choice(times),
        }
