"""The service itself: alive, ready, what it says when it refuses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.shapes.shape import Shape, absent


class Alive(Shape):
    """`/healthz`."""

    status: Literal["ok"]


class Checks(Shape):
    """What the service needs, and whether it is there."""

    database: bool
    schema_: bool = Field(alias="schema")
    ui: bool
    columns: bool


class Ready(Shape):
    """`/readyz`, with 200 or 503."""

    status: Literal["ready", "not ready"]
    checks: Checks


class Facts(Shape):
    """What a refusal knows beside its sentence that a program may want, each only where it says something."""

    measured: Any = absent()
    allowed: Any = absent()
    plan: Any = absent()
    state: str = absent()
    winner: Any = absent()
    approved_at: Any = absent()
    revision: int = absent()  # the one that a plan has now
    author: str = absent()  # who changed it
    at: str = absent()
    grids: list[Any] = absent()
    units: list[Any] = absent()
    changed: Any = absent()
    violations: list[Any] = absent()  # of the form of `Violation`, without its `rule`
    gap: Any = absent()  # the ground of open units
    job: int = absent()
    approvers: list[str] = absent()
    suggested: list[str] = absent()
    missing: Any = absent()
    shares: Any = absent()
    row: int = absent()


class Problem(Facts):
    """Every refusal and failure (RFC 9457, `application/problem+json`), in the caller's language."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:wangge:problem:parameter-invalid",
                    "title": "请求有误",
                    "status": 400,
                    "detail": "参数 limit：应为整数。",
                    "instance": "/api/cases",
                    "lang": "zh",
                    "field": "limit",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    lang: Literal["zh", "en"]
    field: str = absent()  # the parameter at fault
