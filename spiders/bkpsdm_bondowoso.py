from crawler.outlet import WIB, Outlet
from crawler.outlets.platforms import LIKELY_SEARCH
from crawler.sources import Archive, Index, Sitemap
from crawler.spider import OutletSpider


class BkpsdmBondowoso(OutletSpider):
    name = "bkpsdm-bondowoso"
    outlet = Outlet(
        "BKPSDM Bondowoso",
        "bkpsdm.bondowosokab.go.id",
        province="Jawa Timur",
        regency="Bondowoso",
        zone=WIB,
    )
    sources = (Archive("/berita?page={page}", links="a[href*='/berita/']"),)
    spare = (Sitemap("/sitemap.xml"), Index(("/", "/berita")), LIKELY_SEARCH)
