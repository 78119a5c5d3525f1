from crawler.outlet import WITA, Outlet
from crawler.sources import WORDPRESS_SEARCH, Feed, Sitemap, WordPress
from crawler.spider import OutletSpider


class Laksara(OutletSpider):
    name = "laksara"
    outlet = Outlet("LAKSARA.ID", "laksara.id", province="Bali", regency="Karangasem", zone=WITA)
    sources = (Feed("/feed/", pages="/feed/?paged={page}"), WordPress())
    spare = (Sitemap("/wp-sitemap.xml"), WORDPRESS_SEARCH)
