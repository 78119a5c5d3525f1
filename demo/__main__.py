"""`make demo`: serve the five sites on 127.0.0.1 and crawl them with the real engine.

The spiders are those of `spiders/`, each pointed at the site that plays its outlet.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from demo.sites import serve

DELAY_SECONDS = 0.1  # these are our own sites, on our own machine


def main() -> int:
    """Serve, crawl twice, and give the exit code of the crawls."""
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C: the crawl hears it, and ends cleanly
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="pantau-demo-") as home, serve(now) as sites:
        environment = os.environ | {
            "PANTAU_HOME": home,
            "PANTAU_OUTLETS": ",".join(sites),
            "PANTAU_STAND_INS": json.dumps(sites),
            "PANTAU_ALLOW_PRIVATE_ADDRESSES": "true",
            "PANTAU_DELAY": str(DELAY_SECONDS),
        }
        print("Five small outlets on 127.0.0.1, crawled by the real engine:", flush=True)
        if code := _crawl(sites, environment):
            return code
        print("\nAgain: only what is new is fetched, and nothing is.", flush=True)
        return _crawl(sites, environment)


def _crawl(outlets: Iterable[str], environment: Mapping[str, str]) -> int:
    command = [sys.executable, "-m", "cli", "crawl"]
    for outlet in outlets:
        command += ["--outlet", outlet]
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
