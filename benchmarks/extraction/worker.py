"""Runs in a rival's environment: samples as JSON on stdin, what it makes of them on stdout.

    python worker.py newspaper4k|news-please ROUNDS

A sample is a list of [url, html], one each page; the answer to it an object with "title", "text",
"authors", "published" (ISO 8601 or null) and "seconds" (the best time), or null.
"""

import json
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from time import process_time
from typing import Any

warnings.filterwarnings("ignore")


def newspaper4k(url: str, html: str) -> dict[str, Any] | None:
    """What newspaper4k makes of a page."""
    from newspaper import Article

    article = Article(url, language="id", fetch_images=False)
    article.download(input_html=html)
    article.parse()
    return {
        "title": article.title,
        "text": article.text,
        "authors": article.authors,
        "published": _iso(article.publish_date),
    }


def news_please(url: str, html: str) -> dict[str, Any] | None:
    """What news-please's extraction makes of a page."""
    from newsplease import NewsPlease

    article = NewsPlease.from_html(html, url=url, fetch_images=False)
    return {
        "title": article.title or "",
        "text": article.maintext or "",
        "authors": article.authors,
        "published": _iso(article.date_publish),
    }


def _iso(date: Any) -> str | None:
    return date.isoformat() if date else None


def read(
    extract: Callable[[str, str], dict[str, Any] | None], pages: list[tuple[str, str]], rounds: int
) -> dict[str, Any] | None:
    """What it makes of a sample; of a split article the texts are joined."""
    times = []
    for _ in range(rounds):
        began = process_time()
        found = [extract(url, html) for url, html in pages]
        times.append(process_time() - began)
    first = found[0]
    if first is None:
        return None
    text = "\n".join(page["text"] for page in found if page)
    return {**first, "text": text, "seconds": min(times)}


def main() -> None:
    """Read what stdin gives."""
    extract = {"newspaper4k": newspaper4k, "news-please": news_please}[sys.argv[1]]
    samples = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):
        found = [read(extract, pages, int(sys.argv[2])) for pages in samples]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
