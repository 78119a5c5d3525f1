"""What several crawls bring at the same time is stored in one transaction; what cannot be stored
costs no other crawl's."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.orm import Session

from crawler.writer import Load, Stored, Writer
from extract.article import Article, Verdict
from extract.link import Link
from extract.snapshot import Snapshot
from storage import links
from storage.database import open_database
from storage.findings import Arrival
from storage.links import Outcome
from storage.models import State

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
URLS = [f"https://kabar{n}.example.id/berita" for n in range(3)]


def test_loads_are_stored_together(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'pantau.db'}")
    with Session(engine) as session, session.begin():
        listed = [Link(url, url) for url in URLS]
        links.record(session, "kabar", listed, now=NOW, known_before=None, oldest=None)
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    writer = Writer(lambda: Session(engine))

    async def bring(*loads: Load) -> list[Stored | BaseException]:
        return await asyncio.gather(*map(writer.store, loads), return_exceptions=True)

    gated = [Load((), [Outcome(url, State.GATED)]) for url in URLS]
    assert asyncio.run(bring(gated[0], gated[1])) == [
        Stored([], [URLS[0]]),
        Stored([], [URLS[1]]),
    ]
    assert len(commits) == 1

    verdict = Verdict(relevant=True, score=0.9, kind="allegation")
    snapshot = Snapshot(URLS[0], NOW, None, "0" * 64, b"")
    lost = Arrival("https://unknown.example.id/", Article(URLS[0], "", ""), verdict, [snapshot])
    failed, stored = asyncio.run(bring(Load([lost], []), gated[2]))
    assert isinstance(failed, KeyError)
    assert stored == Stored([], [URLS[2]])
    with Session(engine) as session:
        assert links.count(session) == {State.GATED: 3}
    engine.dispose()
