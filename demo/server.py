"""The web server under every demo site: conditional requests, gzip, HEAD, and a log of requests."""

import gzip
import hashlib
import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What a visitor asked for. `base` is the site's address as the visitor wrote it in Host."""

    base: str
    path: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """What the visitor gets. One with a `modified` date is sent with ETag and Last-Modified,
    and answered 304 to those who have it already."""

    body: str
    status: int = 200
    content_type: str = "text/html; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    modified: datetime | None = None


class Hit(NamedTuple):
    """One line of a site's request log; `path` includes the query, `time` is UTC."""

    time: datetime
    method: str
    path: str
    status: int
    user_agent: str


App = Callable[[Request], Response]
Routes = Iterable[tuple[str, Callable[..., Response]]]


def dispatch(routes: Routes, request: Request) -> Response | None:
    """The answer of the first route whose pattern is the request's path, or None.

    A view is called with the request and the pattern's groups, "" for one that took no part.
    """
    for pattern, view in routes:
        if match := re.fullmatch(pattern, request.path):
            return view(request, *match.groups(default=""))
    return None


def redirect(address: str, status: int = 301) -> Response:
    return Response("", status, headers={"Location": address})


def robots(*rules: str) -> Response:
    return Response("\n".join(("User-agent: *", *rules, "")), content_type="text/plain")


def whole_number(text: str | None, default: int) -> int:
    """The number of a page as a query gives it; `default` for none, 0 for nonsense."""
    if not text:
        return default
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


@contextmanager
def running(app: App, log: list[Hit]) -> Iterator[str]:
    """Serves `app` on a free port of 127.0.0.1 and gives its base address; appends to `log`."""
    server = _Server(app, log)
    # shutdown() waits for one poll
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, app: App, log: list[Hit]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.app = app
        self.log = log
        self._connections: set[Any] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Hangs up on kept-alive connections too: a stopped site must not answer any more."""
        super().server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a visitor who hangs up is no error
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "pantau-demo"
    timeout = 60  # seconds an idle connection is kept
    wbufsize = -1  # one packet for head and body

    def _answer(self) -> None:
        host = self.headers.get("Host", "")
        if not re.fullmatch(r"[\w.-]+(:\d+)?", host):
            self._send(Response("Bad Request", 400, "text/plain"))
            return
        target = urlsplit(self.path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        self._send(self.server.app(Request(f"http://{host}", target.path, query)))

    do_GET = do_HEAD = _answer  # noqa: N815 (the base's names)

    def _send(self, response: Response) -> None:
        body = response.body.encode()
        status = response.status
        headers = {"Content-Type": response.content_type, "Vary": "Accept-Encoding"}
        headers |= response.headers
        if response.modified:
            headers["ETag"] = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
            modified = response.modified.astimezone(UTC).replace(microsecond=0)
            headers["Last-Modified"] = format_datetime(modified, usegmt=True)
            if self._is_known(headers["ETag"], modified):
                status, body = 304, b""
                del headers["Content-Type"]
        if body and _accepts_gzip(self.headers.get("Accept-Encoding", "")):
            body = gzip.compress(body, mtime=0)
            headers["Content-Encoding"] = "gzip"
        # before the first byte leaves, so that whoever has the answer finds it in the log
        agent = self.headers.get("User-Agent", "")
        self.server.log.append(Hit(datetime.now(UTC), self.command, self.path, status, agent))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _is_known(self, etag: str, modified: datetime) -> bool:
        """RFC 9110, 13.2.2: If-None-Match, compared weakly, goes before If-Modified-Since."""
        if (tags := self.headers.get("If-None-Match")) is not None:
            known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
            return "*" in known or etag.removeprefix("W/") in known
        try:
            return modified <= parsedate_to_datetime(self.headers["If-Modified-Since"])
        except (TypeError, ValueError):  # no such header, or not a date: as if it were not there
            return False

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        """Nothing on stderr; the log is a list."""


def _accepts_gzip(accepted: str) -> bool:
    for offer in accepted.lower().split(","):
        coding, _, weight = offer.replace(" ", "").partition(";")
        if coding in ("gzip", "*"):
            return not re.fullmatch(r"q=0(\.0*)?", weight)
    return False
