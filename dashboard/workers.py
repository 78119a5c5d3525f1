"""The workers: who crawls what at this moment, and what waits for them in the queue."""

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response
from redis.exceptions import RedisError

from dashboard.access import Viewer, Visit
from dashboard.catalogue import catalogue
from dashboard.pages import page
from storage.queue import SILENT, Work, look
from storage.valkey import running_redis

router = APIRouter(prefix="/crawls/workers", include_in_schema=False)

SHOWN = 8  # outlets of one worker


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the workers: their `work`, none where Redis does not answer."""

    work: Work | None
    by_queue: bool

    @property
    def shown(self) -> bool:
        """Whether there is anything to say: elsewhere `pantau run` crawls by itself."""
        return self.by_queue or bool(self.work and self.work.workers)

    @property
    def is_stuck(self) -> bool:
        """Whether something waits that nobody takes."""
        if self.work is None:
            return False
        living = [worker for worker in self.work.workers if worker.state != SILENT]
        return any(self.work.waiting.values()) and not living


def see(visit: Visit) -> Seen:
    """What is known of the workers now."""
    current = visit.settings
    try:
        with running_redis(current.redis_url, current.home) as redis:
            return Seen(look(redis), current.queue)
    except (RedisError, ValueError):
        # the private one runs only while something does
        return Seen(None if current.redis_url else Work((), {}), current.queue)


@router.get("/now")
def now(visit: Viewer) -> Response:
    """The workers, as a part of the page of crawls."""
    titles = {name: spider.outlet.title for name, spider in catalogue().items()}
    return page(visit, "workers-now.html", workers=see(visit), titles=titles, most=SHOWN)
