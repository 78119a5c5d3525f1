"""A government office's portal: index pages and articles, and nothing made for machines."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo import pages
from demo.articles import Article, before
from demo.pages import Html, fill, render
from demo.server import Request, Response, dispatch, robots, whole_number

PER_PAGE = 9


@dataclass(frozen=True, slots=True)
class Portal:
    """BKPSDM Bondowoso's portal with its articles, newest first."""

    articles: Sequence[Article]

    def __call__(self, request: Request) -> Response:
        routes = (
            (r"/", self._front),
            (r"/robots\.txt", lambda request: robots("Disallow: /admin", "Crawl-delay: 0.5")),
            (r"/berita", self._index),
            (r"/berita/([a-z0-9-]+)", self._article),
            (r"/profil", self._profile),
        )
        return dispatch(routes, request) or self._missing(request)

    def _front(self, request: Request) -> Response:
        main = fill(
            "<h1>Selamat Datang</h1>\n{entries}",
            entries=self._entries(request.base, self.articles[:3]),
        )
        return self._page(request, "Beranda", main)

    def _profile(self, request: Request) -> Response:
        text = "Badan ini membantu Bupati dalam urusan kepegawaian dan pengembangan SDM daerah."
        return self._page(request, "Profil", fill("<h1>Profil</h1><p>{text}</p>", text=text))

    def _index(self, request: Request) -> Response:
        """A page past the end is no error: it says that there is nothing."""
        page = whole_number(request.query.get("page"), 1) or 1
        last = -(-len(self.articles) // PER_PAGE)
        shown = self.articles[(page - 1) * PER_PAGE : page * PER_PAGE]
        main = fill(
            '<h1>Berita</h1>\n<div class="row">{entries}</div>\n'
            '<ul class="pagination">{links}</ul>',
            entries=self._entries(request.base, shown) or Html("<p>Belum ada berita.</p>"),
            links=pages.links(
                (f"{request.base}/berita?page={number}", str(number))
                for number in range(1, last + 1)
            ),
        )
        return self._page(request, "Berita", main)

    def _article(self, request: Request, slug: str) -> Response:
        article = next((a for a in self.articles if a.slug == slug), None)
        if article is None:
            return self._missing(request)
        others = [a for a in before(article, self.articles) if a.label != "filler"]
        main = render(
            "portal-article",
            title=article.title,
            day=_day(article),
            author=article.author,
            body=pages.join(fill("<p>{text}</p>", text=text) for text in article.pages[0]),
            address=article.url(request.base),
            others=pages.links((a.url(request.base), a.title) for a in others[:5]),
        )
        return self._page(request, article.title, main)

    def _entries(self, base: str, articles: Sequence[Article]) -> Html:
        return pages.join(
            fill(
                '<div class="card"><small>{day}</small><h5><a href="{address}">{title}</a></h5>'
                '<p>{lead}</p><a href="{address}">Selengkapnya</a></div>',
                day=_day(article),
                address=article.url(base),
                title=article.title,
                lead=" ".join(article.lead.split()[:18]) + " ...",
            )
            for article in articles
        )

    def _page(self, request: Request, title: str, main: Html, status: int = 200) -> Response:
        return Response(render("portal", base=request.base, title=title, main=main), status)

    def _missing(self, request: Request) -> Response:
        return self._page(request, "404", Html("<h1>404 | Tidak Ditemukan</h1>"), 404)


def _day(article: Article) -> str:
    """Jumat, 21 Juni 2024"""
    return f"{pages.weekday(article.published)}, {pages.day_month_year(article.published)}"
