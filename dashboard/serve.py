"""Serving the dashboard: beside what `pantau run` does, or alone."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Thread

import uvicorn
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from dashboard.app import application
from settings import Settings
from storage import people

START_SECONDS = 15


class ServeError(Exception):
    """The dashboard cannot be served; the text is one sentence."""


@contextmanager
def serving(engine: Engine, current: Settings) -> Iterator[str]:
    """Serve the dashboard at PANTAU_DASHBOARD_ADDRESS meanwhile; gives its address. Raises
    ServeError."""
    host, _, port = current.dashboard_address.rpartition(":")
    config = uvicorn.Config(
        application(engine, current),
        host=host,
        port=int(port),
        log_config=None,
        access_log=False,  # addresses hold invitations and what somebody looks for
        server_header=False,
        timeout_graceful_shutdown=3,
        limit_concurrency=200,
        h11_max_incomplete_event_size=32 * 1024,
    )
    server = uvicorn.Server(config)
    thread = Thread(target=_run, args=[server], daemon=True)
    thread.start()
    end = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise ServeError(
                f"The dashboard cannot be served at {current.dashboard_address}: is the address "
                "taken? PANTAU_DASHBOARD_ADDRESS sets another, or “off”."
            )
        time.sleep(0.02)
    try:
        yield address(server, host)
    finally:
        server.should_exit = True
        thread.join(10)


def _run(server: uvicorn.Server) -> None:
    try:
        server.run()
    except SystemExit:  # how uvicorn says that the address is taken
        logging.getLogger(__name__).debug("the dashboard ended")


def address(server: uvicorn.Server, host: str) -> str:
    """Where it is served; a browser on this machine can open that."""
    port = server.servers[0].sockets[0].getsockname()[1]
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104


def first_link(engine: Engine, current: Settings, served: str) -> str | None:
    """Where the first administrator chooses a name and a password; None where somebody has."""
    with Session(engine) as session, session.begin():
        token = people.first_invitation(session, datetime.now(UTC))
    return f"{current.dashboard_url or served}/invitation/{token}" if token else None
