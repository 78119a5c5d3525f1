from crawler.outlet import WITA, Outlet
from crawler.sources import TERMS, Feed, Index, Search, Sitemap
from crawler.spider import OutletSpider


class NusaBali(OutletSpider):
    name = "nusabali"
    outlet = Outlet("NusaBali", "nusabali.com", province="Bali", zone=WITA)
    # Its feed holds ten of some forty articles a day and has no further pages. A search for a word
    # that nearly every article has lists the others.
    sources = (
        Feed("/rss"),
        Search("/search?keyword={term}&page={page}", "#article-list a", (*TERMS, "di")),
    )
    spare = (Sitemap("/sitemap.xml"), Index())
