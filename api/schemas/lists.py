"""Parameters of lists, page by page: cases, loads, acts, jobs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.base import Plain
from api.schemas.filters import Chosen
from api.schemas.values import Box, Word


class Page(Plain):
    """A page of a list."""

    limit: int = Field(100, ge=1, le=1000, description="条数 / how many")


class CasesOf(Chosen):
    """`/api/cases`: filters, one zone, several together or all, keyset paging."""

    limit: int = Field(100, ge=1, le=1000, description="条数 / how many")
    after: str | None = Field(None, max_length=100, description="上一页的 next / `next` of the page before")
    source: Word | None = Field(None, description="来源系统 / source")
    bbox: Box | None = Field(None, description="西,南,东,北 / west,south,east,north")
    placed: Literal["placed", "unplaced", "outside"] | None = Field(
        None, description="定位状态 / how it is placed"
    )
    state: Literal["open", "overdue"] | None = Field(
        None,
        description="最后数据时刻的未办结或超期，同热力图 / at the last data instant, as the heat map counts",
    )
    sort: Literal["loaded", "due"] = Field(
        "loaded", description="先看最近装载或最早到期 / the latest loaded or the earliest due first"
    )
    format: Literal["json", "geojson"] | None = None


class RunsOf(Page):
    """`/api/runs`."""

    before: int | None = Field(
        None, ge=1, le=2**31 - 1, description="只列此编号之前的 / runs before this number"
    )


class AuditOf(Page):
    """`/api/audit`."""

    who: Word | None = Field(None, description="只看某人 / of one person")
    before: int | None = Field(None, ge=1, le=2**63 - 1, description="只列此编号之前的 / rows before this id")


class JobsOf(Page):
    """`/api/jobs`."""

    state: Literal["queued", "running", "done", "failed", "cancelled"] | None = Field(
        None, description="状态 / only jobs in this state"
    )
    kind: Word | None = Field(None, description="种类，如 plan.propose / only of this kind")
    before: int | None = Field(
        None, ge=1, le=2**63 - 1, description="只列此编号之前的 / jobs before this number"
    )


class JobOf(Plain):
    """`/api/jobs/{id}`."""

    wait: float = Field(
        0, ge=0, le=30, allow_inf_nan=False, description="最多等候的秒数 / seconds to wait for news"
    )
