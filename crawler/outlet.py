"""What an outlet is."""

from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from crawler import urls
from extract.link import Link

WIB = ZoneInfo("Asia/Jakarta")
WITA = ZoneInfo("Asia/Makassar")
WIT = ZoneInfo("Asia/Jayapura")

_IN_WITA = frozenset({
    "Bali", "Nusa Tenggara Barat", "Nusa Tenggara Timur", "Kalimantan Selatan", "Kalimantan Timur",
    "Kalimantan Utara", "Sulawesi Utara", "Sulawesi Tengah", "Sulawesi Selatan",
    "Sulawesi Tenggara", "Sulawesi Barat", "Gorontalo",
})  # fmt: skip
_IN_WIT = frozenset({
    "Maluku", "Maluku Utara", "Papua", "Papua Barat", "Papua Barat Daya", "Papua Pegunungan",
    "Papua Selatan", "Papua Tengah",
})  # fmt: skip


def zone_of(province: str | None) -> ZoneInfo:
    """The time zone of a province, by its full name (Keputusan Presiden 41/1987); WIB where it is
    not known."""
    return WITA if province in _IN_WITA else WIT if province in _IN_WIT else WIB


@dataclass(frozen=True, slots=True)
class Outlet:
    """A publisher with a site. `title` is its name as it prints it, `domain` where its pages live
    (with a port, if it has one), `zone` the time zone of its dates, `regency` and `province` where
    it is at home. `section` is the path its articles lie under, where the domain is another's
    ("/bali" of detik.com); `twins` are further domains that show the same articles."""

    title: str
    domain: str
    province: str | None = None
    regency: str | None = None
    zone: ZoneInfo = WIB
    scheme: str = "https"
    section: str = ""
    twins: tuple[str, ...] = ()
    hosts: frozenset[str] = field(init=False, repr=False, compare=False)
    """The hosts of all of them; see `crawler.urls.host`."""
    home: str = field(init=False, repr=False, compare=False)
    """That of the domain."""

    def __post_init__(self) -> None:
        home, *others = (urls.host(f"{self.scheme}://{x}/") for x in (self.domain, *self.twins))
        object.__setattr__(self, "home", home)
        object.__setattr__(self, "hosts", frozenset({home, *others}))

    def url(self, path: str) -> str:
        """The address of `path` on the outlet's site."""
        return urljoin(f"{self.scheme}://{self.domain}/", path)

    def owns(self, url: str) -> bool:
        """Whether `url` is on the outlet's site or a twin of it, www, AMP and mobile included."""
        return urls.host(url) in self.hosts

    def publishes(self, url: str) -> bool:
        """Whether `url` may be an article of the outlet's: on its site and in its section. Its
        listings may lie elsewhere on the site: `owns` tells those."""
        return self.has(urls.canonical(url) or "")

    def has(self, canonical: str) -> bool:
        """The same of a URL that is canonical already, which is ten times as fast."""
        parts = urlsplit(canonical)
        within = not self.section or parts.path.startswith(f"{self.section}/")
        return within and parts.netloc in self.hosts

    def at_home(self, link: Link) -> Link:
        """`link` on the outlet's main domain, where it is on a twin of it; what an archive keeps
        stays where it is."""
        url = urlsplit(link.url)
        there = url.netloc
        if there == self.home or there not in self.hosts:
            return link
        url = url._replace(netloc=self.home)
        address = urlsplit(link.address)
        if urls.host(link.address) == there:
            here = urlsplit(self.url("/"))
            address = address._replace(scheme=here.scheme, netloc=here.netloc)
        return replace(link, url=urlunsplit(url), address=urlunsplit(address))

    @property
    def hostname(self) -> str:
        """The domain without port and www: what the outlet's hosts end in."""
        return (urlsplit(self.url("/")).hostname or "").removeprefix("www.")
