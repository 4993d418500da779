"""Parameters of a plan that comes as a file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.base import Plain
from api.schemas.values import Word


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
