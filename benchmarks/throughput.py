"""Pages per second of a whole crawl, beside its rivals: python -m benchmarks.throughput [--json]

Sixteen outlets on loopback with pages of about 95 KB, of which none, 5 % or all are relevant,
served by nginx (where it is not installed, by Python's own server); on one core and on two, the
server's work included. Pantau discovers, claims, fetches, gates, extracts, judges and stores;
beside it, in turns:

- Scrapy alone fetches the pages and drops them, as it comes, which starts a hundred tasks for each
  page, and with CONCURRENT_ITEMS 1, as Pantau has it;
- Scrapy with trafilatura in an item pipeline, the usual way;
- news-please from PyPI, in an environment of its own: a process a core, one page after the other;
- two processes of trafilatura alone, which read the pages from the disk.

All ask one page at a time of each outlet, without delay; the slow ones get fewer pages. Each rate
is by its own clock: of a crawl from its first request to its last commit. CPU time counts all
processes of a command, their start included. Linux only.
"""

import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks.pages import Pages
from benchmarks.rivals import python_of
from settings import Settings

ROOT = Path(__file__).parent.parent
OUTLETS = 16
PANTAU = "Pantau"
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)

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


@dataclass(frozen=True)
class Sites:
    """The outlets' sites: `urls` and `files` of their pages, by turns."""

    folder: Path
    ports: Sequence[int]
    urls: Sequence[str]
    files: Sequence[str]
    catalogue: Path


def write_sites(folder: Path, ports: Sequence[int], count: int, relevant: float) -> Sites:
    """Write `count` pages, shared among the sites at `ports`, and a catalogue of them."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # nginx serves as another user
    pages = Pages(relevant)
    urls, files = [], []
    for number, label in enumerate(pages.labels(count)):
        port = ports[number % len(ports)]
        path = f"berita/{number}/{label}.html"
        file = folder / "sites" / str(port) / path
        file.parent.mkdir(parents=True)
        file.write_text(pages.page(label, number), "utf-8")
        urls.append(f"http://127.0.0.1:{port}/{path}")
        files.append(str(file))
    for number, port in enumerate(ports):
        entries = "".join(f"<url><loc>{url}</loc></url>" for url in urls[number :: len(ports)])
        site = folder / "sites" / str(port)
        (site / "sitemap.xml").write_text(f"<urlset>{entries}</urlset>", "utf-8")
        (site / "robots.txt").write_text("User-agent: *\nDisallow: /wp-admin/\n", "utf-8")
    catalogue = folder / "outlets.toml"
    rows = (
        f'[[outlet]]\nname = "outlet-{n}"\ntitle = "Outlet {n}"\ndomain = "127.0.0.1:{port}"\n'
        'scheme = "http"\nsources = [{sitemap = "/sitemap.xml"}]\n'
        for n, port in enumerate(ports)
    )
    catalogue.write_text("\n".join(rows), "utf-8")
    return Sites(folder, ports, urls, files, catalogue)


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
    """What one run came to: `seconds` by its own clock, `cpu` seconds of all its processes."""

    pages: int
    seconds: float
    cpu: float
    findings: int = 0

    @property
    def rate(self) -> float:
        return self.pages / self.seconds


def scrapy(sites: Sites, count: int, *options: str) -> Run:
    """Scrapy with benchmarks/bare.py, over the first `count` pages."""
    out, cpu = _ran([
        sys.executable, "-m", "scrapy", "runspider", ROOT / "benchmarks/bare.py",
        "-a", f"pages={_listed(sites, sites.urls[:count])}", *options,
    ], cwd=sites.folder)  # fmt: skip
    return _run_of(out, cpu)


def alone(python: str | Path, name: str, processes: int, sites: Sites, pages: Sequence[str]) -> Run:
    """benchmarks/alone.py, over `pages`."""
    out, cpu = _ran(
        [python, ROOT / "benchmarks/alone.py", name, str(processes), _listed(sites, pages)],
        cwd=sites.folder,
    )
    return _run_of(out, cpu)


def pantau(sites: Sites, count: int) -> Run:
    """A first crawl by a fresh installation, of `count` pages."""
    names = [part for n in range(OUTLETS) for part in ("--outlet", f"outlet-{n}")]
    with tempfile.TemporaryDirectory(prefix="pantau-") as home:
        out, cpu = _ran(
            [sys.executable, "-m", "cli", "crawl", "--json", *names,
             "--limit", str(count // OUTLETS)],
            cwd=ROOT,
            PANTAU_HOME=home,
            PANTAU_CATALOGUE=str(sites.catalogue),
            PANTAU_ALLOW_PRIVATE_ADDRESSES="true",
            PANTAU_DELAY="0",
            PANTAU_PARALLEL_OUTLETS=str(OUTLETS),
            PANTAU_WORKERS=str(len(os.sched_getaffinity(0))),
        )  # fmt: skip
    reports = json.loads(out)["outlets"]
    return Run(
        sum(report["fetched"] for report in reports),
        max(report["seconds"] for report in reports),  # all begin together
        cpu,
        sum(report["findings"] for report in reports),
    )


def _listed(sites: Sites, pages: Sequence[str]) -> Path:
    listed = sites.folder / "pages.txt"
    listed.write_text("\n".join(pages))
    return listed


def _run_of(out: str, cpu: float) -> Run:
    report = json.loads(out)
    return Run(report["pages"], report["seconds"], cpu)


def _ran(arguments: Sequence[str | Path], cwd: Path, **settings: str) -> tuple[str, float]:
    """What a command printed, and the CPU seconds of it and of all that it started."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PANTAU_")} | settings
    others, spent = _children(), _cpu()
    ran = subprocess.run(
        arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    for orphan in _children() - others:  # they are about to end
        os.waitpid(orphan, 0)
    if ran.returncode:
        raise click.ClickException(ran.stderr + ran.stdout)
    return ran.stdout, _cpu() - spent


def _children() -> set[int]:
    return set(map(int, Path("/proc/self/task", str(os.getpid()), "children").read_text().split()))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --- the comparison -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """Medians over the rounds of one contestant, on `cores` and with a `relevant` share of pages;
    `ratio` is how fast Pantau was beside it, with the least and the most, round by round."""

    cores: int
    relevant: float
    name: str
    pages: int
    findings: int
    pages_per_second: float
    cpu_milliseconds: float
    """… a page."""
    ratio: float
    ratio_range: tuple[float, float]


def contestants(
    sites: Sites, relevant: float, cores: int, pages: int, news_please: Path | None
) -> dict[str, Callable[[], Run]]:
    """What is run, Pantau last. What takes 10 ms and more a page gets a quarter of the pages."""
    few = pages // 4 // OUTLETS * OUTLETS
    runs = {
        "Scrapy alone": lambda: scrapy(sites, pages),
        "Scrapy, 1 item": lambda: scrapy(sites, pages, "-s", "CONCURRENT_ITEMS=1"),
        "Scrapy and trafilatura": lambda: scrapy(sites, few, "-a", "extract=yes"),
        "2 × trafilatura alone": lambda: alone(
            sys.executable, "trafilatura", 2, sites, sites.files[:few]
        ),
    }
    if news_please:
        runs["news-please"] = lambda: alone(
            news_please, "news-please", cores, sites, sites.urls[: few // 4]
        )
    return runs | {PANTAU: lambda: pantau(sites, few if relevant == 1 else pages)}


def compare(cores: int, relevant: float, turns: Sequence[dict[str, Run]]) -> list[Figures]:
    """The figures of each contestant in `turns`."""
    rows = []
    for name in turns[0]:
        runs = [turn[name] for turn in turns]
        ratios = [turn[PANTAU].rate / turn[name].rate for turn in turns]
        rows.append(
            Figures(
                cores,
                relevant,
                name,
                runs[0].pages,
                runs[0].findings,
                statistics.median(run.rate for run in runs),
                statistics.median(1000 * run.cpu / run.pages for run in runs),
                statistics.median(ratios),
                (min(ratios), max(ratios)),
            )
        )
    return rows


@click.command()
@click.option("--pages", default=1600, show_default=True, help="How many pages, of all outlets.")
@click.option("--rounds", default=1, show_default=True, help="How often each has its turn.")
@click.option("--relevant", multiple=True, type=click.Choice(["0", "5", "100"]), help="Per cent.")
@click.option("--cores", multiple=True, type=click.IntRange(1), help="On how many.")
@click.option(
    "--rivals/--no-rivals", "with_rivals", default=True,
    help="Whether news-please is measured, too (it is installed once).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(
    pages: int,
    rounds: int,
    relevant: Sequence[str],
    cores: Sequence[int],
    with_rivals: bool,
    as_json: bool,
) -> None:
    """Measures a whole crawl beside Scrapy, trafilatura and news-please."""
    pages -= pages % OUTLETS
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and stop what was started
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)  # what outlives its parent is waited for here
    rival = python_of("news-please", Settings().home / "benchmarks") if with_rivals else None
    ours = sorted(os.sched_getaffinity(0))
    rows: list[Figures] = []
    with tempfile.TemporaryDirectory(prefix="pantau-throughput-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for share in [int(per_cent) / 100 for per_cent in relevant or ("0", "5", "100")]:
            sites = write_sites(folder / f"{share}", free_ports(OUTLETS), pages, share)
            for number in cores or (1, 2):
                os.sched_setaffinity(0, ours[:number])
                with serving(sites.folder, sites.ports) as server:
                    runs = contestants(sites, share, number, pages, rival)
                    turns = [{who: run() for who, run in runs.items()} for _ in range(rounds)]
                os.sched_setaffinity(0, ours)
                figures = compare(number, share, turns)
                rows += figures
                if not as_json:
                    show(figures, server, rounds)
    if as_json:
        report = {"server": server, "rounds": rounds, "runs": [asdict(row) for row in rows]}
        click.echo(json.dumps(report))


def show(rows: Sequence[Figures], server: str, rounds: int) -> None:
    """Print the table of one share of relevant pages on one number of cores."""
    table = Table("", "pages", "findings", "pages/s", "CPU ms a page", "Pantau to it")
    first = rows[0]
    table.title = f"{first.relevant:.0%} relevant, cores: {first.cores}, {server}, rounds: {rounds}"
    for row in rows:
        low, high = row.ratio_range
        table.add_row(
            row.name,
            str(row.pages),
            str(row.findings or ""),
            f"{row.pages_per_second:.0f}",
            f"{row.cpu_milliseconds:.2f}",
            f"{row.ratio:.2f} ({low:.2f} to {high:.2f})" if row.name != PANTAU else "",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
