"""The commands. Each calls one function elsewhere and shows what it gave.

Exit codes: 0 done; 1 done, but something failed (said on stderr); 2 bad input or configuration,
nothing done. With --json only JSON goes to stdout. The commands import what they need when they
run: the rooms below are heavy, and --help is not.
"""

import asyncio
import sys
from typing import NoReturn

import click

from cli import (
    alerts,
    backfill,
    backfills,
    coverage,
    crawling,
    dashboard,
    deliveries,
    doctor,
    exports,
    findings,
    outlets,
    texts,
    workers,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pantau")
def pantau() -> None:
    """Watch what Indonesia's regional press writes about the neutrality of civil servants."""


for command in (
    crawling.crawl,
    backfill.backfill,
    backfills.backfills,
    findings.findings,
    findings.finding,
    exports.export,
    coverage.coverage,
    texts.extract,
    texts.judge,
    outlets.outlets,
    alerts.alerts,
    crawling.run,
    workers.worker,
    workers.workers,
    dashboard.serve,
    dashboard.people,
    doctor.doctor,
):
    pantau.add_command(command)
for command in deliveries.COMMANDS:
    alerts.alerts.add_command(command)


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
    from cli.log import write_log
    from extract.lexicon import LexiconError
    from storage.errors import DatabaseError, RedisUnavailableError

    try:
        write_log()
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
