"""Sites on WordPress: feeds, sitemaps, the REST API, search, archives, split posts."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from urllib.parse import urlencode

from demo import feeds, pages
from demo import wordpress_rest as rest
from demo.articles import Article, before
from demo.pages import Html, fill, render
from demo.server import Request, Response, Routes, dispatch, redirect, robots, whole_number

PER_PAGE = 10
# index, posts, categories
CORE_SITEMAPS = (
    "wp-sitemap.xml",
    "wp-sitemap-posts-post-1.xml",
    "wp-sitemap-taxonomies-category-1.xml",
)
YOAST_SITEMAPS = ("sitemap_index.xml", "post-sitemap.xml", "category-sitemap.xml")


@dataclass(frozen=True, slots=True)
class Posts:
    """One site's theme, options and posts (newest first).

    `theme` names its templates, `dateline` is put before a post's first paragraph, `signature` is
    its last line; with `baca_juga` another headline stands in the middle of its text. `yoast`
    serves Yoast's sitemaps instead of WordPress's own; `rest` off answers the REST API as the
    plugins do that switch it off.
    """

    name: str
    theme: str
    dateline: Callable[[Article], Html]
    signature: Callable[[Article], str]
    baca_juga: bool
    yoast: bool
    rest: bool
    articles: Sequence[Article]
    zone: tzinfo

    def __call__(self, request: Request) -> Response:
        routes: Routes = (
            (r"/(?:page/(\d+)/)?", self._front),
            (r"/robots\.txt", self._robots),
            (r"/feed/?", self._feed),
            (r"/category/([a-z0-9-]+)/(?:page/(\d+)/)?", self._category),
            (r"/(\d{4}/\d\d(?:/\d\d)?)/(?:page/(\d+)/)?", self._archive),
            *self._rest_routes(),
            *self._sitemap_routes(),
            (r"(/.+?/)(?:(\d+)/?)?", self._post),
            (r"/.+", self._slash),
        )
        return dispatch(routes, request) or self._missing(request)

    # pages for people

    def _front(self, request: Request, number: str) -> Response:
        query = request.query
        if "p" in query:
            return self._shortlink(request)
        if "s" not in query:
            return self._listing(request, "Berita Terbaru", self.articles, number)
        found = [article for article in self.articles if rest.matches(article, query["s"])]
        if query.get("feed") == "rss2":
            return self._rss(request, found)
        heading = f"Hasil pencarian: {query['s']}"
        return self._listing(request, heading, found, number, f"?{urlencode({'s': query['s']})}")

    def _shortlink(self, request: Request) -> Response:
        for article in self.articles:
            if str(article.number) == request.query["p"]:
                return redirect(article.url(request.base))
        return self._missing(request)

    def _category(self, request: Request, slug: str, number: str) -> Response:
        found = [article for article in self.articles if _slug(article.section) == slug]
        heading = f"Kategori: {found[0].section}" if found else ""
        return self._listing(request, heading, found, number)

    def _archive(self, request: Request, day: str, number: str) -> Response:
        found = [a for a in self.articles if f"{a.published:%Y/%m/%d}".startswith(day)]
        return self._listing(request, f"Arsip: {day}", found, number)

    def _listing(
        self,
        request: Request,
        heading: str,
        found: Sequence[Article],
        number: str,
        query: str = "",
    ) -> Response:
        page = whole_number(number or request.query.get("paged"), 1)
        shown = found[(page - 1) * PER_PAGE : page * PER_PAGE] if page else []
        searching = bool(query) and page == 1  # a search without a hit is still a page
        if not shown and not searching:
            return self._missing(request)
        entries = pages.join(
            fill(
                '<article class="post"><h2 class="entry-title"><a href="{address}">{title}</a></h2>'
                '<time class="entry-date" datetime="{iso}">{day}</time><p>{lead}</p></article>',
                address=article.url(request.base),
                title=article.title,
                iso=article.published.isoformat(),
                day=pages.day_month_year(article.published),
                lead=article.lead,
            )
            for article in shown
        )
        path = re.sub(r"page/\d+/$", "", request.path)
        older = fill(
            '<nav class="navigation"><a class="next" href="{address}">Berita lama</a></nav>',
            address=f"{request.base}{path}page/{page + 1}/{query}",
        )
        main = fill(
            '<h1 class="page-title">{heading}</h1>\n{entries}\n{older}',
            heading=heading,
            entries=entries or Html("<p>Maaf, tidak ada yang cocok.</p>"),
            older=older if len(found) > page * PER_PAGE else Html(""),
        )
        return Response(self._page(request.base, heading, main))

    def _post(self, request: Request, path: str, number: str) -> Response:
        found = next((article for article in self.articles if article.path == path), None)
        if found is None:
            return self._missing(request)
        if not request.path.endswith("/"):
            return redirect(f"{request.base}{request.path}/")
        page = whole_number(number, 1)
        if number and not 1 < page <= len(found.pages):
            return redirect(found.url(request.base))  # WordPress knows no such page, nor page 1
        main = render(
            f"{self.theme}-post",
            base=request.base,
            title=found.title,
            section=found.section,
            section_slug=_slug(found.section),
            author=found.author,
            iso=found.published.isoformat(),
            day=pages.day_month_year(found.published),
            views=str(found.number % 1700),
            body=self._body(request.base, found, page),
            parts=self._parts(request.base, found, page),
            related=pages.links(
                (a.url(request.base), a.title) for a in before(found, self.articles)[:3]
            ),
            address=found.url(request.base),
        )
        return Response(self._page(request.base, found.title, main, found))

    def _body(self, base: str, article: Article, page: int = 0) -> Html:
        """A post's content; `page` 0 is the whole, as in feed and REST."""
        shown = article.pages[page - 1 : page] if page else article.pages
        paragraphs = [fill("<p>{text}</p>", text=text) for part in shown for text in part]
        if page <= 1:
            paragraphs[0] = fill(
                "<p>{dateline}{text}</p>", dateline=self.dateline(article), text=article.lead
            )
        if self.baca_juga:
            paragraphs[2:2] = [
                fill(
                    '<p><strong>Baca juga: <a href="{address}">{title}</a></strong></p>',
                    address=other.url(base),
                    title=other.title,
                )
                for other in before(article, self.articles)[:1]
            ]
        if page in (0, len(article.pages)):
            paragraphs.append(fill("<p>{signature}</p>", signature=self.signature(article)))
        return pages.join(paragraphs)

    def _parts(self, base: str, article: Article, page: int) -> Html:
        if len(article.pages) == 1:
            return Html("")
        numbers = range(1, len(article.pages) + 1)
        items = pages.join(
            fill('<span class="current">{number}</span>', number=str(number))
            if number == page
            else fill(
                '<a class="post-page-numbers" href="{address}">{number}</a>',
                address=article.url(base) + (f"{number}/" if number > 1 else ""),
                number=str(number),
            )
            for number in numbers
        )
        return fill('<div class="page-links">Halaman: {items}</div>', items=items)

    def _head(self, base: str, article: Article) -> Html:
        facts = {
            "@context": "https://schema.org",
            "@type": "NewsArticle",
            "headline": article.title,
            "datePublished": article.published.isoformat(),
            "dateModified": article.modified.isoformat(),
            "author": {"@type": "Person", "name": article.author},
            "articleSection": article.section,
            "mainEntityOfPage": article.url(base),
        }
        # "</script>" in a headline would end the script
        written = json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")
        return fill(
            '<link rel="canonical" href="{address}">\n'
            '<meta property="og:type" content="article">\n'
            '<meta property="og:title" content="{title}">\n'
            '<meta property="article:section" content="{section}">\n'
            '<script type="application/ld+json">{facts}</script>',
            address=article.url(base),
            title=article.title,
            section=article.section,
            facts=Html(written),
        )

    def _page(self, base: str, title: str, main: Html, article: Article | None = None) -> Html:
        """The frame around `main`; an article's has its sidebar as on the day it came out."""
        known = before(article, self.articles) if article else self.articles
        sections = sorted({article.section for article in self.articles})
        popular = [a for a in known if a.label != "filler"]
        return render(
            self.theme,
            base=base,
            title=title,
            head=self._head(base, article) if article else Html(""),
            menu=pages.links((f"{base}/category/{_slug(s)}/", s) for s in sections),
            main=main,
            popular=pages.links((a.url(base), a.title) for a in popular),
            latest=pages.links((a.url(base), a.title) for a in known[:5]),
        )

    def _missing(self, request: Request) -> Response:
        main = Html("<h1>Halaman tidak ditemukan</h1><p>Silakan coba pencarian.</p>")
        return Response(self._page(request.base, "404", main), 404)

    def _slash(self, request: Request) -> Response:
        """WordPress sends /slug on to /slug/, but only where there is something."""
        if any(article.path == f"{request.path}/" for article in self.articles):
            return redirect(f"{request.base}{request.path}/")
        return self._missing(request)

    # what machines read

    def _robots(self, request: Request) -> Response:
        index, *_ = YOAST_SITEMAPS if self.yoast else CORE_SITEMAPS
        return robots(
            "Disallow: /wp-admin/",
            "Allow: /wp-admin/admin-ajax.php",
            "",
            f"Sitemap: {request.base}/{index}",
        )

    def _feed(self, request: Request) -> Response:
        return self._rss(request, self.articles)

    def _rss(self, request: Request, articles: Sequence[Article]) -> Response:
        page = whole_number(request.query.get("paged"), 1)
        shown = articles[(page - 1) * PER_PAGE : page * PER_PAGE] if page else []
        if not shown:
            return self._missing(request)
        return feeds.rss(
            self.name,
            request.base,
            shown,
            link=lambda article: article.url(request.base),
            guid=lambda article: f"{request.base}/?p={article.number}",
            summary=rest.excerpt,
            content=lambda article: self._body(request.base, article),
        )

    def _rest_routes(self) -> Routes:
        if not self.rest:
            return ((r"/wp-json/.*", rest.switched_off),)
        return (
            (r"/wp-json/", lambda request: rest.root(request, self.name, self.zone)),
            (
                r"/wp-json/wp/v2/posts",
                lambda request: rest.posts(request, self.articles, self.zone, self._body),
            ),
            (
                r"/wp-json/wp/v2/posts/(\d+)",
                lambda request, number: rest.post(request, number, self.articles, self._body),
            ),
        )

    def _sitemap_routes(self) -> Routes:
        """WordPress's own sitemaps, which know no dates, or Yoast's, which do."""
        index, posts, categories = YOAST_SITEMAPS if self.yoast else CORE_SITEMAPS
        changed = feeds.last_change(self.articles)

        def sitemap_index(request: Request) -> Response:
            parts = [f"{request.base}/{name}" for name in (posts, categories)]
            return feeds.sitemap_index(
                [(part, changed if self.yoast else None) for part in parts], changed
            )

        def post_sitemap(request: Request) -> Response:
            entries = [
                (article.url(request.base), article.modified if self.yoast else None)
                for article in self.articles
            ]
            return feeds.sitemap(entries, changed)

        def category_sitemap(request: Request) -> Response:
            slugs = sorted({_slug(article.section) for article in self.articles})
            entries = [(f"{request.base}/category/{slug}/", None) for slug in slugs]
            return feeds.sitemap(entries, changed)

        def alias(request: Request) -> Response:
            return redirect(f"{request.base}/{index}", 301 if self.yoast else 302)

        return (
            (r"/sitemap\.xml", alias),
            (re.escape(f"/{index}"), sitemap_index),
            (re.escape(f"/{posts}"), post_sitemap),
            (re.escape(f"/{categories}"), category_sitemap),
        )


def _slug(section: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", section.lower())
