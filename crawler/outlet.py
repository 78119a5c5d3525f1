"""What an outlet is."""

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from crawler import urls

WIB = ZoneInfo("Asia/Jakarta")
WITA = ZoneInfo("Asia/Makassar")
WIT = ZoneInfo("Asia/Jayapura")


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

    def url(self, path: str) -> str:
        """The address of `path` on the outlet's site."""
        return urljoin(f"{self.scheme}://{self.domain}/", path)

    def owns(self, url: str) -> bool:
        """Whether `url` is on the outlet's site or a twin of it, www, AMP and mobile included."""
        hosts = (self.domain, *self.twins)
        return urls.host(url) in {urls.host(f"{self.scheme}://{host}/") for host in hosts}

    def publishes(self, url: str) -> bool:
        """Whether `url` may be an article of the outlet's: on its site and in its section. Its
        listings may lie elsewhere on the site: `owns` tells those."""
        if not self.section:
            return self.owns(url)
        path = urlsplit(urls.canonical(url) or "").path
        return self.owns(url) and path.startswith(f"{self.section}/")

    @property
    def hostname(self) -> str:
        """The domain without port and www: what the outlet's hosts end in."""
        return (urlsplit(self.url("/")).hostname or "").removeprefix("www.")
