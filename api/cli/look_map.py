"""`wangge map heatmap` and `wangge map plan`: a map as one HTML file that needs no network."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.files import check_output, write
from api.cli.groups import maps
from geo.errors import RefusedArgument

Target = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE.html", help="写到哪里 / where to write")
]
Category = Annotated[list[str] | None, typer.Option("--category", help="类别 top 或 top/sub / category")]
Origin = Annotated[list[str] | None, typer.Option("--origin", help="来源 / origin")]
Status = Annotated[list[str] | None, typer.Option("--status", help="状态 / status")]
Title = Annotated[str | None, typer.Option("--title", help="标题 / title")]


@maps.command("heatmap")
def map_heatmap(
    target: Target,
    by: Annotated[str, typer.Option("--by", help="grid | hexagon:9 | LEVEL[@DATE]")] = "grid",
    plan: Annotated[str, typer.Option("--plan", help="current | as-was | as-of:DATE | ID")] = "current",
    measure: Annotated[str, typer.Option("--measure", help="指标 / measure")] = "cases",
    from_: Annotated[str | None, typer.Option("--from", metavar="DATE", help="起始日期 / first day")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="终止日期（不含） / day after the last")
    ] = None,
    category: Category = None,
    origin: Origin = None,
    status: Status = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="week|month", help="时间滑块 / time slider")
    ] = None,
    title: Title = None,
    as_json: output.AsJson = False,
) -> None:
    """热力图 → 单个网页文件，无需网络 / A heat map as one page that needs no network."""
    from api.cli.map_data import MEASURE_NAMES, Question, heat_html
    from geo.cases import CaseFilter

    check_output(target, (".html", ".htm"))
    _one_of("measure", measure, tuple(MEASURE_NAMES))
    if time is not None:
        _one_of("time", time, ("week", "month"))
    where = CaseFilter(
        _date("from", from_), _date("to", to), tuple(category or ()), tuple(origin or ()), tuple(status or ())
    )
    page, heat = heat_html(edge.database(), Question(by, plan, where, measure, time, title, edge.lang()))
    write(target, page.encode())
    told = {
        "file": str(target),
        "bytes": target.stat().st_size,
        "zones": len(heat.codes),
        "total": heat.total,
    }
    output.result(told, as_json)


@maps.command("plan")
def map_plan(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="方案编号或名称 / id or name")],
    target: Target,
    from_: Annotated[str | None, typer.Option("--from", metavar="DATE", help="起始日期 / first day")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="终止日期（不含） / day after the last")
    ] = None,
    title: Title = None,
    as_json: output.AsJson = False,
) -> None:
    """网格方案 → 单个网页文件 / A plan's grids as one page."""
    from api.cli.map_data import plan_html
    from geo.cases import CaseFilter

    check_output(target, (".html", ".htm"))
    where = CaseFilter(_date("from", from_), _date("to", to))
    page, heat = plan_html(edge.database(), plan, where, title, edge.lang())
    write(target, page.encode())
    output.result({"file": str(target), "bytes": target.stat().st_size, "grids": len(heat.codes)}, as_json)


def _date(field: str, written: str | None) -> dt.date | None:
    if written is None:
        return None
    try:
        return dt.date.fromisoformat(written)
    except ValueError as problem:
        raise RefusedArgument(
            f"{field} 不是日期：{written[:40]}。",
            f"{field} is not a date: {written[:40]}.",
            code="date-invalid",
            field=field,
            do_zh="请写成 2026-03-01。",
            do_en="Write it as 2026-03-01.",
        ) from problem


def _one_of(field: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        words = ", ".join(allowed)
        raise RefusedArgument(
            f"{field} 不能是 {given[:40]}。",
            f"{field} cannot be {given[:40]}.",
            field=field,
            do_zh=f"可用：{words}。",
            do_en=f"Allowed: {words}.",
        )
