"""OPML: lists of feeds, as feed readers exchange them."""

from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import urlsplit

import listparser
from lxml import etree

from crawler import urls
from crawler.outlet import Outlet
from crawler.sources import Feed, SourceError
from crawler.sources.xml import refuse_entities
from crawler.spider import OutletSpider

MAX_BYTES = 10 * 1024 * 1024


class OpmlError(Exception):
    """A file that cannot be read as OPML; its text is one sentence for the operator."""


def export(spiders: Iterable[type[OutletSpider]]) -> tuple[bytes, int]:
    """The feeds of `spiders` as OPML 2.0, and how many outlets are in it: those without a feed are
    left out."""
    opml = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(opml, "head"), "title").text = "Pantau"
    body = etree.SubElement(opml, "body")
    outlets = 0
    for spider in spiders:
        feeds = [s for s in (*spider.sources, *spider.spare) if isinstance(s, Feed)]
        outlets += bool(feeds)
        for feed in feeds:
            entry = etree.SubElement(body, "outline", type="rss", text=spider.outlet.title)
            entry.set("title", spider.outlet.title)
            entry.set("xmlUrl", spider.outlet.url(feed.path))
            entry.set("htmlUrl", spider.outlet.url("/"))
            if spider.outlet.province:
                entry.set("category", f"/{spider.outlet.province}")
    xml: bytes = etree.tostring(opml, encoding="utf-8", xml_declaration=True, pretty_print=True)
    return xml, outlets


def outlets_in(xml: bytes) -> tuple[list[tuple[Outlet, list[Feed]]], int]:
    """The outlets that an OPML file lists, one for each host, with their feeds; and how many of its
    entries are no addresses of feeds. Raises OpmlError."""
    if len(xml) > MAX_BYTES:
        raise OpmlError(f"it is larger than {MAX_BYTES // 1024**2} MB")
    try:
        refuse_entities(xml)
    except SourceError as error:
        raise OpmlError(str(error)) from None
    listed = listparser.parse(xml)
    if not listed["version"]:
        raise OpmlError("it is not OPML")
    outlets: dict[str, Outlet] = {}
    feeds: defaultdict[str, list[Feed]] = defaultdict(list)
    unusable = 0
    for entry in listed["feeds"]:
        url = entry["url"].strip()
        host = urls.host(url)
        if not host or "{" in url or "}" in url:
            unusable += 1
            continue
        parts = urlsplit(url)
        title = " ".join((entry.get("title") or "").split())[:100] or host
        outlets.setdefault(host, Outlet(title, parts.netloc.lower(), scheme=parts.scheme))
        feed = Feed(f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")
        feeds[host] += [feed] if feed not in feeds[host] else []
    return [(outlet, feeds[host]) for host, outlet in outlets.items()], unusable
