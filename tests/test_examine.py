"""Examiners, as a worker's units have them: copies of the crawl, with limits, that end with it."""

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, os, time
from crawler import examine

async def main():
    examiners = examine.Examiners(1, forked=True)
    try:
        await examiners.run(bytearray, 2 * examine.MEMORY)
    except examine.ExaminationError as error:
        print(error, flush=True)
    print(await examiners.run(os.getpid), flush=True)
    await examiners.run(time.sleep, 600)

asyncio.run(main())
"""


def is_running(pid: str) -> bool:
    with suppress(OSError):
        return "State:\tZ" not in Path("/proc", pid, "status").read_text()
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="an examiner ends with its crawl on Linux only")
def test_a_copy_has_a_limit_of_memory_and_ends_with_its_crawl() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout
        assert it.stdout.readline() == "reading it took more memory than there is\n"
        examiner = it.stdout.readline().strip()
        assert is_running(examiner)
        time.sleep(0.5)  # for it to be at the page that takes for ever
        it.kill()
    deadline = time.monotonic() + 20
    while is_running(examiner):
        assert time.monotonic() < deadline
        time.sleep(0.1)
