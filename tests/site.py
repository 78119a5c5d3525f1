"""A small web site for tests: real HTTP, every byte of the answers in the test's hands."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What the site answers; `headers` may override Content-Type."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One request; `at` is time.monotonic() when it came, `until` when it was answered."""

    at: float
    until: float
    path: str
    headers: Mapping[str, str]
    status: int


Page = Answer | str | bytes | Callable[[BaseHTTPRequestHandler], Answer | None]


class Site:
    """Answers the paths in `pages`, with their query or without; 404 for others.

    A page may be a function of the request's handler, which gives the answer, or None where it
    has written to the handler itself. `log` has every request."""

    def __init__(self) -> None:
        self.pages: dict[
            str, Answer | str | bytes | Callable[[BaseHTTPRequestHandler], Answer | None]
        ] = {}
        self.log: list[Asked] = []
        self.url = ""

    def paths(self) -> list[str]:
        """The paths asked for, in order, without robots.txt."""
        return [asked.path for asked in self.log if asked.path != "/robots.txt"]


def rss(site: Site, paths: Iterable[str], date: str = "") -> str:
    """An RSS feed of `paths`; each item with `date` as its pubDate, if any."""
    dated = f"<pubDate>{date}</pubDate>" if date else ""
    items = "".join(f"<item><link>{site.url}{path}</link>{dated}</item>" for path in paths)
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{items}</channel></rss>'


@contextmanager
def running(host: str = "127.0.0.1") -> Iterator[Site]:
    """Serve a Site on a free port."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            began = time.monotonic()
            page = site.pages.get(self.path, site.pages.get(urlsplit(self.path).path))
            answer = page(self) if callable(page) else page
            status = 0 if answer is None and page is not None else self._send(answer)
            site.log.append(Asked(began, time.monotonic(), self.path, dict(self.headers), status))

        def _send(self, answer: Answer | str | bytes | None) -> int:
            if answer is None:
                answer = Answer("not here", 404)
            elif isinstance(answer, str | bytes):
                answer = Answer(answer)
            body = answer.body.encode() if isinstance(answer.body, str) else answer.body
            headers = {"Content-Type": "text/html; charset=utf-8", **answer.headers}
            self.send_response(answer.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return answer.status

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    site.url = f"http://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
