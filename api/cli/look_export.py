"""`wangge export LAYER -o FILE`: layers for QGIS, SuperMap, ArcGIS, Excel."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import edge, output
from api.cli.groups import top

if TYPE_CHECKING:
    from geo.exports.job import Written

LAYERS = "boundaries | units | grids | cases | facilities | heatmap | hexagons"


@top.command("export")
def export(
    layer: Annotated[str, typer.Argument(metavar="LAYER", help=LAYERS)],
    out: Annotated[
        Path, typer.Option("-o", "--output", help="文件，后缀决定格式 / the file; its ending is the format")
    ],
    crs: Annotated[str, typer.Option(help="坐标系 / CRS, EPSG:n")] = "EPSG:4326",
    encoding: Annotated[str, typer.Option(help="Shapefile 编码 / encoding: utf-8, gbk")] = "utf-8",
    plan: Annotated[str, typer.Option(help="方案 / plan: current, as-of:DATE, ID, name")] = "current",
    level: Annotated[str | None, typer.Option(help="边界层级 / boundary level")] = None,
    kind: Annotated[str | None, typer.Option(help="设施类型 / facility kind")] = None,
    by: Annotated[
        str | None, typer.Option(help="热力图区域 / zones of the heat map: grid, hexagon:9, LEVEL")
    ] = None,
    measure: Annotated[str, typer.Option(help="热力图指标 / measure of the heat map")] = "cases",
    category: Annotated[list[str] | None, typer.Option(help="类别，可重复 / category, repeatable")] = None,
    from_: Annotated[
        dt.datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="起始日 / first day")
    ] = None,
    to: Annotated[
        dt.datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="结束日（不含）/ day after the last"),
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """导出图层 / Write a layer as .gpkg .geojson .shp.zip .fgb .parquet .kml .csv .xlsx.

    自由文本和个人信息从不导出 / free text and personal data never leave.
    """
    from api.layers import Asked
    from api.layers import export as write_layer
    from geo.cases import CaseFilter

    where = CaseFilter(
        from_date=from_.date() if from_ else None,
        to_date=to.date() if to else None,
        categories=tuple(category or ()),
    )
    asked = Asked(layer, plan, level, kind, by, measure, where)
    with edge.work() as session, output.progress() as progress:
        written = write_layer(
            session,
            edge.settings(),
            asked,
            out,
            who="operator",
            crs=crs,
            encoding=encoding,
            progress=progress,
        )
    _print(written, as_json)


def _print(written: Written, as_json: bool) -> None:
    zh = edge.lang() == "zh"
    for notice in written.notices:
        output.say(notice["zh"], notice["en"])
    if as_json:
        output.result(written, as_json=True)
        return
    files = "、".join(written.files) if zh else ", ".join(written.files)
    output.tell(
        f"已导出 {written.rows} 行到 {written.path}（{written.crs}；{files}）"
        if zh
        else f"{written.rows} rows written to {written.path} ({written.crs}; {files})"
    )
