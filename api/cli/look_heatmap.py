"""`wangge heatmap`: a measure by grid, boundary or hexagon, on the screen or in a file; the operator sees everything."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli import edge, output
from api.cli.groups import top

if TYPE_CHECKING:
    import pyarrow as pa

    from geo.heat import HeatMap

ENDINGS = (".csv", ".parquet", ".geojson")
SHOWN = 40
DAY = ["%Y-%m-%d"]


@top.command("heatmap")
def heatmap(
    plan: Annotated[
        str, typer.Option(help="方案 / plan: current, as-was, as-of:DATE, ID, name (for --by grid)")
    ] = "current",
    by: Annotated[str, typer.Option(help="区域 / zones: grid, hexagon:7…11, LEVEL, LEVEL@DATE")] = "grid",
    measure: Annotated[
        str,
        typer.Option(
            help="指标 / cases open overdue per_km2 per_1000_households median_days_to_close "
            "response_share resolved_share satisfied_share"
        ),
    ] = "cases",
    from_: Annotated[
        dt.datetime | None, typer.Option("--from", formats=DAY, help="起始日 / first day")
    ] = None,
    to: Annotated[
        dt.datetime | None, typer.Option(formats=DAY, help="结束日（不含）/ day after the last")
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="类别 大类 或 大类/小类，可重复 / top or top/sub, repeatable")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="来源，可重复 / citizen patrol sensor other unknown")
    ] = None,
    status: Annotated[list[str] | None, typer.Option(help="状态，可重复 / open closed void")] = None,
    asof: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
            help="时点（城市时区）；默认数据末刻 / instant on the city's clock; default: the last in the data",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="文件 / file: .csv .parquet .geojson")
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """热力图数值 / The values of a heat map: code, name, value, n. Nothing is suppressed for the operator."""
    from geo.cases import CaseFilter

    ending = _ending(out)
    where = CaseFilter(
        from_date=from_.date() if from_ else None,
        to_date=to.date() if to else None,
        categories=tuple(category or ()),
        origins=tuple(origin or ()),
        statuses=tuple(status or ()),
    )
    heat = _ask(by=by, plan=plan, where=where, measure=measure, asof=asof)
    if out is not None:
        _write(heat, out, ending)
    if as_json:
        output.result(columnar(heat), as_json=True)
    elif out is not None:
        output.tell(_sentence(heat, out))
    else:
        _show(heat)


def columnar(heat: HeatMap) -> dict[str, Any]:
    """The answer as the API sends it: one array per column."""
    from maps.classify import for_measure

    return {
        "plan": {"id": heat.plan.id, "name": heat.plan.name} if heat.plan else None,
        "by": heat.by,
        "measure": heat.measure,
        "unit": heat.unit,
        "period": {"from": heat.period[0], "to": heat.period[1]},
        "asof": heat.asof,
        "codes": heat.codes.tolist(),
        "names": heat.names.tolist(),
        "values": heat.values,
        "n": heat.n,
        "suppressed": heat.suppressed,
        "breaks": list(for_measure(heat.measure, heat.values)),
        "total": heat.total,
        "unplaced": heat.unplaced,
        "outside": heat.outside,
        "unassigned": heat.unassigned,
        "suppressed_total": heat.suppressed_total,
        "overlaps": heat.overlaps,
        "version": heat.version,
    }


def _ask(**asked: Any) -> HeatMap:
    from geo.analysis.counts import heat
    from geo.columns import ColumnStore
    from geo.db.session import session

    settings = edge.database()
    store = ColumnStore(settings, watch=False)
    with output.progress() as progress:
        store.refresh(progress)
    return heat(lambda: session(settings, "owner"), store, **asked)


def _ending(out: Path | None) -> str:
    from geo.errors import RefusedArgument

    ending = out.suffix.lower() if out is not None else ""
    if out is not None and ending not in ENDINGS:
        raise RefusedArgument(
            f"不能写成 {ending or out.name}。",
            f"Cannot write {ending or out.name}.",
            code="format-unknown",
            field="output",
            do_zh="请用 .csv、.parquet 或 .geojson；其他格式用 `wangge export heatmap`。",
            do_en="Use .csv, .parquet or .geojson; `wangge export heatmap` writes other formats.",
        )
    return ending


def _table(heat: HeatMap) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {
            "code": pa.array(heat.codes.tolist(), pa.string()),
            "name": pa.array(heat.names.tolist(), pa.string()),
            "value": pa.array(
                heat.values.astype("int64") if heat.additive else heat.values, from_pandas=True
            ),
            "n": pa.array(heat.n),
        }
    )


def _write(heat: HeatMap, out: Path, ending: str) -> None:
    """The file appears whole or not at all."""
    from geo.errors import RefusedArgument

    half = out.with_name(f".{out.name}.part")
    try:
        {".csv": _csv, ".parquet": _parquet, ".geojson": _geojson}[ending](heat, half)
        half.replace(out)
    except OSError as problem:
        half.unlink(missing_ok=True)
        raise RefusedArgument(
            f"无法写入 {out}：{problem.strerror}。",
            f"Cannot write {out}: {problem.strerror}.",
            code="output-unwritable",
            field="output",
        ) from problem


def _csv(heat: HeatMap, out: Path) -> None:
    import csv

    from geo.exports.safety import neutralise_table

    rows = neutralise_table(_table(heat)).to_pydict()
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows)
        writer.writerows(zip(*rows.values(), strict=True))


def _parquet(heat: HeatMap, out: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_table(heat), out)


def _geojson(heat: HeatMap, out: Path) -> None:
    import orjson
    import shapely

    from api.layers import polygons
    from geo.db.session import session

    with session(edge.settings(), "owner") as opened:
        drawn = shapely.to_geojson(polygons(opened, heat.zones)).tolist()
    rows = _table(heat).to_pylist()
    features = [
        {
            "type": "Feature",
            "id": row["code"],
            "geometry": orjson.Fragment(shape) if shape is not None else None,
            "properties": row,
        }
        for row, shape in zip(rows, drawn, strict=True)
    ]
    out.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))


def _show(heat: HeatMap) -> None:
    """The highest values as a table, then the totals."""
    import numpy as np

    order = np.argsort(-np.nan_to_num(heat.values, nan=-1.0), kind="stable")[:SHOWN]
    rows = [
        {
            "code": heat.codes[i],
            "name": heat.names[i],
            "value": None if np.isnan(heat.values[i]) else float(heat.values[i]),
            "n": int(heat.n[i]),
        }
        for i in order
    ]
    output.result(rows)
    output.tell(_sentence(heat, None))


def _sentence(heat: HeatMap, out: Path | None) -> str:
    zones, shown = len(heat.codes), min(SHOWN, len(heat.codes))
    if edge.lang() == "zh":
        where = f"已写入 {out}：{zones} 个区域" if out else f"{zones} 个区域（显示 {shown} 个）"
        text = f"{where}，共 {heat.total} 件，未定位 {heat.unplaced}，区域外 {heat.outside}"
        text += f"（其中未分配 {heat.unassigned}）" if heat.unassigned else ""
        return text + (f"，重叠区域内 {heat.overlaps}" if heat.overlaps else "")
    where = f"{out}: {zones} zones" if out else f"{zones} zones ({shown} shown)"
    text = f"{where}, {heat.total} cases in all, {heat.unplaced} unplaced, {heat.outside} outside"
    text += f" ({heat.unassigned} of them unassigned)" if heat.unassigned else ""
    return text + (f", {heat.overlaps} in overlapping zones" if heat.overlaps else "")
