"""How long a server wants to be left alone."""

import email.utils
from datetime import UTC, datetime

from scrapy.http import Response

MAX_WAIT_SECONDS = 120  # who wants more is left alone for now


def retry_after(response: Response) -> float | None:
    """The seconds that an answer with 429 or 503 asks to wait; None where it does not say."""
    if response.status not in (429, 503):
        return None
    header = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    if header.isdecimal():
        return float(header)
    try:
        moment = email.utils.parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
