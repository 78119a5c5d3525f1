"""Asking a server for a page of a listing."""

from scrapy.core.engine import ExecutionEngine
from scrapy.http import Request, Response, TextResponse

from crawler.sources import SourceError
from crawler.web.challenge import wall
from crawler.web.errors import UnreachableError, WaitError, in_words


class NoAnswerError(SourceError):
    """No answer was had; what it came of says why."""


Validators = tuple[str | None, str | None]
"""The ETag and Last-Modified that a page came with."""


async def fetch_listing(
    engine: ExecutionEngine, url: str, known: Validators = (None, None)
) -> TextResponse | None:
    """The page at `url`; None where the server says that it is still the one with the `known`
    validators. Raises SourceError where it is not there, of which NoAnswerError came of what Scrapy
    raised; UnreachableError and WaitError, after which the outlet is to be left alone."""
    headers = {}
    etag, last_modified = known
    if etag:
        # Behind gzip, WordPress makes its ETag weak and does not know it again.
        headers["If-None-Match"] = etag.removeprefix("W/")
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    try:
        response = await engine.download_async(Request(url, headers=headers))
    except (UnreachableError, WaitError):
        raise
    except Exception as error:
        raise NoAnswerError(in_words(error)) from error
    if response.status == 304 and (etag or last_modified):  # else nobody asked whether it changed
        return None
    name = "Cloudflare" if "cf-mitigated" in response.headers else wall(response.body)
    if name:
        raise SourceError(f"blocked by {name}", 403)
    if response.status != 200:
        raise SourceError(f"HTTP {response.status}", response.status)
    if isinstance(response, TextResponse):
        return response
    return response.replace(cls=TextResponse)  # an untyped or gzipped sitemap


def validators_of(response: Response) -> Validators:
    """What to ask for the page with the next time."""
    return header(response, "ETag"), header(response, "Last-Modified")


def header(response: Response, name: str) -> str | None:
    """A header of a response, as text."""
    value = response.headers.get(name)
    return value.decode("latin-1") if value else None
