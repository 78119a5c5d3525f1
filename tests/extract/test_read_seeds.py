"""The five seed articles, each in a page of its outlet's manner."""

import re
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo

import pytest

from extract.article import Article, Page
from extract.read import read

PAGES = Path(__file__).parent / "pages"
SEEDS = Path(__file__).parents[3] / "shared" / "seeds"
pytestmark = pytest.mark.skipif(
    not SEEDS.is_dir(), reason="the seed articles (../shared/seeds) are not here"
)

JAKARTA, MAKASSAR = ZoneInfo("Asia/Jakarta"), ZoneInfo("Asia/Makassar")
SEE_ALSO = (
    '<p><strong>Baca juga: <a href="/lain">Sekda Ditegur soal Netralitas ASN</a></strong></p>'
)
LINKED = '<a href="/tag/asn" class="inner-link-baca-juga">{}</a>'


def seed(number: int) -> list[str]:
    """A seed's lines, without the empty ones, with single spaces."""
    [file] = SEEDS.glob(f"{number:03}_*.txt")
    return [" ".join(li.split()) for li in file.read_text("utf-8").splitlines() if li.strip()]


def linked(line: str) -> str:
    """The line with its first "ASN" or "netralitas" as an inline link, as sites do."""
    return re.sub(r"\b(ASN|netralitas)\b", lambda m: LINKED.format(m[1]), line, count=1)


def paragraphs(lines: list[str]) -> str:
    """One `<p>` a line, an advertisement and an invitation between them."""
    html = [f"<p>{linked(line)}</p>" for line in lines]
    html.insert(2, SEE_ALSO)
    html.insert(4, '<div class="iklan-tengah"><p>ADVERTISEMENT</p></div><p>Iklan</p>')
    html.insert(5, "<p>SCROLL TO CONTINUE WITH CONTENT</p>")
    return "\n".join(html)


def page(template: str, url: str, **parts: str) -> Page:
    html = Template((PAGES / template).read_text("utf-8")).substitute(url=url, **parts)
    return Page(url, html.encode(), datetime(2026, 11, 21, tzinfo=UTC))


def check(article: Article | None, *, lines: list[str], title: str) -> Article:
    """Title and every line, in order, and nothing of the furniture."""
    assert article is not None
    assert article.title == title
    got = article.text.split("\n")
    assert [line for line in lines if line not in got] == []
    assert [line for line in got if line not in lines] == []
    assert got == lines
    assert article.language == "id"
    assert article.pages == ()
    return article


def test_laksara() -> None:
    title = "Bupati Karangasem Ingatkan ASN Pegang Teguh Netralitas"
    lines = seed(0)
    url = "https://laksara.id/bupati-karangasem-ingatkan-asn-pegang-teguh-netralitas/"
    article = read(
        [page("laksara.html", url, title=title, body=paragraphs(lines))],
        zone=MAKASSAR,
        outlet="LAKSARA.ID",
    )
    article = check(article, lines=lines, title=title)
    assert article.dateline == "Karangasem"
    assert article.published is not None
    assert article.published.isoformat() == "2023-11-23T18:41:07+08:00"
    assert article.published_from == "json-ld"
    assert article.section == "Karangasem"
    assert not article.paid


def test_satu_meja_news() -> None:
    lines = seed(1)
    title, caption, text = lines[1], lines[4], lines[5:-3]
    url = "https://satumejanews.id/pjs-bupati-kukar-minta-asn-tetap-jaga-netral-pada-pilkada/"
    article = read(
        [page("satumeja.html", url, title=title, caption=caption, body=paragraphs(text))],
        zone=MAKASSAR,
        outlet="Satu Meja News",
    )
    article = check(article, lines=[caption, *text], title=title)
    assert article.dateline == "KUTAI KARTANEGARA"
    assert article.published is not None
    assert article.published.isoformat() == "2024-10-25T14:10:00+08:00"
    assert article.paid


def test_nusabali() -> None:
    lines = seed(2)
    title, text = lines[0], lines[1:-1]
    body = "<br><br>\n".join([text[0], f"<b>{text[1]}</b>", *map(linked, text[2:])])
    url = "https://www.nusabali.com/berita/145000/asn-wajib-teken-pakta-integritas"
    article = read(
        [page("nusabali.html", url, title=title, body=body)], zone=MAKASSAR, outlet="NusaBali"
    )
    article = check(article, lines=text, title=title)
    assert article.dateline == "SINGARAJA"
    assert article.published is not None
    assert article.published.isoformat() == "2023-07-12T05:51:00+08:00"
    assert article.authors == ("Lilik",)


def test_bkpsdm_bondowoso() -> None:
    lines = seed(3)
    title, text = lines[0], lines[1:-1]
    body = "\n".join(f"<p style='text-align:justify'><span>{line}</span></p>" for line in text)
    url = "https://bkpsdm.bondowosokab.go.id/berita/netralitas-asn-harga-mati"
    article = read(
        [page("bkpsdm.html", url, title=title, body=body)], zone=JAKARTA, outlet="BKPSDM Bondowoso"
    )
    article = check(article, lines=text, title=title)
    assert article.dateline is None
    assert article.published == datetime(2024, 6, 21, tzinfo=JAKARTA)
    assert article.published_from == "text"


def test_transparansi() -> None:
    lines = [line for line in seed(4) if line not in ("Iklan", ",")]
    title, text = lines[0], lines[2:]
    body = "\n".join(f"<div>{line}</div><div><br></div><div>Iklan</div>" for line in text)
    url = "https://transparansi.co.id/baca/jelang-pilkada-serentak-tahun-2024"
    article = read(
        [page("transparansi.html", url, title=title, body=body)],
        zone=JAKARTA,
        outlet="Transparansi.co.id",
    )
    article = check(article, lines=text, title=title)
    assert article.dateline == "LUMAJANG"
    assert article.published is not None
    assert article.published.isoformat() == "2024-05-15T19:24:00+07:00"
