"""What read() makes of pages: text, title, dates, datelines, pages, and of what is no article."""

# ruff: noqa: E501 - a case with its HTML reads best on one line

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from time import process_time
from zoneinfo import ZoneInfo

import pytest

from extract.article import Article, Page
from extract.dateline import read_dateline
from extract.dates import read_visible
from extract.read import decode, read

PAGES = Path(__file__).parent / "pages"
SAVED = Path(__file__).parents[3] / "shared" / "html"
JAKARTA, MAKASSAR, JAYAPURA = map(ZoneInfo, ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"))
FETCHED = datetime(2024, 6, 1, tzinfo=UTC)
URL = "https://kabar.example.id/2024/05/14/camat-diminta-netral/"
TITLE = "Camat Diminta Menjaga Netralitas Selama Masa Kampanye"
LEAD = "Sekretaris daerah meminta semua camat menjaga jarak dari para calon selama masa kampanye."
TEXT = (
    LEAD,
    "“Jangan ada yang ikut mengarahkan warga,” kata dia di hadapan para camat di aula kantor.",
    "Ia menyebut sanksi disiplin menanti siapa pun yang terbukti membantu salah satu calon.",
    "Badan pengawas akan menempatkan petugas di setiap kecamatan mulai pekan depan.",
)


def html(body: str, head: str = "", title: str = TITLE, above: str = "") -> str:
    return (
        f'<!doctype html><html lang="id"><head><title>{title}</title>{head}</head><body>{above}'
        f"<div><h1>{title}</h1>{body}</div></body></html>"
    )


def paragraphs(*lines: str) -> str:
    return "<div>" + "".join(f"<p>{line}</p>" for line in lines) + "</div>"


def page(source: str | bytes, url: str = URL, charset: str | None = None) -> Page:
    return Page(url, source.encode() if isinstance(source, str) else source, FETCHED, charset)


def article(source: str | bytes, url: str = URL, **more: object) -> Article:
    found = read([page(source, url)], zone=more.pop("zone", JAKARTA), **more)  # type: ignore[arg-type]
    assert found is not None
    return found


def lines_of(body: str, **more: object) -> list[str]:
    return article(html(body), **more).text.split("\n")


# --- text


@pytest.mark.parametrize(
    "body",
    [
        "<div>" + "".join(f"<p>{line}</p>" for line in TEXT) + "</div>",
        "<div>" + "<br><br>".join(TEXT) + "</div>",
        "<div>" + "".join(f"<div>{line}</div>" for line in TEXT) + "</div>",
        f"<div>{TEXT[0]}<p>{TEXT[1]}</p>{TEXT[2]}<blockquote>{TEXT[3]}</blockquote></div>",
        f"<div><p>{TEXT[0]}</p><p>{TEXT[1]}</p><ul><li>{TEXT[2]}</li><li>{TEXT[3]}</li></ul></div>",
        f"<article class='tag-iklan post'><span>{TEXT[0]}</span><p>{TEXT[1]}<br>{TEXT[2]}</p><div class='viral'>{TEXT[3]}</div></article>",
        f"<table><tr><td><p>{TEXT[0]}</p><p>{TEXT[1]}</p></td></tr><tr><td>{TEXT[2]}</td></tr><tr><td>{TEXT[3]}</td></tr></table>",
        f"<div class=a><p>{TEXT[0]}</p></div><div class=ads><p>Iklan</p></div><div class=b>{paragraphs(*TEXT[1:])}</div>",
        f"<form id='aspnetForm'>{paragraphs(*TEXT)}</form>",
    ],
)
def test_every_sentence_in_any_markup(body: str) -> None:
    assert lines_of(body) == list(TEXT)


@pytest.mark.parametrize(
    "junk",
    [
        "<p>Baca juga: <a href='/a'>Netralitas ASN Dipertanyakan</a></p>",
        "<p><b>BACA JUGA :</b></p><ul><li><a href='/a'>Netralitas ASN Diuji</a></li><li>Camat Lain Dilaporkan</li></ul>",
        "<p>Baca Juga</p><h4><a href='/a'>Oknum Lurah Dilaporkan karena Berpihak</a></h4>",
        "<div class='baca-juga-box'><p>Netralitas ASN Kembali Disorot Para Pegiat Pemilu di Daerah.</p></div>",
        "<p>Simak juga: Kepala Desa Diperiksa soal Netralitas</p>",
        "<p>Iklan</p><p>ADVERTISEMENT</p><p>- Advertisement -</p><p>SCROLL TO CONTINUE WITH CONTENT</p>",
        "<p>Cek Berita dan Artikel lainnya di <a href='#'>Google News</a></p>",
        "<p>Join Grup Telegram Kabar Kita, klik link berikut untuk bergabung</p>",
        "<p>Ikuti saluran WhatsApp kami untuk berita terbaru</p>",
        "<p>Sebarkan artikel ini</p><p>Share Berita Ini</p><p>Bagikan:</p><p>Facebook</p>",
        "<p>1.184 views</p><p>Dibaca: 123 kali</p><p>Dilihat 311 kali</p>",
        "<p>Penulis: Sari | Editor: Budi</p><p>Copyright © Kabar 2024</p>",
        "<h3>Rekomendasi untuk Anda</h3><p><a href='/x'>Guru Honorer Unggah Foto Calon Bupati</a></p>",
        "<p>BACA JUGA:</p><p>Oknum Lurah Dilaporkan karena Berpihak</p><p>Netralitas ASN Kembali Diuji Jelang Pilkada</p>",
        "<p><a href='/x'>Guru Honorer Unggah Foto Calon Bupati</a></p><p>Tags: <a href='/t'>ASN</a>, <a href='/t'>Pilkada</a></p>",
        "<p>Editor: Budi Santoso</p><div class='kg-signup-card'><p>Langganan buletin kami setiap pekan.</p></div>",
        "<h4 class='hide'>Ringkasan berita yang tidak terlihat oleh pembaca halaman ini.</h4>",
        "<div style='display:none'>Teks tersembunyi yang tidak pernah dilihat oleh pembaca mana pun.</div>",
    ],
)  # fmt: skip
def test_boilerplate_between_paragraphs_goes(junk: str) -> None:
    body = f"<div><p>{TEXT[0]}</p><p>{TEXT[1]}</p>{junk}<p>{TEXT[2]}</p><p>{TEXT[3]}</p></div>"
    assert lines_of(body) == list(TEXT)


def test_see_also_inside_a_paragraph_takes_its_links_only() -> None:
    body = paragraphs(
        TEXT[0],
        f"{TEXT[1]} <strong>Baca juga:</strong> <a href='/a'>Lurah Ikut Pawai</a>, <a href='/b'>Kades Ditegur</a> {TEXT[2]}",
        TEXT[3],
    )  # fmt: skip
    assert lines_of(body) == [TEXT[0], f"{TEXT[1]} {TEXT[2]}", TEXT[3]]


def test_comments_of_readers_go() -> None:
    after = (
        "<h3>2 Komentar</h3><div><p>Saya setuju sekali, semua camat harus diawasi ketat.</p></div>"
    )
    assert lines_of(f"<div>{paragraphs(*TEXT)}{after}</div>") == list(TEXT)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("pentingnya <a href='/t'>netralitas TNI</a> dari politik", "netralitas TNI dari"),
        ("pentingnya<a href='/t'>netralitas TNI</a>dari politik", "pentingnya netralitas TNI dari"),
        ("dua <a href='/t'> kata </a> di<a href='/t'> tengah </a>kalimat", "dua kata di tengah kalimat"),
        ("para <a href='/t'>ASN</a>, <b>camat</b>nya, dan <a href='/t'>calon</a>nya", "para ASN, camatnya, dan calonnya"),
        ("<span>J</span>akarta tetap satu kata", "Jakarta tetap satu"),
        ("<a class='inner-link-baca-juga' href='/t'>Menteri</a> hadir", "Menteri hadir"),
        ("satu kalimat yang<br>terpotong baris", "yang terpotong"),
    ],
)  # fmt: skip
def test_inline_markup_keeps_words_and_spaces(source: str, text: str) -> None:
    assert text in article(html(paragraphs(*TEXT, f"Ini soal {source} hari ini."))).text


def test_sentences_that_look_like_boilerplate_stay() -> None:
    told = (
        "Mari kita jaga bersama, jangan ada grup WhatsApp yang dipakai mengarahkan pilihan warga.",
        "Iklan kampanye di kantor camat itu akhirnya diturunkan petugas.",
        "Ia meminta warga membaca juga aturan yang berlaku.",
        "Tag: begitulah warga menyebut gerakan menandai pelanggar di media sosial itu, yang menurut panitia akan terus dilakukan sampai hari pemungutan suara tiba di seluruh wilayah kabupaten tersebut tanpa henti. Ia yakin.",
    )  # fmt: skip
    assert lines_of(paragraphs(*TEXT, *told)) == [*TEXT, *told]


def test_a_sentence_that_is_a_link_stays() -> None:
    link = "Surat edaran tentang netralitas aparatur itu dapat diunduh oleh semua pegawai dari laman badan kepegawaian daerah sejak Senin pagi pekan ini"
    body = paragraphs(*TEXT[:2], f"<a href='/surat'>{link}</a>", *TEXT[2:])
    assert lines_of(body) == [*TEXT[:2], link, *TEXT[2:]]


def test_a_quotation_set_before_the_text_is_not_said_twice() -> None:
    quote = "<blockquote>... jangan ada yang ikut mengarahkan warga ...</blockquote>"
    assert lines_of(f"<div>{quote}{paragraphs(*TEXT)}</div>") == list(TEXT)


def test_pages_nested_deeper_than_the_parsers_limit_are_read_whole() -> None:
    lines = [f"{TEXT[n % 4]} Itu yang ke-{n}." for n in range(400)]
    assert lines_of("".join(f"<div><p>{line}</p>" for line in lines)) == lines


def test_a_layout_of_tables_is_read() -> None:
    body = (
        "<table><tr><td><a href=/a>Depan</a><br><a href=/b>Politik</a></td>"
        f"<td><b>{TITLE}</b><br><small>Selasa, 14 Mei 2024 09.10 WIB</small><br><br>{'<br><br>'.join(TEXT)}"
        "</td></tr></table>"
    )
    found = article(
        f"<html><head><title>{TITLE}</title></head><body>{body}</body></html>",
        "https://kabar.example.id/?p=7",
    )
    assert found.text.split("\n") == list(TEXT)
    assert found.published is not None
    assert found.published.isoformat() == "2024-05-14T09:10:00+07:00"


# --- title, authors, paid


@pytest.mark.parametrize(
    ("tag", "og", "h1"),
    [
        (f"{TITLE} - Kabar Kita", f"{TITLE} | Kabar Kita", f"<h1>{TITLE}</h1>"),
        (f"Kabar Kita: {TITLE}", f"Kabar Kita: {TITLE}", f"<h1>Kabar Kita</h1><h2>{TITLE}</h2>"),
        (f"{TITLE} - Kabar Kita", "", ""),
        ("Kabar Kita", TITLE, "<h1><a href='/'>Kabar Kita</a></h1>"),
        (f"{TITLE} - Halaman all", TITLE, f"<h1>Nasional</h1><h1>{TITLE}</h1>"),
    ],
)
def test_title_without_the_sites_name(tag: str, og: str, h1: str) -> None:
    source = (
        f'<html><head><title>{tag}</title><meta property="og:title" content="{og}">'
        f"</head><body><div>{h1}{paragraphs(*TEXT)}</div></body></html>"
    )
    assert article(source, outlet="Kabar Kita").title == TITLE


def test_mathematical_letters_and_mojibake_are_mended() -> None:
    broken = "â€œKami tetap netral,â€\x9d kata seorang pegawai negeri di kantor kecamatan itu."
    found = article(html(paragraphs(*TEXT, broken), title="𝐂𝐚𝐦𝐚𝐭 Diminta Menjaga Netralitas"))
    assert found.title == "Camat Diminta Menjaga Netralitas"
    assert "“Kami tetap netral,” kata" in found.text


@pytest.mark.parametrize(
    ("head", "body", "authors"),
    [
        ("", "<div class='author'>Oleh Ni Luh Sari</div>", ("Ni Luh Sari",)),
        ("", "<p>Pewarta: Made Budi</p>", ("Made Budi",)),
        ('<meta name="author" content="Kabar Kita">', "", ()),
        ('<meta name="author" content="admin">', "<p>Penulis: I Wayan Dana | Editor: Ani</p>", ("I Wayan Dana",)),
        ('<script type="application/ld+json">{"@type":"NewsArticle","author":[{"name":"Siti Aminah"},{"name":"Budi"}]}</script>', "", ("Siti Aminah", "Budi")),
    ],
)  # fmt: skip
def test_authors(head: str, body: str, authors: tuple[str, ...]) -> None:
    found = article(html(f"{body}{paragraphs(*TEXT)}", head=head), outlet="Kabar Kita")
    assert found.authors == authors


def test_a_headline_that_title_tag_and_address_do_not_tell() -> None:
    source = (
        "<html><head><title>Dinas Kesehatan Kabupaten Contoh</title></head><body>"
        f"<div><h3>{TITLE}</h3><p>14-05-2024 09:10 120x dibaca</p>{paragraphs(*TEXT)}</div></body></html>"
    )
    found = article(source, "https://dinkes.example.go.id/berita/detail/123")
    assert (found.title, found.text.split("\n")) == (TITLE, list(TEXT))


def test_the_names_of_photographers_and_editors_are_not_the_authors() -> None:
    body = (
        "<div class='photo'><img src='/a.jpg'><span class='author'>Foto Wartawan</span> Para camat</div>"
        f"{paragraphs(*TEXT)}<table><tr><td>Penulis</td><td>: Kontributor Bima, Siti Aminah</td></tr>"
        "<tr><td>Editor</td><td>: Budi</td></tr></table>"
    )
    assert article(html(body)).authors == ("Siti Aminah",)


# --- tags, section, picture


TAG_LINKS = "<a href='/tag/asn'>ASN</a>, <a href='/tag/pilkada'>#Pilkada</a>"


@pytest.mark.parametrize(
    ("head", "after", "tags"),
    [
        ("", f"<div class='post-tags'><span>Tags:</span> {TAG_LINKS}</div>", ("ASN", "Pilkada")),
        ("", "<ul class='td-tags'><li>TAGS</li><li><a href='/1'>ASN</a></li><li><a href='/2'>Pilkada</a></li></ul>", ("ASN", "Pilkada")),
        ("", "<h5 class='tagcloud3'><a href='/1'>ASN</a></h5><h5 class='tagcloud3'><a href='/2'>Pilkada</a></h5>", ("ASN", "Pilkada")),
        ("", f"<div class='mt-6'>{TAG_LINKS}</div>", ("ASN", "Pilkada")),
        ("", "<p><a rel='category tag' href='/p'>Politik</a></p><p><a rel='tag' href='/1'>ASN</a></p>", ("ASN",)),
        ("", f"<aside><div class='tags'>{TAG_LINKS}</div></aside><div class='widget tagcloud'>{TAG_LINKS}</div>", ()),
        ("", "<div class='tags'><a href='/1'>Lurah Ditegur karena Mengunggah Foto Calon Bupati</a></div>", ()),
        ('<meta property="article:tag" content="ASN"><meta property="article:tag" content="Pilkada">', "", ("ASN", "Pilkada")),
        ('<script type="application/ld+json">{"@type":"NewsArticle","keywords":["camat","netralitas"]}</script>', "", ("camat", "netralitas")),
        ('<meta name="keywords" content="camat, netralitas">', "", ("camat", "netralitas")),
        ('<meta name="keywords" content="berita terkini, kabar daerah, olahraga, camat">', "", ()),
    ],
)  # fmt: skip
def test_tags(head: str, after: str, tags: tuple[str, ...]) -> None:
    assert article(html(f"{paragraphs(*TEXT)}{after}", head=head)).tags == tags


@pytest.mark.parametrize(
    ("above", "section"),
    [
        ("<div class='kanal'><a href='/k/1'>Politik</a></div>", "Politik"),
        ("<a class='badge' href='/kategori/politik'>Politik</a>", "Politik"),
        ("<nav><a href='/'>Beranda</a> / <a href='/politik'>Politik</a></nav>", "Politik"),
        ("<nav class='menu'><a href='/a'>Olahraga</a><a href='/b'>Hiburan</a></nav>", None),
    ],
)
def test_the_section_beside_the_headline(above: str, section: str | None) -> None:
    source = (
        f"<html><head><title>{TITLE}</title></head><body><div>{above}<h1>{TITLE}</h1>"
        f"{paragraphs(*TEXT)}</div></body></html>"
    )
    assert article(source).section == section


CAPTION = "Para camat berfoto di halaman kantor, Senin (13/5/2024). (Foto: Sari)"


@pytest.mark.parametrize(
    "figure",
    [
        f"<figure><img src='/a.jpg'><figcaption>{CAPTION}</figcaption></figure>",
        f"<div class='foto'><img src='/a.jpg'><p>{CAPTION}</p></div>",
        f"<div class='x'><img data-src='/a.jpg' src='data:x'><div class='y'>{CAPTION}</div></div>",
        f"<p><img src='/a.jpg'><br><em>{CAPTION}</em></p>",
        f"<table><tr><td><img src='/a.jpg'></td></tr><tr><td class='tr-caption'>{CAPTION}</td></tr></table>",
        f"<img src='/a.jpg'><p class='wp-caption-text'>{CAPTION}</p>",
    ],
)  # fmt: skip
def test_what_stands_under_the_picture_is_not_the_text(figure: str) -> None:
    found = article(html(f"{figure}{paragraphs(*TEXT)}"))
    assert (found.caption, found.text.split("\n")) == (CAPTION, list(TEXT))
    assert found.image == "https://kabar.example.id/a.jpg"


def test_a_paragraph_that_begins_with_a_picture_is_text() -> None:
    body = paragraphs(f"<img src='/a.jpg' align='left'>{TEXT[0]}", *TEXT[1:])
    found = article(html(body))
    assert (found.caption, found.text.split("\n")) == (None, list(TEXT))


@pytest.mark.parametrize(
    ("head", "last", "paid"),
    [
        ("", "Acara itu berlangsung lancar. (ADV)", True),
        ("", "Acara itu berlangsung lancar. (adv/diskominfo)", True),
        ('<meta property="article:section" content="Advertorial">', "Acara itu lancar.", True),
        ("", "Konten Media Partner", True),
        ("", "Ia menolak adv dan iklan. (rud)", False),
    ],
)
def test_paid(head: str, last: str, paid: bool) -> None:
    assert article(html(paragraphs(*TEXT, last), head=head)).paid is paid


# --- dates


@pytest.mark.parametrize(
    ("printed", "zone", "at"),
    [
        ("15 Mei 2024, 19.24 WIB", JAKARTA, "2024-05-15T19:24:00+07:00"),
        ("15 Mei 2024, 19.24 WIB", MAKASSAR, "2024-05-15T20:24:00+08:00"),
        ("Rabu, 17/01/2024", MAKASSAR, "2024-01-17T00:00:00+08:00"),
        ("(8/3/2023)", JAKARTA, "2023-03-08T00:00:00+07:00"),
        ("Kamis, 21 Desember 2023 - 03:33 WIB", JAKARTA, "2023-12-21T03:33:00+07:00"),
        ("Senin, 24 April 2023 | 10:30 WIB", JAKARTA, "2023-04-24T10:30:00+07:00"),
        ("15 Jul 2025, 18:16 WIT", JAYAPURA, "2025-07-15T18:16:00+09:00"),
        ("Ahad, 5 Nopember 2023", JAKARTA, "2023-11-05T00:00:00+07:00"),
        ("Jum'at, 2 Pebruari 2018 pukul 10.00", JAKARTA, "2018-02-02T10:00:00+07:00"),
        ("12 Ags 2023", JAKARTA, "2023-08-12T00:00:00+07:00"),
        ("March 5, 2024 1:30 pm", JAKARTA, "2024-03-05T13:30:00+07:00"),
        ("23-11-2023 08:15:59", JAKARTA, "2023-11-23T08:15:59+07:00"),
        ("Jumat (4/10)", JAKARTA, None),
        ("31/02/2024", JAKARTA, None),
        ("05/14/2024", JAKARTA, "2024-05-14T00:00:00+07:00"),  # no such month: the other order
        ("Rabu, 06/05/2024", JAKARTA, "2024-06-05T00:00:00+07:00"),  # the weekday tells
        ("Senin, 06/05/2024", JAKARTA, "2024-05-06T00:00:00+07:00"),
        ("15 Jul 24, 10.30", JAKARTA, "2024-07-15T10:30:00+07:00"),
        ("14:10 WIB | 18 Mei 2024", JAKARTA, "2024-05-18T14:10:00+07:00"),
        ("Diperbarui: 15 Mei 2024", JAKARTA, None),
        ("Terbit 14 Mei 2024, diperbarui 15 Mei 2024", JAKARTA, "2024-05-14T00:00:00+07:00"),
        ("15/1/1024 dan 15/1/2024", JAKARTA, "2024-01-15T00:00:00+07:00"),
        ("Jl. Merdeka 12, 2024", JAKARTA, None),
    ],
)
def test_visible_dates(printed: str, zone: ZoneInfo, at: str | None) -> None:
    stamp = read_visible(printed, zone)
    assert (stamp and stamp.at.isoformat()) == at


JSON_LD = '<script type="application/ld+json">{"@type":"NewsArticle","datePublished":"%s"}</script>'
META = '<meta property="article:published_time" content="%s">'
TIME = "<time datetime='%s'>x</time>"


@pytest.mark.parametrize(
    ("head", "above", "body", "at", "source"),
    [
        (JSON_LD % "2024-05-14T23:30:00Z", "", "", "2024-05-15T06:30:00+07:00", "json-ld"),
        (META % "2024-05-14T20:00:00+08:00", "", "", "2024-05-14T19:00:00+07:00", "meta"),
        (META % "2024-05-14 20:00:00", "", "", "2024-05-14T20:00:00+07:00", "meta"),
        ("", "", TIME % "2024-05-14T01:00:00+00:00", "2024-05-14T08:00:00+07:00", "time"),
        ("", "", "<p>Selasa, 14 Mei 2024 09:10 WIB</p>", "2024-05-14T09:10:00+07:00", "text"),
        # a bare day is made exact by the clock beside the headline
        (META % "2024-05-14", "", "<p>14/05/2024 09:10</p>", "2024-05-14T09:10:00+07:00", "text"),
        # local time that calls itself UTC
        (META % "2024-05-14T09:10:31Z", "", "<p>14/05/2024 09:10 WIB</p>", "2024-05-14T09:10:31+07:00", "meta"),
        # today's date in the page's head, a date in the text, and impossible ones are not it
        ("", "<div>Sabtu, 1 Juni 2024</div>", "", "2024-05-14T00:00:00+07:00", "url"),
        (JSON_LD % "1024-01-15T00:00:00Z", "", "<p>15/1/1024</p>", "2024-05-14T00:00:00+07:00", "url"),
        (META % "2024-06-05T00:00:00Z", "", "", "2024-05-14T00:00:00+07:00", "url"),
        (META % "rusak", "", "<p>Rapat itu digelar pada Kamis (2/5/2024) di kantor bupati lama, di hadapan seluruh camat se-kabupaten yang diundang.</p>", "2024-05-14T00:00:00+07:00", "url"),
    ],
)  # fmt: skip
def test_published(head: str, above: str, body: str, at: str, source: str) -> None:
    found = article(html(f"{body}{paragraphs(*TEXT)}", head=head, above=above))
    assert found.published is not None
    assert (found.published.isoformat(), found.published_from) == (at, source)


@pytest.mark.parametrize(
    ("printed", "url", "listed", "at", "inferred"),
    [
        ("Selasa (14/5)", "/berita/x", None, "2024-05-14T00:00:00+07:00", True),
        ("Jumat (29/12)", "/berita/x", None, "2023-12-29T00:00:00+07:00", True),
        ("Sabtu, 14 Mei | 09.10 WIB", "/berita/x", None, "2022-05-14T09:10:00+07:00", True),
        ("14 Mei", "/2019/05/x.html", None, "2019-05-14T00:00:00+07:00", True),
        ("14 Mei 09.10 WIB", "/2019/05/14/x/", None, "2019-05-14T09:10:00+07:00", False),
        ("14 Mei", "/berita/x", "2021-05-14T03:00:00+00:00", "2021-05-14T10:00:00+07:00", False),
        ("15/04/24", "/berita/x", None, "2024-04-15T00:00:00+07:00", True),
        ("Senin, 15/04/24", "/berita/x", None, "2024-04-15T00:00:00+07:00", False),
        ("3 jam lalu", "/berita/x", None, "2024-06-01T04:00:00+07:00", True),
        ("Kemarin", "/berita/x", None, "2024-05-31T00:00:00+07:00", True),
        ("Diperbarui 3 jam lalu", "/berita/x", None, None, False),
        ("Kemarin para camat berkumpul di aula kantor bupati", "/berita/x", None, None, False),
        ("Bupati di aula kantor, Rabu (4/11/2015)", "/berita/x", None, None, False),
    ],
)
def test_what_a_date_lacks_is_inferred_and_marked(
    printed: str, url: str, listed: str | None, at: str | None, inferred: bool
) -> None:
    found = article(
        html(f"<p>{printed}</p>{paragraphs(*TEXT)}"),
        f"https://kabar.example.id{url}",
        listed=datetime.fromisoformat(listed) if listed else None,
    )
    assert (found.published and found.published.isoformat()) == at
    assert found.published_inferred == inferred


@pytest.mark.parametrize(
    ("head", "printed", "url", "at", "source"),
    [
        # the time the page was built, or its article imported, against what all else says
        (JSON_LD % "2024-05-31T23:59:00Z", "Rabu, 15 Mei 2019 10.00 WIB", "/berita/x", "2019-05-15T10:00:00+07:00", "text"),
        (JSON_LD % "2022-01-05T10:00:00+07:00" + META % "2022-01-05T10:00:00+07:00", "Rabu, 15 Mei 2019", "/2019/05/15/x/", "2019-05-15T00:00:00+07:00", "text"),
        (JSON_LD % "2022-01-05T10:00:00+07:00", "", "/2019/05/15/x/", "2022-01-05T10:00:00+07:00", "json-ld"),
        # UTC that does not say so; local time that says UTC, known by its day alone
        (JSON_LD % "2024-05-14 02:10:05", "Selasa, 14 Mei 2024 09.10 WIB", "/berita/x", "2024-05-14T09:10:05+07:00", "json-ld"),
        (JSON_LD % "2024-05-14T20:10:00Z", "Selasa, 14 Mei 2024", "/berita/x", "2024-05-14T20:10:00+07:00", "json-ld"),
        (JSON_LD % "2024-05-14T20:10:00Z", "Rabu, 15 Mei 2024", "/berita/x", "2024-05-15T03:10:00+07:00", "json-ld"),
        # other ways to write a timestamp
        (META % "Tue, 14 May 2024 02:10:00 GMT", "", "/berita/x", "2024-05-14T09:10:00+07:00", "meta"),
        (META % "1715652600", "", "/berita/x", "2024-05-14T09:10:00+07:00", "meta"),
        (META % "2024/05/14 09:10:00", "", "/berita/x", "2024-05-14T09:10:00+07:00", "meta"),
        # when it was changed is not when it came out
        ('<meta property="article:modified_time" content="2024-05-14T09:10:00+07:00">', "", "/berita/x", None, None),
    ],
)  # fmt: skip
def test_dates_are_held_against_each_other(
    head: str, printed: str, url: str, at: str | None, source: str | None
) -> None:
    body = html(f"<p>{printed}</p>{paragraphs(*TEXT)}", head=head)
    found = article(body, f"https://kabar.example.id{url}")
    assert (found.published and found.published.isoformat()) == at
    assert (found.published_from, found.published_inferred) == (source, False)


@pytest.mark.parametrize(
    "bar",
    [
        "<div class='share-bar'><span>14 Mei 2024, 09:10 WIB</span> <a href='#'>Facebook</a></div>",
        "<div class='post-meta social'>Oleh Sari <time>14 Mei 2024, 09:10 WIB</time></div>",
        "<footer class='node__meta'>Submitted by humas on 14 Mei 2024 - 09:10 WIB</footer>",
    ],
)
def test_a_date_among_share_buttons_is_found(bar: str) -> None:
    found = article(html(f"{bar}{paragraphs(*TEXT)}"), "https://kabar.example.id/berita/x")
    assert found.published is not None
    assert found.published.isoformat() == "2024-05-14T09:10:00+07:00"
    assert found.text.split("\n") == list(TEXT)


def test_the_feeds_date_serves_where_the_page_has_none() -> None:
    listed = datetime(2024, 5, 13, 23, 0, tzinfo=UTC)
    found = article(html(paragraphs(*TEXT)), listed=listed)
    assert (found.published, found.published_from) == (listed, "source")
    assert found.published is not None
    assert found.published.utcoffset() == timedelta(hours=7)
    found = article(html(paragraphs(*TEXT)), url="https://kabar.example.id/camat-diminta")
    assert (found.published, found.published_from) == (None, None)


# --- datelines


@pytest.mark.parametrize(
    ("line", "outlet", "town"),
    [
        ("Karangasem, LAKSARA.ID – Bupati mengingatkan aparatur.", "LAKSARA.ID", "Karangasem"),
        ("SINGARAJA, NusaBali", "NusaBali", "SINGARAJA"),
        ("Satumejanews.id. KUTAI KARTANEGARA – Menjelang pemilihan", "Satu Meja News", "KUTAI KARTANEGARA"),
        ("LUMAJANG, Transparansi.co.id - Pemerintah menggelar acara", "", "LUMAJANG"),
        ("Serang (ANTARA) - Badan pengawas menyatakan", "", "Serang"),
        ("TRIBUN-PAPUA.COM, MERAUKE - Seorang pegawai", "Tribun Papua", "MERAUKE"),
        ("SuaraBatam.id - Seorang pegawai negeri", "SuaraBatam.id", None),
        ("balitribune.co.id | DenpasarAnggota dewan meminta", "", "Denpasar"),
        ("balitribune.co.id | Denpasar - Anggota dewan meminta", "", "Denpasar"),
        ("JAKARTA – Menteri mengingatkan", "", "JAKARTA"),
        ("LHOKSUKON | Garam rebus buatan perempuan pesisir", "", "LHOKSUKON"),
        ("Liputanku.com, Jakarta London Love Story tayang di bioskop sejak Kamis malam", "", "Jakarta"),
        ("Satumejanews.id. KUTAI KARTANEGARA Menjelang pemilihan, bupati meminta semua pegawai", "", "KUTAI KARTANEGARA"),
        ("RN, Nabire: Bandara baru menjalani uji coba pendaratan memakai pesawat kecil", "Radio Nusa", "Nabire"),
        ("Kota Bima, Kahaba.- Seorang camat dipanggil", "Kahaba", "Kota Bima"),
        ("Bupati – Ketua dewan – Sekda hadir dalam acara itu", "", None),
        ("Sebanyak 20 camat hadir - mereka menandatangani ikrar", "", None),
        ("Warga menunggu lama.", "NusaBali", None),
    ],
)  # fmt: skip
def test_datelines(line: str, outlet: str, town: str | None) -> None:
    assert read_dateline([line], outlet, "www.kabar.example.id") == town


# --- pages of a split article


def split(*links: str, lines: tuple[str, ...] = TEXT) -> str:
    pager = "".join(f"<a href='{link}'>{i}</a> " for i, link in enumerate(links, 1))
    return html(f"{paragraphs(*lines)}<div class='pagination'>{pager}</div>")


BASE = URL.rstrip("/")


@pytest.mark.parametrize(
    ("links", "pages"),
    [
        ((URL, f"{BASE}/2", "3/"), (f"{BASE}/2", f"{URL}3/")),
        (("?page=1", "?page=2", "?page=2", "?page=3"), (f"{URL}?page=2", f"{URL}?page=3")),
        (("?halaman=2",), (f"{URL}?halaman=2",)),
        (("?page=2", "?page=all"), (f"{URL}?page=all",)),
        (("/category/politik/page/2", "/", "?replytocom=2", "/2024/05/15/lain/2"), ()),
        (("comment-page-2/#comments", "?cpage=2", "?page=2#comments"), ()),
        (("https://lain.example.com/2024/05/14/camat-diminta-netral/2", "http://[::1", "javascript:x"), ()),
        (tuple(f"?page={n}" for n in range(2, 40)), tuple(f"{URL}?page={n}" for n in range(2, 22))),
    ],
)  # fmt: skip
def test_further_pages(links: tuple[str, ...], pages: tuple[str, ...]) -> None:
    assert article(split(*links)).pages == pages


def test_pages_are_joined_and_nothing_said_twice() -> None:
    links = ("?page=2", "?page=3")
    first = page(split(*links, lines=TEXT[:2]))
    second = page(split(*links, lines=TEXT[2:]), f"{URL}?page=2")
    third = page(split(*links, lines=("Pendek saja.",)), f"{URL}?page=3")
    again = page(split(*links, lines=TEXT[:2]), f"{URL}?page=3")
    whole = page(split(*links, lines=TEXT), f"{URL}?page=all")
    joined = read([first, second, third], zone=JAKARTA)
    assert joined is not None
    assert joined.text.split("\n") == [*TEXT, "Pendek saja."]
    assert joined.pages == ()
    partly = read([first, again], zone=JAKARTA)
    assert partly is not None
    assert partly.text.split("\n") == list(TEXT[:2])
    assert partly.pages == (f"{URL}?page=2",)
    complete = read([first, whole], zone=JAKARTA)
    assert complete is not None
    assert (complete.text.split("\n"), complete.pages) == (list(TEXT), ())


# --- no article


def teasers() -> str:
    return "".join(
        f"<div class='kartu'><h2><a href='/berita/{n}/x'>Judul berita nomor {n} tentang netralitas</a></h2>"
        f"<p>Ringkasan berita nomor {n} yang cukup panjang supaya tampak seperti sebuah paragraf.</p></div>"
        for n in range(12)
    )


@pytest.mark.parametrize(
    ("source", "url"),
    [
        (b"", URL),
        (b"\0", URL),
        (b"%PDF-1.4 x", URL),
        (b'{"a": "<p>x</p>"}', URL),
        (b'<?xml version="1.0"?><rss><channel><title>x</title></channel></rss>', URL),
        (html("<p>Terlalu pendek.</p>").encode(), URL),
        (html(paragraphs(*TEXT), title="404 - Halaman Tidak Ditemukan").encode(), URL),
        (html(paragraphs(*TEXT), title="Just a moment...").encode(), URL),
        (html(teasers(), title="Indeks Berita").encode(), "https://kabar.example.id/indeks"),
        (
            html(
                "<ul>"
                + "".join(
                    f"<li><a href='/n/{n}'>Judul berita nomor {n} tentang netralitas</a> <i>14 Mei 2024 10:00</i></li>"
                    for n in range(20)
                )
                + "</ul>",
                title="Kabar Hari Selasa",
            ).encode(),
            URL,
        ),
        (html(paragraphs(*TEXT), title="Hasil Pencarian: netralitas").encode(), URL),
        (html(paragraphs(*TEXT)).encode(), "https://kabar.example.id/"),
        (html(paragraphs(*TEXT)).encode(), "https://kabar.example.id/?paged=2"),
    ],
)
def test_what_is_no_article_gives_none(source: bytes, url: str) -> None:
    assert read([page(source, url)], zone=JAKARTA) is None


def test_a_short_article_is_one_if_its_structured_data_say_so() -> None:
    body = "<p>Camat diperiksa Bawaslu, Senin. Ia membantah ikut kampanye.</p>"
    assert read([page(html(body))], zone=JAKARTA) is None
    found = article(html(body, head=JSON_LD % "2024-05-14T09:10:00+07:00"))
    assert found.text == "Camat diperiksa Bawaslu, Senin. Ia membantah ikut kampanye."


def test_an_article_known_by_number_only_is_one() -> None:
    assert article(html(paragraphs(*TEXT)), url="https://kabar.example.id/?p=123").title == TITLE


def test_an_article_with_many_related_headlines_is_one() -> None:
    links = "".join(f"<p><a href='/b/{n}'>Judul berita terkait nomor {n}</a></p>" for n in range(9))
    assert lines_of(f"<div>{paragraphs(*TEXT)}{links}</div>") == list(TEXT)


def test_no_page_at_all_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="at least one page"):
        read([], zone=JAKARTA)


# --- charsets and hostile pages


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        ("<p>“Kafé”</p>".encode(), "iso-8859-1"),
        ("<meta charset=iso-8859-1><p>“Kafé”</p>".encode(), None),
        ("<p>“Kafé”</p>".encode("cp1252"), "utf-8"),
        ("<meta charset=utf-8><p>“Kafé”</p>".encode("cp1252"), None),
        ("<p>“Kafé”</p>".encode("cp1252"), "iso-8859-1"),
        ("<p>“Kafé”</p>".encode("utf-16"), None),
        ("<p>“Kafé” ".encode() + b"\xe2\x80", "utf-8"),
        ("<p>“Kafé”</p>".encode("cp1252"), "tidak-ada"),
    ],
)
def test_the_real_charset_is_found(raw: bytes, header: str | None) -> None:
    assert "“Kafé”" in decode(raw, header)


HEAD = f"<html><head><title>{TITLE}</title></head><body><h1>{TITLE}</h1>".encode()
BODY = paragraphs(*TEXT).encode()


def hostile() -> Iterator[tuple[str, bytes]]:
    yield "deep", HEAD + b"<div>" * 99_000 + BODY
    yield "nested", HEAD + b"<div><p>x" * 400_000
    yield "long text", HEAD + b"<p>" + b"kata kata. " * 400_000 + BODY
    yield "one word", HEAD + b"<p>" + b"a" * 4_500_000 + BODY
    yield "many breaks", HEAD + b"<br>kata kata" * 90_000
    yield "many links", HEAD + b"Baca juga <a href=x>y</a> " * 40_000 + BODY
    yield "attributes", HEAD + b"<p " + b" ".join(b"a%d=1" % i for i in range(300_000)) + b">"
    yield "class", HEAD + b'<div class="' + b"ad-" * 1_000_000 + b'">x</div>' + BODY
    yield "tags", HEAD + b"<a rel=tag href=/tag/x>y</a>" * 40_000 + BODY
    yield "tag boxes", HEAD + b"<div class=tags><a href=x>y</a></div>" * 30_000 + BODY
    yield "keywords", HEAD + b'<meta name=keywords content="' + b"a," * 900_000 + b'">' + BODY
    yield "picture box", HEAD + b"<div class=image>" + b"<p>x kata kata</p>" * 40_000 + BODY
    yield "pictures", HEAD + b"<div>" + b"<img src=/a.jpg width=900>kata kata<br>" * 30_000 + BODY
    yield "captions", HEAD + b"<p class=caption>x kata</p>" * 40_000 + BODY
    yield "headings", HEAD + b"<h2><div>" * 120 + b"kata " * 500_000 + BODY
    yield "cells", HEAD + b"<table><tr>" + b"<td>kata kata" * 45_000 + BODY
    yield "deep boxes", HEAD + b"<div class=tag>" * 1_900 + b"<p class=caption>x <b>y</b>" * 900
    yield "dates", HEAD + b"<p class=share>" + b"1 Mei 202 " * 400_000 + BODY
    yield "furniture", HEAD + b"<div class=related>" * 200 + b"di " * 1_000_000
    yield "hidden", HEAD + b"<div hidden>" * 240 + b"<p class=iklan>x</p>" * 30_000
    yield (
        "json",
        b'<html><script type="application/ld+json">' + b"[" * 400_000 + b"</script>" + BODY,
    )
    yield (
        "entities",
        b'<!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "bbbb">]>' + HEAD + b"&a;" + BODY,
    )
    yield "bytes", HEAD + bytes(range(256)) * 1_000 + BODY


@pytest.mark.parametrize(
    ("name", "raw"), list(hostile()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_hostile_pages_end_in_time(name: str, raw: bytes) -> None:
    started = process_time()
    read([page(raw)], zone=JAKARTA)
    assert process_time() - started < 10


def test_what_a_broken_page_has_behind_its_end_is_read_too() -> None:
    behind = '<p class="tags"><time datetime="2024-05-14T10:15:00+07:00">hari ini</time></p>'
    found = article(html(paragraphs(*TEXT)) + behind)
    assert found.published == datetime(2024, 5, 14, 10, 15, tzinfo=JAKARTA)
    assert found.published_from == "time"


# --- saved pages of real sites

needs_saved = pytest.mark.skipif(
    not SAVED.is_dir(), reason="the saved pages (../shared/html) are not here"
)


@needs_saved
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("antara-mainpage", "http://www.antaranews.com/terkini"),
        ("kompas-mainpage", "http://indeks.kompas.com/news/2016-02-16"),
        ("viva-mainpage", "http://www.viva.co.id/indeks"),
    ],
)
def test_saved_index_pages_give_none(name: str, url: str) -> None:
    assert read([page((SAVED / f"{name}.html").read_bytes(), url)], zone=JAKARTA) is None


@needs_saved
def test_saved_article_matches_what_its_publisher_printed() -> None:
    raw = (SAVED / "mediaindonesia-2026.html").read_bytes()
    expected = json.loads((SAVED / "mediaindonesia-2026.expected.json").read_text("utf-8"))["V1"]
    url = "https://mediaindonesia.com/ekonomi/851796/dari-petani-hingga-pendidik-bangsa"
    found = read([Page(url, raw, datetime(2026, 2, 1, tzinfo=UTC))], zone=JAKARTA)
    assert found is not None
    assert found.title == expected["title"]
    assert list(found.authors) == expected["authors"]
    assert found.published == datetime.fromisoformat(expected["publishing_date"])
    paragraphs = [p for s in expected["body"]["sections"] for p in s["paragraphs"]]
    assert found.text.split("\n") == paragraphs
    assert found.caption is not None
    assert found.caption.startswith(expected["images"][0]["caption"])


def test_furniture_of_a_whole_theme_goes() -> None:
    for template in sorted(PAGES.glob("*.html")):
        url = "https://kabar.example.id/camat-diminta-menjaga-netralitas-selama-masa-kampanye/"
        source = Template(template.read_text("utf-8")).substitute(
            title=TITLE,
            url=url,
            caption="Para camat mengikuti apel bersama",
            body=paragraphs(*TEXT),
        )
        found = article(source, url)
        assert found.title == TITLE, template.name
        assert [li for li in found.text.split("\n") if "apel" not in li] == list(TEXT), (
            template.name
        )
