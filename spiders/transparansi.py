from crawler.outlet import WIB, Outlet
from crawler.outlets.platforms import BLOGGER_SEARCH
from crawler.sources import Feed, Index, Sitemap
from crawler.spider import OutletSpider


class Transparansi(OutletSpider):
    name = "transparansi"
    outlet = Outlet(
        "Transparansi.co.id",
        "transparansi.co.id",
        province="Jawa Timur",
        regency="Lumajang",
        zone=WIB,
    )
    sources = (
        Feed(
            "/feeds/posts/default?alt=rss",
            pages="/feeds/posts/default?alt=rss&start-index={start}",
        ),
        Sitemap("/news-sitemap.xml"),
    )
    spare = (Sitemap("/sitemap.xml"), Index(), BLOGGER_SEARCH)
