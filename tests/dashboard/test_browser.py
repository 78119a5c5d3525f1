"""The dashboard as people use it: in a real browser, in both languages, by `pantau serve`."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dashboard import words
from demo.sites import serve
from storage.database import open_database
from tests.conftest import Pantau
from tests.dashboard import lived
from tests.dashboard.conftest import PASSWORD
from tests.dashboard.screens import PAGES, chromium

NOW = datetime.now(UTC)
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SECONDS = 90_000  # of patience, in thousandths: the machine may have other work


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium is on the PATH (Debian's package: chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def served(pantau: Pantau) -> Iterator[str]:
    """`pantau serve`, over a few days of findings: where the first administrator is let in."""
    pantau.set(dashboard_address="127.0.0.1:0")
    pantau.home.mkdir(parents=True, exist_ok=True)
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    lived.fill(engine, NOW, days=4)
    engine.dispose()
    process = pantau.start("serve")
    try:
        assert process.stderr
        said = ""
        while "/invitation/" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        link = re.search(r"http://\S+/invitation/\S+", said)
        assert link
        yield link[0]
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0


def person(browser: Browser, language: str, wrong: list[str], **more: object) -> Page:
    """A browser of somebody who speaks `language`; what goes wrong in it is noted in `wrong`."""
    context = browser.new_context(locale={"id": "id-ID", "en": "en-GB"}[language], **more)  # type: ignore[arg-type]
    context.set_default_timeout(SECONDS)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: _note(wrong, said.type, said.text))
    page.on("request", lambda asked: _own(asked.url, wrong))
    return page


def _note(wrong: list[str], kind: str, text: str) -> None:
    if kind == "error" and "400 (Bad Request)" not in text:  # a form's mistake, told on the page
        wrong.append(text)


def _own(url: str, wrong: list[str]) -> None:
    if not url.startswith(("http://127.0.0.1", "data:", "about:", "blob:")):
        wrong.append(f"asked another host: {url}")


def let_in(page: Page, link: str) -> str:
    """Use the invitation; gives the dashboard's address."""
    page.goto(link)
    page.fill("#name", "sari")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button")
    page.wait_for_url(re.compile(r"/$"))
    return page.url.rstrip("/")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("language", ["en", "id"])
def test_a_morning_with_pantau(pantau: Pantau, browser: Browser, language: str) -> None:
    say = words.translations(language).gettext
    wrong: list[str] = []
    with serve(NOW) as sites, served(pantau) as link:
        page = person(browser, language, wrong)
        address = let_in(page, link)
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("h1")).to_have_text(say("Today"))

        # signed out, and in again
        page.click("details.menu summary")
        page.get_by_role("button", name=say("Sign out"), exact=True).click()
        page.fill("#name", "sari")
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(say("Today"))

        # look for something with the keyboard, and review it
        page.get_by_role("link", name=say("Findings"), exact=True).first.click()
        page.locator("h1").wait_for()
        page.keyboard.press("/")
        page.keyboard.type("netralitas AND (camat OR lurah)")
        page.keyboard.press("Enter")
        expect(page.locator("#q")).to_have_value("netralitas AND (camat OR lurah)")
        assert "q=netralitas" in page.url
        expect(page.locator(".items mark").first).to_be_visible()
        page.locator("h1").click()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/findings/\d+"))
        expect(page.locator("mark").first).to_be_visible()
        page.check("input[name=relevant] >> nth=0")
        page.select_option("#state", "checked")
        page.fill("#note", "Dicek ke Bawaslu.")
        page.get_by_role("button", name=say("Save"), exact=True).click()
        expect(page.locator("#state")).to_have_value("checked")
        expect(page.locator("main")).to_contain_text("Dicek ke Bawaslu.")

        # a rule, tried before it is saved
        page.goto(f"{address}/alerts/rules/new")
        page.fill("#name", "pagi")
        page.check("input[name=kinds][value=allegation]")
        page.fill("#words", "camat OR (")
        page.click("button[value=try]")
        expect(page.locator("[role=alert]")).to_be_visible()
        page.fill("#words", "camat OR lurah")
        page.click("button[value=try]")
        expect(page.locator("main")).to_contain_text(re.compile(r"\d"))
        expect(page.locator("[role=alert]")).to_have_count(0)
        page.click("button[value=save]")
        page.goto(f"{address}/alerts")
        expect(page.get_by_role("link", name="pagi", exact=True)).to_be_visible()

        # an outlet of the demo, by its address
        page.goto(f"{address}/outlets")
        page.get_by_role("link", name=say("Add an outlet")).first.click()
        page.fill("#url", sites["laksara"])
        page.get_by_role("button", name=say("Look at the site")).click()
        add = page.get_by_role("button", name=say("Add this outlet"))
        expect(add).to_be_visible(timeout=SECONDS)
        add.click()
        page.wait_for_url(re.compile(r"/outlets/127\.0\.0\.1"))
        outlet = page.url.rpartition("/")[2]

        # its past, watched until it is there
        page.goto(f"{address}/crawls/backfills/new")
        page.fill("#first", f"{NOW.date() - timedelta(days=9)}")
        page.fill("#last", f"{NOW.date() - timedelta(days=2)}")
        page.fill("#outlets", outlet)
        page.get_by_role("button", name=say("Begin"), exact=True).click()
        expect(page.locator("progress").first).to_be_visible()
        expect(page.locator(".badge").first).to_have_text(say("done"), timeout=SECONDS)
        found = re.search(r"(\d+) (?:findings?|temuan)", page.locator("main").inner_text())
        assert found
        assert int(found[1]) > 0
    assert not wrong


@pytest.mark.timeout(400)
def test_every_page_is_accessible_in_light_and_dark_and_on_a_phone(
    pantau: Pantau, browser: Browser
) -> None:
    wrong: list[str] = []
    pantau.catalogue(lived.catalogue())
    with served(pantau) as link:
        first = person(browser, "id", wrong)
        address = let_in(first, link)
        cookies = first.context.cookies()
        looks = (
            ("en", "dark", {"width": 1280, "height": 900}),
            ("id", "light", {"width": 390, "height": 844}),
        )
        for language, scheme, size in looks:
            page = person(browser, language, wrong, color_scheme=scheme, viewport=size)
            for path in ("/sign-in", *PAGES.values()):
                page.goto(address + path.replace("1040", "1"))
                found = Axe().run(page, options=WCAG)
                assert not found.response["violations"], f"{path}, {scheme}\n" + "\n".join(
                    f"{one['id']}: {node['html']} {node['failureSummary']}"
                    for one in found.response["violations"]
                    for node in one["nodes"][:3]
                )
                own = page.locator(".top nav [aria-current]")
                if own.count():
                    expect(own).to_be_in_viewport(ratio=0.9)
                wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                assert wide <= 0, f"{path} is {wide} px wider than {size['width']}"
                page.context.add_cookies(cookies)  # type: ignore[arg-type]
    assert not wrong
