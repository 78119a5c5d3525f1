from crawler.outlet import WITA, Outlet
from crawler.sources import WORDPRESS_SEARCH, Feed, Sitemap, WordPress
from crawler.spider import OutletSpider


class SatuMejaNews(OutletSpider):
    name = "satumeja"
    outlet = Outlet(
        "Satumejanews.id",
        "satumejanews.id",
        province="Kalimantan Timur",
        regency="Kutai Kartanegara",
        zone=WITA,
    )
    sources = (Feed("/feed/", pages="/feed/?paged={page}"), Sitemap("/sitemap_index.xml"))
    spare = (WordPress(), WORDPRESS_SEARCH)
