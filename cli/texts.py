"""pantau extract, pantau judge"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import click

from cli.inputs import InputError, catalogue, json_option
from cli.output import print_json, say


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--url", required=True, help="The address the page was saved from.")
@json_option
def extract(file: Path, url: str, as_json: bool) -> None:
    """Read the article in a saved page; always prints JSON.

    Example: pantau extract page.html --url https://www.nusabali.com/berita/145928/asn
    """
    from datetime import UTC

    from crawler.outlet import WIB
    from extract.article import Page
    from extract.read import read

    try:
        html = file.read_bytes()
        fetched = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    if b"<" not in html or html[:4] in (b"%PDF", b"\x89PNG", b"PK\x03\x04"):
        raise InputError(f"{file} is not an HTML page; save the page's source and try again.")
    spider = _spider_of(url)
    article = read(
        [Page(url, html, fetched)],
        zone=spider.outlet.zone if spider else WIB,
        outlet=spider.outlet.title if spider else "",
    )
    if article is None:
        raise SystemExit(say(f"There is no article in {file}."))
    print_json(article)


def _spider_of(url: str) -> Any:
    """The spider of the outlet that `url` belongs to, if any."""
    return next((spider for spider in catalogue().values() if spider.outlet.owns(url)), None)


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8"), default="-")
@json_option
def judge(file: IO[str], as_json: bool) -> None:
    """Judge texts: JSON lines with title and text (and url, province) in, verdicts out.

    Example: echo '{"title": "ASN diminta netral", "text": "…"}' | pantau judge
    """
    import settings
    from extract.article import Article
    from extract.judge import judge as judge_article
    from extract.lexicon import load, use

    use(load(more=settings.load().lexicon))
    rows = []
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            article = Article(
                url=_text(row, "url"), title=_text(row, "title"), text=_text(row, "text")
            )
            rows.append((article, _text(row, "province") or None))
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"Line {number} is not a JSON object with title and text as strings: {error}."
            ) from None
    for article, province in rows:
        print_json(judge_article(article, province=province))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return value
