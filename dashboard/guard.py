"""What stands before every page: headers, limits of rate, and proof against forgery."""

import math
import secrets
import time
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = ("GET", "HEAD", "OPTIONS")

SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # not "no-referrer": with it a form's own Origin is "null"
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Sent with every answer, unless the page itself says otherwise."""


class Guard:
    """Adds the headers of SECURITY to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_missing(message["headers"])]
            await send(message)

        await self._app(scope, receive, secured)


def _missing(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    there = {name.lower() for name, _ in headers}
    return [
        (name.lower().encode(), value.encode())
        for name, value in SECURITY.items()
        if name.lower().encode() not in there
    ]


class Rates:
    """How often somebody may do something; it is forgotten at the end of the time, counted from
    the first time they did, and when the process ends."""

    def __init__(self) -> None:
        self._window = FixedWindowRateLimiter(MemoryStorage())

    def take(self, rate: RateLimitItem, *who: str) -> None:
        """Count one more; raises 429 with Retry-After where that is too many."""
        if self._window.hit(rate, *who):
            return
        reset = self._window.get_window_stats(rate, *who).reset_time
        raise too_many(reset)

    def check(self, rate: RateLimitItem, *who: str) -> None:
        """The same, without counting."""
        if not self._window.test(rate, *who):
            raise too_many(self._window.get_window_stats(rate, *who).reset_time)


def too_many(reset: float) -> HTTPException:
    seconds = max(1, math.ceil(reset - time.time()))
    return HTTPException(429, "Too many tries; wait a while.", {"Retry-After": str(seconds)})


rate = parse


def address_of(request: Request) -> str:
    """Who asks, by address; of IPv6 the network, of which a single machine has all addresses.
    Behind a proxy it is what that says, where it is trusted (FORWARDED_ALLOW_IPS, of uvicorn)."""
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    prefix = 64 if address.version == 6 else 32
    return str(ip_network((address, prefix), strict=False))


def check_origin(request: Request) -> None:
    """Refuse what another site's page sends here."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        raise HTTPException(403, "This was sent by a page of another site.")


def check_form(sent: Mapping[str, object], expected: str) -> None:
    """Refuse a form that does not hold what was written into it."""
    given = sent.get("form")
    if not isinstance(given, str) or not secrets.compare_digest(given.encode(), expected.encode()):
        raise HTTPException(403, "This form is from an earlier sign-in; reload the page and retry.")
