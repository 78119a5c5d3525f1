"""The API: what the pages show and do, over JSON, for programs with a token.

/api/v1/openapi.json describes it (OpenAPI 3.1). Field names are those of the command line's JSON.
Lists come in pages: `next` is the `cursor` of the page after, null at the end. A browser that is
signed in may read here, too; to change anything takes a token.
"""

from typing import Any

from fastapi import APIRouter, Depends
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from dashboard.access import Viewer
from dashboard.api import alerts, crawls, findings, outlets, people


class Problem(BaseModel):
    """Why a request was refused, in one sentence."""

    detail: str


router = APIRouter(
    prefix="/api/v1",
    # for the description only: `dashboard.access` reads the token
    dependencies=[Depends(HTTPBearer(auto_error=False))],
    responses={status: {"model": Problem} for status in (401, 403, 404, 409, 422, 429)},
)
for part in (findings, outlets, crawls, alerts, people):
    router.include_router(part.router)


@router.get("/openapi.json", include_in_schema=False)
def description(visit: Viewer) -> dict[str, Any]:
    """This API, described."""
    described: dict[str, Any] = visit.request.app.openapi()
    return described
