"""Rules on the command line and in YAML."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from sqlalchemy.orm import Session

from alerts.rulefile import MAX_BYTES, dump, load
from cli.alerts import rules as group
from storage import models
from storage.database import open_database
from storage.rules import Rule, RuleError, Wanted, valid
from tests.conftest import ROOT, Pantau

FULL = {
    "name": "sanksi-bali",
    "channel": "tim",
    "wanted": {
        "kinds": ["sanction", "examination"],
        "subjects": ["village_official"],
        "places": ["Bali", "Kota Bogor"],
        "outlets": ["nusabali"],
        "words": 'netral* AND (ASN OR "kepala désa") NOT pilkades',
        "least_score": 0.6,
        "borderline": True,
    },
    "pace": "hourly",
    "language": "en",
    "zone": "Asia/Makassar",
    "quiet": "22:00-06:00",
    "active": False,
}


def test_yaml_comes_back_as_it_was() -> None:
    rules = [valid(FULL), Rule(name="semua"), Rule(name="no", wanted=Wanted(words='"a: b"'))]
    text = dump(rules)
    assert load(text.encode()) == rules
    assert dump(load(text.encode())) == text
    assert yaml.safe_load(text)["rules"][0] == FULL


def test_the_rules_in_the_documentation_can_be_used() -> None:
    text = (ROOT / "docs" / "rules.md").read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert [rule.name for rule in load(example.encode())] == ["sanksi-bali", "semua"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "list called “rules”"),
        ("rules: {}", "list called “rules”"),
        ("rules: []\nmore: 1", "list called “rules”"),
        ("rules: [{name: a}, 5]", "rule 2 has no name"),
        ("rules: [{channel: a}]", "rule 1 has no name"),
        ("rules: [{name: a}, {name: a}]", "two rules “a”"),
        ("rules: [{name: a, pase: daily}]", "the rule “a”, pase: there is no such field"),
        ("rules: [{name: a, pace: weekly}]", "the rule “a”, pace: "),
        ("rules: [{name: a, wanted: {kinds: [gossip]}}]", "kinds: there is no kind “gossip”"),
        ("rules: [{name: a, wanted: {places: [Bulelng]}}]", "did you mean Buleleng"),
        ("rules: [{name: a, wanted: {words: a AND}}]", "words: it ends too early, at character 6"),
        ("rules: [{name: a, wanted: {least_score: 2}}]", "the rule “a”, least_score: "),
        ("rules: [{name: a, zone: Asia/Jakata}]", "did you mean Asia/Jakarta"),
        ("rules: [{name: a, quiet: nights}]", "write them as 22:00-06:00"),
        ("rules: [{name: --a}]", "“--a” is no name"),
        ("rules: [\n  a: b: c", "in line 2, column 7"),
        ("rules: [2024-99-99]", "it is not YAML"),
        ("a: &a [1]\nrules: *a", "aliases"),
        ("rules: " + "[" * 20_000, "too much is nested"),
        ("rules: !!python/object/apply:os.getcwd []", "it is not YAML"),
        (" " * (MAX_BYTES + 1), "larger than 256 KB"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text: str, says: str) -> None:
    with pytest.raises(RuleError) as caught:
        load(text.encode())
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("bali", ["Bali"]),
        ("Jabar", ["Jawa Barat"]),
        ("Gorontalo", ["Gorontalo"]),
        ("Kabupaten Gorontalo", ["Kabupaten Gorontalo"]),
        ("Kab. Bima", ["Kabupaten Bima"]),
        ("kota bima", ["Kota Bima"]),
        ("Bima", ["Kabupaten Bima", "Kota Bima"]),
        ("Singaraja", ["Kabupaten Buleleng"]),
    ],
)
def test_places_have_their_full_names(name: str, full: list[str]) -> None:
    assert list(Wanted(places=(name, name)).places) == full


def fill(pantau: Pantau) -> None:
    """A channel and findings of the last days: two of one story, one old news, one elsewhere."""
    pantau.home.mkdir(parents=True, exist_ok=True)
    engine = open_database(f"sqlite:///{pantau.home / 'pantau.db'}")
    now = datetime.now(UTC)
    rows = [
        ("sanction", 1, False, "Bali", 0),
        ("sanction", 1, False, "Bali", 0),
        ("sanction", 2, False, "Papua", 0),
        ("sanction", 3, True, "Bali", 0),
        ("sanction", 4, False, "Bali", 9),
        ("allegation", 5, False, "Bali", 0),
    ]
    with Session(engine) as session, session.begin():
        session.add(models.Channel(name="tim", address=b"", created=now))
        for number, (kind, story, quiet, province, days) in enumerate(rows, 1):
            url = f"https://kabar.id/{number}"
            link = models.Link(
                url=url, address=url, outlet="nusabali", state=models.State.FOUND, discovered=now
            )
            session.add(link)
            session.flush()
            place = models.FindingPlace(
                position=0, code="51" if province == "Bali" else "94", level="province",
                name=province, province=province,
            )  # fmt: skip
            session.add(
                models.Finding(
                    link_id=link.id, url=url, outlet="nusabali", title=f"Judul {number}",
                    text="Lurah melanggar netralitas.", authors=[], published_inferred=False,
                    found=now - timedelta(days=days), fetched=now, tags=[], paid=False, kind=kind,
                    score=0.9, borderline=False, subjects=[], evidence=[], quiet=quiet,
                    story_id=story, places=[place],
                )
            )  # fmt: skip
    engine.dispose()


def test_a_rule_from_its_writing_to_its_end(pantau: Pantau, tmp_path: Path) -> None:
    fill(pantau)
    rules = ("alerts", "rules")
    added = pantau(
        *rules, "add", "sanksi", "--channel", "tim", "--kind", "sanction", "--place", "Bali",
        "--outlet", "nusabali", "--words", "netralitas AND lurah", "--quiet", "22:00-06:00",
        "--json",
    )  # fmt: skip
    assert (added.code, added.err) == (0, "")
    rule = added.json()
    assert rule["wanted"]["places"] == ["Bali"]
    assert len(rule["token"]) >= 40
    assert "netralitas AND lurah" in pantau(*rules).out

    tried = pantau(*rules, "try", "sanksi", "--json").json()
    assert (tried["would_send"], tried["stories"]) == (1, 1)
    assert [news["title"] for news in tried["news"]] == ["Judul 1"]
    assert pantau(*rules, "try", "sanksi", "--days", "30", "--json").json()["would_send"] == 2

    changed = pantau(
        *rules, "change", "sanksi", "--place", "", "--words", "", "--pace", "daily",
        "--name", "semua sanksi", "--json",
    ).json()  # fmt: skip
    assert changed == rule | {
        "name": "semua sanksi",
        "pace": "daily",
        "wanted": rule["wanted"] | {"places": [], "words": None},
    }
    tried = pantau(*rules, "try", "semua sanksi", "--json").json()
    assert tried["would_send"] == 3  # old news is for digests

    file = tmp_path / "rules.yaml"
    assert pantau(*rules, "export", str(file)).code == 0
    assert rule["token"] not in file.read_text("utf-8")
    text = file.read_text("utf-8").replace("pace: daily", "pace: hourly")
    file.write_text(f"{text}- name: baru\n", "utf-8")
    imported = pantau(*rules, "import", str(file), "--json").json()
    assert imported == {"added": ["baru"], "changed": ["semua sanksi"], "unchanged": []}
    assert pantau(*rules, "import", str(file), "--json").json()["unchanged"] == [
        "semua sanksi",
        "baru",
    ]
    now = {one["name"]: one for one in pantau(*rules, "--json").lines()}
    assert now["semua sanksi"] == changed | {"pace": "hourly"}
    assert now["baru"]["token"] != rule["token"]

    # nothing of a file is imported when something is wrong
    file.write_text("rules:\n- name: lain\n- name: salah\n  channel: tin\n", "utf-8")
    refused = pantau(*rules, "import", str(file))
    assert refused.code == 2
    assert "“salah”: there is no channel “tin”; did you mean tim?" in refused.err
    file.write_text("rules:\n- name: salah\n  wanted: {places: [Gianyarr]}\n", "utf-8")
    assert pantau(*rules, "import", str(file)).err.endswith("?\n")
    assert pantau(*rules, "remove", "baru", "--json").json() == {"removed": "baru"}
    assert [one["name"] for one in pantau(*rules, "--json").lines()] == ["semua sanksi"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--place", "Bulelng"], "did you mean Buleleng"),
        (["--words", "camat AND AND lurah"], "at character 11: camat AND ▸AND lurah"),
        (["--channel", "tim"], "there is no channel “tim”"),
        (["--outlet", "nusabal"], "did you mean nusabali"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    pantau: Pantau, arguments: list[str], says: str
) -> None:
    ran = pantau("alerts", "rules", "add", "aturan", *arguments, "--json")
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert says in ran.err


def test_every_command_has_an_example() -> None:
    for name, command in group.commands.items():
        assert f"pantau alerts rules {name}" in (command.help or "").split("Example:")[1]
        assert any(option.name == "as_json" for option in command.params)
