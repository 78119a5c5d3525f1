"""A message to one of the services that Apprise knows: email, Telegram, Slack, WhatsApp, ntfy, ….

Apprise would log the addresses it is given; nothing of that leaves this module."""

import logging
import re
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl, unquote

from apprise import Apprise, AppriseAsset, NotifyFormat, OverflowMode
from apprise.exception import AppriseException
from apprise.manager_plugins import NotificationManager

from alerts.errors import AddressError, DeliveryError
from alerts.messages import Message

WHOLE_MAIL = 32768  # characters; what takes HTML and as much is e-mail
ROOM_FOR_TEXT = 1000  # characters; what takes less gets the short form

# who messages are from; its pictures would be fetched from far away
PANTAU: dict[str, Any] = {
    "app_id": "Pantau",
    "app_desc": "Pantau",
    "app_url": "",
    "image_url_mask": None,
    "image_url_logo": None,
    "service_timeout": 0,
}

_apprise_log = logging.getLogger("apprise")
_apprise_log.propagate = False
_apprise_log.addHandler(logging.NullHandler())
_apprise_log.setLevel(logging.WARNING)
# it would write the addresses it asks for: of each request, and where an answer is malformed
logging.getLogger("urllib3").setLevel(logging.ERROR)


def name(url: str) -> str:
    """The name of the service that `url` leads to. Raises AddressError."""
    return str(_service(url).service_name)


def notify(url: str, message: Message, message_id: str, seconds: float) -> None:
    """Send `message` to the service at `url`, which may take `seconds` for each step of it; where
    the service has room for it, with `message_id` in a header. Raises DeliveryError."""
    try:
        service = _service(url)
    except AddressError as error:
        raise DeliveryError(str(error)) from None
    service.socket_connect_timeout = service.socket_read_timeout = seconds
    service.retry = 0
    service.redirects = False  # a redirected POST would arrive as an empty GET
    if service.overflow_mode == OverflowMode.UPSTREAM:
        service.overflow_mode = OverflowMode.SPLIT
    if isinstance(getattr(service, "headers", None), dict):
        service.headers["Pantau-Id"] = message_id
    everyone = Apprise()
    everyone.add(service)
    result = everyone.notify(**_form(service, message))
    if not result:
        said = "; ".join(entry.message for entry in result.logs())
        raise DeliveryError(_without_secrets(said, url)[:300] or "the service did not take it")


def _form(service: Any, message: Message) -> dict[str, Any]:
    """The form of `message` that suits the service."""
    if service.resolve_format(NotifyFormat.HTML) is NotifyFormat.HTML and (
        service.body_maxlen >= WHOLE_MAIL
    ):
        return {"title": message.title, "body": message.html, "body_format": NotifyFormat.HTML}
    if service.body_maxlen >= ROOM_FOR_TEXT:
        return {"title": message.title, "body": message.text, "body_format": NotifyFormat.TEXT}
    return {"body": message.short, "body_format": NotifyFormat.TEXT}


def _service(url: str) -> Any:
    schema = url.partition("://")[0].lower()
    plugins: Any = NotificationManager()  # type: ignore[no-untyped-call]
    known = sorted(plugins.schemas())
    if schema in known:
        wrong = (
            f"That is no whole address of {plugins[schema].service_name} ({schema}://…): a part is "
            "missing or wrong; appriseit.com/services says what it looks like."
        )
    elif schema in ("http", "https"):  # some services' own addresses are understood
        wrong = (
            "That is no address of a service that Apprise knows; "
            "a webhook of your own is written webhook+https://…."
        )
    else:
        near = get_close_matches(schema, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "such as mailtos:// or tgram://."
        # what is no schema may be a secret
        begins = f"“{schema}://” is" if re.fullmatch(r"[a-z0-9+]{1,20}", schema) else "That is"
        raise AddressError(f"{begins} no address of a service that Apprise knows; {hint}")
    try:
        asset = AppriseAsset(**PANTAU)
        service = Apprise.instantiate(url, asset=asset, suppress_exceptions=False)
    except (AppriseException, TypeError, ValueError):
        service = None
    if service is None:
        raise AddressError(wrong)
    return service


def _without_secrets(text: str, url: str) -> str:
    """`text` without what of `url` is nobody's business: its parts but the names of parameters."""
    address, _, query = url.partition("://")[2].partition("?")
    parts = {*re.split(r"[/:@,#\s]+", address), *(value for _, value in parse_qsl(query))}
    for part in sorted(parts | {unquote(part) for part in parts}, key=len, reverse=True):
        if len(part) > 2:
            text = re.sub(re.escape(part), "…", text, flags=re.IGNORECASE)
    return " ".join(text.split())
