"""Which links of a page lead to articles, told by their shape.

For sites that list their articles for readers only. An article's address says more than a menu's (a
date, a number, a long slug), its link is a headline, and it is one of many of the same form; tags,
categories, further pages, share buttons and the house's own pages give themselves away by a word.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import parse_qsl, urljoin, urlsplit

from lxml import etree
from parsel import Selector

from crawler import urls
from crawler.sources.reader import make_links
from extract.link import Link

NOT_LIKE_ARTICLES = "links of the site's pages that do not look like articles"
HEADLINE = 25  # characters of a link that is a headline; menus say less
MOST_ANCHORS = 5_000  # of a page that are looked at; those made for readers have some hundreds
MOST_TEXT = 300  # characters of a link's text that are looked at
LIKELY, SURE = 3, 5  # points of an article among others of its form, and of one alone

_NOT_ARTICLES = re.compile(  # a whole segment of a path
    r"tags?|topics?|topi[ck]s?|tagar|label|categor(?:y|ies)|kategori|rubrik|kanal|section|authors?|"
    r"penulis|users?|profile?|members?|page|halaman|hal|search|cari|pencarian|login|masuk|register|"
    r"daftar|logout|admin|feeds?|rss|sitemap|inde(?:x|ks)(?:-berita|\.html?|\.php)?|arsip|archives?|"
    r"wp-(?:admin|content|includes|json|login\.php)|cdn-cgi|assets|uploads?|downloads?|unduh|share|"
    r"cart|shop|produk|products?|comments?|komentar|print|cetak|terpopuler|populer|trending|galeri|"
    r"gallery|agenda|p",
    re.IGNORECASE,
)
_HOUSE = re.compile(  # the last segment of a page about the site itself
    r"(?:tentang|about|kontak|contact|hubungi|redaksi|susunan-redaksi|tim-redaksi|box-redaksi|"
    r"pedoman|kode-etik|kode-perilaku|privacy|kebijakan-privasi|disclaimer|penafian|terms|"
    r"syarat|ketentuan|info-iklan|iklan|karir|karier|career|advertise|visi-(?:dan-)?misi|"
    r"struktur-organisasi|sop-|perlindungan-wartawan)(?:\b|-).*",
    re.IGNORECASE,
)
_FURTHER = re.compile(r"[1-9]\d?")  # behind an article's slug: its second page
_FILE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|svg|ico|pdf|docx?|xlsx?|pptx?|zip|rar|mp[34]|xml|css|js|json|apk|txt)$",
    re.IGNORECASE,
)
_PAGE = re.compile(r"\.(?:s?html?|php|aspx?|jsp|xhtml)$", re.IGNORECASE)
_DATED = re.compile(r"/(?:19|20)\d\d[/-](?:0?[1-9]|1[0-2])[/-]")
_NUMBER = re.compile(r"(?:[a-z]{1,3}-?)?\d{3,}", re.IGNORECASE)
_NUMBERED = re.compile(r"\d{3,}-|.*-\d{3,}$")
_ID = re.compile(
    r"p|(?:.*[_-])?id|id[_-]?[a-z]+|[a-z]{1,8}id|no|berita|news|artikel|article|baca|read|detail|"
    r"judul|slug|title",
    re.IGNORECASE,
)
_NOT_ID = re.compile(r"page[_-]?id|cat[_-]?id|id[_-]?kategori|tag[_-]?id|user[_-]?id|itemid", re.I)
_ASIDE = frozenset({"nav", "footer"})
_TITLES = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "article"})
_OTHER_RELATIONS = frozenset({"tag", "category", "author", "sponsored", "next", "prev", "license"})


@dataclass(slots=True)
class _Anchor:
    """A link as the page shows it: `text` is the longest of what it and its picture say; `place`
    is 1 for a heading or an article's box, -2 for a menu or a footer."""

    href: str
    text: str = ""
    place: int = 0


def article_links(html: str, url: str) -> list[Link]:
    """The links on a page (a front page, a section, an archive, a search's answer) that look like
    articles of its site, in the page's order. Raises SourceError where they are too many."""
    root = Selector(html).root
    shown: dict[str, tuple[str, _Anchor]] = {}
    anchors = _anchors(root)
    for anchor in islice(anchors, MOST_ANCHORS):
        try:
            target = urljoin(url, anchor.href)
        except ValueError:
            continue
        canonical = urls.canonical(target)
        if canonical is None or urls.host(canonical) != urls.host(url):
            continue
        known = shown.setdefault(canonical, (target, anchor))[1]
        if len(anchor.text) > len(known.text):
            known.text = anchor.text
        known.place = max(known.place, anchor.place)
    shown.pop(urls.canonical(url) or "", None)
    points = {canonical: _points(canonical, anchor) for canonical, (_, anchor) in shown.items()}
    likely = {canonical: _form(canonical) for canonical, n in points.items() if n >= LIKELY}
    forms = Counter(likely.values())
    taken = [
        (shown[canonical][0], None, None)
        for canonical, form in likely.items()
        if forms[form] > 1 or points[canonical] >= SURE
    ]
    links = make_links(url, taken)
    links.dropped[NOT_LIKE_ARTICLES] += len(shown) - len(taken)
    links.dropped["pages of which not all links are looked at"] += any(True for _ in anchors)
    return links


def _anchors(root: etree._Element) -> Iterator[_Anchor]:
    """The links of a page, in one walk over it."""
    aside = titles = 0
    current: _Anchor | None = None
    for event, element in etree.iterwalk(root, events=("start", "end")):
        tag = element.tag
        begins = event == "start"
        if tag in _ASIDE:
            aside += 1 if begins else -1
        elif tag in _TITLES:
            titles += 1 if begins else -1
        if begins:
            if tag == "a":
                current = _anchor(element, aside, titles)
            elif current and tag == "img":
                _say(current, element.get("alt"), element.get("title"))
            elif current and tag in _TITLES:
                current.place = max(current.place, 1)
            if current and isinstance(tag, str) and element.text:
                _say(current, f"{current.text} {element.text[:MOST_TEXT]}")
        else:
            if tag == "a":
                if current:
                    yield current
                current = None
            if current and element.tail:
                _say(current, f"{current.text} {element.tail[:MOST_TEXT]}")


def _anchor(element: etree._Element, aside: int, titles: int) -> _Anchor | None:
    href = (element.get("href") or "").strip()
    relations = (element.get("rel") or "")[:100].lower().split()
    if not href or href[0] == "#" or _OTHER_RELATIONS.intersection(relations):
        return None
    anchor = _Anchor(href, place=1 if titles else -2 if aside else 0)
    _say(anchor, element.get("title"))
    return anchor


def _say(anchor: _Anchor, *texts: str | None) -> None:
    for text in texts:
        text = " ".join((text or "")[: 2 * MOST_TEXT].split())[:MOST_TEXT]
        if len(text) > len(anchor.text):
            anchor.text = text


def could_be_article(canonical: str) -> bool:
    """Whether nothing in an address says that it is no article's: a tag's, a picture's, a further
    page's, the site's own."""
    parts = urlsplit(canonical)
    segments = [segment for segment in parts.path.split("/") if segment]
    last = segments[-1] if segments else ""
    if (
        any(_NOT_ARTICLES.fullmatch(segment) for segment in segments)
        or _FILE.search(last)
        or _HOUSE.fullmatch(last)
        or (_FURTHER.fullmatch(last) and segments[-2:-1] and segments[-2].count("-") > 1)
    ):
        return False
    return _names_one(parts.query) if parts.query else bool(segments)


def _points(canonical: str, anchor: _Anchor) -> int:
    """How much a link looks like an article's; 0 where its address says that it is none."""
    if not could_be_article(canonical):
        return 0
    parts = urlsplit(canonical)
    segments = [segment for segment in parts.path.split("/") if segment]
    last = segments[-1] if segments else ""
    points = anchor.place
    headline = len(anchor.text) >= HEADLINE and anchor.text.count(" ") >= 2
    points += 2 * headline
    if parts.query:
        return points + 2
    slug = _PAGE.sub("", last)
    points += min(slug.count("-") + slug.count("_"), 4) // 2
    points += 2 * bool(_DATED.search(parts.path))
    points += any(map(_NUMBER.fullmatch, [*segments[:-1], slug])) or bool(_NUMBERED.match(slug))
    points += slug != last
    return points


def _names_one(query: str) -> bool:
    """Whether a query names one article: ?p=123, ?id=123, ?judul=…"""
    for name, value in parse_qsl(query):
        if _ID.fullmatch(name) and not _NOT_ID.fullmatch(name):
            return value.isdecimal() or value.count("-") >= 2
    return False


def _form(canonical: str) -> str:
    """What the addresses of a site's articles have in common: "/a/#/~" of /berita/1234/a-slug."""
    parts = urlsplit(canonical)
    if parts.query:
        return f"{parts.path}?{sorted(name for name, _ in parse_qsl(parts.query))}"
    *before, last = parts.path.strip("/").split("/")
    ending = _PAGE.search(last)
    kinds = ["#" if _NUMBER.fullmatch(part) or part.isdecimal() else "a" for part in before]
    slug = "#" if _NUMBER.fullmatch(_PAGE.sub("", last)) else "~" if "-" in last else "a"
    return "/".join([*kinds, slug + (ending[0] if ending else "")])
