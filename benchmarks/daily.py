"""What a daily crawl of many outlets costs: python -m benchmarks.daily [--polite] [--json]

N outlets on loopback, each at an address of its own (127.0.x.y: Linux only), played by one nginx:
robots.txt, a feed with validators, pages of about 95 KB, sent gzipped, 5 % of them relevant. Each
outlet's first crawl fills the database; then comes a day with nothing new and a day on which every
outlet has 20 new articles. Requests and bytes are read from the server's log, seconds from the
clock (the whole command, from its start to its exit), memory from /proc: the proportional set size
of the crawl, of its workers and of its private Redis server, every half second. From several
numbers of outlets it tells how each grows with an outlet more (least squares).

Without --polite there is no delay: what a day costs. With it, the two days are crawled with a
second between requests, as outlets are by default: how long a day takes.
"""

import gzip
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import cycle
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.pages import Pages
from benchmarks.throughput import free_ports

ROOT = Path(__file__).parent.parent
OUTLETS = (50, 100, 200, 400)
POOL = {"relevant": 16, "decoy": 19, "filler": 65}  # pages written; the outlets share them
LISTED = 40  # articles in a feed
SAMPLE_SECONDS = 0.5
ENDED = (FileNotFoundError, ProcessLookupError)  # a process may end while it is looked at
MB = 1_000_000

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  log_format requests '$msec $status $request_length $bytes_sent $request_uri';
  access_log {folder}/requests.log requests;
  sendfile on; gzip_static on; keepalive_requests 100000;
  client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp;
  fastcgi_temp_path {folder}/temp; uwsgi_temp_path {folder}/temp; scgi_temp_path {folder}/temp;
  types {{ text/html html; application/rss+xml xml; text/plain txt; }}
  server {{
    {listen}
    root {folder}/sites/$server_addr;
    location /berita/ {{
      root {folder}/pages;
      rewrite "^/berita/[0-9]+/([a-z]+-[0-9]+)$" /$1.html break;
    }}
  }}
}}
"""
FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Outlet</title><link>{base}/</link>{items}</channel></rss>
"""
ITEM = """
<item><title>Berita nomor {number}</title><link>{base}/berita/{number}/{page}</link>
<guid isPermaLink="false">{base}/?p={number}</guid><pubDate>{published}</pubDate>
<description><![CDATA[<p>Kutipan berita nomor {number}, seperti yang ada di umpan. […]</p>]]>
</description></item>"""


# --- the sites ------------------------------------------------------------------------------------


class Sites:
    """The outlets at `addresses`, and what they have published so far."""

    def __init__(self, folder: Path, addresses: Sequence[str], port: int) -> None:
        self.addresses = addresses
        self._folder = folder
        self._port = port
        self._pages = Pages()
        self._names = {
            label: cycle([f"{label}-{n}" for n in range(count)]) for label, count in POOL.items()
        }
        self._items: dict[str, list[str]] = {address: [] for address in addresses}
        (folder / "pages").mkdir()
        for label, count in POOL.items():
            for n in range(count):
                page = self._pages.page(label, n)
                _write(folder / "pages" / f"{label}-{n}.html", page)
        for address in addresses:
            site = folder / "sites" / address
            site.mkdir(parents=True)
            _write(site / "robots.txt", "User-agent: *\nDisallow: /wp-admin/\n")

    def base(self, address: str) -> str:
        return f"http://{address}:{self._port}"

    def publish(self, count: int) -> None:
        """Each outlet has `count` new articles, and its feed says so."""
        now = datetime.now(UTC)
        for address, items in self._items.items():
            for label in self._pages.labels(count):
                published = now - timedelta(minutes=count)
                item = ITEM.format(
                    base=self.base(address),
                    number=len(items),
                    page=next(self._names[label]),
                    published=format_datetime(published),
                )
                items.append(item)
            feed = FEED.format(base=self.base(address), items="".join(items[::-1][:LISTED]))
            _write(self._folder / "sites" / address / "feed.xml", feed)

    def write_catalogue(self, path: Path) -> list[str]:
        """A catalogue of the outlets; gives their names."""
        names = [f"outlet-{n}" for n in range(len(self.addresses))]
        rows = (
            f'[[outlet]]\nname = "{name}"\ntitle = "{name}"\n'
            f'domain = "{address}:{self._port}"\nscheme = "http"\n'
            'sources = [{feed = "/feed.xml"}]\n'
            for name, address in zip(names, self.addresses, strict=True)
        )
        path.write_text("\n".join(rows), "utf-8")
        return names


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(text.encode(), 6))


@contextmanager
def serving(folder: Path, addresses: Sequence[str], port: int) -> Iterator[None]:
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if not nginx:
        raise click.ClickException("It needs nginx: apt-get install nginx-light.")
    listen = " ".join(f"listen {address}:{port};" for address in addresses)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, listen=listen))
    log = folder / "nginx.log"
    process = subprocess.Popen([nginx, "-c", folder / "nginx.conf", "-e", log])
    try:
        while not (folder / "nginx.pid").exists():
            if process.poll() is not None:
                raise click.ClickException(log.read_text())
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


# --- what is measured -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What a crawl cost. `requests` are all of them, apart: those for `robots` (robots.txt), those
    for feeds that were `unchanged` (304) or `read`, and for `articles`; `sent` and `received` are
    the bytes of requests and answers, headers and all; `seconds` from the command's start to its
    exit, `crawl_seconds` from the first answer to the last, `cpu` seconds of the command and its
    workers; the peaks of memory in bytes: of the crawl's `own` process, its `workers`, its `redis`
    server and of all together (`memory`)."""

    requests: int
    robots: int
    unchanged: int
    read: int
    articles: int
    sent: int
    received: int
    seconds: float
    crawl_seconds: float
    cpu: float
    own: int
    workers: int
    redis: int
    memory: int
    findings: int
    errors: int


def measured(sites: Sites, folder: Path, home: Path, delay: float) -> Cost:
    """Crawl the sites once."""
    catalogue, log = home / "outlets.toml", folder / "requests.log"
    names = sites.write_catalogue(catalogue)
    os.truncate(log, 0)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PANTAU_")} | {
        "PANTAU_HOME": str(home),
        "PANTAU_CATALOGUE": str(catalogue),
        "PANTAU_ALLOW_PRIVATE_ADDRESSES": "true",
        "PANTAU_DELAY": str(delay),
    }
    command = [sys.executable, "-m", "cli", "crawl", "--json"]
    for name in names:
        command += ["--outlet", name]
    began, spent = time.monotonic(), _cpu()
    with (
        (home / "report.json").open("w+") as out,
        (home / "stderr").open("w+") as err,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=err) as process,
    ):
        peaks: Counter[str] = Counter()
        while process.poll() is None:
            peaks |= _memory(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(SAMPLE_SECONDS)
        seconds, cpu = time.monotonic() - began, _cpu() - spent
        out.seek(0)
        err.seek(0)
        try:
            reports = json.load(out)["outlets"]
        except ValueError:
            raise click.ClickException(err.read()) from None
    requests = [line.split() for line in log.read_text().splitlines()]
    moments = [float(request[0]) for request in requests]
    kinds = Counter(_kind(status, path) for _, status, _, _, path in requests)
    return Cost(
        requests=len(requests),
        robots=kinds["robots"],
        unchanged=kinds["unchanged"],
        read=kinds["read"],
        articles=kinds["articles"],
        sent=sum(int(request[2]) for request in requests),
        received=sum(int(request[3]) for request in requests),
        seconds=seconds,
        crawl_seconds=max(moments) - min(moments),
        cpu=cpu,
        own=peaks["own"],
        workers=peaks["workers"],
        redis=peaks["redis"],
        memory=peaks["memory"],
        findings=sum(report["findings"] for report in reports),
        errors=sum(report["errors"] for report in reports),
    )


def _kind(status: str, path: str) -> str:
    if path == "/robots.txt":
        return "robots"
    if path == "/feed.xml":
        return "unchanged" if status == "304" else "read"
    return "articles" if status == "200" else "others"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(crawl: int) -> Counter[str]:
    """The proportional set size, in bytes, of the process `crawl` and of those it started."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(*ENDED):
            # the name, in parentheses, may hold anything
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    sizes: Counter[str] = Counter()
    family = [crawl]
    for pid in family:  # grows as it is read
        family += [child for child, parent in parents.items() if parent == pid]
        with suppress(*ENDED):
            kilobytes = re.search(r"^Pss:\s+(\d+)", _proc(pid, "smaps_rollup"), re.MULTILINE)
            is_redis = re.match("valkey|redis", _proc(pid, "comm"))
            kind = "own" if pid == crawl else "redis" if is_redis else "workers"
            sizes[kind] += int(kilobytes[1]) * 1024 if kilobytes else 0
    sizes["memory"] = sizes.total()
    return sizes


def _proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


# --- the days -------------------------------------------------------------------------------------


def days(outlets: int, articles: int, polite: bool) -> dict[str, Cost]:
    """Three crawls of as many outlets: the first, one with nothing new, one with new articles."""
    delay = 1 if polite else 0
    with tempfile.TemporaryDirectory(prefix="pantau-daily-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx serves as another user
        home = folder / "home"
        home.mkdir(0o700)
        addresses = [f"127.0.{1 + n // 250}.{1 + n % 250}" for n in range(outlets)]
        [port] = free_ports(1)
        sites = Sites(folder, addresses, port)
        sites.publish(articles)
        with serving(folder, addresses, port):
            costs = {"first": measured(sites, folder, home, 0)}
            costs["nothing new"] = measured(sites, folder, home, delay)
            sites.publish(articles)
            costs[f"{articles} new each"] = measured(sites, folder, home, delay)
    for day, expected in zip(costs.values(), (articles, 0, articles), strict=True):
        if day.articles != expected * outlets:
            raise click.ClickException(f"Not every article was fetched, once: {day}")
    return costs


def growth(costs: dict[int, Cost]) -> dict[str, float]:
    """By how much each figure grows with an outlet more: the slope of the least squares."""
    figures = {outlets: asdict(cost) for outlets, cost in costs.items()}
    sizes = list(figures)
    return {
        name: statistics.linear_regression(sizes, [figures[n][name] for n in sizes]).slope
        for name in figures[sizes[0]]
    }


@click.command()
@click.option(
    "--outlets", "sizes", multiple=True, default=OUTLETS, show_default=True, metavar="N",
    type=click.IntRange(1, 60_000), help="How many outlets; repeatable.",
)  # fmt: skip
@click.option("--articles", default=20, show_default=True, help="How many new ones of each outlet.")
@click.option("--polite", is_flag=True, help="Wait a second between requests, as by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def main(sizes: tuple[int, ...], articles: int, polite: bool, as_json: bool) -> None:
    """Measures a daily crawl of many outlets."""
    runs = {outlets: days(outlets, articles, polite) for outlets in sorted(set(sizes))}
    names = list(next(iter(runs.values())))
    by_day = {day: {outlets: costs[day] for outlets, costs in runs.items()} for day in names}
    slopes = {day: growth(costs) for day, costs in by_day.items()} if len(runs) > 1 else {}
    if as_json:
        click.echo(
            json.dumps(
                {
                    "polite": polite,
                    "days": {
                        day: [{"outlets": n, **asdict(cost)} for n, cost in costs.items()]
                        for day, costs in by_day.items()
                    },
                    "growth": slopes,
                }
            )
        )
        return
    _print(by_day, slopes)


def _print(by_day: dict[str, dict[int, Cost]], slopes: dict[str, dict[str, float]]) -> None:
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    columns = ("", "outlets", "asked", "304", "MB", "seconds", "CPU", "own", "workers", "all")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for day, costs in by_day.items():
        for outlets, cost in costs.items():
            table.add_row(day, str(outlets), *_cells(asdict(cost), 0))
        if slopes:
            table.add_row("", "+ 1", *_cells(slopes[day], 2))
        table.add_section()
    Console().print(table)
    print(
        "asked: requests; 304: feeds unchanged; MB: of answers; CPU: seconds of it; own, workers,\n"
        "all: peaks of memory in MB; + 1: with each outlet more."
    )
    if errors := sum(cost.errors for costs in by_day.values() for cost in costs.values()):
        print(f"{errors} errors.")


def _cells(figures: dict[str, float], digits: int) -> list[str]:
    def number(name: str, unit: float = 1, places: int = digits) -> str:
        return f"{figures[name] / unit:.{places}f}"

    return [
        number("requests"),
        number("unchanged"),
        number("received", MB, max(digits, 1)),
        number("seconds", places=max(digits, 1)),
        number("cpu", places=max(digits, 1)),
        *(number(name, MB) for name in ("own", "workers", "memory")),
    ]


if __name__ == "__main__":
    main()
