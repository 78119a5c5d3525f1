"""The API: what it gives, who may ask, and that nothing sent to it makes it fail."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance
from sqlalchemy.orm import Session

from dashboard.serve import serving
from settings import Settings
from storage import people
from storage.database import open_database
from storage.models import Role
from tests.alerts.conftest import receiving, settings_in
from tests.dashboard import lived
from tests.dashboard.conftest import Dashboard

NOW = datetime.now(UTC)


def client_of(
    served: Dashboard, scopes: list[str], role: Role = Role.ADMINISTRATOR
) -> httpx.Client:
    """A program with a token."""
    account = served.person(role)
    with Session(served.engine) as session, session.begin():
        token = people.make_token(session, account.id, "a test", scopes, NOW)
    client = served.client()
    client.headers["Authorization"] = f"Bearer {token}"
    return client


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard with a few days of findings."""
    home: Path = tmp_path_factory.mktemp("lived")
    current = Settings(home=home, dashboard_address="127.0.0.1:0", outlets="transparansi")
    engine = open_database(current.database)
    lived.fill(engine, NOW, days=4)
    with serving(engine, current) as url:
        yield Dashboard(url, engine, current)
    engine.dispose()


def test_findings_come_in_pages(lived_in: Dashboard) -> None:
    client = client_of(lived_in, ["read"])
    whole = client.get("/api/v1/findings", params={"limit": 200}).json()
    assert whole["next"] is None
    assert whole["total"] == len(whole["items"]) > 20
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = client.get("/api/v1/findings", params={"limit": 7, "cursor": cursor or None}).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == [item["id"] for item in whole["items"]]
    one = client.get(f"/api/v1/findings/{seen[0]}").json()
    assert one["evidence"]
    assert one["snapshot_sha256"]
    some = client.get("/api/v1/findings", params={"kind": ["sanction", "allegation"]}).json()
    assert {item["kind"] for item in some["items"]} <= {"sanction", "allegation"}


def test_what_is_wrong_is_said(lived_in: Dashboard) -> None:
    client = client_of(lived_in, ["read"])
    for parameters, said in (
        ({"words": "netral AND ("}, "character"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"kind": "murder"}, "kind"),
        ({"since": "2026-01-01"}, "since"),
        ({"colour": "red"}, "colour"),
    ):
        answer = client.get("/api/v1/findings", params=parameters)
        assert answer.status_code == 422, parameters
        assert said in answer.json()["detail"], answer.text
    assert client.get("/api/v1/findings/999999").status_code == 404


def test_reviewing_takes_the_scope_and_the_version_seen(lived_in: Dashboard) -> None:
    reader = client_of(lived_in, ["read"])
    reviewer = client_of(lived_in, ["read", "review"], Role.REVIEWER)
    path = "/api/v1/findings/1/review"
    assert reader.patch(path, json={"state": "checked"}).status_code == 403
    made = reviewer.patch(path, json={"state": "checked", "relevant": True, "version": 0}).json()
    assert (made["state"], made["relevant"]) == ("checked", True)
    stale = reviewer.patch(path, json={"note": "again", "version": 0})
    assert stale.status_code == 409
    assert reviewer.patch(path, json={"assigned_to": 999}).status_code == 422
    fields = [entry["field"] for entry in reader.get("/api/v1/findings/1/history").json()]
    assert sorted(fields) == ["relevant", "state"]


def test_a_browser_may_read_but_not_change(lived_in: Dashboard) -> None:
    client = lived_in.signed_in(Role.ADMINISTRATOR).client
    assert client.get("/api/v1/findings").status_code == 200
    assert client.patch("/api/v1/findings/1/review", json={"note": "forged"}).status_code == 403
    assert lived_in.client().get("/api/v1/findings").status_code == 401


def test_an_operator_runs_outlets_backfills_and_rules(lived_in: Dashboard) -> None:
    client = client_of(lived_in, ["read", "operate"], Role.OPERATOR)
    api = "/api/v1"
    asked = client.post(f"{api}/outlets/transparansi/crawl")
    assert asked.status_code == 202
    job = client.get(f"{api}/jobs/{asked.json()['job']}").json()
    assert (job["kind"], job["state"], job["who"]) == ("crawl", "waiting", "operator")
    assert client.post(f"{api}/outlets/transparansi/pause").status_code == 204
    assert client.post(f"{api}/outlets/transparansi/crawl").status_code == 409
    signs = client.get(f"{api}/outlets/transparansi").json()["signs"]
    assert signs["state"] == "paused"
    assert client.post(f"{api}/outlets/transparansi/resume").status_code == 204

    whole = client.post(f"{api}/crawls").json()["job"]
    assert client.get(f"{api}/jobs/{whole}").json()["arguments"] == {}
    assert client.post(f"{api}/jobs/{whole}/cancel").status_code == 204
    assert client.get(f"{api}/jobs/{whole}").json()["state"] == "cancelled"
    studied = client.post(f"{api}/studies", json={"url": "kabar.example"}).json()["job"]
    assert client.get(f"{api}/jobs/{studied}").json()["about"] == "kabar.example"
    assert client.post(f"{api}/studies/{studied}/add").status_code == 409
    assert client.post(f"{api}/studies", json={"url": "transparansi.co.id"}).status_code == 422

    days = {"first": "2024-01-01", "last": "2024-02-29", "outlets": ["transparansi"]}
    begun = client.post(f"{api}/backfills", json=days)
    assert begun.status_code == 201, begun.text
    path = f"{api}/backfills/{begun.json()['id']}"
    assert client.get(path).json()["slices"] > 0
    assert client.post(f"{path}/pause").status_code == 204
    assert client.post(f"{path}/resume").status_code == 204
    assert client.post(f"{path}/cancel").status_code == 204
    assert client.post(f"{api}/backfills", json={**days, "last": "2999-01-01"}).status_code == 422

    tried = client.post(f"{api}/rules/try", json={"name": "pagi"}).json()
    assert tried["stories"] > 0
    assert client.get(f"{api}/rules").json() == []
    assert client.post(f"{api}/deliveries/1/again").status_code == 409

    made = client.post(f"{api}/rules", json={"name": "pagi", "wanted": {"kinds": ["sanction"]}})
    assert made.status_code == 201
    rule = f"{api}/rules/{made.json()['id']}"
    wrong = client.put(rule, json={"name": "pagi", "wanted": {"words": "camat ("}})
    assert "missing" in wrong.json()["detail"]
    changed = client.put(rule, json={"name": "siang", "pace": "hourly"})
    assert changed.json()["rule"]["pace"] == "hourly"
    assert client.delete(rule).status_code == 204
    assert client.delete(rule).status_code == 404
    assert client.get(f"{api}/deliveries").json() == {"items": [], "next": None}
    for half in (b'{"name": "\\ud800"}', b'{"name": "a", "wanted": {"words": "\\udfff"}}'):
        headers = {"Content-Type": "application/json"}
        assert client.post(f"{api}/rules", content=half, headers=headers).status_code == 422


def test_channels_are_added_tested_and_removed(tmp_path: Path) -> None:
    current = settings_in(tmp_path, dashboard_address="127.0.0.1:0")
    engine = open_database(current.database)
    with receiving() as receiver, serving(engine, current) as url:
        served = Dashboard(url, engine, current)
        client = client_of(served, ["read", "operate"], Role.OPERATOR)
        path = "/api/v1/channels"
        wrong = client.post(path, json={"name": "tim", "address": "nonsense"})
        assert wrong.status_code == 422
        made = client.post(path, json={"name": "tim", "address": receiver.address})
        assert made.status_code == 201, made.text
        assert client.post(f"{path}/tim/test").json() == {"taken": True, "error": None}
        assert len(receiver.got) == 1
        receiver.answers.append(500)
        assert client.post(f"{path}/tim/test").json()["taken"] is False
        listed = client.get(path)
        assert [channel["name"] for channel in listed.json()] == ["tim"]
        assert "secret-path" not in listed.text + made.text
        assert client.delete(f"{path}/tim").status_code == 204
        assert client.post(f"{path}/tim/test").status_code == 404
    engine.dispose()


def test_people_are_let_in_and_out(dashboard: Dashboard) -> None:
    client = client_of(dashboard, ["administer"])
    made = client.post("/api/v1/people", json={"name": "budi", "role": "reviewer"}).json()
    assert made["link"].startswith(f"{dashboard.url}/invitation/")
    again = client.post("/api/v1/people", json={"name": "budi"})
    assert (again.status_code, again.json()["detail"]) == (422, "There is a budi already.")
    (budi,) = (one for one in client.get("/api/v1/people").json() if one["name"] == "budi")
    path = f"/api/v1/people/{budi['id']}"
    assert client.put(f"{path}/role", json={"role": "operator"}).status_code == 204
    assert client.post(f"{path}/disable").status_code == 204
    (budi,) = (one for one in client.get("/api/v1/people").json() if one["name"] == "budi")
    assert budi["role"] == "operator"
    assert budi["disabled"]
    mine = dashboard.person(Role.ADMINISTRATOR).id
    assert client.post(f"/api/v1/people/{mine}/disable").status_code == 422
    assert client.post("/api/v1/people/999/enable").status_code == 404
    what = [entry["what"] for entry in client.get("/api/v1/audit").json()["items"]]
    assert what == ["person disabled", "role changed", "person invited"]


def test_all_findings_asked_for_come_as_a_file(lived_in: Dashboard) -> None:
    client = client_of(lived_in, ["read"])
    asked = {"kind": "allegation", "relevant": "true"}
    total = client.get("/api/v1/findings", params=asked).json()["total"]
    lines = client.get("/api/v1/findings/export/jsonl", params=asked).text.splitlines()
    assert len(lines) == total > 5
    assert client.get("/api/v1/findings/export/csv", params=asked).text.startswith("\ufeffid,")
    wrong = client.get("/api/v1/findings/export/csv", params={"words": "netral AND ("})
    assert wrong.status_code == 400


def test_too_many_requests_have_to_wait(dashboard: Dashboard) -> None:
    client = client_of(dashboard, ["read"])
    answers = [client.get("/api/v1/rules").status_code for _ in range(301)]
    assert answers == [200] * 300 + [429]
    assert int(client.get("/api/v1/rules").headers["Retry-After"]) <= 60


def test_nothing_sent_makes_it_fail(lived_in: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    """schemathesis sends what the description allows, and what it does not, to every operation."""
    monkeypatch.setattr("dashboard.access.API_RATE", None)
    monkeypatch.setattr("dashboard.guard.Rates.take", lambda *_: None)
    client = client_of(lived_in, list(people.SCOPES))
    token = {"Authorization": client.headers["Authorization"]}
    described = client.get("/api/v1/openapi.json").json()
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=lived_in.url)
    sent: Counter[int] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        ways = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

        @settings(
            max_examples=8,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategies.one_of(ways))
        def send(case: schemathesis.Case) -> None:
            answer = case.call(headers=token)
            sent[answer.status_code // 100] += 1
            case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance])

        send()
    assert sent[2] > 50
    assert sent[4] > 50


def test_a_day_of_the_docs_example(lived_in: Dashboard) -> None:
    """The example in docs/api.md does what it says."""
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
    program = text.split("```python\n")[1].split("```")[0]
    client = client_of(lived_in, ["read"])
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "DASHBOARD": lived_in.url,
            "TOKEN": client.headers["Authorization"].removeprefix("Bearer "),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    week = client.get(
        "/api/v1/findings",
        params={"kind": "sanction", "since": (NOW - timedelta(days=7)).isoformat(), "limit": 200},
    ).json()
    assert len(ran.stdout.splitlines()) == week["total"] > 0
