"""Feeds and sitemaps, as XML answers with validators."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from lxml import etree
from lxml.builder import ElementMaker  # type: ignore[import-not-found] # not in lxml-stubs

from demo.articles import Article
from demo.server import Response

ATOM = "http://www.w3.org/2005/Atom"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
DC = "http://purl.org/dc/elements/1.1/"
NEWS = "http://www.google.com/schemas/sitemap-news/0.9"
OPEN_SEARCH = "http://a9.com/-/spec/opensearchrss/1.0/"
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"

Words = Callable[[Article], str]
BEFORE_ALL = datetime(2020, 1, 1, tzinfo=UTC)


def last_change(articles: Iterable[Article]) -> datetime:
    return max((article.modified for article in articles), default=BEFORE_ALL)


def rss(
    title: str,
    base: str,
    articles: Sequence[Article],
    *,
    link: Words,
    summary: Words,
    guid: Words | None = None,
    content: Words | None = None,
    window: tuple[int, int] | None = None,
) -> Response:
    """RSS 2.0. `window` is Blogger's (articles in all, start index from 1)."""
    make = ElementMaker(
        nsmap={"atom": ATOM, "content": CONTENT, "dc": DC, "openSearch": OPEN_SEARCH}
    )
    channel = make.channel(
        make.title(title),
        make.link(f"{base}/"),
        make.description(f"Berita terbaru dari {title}"),
        make.language("id"),
        make.lastBuildDate(format_datetime(last_change(articles))),
        *_window(make, window, len(articles)),
    )
    for article in articles:
        item = make.item(
            make.title(article.title),
            make.link(link(article)),
            make.guid(
                guid(article) if guid else link(article), isPermaLink="false" if guid else "true"
            ),
            make.pubDate(format_datetime(article.published)),
            make(f"{{{DC}}}creator", etree.CDATA(article.author)),
            make.category(etree.CDATA(article.section)),
            make.description(etree.CDATA(summary(article))),
        )
        if content:
            item.append(make(f"{{{CONTENT}}}encoded", etree.CDATA(content(article))))
        channel.append(item)
    return _xml(make.rss(channel, version="2.0"), "application/rss+xml", last_change(articles))


def atom(
    title: str,
    base: str,
    articles: Sequence[Article],
    *,
    link: Words,
    content: Words,
    window: tuple[int, int],
) -> Response:
    """An Atom feed as Blogger writes it."""
    make = ElementMaker(namespace=ATOM, nsmap={None: ATOM, "openSearch": OPEN_SEARCH})
    feed = make.feed(
        make.id(f"{base}/feeds/posts/default"),
        make.title(title, type="text"),
        make.updated(last_change(articles).isoformat()),
        make.link(rel="alternate", type="text/html", href=f"{base}/"),
        *_window(make, window, len(articles)),
    )
    for article in articles:
        feed.append(
            make.entry(
                make.id(f"tag:blogger.com,1999:post-{article.number}"),
                make.published(article.published.isoformat()),
                make.updated(article.modified.isoformat()),
                make.category(term=article.section),
                make.title(article.title, type="text"),
                make.content(content(article), type="html"),
                make.link(rel="alternate", type="text/html", href=link(article)),
                make.author(make.name(article.author)),
            )
        )
    return _xml(feed, "application/atom+xml", last_change(articles))


def sitemap_index(entries: Iterable[tuple[str, datetime | None]], modified: datetime) -> Response:
    """A sitemap of sitemaps, given as (address, lastmod)."""
    return _sitemap("sitemapindex", "sitemap", entries, modified)


def sitemap(entries: Iterable[tuple[str, datetime | None]], modified: datetime) -> Response:
    """A sitemap of pages, given as (address, lastmod)."""
    return _sitemap("urlset", "url", entries, modified)


def news_sitemap(outlet: str, base: str, articles: Sequence[Article]) -> Response:
    """Google's news sitemap: title and date of publication with every address."""
    make = ElementMaker(namespace=SITEMAP, nsmap={None: SITEMAP, "news": NEWS})
    news = ElementMaker(namespace=NEWS)
    root = make.urlset(
        *(
            make.url(
                make.loc(article.url(base)),
                news.news(
                    news.publication(news.name(outlet), news.language("id")),
                    news.publication_date(article.published.isoformat()),
                    news.title(article.title),
                ),
            )
            for article in articles
        )
    )
    return _xml(root, "text/xml", last_change(articles))


def _sitemap(
    root: str, entry: str, entries: Iterable[tuple[str, datetime | None]], modified: datetime
) -> Response:
    make = ElementMaker(namespace=SITEMAP, nsmap={None: SITEMAP})
    rows = (
        make(entry, make.loc(address), *([make.lastmod(changed.isoformat())] if changed else []))
        for address, changed in entries
    )
    return _xml(make(root, *rows), "text/xml", modified)


def _window(
    make: ElementMaker, window: tuple[int, int] | None, size: int
) -> Iterable[etree._Element]:
    if window is None:
        return []
    names = ("totalResults", "startIndex", "itemsPerPage")
    return [
        make(f"{{{OPEN_SEARCH}}}{name}", str(number))
        for name, number in zip(names, (*window, size), strict=True)
    ]


def _xml(root: etree._Element, content_type: str, modified: datetime) -> Response:
    text = etree.tostring(root, encoding="unicode", pretty_print=True)
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?>\n{text}',
        content_type=f"{content_type}; charset=UTF-8",
        modified=modified,
    )
