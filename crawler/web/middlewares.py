"""What keeps a crawl polite and safe: downloader middlewares and the name resolver."""

import asyncio
import logging
from math import inf
from time import monotonic
from typing import Any

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.extensions.throttle import AutoThrottle
from scrapy.http import Request, Response
from scrapy.http.request import NO_CALLBACK
from scrapy.resolver import CachingHostnameResolver
from scrapy.robotstxt import RobotParser
from scrapy.settings import BaseSettings
from scrapy.utils.httpobj import urlparse_cached
from scrapy.utils.misc import build_from_crawler
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import (
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface.declarations import implementer

import settings
from addresses import is_public
from crawler.outlet import Outlet
from crawler.web.archives import is_allowed
from crawler.web.errors import ForbiddenError, UnreachableError, WaitError, in_words
from crawler.web.patience import MAX_WAIT_SECONDS, retry_after

logger = logging.getLogger(__name__)

MAX_CRAWL_DELAY_SECONDS = 60
MAX_ROBOTS_BYTES = 500 * 1024  # RFC 9309, 2.5
ROBOTS_SECONDS = 24 * 3600.0  # so long the rules stand; RFC 9309, 2.4


class ElsewhereError(ForbiddenError):
    """A page of the outlet leads to another site."""


class DisallowedError(ForbiddenError):
    """The site's robots.txt forbids it."""


class OneSlot:
    """All of an outlet's hosts share one download slot, and with it one delay.

    The delay counts from the end of one answer to the next request. Scrapy counts from request to
    request as it sends them: where connecting takes time, they arrive closer together."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "OneSlot":
        self = cls(crawler)
        # sent before the slot's next request leaves
        crawler.signals.connect(self._answered, signals.response_downloaded)
        return self

    def process_request(self, request: Request) -> None:
        assert self.crawler.spidercls
        request.meta["download_slot"] = self.crawler.spidercls.name

    def _answered(self, request: Request) -> None:
        throttle = self.crawler.get_extension(AutoThrottle)
        assert self.crawler.engine
        if throttle and throttle.mindelay:
            slot = self.crawler.engine.downloader.slots[request.meta["download_slot"]]
            slot.lastseen = max(slot.lastseen, monotonic())


class OwnSite:
    """Keeps requests on the outlet's own site, wherever its pages redirect to; only what we ask of
    an archive goes elsewhere."""

    def __init__(self, outlet: Outlet | None) -> None:
        self.outlet = outlet

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "OwnSite":
        return cls(getattr(crawler.spidercls, "outlet", None))  # `scrapy shell` may have none

    def process_request(self, request: Request) -> None:
        if self.outlet and not (self.outlet.owns(request.url) or is_allowed(request)):
            raise ElsewhereError(f"it leads to another site: {request.url}")


class PrivateAddresses:
    """Keeps requests to private and loopback addresses from being made (see PublicResolver, which
    does the same for what a name resolves to)."""

    def process_request(self, request: Request) -> None:
        if settings.load().allow_private_addresses:
            return
        host = urlparse_cached(request).hostname or ""
        try:
            public = is_public(host)
        except ValueError:  # a name: the resolver will tell
            public = True
        if not public:
            raise ForbiddenError(f"{host} is a private address")


class PublicResolver(CachingHostnameResolver):
    """Resolves names to public addresses only, unless private ones are allowed."""

    def __init__(self, reactor: ReactorBase, cache_size: int) -> None:
        super().__init__(reactor, cache_size)
        self._public_only = not settings.load().allow_private_addresses

    def resolveHostName(  # noqa: N802 (Twisted's name)
        self,
        resolutionReceiver: Any,  # noqa: N803
        *args: Any,
        **kwargs: Any,
    ) -> IHostResolution:
        if self._public_only:
            resolutionReceiver = _PublicOnly(resolutionReceiver)  # noqa: N806
        return super().resolveHostName(resolutionReceiver, *args, **kwargs)


@implementer(IResolutionReceiver)
class _PublicOnly:
    def __init__(self, receiver: Any) -> None:
        self._receiver = receiver

    def resolutionBegan(self, resolution: IHostResolution) -> None:  # noqa: N802
        self._receiver.resolutionBegan(resolution)

    def addressResolved(self, address: IPv4Address | IPv6Address) -> None:  # noqa: N802
        if is_public(address.host):
            self._receiver.addressResolved(address)

    def resolutionComplete(self) -> None:  # noqa: N802
        self._receiver.resolutionComplete()


class Robots(RobotsTxtMiddleware):
    """robots.txt as RFC 9309 has it, from the very first request on.

    Scrapy's own (2.14.2 to 2.19.0) lets requests through that queue up while robots.txt is being
    fetched, and all of them where it answers 5xx; it keeps the rules for as long as a crawl takes,
    which may be weeks; and it does not apply Crawl-delay.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._rules: dict[str, tuple[float, asyncio.Task[RobotParser | None]]] = {}

    async def robot_parser(self, request: Request) -> RobotParser | None:
        parts = urlparse_cached(request)
        asked, task = self._rules.get(parts.netloc, (-inf, None))
        if task is None or monotonic() - asked > ROBOTS_SECONDS:
            url = f"{parts.scheme}://{parts.netloc}/robots.txt"
            task = asyncio.create_task(self._fetch(url))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._rules[parts.netloc] = monotonic(), task
        return await asyncio.shield(task)

    async def _fetch(self, url: str) -> RobotParser | None:
        request = Request(
            url,
            priority=self.DOWNLOAD_PRIORITY,
            meta={"dont_obey_robotstxt": True},
            callback=NO_CALLBACK,
        )
        assert self.crawler.engine
        try:
            response = await self.crawler.engine.download_async(request)
        except (IgnoreRequest, Exception) as error:
            raise UnreachableError(f"unreachable: {in_words(error)}") from error
        if response.status >= 500 or response.status == 429:
            kind = WaitError if response.status == 429 else UnreachableError
            raise kind(f"robots.txt: HTTP {response.status}, so nothing may be fetched")
        if response.status != 200:
            return None  # there are no rules
        rules: RobotParser = build_from_crawler(
            self._parserimpl,
            self.crawler,
            response.body[:MAX_ROBOTS_BYTES],
        )
        self._slow_down(rules)
        return rules

    def process_request_2(self, rp: RobotParser | None, request: Request) -> None:
        try:
            super().process_request_2(rp, request)
        except IgnoreRequest:
            raise DisallowedError("robots.txt forbids it") from None

    def _slow_down(self, rules: RobotParser) -> None:
        """Apply Crawl-delay as the least delay of the outlet's slot."""
        asked = rules.crawl_delay(self._robotstxt_useragent or self._default_useragent)
        if not asked:
            return
        delay = min(float(asked), MAX_CRAWL_DELAY_SECONDS)
        throttle = self.crawler.get_extension(AutoThrottle)
        if throttle:
            throttle.mindelay = max(throttle.mindelay, delay)
            throttle.maxdelay = max(throttle.maxdelay, delay)
        assert self.crawler.engine
        for slot in self.crawler.engine.downloader.slots.values():
            slot.delay = max(slot.delay, delay)


class Redirects(RedirectMiddleware):
    """Follows redirects. Scrapy's own would warn, in each crawl, that nothing gives them a Referer:
    nothing shall."""

    def _engine_started(self) -> None:
        pass


class RetryAfter(RetryMiddleware):
    """Retries what may have been a passing failure; where the outlet says when (Retry-After), not
    earlier, and nothing else of it either."""

    def __init__(self, scrapy_settings: BaseSettings) -> None:
        super().__init__(scrapy_settings)
        self._left_alone: str | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "RetryAfter":
        self = super().from_crawler(crawler)
        # this signal comes before the outlet's next request leaves, process_response after it
        crawler.signals.connect(self._heed, signals.response_downloaded)
        return self

    def process_request(self, request: Request) -> None:
        if self._left_alone and not is_allowed(request):
            raise WaitError(self._left_alone)

    def process_response(
        self, request: Request, response: Response, spider: Spider | None = None
    ) -> Request | Response:
        self.process_request(request)
        return super().process_response(request, response)

    def _heed(self, response: Response, request: Request) -> None:
        wait = retry_after(response)
        if wait is None or is_allowed(request):  # crawler.web.archives heeds an archive's
            return
        assert self.crawler.engine
        slot = self.crawler.engine.downloader.slots[request.meta["download_slot"]]
        if wait <= MAX_WAIT_SECONDS:
            slot.delay = max(slot.delay, 0.001)  # a slot without a delay does not look at lastseen
            slot.lastseen = max(slot.lastseen, monotonic() + wait)
            return
        self._left_alone = f"HTTP {response.status}, it asked to be left alone for {wait:.0f} s"
        while slot.queue:
            _, waiting = slot.queue.popleft()
            waiting.errback(WaitError(self._left_alone))
