from crawler.outlet import WITA, Outlet
from crawler.sources import Feed, Search
from crawler.spider import OutletSpider


class NusaBali(OutletSpider):
    name = "nusabali"
    outlet = Outlet("NusaBali", "nusabali.com", province="Bali", zone=WITA)
    sources = (
        Feed("/rss"),
        Search("/search?keyword={term}&page={page}", hits="#article-list a"),
    )
