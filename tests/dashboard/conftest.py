"""A served dashboard, with somebody of each role, and what they see over HTTP."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from crawler.outlets.catalogue import spiders
from dashboard.access import COOKIE
from dashboard.catalogue import _spiders
from dashboard.serve import serving
from settings import Settings
from storage import people
from storage.database import open_database
from storage.models import Role

PASSWORD = "kuda terbang di atas awan"  # noqa: S105


@dataclass
class Dashboard:
    """A dashboard that is served at `url`, over `engine`."""

    url: str
    engine: Engine
    settings: Settings
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, language: str = "en") -> httpx.Client:
        """Somebody who is not signed in."""
        headers = {"Accept-Language": language}
        client = httpx.Client(base_url=self.url, headers=headers, follow_redirects=True, timeout=30)
        self.clients.append(client)
        return client

    def person(self, role: Role) -> people.Account:
        """Somebody with `role`, named after it."""
        with Session(self.engine) as session, session.begin():
            for account in people.people(session):
                if account.name == role.value:
                    return account
            return people.add(session, role.value, role, PASSWORD, datetime.now(UTC))

    def cookie(self, role: Role) -> str:
        """What the cookie of somebody with `role` holds, who is signed in."""
        account = self.person(role)
        with Session(self.engine) as session, session.begin():
            return people.sign_in(session, account.id, "a test", datetime.now(UTC))

    def signed_in(self, role: Role = Role.ADMINISTRATOR, language: str = "en") -> "Browser":
        """Somebody with `role`, signed in."""
        client = self.client(language)
        client.cookies.set(COOKIE, self.cookie(role))
        return Browser(client)


@dataclass
class Browser:
    """Somebody's way through the pages; no page may fail."""

    client: httpx.Client

    def get(self, path: str, status: int = 200) -> str:
        """The page at `path`, as HTML."""
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def post(self, path: str, status: int = 200, **values: object) -> str:
        """Send a form to `path`; gives the page that comes of it."""
        form = re.search(r'name="form" value="([\w-]+)"', self.get("/account"))
        assert form
        answer = self.client.post(path, data={"form": form[1], **values})
        assert answer.status_code == status, answer.text
        return answer.text


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Passwords hashed at no cost: each hash takes a tenth of a second else, and 64 MiB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(people, "_NOBODY", people._hasher.hash("nobody"))
        yield


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard of its own: an empty SQLite database, a port of its own."""
    current = Settings(home=tmp_path, dashboard_address="127.0.0.1:0")
    engine = open_database(current.database)
    with serving(engine, current) as url:
        served = Dashboard(url, engine, current)
        yield served
        for client in served.clients:
            client.close()
    engine.dispose()


@pytest.fixture(scope="session", autouse=True)
def _declared_outlets() -> None:
    """The declared outlets at their own addresses: a class has the one that is set when it is
    made, and some tests set others."""
    spiders()


@pytest.fixture(autouse=True)
def _own_catalogue() -> None:
    """Each test's outlets are those of its own settings, not of the test before it."""
    _spiders.cache_clear()
