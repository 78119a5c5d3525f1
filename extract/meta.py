"""What a page says of itself: structured data, headline, authors, section, paid or not."""

import json
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from lxml.html import HtmlElement

from extract.clean import BOILERPLATE, BYLINE, compiled, is_boilerplate, short_text
from extract.copies import fold
from extract.dates import VISIBLE
from extract.names import Names

_ARTICLE_TYPES = frozenset(
    [
        "Article",
        "NewsArticle",
        "BlogPosting",
        "ReportageNewsArticle",
        "OpinionNewsArticle",
        "AnalysisNewsArticle",
        "BackgroundNewsArticle",
        "ReviewNewsArticle",
        "LiveBlogPosting",
        "SocialMediaPosting",
        "AdvertiserContentArticle",
    ]
)
_MAX_JSON = 1_000_000  # characters of one JSON-LD script
_MAX_NODES = 5_000

_NOBODY = compiled(BOILERPLATE["nobody"])
_PAID_BRACKETS = compiled(BOILERPLATE["paid_brackets"])
_PAID_LABELS = compiled(BOILERPLATE["paid_labels"])
_SEPARATOR = re.compile(r"\s+[|–—•·»«›~-]+\s+|\s*[|»]\s*|\s+:\s+|:\s+")
_OFFICES = frozenset(BOILERPLATE["offices"])
_PUBLISHED = re.findall(  # meta names, the surest first
    r"\S+",
    "article:published_time datepublished content_publisheddate pubdate publishdate publish-date "
    "publish_date published_time og:published_time dc.date.issued dc.date dcterms.created "
    "parsely-pub-date sailthru.date cxenseparse:recs:publishtime date",
)


@dataclass(slots=True)
class Meta:
    """The structured data of a page: the article's JSON-LD object ({} without), `meta` tags by
    lower-case name, `keywords` (article:tag), the labels (section, breadcrumb) it carries."""

    article: dict[str, Any]
    tags: dict[str, str]
    keywords: list[str]
    title_tag: str
    breadcrumb: list[str] = field(default_factory=list)

    @property
    def is_article(self) -> bool:
        """Whether the structured data describe an article, rather than any web page."""
        return bool(_types(self.article) & _ARTICLE_TYPES)

    @property
    def is_titled(self) -> bool:
        """Whether more than `<title>` says what the page is called."""
        return bool(self.article.get("headline") or self.tags.get("og:title"))

    @property
    def site(self) -> str:
        """The site's name for itself."""
        publisher = self.article.get("publisher")
        named = publisher.get("name") if isinstance(publisher, dict) else None
        return self.tags.get("og:site_name") or (named if isinstance(named, str) else "")


def read_meta(root: HtmlElement, names: Names, url: str) -> Meta:
    """Read the structured data of a whole page, before anything is taken out of it."""
    tags: dict[str, str] = {}
    keywords = []
    for tag in root.iter("meta"):
        name = tag.get("property") or tag.get("name") or tag.get("itemprop")
        content = (tag.get("content") or "").strip()
        if name and content:
            tags.setdefault(name.lower(), content)
            if name.lower() in ("article:tag", "og:article:tag"):
                keywords.append(content)
    objects = list(_objects(root))
    articles = [o for o in objects if _types(o) & _ARTICLE_TYPES]
    path = urlsplit(url).path.rstrip("/")
    own = [
        a
        for a in articles
        if path and path in json.dumps([a.get("mainEntityOfPage"), a.get("url"), a.get("@id")])
    ]
    pages = [o for o in objects if "WebPage" in _types(o) and "datePublished" in o]
    article = next(iter(own + articles), None) or next(iter(pages), {})
    title = root.find(".//title")
    return Meta(
        article=article,
        tags=tags,
        keywords=keywords,
        title_tag=_clean(title.text_content() if title is not None else ""),
        breadcrumb=[*_breadcrumb(objects), *_visible_breadcrumb(names)],
    )


def _objects(root: HtmlElement) -> Iterator[dict[str, Any]]:
    """All JSON-LD objects that have a type, outermost first."""
    queue: deque[Any] = deque()
    for script in root.xpath('//script[contains(@type, "ld+json")]'):
        text = (script.text or "").strip().removeprefix("<!--").removesuffix("-->")
        if len(text) <= _MAX_JSON:
            try:
                queue.append([json.loads(text, strict=False)])
            except (ValueError, RecursionError):
                continue
    seen = 0
    while queue and seen < _MAX_NODES:
        node = queue.popleft()
        seen += 1
        if isinstance(node, dict) and "@type" in node:
            yield node
        inner = node.values() if isinstance(node, dict) else node
        queue.extend(v for v in inner if isinstance(v, dict | list))


def _types(node: dict[str, Any]) -> set[str]:
    kinds = node.get("@type")
    return {k for k in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(k, str)}


def _breadcrumb(objects: list[dict[str, Any]]) -> Iterator[str]:
    for trail in objects:
        items = trail.get("itemListElement")
        if "BreadcrumbList" not in _types(trail) or not isinstance(items, list):
            continue
        for item in items:
            inner = item.get("item") if isinstance(item, dict) else None
            name = (item.get("name") if isinstance(item, dict) else None) or (
                inner.get("name") if isinstance(inner, dict) else None
            )
            if isinstance(name, str):
                yield _clean(name)


def _visible_breadcrumb(names: Names) -> list[str]:
    trails = names.find(
        lambda called: (
            "readcrumb" in called.kind
            or "readcrumb" in called.id
            or "crumbs" in called.kind
            or called.kind.startswith("bread")
        )
    )
    links = dict.fromkeys(link for trail in trails for link in trail.iterdescendants("a"))
    return [text for link in islice(links, 20) if (text := _clean(link.text_content()))]


def stamps(meta: Meta, root: HtmlElement, names: Names) -> list[tuple[str, str]]:
    """(source, timestamp) pairs that say when the article was published, the surest first."""
    found = [
        ("json-ld", value)
        for key in ("datePublished", "dateCreated", "uploadDate")
        if isinstance(value := meta.article.get(key), str)
    ]
    found += [("meta", meta.tags[name]) for name in _PUBLISHED if name in meta.tags]
    times = root.xpath(
        "//time[@datetime] | //abbr[@title][contains(@class, 'published')]"
        " | //a[@rel='bookmark'][@title]/*[contains(@class, 'entry-date')]"
    )
    marked = names.find(lambda called: called.prop == "datePublished")
    marked = [e for e in marked if not {"content", "datetime", "title"}.isdisjoint(e.keys())]
    times = names.ordered([*times, *marked])
    named: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for time in times[:50]:
        about = f"{time.get('class')} {time.get('itemprop')}".lower()
        if ("updated" in about and "published" not in about) or "modified" in about:
            continue
        if any(_BESIDE.search(_names_of(e)) for e in islice(time.iterancestors(), 6)):
            continue
        said = time.get("datetime") or time.get("content") or time.get("title")
        if not said:  # WordPress's first themes: the day is linked, the hour the link's title
            said = f"{short_text(time)} {time.getparent().get('title')}"
        value = ("time", said)
        is_marked = time.get("pubdate") is not None or "publish" in about or "entry-date" in about
        (named if is_marked else others).append(value)
    return found + named[:1] + (others[:1] if len(others) == 1 else [])


def headline(meta: Meta, root: HtmlElement, names: Names, url: str, outlet: str) -> str:
    """The article's title without the site's name, "" if there is none.

    What JSON-LD, og:title, `<title>`, the headings and the address's words say is held against
    each other; the wording that most of them share wins, a heading before the others.
    """
    sites = _site_names(meta, url, outlet)
    known = fold(f"{outlet} {meta.site} {urlsplit(url).hostname}")

    def is_site(text: str) -> bool:
        return all(fold(word) in known or word.lower() in _OFFICES for word in text.split())

    marked = names.find(lambda called: called.prop == "headline")
    headings = [
        text
        for h in names.ordered([*root.xpath("//h1 | //h2"), *marked])[:30]
        if 2 < len(text := _clean(h.get("content") or h.text_content())) < 300 and not is_site(text)
    ]
    said = [
        _clean(text)
        for text in (
            meta.article.get("headline"),
            meta.tags.get("og:title"),
            meta.tags.get("twitter:title"),
            meta.title_tag,
        )
        if isinstance(text, str) and text.strip()
    ]
    said = [_without_site(text, sites, headings) for text in said]
    said = [text for text in said if fold(text) not in sites and not is_site(text)]
    witnesses = [fold(text) for text in said]
    slug = _slug_words(url)
    best, most = "", 0.0
    first_h1 = len(root.findall(".//h1")) == 1
    for place, text in enumerate([*headings, *said]):
        folded = fold(text)
        if not folded or folded in sites:
            continue
        votes = float(sum(_agree(folded, other) for other in witnesses))
        words = set(re.findall(r"\w+", text.lower()))
        if slug and len(words & slug) >= 0.6 * len(slug):
            votes += 2  # the address is this page's own, a <title> may be the whole site's
        votes += 0.5 * (place < len(headings)) + 0.4 * (place == 0 and first_h1)
        if len(words) == 1 and votes < 2:
            continue
        if votes > most:
            best, most = text, votes
    return best or next((t for t in _lesser_headings(root) if not is_site(t)), "")


def _lesser_headings(root: HtmlElement) -> Iterator[str]:
    """Headings of any rank that are no link, outside menus and boxes: for a page whose structured
    data and title are only the site's."""
    for heading in islice(root.iter("h1", "h2", "h3", "h4"), 30):
        text = short_text(heading)
        around = (heading, *islice(heading.iterancestors(), 8))
        if (
            text.count(" ") >= 3
            and len(text) < 300
            and all(e.tag != "a" and e.tag not in _OUTER and not _is_elsewhere(e) for e in around)
            and heading.find(".//a") is None
        ):
            yield text


def _agree(one: str, other: str) -> float:
    if one == other:
        return 1.0
    shorter, longer = sorted((one, other), key=len)
    return 0.8 if len(shorter) > 15 and longer.startswith(shorter) else 0.0


def _without_site(title: str, names: set[str], headings: list[str]) -> str:
    """A title without the names that a site puts before or after it."""
    for heading in headings:
        if len(heading) > 15 and heading in title:
            return heading
    for _ in range(4):
        cuts = list(_SEPARATOR.finditer(title))
        if not cuts:
            break
        last, first = cuts[-1], cuts[0]
        if _is_name(title[last.end() :], names):
            title = title[: last.start()]
        elif _is_name(title[: first.start()], names):
            title = title[first.end() :]
        else:
            break
    return title.strip()


def _is_name(text: str, names: set[str]) -> bool:
    folded = fold(text)
    return folded in names or any(len(n) > 4 and folded.startswith(n) for n in names)


def _site_names(meta: Meta, url: str, outlet: str) -> set[str]:
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    said = [
        outlet,
        _SITE_ENDING.sub("", outlet),
        meta.site,
        host,
        host.split(".")[0],
        meta.tags.get("application-name", ""),
    ]
    return {folded for text in said if (folded := fold(text))}


_SITE_ENDING = re.compile(r"\.(?:com|co|id|net|news|org|info|tv|online)(?:\.id)?$", re.IGNORECASE)


def _slug_words(url: str) -> set[str]:
    parts = [p for p in unquote(urlsplit(url).path).lower().split("/") if p.count("-") >= 2]
    words = re.findall(r"[^\W_]+", parts[-1].removesuffix(".html")) if parts else []
    return {w for w in words if not w.isdecimal()}


def _signatures(names: Names) -> list[list[tuple[HtmlElement, str]]]:
    printed = names.find(
        lambda called: (
            "author" in (called.rel, called.prop) or any(word in called.kind for word in _AUTHORS)
        )
    )[:20]
    said = [
        (element, text)
        for element in printed
        if 2 < len(text := _text_of(element)) < 120
        and not any(map(_is_elsewhere, (element, *islice(element.iterancestors(), 4))))
    ]
    return [
        [(e, text) for e, text in said if e.get("class") == first.get("class")]
        for first, _ in said[:6]
    ]


def _behind_icons(headline: HtmlElement) -> list[tuple[HtmlElement, str]]:
    """What stands behind the picture of a person beside the headline."""
    boxes = [e for e in islice(headline.iterancestors(), 3) if e.tag not in ("body", "html")]
    if not boxes:
        return []
    icons = boxes[-1].xpath(".//i[contains(@class, 'user') or contains(@class, 'person')]")
    return [
        (icon, text)
        for icon in icons[:3]
        if 2 < len(text := _clean(icon.tail or "")) < 60
        and not any(map(_is_elsewhere, islice(icon.iterancestors(), 4)))
    ][:1]


def authors(
    meta: Meta, signed: list[list[str]], around: list[str], url: str, outlet: str
) -> tuple[str, ...]:
    """Those who signed: printed as authors (`signed`), in the structured data, or beside the
    headline and at the text's end (`around`)."""
    names = _site_names(meta, url, outlet)
    sources = [
        *signed,
        list(_names(meta.article.get("author"))),
        [line for line in around if len(line) < 120 and BYLINE.match(line)],
        [
            meta.tags[n]
            for n in ("content_author", "author", "dc.creator", "article:author")
            if n in meta.tags
        ],
    ]
    editors = _editors(meta)
    for source in sources:
        if people := list(dict.fromkeys(p for text in source for p in _people(text, names))):
            return tuple([person for person in people if person not in editors] or people)[:8]
    return ()


def _editors(meta: Meta) -> list[str]:
    return [meta.tags.get("content_editor", ""), *_names(meta.article.get("editor"))]


def _text_of(element: HtmlElement) -> str:
    named = element.xpath(
        ".//*[@itemprop='name'] | .//a[contains(@href, '/author') or contains(@href, '/writer')"
        " or contains(@href, '/penulis')]"
    )
    target = named[0] if len({_clean(e.text_content()) for e in named}) == 1 else element
    return _clean(target.get("content") or " ".join(target.itertext()))


def _names(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        name = one.get("name") if isinstance(one, dict) else one
        if isinstance(name, str):
            yield name


def _people(text: str, site_names: set[str]) -> Iterator[str]:
    text = _OFFICE_AFTER.sub("", _clean(text[:400]).partition("http")[0])
    if found := BYLINE.match(text):
        date = VISIBLE.search(found[1])  # behind it are sections and counters
        text = f"{found[1][: date.start()]};" if date and date.start() else found[1]
    text = _ON.sub(";", VISIBLE.sub(";", text))
    for part in re.split(
        r"\s*[;|/]\s*|,\s+|\s+[-–]\s+|\s+(?:dan|and|&)\s+|\s*\b(?:Editor|Redaktur|Penyunting)\b.*",
        text,
    ):
        name = part.strip(" -:.@()")
        if (
            3 <= len(name) <= 60
            and name.count(" ") <= 5
            and not re.search(r"https?:|\d|[@?!]", name)
            and name[0].isupper()
            and not _NOBODY.fullmatch(name)
            and not _is_name(name, site_names)
        ):
            yield name


def _sections(headline: HtmlElement) -> list[str]:
    box = [e for e in islice(headline.iterancestors(), 4) if e.tag not in ("body", "html")]
    links = islice(box[-1].iter("a"), 200) if box else ()
    boxes = {*box}
    return [
        text
        for link in links
        if not boxes.isdisjoint(islice(link.iterancestors(), 5))
        and ("category" in link.get("rel", "") or _is_filed(link) or _is_after_home(link, box[:2]))
        and 2 < len(text := _clean(link.text_content())) <= 40
    ]


def _is_filed(link: HtmlElement) -> bool:
    called = (link.get("class"), link.getparent().get("class"), link.get("href"))
    return any(_SECTION.search((text or "")[:400]) for text in called) and not any(
        map(_is_elsewhere, islice(link.iterancestors(), 4))
    )


def _is_after_home(link: HtmlElement, box: list[HtmlElement]) -> bool:
    """Whether a link is the second step of a breadcrumb beside the headline."""
    before = next(link.itersiblings("a", preceding=True), None)
    return (
        before is not None
        and short_text(before).casefold() in _HOME
        and not {*box}.isdisjoint(islice(link.iterancestors(), 2))
    )


_AUTHORS = ("author", "penulis", "reporter", "jurnalis", "byline")
_HOME = frozenset(("home", "beranda", "depan"))
_SECTION = re.compile(r"kanal|rubrik|categor|kategori|cat-links|article-tag|\?cat=", re.IGNORECASE)


def _heading(root: HtmlElement, title: str) -> HtmlElement | None:
    """The heading that prints the title, or else the first of the highest rank."""
    wanted = fold(title)
    headings = islice(root.iter("h1", "h2", "h3"), 60)
    same = (h for h in headings if fold(short_text(h)) == wanted)
    return next(same, root.find(".//h1"))


_OFFICE_AFTER = re.compile(r"\W*\b(?:penulis|jurnalis|reporter|wartawan)\b\W*$", re.IGNORECASE)
_ON = re.compile(r"\b(?:on|pada)\b\W*;", re.IGNORECASE)


def is_signature(line: str, people: tuple[str, ...], meta: Meta, url: str, outlet: str) -> bool:
    """Whether a line has nothing but authors' names and the site's."""
    rest = line.casefold()
    for name in (*people, *_editors(meta), outlet, meta.site):
        rest = rest.replace(name.casefold(), " ") if name else rest
    host = fold(urlsplit(url).hostname or "")
    return rest != line.casefold() and all(
        len(word) < 3 or word in host for word in re.findall(r"\w+", rest)
    )


def section(meta: Meta, filed: list[str], url: str, outlet: str) -> str | None:
    """The section the outlet filed it under: by structured data, breadcrumb, or the links
    (`filed`) beside the headline."""
    for value in (meta.article.get("articleSection"), meta.tags.get("article:section")):
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, str) and first.strip():
            return _clean(first)
    names = _site_names(meta, url, outlet) | _HOME | {""}
    desk = fold((urlsplit(url).hostname or "").split(".")[0])  # regional.…: not the site's name
    if desk not in fold(outlet + meta.site):
        names.discard(desk)
    trail = [c for c in (*meta.breadcrumb, *filed) if fold(c) not in names]
    return trail[0] if trail else None


@dataclass(frozen=True, slots=True)
class Printed:
    """What a whole page prints beside its article, before any furniture is taken out: its tags,
    what the links at the headline call its section, and the elements named after authors, alike
    ones together."""

    tags: list[str]
    sections: list[str]
    signatures: list[list[tuple[HtmlElement, str]]]

    def signatures_outside(self, boxes: set[HtmlElement]) -> list[list[str]]:
        """What the elements named after authors say, but for those within `boxes`."""
        return [
            [said for e, said in alike if boxes.isdisjoint((e, *e.iterancestors()))]
            for alike in self.signatures
        ]


def read_printed(root: HtmlElement, names: Names, title: str) -> Printed:
    """Read what the page prints beside the article of that title."""
    headline = _heading(root, title)
    if headline is None:
        return Printed([], [], _signatures(names))
    signed = _signatures(names) or [_behind_icons(headline)]
    return Printed(_printed_tags(root, names, headline), _sections(headline), signed)


def _printed_tags(root: HtmlElement, names: Names, headline: HtmlElement) -> list[str]:
    """The first group of links behind the headline that are marked as tags, outside menus,
    sidebars and lists of what is popular."""
    around = {*headline.iterancestors()}
    for holder in _tag_holders(root, names, headline)[:100]:
        box = holder.getparent() if holder.tag == "a" else holder
        box = box.getparent() if box.tag == "li" else box
        called = _names_of(holder)
        if holder.tag != "a" and (not _TAG_NAMES.search(called) or "share" in called):
            continue
        marked = "tag" in holder.get("rel", "").split()
        if any(
            e not in around and (e.tag in _OUTER or _is_elsewhere(e))
            for e in (box, *box.iterancestors())
        ):
            continue
        alike = islice(box.itersiblings(box.tag), 40) if box.get("class") else ()
        boxes = [box, *(e for e in alike if e.get("class") == box.get("class"))]
        links = [
            _clean(link.text_content())
            for one in boxes
            for link in islice(one.iter("a"), 50)
            if not _is_category(link) and (not marked or "tag" in link.get("rel", "").split())
        ]
        beside = 0 if marked else len(short_text(box)) - len(" ".join(links))
        if (
            0 < len(links) <= 40
            and max(text.count(" ") for text in links) < 6
            and beside <= 30 + len(links)
        ):
            return links
    return []


def _tag_holders(root: HtmlElement, names: Names, headline: HtmlElement) -> list[HtmlElement]:
    """The links and boxes behind the headline that may be tags, or hold them."""
    links = (
        link
        for link in root.xpath("//a")
        if (rel := link.get("rel", "")) == "tag"
        or rel.startswith("tag ")
        or _TAG_ADDRESS.search(link.get("href", ""))
    )
    boxes = names.find(
        lambda called: "tag" in called.id or any(word in called.kind for word in _TAG_WORDS)
    )
    found = (*links, *(box for box in boxes if box.tag in _TAG_BOXES))
    return names.ordered(filter(names.behind(headline), found))


def _is_category(link: HtmlElement) -> bool:
    return "category" in link.get("rel", "") or "/category/" in link.get("href", "")


_TAG_ADDRESS = re.compile(r"/(?:tags?|topi[ck])/")
_TAG_BOXES = frozenset(("div", "p", "ul", "span", "section", "footer", "h3", "h4", "h5", "h6"))
_TAG_WORDS = ("tag", "label", "topi", "keyword")
_TAG_NAMES = re.compile(
    r"(?:^|[\s_-])(?:tags?|labels?|topi[ck]s?|keywords?|tagging|tag\w*(?:list|links?|box|cloud\d*))(?=$|[\s_-])",
    re.IGNORECASE,
)
_BESIDE = re.compile(r"(?:^|[\s_-])(?:comments?|komentar|related\w*|terkait)(?=$|[\s_-])", re.I)
_OUTER = frozenset(("nav", "aside", "header"))
_ELSEWHERE = re.compile(
    r"(?:^|[\s_-])(?:sidebar|trending\w*|popul[ae]r|terpopuler|hot|menu|navbar|colophon"
    r"|site-footer|tag-?cloud|related\w*|terkait|breadcrumbs?|comments?|komentar|blogroll|author-(?:bio|desc\w*))(?=$|[\s_-])|^widget",
    re.IGNORECASE,
)


def _is_elsewhere(element: HtmlElement) -> bool:
    names = _names_of(element).split()
    return any(_ELSEWHERE.search(name) and not _TAG_NAMES.search(name) for name in names)


def _names_of(element: HtmlElement) -> str:
    return f"{element.get('class') or ''} {element.get('id') or ''}"[:400]


def tags(meta: Meta, printed: list[str], said: str, url: str, outlet: str) -> tuple[str, ...]:
    """The article's own keywords: those printed on the page, else those of its structured data.

    A site's standing keywords are told by what the article says (`said`, its title and text): they
    seldom occur in it.
    """
    names = _site_names(meta, url, outlet)
    given = meta.article.get("keywords")
    listed = given if isinstance(given, list) else str(given or "").split(",")
    standing = next((meta.tags[n] for n in ("news_keywords", "keywords") if n in meta.tags), "")
    known = said.casefold()
    for source, share in (
        (printed, 0.0),
        (meta.keywords if len(meta.keywords) > 1 else ",".join(meta.keywords).split(","), 0.0),
        ([k for k in listed if isinstance(k, str)], 0.01),
        (standing.split(","), 0.5),
    ):
        found = {
            tag.casefold(): tag
            for text in islice(source, 60)
            if 1 < len(tag := _clean(text).strip(" #")) <= 60 and fold(tag) not in names
        }
        if share and found.keys() & _INDONESIAN:  # a sentence cut up
            continue
        if found and sum(tag in known for tag in found) >= share * len(found):
            return tuple(found.values())[:20]
    return ()


def caption(meta: Meta) -> str:
    """What the structured data print under the article's picture, "" for nothing."""
    image = meta.article.get("image")
    first = image[0] if isinstance(image, list) and image else image
    said = first.get("caption") if isinstance(first, dict) else None
    return _clean(said) if isinstance(said, str) else ""


def is_paid(meta: Meta, title: str, lines: list[str], around: list[str], root: HtmlElement) -> bool:
    """Whether it says it is an advertorial or comes from an official or partner."""
    if "AdvertiserContentArticle" in _types(meta.article):
        return True
    if any(
        _PAID_BRACKETS.search(text) for text in (title, *lines[:3], *(t[-200:] for t in lines[-4:]))
    ):
        return True
    sections = meta.article.get("articleSection")
    labels = [
        *(sections if isinstance(sections, list) else [sections]),
        meta.tags.get("article:section"),
        *meta.breadcrumb,
        *(_clean(a.text_content()) for a in root.xpath("//a[contains(@rel, 'category')]")[:10]),
        *(line for line in around if not is_boilerplate(line)),  # "Iklan" names its place
        *lines[:2],
        *lines[-2:],
    ]
    return any(isinstance(label, str) and _PAID_LABELS.fullmatch(label.strip()) for label in labels)


def image(meta: Meta, url: str) -> str | None:
    """The address of the article's picture."""
    value: Any = (
        meta.tags.get("og:image") or meta.tags.get("twitter:image") or meta.article.get("image")
    )
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("url")
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        return urljoin(url, value.strip())
    except ValueError:
        return None


_INDONESIAN = frozenset(
    re.findall(
        r"\w+",
        "yang dan di untuk dengan dari dalam ini itu pada akan tidak ke oleh karena juga bahwa",
    )
)


def language(root: HtmlElement, text: str) -> str | None:
    """The text's language: Indonesian is known by its commonest words, whatever the page claims."""
    words = Counter(re.findall(r"[a-z]+", text.lower()))
    common = sum(words[w] for w in _INDONESIAN)
    if common > 0.04 * max(words.total(), 1):
        return "id"
    claimed = (root.get("lang") or "").strip().lower()[:2]
    return claimed if claimed.isalpha() else None


def _clean(text: str) -> str:
    return " ".join(text.split())
