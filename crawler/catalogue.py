"""Which outlets there are: the declarations in `spiders/` and the catalogue file.

A catalogue is TOML, one [[outlet]] a row (docs/outlets.md):

    [[outlet]]
    name = "kabar-daerah"
    title = "Kabar Daerah"
    domain = "kabardaerah.example"
    province = "Bali"
    zone = "WITA"
    sources = [{feed = "/feed/", pages = "/feed/?paged={page}"}, {wordpress = true}]
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from scrapy.settings import BaseSettings
from scrapy.spiderloader import SpiderLoader

import settings
from crawler.outlet import WIB, WIT, WITA, Outlet
from crawler.sources import Archive, Feed, Search, Sitemap, Source, WordPress
from crawler.spider import OutletSpider

ZONES = {"WIB": WIB, "WITA": WITA, "WIT": WIT}


class CatalogueError(Exception):
    """The catalogue cannot be used; its text is one sentence for the operator."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Feed(_Row):
    feed: str
    pages: str | None = None
    per_page: Annotated[int, Field(ge=1)] = 25

    def source(self) -> Source:
        return Feed(self.feed, self.pages, self.per_page)


class _Sitemap(_Row):
    sitemap: str

    def source(self) -> Source:
        return Sitemap(self.sitemap)


class _WordPress(_Row):
    wordpress: Literal[True] | str

    def source(self) -> Source:
        return WordPress() if self.wordpress is True else WordPress(self.wordpress)


class _Search(_Row):
    search: str
    hits: str
    terms: tuple[str, ...] | None = None

    def source(self) -> Source:
        return Search(self.search, self.hits, *([self.terms] if self.terms else []))


class _Archive(_Row):
    archive: str
    links: str

    def source(self) -> Source:
        return Archive(self.archive, self.links)


class _Outlet(_Row):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
    title: str
    domain: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:\d+)?$")]
    scheme: Literal["https", "http"] = "https"
    province: str | None = None
    regency: str | None = None
    zone: Literal["WIB", "WITA", "WIT"] = "WIB"
    note: str = ""
    sources: Annotated[
        tuple[_Feed | _Sitemap | _WordPress | _Search | _Archive, ...], Field(min_length=1)
    ]

    def spider(self) -> type[OutletSpider]:
        outlet = Outlet(
            self.title, self.domain, self.province, self.regency, ZONES[self.zone], self.scheme
        )
        sources = tuple(row.source() for row in self.sources)
        class_name = re.sub(r"\W", "_", self.name)
        return type(
            class_name,
            (OutletSpider,),
            {"name": self.name, "outlet": outlet, "sources": sources, "__module__": __name__},
        )


def load(path: Path) -> list[type[OutletSpider]]:
    """The spiders of a catalogue file. Raises CatalogueError."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogueError(f"The catalogue {path} cannot be read: {error}") from None
    if unknown := document.keys() - {"outlet"}:
        raise CatalogueError(f"The catalogue {path} has an unknown table: {min(unknown)}")
    spiders = {}
    for row in document.get("outlet", []):
        try:
            spider = _Outlet.model_validate(row).spider()
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"] if not str(part).startswith("_"))
            name = row.get("name", "?") if isinstance(row, dict) else row
            raise CatalogueError(
                f"The catalogue {path}, outlet {name!r}, {where}: {first['msg']}"
            ) from None
        if spider.name in spiders:
            raise CatalogueError(f"The catalogue {path} has two outlets named {spider.name!r}")
        spiders[spider.name] = spider
    return list(spiders.values())


class CatalogueLoader(SpiderLoader):
    """Scrapy's spider loader, with the catalogue's outlets beside the declared ones; where both
    have a name, the catalogue's row replaces the declaration."""

    def __init__(self, scrapy_settings: BaseSettings) -> None:
        super().__init__(scrapy_settings)
        if path := settings.load().catalogue:
            self._spiders.update({spider.name: spider for spider in load(path)})


def spiders() -> dict[str, type[OutletSpider]]:
    """Every outlet's spider by its name, in the order of the names."""
    from scrapy.utils.project import get_project_settings

    loader = CatalogueLoader(get_project_settings())
    found = {name: loader.load(name) for name in sorted(loader.list())}
    return {name: spider for name, spider in found.items() if issubclass(spider, OutletSpider)}
