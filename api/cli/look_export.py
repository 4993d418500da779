"""`wangge export LAYER -o FILE`: layers for QGIS, SuperMap, ArcGIS, Excel."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import layers as edge_layers
from api.cli import edge, output
from api.cli.groups import top
from geo.analysis import counts
from geo.cases import CaseFilter
from geo.columns import ColumnStore
from geo.db.tables import Audit
from geo.errors import RefusedArgument
from geo.exports import layers
from geo.exports.job import Written
from geo.exports.layers import Layer
from geo.exports.writers import ending_of, write
from geo.progress import Progress
from geo.zones import resolve_plan

LAYERS = ("boundaries", "units", "grids", "cases", "facilities", "heatmap", "hexagons")
Day = Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"])]


@top.command("export")
def export(
    layer: Annotated[str, typer.Argument(metavar="LAYER", help=" | ".join(LAYERS))],
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
    ending_of(out)
    where = CaseFilter(
        from_date=from_.date() if from_ else None,
        to_date=to.date() if to else None,
        categories=tuple(category or ()),
    )
    with edge.work() as session, output.progress() as progress:
        written = _export(session, layer, out, crs, encoding, plan, level, kind, by, measure, where, progress)
    _print(written, as_json)


def _export(
    session: Session,
    name: str,
    out: Path,
    crs: str,
    encoding: str,
    plan: str,
    level: str | None,
    kind: str | None,
    by: str | None,
    measure: str,
    where: CaseFilter,
    progress: Progress,
) -> Written:
    chosen = _layer(session, name, plan, level, kind, by, measure, where)
    written = write(chosen, out, crs=crs, encoding=encoding, progress=progress)
    session.add(
        Audit(
            who="operator",
            act="export",
            what={
                "layer": name,
                "rows": written.rows,
                "k": None,
                "format": ending_of(out),
                "crs": written.crs,
            },
        )
    )
    return written


def _layer(
    session: Session,
    name: str,
    plan: str,
    level: str | None,
    kind: str | None,
    by: str | None,
    measure: str,
    where: CaseFilter,
) -> Layer:
    zone = session.scalar(text("SELECT timezone FROM city")) or "Asia/Shanghai"
    today = dt.datetime.now(ZoneInfo(zone)).date()
    if name == "boundaries":
        return layers.boundaries(session, level, today)
    if name == "units":
        return layers.units(session, today)
    if name == "grids":
        return layers.grids(session, resolve_plan(session, plan, today).id)
    if name == "facilities":
        return layers.facilities(session, kind)
    if name == "cases":
        return edge_layers.cases(session, where, zone)
    if name in ("heatmap", "hexagons"):
        default = "hexagon:9" if name == "hexagons" else "grid"
        return _heat(session, name, by or default, plan, measure, where)
    known = "、".join(LAYERS)
    raise RefusedArgument(
        f"没有图层“{name}”。",
        f"There is no layer “{name}”.",
        code="layer-unknown",
        field="layer",
        do_zh=f"可用：{known}",
        do_en=f"Use one of: {', '.join(LAYERS)}",
    )


def _heat(session: Session, name: str, by: str, plan: str, measure: str, where: CaseFilter) -> Layer:
    store = ColumnStore(edge.settings(), watch=False)
    store.refresh()
    found = counts.heat(lambda: nullcontext(session), store, by=by, plan=plan, measure=measure, where=where)
    return edge_layers.heat(session, found, name)


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
