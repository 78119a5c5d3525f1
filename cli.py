"""The commands. Each calls one function elsewhere and shows what it gave.

Exit codes: 0 done; 1 done, but something failed (said on stderr); 2 bad input or configuration,
nothing done. With --json only JSON goes to stdout.
"""

import asyncio
import json
import logging
import logging.handlers
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from extract.lexicon import KINDS

if TYPE_CHECKING:
    from crawler.run import OutletReport
    from storage.findings import Finding

# Commands import what they need when they run: the rooms below are heavy, and --help is not.

SHOWN_FINDINGS = 20
WIDTH_OF_A_FILE = 140  # where stdout is no terminal

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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pantau")
def pantau() -> None:
    """Watch what Indonesia's regional press writes about the neutrality of civil servants."""


@pantau.command()
@click.option("--outlet", "names", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many articles per outlet.")
@json_option
def crawl(names: tuple[str, ...], limit: int | None, as_json: bool) -> None:
    """Crawl the outlets now, once.

    Example: pantau crawl --outlet nusabali --limit 50
    """
    from crawler.run import crawl as crawl_now
    from crawler.shared import shared
    from storage import findings
    from storage.database import reading

    spiders = _spiders(names)
    with _progress(len(spiders)) as progress:
        reports = crawl_now(spiders, limit=limit, progress=progress)
    with reading(shared().engine) as session:
        found = [findings.get(session, id_) for report in reports for id_ in report.found]
    shared().close()
    if as_json:
        _print_json(
            {
                "outlets": [
                    {"outlet": r.outlet, **asdict(r.counts), "seconds": round(r.seconds, 1)}
                    for r in reports
                ],
                "found": [finding.id for finding in found if finding],
            }
        )
    else:
        _print_reports(reports)
        _print_found([finding for finding in found if finding])
    failed = [report for report in reports if report.counts.errors or report.state != "done"]
    if failed:
        raise SystemExit(
            _say(f"{len(failed)} of {len(reports)} outlets had errors or were stopped.")
        )


def _spiders(names: Sequence[str]) -> list[Any]:
    known = _catalogue()
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "`scrapy list` shows them all."
            raise InputError(f"There is no outlet “{name}”; {hint}")
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


@pantau.command()
@click.option("--since", type=Moment(), metavar="DATE", help="Found on this day or later.")
@click.option("--until", type=Moment(), metavar="DATE", help="Found before this day.")
@click.option("--outlet", metavar="NAME", help="Only of this outlet.")
@click.option("--province", metavar="NAME", help="Only those that happened in this province.")
@click.option("--kind", type=click.Choice((*KINDS, "other")), help="Only of this kind.")
@click.option("--query", metavar="TEXT", help="Only those with all these words.")
@click.option("--limit", type=click.IntRange(min=1), help="The newest so many.")
@json_option
def findings(as_json: bool, **wanted: Any) -> None:
    """List what was found, the newest first.

    Example: pantau findings --since 2024-11-01 --province Bali --kind allegation
    """
    from storage.findings import Filter, find

    if wanted["outlet"]:
        _spiders([wanted["outlet"]])
    with _reading() as session:
        rows = find(session, Filter(**wanted))
        if as_json:
            for row in rows:
                _print_json(row)
            return
        table = Table("ID", "Published", "Outlet", "Kind", "Score", "Place", "Title")
        for row in rows:
            table.add_row(
                str(row.id),
                f"{row.published:%Y-%m-%d}" if row.published else "?",
                row.outlet,
                row.kind,
                _score(row),
                row.places[0].name if row.places else "",
                Text(row.title),
            )
        if table.row_count:
            _stdout().print(table)
        else:
            _mention("Nothing found yet that fits.")


@pantau.command()
@click.argument("finding_id", metavar="ID", type=int)
@json_option
def finding(finding_id: int, as_json: bool) -> None:
    """Show one finding whole, with the sentences that prove it.

    Example: pantau finding 12
    """
    from storage.findings import get

    with _reading() as session:
        row = get(session, finding_id)
    if row is None:
        raise InputError(f"There is no finding {finding_id}; `pantau findings` lists them.")
    if as_json:
        _print_json(row)
    else:
        _print_finding(row)


@pantau.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--url", required=True, help="The address the page was saved from.")
@json_option
def extract(file: Path, url: str, as_json: bool) -> None:
    """Read the article in a saved page; always prints JSON.

    Example: pantau extract page.html --url https://www.nusabali.com/berita/145928/asn
    """
    from datetime import UTC

    from crawler.outlet import WIB
    from extract.article import Page
    from extract.read import read

    try:
        html = file.read_bytes()
        fetched = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    if b"<" not in html or html[:4] in (b"%PDF", b"\x89PNG", b"PK\x03\x04"):
        raise InputError(f"{file} is not an HTML page; save the page's source and try again.")
    spider = _spider_of(url)
    article = read(
        [Page(url, html, fetched)],
        zone=spider.outlet.zone if spider else WIB,
        outlet=spider.outlet.title if spider else "",
    )
    if article is None:
        raise SystemExit(_say(f"There is no article in {file}."))
    _print_json(article)


def _spider_of(url: str) -> Any:
    """The spider of the outlet that `url` belongs to, if any."""
    return next((spider for spider in _catalogue().values() if spider.outlet.owns(url)), None)


def _catalogue() -> dict[str, Any]:
    from crawler.catalogue import CatalogueError, spiders

    try:
        return spiders()
    except CatalogueError as error:
        raise InputError(str(error)) from None


@pantau.command()
@click.argument("file", type=click.File("r", encoding="utf-8"), default="-")
@json_option
def judge(file: IO[str], as_json: bool) -> None:
    """Judge texts: JSON lines with title and text (and url, province) in, verdicts out.

    Example: echo '{"title": "ASN diminta netral", "text": "…"}' | pantau judge
    """
    import settings
    from extract.article import Article
    from extract.judge import judge as judge_article
    from extract.lexicon import load, use

    use(load(more=settings.load().lexicon))
    rows = []
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            article = Article(
                url=_text(row, "url"), title=_text(row, "title"), text=_text(row, "text")
            )
            rows.append((article, _text(row, "province") or None))
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"Line {number} is not a JSON object with title and text as strings: {error}."
            ) from None
    for article, province in rows:
        _print_json(judge_article(article, province=province))


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return value


@pantau.command()
@click.option("--now", is_flag=True, help="Crawl once at once, whatever the schedule says.")
@json_option
def run(now: bool, as_json: bool) -> None:
    """Run everything on this machine: the daily crawl, until stopped (Ctrl-C).

    Example: pantau run --now
    """
    import settings
    from extract.lexicon import load
    from scheduler.clock import DailyCrawl
    from storage.database import open_database

    current = settings.load()
    load(more=current.lexicon)  # so that a mistake in it is said now, not by every crawl
    engine = open_database(current.database)
    daily = DailyCrawl(
        engine,
        [sys.executable, "-m", "cli", "crawl", *(["--json"] if as_json else [])],
        current.crawl_at,
        current.zone,
        current.lease_seconds,
    )

    def waiting() -> None:
        _mention(
            f"\nThe next crawl begins at {daily.next_due():%Y-%m-%d %H:%M %Z}. Ctrl-C ends it."
        )

    asyncio.run(daily.run(now=now, waiting=waiting))


@pantau.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check settings, database, Redis, disk, clock and the outlets, and say what to do.

    Example: pantau doctor
    """
    from scheduler.health import check

    checks = list(check())
    if as_json:
        _print_json({"ok": all(c.ok for c in checks), "checks": checks})
    else:
        table = Table(box=None, show_header=False)
        for c in checks:
            table.add_row("[green]well[/]" if c.ok else "[red]not well[/]", c.name, Text(c.says))
            if not c.ok:
                table.add_row("", "", Text(f"→ {c.advice}"))
        _stdout().print(table)
    if any(c.vital and not c.ok for c in checks):
        raise SystemExit(2)
    if not all(c.ok for c in checks):
        raise SystemExit(1)


# --- showing -------------------------------------------------------------------------------------


def _stdout() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_OF_A_FILE)


def _mention(sentence: str) -> None:
    """Say something on stderr, where a person reads it."""
    if sys.stderr.isatty():
        click.echo(sentence, err=True)


def _say(sentence: str) -> int:
    """Say on stderr what failed; gives the exit code for it."""
    click.echo(f"pantau: {sentence}", err=True)
    return 1


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON form for {value!r}")


def _print_reports(reports: Sequence["OutletReport"]) -> None:
    table = Table("Outlet")
    for name in ("Links", "New", "Fetched", "Gated", "Findings", "Errors", "Seconds"):
        table.add_column(name, justify="right")
    for report in reports:
        counts = report.counts
        table.add_row(
            report.outlet,
            *(str(n) for n in (counts.links, counts.new, counts.fetched, counts.gated)),
            f"[bold]{counts.findings}[/]" if counts.findings else "0",
            f"[red]{counts.errors}[/]" if counts.errors else "0",
            f"{report.seconds:.1f}",
        )
    console = _stdout()
    console.print(table)
    unfinished = {"waiting": "not crawled", "stopped": "stopped"}
    for report in reports:
        if note := report.counts.note or unfinished.get(report.state):
            console.print(Text(f"{report.outlet}: {note}"), soft_wrap=True)


def _print_found(found: Sequence["Finding"]) -> None:
    console = _stdout()
    for row in found[:SHOWN_FINDINGS]:
        place = f", {row.places[0].name}" if row.places else ""
        console.print(Text(f"\n{row.id}. {row.title}", style="bold"))
        console.print(Text(f"   {row.outlet}, {row.kind}{place}, {_score(row)}"))
        proof = next((e for e in row.evidence if e.where == "text"), None)
        if proof:
            console.print(
                Padding(Text(f"“{proof.text}”", style="italic"), (0, 0, 0, 3), expand=False)
            )
        console.print(Text(f"   {row.url}", no_wrap=True, overflow="ignore"), soft_wrap=True)
    if len(found) > SHOWN_FINDINGS:
        console.print(f"\n… and {len(found) - SHOWN_FINDINGS} more: pantau findings")


def _score(row: "Finding") -> str:
    return f"{row.score:.2f}" + (" (borderline)" if row.borderline else "")


def _because(row: "Finding") -> str:
    """What in the proving sentences told: official: camat, lurah · act: mengampanyekan · …"""
    said: dict[str, dict[str, None]] = {}
    for clue in (clue for sentence in row.evidence for clue in sentence.clues):
        said.setdefault(clue.what, {})[clue.text.lower()] = None
    return " · ".join(f"{what}: {', '.join(list(texts)[:4])}" for what, texts in said.items())


def _print_finding(row: "Finding") -> None:
    console = _stdout()
    console.print(Text(row.title, style="bold"))
    facts = Table(box=None, show_header=False)
    source = f"{row.published_from}, inferred" if row.published_inferred else row.published_from
    published = f"{row.published.isoformat()} ({source})" if row.published else "?"
    for name, value in (
        ("address", row.url),
        ("outlet", row.outlet),
        ("published", published),
        ("fetched", f"{row.fetched.isoformat()}, revision {row.revision}"),
        ("kind", f"{row.kind}, score {_score(row)}" + (", paid" if row.paid else "")),
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


class _progress:  # noqa: N801 (a context manager, used like a function)
    """A progress bar on stderr, where that is a terminal."""

    def __init__(self, outlets: int) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} outlets · {task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("beginning", total=outlets)

    def __enter__(self) -> Callable[[Sequence["OutletReport"]], None]:
        self._bar.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _show(self, reports: Sequence["OutletReport"]) -> None:
        fetched = sum(report.counts.fetched for report in reports)
        found = sum(report.counts.findings for report in reports)
        running = [report.outlet for report in reports if report.state == "running"]
        names = ", ".join(running[:3]) + (" …" if len(running) > 3 else "")
        self._bar.update(
            self._task,
            completed=sum(report.state == "done" for report in reports),
            description=f"{fetched} articles, {found} findings · {names}",
        )


# --- starting ------------------------------------------------------------------------------------


def _reading() -> Any:
    import settings
    from storage.database import open_database, reading

    return reading(open_database(settings.load().database))


def _write_log() -> None:
    """What Scrapy and Pantau log goes to a file: the terminal is for people."""
    import settings

    current = settings.load()
    try:
        current.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"PANTAU_HOME, {current.home}, cannot be made: {error.strerror}") from None
    logging.basicConfig(
        level=current.log_level,
        format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s",
        handlers=[
            logging.handlers.RotatingFileHandler(
                current.home / "pantau.log", maxBytes=10_000_000, backupCount=3, encoding="utf-8"
            )
        ],
    )
    logging.captureWarnings(True)


def _fail(sentence: str, code: int) -> NoReturn:
    sentence = " ".join(sentence.split())
    click.echo(f"pantau: {sentence}{'' if sentence[-1:] in '.!?' else '.'}", err=True)
    sys.exit(code)


def main() -> None:
    """The entry point: `pantau …`, `python -m cli …`."""
    try:
        _main()
    except (click.Abort, KeyboardInterrupt, asyncio.CancelledError):
        _fail("Stopped.", 1)


def _main() -> None:
    try:
        import settings  # noqa: F401 (it reads the environment)
    except ValueError as error:
        _fail(str(error), 2)
    from extract.lexicon import LexiconError
    from storage.database import DatabaseError
    from storage.valkey import RedisUnavailableError

    try:
        _write_log()
        pantau.main(prog_name="pantau", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (LexiconError, DatabaseError, RedisUnavailableError) as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(str(error), 2)


if __name__ == "__main__":
    main()
