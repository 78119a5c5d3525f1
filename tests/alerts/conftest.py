"""Receivers of messages, as real servers; findings, rules and channels in a database."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from cryptography.fernet import Fernet
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from alerts import channels, deliver
from alerts.deliver import Sent, Unsent
from settings import Settings
from storage import models, outbox, rules
from storage.database import open_database

SIGNING_KEY = "a key of the test's own"
MORNING = datetime(2026, 6, 15, 2, 0, tzinfo=UTC)  # 09:00 in Jakarta


@dataclass
class Got:
    """One POST: its headers, its body and its path."""

    headers: dict[str, str]
    body: bytes
    path: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Takes POSTs. `answers` says how, one after the other: a status, (status, headers), or a
    function to call with the request's handler before 200; 200 when there are none left."""

    url: str = ""
    answers: list[int | tuple[int, dict[str, str]] | Callable[[BaseHTTPRequestHandler], object]] = (
        field(default_factory=list)
    )
    got: list[Got] = field(default_factory=list)

    @property
    def address(self) -> str:
        """As a channel's."""
        return self.url.replace("http://", f"webhook+http://{SIGNING_KEY.replace(' ', '_')}@")

    def titles(self) -> list[str]:
        return [got.json()["title"] for got in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook on loopback."""
    with receiving() as made:
        yield made


class receiving:  # noqa: N801 (a context manager, used like a function)
    def __enter__(self) -> Receiver:
        receiver = Receiver()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(Got(dict(self.headers), body, self.path))
                answer = receiver.answers.pop(0) if receiver.answers else 200
                if callable(answer):
                    answer(self)
                    answer = 200
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")  # Slack says so

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{self._server.server_port}/hook/very-secret-path"
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()
        return receiver

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Mailbox:
    """What an SMTP server was given."""

    port: int
    mails: list[EmailMessage]

    @property
    def address(self) -> str:
        """As a channel's."""
        return (
            f"mailto://127.0.0.1:{self.port}?from=pantau@example.org&to=redaksi@example.org"
            "&mode=insecure&smtp=127.0.0.1"
        )


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """An SMTP server on loopback."""
    mails: list[EmailMessage] = []

    class Keep:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            mails.append(BytesParser(policy=default).parsebytes(envelope.content))  # type: ignore[arg-type]
            return "250 kept"

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(Keep(), hostname="127.0.0.1", port=port, ready_timeout=30)
    controller.start()
    try:
        yield Mailbox(port, mails)
    finally:
        controller.stop()


@dataclass
class Desk:
    """A database with findings, rules and channels; its clock stands still until it is moved."""

    engine: Engine
    settings: Settings
    now: datetime = MORNING
    findings: int = 0

    def channel(self, name: str, address: str) -> None:
        with Session(self.engine) as session, session.begin():
            parsed = channels.parse(address, self.settings)
            channels.add(session, name, parsed, self.now, self.settings)

    def rule(self, name: str, channel: str | None, **more: Any) -> str:
        """Store a rule; its token."""
        with Session(self.engine) as session, session.begin():
            rule = rules.valid({"name": name, "channel": channel, **more})
            return rules.add(session, rule, self.now).token

    def find(self, title: str, kind: str = "allegation", **more: Any) -> int:
        """Store a finding, and owe it; its story's id, which may be given as `story`."""
        self.findings += 1
        number, story = self.findings, more.pop("story", None)
        province = more.pop("province", "Bali")
        outlet = more.pop("outlet", "nusabali")
        url = more.pop("url", f"https://{outlet}.example/berita/{number}")
        with Session(self.engine) as session, session.begin():
            link = models.Link(
                url=f"{outlet}.example/{number}", address=url, outlet=outlet,
                state=models.State.FOUND, discovered=self.now,
            )  # fmt: skip
            if story is None:
                row = models.Story(first=number, count=1, begun=self.now, latest=self.now)
                session.add(row)
                session.flush()
                story = row.id
            session.add(link)
            session.flush()
            finding = models.Finding(
                link_id=link.id, url=url, outlet=outlet, title=title, text=f"{title}. Isi berita.",
                authors=[], published=self.now - timedelta(hours=2), published_offset=480,
                published_inferred=False, found=self.now, fetched=self.now, tags=[], paid=False,
                kind=kind, score=0.9, borderline=False, subjects=["civil_servant"],
                evidence=[{"text": f"Bukti dari {title}.", "start": 0, "end": 9, "where": "text"}],
                story_id=story,
                places=[
                    models.FindingPlace(
                        position=0, code="51.08", level="regency", name="Kabupaten Buleleng",
                        province=province,
                    )
                ],
            )  # fmt: skip
            for name, value in more.items():
                setattr(finding, name, value)
            session.add(finding)
            session.flush()
            outbox.owe(session, finding, self.now)
        return int(story)

    def deliver(self, **later: float) -> list[Sent]:
        """Deliver once, after so much time (as timedelta takes it)."""
        self.now += timedelta(**later)
        return deliver.run(self.engine, self.settings, lambda: self.now)

    def unsent(self) -> list[Unsent]:
        with Session(self.engine) as session:
            return deliver.unsent(session)


def settings_in(home: Path, **more: Any) -> Settings:
    return Settings(
        home=home,
        secret_key=Fernet.generate_key().decode(),
        allow_private_addresses=True,
        timeout=1,
        lease_seconds=1,
        **more,
    )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty desk, on SQLite."""
    settings = settings_in(tmp_path)
    engine = open_database(settings.database)
    yield Desk(engine, settings)
    engine.dispose()


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
