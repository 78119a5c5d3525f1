"""The demo's sites, asked over HTTP as a crawler asks them."""

import gzip
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
from lxml import etree, html

from demo.articles import Article
from demo.sites import SITES, serve

NOW = datetime(2026, 3, 4, 2, 30, tzinfo=UTC)
SITEMAP = {
    "s": "http://www.sitemaps.org/schemas/sitemap/0.9",
    "news": "http://www.google.com/schemas/sitemap-news/0.9",
}
FEEDS = {
    "laksara": ["/feed/", "/wp-sitemap.xml", "/wp-sitemap-posts-post-1.xml"],
    "satumeja": ["/feed/?paged=2", "/sitemap_index.xml", "/post-sitemap.xml"],
    "nusabali": ["/rss"],
    "transparansi": [
        "/feeds/posts/default",
        "/feeds/posts/default?alt=rss",
        "/sitemap.xml",
        "/sitemap.xml?page=1",
        "/news-sitemap.xml",
    ],
}


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


def ask(address: str, method: str = "GET", **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, method=method, headers=names)
    try:
        with OPENER.open(request, timeout=10) as reply:
            return Answer(reply.status, reply.headers, reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[str, str]]:
    with serve(NOW) as addresses:
        yield addresses


def articles(name: str) -> tuple[Article, ...]:
    return SITES[name].articles(NOW)


def urls(name: str, base: str) -> list[str]:
    return [article.url(base) for article in articles(name)]


def titled(name: str, words: str) -> Article:
    return next(article for article in articles(name) if words in article.title)


def rss_links(answer: Answer) -> list[str]:
    assert answer.status == 200
    return [item.findtext("link") or "" for item in etree.fromstring(answer.body).iter("item")]


def locations(answer: Answer) -> list[str]:
    assert answer.status == 200
    return [str(loc.text) for loc in etree.fromstring(answer.body).findall(".//s:loc", SITEMAP)]


def paged(name: str, base: str, path: str) -> list[str]:
    """The links of every page of a feed, up to the first page that is missing."""
    found: list[str] = []
    for page in range(1, 20):
        answer = ask(f"{base}{path}?paged={page}")
        if answer.status == 404:
            return found
        found += rss_links(answer)
    raise AssertionError(f"{name}: the feed has no end")


# what is published


@pytest.mark.parametrize("name", SITES)
def test_every_article_is_whole(name: str) -> None:
    published = articles(name)
    assert 25 <= len(published) <= 40
    for article in published:
        assert article.label in ("relevant", "decoy", "filler")
        assert article.kind
        assert len(article.text) > 150
        assert "{" not in article.title + article.text
        assert article.published.utcoffset() == NOW.astimezone(SITES[name].zone).utcoffset()
        assert article.published <= article.modified < NOW
    for field in ("title", "path", "number"):
        assert len({getattr(article, field) for article in published}) == len(published)
    assert sorted(published, key=lambda a: a.published, reverse=True) == list(published)


@pytest.mark.parametrize("name", SITES)
def test_a_week_always_has_findings_of_different_kinds(name: str) -> None:
    relevant = [article for article in articles(name) if article.label == "relevant"]
    assert len({article.kind for article in relevant}) >= 3
    assert all(NOW - article.published < timedelta(days=7) for article in relevant)
    assert any(article.label == "decoy" for article in articles(name))


def test_some_findings_and_some_decoys_mislead_a_search_for_netral() -> None:
    everything = [article for name in SITES for article in articles(name)]
    says = {
        label: {"netral" in f"{a.title} {a.text}".lower() for a in everything if a.label == label}
        for label in ("relevant", "decoy", "filler")
    }
    assert says == {"relevant": {True, False}, "decoy": {True, False}, "filler": {False}}


def test_the_dates_move_with_the_day_and_nothing_else_does() -> None:
    later = SITES["laksara"].articles(NOW + timedelta(days=3))
    assert [a.published - timedelta(days=3) for a in later] == [
        a.published for a in articles("laksara")
    ]
    assert [a.text for a in later] == [a.text for a in articles("laksara")]
    with pytest.raises(ValueError, match="time zone"):
        SITES["laksara"].articles(datetime(2026, 3, 4))  # noqa: DTZ001


# every site


@pytest.mark.parametrize("name", SITES)
def test_every_article_has_its_page(name: str, sites: dict[str, str]) -> None:
    for article in articles(name):
        answer = ask(article.url(sites[name]))
        assert answer.status == 200
        assert answer.headers["Content-Type"].lower() == "text/html; charset=utf-8"
        page = html.fromstring(answer.text).text_content()
        assert article.title in page
        assert all(paragraph in page for paragraph in article.pages[0])


@pytest.mark.parametrize("name", SITES)
def test_fillers_carry_related_headlines_and_old_ones_do_not(
    name: str, sites: dict[str, str]
) -> None:
    fillers = [article for article in articles(name) if article.label == "filler"]
    says = ["netralitas asn" in ask(f.url(sites[name])).text.lower() for f in fillers]
    assert says[0]
    assert not says[-1]


@pytest.mark.parametrize("name", SITES)
def test_every_link_on_the_site_leads_somewhere(name: str, sites: dict[str, str]) -> None:
    base = sites[name]
    todo, seen = [f"{base}/"], {f"{base}/"}
    while todo:
        address = todo.pop()
        answer = ask(address)
        assert answer.status == 200, address
        for link in html.fromstring(answer.text).xpath("//a/@href"):
            target = str(link).partition("#")[0]
            if target.startswith(f"{base}/") and target not in seen:
                seen.add(target)
                todo.append(target)
    assert set(urls(name, base)[:3]) <= seen


@pytest.mark.parametrize("name", SITES)
def test_head_gzip_and_missing_pages(name: str, sites: dict[str, str]) -> None:
    address = articles(name)[0].url(sites[name])
    plain, head = ask(address), ask(address, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == plain.headers["Content-Length"]
    packed = ask(address, Accept_Encoding="deflate, gzip;q=0.8")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert "Content-Encoding" not in ask(address, Accept_Encoding="gzip;q=0").headers
    missing = ask(f"{sites[name]}/tidak/ada")
    assert missing.status == 404
    assert "<h1" in missing.text
    assert ask(f"{sites[name]}/", Host="salah host").status == 400


@pytest.mark.parametrize("name", SITES)
def test_robots_keep_out_of_the_back_office(name: str, sites: dict[str, str]) -> None:
    rules = ask(f"{sites[name]}/robots.txt").text
    assert re.search(r"^Disallow: /(wp-)?admin", rules, re.M)
    assert ("Crawl-delay: 0.5" in rules) == (name == "bkpsdm-bondowoso")
    for sitemap in re.findall(r"^Sitemap: (\S+)$", rules, re.M):
        assert locations(ask(sitemap))


@pytest.mark.parametrize(
    ("name", "path"), [(name, path) for name, paths in FEEDS.items() for path in paths]
)
def test_what_is_unchanged_is_answered_304(name: str, path: str, sites: dict[str, str]) -> None:
    address = sites[name] + path
    first = ask(address)
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    earlier = (parsedate_to_datetime(modified) - timedelta(days=1)).strftime(
        "%a, %d %b %Y %H:%M:%S GMT"
    )
    known: list[dict[str, str]] = [
        {"If_None_Match": etag},
        {"If_None_Match": f'"other", {etag.removeprefix("W/")}', "Accept_Encoding": "gzip"},
        {"If_Modified_Since": modified},
        {"If_None_Match": etag, "If_Modified_Since": earlier},
    ]
    for headers in known:
        answer = ask(address, **headers)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
    unknown: list[dict[str, str]] = [
        {"If_None_Match": '"other"'},
        {"If_None_Match": '"other"', "If_Modified_Since": modified},
        {"If_Modified_Since": earlier},
        {"If_Modified_Since": "kemarin"},
    ]
    for headers in unknown:
        assert ask(address, **headers).body == first.body


def test_links_follow_the_host_that_was_asked(sites: dict[str, str]) -> None:
    answer = ask(f"{sites['laksara']}/feed/", Host="laksara.id")
    assert {urlsplit(link).netloc for link in rss_links(answer)} == {"laksara.id"}


def test_each_site_keeps_a_log_and_falls_silent_when_stopped() -> None:
    with serve(NOW, ["nusabali", "laksara"]) as addresses:
        assert list(addresses) == ["nusabali", "laksara"]
        ask(f"{addresses['nusabali']}/rss?a=1", "HEAD", User_Agent="penguji/1")
        ask(f"{addresses['nusabali']}/hilang")
        hits = [(hit.method, hit.path, hit.status) for hit in SITES["nusabali"].log]
        assert hits == [("HEAD", "/rss?a=1", 200), ("GET", "/hilang", 404)]
        assert SITES["nusabali"].log[0].user_agent == "penguji/1"
        assert SITES["nusabali"].log[0].time.utcoffset() == timedelta(0)
        assert SITES["laksara"].log == []
    with pytest.raises(urllib.error.URLError):
        ask(f"{addresses['nusabali']}/rss")


# WordPress


@pytest.mark.parametrize("name", ["laksara", "satumeja"])
def test_wordpress_feed_is_paged_to_its_end(name: str, sites: dict[str, str]) -> None:
    base = sites[name]
    assert len(rss_links(ask(f"{base}/feed/"))) == 10
    assert paged(name, base, "/feed/") == urls(name, base)
    assert ask(f"{base}/feed/?paged=0").status == 404


def test_wordpress_feed_has_whole_texts_and_dates(sites: dict[str, str]) -> None:
    article = titled("satumeja", "Dugaan Pelanggaran")
    feeds = [ask(f"{sites['satumeja']}/feed/?paged={page}").body for page in (1, 2)]
    items = [item for feed in feeds for item in etree.fromstring(feed).iter("item")]
    item = next(item for item in items if item.findtext("title") == article.title)
    content = item.findtext("{http://purl.org/rss/1.0/modules/content/}encoded") or ""
    assert all(paragraph in content for page in article.pages for paragraph in page)
    assert parsedate_to_datetime(item.findtext("pubDate") or "") == article.published


def test_wordpress_own_sitemap_has_no_dates(sites: dict[str, str]) -> None:
    base = sites["laksara"]
    assert ask(f"{base}/sitemap.xml").headers["Location"] == f"{base}/wp-sitemap.xml"
    index = locations(ask(f"{base}/wp-sitemap.xml"))
    assert index[0] == f"{base}/wp-sitemap-posts-post-1.xml"
    posts = ask(index[0])
    assert locations(posts) == urls("laksara", base)
    assert b"lastmod" not in posts.body
    assert all(ask(address).status == 200 for address in locations(ask(index[1])))


def test_yoast_sitemap_has_lastmod(sites: dict[str, str]) -> None:
    base = sites["satumeja"]
    index = locations(ask(f"{base}/sitemap_index.xml"))
    assert index[0] == f"{base}/post-sitemap.xml"
    entries = etree.fromstring(ask(index[0]).body).findall("s:url", SITEMAP)
    changed = {entry[0].text: datetime.fromisoformat(str(entry[1].text)) for entry in entries}
    assert changed == {article.url(base): article.modified for article in articles("satumeja")}


def rest(base: str, query: str) -> tuple[Answer, Any]:
    answer = ask(f"{base}/wp-json/wp/v2/posts?{query}")
    return answer, json.loads(answer.text)


def test_rest_is_paged_to_its_end(sites: dict[str, str]) -> None:
    base, published = sites["laksara"], articles("laksara")
    links: list[str] = []
    for page in (1, 2, 3):
        answer, posts = rest(base, f"per_page=15&page={page}&_fields=id,link,title.rendered")
        assert answer.headers["X-WP-Total"] == str(len(published))
        assert answer.headers["X-WP-TotalPages"] == "3"
        assert all(set(post) == {"id", "link", "title"} for post in posts)
        links += [post["link"] for post in posts]
    assert links == urls("laksara", base)
    answer, error = rest(base, "per_page=15&page=4")
    assert (answer.status, error["code"]) == (400, "rest_post_invalid_page_number")
    for wrong in ("per_page=101", "per_page=0", "page=0", "after=kemarin", "orderby=nama"):
        answer, error = rest(base, wrong)
        assert (answer.status, error["code"]) == (400, "rest_invalid_param")


def test_rest_filters_by_time_and_word(sites: dict[str, str]) -> None:
    base, published = sites["laksara"], articles("laksara")
    after, before = published[20].published, published[5].published
    expected = [article.url(base) for article in published[6:20]]
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"):
        start, end = (quote(moment.strftime(form)) for moment in (after, before))
        _, posts = rest(base, f"after={start}&before={end}&per_page=100")
        assert [post["link"] for post in posts] == expected
    edited = titled("laksara", "14 Laporan")
    since = quote((edited.modified - timedelta(minutes=1)).isoformat())
    _, posts = rest(base, f"modified_after={since}&orderby=modified&order=asc&per_page=100")
    assert posts[0]["link"] == edited.url(base)
    _, posts = rest(base, "search=netralitas+ASN")
    assert {post["link"] for post in posts} == {
        titled("laksara", words).url(base) for words in ("Sekda", "14 Laporan")
    }
    answer, posts = rest(base, "search=tidakadakatanya")
    assert (posts, answer.headers["X-WP-Total"]) == ([], "0")


def test_rest_gives_local_time_and_utc(sites: dict[str, str]) -> None:
    article = articles("laksara")[0]
    post = json.loads(ask(f"{sites['laksara']}/wp-json/wp/v2/posts/{article.number}").text)
    local, utc = (datetime.fromisoformat(post[name]) for name in ("date", "date_gmt"))
    assert local == article.published.replace(tzinfo=None)
    assert utc.replace(tzinfo=UTC) == article.published
    assert post["guid"]["rendered"].endswith(f"/?p={article.number}")
    assert ask(post["guid"]["rendered"]).headers["Location"] == post["link"]
    assert json.loads(ask(f"{sites['laksara']}/wp-json/").text)["gmt_offset"] == 8


def test_rest_can_be_switched_off(sites: dict[str, str]) -> None:
    answer, error = rest(sites["satumeja"], "per_page=1")
    assert (answer.status, error["code"]) == (401, "rest_cannot_access")


def listed(address: str) -> list[str]:
    """The links of a WordPress list page and of those after it."""
    tree = html.fromstring(ask(address).text)
    found = [str(link) for link in tree.xpath("//main//article/h2/a/@href")]
    following = tree.xpath("//a[@class='next']/@href")
    return found + (listed(str(following[0])) if following else [])


def test_wordpress_search_and_archives(sites: dict[str, str]) -> None:
    base, published = sites["laksara"], articles("laksara")
    assert listed(f"{base}/") == urls("laksara", base)
    hits = [a.url(base) for a in published if "karangasem" in f"{a.title} {a.text}".lower()]
    assert listed(f"{base}/?s=karangasem") == hits
    assert rss_links(ask(f"{base}/?s=karangasem&feed=rss2")) == hits[:10]
    assert listed(f"{base}/?s=tidakadakatanya") == []
    day = published[0].published
    same_day = [a.url(base) for a in published if a.published.date() == day.date()]
    assert listed(f"{base}/{day:%Y/%m/%d}/") == same_day
    assert ask(f"{base}/{NOW:%Y/%m/%d}/").status == 404


def test_laksara_page(sites: dict[str, str]) -> None:
    article = titled("laksara", "Foto Camat")
    page = ask(article.url(sites["laksara"])).text
    tree = html.fromstring(page)
    facts = json.loads(tree.xpath("//script[@type='application/ld+json']")[0].text)
    assert datetime.fromisoformat(facts["datePublished"]) == article.published
    assert facts["datePublished"].endswith("+08:00")
    body = tree.xpath("//div[@class='entry-content']")[0].text_content()
    assert body.startswith("\nKarangasem, LAKSARA.ID – Sebuah foto")
    assert "Baca juga: " in body
    assert "Bagikan ini:" in page
    assert "Tinggalkan Balasan" in page


def test_satumeja_splits_an_article(sites: dict[str, str]) -> None:
    article = titled("satumeja", "Dugaan Pelanggaran")
    address = article.url(sites["satumeja"])
    assert len(article.pages) == 3
    for number, paragraphs in enumerate(article.pages, start=1):
        answer = ask(address if number == 1 else f"{address}{number}/")
        text = html.fromstring(answer.text).xpath("//div[contains(@class,'td-post-content')]")
        body = text[0].text_content()
        assert all(paragraph in body for paragraph in paragraphs)
        others = [page for page in article.pages if page is not paragraphs]
        assert not any(paragraph in body for page in others for paragraph in page)
        assert body.strip().startswith("Satumejanews.id. TENGGARONG –") == (number == 1)
    links = html.fromstring(ask(address).text).xpath("//div[@class='page-links']/a/@href")
    assert links == [f"{address}2/", f"{address}3/"]
    assert ask(f"{address}2").headers["Location"] == f"{address}2/"
    for beyond in (f"{address}4/", f"{address}1/", address.rstrip("/")):
        assert ask(beyond).headers["Location"] == address


def test_satumeja_page(sites: dict[str, str]) -> None:
    paid = titled("satumeja", "Ikrar Netral")
    page = html.fromstring(ask(paid.url(sites["satumeja"])).text).text_content()
    assert paid.paid
    assert "(adv/diskominfo)" in page
    for boilerplate in ("TINGGALKAN KOMENTAR", "Silakan masukkan komentar anda!", "POPULER"):
        assert boilerplate in page


# NusaBali


def test_nusabali_feed_has_ten_and_no_second_page(sites: dict[str, str]) -> None:
    base = sites["nusabali"]
    links = rss_links(ask(f"{base}/rss"))
    assert links == urls("nusabali", base)[:10]
    assert rss_links(ask(f"{base}/rss?page=2")) == links
    assert titled("nusabali", "Langgar Netralitas").url(base) not in links


def hits(address: str) -> list[str]:
    tree = html.fromstring(ask(address).text)
    assert tree.xpath("//div[@class='owl-carousel']//a")  # decoys on every page
    return [str(link) for link in tree.xpath("//*[@id='article-list']//a/@href")]


def test_nusabali_search(sites: dict[str, str]) -> None:
    base = sites["nusabali"]
    expected = [
        a.url(base) for a in articles("nusabali") if "warga" in f"{a.title} {a.text}".lower()
    ]
    found: list[str] = []
    page = 1
    while part := hits(f"{base}/search?keyword=Warga&page={page}"):
        found += part
        page += 1
    assert found == expected
    assert page > 2
    assert hits(f"{base}/search?keyword=tidakadakatanya&page=1") == []
    assert hits(f"{base}/search") == []


def test_nusabali_page_and_its_twin(sites: dict[str, str]) -> None:
    article = titled("nusabali", "Langgar Netralitas")
    base = sites["nusabali"]
    answer = ask(article.url(base))
    twin = ask(f"{base}/index.php{article.path}")
    assert (twin.status, twin.body) == (200, answer.body)
    tree = html.fromstring(answer.text)
    date = tree.xpath("//meta[@itemprop='datePublished']/@content")[0]
    assert datetime.fromisoformat(str(date)) == article.published
    paragraphs = [p.text_content() for p in tree.xpath("//*[@itemprop='articleBody']/p")]
    assert paragraphs[0] == "SINGARAJA, NusaBali"
    assert "\n".join(paragraphs[1:-1]) == article.text
    assert "Komentar" in answer.text


# BKPSDM Bondowoso


def test_portal_index_pages_list_everything(sites: dict[str, str]) -> None:
    base = sites["bkpsdm-bondowoso"]
    found: list[str] = []
    for page in (1, 2, 3, 4):
        tree = html.fromstring(ask(f"{base}/berita?page={page}").text)
        found += [str(link) for link in tree.xpath("//div[@class='card']/h5/a/@href")]
    assert found == urls("bkpsdm-bondowoso", base)
    beyond = ask(f"{base}/berita?page=5")
    assert beyond.status == 200
    assert "Belum ada berita" in beyond.text


def test_portal_has_nothing_for_machines(sites: dict[str, str]) -> None:
    base = sites["bkpsdm-bondowoso"]
    for path in ("/feed/", "/rss", "/sitemap.xml", "/wp-json/"):
        assert ask(base + path).status == 404
    page = ask(titled("bkpsdm-bondowoso", "Surat Edaran").url(base)).text
    assert not re.search(r"ld\+json|itemprop|<time|og:|article:published", page)
    # three days before Wednesday, the 4th of March 2026
    assert "<span>Minggu, 1 Maret 2026</span>" in page
    assert "Share Berita Ini" in page


# Transparansi


def test_transparansi_feed(sites: dict[str, str]) -> None:
    base, published = sites["transparansi"], articles("transparansi")
    found: list[str] = []
    for start in (1, 21):
        feed = f"{base}/feeds/posts/default?alt=rss&start-index={start}&max-results=20"
        found += rss_links(ask(feed))
    assert all("?utm_source=rss&utm_medium=feed&utm_campaign=" in link for link in found)
    assert [link.partition("?")[0] for link in found] == urls("transparansi", base)
    assert all(ask(link).status == 200 for link in found[:3])
    assert rss_links(ask(f"{base}/feeds/posts/default?alt=rss&start-index=99")) == []

    atom = "{http://www.w3.org/2005/Atom}"
    since = quote(published[9].published.isoformat())
    feed = etree.fromstring(ask(f"{base}/feeds/posts/default?published-min={since}").body)
    total = feed.findtext("{http://a9.com/-/spec/opensearchrss/1.0/}totalResults")
    titles = [entry.findtext(f"{atom}title") for entry in feed.iter(f"{atom}entry")]
    assert (total, titles) == ("10", [article.title for article in published[:10]])
    assert ask(f"{base}/feeds/posts/default?updated-min=kemarin").status == 400


def test_transparansi_sitemaps(sites: dict[str, str]) -> None:
    base, published = sites["transparansi"], articles("transparansi")
    parts = locations(ask(f"{base}/sitemap.xml"))
    assert parts[0] == f"{base}/sitemap.xml?page=1"
    assert [link for part in parts for link in locations(ask(part))] == urls("transparansi", base)
    assert ask(f"{base}/sitemap.xml?page={len(parts) + 1}").status == 404

    news = etree.fromstring(ask(f"{base}/news-sitemap.xml").body).findall("s:url", SITEMAP)
    fresh = [a for a in published if NOW - a.published <= timedelta(days=2)]
    assert 0 < len(fresh) < len(published)
    assert [
        (entry.findtext("s:loc", None, SITEMAP), entry.findtext(".//news:title", None, SITEMAP))
        for entry in news
    ] == [(article.url(base), article.title) for article in fresh]
    date = news[0].findtext(".//news:publication_date", None, SITEMAP)
    assert datetime.fromisoformat(str(date)) == fresh[0].published


def test_transparansi_parts_and_twins(sites: dict[str, str]) -> None:
    article = titled("transparansi", "Perangkat Desa")
    address = article.url(sites["transparansi"])
    day = "3 Maret 2026, 19.24 WIB"
    first, second, whole, amp = (
        ask(address + query).text for query in ("", "?page=2", "?page=all", "?amp=1")
    )
    one, two = article.pages
    for page, shown, hidden, dated in (
        (first, one, two, True),
        (second, two, one, False),
        (whole, one + two, (), True),
        (amp, one + two, (), True),
    ):
        text = html.fromstring(page).text_content()
        assert all(paragraph in text for paragraph in shown)
        assert not any(paragraph in text for paragraph in hidden)
        assert (day in text) == dated
    assert "LUMAJANG, Transparansi.co.id - Bawaslu" in first
    assert first.count(">Iklan<") >= 4
    assert '<html lang="id" amp>' in amp
    assert ask(f"{address}?utm_source=x&fbclid=y&m=1").text == first
    assert ask(f"{address}?page=3").status == 404
    assert f'<link rel="canonical" href="{address}">' in amp
