"""The demo's five outlets, under their spiders' names, and how to serve them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from demo.articles import Article, load
from demo.blogger import Blogger
from demo.nusabali import NusaBali
from demo.pages import Html, fill
from demo.portal import Portal
from demo.server import App, Hit, running
from demo.wordpress import Posts

WIB = timezone(timedelta(hours=7), "WIB")
WITA = timezone(timedelta(hours=8), "WITA")


@dataclass(frozen=True)
class Site:
    """One outlet. `permalink` is the path of its articles (see `demo.articles.load`), `log` what
    was asked of it while it was last served."""

    name: str
    zone: timezone
    permalink: str
    platform: Callable[[Sequence[Article], datetime], App]
    log: list[Hit] = field(default_factory=list)

    def articles(self, now: datetime) -> tuple[Article, ...]:
        """What the site publishes when it is served at `now` (aware), newest first."""
        return load(self.name, self.zone, self.permalink, now)


def _laksara(articles: Sequence[Article], now: datetime) -> App:
    def dateline(article: Article) -> Html:
        return fill("<strong>{town}, LAKSARA.ID</strong> – ", town=article.town)

    return Posts(
        name="LAKSARA.ID",
        theme="laksara",
        dateline=dateline,
        signature=lambda article: f"({article.author})",
        baca_juga=True,
        yoast=False,
        rest=True,
        articles=articles,
        zone=WITA,
    )


def _satumeja(articles: Sequence[Article], now: datetime) -> App:
    def dateline(article: Article) -> Html:
        return fill("<strong>Satumejanews.id. {town}</strong> – ", town=article.town.upper())

    return Posts(
        name="Satu Meja News",
        theme="satumeja",
        dateline=dateline,
        signature=lambda article: "(adv/diskominfo)" if article.paid else f"({article.author})",
        baca_juga=False,
        yoast=True,
        rest=False,
        articles=articles,
        zone=WITA,
    )


SITES: dict[str, Site] = {
    site.name: site
    for site in (
        Site("laksara", WITA, "/{published:%Y/%m/%d}/{slug}/", _laksara),
        Site("satumeja", WITA, "/{slug}/", _satumeja),
        Site("nusabali", WITA, "/berita/{number}/{slug}", lambda articles, now: NusaBali(articles)),
        Site("bkpsdm-bondowoso", WIB, "/berita/{slug}", lambda articles, now: Portal(articles)),
        Site("transparansi", WIB, "/{published:%Y/%m}/{slug}.html", Blogger),
    )
}


@contextmanager
def serve(now: datetime, names: Iterable[str] | None = None) -> Iterator[dict[str, str]]:
    """Serves the named sites (default: all), as of `now` (aware), until the block is left.

    Gives site name → base address ("http://127.0.0.1:PORT"). Each site's `log` starts empty.
    """
    with ExitStack() as stack:
        addresses = {}
        for name in SITES if names is None else names:
            site = SITES[name]
            site.log.clear()
            app = site.platform(site.articles(now), now)
            addresses[name] = stack.enter_context(running(app, site.log))
        yield addresses
