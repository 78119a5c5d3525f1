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
from string import Formatter
from typing import Annotated, Any, Literal

from cssselect import HTMLTranslator, SelectorError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
)
from scrapy.settings import BaseSettings
from scrapy.spiderloader import SpiderLoader

import settings
from crawler import urls
from crawler.outlet import WIB, WIT, WITA, Outlet
from crawler.sources import Archive, Feed, Search, Sitemap, Source, WordPress
from crawler.spider import OutletSpider

ZONES = {"WIB": WIB, "WITA": WITA, "WIT": WIT}


class CatalogueError(Exception):
    """The catalogue cannot be used; its text is one sentence for the operator."""


def _template(*fields: str) -> AfterValidator:
    """A path that may have {fields}, and no others."""

    def check(path: str) -> str:
        if not path.startswith("/"):
            raise ValueError("a path begins with /")
        try:
            used = {field for _, field, _, _ in Formatter().parse(path) if field is not None}
        except ValueError as error:
            raise ValueError(f"{path!r} is not a path: {error}") from None
        if unknown := used.difference(fields):
            known = " and ".join(f"{{{field}}}" for field in fields) or "nothing"
            raise ValueError(f"{{{min(unknown)}}} is unknown here; {known} can be filled in")
        return path

    return AfterValidator(check)


def _selector(css: str) -> str:
    try:
        HTMLTranslator().css_to_xpath(css)
    except SelectorError as error:
        raise ValueError(f"{css!r} is not a CSS selector: {error}") from None
    return css


def _domain(domain: str) -> str:
    if urls.address(f"http://{domain}/") is None:
        raise ValueError(f"{domain!r} is not a domain, with a port or without")
    return domain


SitePath = Annotated[str, _template()]
Selector = Annotated[str, AfterValidator(_selector)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Feed(_Row):
    feed: SitePath
    pages: Annotated[str, _template("page", "start")] | None = None
    per_page: Annotated[int, Field(ge=1)] = 25

    def source(self) -> Source:
        return Feed(self.feed, self.pages, self.per_page)


class _Sitemap(_Row):
    sitemap: SitePath

    def source(self) -> Source:
        return Sitemap(self.sitemap)


class _WordPress(_Row):
    wordpress: Literal[True] | SitePath

    def source(self) -> Source:
        return WordPress() if self.wordpress is True else WordPress(self.wordpress)


class _Search(_Row):
    search: Annotated[str, _template("term", "page")]
    hits: Selector
    terms: tuple[str, ...] | None = None

    def source(self) -> Source:
        return Search(self.search, self.hits, *([self.terms] if self.terms else []))


class _Archive(_Row):
    archive: Annotated[str, _template("page")]
    links: Selector

    def source(self) -> Source:
        return Archive(self.archive, self.links)


_KINDS = ("feed", "sitemap", "wordpress", "search", "archive")


def _kind(source: Any) -> str | None:
    found = [kind for kind in _KINDS if isinstance(source, dict) and kind in source]
    return f"_{found[0]}" if found else None


_Source = Annotated[
    Annotated[_Feed, Tag("_feed")]
    | Annotated[_Sitemap, Tag("_sitemap")]
    | Annotated[_WordPress, Tag("_wordpress")]
    | Annotated[_Search, Tag("_search")]
    | Annotated[_Archive, Tag("_archive")],
    Discriminator(
        _kind,
        custom_error_type="source",
        custom_error_message=f"a source is a table with one of {', '.join(_KINDS)}",
    ),
]


class _Outlet(_Row):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
    title: str
    domain: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9.-]+(:\d+)?$"), AfterValidator(_domain)
    ]
    scheme: Literal["https", "http"] = "https"
    province: str | None = None
    regency: str | None = None
    zone: Literal["WIB", "WITA", "WIT"] = "WIB"
    note: str = ""
    sources: Annotated[tuple[_Source, ...], Field(min_length=1)]

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
    rows = document.get("outlet", [])
    if not isinstance(rows, list):
        raise CatalogueError(f"The catalogue {path} has outlets that do not begin with [[outlet]]")
    spiders = {}
    for row in rows:
        try:
            spider = _Outlet.model_validate(row).spider()
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"] if not str(part).startswith("_"))
            name = row.get("name", "?") if isinstance(row, dict) else row
            said = first["msg"].removeprefix("Value error, ")
            place = f"outlet {name!r}, {where}" if where else f"outlet {name!r}"
            raise CatalogueError(f"The catalogue {path}, {place}: {said}") from None
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
