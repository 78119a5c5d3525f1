"""Other extractors, each given its best: what they make of the samples."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import process_time

from trafilatura import bare_extraction
from trafilatura.settings import Document

from benchmarks.extraction.measure import Reading
from benchmarks.extraction.pages import Sample
from benchmarks.rivals import python_of
from extract.read import decode, read

Readings = list[Reading | None]

DATES = {"extensive_search": True, "original_date": True, "outputformat": "%Y-%m-%dT%H:%M:%S%z"}
WORKER = Path(__file__).with_name("worker.py")


def by_turns(samples: Sequence[Sample], rounds: int) -> dict[str, Readings]:
    """What Pantau and trafilatura alone make of them, each time the best of all rounds."""
    runs: dict[str, list[Readings]] = {"Pantau": [], "trafilatura": []}
    for _ in range(rounds):
        runs["Pantau"].append(pantau(samples))
        runs["trafilatura"].append(trafilatura(samples))
    return {
        name: [
            found[0] and replace(found[0], seconds=min(f.seconds for f in found if f))
            for found in zip(*readings, strict=True)
        ]
        for name, readings in runs.items()
    }


def pantau(samples: Sequence[Sample]) -> Readings:
    """What read() makes of them."""
    readings: Readings = []
    for sample in samples:
        began = process_time()
        article = read(sample.pages, zone=sample.zone, outlet=sample.outlet, listed=sample.listed)
        seconds = process_time() - began
        if article is None:
            readings.append(None)
            continue
        published = article.published.isoformat() if article.published else None
        readings.append(Reading(article.title, article.text, article.authors, published, seconds))
    return readings


def trafilatura(samples: Sequence[Sample]) -> Readings:
    """What trafilatura makes of them by itself, asked for the hour, too, which it does not give of
    its own accord. Of a split article the texts are joined."""
    readings: Readings = []
    for sample in samples:
        began = process_time()
        found = [
            bare_extraction(p.html, url=p.url, with_metadata=True, date_extraction_params=DATES)
            for p in sample.pages
        ]
        seconds = process_time() - began
        documents = [document for document in found if isinstance(document, Document)]
        if not documents:
            readings.append(None)
            continue
        first = documents[0]
        readings.append(
            Reading(
                first.title or "",
                "\n".join(document.text or "" for document in documents),
                (first.author or "").split("; ") if first.author else (),
                first.date,
                seconds,
            )
        )
    return readings


def installed(name: str, samples: Sequence[Sample], rounds: int, folder: Path) -> Readings:
    """What the package `name` makes of them, in an environment of its own in `folder`."""
    work = [[(page.url, decode(page.html, page.charset)) for page in s.pages] for s in samples]
    python = python_of(name, folder)
    ran = subprocess.run(
        [str(python), "-I", str(WORKER), name, str(rounds)],
        input=json.dumps(work), capture_output=True, text=True, check=False,
        # whatever else it would fetch (pictures, lists of domains), it fetches nothing
        env=os.environ | {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(f"{name} failed:\n{ran.stderr[-2000:]}")
    return [found and Reading(**found) for found in json.loads(ran.stdout)]
