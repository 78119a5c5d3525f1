"""URL identity: which addresses are one and the same article.

courlan's tracker list is not used: it takes parameters such as `cid` and `source` away too, by
which some government portals tell one article from another.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from w3lib.url import canonicalize_url, safe_url_string

MAX_LENGTH = 2000

_TRACKING = re.compile(
    r"utm_.*|fbclid|gclid|dclid|gbraid|wbraid|msclkid|yclid|twclid|igshid|mc_cid|mc_eid|_ga|_gl|"
    r"ref_src|amp_.*",
    re.IGNORECASE,
)
# parameter → the values with which it makes a twin (None: any)
_TWIN_PARAMETERS: dict[str, frozenset[str] | None] = {
    "amp": None,
    "m": frozenset({"0", "1"}),  # Blogger's mobile pages
    "outputtype": frozenset({"amp"}),
    "page": frozenset({"all", "1"}),
    "halaman": frozenset({"all", "1"}),
    "showpage": frozenset({"all"}),
}
_ANOTHER_ARTICLE = re.compile(r"random-post|random_post", re.IGNORECASE)
_TWIN_HOST = re.compile(r"^(?:www\.)*(?:(?:amp|m|mobile|wap)\.(?:www\.)*)+(?=[^.]+\.)")
_WWW = re.compile(r"^(?:www\.)+(?=[^.]+\.)")
_TWIN_PREFIX = re.compile(r"^(?:/+(?:amp|copy|index\.php))+(?=/+[^/])")
_TWIN_SUFFIX = re.compile(r"(?<=[^/])(?:/+(?:amp|copy))+/*$")
_INDEX = re.compile(r"^(?:/+index\.php)+(?=/|$)")
_PLAIN = re.compile(r"(https?://[a-z0-9.:-]+/)[\w/.~-]*", re.ASCII)
_DATE = re.compile(r"/((?:19|20)\d\d)/(\d\d?)(?:/(\d\d?))?/")


def address(url: str) -> str | None:
    """`url` as it should be fetched: the desktop page of the whole article, nothing tracked.

    None where it is no address of an article on the web (mailto:, over 2,000 characters, …).
    """
    if len(url) > MAX_LENGTH:
        return None
    try:
        parts = urlsplit(safe_url_string(url))
        port = parts.port
        path = urlsplit(canonicalize_url(url)).path  # percent-encoded where it must be, only there
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    if _ANOTHER_ARTICLE.search(parts.query):
        return None
    host = _TWIN_HOST.sub("", parts.hostname.rstrip("."))
    host = f"[{host}]" if ":" in host else host
    if port and port != {"http": 80, "https": 443}[parts.scheme]:
        host += f":{port}"
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not _is_noise(name.lower(), value.lower())
    ]
    path = _without_twins(path)
    return urlunsplit(SplitResult(parts.scheme, host, path, urlencode(query), ""))


def _without_twins(path: str) -> str:
    prefix = _TWIN_PREFIX.match(path)
    if prefix:
        index = "/index.php" if "index.php" in prefix[0] else ""
        path = index + path[prefix.end() :]
    return _TWIN_SUFFIX.sub("/", path) or "/"


def _is_noise(name: str, value: str) -> bool:
    if _TRACKING.fullmatch(name):
        return True
    if name not in _TWIN_PARAMETERS:
        return False
    values = _TWIN_PARAMETERS[name]
    return values is None or value in values


@lru_cache(4096)
def canonical(url: str) -> str | None:
    """The one form that all twins of `url` share: an identity, not always an address."""
    whole = address(url)
    if whole is None:
        return None
    parts = urlsplit(canonicalize_url(whole))
    host = _WWW.sub("", parts.netloc)
    path = _INDEX.sub("", parts.path).rstrip("/") or "/"
    return urlunsplit(SplitResult("https", host, path, parts.query, ""))


def is_front_page(url: str) -> bool:
    """Whether a canonical URL is the front page of its site, which is no article."""
    parts = urlsplit(url)
    return parts.path == "/" and not parts.query


def host(url: str) -> str:
    """The host and port that `url` shares with its twins, without www."""
    if len(url) <= MAX_LENGTH and (plain := _PLAIN.fullmatch(url)):
        url = plain[1]  # whatever the path, so that one answer serves all of a site
    form = canonical(url)
    return urlsplit(form).netloc if form else ""


def date_in(url: str) -> datetime | None:
    """The day (or, without one, the last day of the month) that a path such as /2024/05/15/ names,
    at its end in UTC."""
    match = _DATE.search(urlsplit(url).path + "/")
    if not match:
        return None
    year, month = int(match[1]), int(match[2])
    try:
        if match[3]:
            return datetime(year, month, int(match[3]), 23, 59, 59, tzinfo=UTC)
        return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    except ValueError:
        return None
