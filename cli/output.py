"""How the commands answer: tables and JSON on stdout, sentences on stderr."""

import json
import sys
from dataclasses import is_dataclass
from datetime import date
from typing import Any

import click
from rich.console import Console

WIDTH_OF_A_FILE = 140  # where stdout is no terminal


def stdout() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_OF_A_FILE)


def mention(sentence: str) -> None:
    """Say something on stderr, where a person reads it."""
    if sys.stderr.isatty():
        click.echo(sentence, err=True)


def say(sentence: str) -> int:
    """Say on stderr what failed; gives the exit code for it."""
    click.echo(f"pantau: {sentence}", err=True)
    return 1


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, date):  # and so is a datetime
        return value.isoformat()
    raise TypeError(f"no JSON form for {value!r}")
