"""The house in order: documents in step with the code, locks whole, imports downward."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import click
import pytest
from packaging.requirements import Requirement

from cli import pantau
from crawler.outlets.catalogue import load, spiders
from crawler.sources import Archive, DateArchive, Feed, Index, Search, Sitemap, WordPress
from settings import Settings
from tests.conftest import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def shown(default: Any) -> str:
    """A setting's default as docs/settings.md writes it."""
    if default in (None, "", {}):
        return "none"
    if isinstance(default, bool):
        return f"`{default}`".lower()
    if isinstance(default, Path):
        return f"`{default.relative_to(ROOT)}`"
    return f"`{str(default).removesuffix(':00') if ':' in str(default) else default}`"


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `(PANTAU_\w+)` \| (.+?) \|", read("docs/settings.md"), re.MULTILINE)
    fields = Settings.model_fields.items()
    assert rows == [(f"PANTAU_{name.upper()}", shown(field.default)) for name, field in fields]


def test_documents_name_no_setting_that_does_not_exist() -> None:
    known = {f"PANTAU_{name.upper()}" for name in Settings.model_fields}
    files = [*DOCUMENTS, ROOT / "docker-compose.yml", ROOT / "Dockerfile"]
    for file in files:
        assert set(re.findall(r"PANTAU_[A-Z_]+\b(?!…)", file.read_text("utf-8"))) <= known, file


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Of each package in a lock file: its requirement, and how many hashes it has."""
    blocks = re.findall(r"^\S.*?(?=^\S|\Z)", read(name), re.MULTILINE | re.DOTALL)
    requirements = [block for block in blocks if not block.startswith("#")]
    return {
        Requirement(text := block.split("\\")[0].strip()).name: (
            text,
            len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block)),
        )
        for block in requirements
    }


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_exact_have_hashes_and_name_no_host(name: str) -> None:
    assert "://" not in read(name)
    assert not re.search(r"^-", read(name), re.MULTILINE)
    packages = locked(name)
    assert {"scrapy", "sqlalchemy", "hatchling"} <= packages.keys()
    for requirement, hashes in packages.values():
        assert "==" in requirement
        assert hashes, requirement


def test_the_two_locks_agree() -> None:
    run, dev = locked(LOCKS[0]), locked(LOCKS[1])
    assert {name: run[name][0] for name in run} == {name: dev[name][0] for name in run}


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    groups = project["dependency-groups"]
    run = [*project["project"]["dependencies"], *groups["build"]]
    dev = [*run, *(item for item in groups["dev"] if isinstance(item, str))]
    for name, wanted in zip(LOCKS, (run, dev), strict=True):
        packages = locked(name)
        for requirement in map(Requirement, wanted):
            key = requirement.name.replace("_", "-").lower()
            assert key in packages, f"{requirement} is not in {name}: make lock"
            version = Requirement(packages[key][0]).specifier
            (pin,) = version
            assert requirement.specifier.contains(pin.version), f"{requirement}: make lock"


def test_every_dependency_is_imported() -> None:
    # these are loaded by another's name: the database driver, the time zones, trafilatura's part,
    # what reads FastAPI's forms
    unseen = {"psycopg", "tzdata", "lxml-html-clean", "python-multipart"}
    rooms = tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    files = [file for room in rooms["include"] for file in [ROOT / room, *(ROOT / room).rglob("*")]]
    code = "\n".join(file.read_text("utf-8") for file in files if file.suffix == ".py")
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", code, re.MULTILINE))
    distributions = packages_distributions()
    used = {
        name.replace("_", "-").lower()
        for module in imported
        for name in distributions.get(module, [])
    }
    project = tomllib.loads(read("pyproject.toml"))["project"]
    wanted = {Requirement(item).name.replace("_", "-") for item in project["dependencies"]}
    assert wanted - used == unseen


def test_imports_run_downward_only() -> None:
    ran = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert " 0 broken" in ran.stdout


def test_documents_name_only_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    named = set()
    for file in DOCUMENTS:
        for line in re.findall(
            r"(?:^    |`|/)make ([a-z]+)", file.read_text("utf-8"), re.MULTILINE
        ):
            named.add(line)
    assert {"run", "test", "demo", "setup", "check", "lock"} <= named <= targets


@pytest.mark.parametrize("name", ["pantau", *pantau.commands])
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    arguments = [] if name == "pantau" else [name]
    ran = subprocess.run(
        [Path(sys.executable).with_name("pantau"), *arguments, "--help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0
    if arguments:
        assert "Example:" in ran.stdout
        assert f"pantau {name}" in ran.stdout.split("Example:")[1]
    else:
        assert all(command in ran.stdout for command in pantau.commands)


def test_the_readme_has_every_command_and_option() -> None:
    table = read("README.md").split("## Commands")[1].split("\n## ")[0]
    for name, command in pantau.commands.items():
        (row,) = re.findall(rf"^\| `pantau {name}\b.*", table, re.MULTILINE)
        for option in command.params:
            if isinstance(option, click.Option) and option.name != "as_json" and not option.hidden:
                assert option.opts[0] in row, f"{name} {option.opts[0]}"


def test_every_declared_outlet_is_documented() -> None:
    table = read("docs/outlets.md")
    for name, spider in spiders().items():
        if spider.__module__.startswith("spiders."):
            assert f"| `{name}` | {spider.outlet.title}" in table


def test_the_catalogue_in_the_documentation_can_be_used(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", read("docs/outlets.md"), re.DOTALL)
    path = tmp_path / "outlets.toml"
    path.write_text(example, "utf-8")
    kinds = {type(source) for spider in load(path) for source in (*spider.sources, *spider.past)}
    assert kinds == {Archive, DateArchive, Feed, Index, Search, Sitemap, WordPress}


def test_links_between_documents_lead_somewhere() -> None:
    for file in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text("utf-8")):
            assert (file.parent / target).exists(), f"{file.name}: {target}"


def compose(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", "--file", ROOT / "docker-compose.yml", "config", "--format", "json"],
        capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        | {name: os.environ[name] for name in ("DOCKER_CONFIG",) if name in os.environ}
        | environment,
    )  # fmt: skip


def test_docker_compose_accepts_its_file() -> None:
    if not shutil.which("docker"):
        pytest.skip("docker is not installed")
    if subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    ).returncode:
        pytest.skip("docker has no compose plugin")
    assert compose().returncode == 0  # PostgreSQL itself refuses to start without a password
    ran = compose(POSTGRES_PASSWORD="any /one", PANTAU_CONTACT="mailto:you@example.org")  # noqa: S106
    assert ran.returncode == 0, ran.stderr
    services = json.loads(ran.stdout)["services"]
    assert set(services) == {"redis", "postgres", "pantau", "worker"}
    assert [name for name in services if "ports" in services[name]] == ["pantau"]
    run, worker = services["pantau"], services["worker"]
    for service in (run, worker):
        waits_for = service["depends_on"].items()
        assert {(name, how["condition"]) for name, how in waits_for} == {
            ("redis", "service_healthy"),
            ("postgres", "service_healthy"),
        }
        assert service["environment"]["PANTAU_QUEUE"] == "true"
    # one of the workers may not have what another needs: a name, a log
    assert "container_name" not in worker
    shared = {volume["target"] for volume in worker["volumes"] if not volume.get("read_only")}
    assert worker["environment"]["PANTAU_HOME"] not in shared | {"/var/lib/pantau"}
    settings = {name: worker["environment"].get(name) for name in run["environment"]}
    assert settings == run["environment"]
    pantau.commands[worker["command"][0]].make_context("worker", worker["command"][1:])


def test_the_image_has_every_room() -> None:
    rooms = tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    kept = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    beside = {"pyproject.toml", "requirements.lock", "README.md", "LICENSE", "scrapy.cfg"}
    assert kept == {*rooms["include"], *beside}
