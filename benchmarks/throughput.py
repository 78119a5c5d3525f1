"""Pages per second of a whole crawl, against Scrapy alone: python -m benchmarks.throughput [--json]

Sixteen outlets on loopback with pages of about 95 KB, 5 % of them relevant, served by nginx (where
it is not installed, by Python's own server). Scrapy alone fetches the pages and drops them; Pantau
discovers, claims, fetches, gates, extracts, judges and stores. Both ask one page at a time of each
outlet, without delay, in turns. Scrapy alone runs once as it comes, which starts a hundred tasks
for each page, and once with CONCURRENT_ITEMS 1, as Pantau has it. The rate is of the crawl itself,
from its first request to its last commit, by each one's own clock; "command" counts the start of
the processes too.
"""

import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.pages import Pages

ROOT = Path(__file__).parent.parent
OUTLETS = 16

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; keepalive_requests 100000;
  client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp;
  fastcgi_temp_path {folder}/temp; uwsgi_temp_path {folder}/temp; scgi_temp_path {folder}/temp;
  types {{ text/html html; application/xml xml; text/plain txt; }}
  server {{ {listen} root {folder}/sites/$server_port; }}
}}
"""


# --- the sites ------------------------------------------------------------------------------------


def write_sites(folder: Path, ports: Sequence[int], count: int) -> list[str]:
    """Write `count` pages, shared among the sites at `ports`; gives their addresses, by turns."""
    pages = Pages()
    urls: dict[int, list[str]] = {port: [] for port in ports}
    for number, label in enumerate(pages.labels(count)):
        port = ports[number % len(ports)]
        path = f"berita/{number}/{label}.html"
        file = folder / "sites" / str(port) / path
        file.parent.mkdir(parents=True)
        file.write_text(pages.page(label, number), "utf-8")
        urls[port].append(f"http://127.0.0.1:{port}/{path}")
    for port, own in urls.items():
        entries = "".join(f"<url><loc>{url}</loc></url>" for url in own)
        site = folder / "sites" / str(port)
        (site / "sitemap.xml").write_text(f"<urlset>{entries}</urlset>", "utf-8")
        (site / "robots.txt").write_text("User-agent: *\nDisallow: /wp-admin/\n", "utf-8")
    return [url for turn in zip(*urls.values(), strict=True) for url in turn]


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def serving(folder: Path, ports: Sequence[int]) -> Iterator[str]:
    """Serve the sites in `folder`; gives the server's name."""
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx:
        listen = " ".join(f"listen 127.0.0.1:{port};" for port in ports)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, listen=listen))
        commands = [[nginx, "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]]
    else:
        commands = [
            [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1",
             "--directory", str(folder / "sites" / str(port)), "--protocol", "HTTP/1.1"]
            for port in ports
        ]  # fmt: skip
    processes = [subprocess.Popen(c, stderr=subprocess.DEVNULL) for c in commands]
    try:
        for port in ports:
            _wait_for(f"http://127.0.0.1:{port}/robots.txt")
        yield "nginx" if nginx else "http.server"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _wait_for(url: str) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            time.sleep(0.1)
    raise click.ClickException(f"{url} is not served.")


# --- the runs -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What one crawl came to: `seconds` by its own clock, `command` from start to exit, `cpu`
    seconds of all its processes."""

    pages: int
    findings: int
    seconds: float
    command: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.pages / self.seconds


def scrapy_alone(urls: Path, concurrent_items: int) -> Run:
    out, command, cpu = _ran(
        [sys.executable, "-m", "scrapy", "runspider", ROOT / "benchmarks/bare.py",
         "-a", f"pages={urls}", "-s", f"CONCURRENT_ITEMS={concurrent_items}"],
        cwd=urls.parent,
    )  # fmt: skip
    report = json.loads(out)
    return Run(report["pages"], 0, report["seconds"], command, cpu)


def pantau(catalogue: Path) -> Run:
    """A first crawl by a fresh installation."""
    names = [part for n in range(OUTLETS) for part in ("--outlet", f"outlet-{n}")]
    with tempfile.TemporaryDirectory(prefix="pantau-") as home:
        out, command, cpu = _ran(
            [sys.executable, "-m", "cli", "crawl", "--json", *names],
            cwd=ROOT,
            PANTAU_HOME=home,
            PANTAU_CATALOGUE=str(catalogue),
            PANTAU_ALLOW_PRIVATE_ADDRESSES="true",
            PANTAU_DELAY="0",
            PANTAU_PARALLEL_OUTLETS=str(OUTLETS),
        )
    reports = json.loads(out)["outlets"]
    return Run(
        sum(report["fetched"] for report in reports),
        sum(report["findings"] for report in reports),
        max(report["seconds"] for report in reports),  # all begin together
        command,
        cpu,
    )


def _ran(arguments: Sequence[str | Path], cwd: Path, **settings: str) -> tuple[str, float, float]:
    """What a command printed, its seconds from start to exit, and its CPU seconds."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PANTAU_")} | settings
    began, spent = time.monotonic(), _cpu()
    ran = subprocess.run(
        arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise click.ClickException(ran.stderr + ran.stdout)
    return ran.stdout, time.monotonic() - began, _cpu() - spent


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_catalogue(path: Path, ports: Sequence[int]) -> None:
    rows = (
        f'[[outlet]]\nname = "outlet-{n}"\ntitle = "Outlet {n}"\ndomain = "127.0.0.1:{port}"\n'
        'scheme = "http"\nsources = [{sitemap = "/sitemap.xml"}]\n'
        for n, port in enumerate(ports)
    )
    path.write_text("\n".join(rows), "utf-8")


@click.command()
@click.option("--pages", default=4032, show_default=True, help="How many pages, of all outlets.")
@click.option("--rounds", default=3, show_default=True, help="How often each crawls them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(pages: int, rounds: int, as_json: bool) -> None:
    """Measures a whole crawl against Scrapy alone."""
    pages -= pages % OUTLETS
    with tempfile.TemporaryDirectory(prefix="pantau-throughput-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx serves as another user
        ports = free_ports(OUTLETS)
        urls, catalogue = folder / "urls.txt", folder / "outlets.toml"
        urls.write_text("\n".join(write_sites(folder, ports, pages)))
        write_catalogue(catalogue, ports)
        with serving(folder, ports) as server:
            runs = [
                (scrapy_alone(urls, 100), scrapy_alone(urls, 1), pantau(catalogue))
                for _ in range(rounds)
            ]
    if any(run.pages != pages for turn in runs for run in turn):
        raise click.ClickException(f"Not every page was fetched: {runs}")
    as_it_comes, one_item, whole = zip(*runs, strict=True)
    rows = [
        _figures("Scrapy alone", as_it_comes, whole),
        _figures("Scrapy, 1 item", one_item, whole),
        _figures("Pantau", whole, whole),
    ]
    if as_json:
        click.echo(json.dumps({"server": server, "pages": pages, "rounds": rounds, "runs": rows}))
        return
    table = Table("", "findings", "pages/s", "command, s", "CPU, s", "Pantau to it")
    table.title = f"{pages} pages from {server}, medians of {rounds} rounds"
    for row in rows:
        low, high = row["ratio_range"]
        table.add_row(
            row["name"],
            str(row["findings"]),
            f"{row['pages_per_second']:.0f}",
            f"{row['command_seconds']:.1f}",
            f"{row['cpu_seconds']:.1f}",
            f"{row['ratio']:.2f} ({low:.2f} to {high:.2f})" if row["name"] != "Pantau" else "",
        )
    Console().print(table)


def _figures(name: str, runs: Sequence[Run], whole: Sequence[Run]) -> dict[str, Any]:
    """The medians of `runs`, and how fast the `whole` crawls were beside them, turn by turn."""
    ratios = [b.rate / a.rate for a, b in zip(runs, whole, strict=True)]
    return {
        "name": name,
        "findings": runs[0].findings,
        "pages_per_second": statistics.median(run.rate for run in runs),
        "command_seconds": statistics.median(run.command for run in runs),
        "cpu_seconds": statistics.median(run.cpu for run in runs),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }


if __name__ == "__main__":
    main()
