"""The outlets that are watched, as the pages name them."""

from collections.abc import Mapping
from functools import lru_cache

import settings
from crawler.outlets.catalogue import CatalogueError, own_path, spiders
from crawler.spider import OutletSpider

Catalogue = Mapping[str, type[OutletSpider]]


def catalogue() -> Catalogue:
    """The outlets' spiders by their names; read again where the operator's own rows were changed.
    Raises CatalogueError."""
    path = own_path(settings.load())
    return _spiders(str(path), path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=1)
def _spiders(path: str, changed: int) -> Catalogue:
    return spiders()


def title_of(name: str) -> str:
    """What an outlet calls itself; its name, where it is watched no more."""
    try:
        found = catalogue().get(name)
    except CatalogueError:  # somebody is writing it; pages with findings need it least
        return name
    return found.outlet.title if found else name
