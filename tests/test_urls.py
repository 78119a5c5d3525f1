"""URL identity: which addresses are one article."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler import urls
from crawler.outlet import Outlet

BASE = "https://kabar.example/berita/1/judul"


@pytest.mark.parametrize(
    "twin",
    [
        "http://kabar.example/berita/1/judul",
        "https://www.kabar.example/berita/1/judul",
        "https://amp.kabar.example/berita/1/judul",
        "https://m.kabar.example/berita/1/judul",
        "https://www.m.kabar.example/berita/1/judul",
        "HTTPS://WWW.Kabar.Example:443/berita/1/judul",
        "http://kabar.example:80/berita/1/judul",
        "https://kabar.example./berita/1/judul",
        "https://kabar.example/berita/1/judul/",
        "https://kabar.example/berita/1/judul/amp",
        "https://kabar.example/berita/1/judul/amp/",
        "https://kabar.example/amp/berita/1/judul",
        "https://kabar.example/copy/berita/1/judul",
        "https://kabar.example/index.php/berita/1/judul",
        "https://kabar.example/index.php/amp/berita/1/judul/",
        "https://kabar.example/berita/1/judul?amp",
        "https://kabar.example/berita/1/judul?amp=1",
        "https://kabar.example/berita/1/judul?page=all",
        "https://kabar.example/berita/1/judul?page=1",
        "https://kabar.example/berita/1/judul?halaman=1",
        "https://kabar.example/berita/1/judul?m=1",
        "https://kabar.example/berita/1/judul?utm_source=rss&utm_medium=feed&fbclid=x",
        "https://kabar.example/berita/1/judul#komentar",
        "  https://kabar.example/berita/1/judul\n",
        "https://kabar.example/berita/1/%6Audul",
    ],
)
def test_twins_are_one(twin: str) -> None:
    assert urls.canonical(twin) == BASE


@pytest.mark.parametrize(
    "other",
    [
        "https://kabar.example/berita/2/judul",
        "https://kabar.example/berita/1/judul/2",
        "https://kabar.example/berita/1/judul?page=2",
        "https://kabar.example/berita/1/judul?halaman=3",
        "https://kabar.example/berita/1/judul?cid=7",
        "https://kabar.example:8080/berita/1/judul",
        "https://bali.kabar.example/berita/1/judul",
        "https://kabar.example/berita/1/Judul",
        "https://kabar.example/index.phpx/berita/1/judul",
    ],
)
def test_others_are_others(other: str) -> None:
    assert urls.canonical(other) not in (None, BASE)


def test_wordpress_and_blogger() -> None:
    assert urls.canonical("http://www.a.example/?p=12") == "https://a.example/?p=12"
    assert urls.canonical("https://a.example/index.php?p=12") == "https://a.example/?p=12"
    blog = "https://a.example/2024/05/judul.html"
    assert urls.canonical(blog + "?m=0") == urls.canonical(blog + "?m=1") == blog
    assert urls.canonical("https://a.example/x?b=2&a=1") == urls.canonical(
        "https://a.example/x?a=1&b=2"
    )


@pytest.mark.parametrize(
    "nothing",
    [
        "",
        "/berita/1",
        "mailto:redaksi@kabar.example",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "ftp://kabar.example/x",
        "https://",
        "https://[bad/x",
        "https://kabar.example:99999/x",
        "https://kabar.example:x/x",
        "https://kabar.example/?random-post=1",
        "https://kabar.example/" + "x" * 2000,
    ],
)
def test_no_address_of_an_article(nothing: str) -> None:
    assert urls.address(nothing) is None
    assert urls.canonical(nothing) is None
    assert urls.host(nothing) == ""


def test_an_address_is_what_to_fetch() -> None:
    # the desktop page of the whole article: `index.php` and `www.` may be needed to reach it
    assert (
        urls.address("http://m.kabar.example/index.php/berita/1/judul/amp/?page=all&fbclid=x&id=3")
        == "http://kabar.example/index.php/berita/1/judul/?id=3"
    )
    assert urls.address("https://www.kabar.example/a") == "https://www.kabar.example/a"
    assert urls.address("https://u:p@kabar.example/a b\0c") == "https://kabar.example/a%20b%00c"
    assert urls.address("http://[::1]:8000/x") == "http://[::1]:8000/x"


def test_front_pages() -> None:
    for url in ("https://a.example", "http://www.a.example/index.php", "https://a.example/?amp"):
        assert urls.is_front_page(urls.canonical(url) or "")
    for url in ("https://a.example/?p=1", "https://a.example/berita"):
        assert not urls.is_front_page(urls.canonical(url) or "")


def test_what_an_outlet_owns() -> None:
    outlet = Outlet("Kabar", "www.kabar.example:8080", scheme="http")
    for own in (
        "http://kabar.example:8080/x",
        "https://m.kabar.example:8080/",
        "http://www.kabar.example:8080",
    ):
        assert outlet.owns(own)
    for other in (
        "http://kabar.example/x",
        "http://kabar.example:8080.evil.example/",
        "http://kabar.example:8080@evil.example/",
        "http://akabar.example:8080/",
        "",
    ):
        assert not outlet.owns(other)


@pytest.mark.parametrize(
    ("url", "day"),
    [
        ("https://a.example/2024/05/15/judul", datetime(2024, 5, 15, 23, 59, 59, tzinfo=UTC)),
        ("https://a.example/read/2024/5/3/101500/x", datetime(2024, 5, 3, 23, 59, 59, tzinfo=UTC)),
        ("https://a.example/2024/05/judul.html", datetime(2024, 6, 1, tzinfo=UTC)),
        ("https://a.example/2024/12/judul.html", datetime(2025, 1, 1, tzinfo=UTC)),
        ("https://a.example/2024/13/45/x", None),
        ("https://a.example/berita/145928/x", None),
    ],
)
def test_the_date_in_a_path(url: str, day: datetime | None) -> None:
    assert urls.date_in(url) == day


SEGMENTS = st.sampled_from(
    ["amp", "copy", "index.php", "berita", "2024", "5", "judul-ü", "%61mp", "..", ".", "", "a b",
     "%2Famp", "x;y", "page", "%", "%zz", "\0", "ﬀ", "🙂"]
)  # fmt: skip
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["amp", "page", "p", "id", "utm_source", "m", "a[]", "ü", "halaman", ""]),
        st.sampled_from(["", "1", "all", "2", "x y", "&", "%26", "ü", "+"]),
    ).map("=".join),
    max_size=4,
).map("&".join)
ADDRESSES = st.builds(
    "{}://{}{}/{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.sampled_from(["www.", "amp.", "m.", "www.m.", "", "wap.m."]),
    st.sampled_from(["kabar.example", "Kabar.EXAMPLE:80", "kabar.example:8080", "bücher.example",
                     "xn--bcher-kva.example", "127.0.0.1:81", "[::1]:81"]),
    st.lists(SEGMENTS, max_size=6).map("/".join),
    QUERIES.map(lambda query: f"?{query}" if query else ""),
    st.sampled_from(["", "#x", "#"]),
)  # fmt: skip


@given(ADDRESSES | st.text() | st.text().map("https://kabar.example/{}".format))
@example("https://kabar.example/\ud800")
@example("https://kabar.example//amp//amp/index.php/amp/x/amp/amp//")
def test_a_canonical_form_is_its_own_and_the_addresss(url: str) -> None:
    canonical, address = urls.canonical(url), urls.address(url)
    assert (canonical is None) == (address is None)
    if canonical is None or address is None:
        return
    assert urls.canonical(canonical) == canonical
    assert urls.canonical(address) == canonical
    assert urls.address(address) == address
    assert address.isascii()
    assert canonical.isascii()
