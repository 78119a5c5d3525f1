"""Who gets in, and who may do what."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from click.testing import CliRunner
from fastapi import HTTPException, Request
from fastapi.routing import APIRoute, iter_route_contexts
from limits.storage import MemoryStorage
from lxml import html
from sqlalchemy.orm import Session

import cli
from dashboard import guard
from dashboard.app import application
from dashboard.serve import serving
from settings import Settings
from storage import people
from storage.database import reading
from storage.models import Role
from tests.dashboard.conftest import PASSWORD, Dashboard

OPEN = {"/sign-in", "/invitation/{token}", "/health"}


def form_of(page: str) -> str:
    found = re.search(r'name="form" value="([\w-]+)"', page)
    assert found
    return found[1]


def routes(served: Dashboard) -> Iterator[tuple[str, str, Role | None]]:
    """Every route's method and path, and the role it takes."""
    for found in iter_route_contexts(application(served.engine, served.settings).routes):
        route = found.original_route
        if not isinstance(route, APIRoute):
            continue
        roles = [
            role
            for dependency in route.dependant.dependencies
            if (role := getattr(dependency.call, "role", None))
        ]
        for method in route.methods:
            yield method, found.path, roles[0] if roles else None


def test_every_route_takes_its_role_and_no_less(dashboard: Dashboard) -> None:
    found = list(routes(dashboard))
    assert {path for _, path, role in found if role is None} == OPEN
    browsers = {role: dashboard.signed_in(role).client for role in Role}
    forms = {role: form_of(client.get("/account").text) for role, client in browsers.items()}
    stranger = dashboard.client()
    for method, path, needed in found:
        if needed is None:
            continue
        address = re.sub(r"\{\w+(:\w+)?\}", "1", path)
        answer = stranger.request(method, address, follow_redirects=False)
        assert answer.status_code in (303, 401), (method, path)
        if answer.status_code == 303:
            assert answer.headers["Location"].startswith("/sign-in?back="), (method, path)
        for role in Role:
            if role.rank >= needed.rank:
                continue
            answer = browsers[role].request(
                method, address, data={"form": forms[role]} if method != "GET" else None
            )
            assert answer.status_code == 403, (method, path, role)
            assert needed in answer.text, (method, path, role)


def test_no_address_makes_a_page_fail(dashboard: Dashboard) -> None:
    client = dashboard.signed_in(Role.ADMINISTRATOR).client
    for method, path, _ in routes(dashboard):
        if method != "GET":
            continue
        for given in ("0", "1", f"{2**31}", f"{2**80}", "-1", "x", "%00", "a%ff", "..%2f"):
            address = re.sub(r"\{\w+(:\w+)?\}", given, path)
            for query in ("", "?number=99999999999999999999&before=-1&last=%00&q=%00&cursor=%00"):
                answer = client.get(address + query)
                assert answer.status_code < 500, (address + query, answer.text)


def test_a_form_of_another_site_is_refused(dashboard: Dashboard) -> None:
    client = dashboard.signed_in(Role.VIEWER).client
    form = form_of(client.get("/account").text)
    wanted = {"language": "id", "theme": "dark"}
    for sent, headers in (
        (wanted, {}),
        ({**wanted, "form": "guessed"}, {}),
        ({**wanted, "form": form}, {"Origin": "https://evil.example"}),
        ({**wanted, "form": form}, {"Origin": "null"}),
    ):
        answer = client.post("/account/preferences", data=sent, headers=headers)
        assert answer.status_code == 403, sent
    answer = client.post("/account/preferences", data={**wanted, "form": form})
    assert answer.status_code == 200
    assert '<html lang="id" data-theme="dark">' in answer.text


def test_signing_in_and_out(dashboard: Dashboard) -> None:
    dashboard.person(Role.REVIEWER)
    client = dashboard.client()
    view = "/findings?q=%22tidak+netral%22&kind=sanction"
    page = client.get(view)
    assert page.url.path == "/sign-in"
    back = html.fromstring(page.text).xpath("string(//input[@name='back_to']/@value)")
    sent = {"form": form_of(page.text), "name": "Reviewer ", "back_to": back}
    assert client.post("/sign-in", data={**sent, "password": "wrong"}).status_code == 401
    answer = client.post("/sign-in", data={**sent, "password": PASSWORD}, follow_redirects=False)
    assert answer.headers["Location"] == view
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    account = client.get("/account")
    assert "reviewer" in account.text
    client.post("/sign-out", data={"form": form_of(account.text)})
    assert client.get("/account").url.path == "/sign-in"


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_signing_in_leads_to_no_other_site(dashboard: Dashboard, back: str) -> None:
    dashboard.person(Role.VIEWER)
    client = dashboard.client()
    form = form_of(client.get("/sign-in").text)
    sent = {"form": form, "name": "viewer", "password": PASSWORD, "back_to": back}
    answer = client.post("/sign-in", data=sent, follow_redirects=False)
    assert answer.headers["Location"] == "/"


def test_guessing_has_to_wait(dashboard: Dashboard) -> None:
    dashboard.person(Role.VIEWER)
    client = dashboard.client()
    form = form_of(client.get("/sign-in").text)
    sent = {"form": form, "name": "viewer", "back_to": "/"}
    tried = [
        client.post("/sign-in", data={**sent, "password": f"guess {n}"}).status_code
        for n in range(11)
    ]
    assert tried == [401] * 10 + [429]
    sent["password"] = PASSWORD
    answer = client.post("/sign-in", data=sent)
    assert answer.status_code == 429  # the right one, too: else guessing would go on
    assert int(answer.headers["Retry-After"]) > 60
    elsewhere = {"X-Forwarded-For": "2001:db8:1::1"}  # said by a proxy on this machine
    answer = client.post("/sign-in", data=sent, headers=elsewhere, follow_redirects=False)
    assert answer.status_code == 303  # nobody is locked out by somebody elsewhere


def test_guesses_are_counted_by_network_and_forgotten_in_time() -> None:
    rates = guard.Rates()
    rate = guard.rate("2/1 second")
    for last in "12":
        rates.take(rate, "sign-in", guard.address_of(_from(f"2001:db8::{last}")))
    with pytest.raises(HTTPException):
        rates.take(rate, "sign-in", guard.address_of(_from("2001:db8::3")))
    rates.take(rate, "sign-in", guard.address_of(_from("2001:db8:0:1::3")))
    kept = rates._window.storage
    assert isinstance(kept, MemoryStorage)
    time.sleep(1.1)
    rates.take(rate, "sign-in", "somebody else")
    time.sleep(0.1)  # it is tidied by a thread
    assert len(kept.storage) + len(kept.events) == 1


def _from(address: str) -> Request:
    return Request({"type": "http", "client": (address, 1)})


def test_a_refused_name_may_be_a_password(dashboard: Dashboard) -> None:
    dashboard.person(Role.VIEWER)
    client = dashboard.client()
    form = form_of(client.get("/sign-in").text)
    for name in ("viewer", PASSWORD):
        sent = {"form": form, "name": name, "password": "x", "back_to": "/"}
        assert client.post("/sign-in", data=sent).status_code == 401
    with reading(dashboard.engine) as session:
        refused = [entry.about for entry in people.audit(session)]
    assert refused == ["", "viewer"]


def test_an_invitation_lets_somebody_in_once(dashboard: Dashboard) -> None:
    page = dashboard.signed_in().post("/people", name="budi", role="operator")
    link = re.search(r"http://[\d.:]+(/invitation/[\w-]+)", page)
    assert link
    client = dashboard.client("id")
    page = client.get(link[1]).text
    assert "Pilih kata sandi" in page
    sent = {"form": form_of(page), "password": PASSWORD, "again": PASSWORD}
    other = client.post(link[1], data={**sent, "again": "another one"})
    assert other.status_code == 400
    assert "Kedua kata sandi tidak sama." in other.text
    assert client.post(link[1], data=sent).status_code in (200, 404)  # signed in, sent to "/"
    assert "budi" in client.get("/account").text
    assert dashboard.client().get(link[1]).status_code == 404
    with reading(dashboard.engine) as session:
        assert [(entry.who, entry.what) for entry in people.audit(session)] == [
            ("budi", "invitation accepted"),
            ("administrator", "person invited"),
        ]


def test_a_token_may_do_what_it_is_for_and_opens_no_page(dashboard: Dashboard) -> None:
    account = dashboard.person(Role.ADMINISTRATOR)
    with Session(dashboard.engine) as session, session.begin():
        token = people.make_token(session, account.id, "script", ["read"], datetime.now(UTC))
    client = dashboard.client()
    client.headers["Authorization"] = f"Bearer {token}"
    assert client.get("/api/v1/findings").status_code == 200
    assert client.get("/api/v1/people").status_code == 403
    # on the account's page it could make a token that may do more
    more = {"name": "more", "days": "30", "scopes": "administer"}
    assert client.post("/account/tokens", data=more).status_code == 403
    assert client.get("/account").status_code == 403
    client.headers["Authorization"] = "Bearer wrong"
    assert client.get("/api/v1/findings").status_code == 401


def test_what_is_refused_is_said_in_the_visitors_language(dashboard: Dashboard) -> None:
    client = dashboard.signed_in(Role.VIEWER).client
    form = form_of(client.get("/account").text)
    client.post("/account/preferences", data={"form": form, "language": "id", "theme": "auto"})
    for path, status, said in (
        ("/people", 403, "Ini memerlukan peran “administrator”."),
        ("/findings/99", 404, "Temuan itu tidak ada."),
        ("/findings?since=kemarin", 422, "tidak dapat dibaca"),
    ):
        answer = client.get(path)  # the browser asks for English
        assert answer.status_code == status
        assert said in answer.text, path
        assert 'aria-label="Halaman"' in answer.text  # and the way on is there


def test_another_language_stays_in_the_view(dashboard: Dashboard) -> None:
    client = dashboard.signed_in(Role.VIEWER).client
    page = html.fromstring(client.get("/findings?q=camat&kind=sanction").text)
    form = page.xpath("//form[@action='/account/preferences']")[0]
    sent = {field.get("name"): field.get("value") for field in form.xpath(".//input | .//button")}
    answer = client.post("/account/preferences", data=sent)
    assert str(answer.url).endswith("/findings?q=camat&kind=sanction")
    assert 'lang="id"' in answer.text


def test_every_answer_is_guarded(dashboard: Dashboard) -> None:
    client = dashboard.client()
    for path in ("/sign-in", "/nowhere", "/health"):
        headers = client.get(path).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"], path
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert "server" not in headers
    elsewhere = client.get("/sign-in", headers={"Host": "evil.example"})
    assert elsewhere.status_code == 400
    assert elsewhere.headers["X-Frame-Options"] == "DENY"
    large = client.post("/sign-in", data={"name": "x" * 2_000_000})
    assert large.status_code == 413
    for path in ("/static/x/../../settings.py", "/static/x/%2e%2e/%2e%2e/settings.py"):
        assert httpx.get(dashboard.url + path).status_code == 404


def test_a_failure_is_a_guarded_page_that_tells_nothing(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = dashboard.signed_in(Role.VIEWER).client

    def fail(*_: object) -> None:
        raise RuntimeError("a secret of the program")

    monkeypatch.setattr("storage.search.page", fail)
    answer = client.get("/findings")
    assert answer.status_code == 500
    assert "the log has it" in answer.text
    assert "secret" not in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_links_can_be_opened_where_it_is_served_to_all(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = "0.0.0.0:0"
    current = dashboard.settings.model_copy(update={"dashboard_address": everywhere})
    with serving(dashboard.engine, current) as url:
        assert httpx.get(f"{url}/health").text == "well\n"
    assert url.startswith("http://127.0.0.1:")

    monkeypatch.setenv("PANTAU_HOME", str(dashboard.settings.home))
    monkeypatch.setattr("settings.load", Settings)
    for address, code, said in (
        ("0.0.0.0:8080", 0, "http://127.0.0.1:8080/invitation/"),
        ("off", 2, "PANTAU_DASHBOARD_URL"),
    ):
        monkeypatch.setenv("PANTAU_DASHBOARD_ADDRESS", address)
        ran = CliRunner().invoke(cli.pantau, ["people", "add", f"sari-{code}"])
        assert (ran.exit_code, said in ran.output) == (code, True), ran.output


def test_https_is_kept_to(dashboard: Dashboard) -> None:
    public = "https://pantau.example.org"
    current = dashboard.settings.model_copy(update={"dashboard_url": public})
    with serving(dashboard.engine, current) as url:
        answer = httpx.get(f"{url}/sign-in", headers={"Host": "pantau.example.org"})
        assert "Secure" in answer.headers["Set-Cookie"]
        answer = httpx.get(f"{url}/sign-in", headers={"Host": "elsewhere.example"})
        assert answer.status_code == 400


def test_health_says_whether_the_database_answers(dashboard: Dashboard) -> None:
    client = dashboard.client()
    assert (client.get("/health").status_code, client.get("/health").text) == (200, "well\n")


def test_what_to_do_is_said_where_there_is_nothing_yet(dashboard: Dashboard) -> None:
    browser = dashboard.signed_in(Role.OPERATOR)
    for path, said in (
        ("/", "As soon as a crawl finds something"),
        ("/findings", "As soon as a crawl finds something"),
        ("/findings?q=camat", "Fewer filters or other words"),
        ("/trends", "Nothing in this time."),
        ("/crawls", "each outlet is read every day"),
        ("/alerts/deliveries", "No message has been sent"),
        ("/alerts/deliveries?state=sent", "No such message."),
    ):
        page = browser.get(path)
        assert said in page, path
        assert "No data" not in page, path
        assert "Times are those of WIB." in page, path
