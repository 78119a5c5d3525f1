"""scrapy-redis's filter, for benchmarks/seen.py, which runs this in an environment of its own.

python dupefilter.py REDIS KEY FIRST: asks it of new URLs, from number FIRST on, then of the same
again; prints how fast it answers.
"""

import json
import sys
import time

from redis import Redis
from scrapy import Request
from scrapy_redis.dupefilter import RFPDupeFilter

ASKED = 20_000


def asked(redis: Redis, key: str, first: int, seen: bool) -> dict[str, float]:
    """URLs a second, and microseconds of CPU for each; `seen` is what it is to answer."""
    dupefilter = RFPDupeFilter(redis, key)
    requests = [
        Request(f"https://kabar{n % 570}.id/berita/{n}/camat-diperiksa-bawaslu-perkara-{n * 7919}")
        for n in range(first, first + ASKED)
    ]
    began, spent = time.perf_counter(), cpu(redis)
    answers = {dupefilter.request_seen(request) for request in requests}
    seconds, spent = time.perf_counter() - began, cpu(redis) - spent
    assert answers == {seen}
    return {"per_second": ASKED / seconds, "cpu": 1_000_000 * spent / ASKED}


def cpu(redis: Redis) -> float:
    """Seconds of it that this process and the server took so far."""
    server = redis.info("cpu")
    return time.process_time() + server["used_cpu_user"] + server["used_cpu_sys"]


_, address, key, first = sys.argv
with Redis.from_url(address) as redis:
    new, known = (asked(redis, key, int(first), seen) for seen in (False, True))
print(json.dumps({"known": known, "new": new}))
