"""`/api/openapi.json` and `/api/docs`: the interface as a machine and as a person reads it, without a network.

FastAPI describes its own routes; the plain ASGI ones are described here from the same query models they parse with.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request

from api import answers
from api.dependencies import release
from api.schemas import Plain

router = APIRouter(tags=["interface"])
__all__ = ["describe", "release", "router"]


@router.get("/api/openapi.json", summary="OpenAPI 3.1")
def openapi_json(_: Annotated[Plain, Query()], request: Request) -> answers.Answer:
    """This interface as OpenAPI."""
    return answers.json(request.app.openapi())


def describe(app: FastAPI) -> None:
    """Adds the plain routes to what `app.openapi()` returns."""
