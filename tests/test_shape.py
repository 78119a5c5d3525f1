"""Articles are told from menus, tags and pages of the house by the shape of their links."""

import time

import pytest

from crawler.sources.shape import article_links
from crawler.urls import canonical

SITE = "https://kabar.example"
FRAME = """<!doctype html><html><body>
<nav><a href="/">Beranda</a>
<a href="/kategori/politik-dan-pemerintahan">Politik dan Pemerintahan</a>
<a href="/kabupaten-kepulauan-sangihe-dan-talaud">Kabupaten Kepulauan Sangihe dan Talaud</a></nav>
<a href="/daerah">Daerah</a> <a href="/jawa-timur">Jawa Timur</a>
<a href="/tag/netralitas-asn-pilkada-2024" rel="tag">#netralitas asn pilkada 2024</a>
<a href="/label/netralitas-aparatur-sipil-negara">Netralitas Aparatur Sipil Negara</a>
<a href="/penulis/budi-santoso-putra">Oleh Budi Santoso Putra, wartawan</a>
<main>ITEMS</main>
<a href="/page/2">Halaman berikutnya yang lebih lama</a> <a href="/berita?page=3">3</a>
<a href="https://wa.me/?text=x">Bagikan berita ini lewat WhatsApp</a>
<a href="https://iklan.example/promo-besar-akhir-tahun-2024/1">Promo besar akhir tahun di sini</a>
<a href="/unduh/berkas-laporan-tahunan-lengkap.pdf">Berkas laporan tahunan yang lengkap</a>
<a href="mailto:redaksi@kabar.example">Surat elektronik untuk redaksi kami</a>
<footer><a href="/pedoman-pemberitaan-media-siber">Pedoman Pemberitaan Media Siber</a>
<a href="/p/tentang-kami-dan-redaksi.html">Tentang Kami dan Redaksi</a>
<a href="/kebijakan-privasi-dan-cookie">Kebijakan Privasi dan Cookie kami</a></footer>
</body></html>"""
SLUGS = (
    "camat-diingatkan-jaga-jarak-dari-calon-bupati",
    "panen-raya-padi-dibuka-bupati-di-lereng-gunung",
    "jembatan-gantung-selesai-diperbaiki-warga",
    "guru-honorer-menunggu-pengumuman-seleksi",
)
MANNERS = {
    "WordPress": "/{slug}/",
    "WordPress with dates": "/2024/11/0{n}/{slug}/",
    "Blogger": "/2024/11/{slug}.html",
    "Promedia": "/daerah/1031371{n}/{slug}",
    "PRMN": "/nusantara/pr-1031371{n}/{slug}",
    "Antara": "/berita/18881{n}/{slug}",
    "Disway": "/read/67052{n}/{slug}",
    "Suara": "/read/2024/11/10/11024{n}/{slug}",
    "Drupal": "/content/{slug}",
    "a government portal": "/berita/{slug}",
    "a portal behind index.php": "/index.php/blog/read/4{n}/{slug}",
    "WordPress without permalinks": "/?p=1234{n}",
    "a system of its own": "/berita.php?id=77{n}",
    "Joomla": "/index.php?option=com_content&view=article&id=10{n}:{slug}&catid=8",
}


def _page(path: str) -> tuple[str, list[str]]:
    addresses = [SITE + path.format(n=n, slug=slug) for n, slug in enumerate(SLUGS, 1)]
    items = "".join(
        f'<div class="item"><a href="{address}"><img src="/foto.jpg" alt=""></a>'
        f'<div><a href="{address}?utm_source=home">{slug.replace("-", " ").capitalize()}</a></div>'
        f'<a href="{address}#respond">2 komentar</a></div>'.replace(
            "?utm_source", "&utm_source" if "?" in path else "?utm_source"
        )
        for address, slug in zip(addresses, SLUGS, strict=True)
    )
    return FRAME.replace("ITEMS", items), addresses


@pytest.mark.parametrize("path", MANNERS.values(), ids=MANNERS)
def test_the_articles_of_a_page_and_nothing_else(path: str) -> None:
    html, addresses = _page(path)
    links = article_links(html, f"{SITE}/")
    assert [link.url for link in links] == [canonical(address) for address in addresses]


def test_headlines_in_pictures_and_headings_count() -> None:
    html = "".join(
        f'<a href="/warta/{word}"><img alt="Foto warga {word} di alun-alun kota"></a>'
        f'<h3><a href="/kabar/{word}">Kabar {word}: sidang ditunda sampai besok</a></h3>'
        for word in ("pasar", "hutan", "kebun")
    )
    found = {link.url for link in article_links(html, SITE)}
    assert {f"{SITE}/kabar/{word}" for word in ("pasar", "hutan", "kebun")} <= found


def test_a_page_without_articles_has_none() -> None:
    assert article_links(FRAME.replace("ITEMS", "Belum ada berita."), f"{SITE}/") == []
    assert article_links("", SITE) == article_links("not html at all", SITE) == []


@pytest.mark.parametrize(
    "hostile",
    [
        "<a href='/berita/1/a-b-c-d-e'>" * 100_000,
        "<div>" * 100_000 + "<a href='/berita/1/a-b-c-d-e'>x</a>",
        f"<a href='/a-b-c-d'>{'<b>kata kata </b>' * 100_000}</a>",
        f"<a href='/{'-1' * 50_000}' title='{'x ' * 100_000}'>x</a>" * 20,
    ],
)
def test_it_takes_time_in_proportion(hostile: str) -> None:
    began = time.perf_counter()
    article_links(hostile, SITE)
    assert time.perf_counter() - began < 5
