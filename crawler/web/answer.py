"""What a server answered, as a page to read."""

from datetime import UTC, datetime

from scrapy.http import Response, TextResponse
from w3lib.encoding import http_content_type_encoding

from crawler.web.archives import captured
from extract.article import Page

GONE = (404, 410)
"""The statuses of what is not there and will not be."""


def page_of(response: Response) -> Page | None:
    """The response as a page, fetched now, or when the archive did that it comes from; None where
    it is not text (a picture, a PDF)."""
    if not isinstance(response, TextResponse):
        return None
    content_type = (response.headers.get("Content-Type") or b"").decode("latin-1")
    fetched = captured(response) or datetime.now(UTC)
    return Page(response.url, response.body, fetched, http_content_type_encoding(content_type))
