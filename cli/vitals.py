"""pantau outlets show, pause, resume"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from cli.inputs import chosen_spiders, json_option, reading_database
from cli.output import mention, print_json, stdout

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from storage.states import VitalSigns

COLOURS = {"well": "green", "new": "dim", "paused": "dim"}  # the others are bad news


@click.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show how the outlet NAME does: its vital signs, against its own habit.

    The line shows its new articles on each of the last four weeks' days; a gap is a day on which it
    was not read.

    Example: pantau outlets show nusabali
    """
    from storage.states import vitals

    (spider,) = chosen_spiders([name])
    with reading_database() as session:
        signs = vitals(session, [name], datetime.now(UTC))[name]
    if as_json:
        print_json(signs)
    else:
        _print(spider.outlet.title, signs)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@json_option
def pause(names: tuple[str, ...], as_json: bool) -> None:
    """Leave outlets alone until they are resumed: no crawl, no backfill, no watch.

    A crawl under way comes to its end first.

    Example: pantau outlets pause nusabali
    """
    from storage.states import pause

    now = datetime.now(UTC)
    with _writing(names) as session:
        changed = [name for name in dict.fromkeys(names) if pause(session, name, now)]
    _told(names, changed, "paused", as_json)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@json_option
def resume(names: tuple[str, ...], as_json: bool) -> None:
    """Take up again outlets that are paused; the next daily crawl reads them.

    Example: pantau outlets resume nusabali
    """
    from storage.states import resume

    with _writing(names) as session:
        changed = [name for name in dict.fromkeys(names) if resume(session, name)]
    _told(names, changed, "resumed", as_json)


COMMANDS = (show, pause, resume)


@contextmanager
def _writing(names: tuple[str, ...]) -> Iterator["Session"]:
    """A transaction about the outlets `names`, which must be there."""
    from sqlalchemy.orm import Session

    import settings
    from storage.database import open_database

    chosen_spiders(names)
    with Session(open_database(settings.load().database)) as session, session.begin():
        yield session


def _told(names: tuple[str, ...], changed: list[str], word: str, as_json: bool) -> None:
    unchanged = [name for name in dict.fromkeys(names) if name not in changed]
    if as_json:
        print_json({word: changed, "unchanged": unchanged})
    if changed:
        mention(f"{word.capitalize()}: {', '.join(changed)}.")
    if unchanged:
        mention(f"As before: {', '.join(unchanged)}.")


# --- showing --------------------------------------------------------------------------------------


def coloured(state: str) -> str:
    """A state, as the tables show it."""
    return f"[{COLOURS.get(state, 'red')}]{state}[/]"


def _print(title: str, signs: "VitalSigns") -> None:
    from sparklines import sparklines

    table = Table(box=None, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    since = f" since {_at(signs.since)}" if signs.since else ""
    table.add_row("outlet", Text(f"{title} ({signs.outlet})"))
    table.add_row("state", f"{coloured(signs.state)}{since}")
    if signs.why:
        table.add_row("", Text(signs.why))
    table.add_row("last success", _at(signs.last_success) if signs.last_success else "never")
    if signs.days:
        last = signs.days[-1]
        table.add_row("new articles", f"{last.new} on {last.date}{_habit(signs)}")
        most = max((count for count in signs.per_day if count is not None), default=0)
        line = sparklines(signs.per_day, minimum=0, maximum=max(most, 1))[0]
        table.add_row("", Text(f"{line}  {len(signs.per_day)} days, at most {most} a day"))
    table.add_row("extracted", _share(signs.share_extracted, "of the pages examined"))
    table.add_row("dated", _share(signs.share_dated, "of the articles"))
    errors = ", ".join(f"{count} {sort}" for sort, count in signs.errors.items())
    table.add_row("errors", f"{errors} in a week" if errors else "none in a week")
    table.add_row("blocked", f"{signs.blocked} times in a week")
    stdout().print(table)


def _habit(signs: "VitalSigns") -> str:
    if signs.habit is None or signs.slow is None:
        return "; no habit is known yet"
    return f"; by habit {signs.habit:g} a day, {signs.slow:g} on slow days"


def _share(share: float | None, of: str) -> str:
    return "nothing was examined" if share is None else f"{share:.0%} {of} in six weeks"


def _at(moment: datetime) -> str:
    import settings

    return f"{moment.astimezone(settings.load().zone):%Y-%m-%d %H:%M %Z}"
