"""Pictures of every page, to be looked at: `python -m tests.dashboard.screens FOLDER`.

Each is taken in light, in dark, and as wide as a phone, of an installation that has been watched
with for weeks (`tests.dashboard.lived`). With --small, the six of docs/pictures are taken.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import settings
from alerts import channels, deliver, secrets
from dashboard.access import COOKIE
from dashboard.serve import serving
from scheduler.watch import Watch
from storage import people, rules
from storage.database import open_database
from storage.models import Role
from tests.alerts.conftest import receiving
from tests.dashboard import lived
from tests.dashboard.conftest import PASSWORD

PAGES = {
    "today": "/",
    "findings": "/findings",
    "search": "/findings?q=netralitas+AND+camat",
    "finding": "/findings/1040",
    "trends": "/trends",
    "outlets": "/outlets",
    "outlet": "/outlets/kabar-bali",
    "crawls": "/crawls",
    "backfill": "/crawls/backfills/new",
    "alerts": "/alerts",
    "rule": "/alerts/rules/new",
    "deliveries": "/alerts/deliveries",
    "people": "/people",
    "audit": "/people/audit",
    "account": "/account",
}


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    name: str
    width: int
    height: int
    scheme: str
    language: str


LOOKS = (
    Look("light", 1280, 860, "light", "id"),
    Look("dark", 1280, 860, "dark", "en"),
    Look("phone", 390, 844, "light", "id"),
    Look("phone-dark", 390, 844, "dark", "en"),
)


SMALL = (  # which page, and how
    ("today", "light"),
    ("search", "dark"),
    ("finding", "light"),
    ("trends", "dark"),
    ("outlets", "light"),
    ("today", "phone"),
)
SCALE = 0.6  # of the small ones


def chromium() -> str | None:
    """Where Debian's Chromium is, if it is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def installation(home: Path, now: datetime) -> Iterator[tuple[str, str]]:
    """A dashboard over an installation that has been lived in: its address, and the cookie of an
    administrator."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "outlets.toml").write_text(lived.catalogue(), "utf-8")
    os.environ |= {
        "PANTAU_HOME": str(home),
        "PANTAU_OUTLETS": "transparansi",
        "PANTAU_ALLOW_PRIVATE_ADDRESSES": "true",
        "PANTAU_OPERATORS": "redaksi",
        "PANTAU_DASHBOARD_ADDRESS": "127.0.0.1:0",
    }
    key = home / "key"  # kept with the installation
    if not key.exists():
        key.write_text(secrets.new_key())
    os.environ["PANTAU_SECRET_KEY"] = key.read_text()
    settings.load.cache_clear()  # the catalogue asks it, too
    current = settings.load()
    engine = open_database(current.database)
    with Session(engine) as session, session.begin():
        if not people.people(session):
            people.add(session, "sari", Role.ADMINISTRATOR, PASSWORD, now)
            people.add(session, "budi", Role.REVIEWER, PASSWORD, now)
        account = people.people(session)[-1]
        cookie = people.sign_in(session, account.id, "Chromium", now)
        fresh = not session.execute(lived.ANY_FINDING).first()
    if fresh:
        with receiving() as receiver:
            _make_rules(engine, current, receiver.address, now)
            lived.fill(engine, now, each_day=lambda at: deliver.run(engine, current, lambda: at))
            Watch(engine, current).look()
    with serving(engine, current) as url:
        yield url, cookie
    engine.dispose()


def _make_rules(engine: Engine, current: settings.Settings, address: str, now: datetime) -> None:
    """A channel, and rules of each pace."""
    with Session(engine) as session, session.begin():
        channels.add(session, "redaksi", channels.parse(address, current), now, current)
        for rule in (
            {"name": "sanksi", "channel": "redaksi", "wanted": {"kinds": ["sanction"]}},
            {"name": "harian", "channel": "redaksi", "pace": "daily", "quiet": "21:00-06:00"},
            {
                "name": "bali-ntb",
                "pace": "hourly",
                "wanted": {
                    "places": ["Bali", "NTB"],
                    "words": 'netralitas AND (camat OR "kepala desa")',
                },
            },
        ):
            rules.add(session, rules.valid(rule), now)


def take(
    url: str, cookie: str, folder: Path, asked: Sequence[tuple[str, Look]], *, small: bool
) -> list[str]:
    """Take pictures of pages, whole or `small`; gives what went wrong on the way: errors of
    scripts, pages that failed or are too wide."""
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        for look in LOOKS:
            context = browser.new_context(
                viewport={"width": look.width, "height": look.height},
                device_scale_factor=SCALE if small else 1,
                color_scheme="dark" if look.scheme == "dark" else "light",
                locale={"id": "id-ID", "en": "en-GB"}[look.language],
                timezone_id="Asia/Jakarta",
            )
            context.add_cookies([{"name": COOKIE, "value": cookie, "url": url}])
            page = context.new_page()
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda said: _note(wrong, said.type, said.text))
            for name in [name for name, how in asked if how == look]:
                path = folder / f"{name}-{look.name}.png"
                _take(page, f"{url}{PAGES[name]}", path, wrong, whole=not small)
            context.close()
        browser.close()
    return wrong


def _take(page: Page, address: str, path: Path, wrong: list[str], *, whole: bool) -> None:
    answer = page.goto(address)
    if answer is None or not answer.ok:
        wrong.append(f"{address}: {answer.status if answer else 'no answer'}")
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        wrong.append(f"{address}: wider than {page.viewport_size}")
    page.screenshot(path=path, full_page=whole)


def _note(wrong: list[str], kind: str, text: str) -> None:
    if kind == "error":
        wrong.append(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home", type=Path, help="keep the installation here, for the next time")
    parser.add_argument("--page", action="append", choices=PAGES, help="only this one")
    parser.add_argument("--small", action="store_true", help="only those of docs/pictures")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    pages = [
        (name, look)
        for name in asked.page or PAGES
        for look in LOOKS
        if not asked.small or (name, look.name) in SMALL
    ]
    with tempfile.TemporaryDirectory(prefix="pantau-screens-") as folder:
        home = asked.home or Path(folder)
        with installation(home, datetime.now(UTC)) as (url, cookie):
            wrong = take(url, cookie, asked.folder, pages, small=asked.small)
    for problem in wrong:
        print(problem, file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
