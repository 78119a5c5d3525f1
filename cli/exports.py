"""pantau export"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.findings import chosen, filters
from cli.inputs import InputError, json_option, reading_database
from cli.output import mention, print_json

if TYPE_CHECKING:
    from storage.exports import Format

FORMATS: "dict[str, Format]" = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".xlsx": "xlsx",
    ".warc": "warc",
    ".gz": "warc",
}


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(list(dict.fromkeys(FORMATS.values()))),
    help="What to write; else what the name of FILE says.",
)
@click.option("--labels", is_flag=True, help="What reviewers said, as labelled articles (JSONL).")
@filters
@json_option
def export(
    file: Path,
    form: "Format | None",
    labels: bool,
    as_json: bool,
    limit: int | None,
    **wanted: Any,
) -> None:
    """Write findings to FILE (-: to stdout) as CSV, JSON Lines, XLSX or WARC.

    A WARC file has the pages as they were fetched; it is compressed.

    Example: pantau export --format xlsx --province Bali findings.xlsx
    """
    from storage import exports

    to_stdout = str(file) == "-"
    if as_json and to_stdout:
        raise InputError("--json and the findings cannot both go to stdout: name a FILE.")
    if labels and (form or limit or any(wanted.values())):
        raise InputError("--labels writes all that was reviewed: leave the other options out.")
    form = form or FORMATS.get(file.suffix.lower())
    if not labels and form is None:
        raise InputError("Say with --format what to write: csv, jsonl, xlsx or warc.")
    search = chosen(**wanted)
    pieces: Iterator[bytes]
    with reading_database() as session:
        if labels:
            pieces = map(_line, exports.labels(session))
        else:
            assert form
            pieces = exports.pieces(session, form, search, limit)
        size = _write(pieces) if to_stdout else _keep(file, pieces)
    if as_json:
        print_json({"file": str(file), "format": "labels" if labels else form, "bytes": size})
    elif not to_stdout:
        mention(f"Wrote {size:,} bytes to {file}.")


def _line(row: dict[str, Any]) -> bytes:
    return f"{json.dumps(row, ensure_ascii=False)}\n".encode()


def _write(pieces: Iterator[bytes]) -> int:
    return sum(sys.stdout.buffer.write(piece) for piece in pieces)


def _keep(file: Path, pieces: Iterator[bytes]) -> int:
    """Write the file whole or not at all; gives its size."""
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as stream:
            size = sum(stream.write(piece) for piece in pieces)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return size
