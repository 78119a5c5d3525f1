"""OPML: lists of feeds, as feed readers exchange them."""

import re
from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

import listparser
from lxml import etree
from scrapy.utils.url import strip_url
from w3lib.encoding import read_bom
from w3lib.url import safe_url_string

from crawler import urls
from crawler.outlet import Outlet
from crawler.sources import Feed, SourceError
from crawler.sources.xml import refuse_entities
from crawler.spider import OutletSpider

MAX_BYTES = 10 * 1024 * 1024
_HOST = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*(:\d+)?")


_DECLARATION = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_PROLOGUE = re.compile(r"\s*<\?xml\s[^>]*>")


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
    entries cannot be used: no addresses of feeds, or none that a catalogue may have. Raises
    OpmlError."""
    if len(xml) > MAX_BYTES:
        raise OpmlError(f"it is larger than {MAX_BYTES // 1024**2} MB")
    try:
        refuse_entities(xml)
    except SourceError as error:
        raise OpmlError(str(error)) from None
    listed = listparser.parse(BOM_UTF8 + _decoded(xml).encode())  # it guesses where nothing says
    if not listed["version"]:
        raise OpmlError("it is not OPML")
    outlets: dict[str, Outlet] = {}
    feeds: defaultdict[str, dict[Feed, None]] = defaultdict(dict)
    unusable = 0
    for entry in listed["feeds"]:
        url = _address(entry["url"].strip())
        if url is None:
            unusable += 1
            continue
        host, parts = urls.host(url), urlsplit(url)
        said = "".join(c for c in entry.get("title") or "" if c.isprintable() or c.isspace())
        title = " ".join(said.split())[:100] or host
        outlets.setdefault(host, Outlet(title, parts.netloc, scheme=parts.scheme))
        feeds[host][Feed(f"{parts.path}?{parts.query}" if parts.query else parts.path)] = None
    return [(outlet, list(feeds[host])) for host, outlet in outlets.items()], unusable


def _decoded(xml: bytes) -> str:
    """The text of an XML file, by its byte order mark, else its declaration, else UTF-8 (XML 1.0,
    appendix F), without any of them. Raises OpmlError."""
    by_mark, mark = read_bom(xml)
    declaration = _DECLARATION.match(xml)
    said = by_mark or (declaration[1].decode() if declaration else None)
    try:
        text = xml[len(mark or b"") :].decode(said or "utf-8")
    except (UnicodeError, LookupError):
        says = f"says that it is {said}, but is not" if said else "is not UTF-8, and says no other"
        raise OpmlError(f"its encoding cannot be told: it {says}") from None
    return _PROLOGUE.sub("", text, count=1)


def _address(url: str) -> str | None:
    """The address of a feed as a catalogue may have it: percent-encoded, its host in ASCII, without
    a user's name and password; None where it cannot have it."""
    if "{" in url or "}" in url or not urls.host(url):
        return None
    parts = urlsplit(strip_url(safe_url_string(url)))
    if not _HOST.fullmatch(parts.netloc.lower()):
        return None
    return urlunsplit(parts._replace(netloc=parts.netloc.lower(), path=parts.path or "/"))
