"""WordPress's REST API, as much of it as lists posts."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from demo.articles import Article
from demo.pages import Html, fill
from demo.server import Request, Response, whole_number

Body = Callable[[str, Article], Html]
BOUNDS = ("after", "before", "modified_after", "modified_before")


def root(request: Request, name: str, zone: tzinfo) -> Response:
    offset = zone.utcoffset(None)
    hours = offset.total_seconds() / 3600 if offset else 0
    return _json({"name": name, "url": request.base, "gmt_offset": hours, "namespaces": ["wp/v2"]})


def switched_off(request: Request, *groups: str) -> Response:
    """What plugins answer that keep the API for those who are logged in."""
    return _error(401, "rest_cannot_access", "REST API hanya untuk pengguna yang masuk.")


def posts(request: Request, articles: Sequence[Article], zone: tzinfo, body: Body) -> Response:
    """/wp-json/wp/v2/posts; `body` gives a post's content for (base address, post)."""
    query = request.query
    size, page = whole_number(query.get("per_page"), 10), whole_number(query.get("page"), 1)
    orderby = query.get("orderby", "date")
    try:
        bounds = {name: _moment(query[name], zone) for name in BOUNDS if name in query}
    except ValueError:
        return _invalid("Tanggal tidak sah.")
    if not 1 <= size <= 100 or not page or orderby not in ("date", "modified"):
        return _invalid("per_page antara 1 dan 100, page dari 1, orderby date atau modified.")
    found = [
        article
        for article in articles
        if all(_within(article, name, bound) for name, bound in bounds.items())
        and matches(article, query.get("search", ""))
    ]
    found.sort(
        key=lambda a: (a.modified if orderby == "modified" else a.published, a.number),
        reverse=query.get("order") != "asc",
    )
    last = -(-len(found) // size)
    if page > last and found:
        message = "Nomor halaman yang diminta lebih besar dari jumlah halaman yang tersedia."
        return _error(400, "rest_post_invalid_page_number", message)
    shown = found[(page - 1) * size : page * size]
    totals = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(last)}
    return _json([_fields(request, article, body) for article in shown], headers=totals)


def post(request: Request, number: str, articles: Sequence[Article], body: Body) -> Response:
    for article in articles:
        if str(article.number) == number:
            return _json(_fields(request, article, body))
    return _error(404, "rest_post_invalid_id", "ID pos tidak sah.")


def matches(article: Article, words: str) -> bool:
    """WordPress's search: every word somewhere in headline or text."""
    haystack = f"{article.title}\n{article.text}".lower()
    return all(word in haystack for word in words.lower().split())


def excerpt(article: Article) -> str:
    words = article.lead.split()
    return " ".join(words[:30]) + (" […]" if len(words) > 30 else "")


def _fields(request: Request, article: Article, body: Body) -> dict[str, Any]:
    fields = {
        "id": article.number,
        "date": _naive(article.published),
        "date_gmt": _naive(article.published.astimezone(UTC)),
        "guid": {"rendered": f"{request.base}/?p={article.number}"},
        "modified": _naive(article.modified),
        "modified_gmt": _naive(article.modified.astimezone(UTC)),
        "slug": article.slug,
        "status": "publish",
        "type": "post",
        "link": article.url(request.base),
        "title": {"rendered": fill("{title}", title=article.title)},
        "content": {"rendered": body(request.base, article), "protected": False},
        "excerpt": {"rendered": fill("<p>{text}</p>", text=excerpt(article)), "protected": False},
    }
    if "_fields" not in request.query:
        return fields
    wanted = {name.strip().split(".")[0] for name in request.query["_fields"].split(",")}
    return {name: value for name, value in fields.items() if name in wanted}


def _moment(text: str, zone: tzinfo) -> datetime:
    """A time as a client gives it: without an offset it is the site's own."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _within(article: Article, name: str, bound: datetime) -> bool:
    moment = article.modified if name.startswith("modified") else article.published
    return moment > bound if name.endswith("after") else moment < bound


def _naive(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def _json(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(document, ensure_ascii=False)
    return Response(text, status, "application/json; charset=UTF-8", headers or {})


def _invalid(message: str) -> Response:
    return _error(400, "rest_invalid_param", message)


def _error(status: int, code: str, message: str) -> Response:
    return _json({"code": code, "message": message, "data": {"status": status}}, status)
