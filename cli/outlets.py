"""pantau outlets, pantau outlets add, check, export, import; the others are in `cli.vitals`"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from rich.table import Table
from rich.text import Text

from cli.inputs import InputError, catalogue, chosen_spiders, json_option, reading_database
from cli.output import mention, print_json, say, stdout
from cli.vitals import COMMANDS, coloured

if TYPE_CHECKING:
    from crawler.outlet import Outlet
    from crawler.outlets.checkup import Checked
    from crawler.outlets.study import Study
    from crawler.outlets.trial import Tried

dry_run = click.option("--dry-run", is_flag=True, help="Only report; write nothing.")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def outlets(context: click.Context, as_json: bool) -> None:
    """List the outlets; the commands below show, pause, add, check and exchange them.

    Example: pantau outlets
    """
    if context.invoked_subcommand:
        return
    from storage.crawls import last_finished_by_outlet
    from storage.states import vitals

    rows, known = _rows(), catalogue()
    with reading_database() as session:
        last = last_finished_by_outlet(session)
        does = vitals(session, known, datetime.now(UTC))
    table = Table("Name", "Outlet", "Province", "Sources", "State", "Last success", "Last crawl")
    for name, spider in known.items():
        signs = does[name]
        outlet, platform = spider.outlet, rows.get(name, {}).get("platform")
        sources = [source.name for source in spider.sources]
        crawled = last.get(name)
        if as_json:
            print_json(
                {
                    "name": name,
                    "title": outlet.title,
                    "url": outlet.url(outlet.section or "/"),
                    "province": outlet.province,
                    "regency": outlet.regency,
                    "platform": platform,
                    "sources": sources,
                    "spare": [source.name for source in spider.spare],
                    "state": signs.state,
                    "since": signs.since,
                    "last_success": signs.last_success,
                    "last_crawl": crawled,
                }
            )
        else:
            table.add_row(
                name,
                Text(outlet.title),
                outlet.province or "",
                platform or ", ".join(sources),
                coloured(signs.state),
                f"{signs.last_success:%Y-%m-%d %H:%M}" if signs.last_success else "",
                f"{crawled:%Y-%m-%d %H:%M}" if crawled else "",
            )
    if not as_json:
        stdout().print(table)


for command in COMMANDS:
    outlets.add_command(command)


def _rows() -> dict[str, dict[str, Any]]:
    """The rows of both catalogues, as they stand there."""
    import settings
    from crawler.outlets.catalogue import BUILT_IN, own_path
    from crawler.outlets.rows import rows_in

    return rows_in(BUILT_IN) | rows_in(own_path(settings.load()))


# --- add ------------------------------------------------------------------------------------------


@outlets.command()
@click.argument("url")
@dry_run
@click.option("--name", help="What it is called on the command line; its host, unless given.")
@click.option("--title", help="What the outlet calls itself; as its site says, unless given.")
@click.option("--province", help="Where it is at home; guessed, unless given.")
@click.option("--regency", help="The regency or city.")
@click.option("--zone", type=click.Choice(["WIB", "WITA", "WIT"]), help="The zone of its dates.")
@click.option("--replace", "may_replace", is_flag=True, help="Replace a row of the same name.")
@json_option
def add(
    url: str,
    dry_run: bool,
    name: str | None,
    may_replace: bool,
    as_json: bool,
    **facts: str | None,
) -> None:
    """Study the site at URL, find the ways it lists its articles, and add it.

    Each source that it may have is tried, politely: a minute or two. The row goes into
    PANTAU_CATALOGUE or, where that is not set, into outlets.toml in PANTAU_HOME.

    Example: pantau outlets add kabardaerah.example --province Bali --dry-run
    """
    from scrapy.utils.url import strip_url

    from crawler.outlets.catalogue import CatalogueError
    from crawler.outlets.rows import outlet_row
    from crawler.outlets.study import StudyError, study
    from crawler.outlets.trial import visiting

    if "@" in url:  # no password is shown, kept or sent
        url = strip_url(url if "://" in url else f"https://{url}")
    known = catalogue()
    name = admitted(known, name, url, may_replace)
    given = _known_facts(facts)
    mention(f"Studying {url} …")
    try:
        studied = visiting(lambda visits: study(visits, url, given, name))
    except StudyError as error:
        sentence = f"{url} cannot be studied: {error}."
        if error.ours:
            raise InputError(sentence) from None
        raise SystemExit(say(sentence)) from None
    name = name or _name(studied.outlet)
    row = None
    if studied.sources:
        on_platform = {"platform": studied.platform}
        sources = {"sources": studied.sources, "spare": studied.spare}
        try:
            row = outlet_row(name, studied.outlet, **(on_platform if studied.platform else sources))
        except CatalogueError as error:
            raise InputError(str(error)) from None
    if as_json:
        print_json(_study_json(studied, row))
    else:
        _print_study(studied, row)
    if row is None:
        raise SystemExit(say(f"No source of {url} works, so there is nothing to add."))
    if dry_run:
        return
    admitted(known, name, studied.outlet.url(studied.outlet.section or "/"), may_replace)
    path = _write([row])
    mention(f"Added to {path}. Try it: pantau crawl --outlet {name} --limit 5")


def admitted(known: Mapping[str, Any], name: str | None, url: str, may_replace: bool) -> str | None:
    """The name for the site at `url`, if it is settled. Refuses a site or a name that is in the
    catalogue already, unless it is to be replaced."""
    from crawler import urls

    if name and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", name):
        raise InputError(f"“{name}” is no name: use a-z, 0-9, “.” and “-”, at most 64 of them.")
    address = url if "://" in url else f"https://{url}"
    if not urls.host(address):
        raise InputError(f"“{url}” is not the address of a site, such as kabardaerah.example.")
    path = f"{urlsplit(address).path}/"
    sections = {
        other: spider.outlet.section
        for other, spider in known.items()
        if urls.host(spider.outlet.url("/")) == urls.host(address)
        and path.startswith(f"{spider.outlet.section}/")
    }
    closest = max(sections, key=lambda other: len(sections[other]), default=None)
    there = name if name in known else closest
    if there and not may_replace:
        raise InputError(f"“{there}” is watched already; --replace replaces its row.")
    return name or there


def _known_facts(facts: Mapping[str, str | None]) -> dict[str, Any]:
    """What is given of an outlet, as an Outlet has it."""
    from crawler.outlets.catalogue import ZONES
    from extract import places

    given: dict[str, Any] = {key: value for key, value in facts.items() if value}
    for level in [level for level in ("province", "regency") if level in given]:
        place = places.load().named(given[level], level)
        if place is None:
            raise InputError(f"There is no {level} “{given[level]}”.")
        given[level] = place.name
        if given.setdefault("province", place.province) != place.province:
            raise InputError(f"{place.name} lies in {place.province}.")
    if "zone" in given:
        given["zone"] = ZONES[given["zone"]]
    return given


def _name(outlet: "Outlet") -> str:
    """The host, and the port and section where there are, as in "news.example-bali"."""
    host = outlet.domain.removeprefix("www.")
    return re.sub(r"[^a-z0-9.-]", "-", f"{host}{outlet.section}")[:64]


def _write(rows: Sequence[Mapping[str, Any]]) -> Path:
    import settings
    from crawler.outlets.catalogue import CatalogueError, own_path
    from crawler.outlets.rows import write

    path = own_path(settings.load())
    try:
        write(path, rows)
    except CatalogueError as error:
        raise InputError(str(error)) from None
    return path


def _study_json(studied: "Study", row: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "row": row,
        "platform": studied.platform,
        "guessed": studied.guessed,
        "unfinished": studied.unfinished or None,
        "requests": studied.traffic.requests,
        "bytes": studied.traffic.bytes,
        "sources": [
            {
                "source": t.source.name,
                "use": _use(studied, t),
                "error": t.error,
                "links": len(t.links),
                "newest": t.newest,
                "articles": t.whole,
                "depth": t.depth,
                "unchanged": t.unchanged,
                "requests_per_day": t.daily.requests,
                "bytes_per_day": t.daily.bytes,
            }
            for t in studied.tried
        ],
    }


def _use(studied: "Study", tried: "Tried") -> str | None:
    if tried.error:
        return None
    kept = {"daily": studied.sources, "spare": studied.spare}
    for use, sources in kept.items():
        if any(s.name == tried.source.name or _within(tried, s) for s in sources):
            return use
    return None


def _within(tried: "Tried", source: Any) -> bool:
    """Whether an index page that was tried alone is one of an index of several."""
    return set(getattr(tried.source, "paths", "-")) <= set(getattr(source, "paths", ()))


def _print_study(studied: "Study", row: Mapping[str, Any] | None) -> None:
    import tomlkit

    table = Table("Source", "Use", "Links", "Newest", "Reaches", "304", "A day without news")
    for t in sorted(studied.tried, key=lambda t: bool(t.error)):
        if t.error:
            table.add_row(Text(t.source.name), "", "", "", Text(t.error, style="dim"), "", "")
            continue
        table.add_row(
            Text(t.source.name),
            _use(studied, t) or "",
            str(len(t.links)),
            f"{t.newest:%Y-%m-%d %H:%M}" if t.newest else "no dates",
            t.depth,
            "yes" if t.unchanged else "no",
            f"{t.daily.requests} requests, {t.daily.bytes / 1000:,.1f} kB",
        )
    console = stdout()
    console.print(table)
    said = [f"Guessed: {', '.join(studied.guessed)}."] if studied.guessed else []
    said += [f"Unfinished: {studied.unfinished}."] if studied.unfinished else []
    said.append(f"The study took {studied.traffic.requests} requests.")
    console.print(Text(" ".join(said)))
    if row:
        from crawler.outlets.rows import in_toml

        console.print(Text(f"\n{tomlkit.dumps(in_toml([row]))}"), soft_wrap=True)


# --- check ----------------------------------------------------------------------------------------


@outlets.command()
@click.argument("names", nargs=-1, metavar="[NAME]…")
@dry_run
@json_option
def check(names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Look whether the sources of all outlets, or of those named, are well; repair what can be.

    Repairs are written as rows of your own catalogue, which replace the built-in ones. Exit code 1
    where some are not well.

    Example: pantau outlets check nusabali laksara --dry-run
    """
    import settings
    from crawler.outlets.catalogue import own_path
    from crawler.outlets.checkup import Condition
    from crawler.outlets.checkup import check as check_all
    from crawler.outlets.trial import visiting

    spiders = chosen_spiders(names)
    own = own_path(settings.load())
    checked = visiting(lambda visits: check_all(visits, spiders, own, _mentions(len(spiders))))
    repaired = [c for c in checked if c.row]
    if repaired and not dry_run:
        _write([c.row for c in repaired if c.row])
    if as_json:
        for c in checked:
            print_json(asdict(c) | {"repaired": bool(c.row) and not dry_run})
    else:
        _print_checked(checked, written=not dry_run)
    unwell = [c for c in checked if c.condition != Condition.FRESH]
    left = [c for c in unwell if dry_run or not c.row]
    if left:
        raise SystemExit(say(f"{len(left)} of {len(checked)} outlets are not well."))


def _mentions(total: int) -> "Callable[[Checked], None]":
    done = 0

    def one(checked: "Checked") -> None:
        nonlocal done
        done += 1
        mention(f"{done}/{total} {checked.outlet}: {checked.condition}")

    return one


def _print_checked(checked: Sequence["Checked"], *, written: bool) -> None:
    table = Table("Outlet", "Source", "Is", "")
    for c in checked:
        for number, probe in enumerate(c.probes):
            well = probe.condition == "fresh"
            table.add_row(
                c.outlet if not number else "",
                Text(probe.source if probe.daily else f"({probe.source})"),
                f"[{'green' if well else 'red' if probe.daily else 'yellow'}]{probe.condition}[/]",
                Text(probe.says),
            )
        for change in c.changes:
            table.add_row("", Text(f"→ {change}"), "" if written else "not written", "")
        if c.unrepaired:
            table.add_row("", "→ not repaired", "", Text(c.unrepaired))
    stdout().print(table)


# --- OPML -----------------------------------------------------------------------------------------


@outlets.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def export(file: Path, as_json: bool) -> None:
    """Write the outlets' feeds to FILE as OPML, for feed readers.

    Example: pantau outlets export pantau.opml
    """
    from crawler.outlets.opml import export as to_opml

    known = catalogue()
    xml, number = to_opml(known.values())
    try:
        file.write_bytes(xml)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from None
    if as_json:
        print_json({"file": str(file), "outlets": number, "without_feed": len(known) - number})
    mention(f"{number} outlets are in {file}; {len(known) - number} have no feed.")


@outlets.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_(file: Path, as_json: bool) -> None:
    """Add the feeds that FILE lists, OPML from a feed reader, as outlets.

    A site that is watched already is left as it is.

    Example: pantau outlets import subscriptions.opml
    """
    from crawler import urls
    from crawler.outlets.opml import OpmlError, outlets_in
    from crawler.outlets.rows import outlet_row

    try:
        found, unusable = outlets_in(file.read_bytes())
    except OpmlError as error:
        raise InputError(f"{file} cannot be used: {error}.") from None
    known = catalogue()
    hosts = {urls.host(spider.outlet.url("/")) for spider in known.values()}
    rows = []
    for outlet, feeds in found:
        name = _name(outlet)
        if name not in known and urls.host(outlet.url("/")) not in hosts:
            rows.append(outlet_row(name, outlet, feeds))
    skipped = len(found) - len(rows)
    if rows:
        _write(rows)
    if as_json:
        added = [row["name"] for row in rows]
        print_json({"added": added, "skipped": skipped, "unusable": unusable})
    mention(f"{len(rows)} outlets added; {skipped} are watched already, {unusable} cannot be used.")
