"""Query parameters, and what bodies share: one model per family, the only place where words, limits and defaults stand.

FastAPI routes take them as `Annotated[Model, Query()]`, plain ASGI routes through `parse`; either way an unknown
parameter is refused by name and a wrong value says what is allowed.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self, TypeVar, get_origin
from urllib.parse import parse_qsl

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2200, 1, 1)
MAX_CATEGORIES = 50
MAX_CODES = 200  # zones looked at together
MAX_FIELDS = 200
WHOLE = 2**31 - 1  # the largest number of an id or a revision

BBox = tuple[float, float, float, float]
M = TypeVar("M", bound=BaseModel)


def refuse(zh: str, en: str, field: str | None = None) -> PydanticCustomError:
    """A refusal in both languages; raise it from a validator. Without `field` pydantic's own location is named."""
    context: dict[str, Any] = {"zh": zh, "en": en} | ({"field": field} if field else {})
    return PydanticCustomError("wangge", "{en}", context)


def day(value: Any) -> Any:
    """A calendar date, `YYYY-MM-DD` and nothing else, from 1900 to 2200.

    >>> day("2024-02-29")
    datetime.date(2024, 2, 29)
    """
    if value is None or isinstance(value, dt.date):
        return value
    wrong = refuse("应为日期 YYYY-MM-DD（1900–2200）。", "must be a date YYYY-MM-DD (1900 to 2200).")
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise wrong
    try:
        found = dt.date.fromisoformat(value)
    except ValueError:
        raise wrong from None
    if not FIRST_DAY <= found <= LAST_DAY:
        raise wrong
    return found


def instant(value: Any) -> Any:
    """An ISO 8601 instant with its offset; a `+` that the address turned into a blank is taken back.

    >>> instant("2024-05-01T08:00:00 08:00").isoformat()
    '2024-05-01T08:00:00+08:00'
    """
    if value is None or isinstance(value, dt.datetime):
        return value
    try:
        found = dt.datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", str(value)))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not FIRST_DAY <= found.date() <= LAST_DAY:
        raise refuse(
            "应为带时区的时刻，例如 2025-01-31T23:59:59+08:00。",
            "must be an instant with an offset, such as 2025-01-31T23:59:59+08:00.",
        )
    return found


def box(value: Any) -> Any:
    """`west,south,east,north` in degrees (six numbers: the heights are ignored); west > east crosses longitude 180.

    >>> box("116.1,39.7,116.8,40.2")
    (116.1, 39.7, 116.8, 40.2)
    """
    if value is None or isinstance(value, tuple):
        return value
    if isinstance(value, list):  # FastAPI hands over every occurrence
        value = value[-1] if value else ""
    words = str(value).split(",")
    if len(words) not in (4, 6):
        raise refuse("应有 4 或 6 个数字。", "must be 4 or 6 numbers (west,south,east,north).")
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise refuse("应为有限的数字。", "must be finite numbers.")
    west, south, east, north = numbers if len(numbers) == 4 else (*numbers[:2], *numbers[3:5])
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 and -90 <= north <= 90):
        raise refuse("超出经纬度范围。", "is outside the range of longitudes and latitudes.")
    if south > north:
        raise refuse("南界高于北界。", "has its south above its north.")
    return (west, south, east, north)


Day = Annotated[dt.date, BeforeValidator(day), WithJsonSchema({"type": "string", "format": "date"})]
Instant = Annotated[
    dt.datetime, BeforeValidator(instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
Box = Annotated[
    BBox, BeforeValidator(box), WithJsonSchema({"type": "string", "examples": ["116.1,39.7,116.8,40.2"]})
]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Origin = Literal["unknown", "citizen", "patrol", "sensor", "other"]
Status = Literal["open", "closed", "void"]


class Plain(BaseModel):
    """What every route accepts: the language of its messages. Anything else is an unknown parameter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lang: Literal["zh", "en"] | None = Field(None, description="语言 / language of messages and names")


class Given(BaseModel):
    """What a JSON body must be like: no field beyond the named ones, no value taken for another type, no NaN, no NUL.

    Dates are `Day`, instants `Instant`; whole numbers that go into the database get `le=WHOLE`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nul(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name, value in given.items():
                if _has_nul(value) or _has_nul(name):
                    raise refuse("含有空字符。", "holds a NUL character.", str(name).replace("\0", ""))
        return given


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_nul(part) for part in value)


class Filtered(Plain):
    """Which cases: a period of half-open dates in the city's zone, categories, origins, statuses."""

    from_: Day | None = Field(None, alias="from", description="起始日（含） / first day")
    to: Day | None = Field(None, description="结束日（不含） / day after the last")
    category: list[Word] = Field(
        default_factory=list,
        max_length=MAX_CATEGORIES,
        description="类别代码：大类或 大类/小类 / codes, repeatable",
    )
    origin: list[Origin] = Field(
        default_factory=list, max_length=5, description="来源 / who reported, repeatable"
    )
    status: list[Status] = Field(default_factory=list, max_length=3, description="状态 / repeatable")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise refuse("from 应早于 to。", "from must lie before to.", "to")
        return self


class Heat(Filtered):
    """Parameters of every heat map of cases."""

    measure: Literal[
        "cases",
        "open",
        "overdue",
        "per_km2",
        "per_1000_households",
        "median_days_to_close",
        "response_share",
        "resolved_share",
        "satisfied_share",
    ] = Field("cases", description="指标 / what is measured")
    asof: Instant | None = Field(None, description="open、overdue 的时点 / instant for open and overdue")
    classes_by: Literal["natural", "quantile", "equal"] = Field(
        "natural", description="分级方法 / how breaks are found"
    )
    format: Literal["json", "arrow", "geojson"] | None = Field(
        None, description="格式，优先于 Accept / wins over Accept"
    )
    columns: Literal["all", "values"] = Field(
        "all", description="values：只含数值，顺序同 /api/zones / only values, in the order of /api/zones"
    )


PlanWord = Field(
    "current",
    min_length=1,
    max_length=200,
    description="current、as-was、as-of:日期、编号或名称 / or id or name",
)


class HeatGrids(Heat):
    """`/api/heatmap/grids`."""

    plan: str = PlanWord


class HeatBoundaries(Heat):
    """`/api/heatmap/boundaries`."""

    level: Word = Field(description="层级，可带 @日期 / level, an edition by @DATE")


class HeatHexagons(Heat):
    """`/api/heatmap/hexagons`."""

    resolution: int = Field(9, ge=7, le=11, description="H3 分辨率 / resolution")
    bbox: Box | None = Field(None, description="西,南,东,北 / cells whose centre lies inside")


class HeatFacilities(Plain):
    """`/api/heatmap/facilities`."""

    kind: Word | None = Field(None, description="设施种类 / kind of facility; without it all")
    measure: Literal["count", "capacity", "per_1000_households", "share_within_minutes"] = "count"
    minutes: float = Field(15, ge=1, le=60, description="步行分钟 / of walking, for share_within_minutes")
    speed_m_s: float = Field(
        1.2, ge=0.3, le=3, description="步速 米/秒（老人 0.8）/ walking speed, old people 0.8"
    )
    by: str = Field("grid", pattern=r"^(grid|hexagon:(7|8|9|10|11))$", description="grid 或 hexagon:r")
    plan: str = PlanWord
    classes_by: Literal["natural", "quantile", "equal"] = "natural"
    format: Literal["json", "arrow", "geojson"] | None = None


class Place(Filtered):
    """Which cases and where: the whole city, or one grid, area or cell."""

    by: Word | None = Field(None, description="grid、层级或 hexagon:r / where `code` is from")
    code: Word | None = Field(None, description="网格、区域或单元代码 / of the grid, area or cell")
    plan: str = PlanWord

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.by is None) != (self.code is None):
            missing = "by" if self.by is None else "code"
            raise refuse("by 与 code 须同时给出。", "by and code must come together.", missing)
        return self


class SeriesOf(Place):
    """`/api/series`."""

    bucket: Literal["day", "week", "month"] = Field(
        "week", description="时间粒度 / day, week from Monday, month"
    )


class CategoriesOf(Place):
    """`/api/categories`."""

    depth: Literal["top", "sub"] = Field("sub", description="大类或小类 / top categories or their children")


class Chosen(Filtered):
    """Which cases and where: the whole city, or one or several zones of a layer together."""

    by: Word | None = Field(None, description="grid、层级或 hexagon:r / where each `code` is from")
    code: list[Word] = Field(
        default_factory=list,
        max_length=MAX_CODES,
        description="网格、区域或单元代码，可重复 / codes, repeatable: zones seen together",
    )
    plan: str = PlanWord

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.by is None) != (not self.code):
            missing = "by" if self.by is None else "code"
            raise refuse("by 与 code 须同时给出。", "by and code must come together.", missing)
        return self


class SummaryOf(Chosen):
    """`/api/summary`."""

    asof: Instant | None = Field(None, description="open、overdue 的时点 / instant for open and overdue")
    versus: Literal["previous", "last-year"] = Field(
        "previous", description="对比：上一同长时段或去年同期 / the period before, or a year before"
    )


class MatrixOf(Chosen):
    """`/api/matrix`."""


class RepeatsOf(Chosen):
    """`/api/repeats`."""

    limit: int = Field(200, ge=1, le=1000, description="最多几处 / how many places")


class IndicatorsOf(Filtered):
    """`/api/indicators`."""

    by: Word = Field("grid", description="grid 或层级 / grid or a level")
    measure: Literal[
        "cases",
        "open",
        "overdue",
        "per_km2",
        "per_1000_households",
        "median_days_to_close",
        "response_share",
        "resolved_share",
        "satisfied_share",
    ] = Field("cases", description="指标 / what is measured")
    asof: Instant | None = Field(None, description="open、overdue 的时点 / instant for open and overdue")
    plan: str = PlanWord


class ZonesOf(Plain):
    """`/api/zones`."""

    by: Word = Field("grid", description="grid 或层级 / grid or a level")
    plan: str = PlanWord


class Page(Plain):
    """A page of a list."""

    limit: int = Field(100, ge=1, le=1000, description="条数 / how many")


class CasesOf(Place):
    """`/api/cases`: filters, one zone or all, keyset paging."""

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


class ImportOf(Plain):
    """`/api/plans/import`: what the file is called and how it is to be read."""

    name: str = Field(min_length=1, max_length=80, description="方案名称 / the plan's name")
    file: str = Field(
        min_length=1, max_length=200, description="文件名，带后缀 / the file's name with its ending"
    )
    crs: str = Field(
        "auto", pattern=r"^(auto|gcj02|bd09|EPSG:\d{4,6})$", description="auto、EPSG:n、gcj02、bd09"
    )
    code_field: Word | None = Field(None, description="编码列 / the column of codes")
    name_field: Word | None = Field(None, description="名称列 / the column of names")
    unit_field: Word | None = Field(None, description="单元编码列（表格）/ the column of units, of a table")
    cut: bool = Field(False, description="沿网格界线切分单元 / cut units along the grids")
    layer: Word | None = Field(None, description="文件内的图层 / the layer inside the file")
    encoding: Word | None = Field(None, description="文字编码 / text encoding")
    nest: Literal["strict", "soft", "free"] | None = Field(
        None, description="默认自动 / by default what holds"
    )


class TileGrids(Plain):
    """`/tiles/grids/…`."""

    plan: str = PlanWord


class TileUnits(Plain):
    """`/tiles/units/…`."""

    state: Word | None = Field(
        None, description="任意：换一个就是新地址，单元切分后用 / any word: another one makes a new address"
    )


class TileBoundaries(Plain):
    """`/tiles/boundaries/…`."""

    level: Word = Field(description="层级，可带 @日期 / level, an edition by @DATE")


class TileFacilities(Plain):
    """`/tiles/facilities/…`."""

    kind: Word | None = Field(None, description="设施种类 / kind; without it all")


class TileHexagons(Plain):
    """`/tiles/hexagons/…`."""

    resolution: int = Field(9, ge=7, le=11, description="H3 分辨率 / resolution")


TILES: Mapping[str, type[Plain]] = {
    "grids": TileGrids,
    "units": TileUnits,
    "boundaries": TileBoundaries,
    "facilities": TileFacilities,
    "ways": Plain,
    "hexagons": TileHexagons,
    "cases": Plain,
}


def parse(model: type[M], query: bytes) -> M:
    """A query string as a model. Raises pydantic's ValidationError, also for a single value given twice.

    >>> parse(HeatGrids, b"from=2024-01-01&category=0101&category=0102").category
    ['0101', '0102']
    """
    found: dict[str, Any] = {}
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
    lists = _repeatable(model)
    for name, value in pairs[:MAX_FIELDS]:
        if name in lists:
            found.setdefault(name, []).append(value)
        elif name in found:
            model.model_validate({**found, name: {"given": "twice"}})
        else:
            found[name] = value
    return model.model_validate(found)


@cache
def _repeatable(model: type[BaseModel]) -> frozenset[str]:
    """The parameters that may stand more than once."""
    fields = model.model_fields.items()
    return frozenset(f.alias or name for name, f in fields if get_origin(f.annotation) is list)
