"""Which outlets there are: the declarations in `spiders/`, the catalogue beside them, and one of
the operator's own (PANTAU_CATALOGUE). PANTAU_OUTLETS chooses among the built-in ones.

A catalogue is TOML, one [[outlet]] a row (docs/outlets.md):

    [[outlet]]
    name = "kabar-daerah"
    title = "Kabar Daerah"
    domain = "kabardaerah.example"
    province = "Bali"
    zone = "WITA"
    platform = "wordpress"
"""

import gc
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

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
    ValidationInfo,
    field_validator,
    model_validator,
)
from scrapy import Spider
from scrapy.settings import BaseSettings
from scrapy.spiderloader import SpiderLoader

import settings
from crawler import urls
from crawler.outlet import WIB, WIT, WITA, Outlet
from crawler.outlets.platforms import PLATFORMS, Platform
from crawler.sources import (
    Archive,
    CommonCrawl,
    DateArchive,
    Feed,
    Index,
    Search,
    Sitemap,
    Source,
    Wayback,
    WordPress,
)
from crawler.spider import OutletSpider
from extract import places

BUILT_IN = Path(settings.__file__).parent / "spiders" / "catalogue.toml"
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


def _hits(css: str) -> str:
    return css and _selector(css)  # "": told by their shape


def _domain(domain: str) -> str:
    if urls.address(f"http://{domain}/") is None:
        raise ValueError(f"{domain!r} is not a domain, with a port or without")
    return domain


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, [*known], n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _platform(name: str) -> str:
    if name not in PLATFORMS:
        hint = _did_you_mean(name, PLATFORMS) or f"; they are {', '.join(PLATFORMS)}"
        raise ValueError(f"there is no platform {name!r}{hint}")
    return name


def _province(name: str) -> str:
    gazetteer = places.load()
    found = gazetteer.named(name, "province")
    if found is None or found.name != name:  # "Jabar": findings are asked for by the full name
        known = {a.name for a in gazetteer.areas.values() if a.level == "province"}
        hint = f"; did you mean {found.name}?" if found else _did_you_mean(name, known)
        raise ValueError(f"there is no province {name!r}{hint}")
    return name


def _regency(name: str, province: str | None) -> str:
    gazetteer = places.load()
    found = gazetteer.named(name, "regency")
    if found is None:
        known = [a for a in gazetteer.areas.values() if a.level == "regency"]
        full = (a.name for a in known if province in (None, a.province))
        hint = _did_you_mean(name, [form for n in full for form in (n, n.split(" ", 1)[1])])
        raise ValueError(f"there is no regency or city {name!r}{hint}")
    if province and found.province != province:
        raise ValueError(f"{found.name} lies in {found.province}, not in {province}")
    return name


SitePath = Annotated[str, _template()]
Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:\d+)?$"), AfterValidator(_domain)]
Selector = Annotated[str, AfterValidator(_selector)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Feed(_Row):
    feed: SitePath
    pages: Annotated[str, _template("page", "start")] | None = None
    per_page: Annotated[int, Field(ge=1)] = 25
    window: Annotated[str, _template("since", "until", "year", "month", "page", "start")] | None = (
        None
    )
    window_per_page: Annotated[int, Field(ge=1)] = 150

    def source(self) -> Source:
        return Feed(self.feed, self.pages, self.per_page, self.window, self.window_per_page)


class _Sitemap(_Row):
    sitemap: SitePath

    def source(self) -> Source:
        return Sitemap(self.sitemap)


class _WordPress(_Row):
    wordpress: Literal[True] | SitePath

    def source(self) -> Source:
        return WordPress() if self.wordpress is True else WordPress(self.wordpress)


class _Search(_Row):
    search: Annotated[str, _template("term", "page", "index")]
    hits: Annotated[str, AfterValidator(_hits)] | None = None
    terms: tuple[str, ...] | None = None

    def source(self) -> Source:
        return Search(self.search, self.hits, *([self.terms] if self.terms else []))


class _Archive(_Row):
    archive: Annotated[str, _template("page", "index")]
    links: Selector

    def source(self) -> Source:
        return Archive(self.archive, self.links)


class _DateArchive(_Row):
    days: Annotated[str, _template("year", "month", "day", "page", "index")]
    links: Selector | None = None

    def source(self) -> Source:
        return DateArchive(self.days, self.links)


class _Index(_Row):
    index: Annotated[tuple[Annotated[str, _template("page", "index")], ...], Field(min_length=1)]

    def source(self) -> Source:
        return Index(self.index)


class _Wayback(_Row):
    wayback: Literal[True]

    def source(self) -> Source:
        return Wayback()


class _CommonCrawl(_Row):
    commoncrawl: Literal[True]

    def source(self) -> Source:
        return CommonCrawl()


KINDS: dict[type, str] = {
    Feed: "feed",
    Sitemap: "sitemap",
    WordPress: "wordpress",
    Search: "search",
    Archive: "archive",
    DateArchive: "days",
    Index: "index",
    Wayback: "wayback",
    CommonCrawl: "commoncrawl",
}
"""What the row of a source is known by: a key, whose value is the source's first field, if any."""


def _kind(source: Any) -> str | None:
    found = [kind for kind in KINDS.values() if isinstance(source, dict) and kind in source]
    return f"_{found[0]}" if found else None


_Source = Annotated[
    Annotated[_Feed, Tag("_feed")]
    | Annotated[_Sitemap, Tag("_sitemap")]
    | Annotated[_WordPress, Tag("_wordpress")]
    | Annotated[_Search, Tag("_search")]
    | Annotated[_Archive, Tag("_archive")]
    | Annotated[_DateArchive, Tag("_days")]
    | Annotated[_Index, Tag("_index")]
    | Annotated[_Wayback, Tag("_wayback")]
    | Annotated[_CommonCrawl, Tag("_commoncrawl")],
    Discriminator(
        _kind,
        custom_error_type="source",
        custom_error_message=f"a source is a table with one of {', '.join(KINDS.values())}",
    ),
]


class _Outlet(_Row):
    """A row. What it says of `sources`, `spare` and `past` stands for its platform's."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
    title: str
    domain: Domain
    scheme: Literal["https", "http"] = "https"
    section: Annotated[str, StringConstraints(pattern=r"^(/[^/?#\s]+)*$")] = ""
    twins: tuple[Domain, ...] = ()
    province: Annotated[str, AfterValidator(_province)] | None = None
    regency: str | None = None
    zone: Literal["WIB", "WITA", "WIT"] = "WIB"
    platform: Annotated[str, AfterValidator(_platform)] | None = None
    sources: Annotated[tuple[_Source, ...], Field(min_length=1)] = ()
    spare: tuple[_Source, ...] | None = None
    past: tuple[_Source, ...] | None = None
    note: str = ""

    @field_validator("regency")
    @classmethod
    def _is_a_regency(cls, name: str | None, row: ValidationInfo) -> str | None:
        return _regency(name, row.data.get("province")) if name else None

    @model_validator(mode="after")
    def _has_sources(self) -> Self:
        if not (self.sources or self.platform):
            raise ValueError("it needs sources, or a platform")
        return self

    def spider(self) -> type[OutletSpider]:
        outlet = Outlet(
            self.title,
            self.domain,
            self.province,
            self.regency,
            ZONES[self.zone],
            self.scheme,
            self.section,
            self.twins,
        )
        usual = PLATFORMS.get(self.platform or "", Platform(()))
        return type(
            re.sub(r"\W", "_", self.name),
            (OutletSpider,),
            {
                "name": self.name,
                "outlet": outlet,
                "sources": _sources(self.sources) or usual.sources,
                "spare": usual.spare if self.spare is None else _sources(self.spare),
                "past": usual.past if self.past is None else _sources(self.past),
                "__module__": __name__,
            },
        )


def _sources(rows: Sequence[Any]) -> Sequence[Source]:
    return tuple(row.source() for row in rows)


def load(path: Path) -> list[type[OutletSpider]]:
    """The spiders of a catalogue file. Raises CatalogueError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise CatalogueError(f"The catalogue {path} cannot be read: {error}") from None
    return _spiders(path, text)


@lru_cache(4)  # a worker's processes have it from the one they are forked from
def _spiders(path: Path, text: str) -> list[type[OutletSpider]]:
    try:
        document = tomllib.loads(text)
    except ValueError as error:
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


def own_path(current: settings.Settings) -> Path:
    """Where the operator's own catalogue is, or would be."""
    return current.catalogue or current.home / "outlets.toml"


class CatalogueLoader(SpiderLoader):
    """Scrapy's spider loader, with the catalogues' outlets beside the declared ones. The operator's
    own catalogue comes last: its rows replace what has their names."""

    def __init__(self, scrapy_settings: BaseSettings) -> None:
        super().__init__(scrapy_settings)
        # what is imported stays; collected over and over while the gazetteer's thousands of areas
        # are made, it would double the time this takes
        gc.freeze()
        current = settings.load()
        built_in = self._spiders | _by_name(load(BUILT_IN))
        self._spiders = _chosen(built_in, current.outlets)
        path = own_path(current)
        if current.catalogue or path.exists():
            self._spiders |= _by_name(load(path))


def _by_name(found: Iterable[type[Spider]]) -> dict[str, type[Spider]]:
    return {spider.name: spider for spider in found}


def _chosen(built_in: Mapping[str, type[Spider]], wanted: str) -> dict[str, type[Spider]]:
    """Those of `built_in` that `wanted` (PANTAU_OUTLETS) names, by name or province."""
    names = [name for part in wanted.split(",") if (name := part.strip())]
    if not names:
        return dict(built_in)
    chosen: dict[str, type[Spider]] = {}
    for name in names:
        province = places.load().named(name, "province")
        if name in built_in:
            chosen[name] = built_in[name]
        elif province:
            chosen |= {n: s for n, s in built_in.items() if _province_of(s) == province.name}
        else:
            provinces = filter(None, map(_province_of, built_in.values()))
            hint = _did_you_mean(name, {*built_in, *provinces}) or "."
            raise CatalogueError(
                f"PANTAU_OUTLETS: {name!r} is neither a built-in outlet nor a province{hint}"
            )
    return chosen


def _province_of(spider: type[Spider]) -> str | None:
    return spider.outlet.province if issubclass(spider, OutletSpider) else None


def spiders() -> dict[str, type[OutletSpider]]:
    """Every outlet's spider by its name, in the order of the names."""
    from scrapy.utils.project import get_project_settings

    loader = CatalogueLoader(get_project_settings())
    found = {name: loader.load(name) for name in sorted(loader.list())}
    return {name: spider for name, spider in found.items() if issubclass(spider, OutletSpider)}
