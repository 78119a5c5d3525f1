"""Transparansi.co.id, in Blogger's manner: its feed, paged sitemaps, split articles, twins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from demo import feeds, pages
from demo.articles import Article, before
from demo.pages import Html, fill, render
from demo.server import Request, Response, dispatch, robots, whole_number

NAME = "Transparansi.co.id"
PER_SITEMAP = 15
MOST_RESULTS = 150
# Google takes two days of news
NEWS_AGE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Blogger:
    """The site with its articles, newest first, as it stands at `now`."""

    articles: Sequence[Article]
    now: datetime

    def __call__(self, request: Request) -> Response:
        routes = (
            (r"/", self._front),
            (r"/robots\.txt", self._robots),
            (r"/feeds/posts/default", self._feed),
            (r"/sitemap\.xml", self._sitemap),
            (r"/news-sitemap\.xml", self._news_sitemap),
            (r"/search", self._search),
            (r"/search/label/([^/]+)", self._label),
            (r"/(\d{4}/\d\d)/", self._archive),
            (r"/\d{4}/\d\d/[a-z0-9-]+\.html", self._article),
        )
        return dispatch(routes, request) or self._missing(request)

    # what machines read

    def _robots(self, request: Request) -> Response:
        return robots(
            "Disallow: /search",
            "Disallow: /admin",
            "Allow: /",
            "",
            f"Sitemap: {request.base}/sitemap.xml",
            f"Sitemap: {request.base}/news-sitemap.xml",
        )

    def _feed(self, request: Request) -> Response:
        """Atom, or RSS with alt=rss; the links carry the campaign that brought the reader."""
        query = request.query
        start = whole_number(query.get("start-index"), 1)
        size = min(whole_number(query.get("max-results"), 25), MOST_RESULTS)
        bounds = ("published-min", "published-max", "updated-min", "updated-max")
        try:
            limits = {name: datetime.fromisoformat(query[name]) for name in bounds if name in query}
        except ValueError:
            return Response("Invalid date", 400, "text/plain")
        if not start or any(moment.tzinfo is None for moment in limits.values()):
            return Response("Invalid value", 400, "text/plain")
        found = [
            article
            for article in self.articles
            if all(_within(article, name, moment) for name, moment in limits.items())
        ]
        shown = found[start - 1 : start - 1 + size]

        def link(article: Article) -> str:
            campaign = {"utm_source": "rss", "utm_medium": "feed", "utm_campaign": article.section}
            return f"{article.url(request.base)}?{urlencode(campaign)}"

        def content(article: Article) -> str:
            return _body(article, range(len(article.pages)))

        window = (len(found), start)
        if query.get("alt") == "rss":
            return feeds.rss(NAME, request.base, shown, link=link, summary=content, window=window)
        return feeds.atom(NAME, request.base, shown, link=link, content=content, window=window)

    def _sitemap(self, request: Request) -> Response:
        parts = [
            self.articles[start : start + PER_SITEMAP]
            for start in range(0, len(self.articles), PER_SITEMAP)
        ]
        if "page" not in request.query:
            index = [
                (f"{request.base}/sitemap.xml?page={number}", feeds.last_change(part))
                for number, part in enumerate(parts, start=1)
            ]
            return feeds.sitemap_index(index, feeds.last_change(self.articles))
        page = whole_number(request.query["page"], 1)
        if not 1 <= page <= len(parts):
            return self._missing(request)
        part = parts[page - 1]
        entries = [(article.url(request.base), article.modified) for article in part]
        return feeds.sitemap(entries, feeds.last_change(part))

    def _news_sitemap(self, request: Request) -> Response:
        fresh = [a for a in self.articles if self.now - a.published <= NEWS_AGE]
        return feeds.news_sitemap(NAME, request.base, fresh)

    # pages for people

    def _front(self, request: Request) -> Response:
        return self._listing(request, "Berita Terbaru", self.articles[:12])

    def _search(self, request: Request) -> Response:
        words = request.query.get("q", "").lower()
        found = [a for a in self.articles if words in f"{a.title}\n{a.text}".lower()]
        return self._listing(request, f"Hasil untuk {words}", found[:20])

    def _label(self, request: Request, label: str) -> Response:
        found = [article for article in self.articles if article.section == label]
        return self._listing(request, label, found[:20])

    def _archive(self, request: Request, month: str) -> Response:
        found = [a for a in self.articles if f"{a.published:%Y/%m}" == month]
        return self._listing(request, month, found) if found else self._missing(request)

    def _listing(self, request: Request, heading: str, found: Sequence[Article]) -> Response:
        entries = pages.links(
            ((article.url(request.base), article.title) for article in found),
            '<h3 class="post-title">{link}</h3>',
        )
        main = fill("<h1>{heading}</h1>\n{entries}", heading=heading, entries=entries)
        return Response(self._page(request.base, heading, main))

    def _article(self, request: Request) -> Response:
        """`?page=N` shows one part, `?page=all` the whole, `?amp=1` the AMP twin; the date stands
        on the first part only. Anything else in the query changes nothing."""
        article = next((a for a in self.articles if a.path == request.path), None)
        if article is None:
            return self._missing(request)
        amp = request.query.get("amp") == "1"
        wanted = request.query.get("page")
        whole = amp or wanted == "all"
        page = whole_number(wanted, 1) if not whole else 1
        if not 1 <= page <= len(article.pages):
            return self._missing(request)
        shown = range(len(article.pages)) if whole else range(page - 1, page)
        moment = article.published
        others = before(article, self.articles)
        address = article.url(request.base)
        main = render(
            "transparansi-article",
            title=article.title,
            day=f"{pages.day_month_year(moment)}, {moment:%H.%M} {moment.tzname()}"
            if page == 1
            else "",
            body=_body(article, shown),
            parts=Html("") if whole else _parts(article, address, page),
            related=pages.links((a.url(request.base), a.title) for a in others[:3]),
        )
        return Response(self._page(request.base, article.title, main, article, amp=amp))

    def _page(
        self, base: str, title: str, main: Html, article: Article | None = None, amp: bool = False
    ) -> Html:
        """The frame around `main`; an article's has its sidebar as on the day it came out."""
        known = before(article, self.articles) if article else self.articles
        sections = sorted({article.section for article in self.articles})
        popular = [a for a in known if a.label != "filler"]
        return render(
            "transparansi",
            amp=Html(" amp") if amp else Html(""),
            base=base,
            title=title,
            head=_twins(article.url(base)) if article else Html(""),
            menu=pages.links((f"{base}/search/label/{name}", name) for name in sections),
            main=main,
            popular=pages.links((a.url(base), a.title) for a in popular),
        )

    def _missing(self, request: Request) -> Response:
        main = Html("<h1>Maaf, halaman ini tidak ada</h1>")
        return Response(self._page(request.base, "404", main), 404)


def _body(article: Article, shown: range) -> Html:
    paragraphs = [text for index in shown for text in article.pages[index]]
    if shown.start == 0:
        paragraphs[0] = f"{article.town.upper()}, {NAME} - {paragraphs[0]}"
    if shown.stop == len(article.pages):
        paragraphs.append(f"({article.author})")
    return pages.join(fill("<p>{text}</p>", text=text) for text in paragraphs)


def _twins(address: str) -> Html:
    return fill(
        '<link rel="canonical" href="{address}">\n<link rel="amphtml" href="{address}?amp=1">',
        address=address,
    )


def _parts(article: Article, address: str, page: int) -> Html:
    if len(article.pages) == 1:
        return Html("")
    numbers = [str(number) for number in range(1, len(article.pages) + 1)]
    targets = [(f"{address}?page={number}", number) for number in numbers if number != str(page)]
    return fill(
        '<div class="halaman">Halaman {page} dari {last} {others}</div>',
        page=str(page),
        last=numbers[-1],
        others=pages.links([*targets, (f"{address}?page=all", "Tampilkan semua")], "{link}"),
    )


def _within(article: Article, name: str, bound: datetime) -> bool:
    moment = article.published if name.startswith("published") else article.modified
    return moment >= bound if name.endswith("min") else moment < bound
