"""Parameters of vector tiles, by layer."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from api.schemas.base import Plain
from api.schemas.filters import PlanWord
from api.schemas.values import Word


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
