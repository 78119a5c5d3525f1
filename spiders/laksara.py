from crawler.outlet import WITA, Outlet
from crawler.sources import Feed, WordPress
from crawler.spider import OutletSpider


class Laksara(OutletSpider):
    name = "laksara"
    outlet = Outlet("LAKSARA.ID", "laksara.id", province="Bali", regency="Karangasem", zone=WITA)
    sources = (Feed("/feed/", pages="/feed/?paged={page}"), WordPress())
