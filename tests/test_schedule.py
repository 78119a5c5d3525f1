"""The daily crawl: at its time, once, made up when missed, taken over when its runner dies."""

import signal
import subprocess
import sys
import time as clock
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from scheduler.clock import last_due
from storage.database import open_database
from tests.conftest import ROOT

JAKARTA = ZoneInfo("Asia/Jakarta")
LEASE_SECONDS = 2
DRIVER = """
import asyncio, sys
from datetime import time
from zoneinfo import ZoneInfo
from scheduler.clock import DailyCrawl
from storage.database import open_database

url, at, script, now = sys.argv[1:]
daily = DailyCrawl(
    open_database(url), [sys.executable, "-c", script], time.fromisoformat(at), ZoneInfo("UTC"), 2
)
asyncio.run(daily.run(now=now == "now", waiting=lambda: print("waiting", flush=True)))
"""


class Schedulers:
    """Schedulers on one database, whose crawl is a script that notes its beginning and its end."""

    def __init__(self, database_url: str, notes: Path, seconds: float = 0.3) -> None:
        self.url = database_url
        self.notes = notes
        self.running: list[subprocess.Popen[bytes]] = []
        self.script = (
            "import signal, sys, time\n"
            "def note(word):\n"
            f"    with open({str(notes)!r}, 'a') as file: file.write(word + chr(10))\n"
            "def stop(*_):\n"
            "    note('stopped'); sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, stop)\n"
            f"note('began'); time.sleep({seconds}); note('ended')\n"
        )

    def start(self, at: datetime, *, now: bool = False) -> subprocess.Popen[bytes]:
        arguments = [self.url, f"{at:%H:%M:%S}", self.script, "now" if now else ""]
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, *arguments], cwd=ROOT, stdout=subprocess.PIPE
        )
        self.running.append(process)
        return process

    def noted(self) -> list[str]:
        return self.notes.read_text().split() if self.notes.exists() else []

    def wait_for(self, *words: str, seconds: float = 20) -> None:
        deadline = clock.monotonic() + seconds
        while self.noted() != list(words):
            assert clock.monotonic() < deadline, self.noted()
            clock.sleep(0.05)

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            assert process.wait(10) in (0, -signal.SIGKILL)
        self.running = []


@pytest.fixture
def schedulers(database_url: str, tmp_path: Path) -> Iterator[Schedulers]:
    open_database(database_url).dispose()
    made = Schedulers(database_url, tmp_path / "notes")
    yield made
    for process in made.running:
        process.kill()
        process.wait()


def hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-01T04:59:59", "2026-02-28T05:00:00"),
        ("2026-03-01T05:00:00", "2026-03-01T05:00:00"),
        ("2026-03-01T23:00:00", "2026-03-01T05:00:00"),
    ],
)
def test_last_due(now: str, due: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=JAKARTA)
    expected = datetime.fromisoformat(due).replace(tzinfo=JAKARTA)
    assert last_due(moment.astimezone(UTC), time(5), JAKARTA) == expected


def test_a_missed_run_is_made_up_once(schedulers: Schedulers) -> None:
    due = hour_ago()
    schedulers.start(due)
    schedulers.wait_for("began", "ended")
    clock.sleep(LEASE_SECONDS + 1)
    schedulers.stop()
    again = schedulers.start(due)  # after a restart the slot is done
    assert again.stdout
    assert again.stdout.readline() == b"waiting\n"
    clock.sleep(LEASE_SECONDS + 1)
    assert schedulers.noted() == ["began", "ended"]
    schedulers.stop()


def test_it_runs_at_its_time(schedulers: Schedulers) -> None:
    due = datetime.now(UTC) + timedelta(seconds=5)
    schedulers.start(due)
    schedulers.wait_for("began", "ended")  # yesterday's slot, made up
    assert datetime.now(UTC) < due
    schedulers.wait_for("began", "ended", "began", "ended")
    assert datetime.now(UTC) >= due.replace(microsecond=0)
    schedulers.stop()


def test_two_schedulers_run_a_slot_once(schedulers: Schedulers) -> None:
    due = hour_ago()
    for _ in range(3):
        schedulers.start(due)
    schedulers.wait_for("began", "ended")
    clock.sleep(LEASE_SECONDS + 1)
    assert schedulers.noted() == ["began", "ended"]
    schedulers.stop()


def test_another_takes_over_where_the_runner_was_killed(
    database_url: str, tmp_path: Path, schedulers: Schedulers
) -> None:
    due = hour_ago()
    slow = Schedulers(database_url, tmp_path / "notes", seconds=6)
    killed = slow.start(due)
    slow.wait_for("began")
    schedulers.start(due)
    killed.kill()  # its crawl, an orphan now, ends by itself
    schedulers.wait_for("began", "began", "ended")
    schedulers.wait_for("began", "began", "ended", "ended")
    schedulers.stop()
    killed.wait()


def test_sigterm_ends_the_crawl_and_frees_the_slot(
    database_url: str, tmp_path: Path, schedulers: Schedulers
) -> None:
    due = hour_ago()
    slow = Schedulers(database_url, tmp_path / "notes", seconds=30)
    slow.start(due)
    slow.wait_for("began")
    slow.stop()
    assert slow.noted() == ["began", "stopped"]
    schedulers.start(due)
    schedulers.wait_for("began", "stopped", "began", "ended")
    schedulers.stop()


def test_now_crawls_at_once_and_counts_as_the_slot(schedulers: Schedulers) -> None:
    due = hour_ago()
    schedulers.start(due, now=True)
    schedulers.wait_for("began", "ended")
    clock.sleep(LEASE_SECONDS + 1)
    schedulers.stop()
    schedulers.start(due, now=True)  # though the slot is done
    schedulers.wait_for("began", "ended", "began", "ended")
    schedulers.stop()
