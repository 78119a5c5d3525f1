"""The further pages of a split article, found in its own pagers."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urljoin, urlsplit

from lxml.html import HtmlElement

MAX_PAGES = 20

_PAGE_PATH = re.compile(r"/(?:page/|halaman/|hal-)?(\d{1,2})$")
_PAGE_KEYS = frozenset(("page", "halaman", "hal", "pg"))
_WHOLE = frozenset(("all", "semua", "full"))
_LONGEST_NUMBER = 12  # characters of a relative address like "3/" or "halaman-3"
_COMMENTS = re.compile(r"comment|komentar|disqus|respon", re.IGNORECASE)


def pager_links(root: HtmlElement, url: str) -> tuple[str, ...]:
    """Absolute addresses of this article's own pages that the page links to, in order.

    Only addresses on the article's own host and path count (/slug/2, ?page=2, ?halaman=2,
    ?page=all): a pager of comments or of a category has another.
    """
    own = _identity(url)
    if own is None:
        return ()
    slug = own[1].partition("?")[0].rpartition("/")[2]
    found: dict[str, None] = {}
    for link in root.iter("a", "link"):
        href = (link.get("href") or "").strip()
        if not href or len(href) > 2000 or (link.tag == "link" and link.get("rel") != "next"):
            continue
        if slug not in href and (
            href[0] == "/" or (href[0] != "?" and len(href) > _LONGEST_NUMBER)
        ):
            continue
        try:
            address = urljoin(url, href).partition("#")[0]
            identity = _identity(address)
        except ValueError:
            continue
        if identity is None or identity[:2] != own[:2] or identity[2] == own[2]:
            continue
        if link.tag == "a" and ("comment" in href or _among_comments(link)):
            continue
        found[address] = None
    return tuple(sorted(found, key=lambda address: _number(_identity(address))))


def missing_pages(links: Iterable[str], given: Sequence[str]) -> tuple[str, ...]:
    """Those of `links` whose page is not among the `given` addresses, at most 20. An address of
    the whole article stands alone; once it is given, nothing is missing."""
    have = {identity[2] for url in given if (identity := _identity(url))}
    pages = {i[2]: url for url in links if (i := _identity(url)) and i[2] != "1"}
    whole = [page for page in pages if page in _WHOLE]
    if have & _WHOLE:
        return ()
    if whole:
        return (pages[whole[0]],)
    wanted = [page for page in sorted(pages, key=int) if page not in have]
    return tuple(pages[page] for page in wanted[:MAX_PAGES])


def _identity(url: str) -> tuple[str, str, str] | None:
    """An address as (host, path and query of the article, page: a number or a word for all)."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https"):
        return None
    path, page = parts.path.rstrip("/"), "1"
    rest = []
    for key, value in parse_qsl(parts.query, keep_blank_values=True, max_num_fields=50):
        if key.lower() in _PAGE_KEYS and (
            value.lower() in _WHOLE or re.fullmatch(r"\d{1,2}", value)
        ):
            page = value.lower().lstrip("0") or "1"
        elif not key.startswith("utm_"):
            rest.append(f"{key}={value}")
    if page == "1" and (found := _PAGE_PATH.search(path)) and int(found[1]) > 1:
        path, page = path[: found.start()], str(int(found[1]))
    return host, f"{path}?{'&'.join(rest)}", page


def _number(identity: tuple[str, str, str] | None) -> int:
    return int(identity[2]) if identity and identity[2].isdecimal() else 0


def _among_comments(link: HtmlElement) -> bool:
    return any(
        _COMMENTS.search(f"{a.get('class') or ''} {a.get('id') or ''}")
        for a in link.iterancestors("div", "section", "nav", "ol", "ul", "aside")
        if a.find(".//h1") is None
    )
