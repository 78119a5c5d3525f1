"""From a page's bytes to an article: pure, without network, clock or database."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import ftfy
from ftfy.badness import is_bad
from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring
from w3lib.encoding import (
    html_body_declared_encoding,
    http_content_type_encoding,
    read_bom,
    resolve_encoding,
)

from extract import dates, meta
from extract.article import Article, Page
from extract.body import find_body, with_heading_above
from extract.captions import Caption, first_picture, lead
from extract.clean import (
    BOILERPLATE,
    article_lines,
    compiled,
    is_boilerplate,
    is_list,
    prune,
)
from extract.dateline import read_dateline
from extract.names import Names
from extract.pager import missing_pages, pager_links

MAX_BYTES = 5_000_000
MAX_TAGS = 100_000  # an article's page has hundreds, seldom ten thousand
MAX_TAGS_DEEP = 5_000  # of a page whose unclosed tags nest beyond libxml2's 256 levels
MAX_CELLS = 15_000  # of tables, on which trafilatura's time grows with the square
MAX_ATTRIBUTES = 2_000
MIN_TEXT = 120  # characters of an article's text,
MIN_TEXT_DECLARED = 40  # and of one that its structured data call an article

_NO_ARTICLE = compiled(BOILERPLATE["no_article"])
_LISTS = compiled(BOILERPLATE["lists"])
_CONTROLS = bytes((*range(9), 11, 12, *range(14, 32), 127))
_ARTICLE_QUERY = re.compile(r"(?:^|&)(?!paged?=|halaman=)[a-z_]+=\d")  # ?p=123
_LONG_TAG = 8_000  # bytes
_QUOTED = re.compile(rb"\"[^\"]*\"|'[^']*'")
_TOO_DEEP = [etree.ErrorTypes.ERR_RESOURCE_LIMIT]
_MATH_LETTERS = re.compile("[\U0001d400-\U0001d7ff]+")


def read(
    pages: Sequence[Page], *, zone: ZoneInfo, outlet: str = "", listed: datetime | None = None
) -> Article | None:
    """Read an article from its first page and, where it is split, the following ones in order.

    `zone` is the outlet's time zone, `outlet` its name as it stands in datelines, `listed` an
    aware datetime that a feed or sitemap gave, used where the page has none. The texts are
    joined; what an earlier page has said already is not repeated. None if the first page is no
    article: an index, an empty or error page, not HTML. Raises ValueError without any page.
    """
    if not pages:
        raise ValueError("read() needs at least one page")
    first = _read_page(pages[0], zone, outlet, listed, MIN_TEXT)
    if first is None:
        return None
    following = [_read_page(page, zone, outlet, listed, 1) for page in pages[1:]]
    lines = first.text.split("\n")
    known = set(lines)
    for article in filter(None, following):
        for line in article.text.split("\n"):
            if line not in known and line != first.title:
                lines.append(line)
                known.add(line)
    links = [link for article in (first, *filter(None, following)) for link in article.pages]
    return replace(
        first,
        text="\n".join(lines),
        pages=missing_pages(links, [page.url for page in pages]),
        paid=first.paid or any(a.paid for a in following if a),
    )


def _read_page(
    page: Page, zone: ZoneInfo, outlet: str, listed: datetime | None, least: int
) -> Article | None:
    root = parse(page)
    if root is None:
        return None
    names = Names(root)
    about = meta.read_meta(root, names, page.url)
    title = mend(meta.headline(about, root, names, page.url, outlet))
    if not title or _is_no_article(page.url, title):
        return None
    links = pager_links(root, page.url)
    given = meta.stamps(about, root, names)
    printed = meta.read_printed(root, names, title)
    prune(root, names)
    body = find_body(root, title)
    if body is None:
        return None
    if body.headline is None and not about.is_titled:
        body = with_heading_above(body)
        title = title if body.headline is None else mend(body.blocks[body.headline].text)
    lines = [mend(line) for line in article_lines(body.text, title)]
    if sum(map(len, lines)) < (min(least, MIN_TEXT_DECLARED) if about.is_article else least):
        return None
    if not about.article and is_list(body.text, few=_LISTS.fullmatch(title) is not None):
        return None
    notes = body.notes
    when, source = dates.published(
        given, notes, url=page.url, zone=zone, fetched=page.fetched, listed=listed
    ) or (None, None)
    signed = printed.signatures_outside({caption.box for caption in body.captions})
    people = meta.authors(about, signed, [*notes, *body.end], page.url, outlet)
    lines = [
        line
        for number, line in enumerate(lines)
        if number > 2 or not meta.is_signature(line, people, about, page.url, outlet)
    ]
    text = "\n".join(lines)
    image = meta.image(about, page.url) or first_picture(body.beginning, page.url)
    return Article(
        url=page.url,
        title=title,
        text=text,
        authors=people,
        published=when and when.at,
        published_from=source,
        published_inferred=when is not None and when.inferred,
        dateline=read_dateline(lines[:6], outlet, urlsplit(page.url).hostname or ""),
        section=meta.section(about, printed.sections, page.url, outlet),
        tags=tuple(map(mend, meta.tags(about, printed.tags, f"{title} {text}", page.url, outlet))),
        image=image,
        caption=_caption(lead(body.captions, image, body.beginning), about, title),
        language=meta.language(root, text),
        paid=meta.is_paid(about, title, lines, notes, root),
        pages=links,
    )


def _is_no_article(url: str, title: str) -> bool:
    parts = urlsplit(url)
    front = parts.path.strip("/") in ("", "index.php", "index.html")
    return (front and not _ARTICLE_QUERY.search(parts.query)) or bool(_NO_ARTICLE.fullmatch(title))


def _caption(printed: Caption | None, about: meta.Meta, title: str) -> str | None:
    """The lead picture's caption: the printed one, or else what the structured data say."""
    for text in (printed.text if printed else "", meta.caption(about)):
        if text and not is_boilerplate(text) and text.casefold() != title.casefold():
            return mend(text)
    return None


def parse(page: Page) -> HtmlElement | None:
    """The page's tree, or None where it is not HTML or beyond all measure."""
    html = page.html
    if not 0 < len(html) <= MAX_BYTES or html.count(b"<") > MAX_TAGS or _has_endless_tag(html):
        return None
    valid = decode(html, page.charset).replace("\ufffe", "").replace("\uffff", "")
    text = valid.encode("utf-8", "replace").translate(None, _CONTROLS)
    head = text[:2000].decode("utf-8", "replace").lstrip().lower()
    if not re.match(r"<(?!\?xml\b(?!.{0,300}<html)|rss|feed|urlset|sitemapindex)", head, re.DOTALL):
        return None
    try:
        parser = _parser()
        root = document_fromstring(text, parser=parser)
        if len(parser.error_log.filter_types(_TOO_DEEP)) and html.count(b"<") <= MAX_TAGS_DEEP:
            root = document_fromstring(text, parser=_parser(huge_tree=True))
    except (etree.LxmlError, ValueError):
        return None
    cells = islice(root.iter("td", "th"), MAX_CELLS, None)
    return root if root.find("body") is not None and next(cells, None) is None else None


def _has_endless_tag(html: bytes) -> bool:
    """Whether a tag has thousands of attributes: libxml2's time grows with their square."""
    for part in html.split(b"<"):
        tag = part.partition(b">")[0] if len(part) > _LONG_TAG and part[:1].isalpha() else b""
        if len(tag) <= _LONG_TAG:
            continue
        bare = _QUOTED.sub(b"", tag)
        if bare.count(b"=") > MAX_ATTRIBUTES or len(bare.split()) > MAX_ATTRIBUTES:
            return True
    return False


def _parser(*, huge_tree: bool = False) -> HTMLParser:
    parser = HTMLParser(
        encoding="utf-8",
        remove_comments=True,
        remove_pis=True,
        no_network=True,
        huge_tree=huge_tree,
    )
    # every element alike: lxml.html's own lookup, for the sake of forms, is Python and slow
    parser.set_element_class_lookup(etree.ElementDefaultClassLookup(element=HtmlElement))
    return parser


def decode(html: bytes, charset: str | None) -> str:
    """The text of a page: by its byte order mark, as UTF-8 if it is that, else by what the HTTP
    header or the page declares. Whoever declares UTF-8 and is not has Windows-1252, unless most
    of it is UTF-8 with a few broken bytes."""
    mark, _ = read_bom(html)
    if mark:
        return html.decode(mark, "replace")
    try:
        return html.decode("utf-8")
    except UnicodeDecodeError:
        pass
    header = http_content_type_encoding(f"text/html; charset={charset}") if charset else None
    for declared in (header, html_body_declared_encoding(html)):
        name = declared and resolve_encoding(declared)
        if name and name not in ("utf-8", "ascii") and not name.startswith("utf-16"):
            return html.decode(name, "replace")
    text = html.decode("utf-8", "replace")
    whole = sum(c > "\x7f" and c != "\ufffd" for c in text)
    return text if whole > text.count("\ufffd") else html.decode("cp1252", "replace")


def mend(text: str) -> str:
    """A line with mojibake undone, mathematical letters (𝐁𝐞𝐫𝐢𝐭𝐚) made plain, in NFC."""
    if text.isascii():
        return text
    if is_bad(text):
        text = " ".join(ftfy.fix_encoding(text).split())
    text = _MATH_LETTERS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return unicodedata.normalize("NFC", text)
