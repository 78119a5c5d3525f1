"""A message to a signed webhook: POST of JSON, with its id, its time, and an HMAC-SHA256 over both
and the body, so that the receiver knows who sent it, and a repeat from a new one."""

import email.utils
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from urllib3 import PoolManager
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Timeout, parse_url

from addresses import PrivateAddressError, public_only
from alerts.errors import DeliveryError
from settings import Settings

_WHY: dict[type[HTTPError], str] = {
    NameResolutionError: "its name cannot be resolved",
    NewConnectionError: "no connection",
    ConnectTimeoutError: "no connection in time",
    SSLError: "no trusted TLS connection",
}


def usable(url: str) -> bool:
    """Whether `url` can be a webhook's: with a host, and nothing that would be sent elsewhere."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        return False
    return bool(parts.host) and not parts.auth and not parts.fragment


def signature(key: str, time: str, message_id: str, body: bytes) -> str:
    """What Pantau-Signature says of `body`, sent at `time` (seconds since 1970) as `message_id`."""
    signed = f"{time}.{message_id}.".encode() + body
    return "v1=" + hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()


def post(url: str, key: str, message: dict[str, Any], message_id: str, current: Settings) -> None:
    """Send `message` to `url`, signed with `key`. Raises DeliveryError.

    Done is what is answered with 2xx. Redirects are not followed, the answer is not read."""
    body = json.dumps({"id": message_id, **message}, ensure_ascii=False).encode()
    time = str(int(datetime.now(UTC).timestamp()))
    pools = PoolManager(retries=False, timeout=Timeout(current.timeout))
    if not current.allow_private_addresses:
        public_only(pools)
    try:
        answer = pools.request(
            "POST",
            url,
            body=body,
            headers={
                "Content-Type": "application/json",
                "User-Agent": current.user_agent,
                "Pantau-Id": message_id,
                "Pantau-Time": time,
                "Pantau-Signature": signature(key, time, message_id, body),
            },
            redirect=False,
            preload_content=False,
        )
        status, retry_after = answer.status, answer.headers.get("Retry-After", "")
        answer.close()
    except ReadTimeoutError:
        raise DeliveryError(f"no answer within {current.timeout:g} seconds") from None
    except PrivateAddressError:
        why = "it is at a private address; see PANTAU_ALLOW_PRIVATE_ADDRESSES"
        raise DeliveryError(why) from None
    except HTTPError as error:
        # its own text may hold the address
        why = next((why for kind, why in _WHY.items() if isinstance(error, kind)), "no answer")
        raise DeliveryError(why) from None
    finally:
        pools.clear()
    if 300 <= status < 400:
        raise DeliveryError(f"HTTP {status}: it redirects; add the channel with its new address")
    if not 200 <= status < 300:
        raise DeliveryError(f"HTTP {status}", _seconds(retry_after))


def _seconds(retry_after: str) -> float | None:
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
