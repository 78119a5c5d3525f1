"""A large file on the web, read as if it were here.

Scrapy holds an answer in memory, whole; an archive's files have a gigabyte. urllib3 is there with
trafilatura, streams, retries and heeds Retry-After.
"""

import io
import time
from collections.abc import Callable
from typing import Any

from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

import settings
from addresses import PrivateAddressError, public_only
from crawler.web.patience import MAX_WAIT_SECONDS

MAX_BYTES = 20 * 1024**3
ATTEMPTS = 5  # in a row without a byte
LEAST_RATE = 1000  # bytes a second, on average, once the grace is over
GRACE_SECONDS = 60.0


class RemoteError(Exception):
    """The file cannot be had; its text says why, in a few words."""


class Remote(io.RawIOBase):
    """The file at `url`, from its beginning or from where `seek` says; where the connection breaks
    it goes on where it was. `size` is its length in bytes, where the server says it.

    A private address is refused, unless they are allowed. Raises RemoteError, from its beginning
    on; also where `is_over` says that no more is wanted."""

    def __init__(self, url: str, is_over: Callable[[], bool] = lambda: False) -> None:
        self._url = url
        self._is_over = is_over
        self._settings = settings.load()
        self._pools = PoolManager(
            headers={"User-Agent": self._settings.user_agent, "Accept-Encoding": "identity"},
            timeout=Timeout(self._settings.timeout),
            retries=Retry(
                total=ATTEMPTS,
                redirect=settings.REDIRECT_MAX_TIMES,
                status_forcelist=(429, 500, 502, 503, 504),
                backoff_factor=max(self._settings.delay, 0.01),
                retry_after_max=MAX_WAIT_SECONDS,
                raise_on_status=False,
            ),
        )
        if not self._settings.allow_private_addresses:
            public_only(self._pools)
        self._began = time.monotonic()
        self._taken = 0
        self._position = 0
        self._validator: str | None = None
        self._answer: BaseHTTPResponse | None = None
        first = self._ask()
        length = first.headers.get("Content-Length", "")
        self.size = int(length) if length.isdecimal() else None
        self._validator = first.headers.get("ETag")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        if offset != self._position:
            self._drop()
            self._position = offset
        return offset

    def readinto(self, buffer: Any) -> int:
        if self.size is not None and self._position >= self.size:
            return 0
        reason = ""
        for attempt in range(ATTEMPTS):
            if self._is_over():
                raise RemoteError("it is not wanted any more")
            try:
                # what is there, and no waiting for the rest: the rate is looked at in between
                data = (self._answer or self._ask()).read1(len(buffer))
            except HTTPError as error:
                self._drop()
                reason = _in_words(error)
                time.sleep(attempt * self._settings.delay)
                continue
            buffer[: len(data)] = data
            self._position += len(data)
            self._taken += len(data)
            self._check()
            return len(data)
        raise RemoteError(f"it broke off: {reason}")

    def close(self) -> None:
        self._drop()
        self._pools.clear()
        super().close()

    def _drop(self) -> None:
        if self._answer:
            self._answer.close()
        self._answer = None

    def _ask(self) -> BaseHTTPResponse:
        """Ask for the file from the position on."""
        headers = dict(self._pools.headers)
        if self._position:
            headers["Range"] = f"bytes={self._position}-"
            if self._validator and not self._validator.startswith("W/"):
                headers["If-Range"] = self._validator
        try:
            answer = self._pools.request(
                "GET", self._url, headers=headers, preload_content=False, decode_content=False
            )
        except HTTPError as error:
            raise RemoteError(_in_words(error)) from None
        except PrivateAddressError as error:
            raise RemoteError(str(error)) from None
        if answer.status != (206 if self._position else 200):
            answer.close()
            if answer.status == 200:
                raise RemoteError("it changed meanwhile, or cannot be read in parts")
            raise RemoteError(f"HTTP {answer.status}")
        self._answer = answer
        return answer

    def _check(self) -> None:
        if self._taken > MAX_BYTES:
            raise RemoteError(f"it is larger than {MAX_BYTES // 1024**3} GB")
        seconds = time.monotonic() - self._began
        if seconds > GRACE_SECONDS and self._taken < LEAST_RATE * seconds:
            raise RemoteError("it comes too slowly")


def _in_words(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    return " ".join(str(cause).split())[-200:]
