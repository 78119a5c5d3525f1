"""NusaBali's own CMS: /berita/ID/slug, a feed of ten without pages, a search with decoys."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo import feeds, pages
from demo.articles import Article, before
from demo.pages import Html, fill, render
from demo.server import Request, Response, dispatch, robots, whole_number

PER_PAGE = 8


@dataclass(frozen=True, slots=True)
class NusaBali:
    """The site with its articles, newest first."""

    articles: Sequence[Article]

    def __call__(self, request: Request) -> Response:
        routes = (
            (r"/", self._front),
            (r"/robots\.txt", lambda request: robots("Disallow: /admin/", "Disallow: /login")),
            (r"/rss", self._feed),
            (r"/search", self._search),
            (r"/kategori/([a-z-]+)", self._section),
            # the old address of an article still answers
            (r"(?:/index\.php)?/berita/(\d+)/[^/]+", self._article),
        )
        return dispatch(routes, request) or self._missing(request)

    def _front(self, request: Request) -> Response:
        entries = self._entries(request.base, self.articles[:12])
        return Response(self._page(request.base, "Berita Bali Terkini", entries))

    def _feed(self, request: Request) -> Response:
        return feeds.rss(
            "NusaBali.com",
            request.base,
            self.articles[:10],
            link=lambda article: article.url(request.base),
            summary=lambda article: article.subtitle or article.lead,
        )

    def _search(self, request: Request) -> Response:
        """Hits stand in #article-list; a search without any still shows the carousels."""
        keyword = request.query.get("keyword", "")
        page = whole_number(request.query.get("page"), 1)
        found = [
            article
            for article in self.articles
            if keyword and keyword.lower() in f"{article.title}\n{article.text}".lower()
        ]
        shown = found[(page - 1) * PER_PAGE : page * PER_PAGE] if page else []
        carousel = [article for article in self.articles if article not in found][:4]
        main = render(
            "nusabali-search",
            keyword=keyword,
            total=str(len(found)),
            hits=self._entries(request.base, shown),
            carousel=self._entries(request.base, carousel),
        )
        return Response(self._page(request.base, f"Pencarian {keyword}", main))

    def _section(self, request: Request, slug: str) -> Response:
        found = [article for article in self.articles if article.section.lower() == slug]
        if not found:
            return self._missing(request)
        entries = self._entries(request.base, found[:20])
        return Response(self._page(request.base, found[0].section, entries))

    def _article(self, request: Request, number: str) -> Response:
        article = next((a for a in self.articles if str(a.number) == number), None)
        if article is None:
            return self._missing(request)
        moment = article.published
        others = before(article, self.articles)
        paragraphs = pages.join(fill("<p>{text}</p>", text=text) for text in article.pages[0])
        main = render(
            "nusabali-article",
            base=request.base,
            address=article.url(request.base),
            title=article.title,
            subtitle=article.subtitle,
            section=article.section,
            section_slug=article.section.lower(),
            iso=moment.isoformat(),
            day=f"{pages.day_month_year(moment)} {moment:%H:%M:%S} {moment.tzname()}",
            town=article.town.upper(),
            body=paragraphs,
            author=article.author,
            related=self._entries(request.base, others[:4]),
        )
        return Response(self._page(request.base, article.title, main, article))

    def _entries(self, base: str, articles: Sequence[Article]) -> Html:
        return pages.join(
            fill(
                '<div class="item"><a href="{address}"><h4>{title}</h4></a>'
                "<span>{day}</span></div>",
                address=article.url(base),
                title=article.title,
                day=pages.day_month_year(article.published),
            )
            for article in articles
        )

    def _page(self, base: str, title: str, main: Html, article: Article | None = None) -> Html:
        """The frame around `main`; an article's has its sidebar as on the day it came out."""
        known = before(article, self.articles) if article else self.articles
        sections = sorted({article.section for article in self.articles})
        popular = [a for a in known if a.label != "filler"]
        return render(
            "nusabali",
            base=base,
            title=title,
            head=fill('<link rel="canonical" href="{address}">', address=article.url(base))
            if article
            else Html(""),
            menu=pages.links((f"{base}/kategori/{name.lower()}", name) for name in sections),
            main=main,
            popular=self._entries(base, popular),
        )

    def _missing(self, request: Request) -> Response:
        main = Html("<h1>404</h1><p>Halaman yang Anda cari tidak ada.</p>")
        return Response(self._page(request.base, "404", main), 404)
