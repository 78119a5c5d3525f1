"""Many outlets, played by one process: python -m tests.outlets ADDRESS ARTICLES LOG

Each has a port of its own, robots.txt, a feed and articles, of which the first is relevant. LOG
gets a line for every request: when it came and when it was answered, and from where.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

FIRST_PORT = 8001
ANSWER_SECONDS = 0.1
RELEVANT = (
    "Bawaslu memeriksa seorang camat yang diduga melanggar netralitas ASN karena hadir dalam "
    "kampanye calon bupati nomor urut satu di {place} pada hari Minggu."
)
OTHER = "Harga cabai di pasar {place} turun menjelang akhir pekan, kata para pedagang di lapaknya."


@dataclass(frozen=True)
class Asked:
    """A request; `came` and `answered` are `time.monotonic()` of this machine, which has one for
    all its processes. `port` is the client's."""

    outlet: str
    path: str
    client: str
    port: int
    came: float
    answered: float


@dataclass(frozen=True)
class Outlets:
    """Those at `address`: `articles` says how many each has."""

    address: str
    articles: tuple[int, ...]

    def names(self) -> list[str]:
        return [f"kabar{number}" for number in range(len(self.articles))]

    def url(self, number: int) -> str:
        return f"http://{self.address}:{FIRST_PORT + number}"

    def catalogue(self) -> str:
        from tests.conftest import row  # loads what the server has no use for

        rows = (row(n, self.url(i), '[{feed = "/feed"}]') for i, n in enumerate(self.names()))
        return "".join(rows)

    def relevant(self) -> list[str]:
        """The addresses of what is to be found."""
        return [self.url(number) + _path(0) for number in range(len(self.articles))]

    def page(self, number: int, path: str) -> str | None:
        """What the outlet `number` has at `path`."""
        if path == "/robots.txt":
            return "User-agent: *\nAllow: /\n"
        paths = [_path(article) for article in range(self.articles[number])]
        if path == "/feed":
            items = "".join(f"<item><link>{self.url(number)}{each}</link></item>" for each in paths)
            return f'<?xml version="1.0"?><rss version="2.0"><channel>{items}</channel></rss>'
        if path not in paths:
            return None
        text = (OTHER if paths.index(path) else RELEVANT).format(place=f"Kecamatan {number}")
        title = f"Kabar {paths.index(path)} dari Kecamatan {number}"
        return (
            f"<html><head><title>{title}</title></head><body><article><h1>{title}</h1>"
            f"<p>{text}</p><p>Keterangan itu disampaikan kepada wartawan pada Senin pagi.</p>"
            "</article></body></html>"
        )


def _path(article: int) -> str:
    return f"/berita/{article}/camat"


def read(log: Path) -> list[Asked]:
    """What was asked so far, in its order."""
    lines = log.read_text("utf-8").split("\n")[:-1]  # what follows the last end is being written
    return sorted((Asked(**json.loads(line)) for line in lines), key=lambda asked: asked.came)


async def _serve(outlets: Outlets, log: IO[str]) -> None:
    for number, name in enumerate(outlets.names()):

        async def answer(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            number: int = number,
            name: str = name,
        ) -> None:
            client, port = writer.get_extra_info("peername")[:2]
            try:
                while head := await reader.readuntil(b"\r\n\r\n"):
                    came = time.monotonic()
                    path = head.split(b" ", 2)[1].decode()
                    await asyncio.sleep(ANSWER_SECONDS)
                    page = outlets.page(number, path)
                    body = (page or "not here").encode()
                    status = "404 Not Found" if page is None else "200 OK"
                    kind = "text/plain" if path == "/robots.txt" else "text/html; charset=utf-8"
                    writer.write(
                        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n".encode()
                        + body
                    )
                    asked = Asked(name, path, client, port, came, time.monotonic())
                    log.write(json.dumps(asdict(asked)) + "\n")
                    log.flush()
            except (asyncio.IncompleteReadError, OSError):
                writer.close()

        await asyncio.start_server(answer, outlets.address, FIRST_PORT + number)
    await asyncio.Event().wait()


def main(arguments: Iterable[str]) -> None:
    address, articles, log = arguments
    with Path(log).open("w", encoding="utf-8") as lines:
        asyncio.run(_serve(Outlets(address, tuple(map(int, articles.split(",")))), lines))


if __name__ == "__main__":
    main(sys.argv[1:])
