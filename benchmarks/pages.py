"""Pages of a news site for benchmarks: the demo's articles in about 95 KB of furniture."""

import json
import random
from datetime import UTC, datetime
from html import escape
from itertools import cycle

from crawler.outlet import WIB
from demo.articles import Article, load

RELEVANT = 0.05
DECOYS = 0.05  # about the same people, but not relevant; about half of them pass the gate
SIZE = 95_000  # bytes
DEMO = ("laksara", "satumeja", "nusabali", "bkpsdm-bondowoso", "transparansi")
SECTIONS = ("Beranda", "Daerah", "Pemerintahan", "Politik", "Hukum", "Ekonomi", "Olahraga")

HEAD = """<!DOCTYPE html><html lang="id-ID"><head><meta charset="UTF-8"><title>{title}</title>
<meta property="og:title" content="{title}"><meta property="og:type" content="article">
<script type="application/ld+json">{data}</script><style>{style}</style><script>{script}</script>
</head><body class="single single-post postid-{number}"><div id="page" class="site">
<header class="site-header"><nav><ul class="menu">{menu}</ul></nav></header>
<main class="site-main"><article id="post-{number}" class="post type-post hentry">
<header class="entry-header"><h1 class="entry-title">{title}</h1><div class="entry-meta">
<span class="author vcard">{author}</span><time datetime="{published}">{day}</time></div></header>
<div class="entry-content">{body}</div></article></main>
<aside id="secondary" class="widget-area">
"""
MENU = """<li class="menu-item menu-item-type-taxonomy"><a href="/kategori/{0}/" itemprop="url">
<span>{0}</span></a></li>
"""
CARD = """<div class="td-block-span12 widget-{number}"><div class="td_module_6 td_module_wrap">
<div class="td-module-thumb"><a href="/lain/{number}/" rel="bookmark" class="td-image-wrap">
<img class="entry-thumb" src="/gambar/{number}-100x70.jpg" width="100" height="70" alt=""></a></div>
<div class="item-details"><h3 class="entry-title td-module-title"><a href="/lain/{number}/">
{headline}</a></h3><div class="td-module-meta-info"><span class="td-post-date">
<time class="entry-date">12 Mei 2024</time></span></div></div></div></div>
"""
TAIL = """</aside><footer class="site-footer"><p>Redaksi</p></footer><script>{script}</script>
</div></body></html>
"""
STYLE = ".wp-block-{} {{ margin: {}px; padding: 0 1em }}"
SCRIPT = "jQuery('#m{}').on('click', e => track({}));"


class Pages:
    """Writes the pages, always the same ones; `relevant` is the share of those that are, from 0 to
    1."""

    def __init__(self, relevant: float = RELEVANT) -> None:
        self._relevant = relevant
        self._pick = random.Random(7)
        now = datetime.now(UTC)
        articles = [article for name in DEMO for article in load(name, WIB, "/{slug}", now)]
        self._sorts = {
            label: cycle([article for article in articles if article.label == label])
            for label in ("relevant", "decoy", "filler")
        }
        self._headlines = [article.title for article in articles if article.label == "filler"]

    def labels(self, count: int) -> list[str]:
        """What `count` pages are to be, shuffled: "relevant", "decoy" or "filler"."""
        relevant = round(count * self._relevant)
        decoys = min(round(count * DECOYS), count - relevant)
        labels = ["relevant"] * relevant + ["decoy"] * decoys
        labels += ["filler"] * (count - len(labels))
        self._pick.shuffle(labels)
        return labels

    def page(self, label: str, number: int) -> str:
        """A page of about SIZE bytes around an article with this label."""
        article: Article = next(self._sorts[label])
        data = {
            "@context": "https://schema.org",
            "@type": "NewsArticle",
            "headline": article.title,
            "datePublished": article.published.isoformat(),
            "author": {"@type": "Person", "name": article.author},
        }
        parts = [
            HEAD.format(
                number=number,
                title=escape(article.title),
                author=escape(article.author),
                published=article.published.isoformat(),
                day=f"{article.published:%d/%m/%Y %H:%M} WIB",
                body="".join(f"<p>{escape(line)}</p>\n" for line in article.text.splitlines()),
                menu="".join(map(MENU.format, SECTIONS)),
                data=json.dumps(data),
                style=self._lines(STYLE, 20_000),
                script=self._lines(SCRIPT, 20_000),
            )
        ]
        tail = TAIL.format(script=self._lines(SCRIPT, 15_000))
        size = len(parts[0]) + len(tail)
        while size < SIZE:
            headline = escape(self._pick.choice(self._headlines))
            parts.append(CARD.format(number=self._pick.randrange(10**5), headline=headline))
            size += len(parts[-1])
        return "".join([*parts, tail])

    def _lines(self, pattern: str, size: int) -> str:
        lines = []
        while size > 0:
            lines.append(pattern.format(self._pick.randrange(10**6), self._pick.randrange(100)))
            size -= len(lines[-1]) + 1
        return "\n".join(lines)
