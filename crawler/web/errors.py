"""Download errors, in words for a report."""

from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
)

import settings

_WORDS: dict[type[Exception], str] = {
    CannotResolveHostError: "its name cannot be resolved to an address on the internet",
    DownloadConnectionRefusedError: "it refuses the connection",
    DownloadTimeoutError: f"it did not answer within {settings.DOWNLOAD_TIMEOUT:g} s",
    DownloadFailedError: "its answer broke off or is not HTTP",
    ResponseDataLossError: "its answer broke off",
}


class UnreachableError(IgnoreRequest):
    """The outlet does not answer, so that nothing may be asked of it."""


class LeaseOverError(UnreachableError):
    """The outlet may be another process's by now, so that this one may ask nothing of it."""


class ForbiddenError(IgnoreRequest):
    """The outlet, or our own rules, do not want this address to be fetched."""


class WaitError(IgnoreRequest):
    """The outlet asked to be left alone for longer than a crawl waits."""


class ArchiveBusyError(IgnoreRequest):
    """A web archive asked to be left alone for longer than a crawl waits; the outlet itself may
    still be asked."""


def in_words(error: BaseException) -> str:
    """Why a download failed, in one line."""
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words
    if is_too_large(error):
        return f"it is larger than {settings.DOWNLOAD_MAXSIZE // 1024**2} MB"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:199] + "…"


def is_final(error: BaseException) -> bool:
    """Whether trying again another day is no use."""
    return isinstance(error, ForbiddenError) or is_too_large(error)


def is_too_large(error: BaseException) -> bool:
    """Whether a page was given up for its size, packed or unpacked."""
    # for a page that unpacks to too much Scrapy has no exception of its own
    unpacked = isinstance(error, IgnoreRequest) and "exceeded DOWNLOAD_MAXSIZE" in str(error)
    return unpacked or isinstance(error, DownloadCancelledError)
