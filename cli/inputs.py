"""What the commands are given: dates, outlets' names, the database; and what they refuse."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, and only JSON.")


class InputError(click.ClickException):
    """Input that cannot be used; the message is one sentence saying what to do."""

    exit_code = 2


class Moment(click.ParamType[datetime]):
    """A day or a moment in ISO 8601; without an offset, in PANTAU_ZONE."""

    name = "date"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        import settings

        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise InputError(
                f"“{value}” is not a date: write it as 2024-11-27 or 2024-11-27T18:00."
            ) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=settings.load().zone)


class Duration(click.ParamType[timedelta]):
    """A length of time: 90m, 26h, 2d."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        match = re.fullmatch(r"([1-9]\d{0,4})([mhd])", value.strip())
        if not match:
            raise InputError(f"“{value}” is not a length of time: write it as 90m, 26h or 2d.")
        unit = {"m": "minutes", "h": "hours", "d": "days"}[match[2]]
        return timedelta(**{unit: int(match[1])})


def chosen_spiders(names: Sequence[str]) -> list[Any]:
    known = catalogue()
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "`scrapy list` shows them all."
            raise InputError(f"There is no outlet “{name}”; {hint}")
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


def spiders_to_crawl(names: Sequence[str]) -> list[Any]:
    """Those chosen, without the paused ones. One that was named and is paused is refused."""
    from storage.states import paused

    spiders = chosen_spiders(names)
    with reading_database() as session:
        left_alone = paused(session)
    for name in names:
        if name in left_alone:
            raise InputError(f"“{name}” is paused: `pantau outlets resume {name}` ends that.")
    return [spider for spider in spiders if spider.name not in left_alone]


def catalogue() -> dict[str, Any]:
    from crawler.outlets.catalogue import CatalogueError, spiders

    try:
        return spiders()
    except CatalogueError as error:
        raise InputError(str(error)) from None


def reading_database() -> Any:
    import settings
    from storage.database import open_database, reading

    return reading(open_database(settings.load().database))
