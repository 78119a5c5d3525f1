"""The five sample articles, each put into a page of its outlet's manner.

The texts are read from beside the checkout; the pages around them are ours (extract/pages).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template

PAGES = Path(__file__).parent / "extract" / "pages"
SEE_ALSO = (
    '<p><strong>Baca juga: <a href="/lain">Sekda Ditegur soal Netralitas ASN</a></strong></p>'
)
LINKED = '<a href="/tag/asn" class="inner-link-baca-juga">{}</a>'


@dataclass(frozen=True)
class Seed:
    """A sample article as its outlet shows it: `html` at `path`, and what must be read from it.
    `lines` are the lines of its text, `place` the regency it is about."""

    outlet: str
    path: str
    html: Callable[[str], str]
    title: str
    lines: list[str]
    dateline: str | None
    published: str
    place: str
    paid: bool = False


def load(folder: Path) -> dict[str, Seed]:
    """The seeds of `folder` by their outlets' names."""
    texts = [_lines(next(folder.glob(f"{number:03}_*.txt"))) for number in range(5)]
    makers = (_laksara, _satumeja, _nusabali, _bkpsdm_bondowoso, _transparansi)
    seeds = [make(text) for make, text in zip(makers, texts, strict=True)]
    return {seed.outlet: seed for seed in seeds}


def _lines(file: Path) -> list[str]:
    return [" ".join(line.split()) for line in file.read_text("utf-8").splitlines() if line.strip()]


def _page(template: str, **parts: str) -> Callable[[str], str]:
    text = Template((PAGES / template).read_text("utf-8"))
    return lambda url: text.substitute(url=url, **parts)


def _linked(line: str) -> str:
    """The line with its first "ASN" or "netralitas" as an inline link, as sites do."""
    return re.sub(r"\b(ASN|netralitas)\b", lambda m: LINKED.format(m[1]), line, count=1)


def _paragraphs(lines: list[str]) -> str:
    """One `<p>` a line, an advertisement and an invitation between them."""
    html = [f"<p>{_linked(line)}</p>" for line in lines]
    html.insert(2, SEE_ALSO)
    html.insert(4, '<div class="iklan-tengah"><p>ADVERTISEMENT</p></div><p>Iklan</p>')
    html.insert(5, "<p>SCROLL TO CONTINUE WITH CONTENT</p>")
    return "\n".join(html)


def _laksara(text: list[str]) -> Seed:
    title = "Bupati Karangasem Ingatkan ASN Pegang Teguh Netralitas"
    return Seed(
        outlet="laksara",
        path="/2023/11/23/bupati-karangasem-ingatkan-asn-pegang-teguh-netralitas/",
        html=_page("laksara.html", title=title, body=_paragraphs(text)),
        title=title,
        lines=text,
        dateline="Karangasem",
        published="2023-11-23T18:41:07+08:00",
        place="Kabupaten Karangasem",
    )


def _satumeja(text: list[str]) -> Seed:
    title, caption, body = text[1], text[4], text[5:-3]
    return Seed(
        outlet="satumeja",
        path="/pjs-bupati-kukar-minta-asn-tetap-jaga-netral-pada-pilkada/",
        html=_page("satumeja.html", title=title, caption=caption, body=_paragraphs(body)),
        title=title,
        lines=[caption, *body],
        dateline="KUTAI KARTANEGARA",
        published="2024-10-25T14:10:00+08:00",
        place="Kabupaten Kutai Kartanegara",
        paid=True,
    )


def _nusabali(text: list[str]) -> Seed:
    title, body = text[0], text[1:-1]
    lines = [body[0], f"<b>{body[1]}</b>", *map(_linked, body[2:])]
    return Seed(
        outlet="nusabali",
        path="/berita/145000/asn-wajib-teken-pakta-integritas",
        html=_page("nusabali.html", title=title, body="<br><br>\n".join(lines)),
        title=title,
        lines=body,
        dateline="SINGARAJA",
        published="2023-07-12T05:51:00+08:00",
        place="Kabupaten Buleleng",
    )


def _bkpsdm_bondowoso(text: list[str]) -> Seed:
    title, body = text[0], text[1:-1]
    html = "\n".join(f"<p style='text-align:justify'><span>{line}</span></p>" for line in body)
    return Seed(
        outlet="bkpsdm-bondowoso",
        path="/berita/netralitas-asn-harga-mati",
        html=_page("bkpsdm.html", title=title, body=html),
        title=title,
        lines=body,
        dateline=None,
        published="2024-06-21T00:00:00+07:00",
        place="Kabupaten Bondowoso",
    )


def _transparansi(text: list[str]) -> Seed:
    lines = [line for line in text if line not in ("Iklan", ",")]
    title, body = lines[0], lines[2:]
    html = "\n".join(f"<div>{line}</div><div><br></div><div>Iklan</div>" for line in body)
    return Seed(
        outlet="transparansi",
        path="/2024/05/jelang-pilkada-serentak-tahun-2024.html",
        html=_page("transparansi.html", title=title, body=html),
        title=title,
        lines=body,
        dateline="LUMAJANG",
        published="2024-05-15T19:24:00+07:00",
        place="Kabupaten Lumajang",
    )
