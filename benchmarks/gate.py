"""How fast the gate is on a page of 100 KB: python -m benchmarks.gate [--json]

Three pages: one that passes at its end, one of ordinary news that does not, and one that must be
decoded first. Beside it the same phrases as one alternation of Python's re.
"""

import json
import random
import re
import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.table import Table

from extract.gate import passes
from extract.lexicon import CLUES, default

SIZE = 100_000
NEWS = """
    hari ini warga pasar cuaca hujan deras harga beras naik pedagang sayur mengeluh jalan rusak
    banjir sungai meluap tim sepak bola menang dua gol babak pertama pelatih pemain cedera konser
    musik penonton wisata pantai libur panjang hotel penuh kuliner khas sawah panen petani pupuk
"""


def page(ending: str) -> bytes:
    """A page of about SIZE bytes of ordinary news, with `ending` in its last paragraph."""
    pick = random.Random(7)
    parts = ["<!doctype html><html><head><title>Berita</title></head><body>"]
    size = 0
    while size < SIZE - 200:
        sentence = " ".join(pick.choices(NEWS.split(), k=14))
        parts.append(f'<div class="td-block-row"><p style="margin:0">{sentence}.</p></div>\n')
        size += len(parts[-1])
    return "".join([*parts, f"<p>{ending}</p></body></html>"]).encode()


def milliseconds(work: Callable[[], object], times: int) -> float:
    """The best of `times` runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return 1000 * best


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(as_json: bool) -> None:
    """Measures the gate against an alternation of Python's re."""
    phrases = sorted({re.escape(p.strip("*")) for clue in CLUES for p in default().clue(clue)})
    alternation = re.compile("|".join(phrases).encode(), re.IGNORECASE)
    figures = {}
    for name, ending in (
        ("passes", "Camat diminta menjaga netralitas"),
        ("does not pass", "Selesai"),
        ("hidden letters", "Sele&#115;ai"),
    ):
        html = page(ending)
        passes(html)  # compiles the phrases
        mine = milliseconds(lambda html=html: passes(html), 50)  # type: ignore[misc]
        plain = milliseconds(lambda html=html: set(alternation.findall(html)), 2)  # type: ignore[misc]
        figures[name] = {
            "bytes": len(html),
            "passes": passes(html),
            "gate_ms": mine,
            "re_ms": plain,
            "ratio": plain / mine,
        }
    if as_json:
        click.echo(json.dumps(figures))
        return
    table = Table("page", "bytes", "passes", "gate, ms", "re, ms", "ratio")
    for name, f in figures.items():
        table.add_row(
            name,
            str(f["bytes"]),
            str(f["passes"]),
            f"{f['gate_ms']:.3f}",
            f"{f['re_ms']:.1f}",
            f"{f['ratio']:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
