"""Rivals from PyPI, each in a virtual environment of its own, never among our dependencies."""

import subprocess
import sys
import venv
from pathlib import Path

PINS = {
    "newspaper4k": ["newspaper4k==0.9.6", "lxml==6.1.3", "lxml_html_clean==0.4.6"],
    "news-please": [
        "news-please==1.6.16",
        "newspaper4k==0.9.6",
        "lxml==6.1.3",
        "lxml_html_clean==0.4.6",
    ],
    "scrapy-redis": ["scrapy-redis==0.9.1", "Scrapy==2.19.0", "redis==8.1.0"],
}


def python_of(name: str, folder: Path) -> Path:
    """The interpreter of the environment in `folder` that has the rival `name`; it is installed at
    the first time. Raises RuntimeError."""
    home, pins = folder / name, "\n".join(PINS[name])
    ready = home / "pins"
    if not (ready.exists() and ready.read_text() == pins):
        print(f"Installing {name} into {home} …", file=sys.stderr)
        venv.create(home, clear=True, with_pip=True)
        pip = [str(home / "bin/python"), "-m", "pip", "install", "--quiet", *PINS[name]]
        ran = subprocess.run(pip, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"{name} cannot be installed:\n{ran.stderr[-2000:]}")
        ready.write_text(pins)
    return home / "bin/python"
