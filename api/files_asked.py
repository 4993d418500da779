"""Query parameters and bodies of loads and exports: what may be asked, of which kind of file or layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from api.schemas import WHOLE, Day, Given, Instant, Origin, Page, Plain, Status, Word, refuse
from geo.heat import Measure

Layer = Literal["boundaries", "units", "grids", "cases", "facilities", "heatmap", "hexagons"]
Format = Literal["gpkg", "geojson", "shp.zip", "fgb", "parquet", "kml", "csv", "xlsx"]
What = Literal["boundaries", "cases", "facilities", "network", "weights"]

# What each kind of file is told: first the name it is loaded under, which must be given (but for ways).
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "boundaries": ("level", "crs", "code_field", "name_field", "parent_field", "layer", "encoding", "from_", "replace",
                   "dissolve"),
    "cases": ("source", "crs", "encoding", "map_"),
    "facilities": ("kind", "crs", "encoding", "map_"),
    "network": ("source", "class_", "crs", "layer", "encoding"),
    "weights": ("column", "value_field", "code_field", "crs", "layer", "encoding"),
}  # fmt: skip
NEEDED: Mapping[str, str] = {
    "boundaries": "level",
    "cases": "source",
    "facilities": "kind",
    "weights": "column",
}
COMMON = frozenset({"lang", "what", "file", "dry_run"})
Crs = Annotated[str, StringConstraints(pattern=r"^(auto|gcj02|bd09|EPSG:\d{4,6})$")]


class LoadOf(Plain):
    """`POST /api/loads`: what the file is and how it is to be read; each kind of file has its own options."""

    what: What = Field(description="装载什么 / what the file holds")
    file: str = Field(
        min_length=1, max_length=200, description="文件名，带后缀 / the file's name with its ending"
    )
    dry_run: bool = Field(False, description="只检查，不写入 / look only, write nothing")
    level: Word | None = Field(
        None, description="边界：层级 / boundaries: city, district, street, community or your own"
    )
    source: Word | None = Field(None, description="案件、路网：来源 / cases, network: who delivers")
    kind: Word | None = Field(None, description="设施：类型 / facilities: their kind")
    column: Word | None = Field(None, description="权重：名称 / weights: households, people …")
    crs: Crs = Field("auto", description="auto、EPSG:n、gcj02、bd09")
    encoding: Word | None = Field(None, description="文字编码 / text encoding")
    layer: Word | None = Field(None, description="文件内的图层 / the layer inside the file")
    from_: Day | None = Field(
        None, alias="from", description="边界：生效日期 / boundaries: hold from this day"
    )
    map_: str | None = Field(
        None, alias="map", max_length=8000,
        description="案件、设施：列映射（layout.toml 的内容）/ cases, facilities: the text of a layout.toml",
    )  # fmt: skip
    code_field: Word | None = Field(None, description="编码列 / the column of codes")
    name_field: Word | None = Field(None, description="名称列 / the column of names")
    parent_field: Word | None = Field(None, description="上级列 / the column of parents")
    value_field: Word | None = Field(None, description="数值列 / the column of values")
    class_: Literal["road", "rail", "water", "bridge", "path"] | None = Field(
        None, alias="class", description="路网：全部为 / network: what all of it is"
    )
    replace: bool = Field(False, description="边界：更正现有版本 / boundaries: correct the newest edition")
    dissolve: bool = Field(False, description="边界：合并同码要素 / boundaries: join features of one code")

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        needed = NEEDED.get(self.what)
        if needed is not None and getattr(self, needed) is None:
            raise refuse(f"what={self.what} 需要 {needed}。", f"is needed with what={self.what}.", needed)
        for name in sorted(self.model_fields_set - COMMON - set(OPTIONS[self.what])):
            if getattr(self, name) not in (None, False):
                shown = name.rstrip("_")
                raise refuse(
                    f"what={self.what} 没有 {shown}。", f"does not belong to what={self.what}.", shown
                )
        return self


class LoadsOf(Page):
    """`GET /api/loads`."""

    limit: int = Field(50, ge=1, le=1000, description="条数 / how many")
    before: int | None = Field(None, ge=1, le=WHOLE, description="只列此编号之前的 / runs before this number")
    what: Literal["boundaries", "cases", "facilities", "network", "weights", "plan"] | None = Field(
        None, description="只看此类 / only loads of this kind"
    )
    source: Word | None = Field(None, description="只看此来源 / only of this source, level, kind or name")


class LoadShown(Plain):
    """`GET /api/loads/{id}`: which of its rejects."""

    limit: int = Field(1000, ge=0, le=5000, description="退回行条数 / how many rejects")
    after: int = Field(
        0, ge=0, le=2**63 - 1, description="上一页的 rejects_next / `rejects_next` of the page before"
    )


# What of each layer may be asked for.
_CASES = frozenset({"from_", "to", "category", "origin", "status"})
ASKABLE: Mapping[str, frozenset[str]] = {
    "boundaries": frozenset({"level"}),
    "units": frozenset(),
    "grids": frozenset({"plan"}),
    "facilities": frozenset({"kind"}),
    "cases": _CASES | {"by", "code", "plan", "state"},
    "heatmap": _CASES | {"by", "measure", "plan", "asof"},
    "hexagons": _CASES | {"by", "measure", "asof"},
}
ALWAYS = frozenset({"layer", "format", "crs", "encoding"})


def _bare(value: Any) -> Any:
    """`.gpkg` and `gpkg` are the same."""
    return value[1:] if isinstance(value, str) and value.startswith(".") else value


class ExportOf(Given):
    """`POST /api/exports`: which layer, what of it, and as which file."""

    layer: Layer
    format: Annotated[Format, BeforeValidator(_bare)] = "gpkg"
    crs: Annotated[str, StringConstraints(pattern=r"^EPSG:\d{4,6}$")] = "EPSG:4326"
    encoding: Literal["utf-8", "gbk"] = Field("utf-8", description="Shapefile 的编码 / of a shapefile")
    plan: str = Field(
        "current",
        min_length=1,
        max_length=200,
        description="current、as-was、as-of:日期、编号或名称 / or id or name",
    )
    level: Word | None = Field(None, description="边界层级 / of boundaries; without it all")
    kind: Word | None = Field(None, description="设施种类 / of facilities; without it all")
    by: Annotated[str, StringConstraints(pattern=r"^[^\s:]{1,100}$|^hexagon:(7|8|9|10|11)$")] | None = Field(
        None, description="热力图区域：grid、hexagon:r、层级 / zones of the heat map"
    )
    code: Word | None = Field(None, description="案件：只要此网格的（by=grid）/ cases: of this grid only")
    state: Literal["open", "overdue"] | None = Field(
        None, description="案件：最后数据时刻未办结或超期的 / cases: open or overdue at the last data instant"
    )
    measure: Measure = Field("cases", description="热力图指标 / of the heat map")
    from_: Day | None = Field(None, alias="from", description="起始日（含） / first day")
    to: Day | None = Field(None, description="结束日（不含）/ day after the last")
    category: list[Word] = Field(default_factory=list, max_length=50, description="类别 / codes")
    origin: list[Origin] = Field(default_factory=list, max_length=5, description="来源 / who reported")
    status: list[Status] = Field(default_factory=list, max_length=3, description="状态 / status")
    asof: Instant | None = Field(None, description="open、overdue 的时点 / instant for open and overdue")

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        for name in sorted(self.model_fields_set - ALWAYS - ASKABLE[self.layer]):
            if getattr(self, name) not in (None, [], type(self).model_fields[name].default):
                shown = name.rstrip("_")
                raise refuse(
                    f"图层 {self.layer} 没有 {shown}。", f"does not belong to the layer {self.layer}.", shown
                )
        of_grid = (self.by, self.code is None) == ("grid", False)
        if self.layer == "cases" and not of_grid and (self.by or self.code):
            raise refuse(
                "案件只可按网格导出：by=grid 与 code。", "cases of a zone: by=grid together with code.", "by"
            )
        if self.encoding != "utf-8" and self.format != "shp.zip":
            raise refuse("只有 Shapefile 可选编码。", "only a shapefile has another encoding.", "encoding")
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise refuse("from 应早于 to。", "must lie after from.", "to")
        return self


class ExportsOf(Page):
    """`GET /api/exports`."""

    limit: int = Field(50, ge=1, le=200, description="条数 / how many")
    before: int | None = Field(
        None, ge=1, le=2**63 - 1, description="只列此编号之前的 / exports before this number"
    )
