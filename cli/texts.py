"""pantau extract, pantau judge"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from cli.inputs import InputError, catalogue, json_option
from cli.output import print_json, say

if TYPE_CHECKING:
    from crawler.outlet import Outlet


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
    outlet = _finder()(url)
    article = read(
        [Page(url, html, fetched)],
        zone=outlet.zone if outlet else WIB,
        outlet=outlet.title if outlet else "",
    )
    if article is None:
        raise SystemExit(say(f"There is no article in {file}."))
    print_json(article)


def _finder() -> "Callable[[str], Outlet | None]":
    """A function that gives the outlet that publishes a URL, if any."""
    from crawler.urls import host

    at: defaultdict[str, list[Outlet]] = defaultdict(list)
    for spider in catalogue().values():
        for domain in (spider.outlet.domain, *spider.outlet.twins):
            at[host(f"https://{domain}/")].append(spider.outlet)
    return lambda url: next((o for o in at[host(url)] if o.publishes(url)), None)


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8"), default="-")
@json_option
def judge(file: IO[str], as_json: bool) -> None:
    """Judge texts: JSON lines with title and text (and url, province) in, verdicts out.

    The province, where it is not given, is that of the outlet at the url.

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
            rows.append((article, _text(row, "province")))
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"Line {number} is not a JSON object with title and text as strings: {error}."
            ) from None
    publisher = _finder()
    for article, province in rows:
        outlet = None if province else publisher(article.url)
        home = (outlet.province, outlet.regency) if outlet else (province or None, None)
        print_json(judge_article(article, province=home[0], regency=home[1]))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return value
