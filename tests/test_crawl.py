"""The crawl, end to end: a real site, the real engine, a real Redis."""

from tests.conftest import Pantau
from tests.site import Site

RELEVANT = """<html><head><title>{title}</title>
<meta property="article:published_time" content="2026-11-20T09:00:00+08:00"></head>
<body><article><h1>{title}</h1><div class="entry-content">
<p>SINGARAJA – Bawaslu Buleleng memeriksa seorang camat yang diduga melanggar netralitas ASN karena
hadir dalam kampanye calon bupati nomor urut satu pada hari Minggu.</p>
<p>Ketua Bawaslu menyampaikan bahwa camat tersebut sudah dipanggil untuk dimintai klarifikasi.</p>
</div></article></body></html>"""
FILLER = """<html><head><title>{title}</title></head><body><article><h1>{title}</h1>
<p>Harga cabai di pasar induk turun menjelang akhir pekan, kata para pedagang yang ditemui di lapak
mereka pada Jumat pagi.</p><p>Mereka berharap harga tetap stabil sampai bulan depan.</p></article>
</body></html>"""


def feed(site: Site, *paths: str) -> str:
    items = "".join(f"<item><title>x</title><link>{site.url}{path}</link></item>" for path in paths)
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>{items}</channel></rss>'
    )


def test_a_finding_is_found_once_and_its_twins_are_fetched_once(pantau: Pantau, site: Site) -> None:
    site.pages = {
        "/feed": feed(
            site,
            "/berita/1/camat",
            "/berita/1/camat/?utm_source=x",
            "/amp/berita/1/camat",
            "/index.php/berita/1/camat",
            "/berita/2/cabai",
        ),
        "/berita/1/camat": RELEVANT.format(title="Camat di Buleleng Diperiksa Bawaslu"),
        "/berita/2/cabai": FILLER.format(title="Harga Cabai Turun"),
    }
    pantau.outlet("kabar", site.url, '[{feed = "/feed"}]', province="Bali", zone="WITA")
    ran = pantau("crawl", "--outlet", "kabar", "--json")
    assert ran.code == 0, ran.err
    (report,) = ran.json()["outlets"]
    assert (report["new"], report["fetched"], report["findings"], report["errors"]) == (2, 2, 1, 0)
    assert sorted(site.paths()) == ["/berita/1/camat", "/berita/2/cabai", "/feed"]

    (found,) = pantau("findings", "--json").lines()
    assert found["title"] == "Camat di Buleleng Diperiksa Bawaslu"
    assert found["published"] == "2026-11-20T09:00:00+08:00"
    assert found["dateline"] == "SINGARAJA"
    assert found["kind"] == "examination"
    assert all(found["text"][e["start"] : e["end"]] == e["text"] for e in found["evidence"]
               if e["where"] == "text")  # fmt: skip

    again = pantau("crawl", "--outlet", "kabar", "--json")
    assert again.json()["outlets"][0]["fetched"] == 0
    assert len(pantau("findings", "--json").lines()) == 1
