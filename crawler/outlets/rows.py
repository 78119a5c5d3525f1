"""Writing outlets down as rows of a catalogue (see `crawler.outlets.catalogue`)."""

import os
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.exceptions import ParseError
from tomlkit.items import AoT, Table

from crawler.outlet import Outlet
from crawler.outlets.catalogue import KINDS, ZONES, CatalogueError, load
from crawler.sources import Source, WordPress

_HEAD = """# Outlets of this installation, beside the built-in ones: see docs/outlets.md.
"""


def source_row(source: Source) -> dict[str, Any]:
    """A source as the table that a catalogue has for it. Raises CatalogueError where its kind has
    none."""
    kind = KINDS.get(type(source))
    if kind is None:
        raise CatalogueError(f"{source.name}: a catalogue has no row for a source of this kind")
    row: dict[str, Any] = {kind: True}
    for number, field in enumerate(fields(source)):  # type: ignore[arg-type]
        value = getattr(source, field.name)
        value = list(value) if isinstance(value, tuple) else value
        if number == 0:
            row[kind] = True if source == WordPress() else value
        elif field.default is MISSING or getattr(source, field.name) != field.default:
            row[field.name] = value
    return {key: value for key, value in row.items() if value is not None}


def outlet_row(
    name: str,
    outlet: Outlet,
    sources: Sequence[Source] = (),
    spare: Sequence[Source] = (),
    past: Sequence[Source] = (),
    platform: str | None = None,
) -> dict[str, Any]:
    """An outlet as a row. On a `platform` it needs no sources. Raises CatalogueError."""
    row: dict[str, Any] = {"name": name, "title": outlet.title, "domain": outlet.domain}
    if outlet.scheme != "https":
        row["scheme"] = outlet.scheme
    row |= {"section": outlet.section, "twins": list(outlet.twins)}
    row |= {"province": outlet.province, "regency": outlet.regency}
    row["zone"] = next(name for name, zone in ZONES.items() if zone == outlet.zone)
    row["platform"] = platform
    row["sources"] = [source_row(source) for source in sources]
    row["spare"] = [source_row(source) for source in spare]
    row["past"] = [source_row(source) for source in past]
    return {key: value for key, value in row.items() if value not in (None, "", [])}


def rows_in(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a catalogue that can be used, by their names, as they stand there; none where
    there is no such file."""
    document = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    return {row["name"]: row for row in document.get("outlet", [])}


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add `rows` to the catalogue at `path`, which is made where there is none. A row that has the
    name of one there replaces what that says, key by key, and leaves its comments. The file is
    there whole, as it was or as it is to be, at any moment. Raises CatalogueError where it, or what
    it would become, cannot be used, and OSError."""
    try:
        document = tomlkit.parse(path.read_text("utf-8") if path.exists() else _HEAD)
    except (ParseError, UnicodeDecodeError) as error:
        raise CatalogueError(f"The catalogue {path} cannot be read: {error}") from None
    if not isinstance(document.get("outlet", tomlkit.aot()), AoT):
        raise CatalogueError(f"The catalogue {path} has outlets that do not begin with [[outlet]]")
    in_toml(rows, document)
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=path.name, delete=False
    ) as file:
        written = Path(file.name)
        try:
            file.write(tomlkit.dumps(document))
            file.flush()
            os.fsync(file.fileno())
            load(written)  # nothing is written that cannot be read again
        except CatalogueError as error:
            written.unlink()
            raise CatalogueError(str(error).replace(str(written), str(path))) from None
        except BaseException:
            written.unlink()
            raise
    written.chmod(mode)
    written.replace(path)


def in_toml(
    rows: Iterable[Mapping[str, Any]], document: TOMLDocument | None = None
) -> TOMLDocument:
    """`rows` in a catalogue: a new one, or `document`, whose own of the same names they replace."""
    document = tomlkit.document() if document is None else document
    there = document.setdefault("outlet", tomlkit.aot())
    for row in rows:
        known = next((table for table in there if table.get("name") == row["name"]), None)
        _fill(known, row) if known else there.append(_fill(tomlkit.table(), row))
    return document


def _fill(table: Table, row: Mapping[str, Any]) -> Table:
    for gone in [key for key in table if key not in row and key != "note"]:
        del table[gone]
    for key, value in row.items():
        if table.get(key) != value:
            table[key] = _item(value)
    return table


def _item(value: Any) -> Any:
    """A list of sources one to a line; anything else as TOML has it."""
    if not (isinstance(value, list) and value and isinstance(value[0], Mapping)):
        return value
    array = tomlkit.array().multiline(True)
    for entry in value:
        table = tomlkit.inline_table()
        table.update(entry)
        array.append(table)
    return array
