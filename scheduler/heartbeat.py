"""The heartbeat: what watches Pantau from outside hears when a daily crawl begins and ends.

After healthchecks.io: URL/start, URL, URL/fail; whoever hears nothing in time raises the alarm.
"""

import logging

import urllib3

logger = logging.getLogger(__name__)

SECONDS = 10

# the address is a secret of sorts, and would be in the lines about tries that fail
logging.getLogger("urllib3").setLevel(logging.ERROR)


def ping(url: str | None, how: str = "", says: str = "") -> None:
    """Ask `url`, if any; `how` is "start", "fail" or nothing. What it `says` goes along where the
    other side takes it. Never raises: a crawl does not fail for its heartbeat."""
    if not url:
        return
    address = f"{url}/{how}" if how else url
    try:
        with urllib3.PoolManager(timeout=SECONDS, retries=2) as http:
            answer = http.request("POST" if says else "GET", address, body=says.encode() or None)
            if says and answer.status >= 400:  # it takes no POST
                answer = http.request("GET", address)
        if answer.status >= 400:
            logger.warning("the heartbeat was answered with HTTP %s", answer.status)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        # not its own text: that has the address
        logger.warning("the heartbeat was not heard: %s", type(error).__name__)
