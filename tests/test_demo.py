"""`make demo`: the five sites are crawled, and every relevant article is found, with its kind."""

import re
import subprocess
import sys
from datetime import UTC, datetime

from demo.sites import SITES
from tests.conftest import ROOT


def test_the_demo_finds_every_relevant_article_and_nothing_else() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=170
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    first, second = ran.stdout.split("Again:")
    articles = [a for site in SITES.values() for a in site.articles(datetime.now(UTC))]
    relevant = {a.title: a.kind for a in articles if a.label == "relevant"}
    found = dict(re.findall(r"^\d+\. (.+)\n   [\w-]+, (\w+),", first, re.MULTILINE))
    assert found == relevant
    for outlet in SITES:  # the second crawl fetches and finds nothing
        assert re.search(rf"│ {outlet} +│ +\d+ │ +0 │ +0 │ +0 │ +0 │ +0 │", second)
