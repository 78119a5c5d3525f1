"""The work queue: what its jobs call."""

import os
from pathlib import Path

import pytest
from rq import Callback, Queue
from rq.serializers import JSONSerializer

from storage import queue
from storage.queue import Unit
from storage.valkey import open_redis


def test_a_unit_calls_what_it_is_for_whatever_redis_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "DO", "os.getpid")
    with open_redis(None, tmp_path) as redis:
        theirs = Queue("pantau-daily", connection=redis, serializer=JSONSerializer)
        job = theirs.enqueue_call("os.system", ["exit 1"], on_failure=Callback("os.abort"))
        ours = queue.queue(redis, queue.DAILY).fetch_job(job.id)
        assert ours
        assert ours.func is os.getpid
        assert ours.failure_callback is None


def test_an_offer_that_is_lost_leaves_nothing_for_ever(tmp_path: Path) -> None:
    with open_redis(None, tmp_path) as redis:
        queue.offer(redis, [Unit("now", "kabar")], 1)
        waiting = queue.queue(redis, queue.DAILY)
        [job] = waiting.jobs
        assert 0 < redis.ttl(job.key) <= queue.KEPT.total_seconds()
        queue.withdraw(redis, "now")
        assert not redis.exists(job.key)
        assert queue.is_withdrawn(redis, "now")
