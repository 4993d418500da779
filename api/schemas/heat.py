"""Parameters of the heat maps, of cases and of facilities."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.base import Plain
from api.schemas.filters import Filtered, PlanWord
from api.schemas.values import Box, Instant, Word
from geo.heat import Measure


class Heat(Filtered):
    """Parameters of every heat map of cases."""

    measure: Measure = Field("cases", description="指标 / what is measured")
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
