"""The WordPress REST API."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from crawler.sources.reader import UNREADABLE, Reader, SourceError, make_links, read_back
from extract.link import Link

PER_PAGE = 100  # the most that WordPress gives
MARGIN = timedelta(hours=15)  # old ones compare with the site's local time, whatever the zone asked


class _Post(BaseModel):
    link: str
    date_gmt: datetime
    modified_gmt: datetime


@dataclass(frozen=True, slots=True)
class WordPress:
    """The posts that /wp-json/ lists: those published since the last reading, then those modified
    since. WordPress sends no validators here, so a reading without news costs two small answers;
    an address that stayed the same, to be asked conditionally, would cost a full page each time.
    A backfill asks for those published within its window."""

    path: str = "/wp-json/wp/v2/posts"

    @property
    def name(self) -> str:
        return f"wordpress {self.path}"

    async def read(self, reader: Reader) -> None:
        if reader.until:
            window = {"after": _iso(reader.since - MARGIN), "before": _iso(reader.until + MARGIN)}
            await read_back(reader, self._pages(reader, {**window, "orderby": "date"}))
            return
        since = _iso(reader.since)
        await read_back(reader, self._pages(reader, {"after": since, "orderby": "date"}))
        if reader.completed:
            modified = {"modified_after": since, "orderby": "modified"}
            await read_back(reader, self._pages(reader, modified))

    async def _pages(
        self, reader: Reader, window: Mapping[str, str]
    ) -> AsyncIterator[Sequence[Link]]:
        for page in count(reader.first_page):
            query: dict[str, str | int] = {
                **window,
                "order": "desc",
                "per_page": PER_PAGE,
                "page": page,
                "_fields": "link,date_gmt,modified_gmt",
            }
            links, full = await self._list(reader, query)
            asks = "after" in window and not reader.until and (reader.stands_in or reader.is_alone)
            if page == 1 and not links and asks:
                # a quiet week, or an API that shows nothing to strangers?
                posts, _ = await self._list(reader, {"per_page": 1, "_fields": query["_fields"]})
                if not posts:
                    raise SourceError("it lists no post")
            yield links
            if not full:
                return

    async def _list(
        self, reader: Reader, query: Mapping[str, str | int]
    ) -> tuple[Sequence[Link], bool]:
        response = await reader.fetch(reader.outlet.url(f"{self.path}?{urlencode(query)}"))
        assert response  # it was not asked conditionally
        return await reader.parse(_links, response.body, response.url)


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _links(body: bytes, url: str) -> tuple[list[Link], bool]:
    """The posts' links, and whether the page was full."""
    try:
        posts = json.loads(body)
    except (ValueError, RecursionError):
        raise SourceError("it does not answer in JSON; its REST API may be switched off") from None
    if not isinstance(posts, list):
        raise SourceError("it does not answer with a list of posts")
    found = [post for item in posts[:PER_PAGE] if (post := _post(item))]
    links = make_links(
        url,
        (
            (p.link, p.date_gmt.replace(tzinfo=UTC), p.modified_gmt.replace(tzinfo=UTC))
            for p in found
        ),
    )
    links.dropped[UNREADABLE] += len(posts) - len(found)
    return links, len(posts) >= PER_PAGE


def _post(item: Any) -> _Post | None:
    try:
        return _Post.model_validate(item)
    except ValidationError:  # such as the date of a post that was never dated: 0000-00-00
        return None
