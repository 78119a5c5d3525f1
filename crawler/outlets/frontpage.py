"""What a site's front page, and its robots.txt, tell of the ways its articles are listed."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from cssselect import HTMLTranslator, SelectorError
from parsel import Selector
from protego import Protego
from w3lib.url import safe_url_string

from crawler import urls
from crawler.sources.shape import MOST_ANCHORS, article_links

MOST_SITEMAPS = 5  # of the hundreds that some robots.txt name
MOST = 8  # feeds, or index pages, that are looked at
MOST_HITS = 40

_FEEDS = ("application/rss+xml", "application/atom+xml", "application/rdf+xml")
_OF_COMMENTS = re.compile(r"comment|komentar", re.IGNORECASE)
_INDEX = re.compile(  # the last segment of a page that lists what is new
    r"inde(?:ks|x)(?:-?(?:berita|news))?|(?:arsip|archives?)(?:-berita)?|"
    r"(?:berita|news|kabar|warta|artikel|siaran-pers)(?:-(?:terkini|terbaru|utama|kota|daerah))?|"
    r"terkini|terbaru|latest|blog|posts?",
    re.IGNORECASE,
)
_FIELDS = ("s", "q", "keyword", "keywords", "query", "cari", "search", "kata", "k")
_PAGE_FIELDS = frozenset({"page", "paged", "halaman", "hal", "p", "pg"})
_NUMBERED = re.compile(r"/(?:page/|halaman/|hal/|p/)?2/?")
_NAME = re.compile(r"[A-Za-z][A-Za-z_-]{1,40}")
_NO_NAME = re.compile(
    r"(?:home|beranda|halaman)(?: utama)?|(?:indeks )?(?:berita|kabar) (?:terbaru|terkini|utama).*",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s+[|–—-]\s+|\s*[:»·•]\s+")


@dataclass(frozen=True, slots=True)
class FrontPage:
    """What it says: the site's `name`, where it gives one, and its `title`; `system`, what it runs
    on, as "wordpress", "blogger" or "drupal", where that can be seen; the addresses of its `feeds`
    and of its REST API's root; `search`, the path of its search with {term}; `indexes`, the paths
    of pages that list what is new; `articles`, the canonical addresses of those it lists itself."""

    name: str = ""
    title: str = ""
    system: str = ""
    feeds: tuple[str, ...] = ()
    api: str | None = None
    search: str | None = None
    indexes: tuple[str, ...] = ()
    articles: tuple[str, ...] = ()


def look(html: str, url: str) -> FrontPage:
    """Look at the front page of a site. Raises SourceError where it lists too much."""
    page = Selector(html)
    return FrontPage(
        _name(page),
        main_part(page.xpath("//title/text()").get() or "", url),
        _system(page, html),
        tuple(dict.fromkeys(_feeds(page, url)))[:MOST],
        _joined(url, page.xpath("//link[@rel='https://api.w.org/']/@href").get()),
        next(_searches(page, url), None),
        tuple(dict.fromkeys(_indexes(page, url)))[:MOST],
        tuple(link.url for link in article_links(html, url)),
    )


def _name(page: Selector) -> str:
    for name in ("og:site_name", "application-name"):
        said = page.xpath("//meta[@property=$n or @name=$n]/@content", n=name).get("")
        if text := _plain(said):
            return text
    return ""


def main_part(title: str, url: str) -> str:
    """The part of a title such as "Beranda - Kabar Daerah" that names the site at `url`."""
    parts = [part for part in _SEPARATOR.split(_plain(title)) if part]
    label = squeezed((urlsplit(url).hostname or "").removeprefix("www."))
    named = [part for part in parts if len(part) > 3 and squeezed(part) in label]
    said = [part for part in parts if not _NO_NAME.fullmatch(part)]
    return (*named, *said, "")[0]


def _plain(text: str) -> str:
    """A line of at most 200 characters, none of which does anything to a terminal."""
    return "".join(c for c in " ".join(text[:500].split()) if c.isprintable())[:200]


def squeezed(text: str) -> str:
    """The letters and digits of a name: "kabarbali" of "Kabar-Bali"."""
    return "".join(c for c in text.lower() if c.isalnum())


def _system(page: Selector, html: str) -> str:
    generator = (page.xpath("//meta[@name='generator' or @name='Generator']/@content").get()) or ""
    if "/wp-content/" in html:
        return "wordpress"
    return next(iter(generator[:100].lower().split()), "")


def _joined(url: str, href: str | None) -> str | None:
    """The address of `href`, where it is on the site of `url`."""
    if not href:
        return None
    try:
        target = urljoin(url, href.strip())
    except ValueError:
        return None
    on_it = urls.canonical(target) and urls.host(target) == urls.host(url)
    return safe_url_string(target) if on_it and "{" not in target and "}" not in target else None


def _feeds(page: Selector, url: str) -> Iterator[str]:
    for link in page.xpath("//link[@type]"):
        if (link.attrib.get("type") or "").strip().lower() in _FEEDS:
            target = _joined(url, link.attrib.get("href"))
            if target and not _OF_COMMENTS.search(target):
                yield target


def _searches(page: Selector, url: str) -> Iterator[str]:
    for form in page.xpath("//form"):
        if form.attrib.get("method", "get").lower() != "get":
            continue
        inputs = {i.attrib.get("name", ""): i.attrib for i in form.xpath(".//input[@name]")[:20]}
        field = next((name for name in _FIELDS if name in inputs), None)
        target = _joined(url, form.attrib.get("action") or url)
        if field is None or target is None:
            continue
        fixed = {
            name: attributes.get("value", "")
            for name, attributes in inputs.items()
            if attributes.get("type") == "hidden"
        }
        query = urlencode(fixed).replace("{", "%7B").replace("}", "%7D")
        path = quote(urlsplit(target).path or "/", safe="/%")
        yield f"{path}?{query + '&' if query else ''}{field}={{term}}"


def _indexes(page: Selector, url: str) -> Iterator[str]:
    for href in page.xpath("//a/@href").getall()[:MOST_ANCHORS]:
        target = _joined(url, href)
        parts = urlsplit(target or "")
        segments = parts.path.strip("/").split("/")
        if not parts.query and len(segments) <= 2 and _INDEX.fullmatch(segments[-1]):
            yield parts.path


def listed_sitemaps(robots: bytes) -> list[str]:
    """The addresses of the sitemaps that a robots.txt names: the first few."""
    sitemaps = Protego.parse(robots.decode("utf-8", "replace")).sitemaps
    return list(islice(sitemaps, MOST_SITEMAPS))


def further_pages(html: str, url: str) -> str | None:
    """The path of a listing's further pages, with {page} (1 and up), as its own link to its second
    page has it; None where there is none, or where pages are counted from 0, as Drupal does."""
    own = urlsplit(url)
    base = own.path.rstrip("/")
    for anchor in Selector(html).xpath("//a[@href]")[:MOST_ANCHORS]:
        target = _joined(url, anchor.attrib["href"])
        parts = urlsplit(target or "")
        query = parse_qsl(parts.query)
        field = next((n for n, value in query if n in _PAGE_FIELDS and value == "2"), None)
        if field and parts.path.rstrip("/") == base:
            if (anchor.xpath("normalize-space()").get() or "") == "3":
                return None
            rest = urlencode([(n, v) for n, v in query if n != field])
            return f"{parts.path or '/'}?{rest + '&' if rest else ''}{field}={{page}}"
        rest = parts.path.removeprefix(base)
        if not query and parts.path.startswith(base) and _NUMBERED.fullmatch(rest):
            return f"{base}{rest.replace('2', '{page}')}"
    return None


def hits_selector(hits: str, nothing: str, url: str) -> str | None:
    """A CSS selector of the links to what a search found: of a box that holds articles on the page
    of its `hits`, and no link on the page of a search that found `nothing`."""
    found = {link.url for link in article_links(hits, url)}
    page, empty = Selector(hits), Selector(nothing)
    anchors = (
        anchor
        for anchor in page.xpath("//a[@href]")[:MOST_ANCHORS]
        if urls.canonical(_joined(url, anchor.attrib["href"]) or "") in found
    )
    boxes: Counter[str] = Counter()
    for anchor in islice(anchors, MOST_HITS):
        boxes.update(list(dict.fromkeys(_boxes(anchor))))
    best = None
    for selector, _ in boxes.most_common(40):
        if empty.css(selector):
            continue
        targets = {
            urls.canonical(_joined(url, href) or "")
            for href in page.css(selector).xpath("@href").getall()[:MOST_ANCHORS]
        }
        # the closest box that has as many as any: what it holds beside them is the least
        rank = (len(targets & found), -len(targets - found))
        if rank[0] and (best is None or rank > best[0]):
            best = (rank, selector)
    return best[1] if best else None


def _boxes(anchor: Selector) -> Iterator[str]:
    """Selectors of links within each of the boxes that an anchor stands in, the closest first."""
    for box in anchor.xpath("ancestor::*")[::-1][:8]:
        names = [f"#{box.attrib['id']}"] if "id" in box.attrib else []
        names += [f".{name}" for name in box.attrib.get("class", "")[:200].split()[:3]]
        for name in names:
            if _NAME.fullmatch(name[1:]):
                selector = f"{name} a"
                try:
                    HTMLTranslator().css_to_xpath(selector)
                except SelectorError:
                    continue
                yield selector
