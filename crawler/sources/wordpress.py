"""The WordPress REST API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from crawler.sources.reader import Reader, SourceError, make_link

PER_PAGE = 100  # the most that WordPress gives


class _Post(BaseModel):
    link: str
    date_gmt: datetime
    modified_gmt: datetime


@dataclass(frozen=True, slots=True)
class WordPress:
    """The posts that /wp-json/ lists: those published since the last reading, then those modified
    since. WordPress sends no validators here, so a reading without news costs two small answers.
    """

    path: str = "/wp-json/wp/v2/posts"

    @property
    def name(self) -> str:
        return f"wordpress {self.path}"

    async def read(self, reader: Reader) -> None:
        await self._read_back(reader, {"after": _iso(reader.since), "orderby": "date"})
        if reader.completed:
            modified = {"modified_after": _iso(reader.since), "orderby": "modified"}
            await self._read_back(reader, modified)

    async def _read_back(self, reader: Reader, window: Mapping[str, str]) -> None:
        for page in range(1, reader.max_pages + 1):
            query = {
                **window,
                "order": "desc",
                "per_page": PER_PAGE,
                "page": page,
                "_fields": "link,date_gmt,modified_gmt",
            }
            url = reader.outlet.url(f"{self.path}?{urlencode(query)}")
            try:
                response = await reader.fetch(url)
            except SourceError as error:
                if error.status == 400 and page > 1:  # rest_post_invalid_page_number
                    return
                raise
            posts = _posts(response.body if response else b"[]")
            links = (
                make_link(
                    post.link,
                    post.date_gmt.replace(tzinfo=UTC),
                    post.modified_gmt.replace(tzinfo=UTC),
                )
                for post in posts
            )
            if not await reader.offer(filter(None, links)) or len(posts) < PER_PAGE:
                return


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _posts(body: bytes) -> list[_Post]:
    try:
        posts = json.loads(body)
    except ValueError:
        raise SourceError("it does not answer in JSON; its REST API may be switched off") from None
    if not isinstance(posts, list):
        raise SourceError("it does not answer with a list of posts")
    return [post for item in posts if (post := _post(item))]


def _post(item: Any) -> _Post | None:
    try:
        return _Post.model_validate(item)
    except ValidationError:  # such as the date of a post that was never dated: 0000-00-00
        return None
