"""Extraction without a crawl, for benchmarks/throughput.py: processes that share a list of pages.

    python alone.py trafilatura|news-please PROCESSES FILE

FILE lists paths (trafilatura reads them) or addresses (news-please fetches them). Prints, as JSON,
how many were read and in how many seconds, the start of the processes left out. Needs no more than
what it measures: news-please runs it in an environment of its own.
"""

import json
import sys
import time
import warnings
from contextlib import redirect_stdout
from multiprocessing import get_context
from pathlib import Path

warnings.filterwarnings("ignore")


def trafilatura(path: str) -> bool:
    """Read one saved page; whether it is an article."""
    from trafilatura import bare_extraction

    return bare_extraction(Path(path).read_bytes(), with_metadata=True) is not None


def news_please(url: str) -> bool:
    """Fetch and read one page, without its pictures; whether it is an article."""
    from newsplease import NewsPlease

    with redirect_stdout(sys.stderr):
        return bool(NewsPlease.from_url(url, fetch_images=False).maintext)


def main() -> None:
    """Read what the file lists."""
    read = {"trafilatura": trafilatura, "news-please": news_please}[sys.argv[1]]
    processes, pages = int(sys.argv[2]), Path(sys.argv[3]).read_text("utf-8").split()
    with get_context("spawn").Pool(processes) as pool:
        pool.map(read, pages[:processes], chunksize=1)  # all is imported
        began = time.monotonic()
        found = pool.map(read, pages, chunksize=1)
        seconds = time.monotonic() - began
    print(json.dumps({"pages": len(found), "articles": sum(found), "seconds": seconds}))


if __name__ == "__main__":
    main()
