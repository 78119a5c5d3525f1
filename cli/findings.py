"""pantau findings, pantau finding ID"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.inputs import InputError, Moment, chosen_spiders, json_option, reading_database
from cli.output import mention, print_json, stdout
from extract.lexicon import KINDS

if TYPE_CHECKING:
    from storage.findings import Finding
    from storage.search import Search
    from storage.stories import Story

SHOWN_FINDINGS = 20


_OPTIONS = (
    click.option("--since", type=Moment(), metavar="DATE", help="Found on this day or later."),
    click.option("--until", type=Moment(), metavar="DATE", help="Found before this day."),
    click.option("--outlet", metavar="NAME", help="Only of this outlet."),
    click.option("--province", metavar="NAME", help="Only those that happened in this province."),
    click.option("--kind", type=click.Choice((*KINDS, "other")), help="Only of this kind."),
    click.option(
        "--query", metavar="WORDS", help='Only what fits: camat AND (netral* OR "pegawai negeri").'
    ),
    click.option("--limit", type=click.IntRange(min=1), help="The newest so many."),
)


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options that say which findings are meant; see `chosen`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(
    since: datetime | None,
    until: datetime | None,
    outlet: str | None,
    province: str | None,
    kind: str | None,
    query: str | None,
) -> "Search":
    """The search that the options describe."""
    from extract.places import load
    from extract.query import QueryError, parse
    from storage.search import Search

    if outlet:
        chosen_spiders([outlet])
    area = load().named(province, "province")
    if province and area is None:
        raise InputError(f"There is no province “{province}”.")
    try:
        words = parse(query).text if query and query.strip() else None
    except QueryError as error:
        raise InputError(f"--query: {error}.") from None
    return Search(
        words=words,
        kinds=(kind,) if kind else (),
        places=(area.code,) if area else (),
        outlets=(outlet,) if outlet else (),
        found_since=since,
        found_until=until,
    )


@click.command()
@filters
@json_option
def findings(as_json: bool, limit: int | None, **wanted: Any) -> None:
    """List what was found, the newest first.

    Example: pantau findings --since 2024-11-01 --province Bali --kind allegation
    """
    from storage.findings import find

    search = chosen(**wanted)
    with reading_database() as session:
        rows = find(session, search, limit)
        if as_json:
            for row in rows:
                print_json(row)
            return
        table = Table("ID", "Published", "Outlet", "Kind", "Score", "Place", "Title")
        for row in rows:
            table.add_row(
                str(row.id),
                f"{row.published:%Y-%m-%d}" if row.published else "?",
                row.outlet,
                row.kind,
                score(row),
                row.places[0].name if row.places else "",
                Text(row.title),
            )
        if table.row_count:
            stdout().print(table)
        else:
            mention("Nothing found yet that fits.")


@click.command()
@click.argument("finding_id", metavar="ID", type=int)
@json_option
def finding(finding_id: int, as_json: bool) -> None:
    """Show one finding whole, with the sentences that prove it and who else tells its story.

    Example: pantau finding 12
    """
    from storage.findings import get
    from storage.stories import get_story

    with reading_database() as session:
        row = get(session, finding_id)
        story = get_story(session, row.story) if row and row.story else None
    if row is None:
        raise InputError(f"There is no finding {finding_id}; `pantau findings` lists them.")
    if as_json:
        print_json(row)
    else:
        _print_finding(row)
        if story:
            _print_others(story, row.id)


def print_found(found: Sequence["Finding"]) -> None:
    console = stdout()
    for row in found[:SHOWN_FINDINGS]:
        place = f", {row.places[0].name}" if row.places else ""
        console.print(Text(f"\n{row.id}. {row.title}", style="bold"))
        console.print(Text(f"   {row.outlet}, {row.kind}{place}, {score(row)}"))
        proof = next((e for e in row.evidence if e.where == "text"), None)
        if proof:
            console.print(
                Padding(Text(f"“{proof.text}”", style="italic"), (0, 0, 0, 3), expand=False)
            )
        console.print(Text(f"   {row.url}", no_wrap=True, overflow="ignore"), soft_wrap=True)
    if len(found) > SHOWN_FINDINGS:
        console.print(f"\n… and {len(found) - SHOWN_FINDINGS} more: pantau findings")


def score(row: "Finding") -> str:
    return f"{row.score:.2f}" + (" (borderline)" if row.borderline else "")


def _because(row: "Finding") -> str:
    """What in the proving sentences told: official: camat, lurah · act: mengampanyekan · …"""
    said: dict[str, dict[str, None]] = {}
    for clue in (clue for sentence in row.evidence for clue in sentence.clues):
        said.setdefault(clue.what, {})[clue.text.lower()] = None
    return " · ".join(f"{what}: {', '.join(list(texts)[:4])}" for what, texts in said.items())


def _print_finding(row: "Finding") -> None:
    console = stdout()
    console.print(Text(row.title, style="bold"))
    facts = Table(box=None, show_header=False)
    source = f"{row.published_from}, inferred" if row.published_inferred else row.published_from
    published = f"{row.published.isoformat()} ({source})" if row.published else "?"
    for name, value in (
        ("address", row.url),
        ("outlet", row.outlet),
        ("published", published),
        ("fetched", f"{row.fetched.isoformat()}, revision {row.revision}"),
        ("kind", f"{row.kind}, score {score(row)}" + (", paid" if row.paid else "")),
        ("subjects", ", ".join(row.subjects)),
        ("because", _because(row)),
        ("places", ", ".join(f"{p.name} ({p.province})" for p in row.places)),
        ("authors", ", ".join(row.authors)),
        ("section", row.section or ""),
        ("tags", ", ".join(row.tags)),
        ("image", " · ".join(filter(None, (row.image, row.caption)))),
        ("snapshot", f"sha256 {row.snapshot_sha256}"),
    ):
        facts.add_row(name, Text(value))
    console.print(facts)
    text = Text(row.text)
    for sentence in row.evidence:
        if sentence.where == "text":
            text.stylize("bold yellow", sentence.start, sentence.end)
    console.print(Text("\n"), text)


def _print_others(story: "Story", shown: int) -> None:
    """The other reports of a finding's story, in the order of their publication."""
    others = [report for report in story.findings if report.id != shown]
    if not others:
        return
    console = stdout()
    console.print(Text(f"\nStory {story.id}, told {story.count} times; also by", style="bold"))
    for report in others[:SHOWN_FINDINGS]:
        published = f"{report.published:%Y-%m-%d}" if report.published else "?"
        line = f"{report.id}. {published} {report.outlet}, {report.kind}: {report.title}"
        console.print(Text(line))
    if len(others) > SHOWN_FINDINGS:
        console.print(f"… and {len(others) - SHOWN_FINDINGS} more")
