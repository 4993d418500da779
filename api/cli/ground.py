"""`wangge units` and `wangge plan`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import edge, output
from api.cli.groups import plan, units
from api.cli.output import AsJson

Square = Annotated[float, typer.Option("--target-area-m2", help="单元目标面积 / target area of a unit, m²")]
Empty = Annotated[
    float | None,
    typer.Option("--empty-area-m2", help="空地单元的上限目标 / target where nothing happens, m²"),
]


@units.command("build")
def build_units(
    within: Annotated[str, typer.Option(help="单元所嵌套的层级 / the level units nest in")] = "community",
    target_area_m2: Square = 10_000,
    empty_area_m2: Empty = None,
    barriers: Annotated[
        Path | None, typer.Option(help="另加的切割线文件 / a file of barrier lines beside the loaded network")
    ] = None,
    cells: Annotated[
        str, typer.Option(help="无障碍处的形状 / shape without barriers: auto, square, hexagon")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """把每个社区的地面切成单元 / Cut the ground of every community into units."""
    import etl.units
    from geo.errors import RefusedArgument

    if cells not in ("auto", "square", "hexagon"):
        raise RefusedArgument(
            f"未知形状 {cells}。",
            f"Unknown shape {cells!r}.",
            field="cells",
            do_en="auto, square or hexagon.",
        )
    extra = read_obstacles(barriers) if barriers else None
    with edge.work() as session, output.progress() as progress:
        report = etl.units.build(
            session,
            within=within,
            target_area_m2=target_area_m2,
            empty_area_m2=empty_area_m2,
            barriers=extra,
            cells=cells,  # type: ignore[arg-type]
            progress=progress,
        )
    facts = report.details
    output.say(
        f"{facts['areas']} 个区域内建成 {facts['units']} 个单元，中位面积 {facts['median_area_m2']:,.0f} m²。",
        f"{facts['units']} units in {facts['areas']} areas; median area {facts['median_area_m2']:,.0f} m².",
    )
    output.result(facts, as_json)


@units.command("show")
def show_units(as_json: AsJson = False) -> None:
    """现有单元概况 / The units there are."""
    import etl.units

    with edge.work("app") as session:
        output.result(etl.units.describe(session), as_json)


def read_obstacles(path: Path) -> Any:
    """A file's ways as obstacles: every line divides, as its class says."""
    import numpy as np

    from etl.network import read
    from etl.units import obstacles_of

    ways = read(path)
    return obstacles_of(
        [kind.class_ for kind in ways.kinds],
        [kind.kind for kind in ways.kinds],
        np.array([kind.barrier for kind in ways.kinds], bool),
        np.array(ways.geometry, dtype=object),
    )


# ── Plans ───────────────────────────────────────────────────────────────────────────────────────────────────────────

Which = Annotated[str, typer.Argument(metavar="PLAN", help="方案编号或名称 / a plan's id or name")]


@plan.command("list")
def list_plans(as_json: AsJson = False) -> None:
    """全部方案 / All plans."""
    from grids import plans

    with edge.work() as session:
        found = plans.listing(session)
    output.result([_row(one) for one in found], as_json)
    if not found and not as_json:
        output.say(
            "还没有方案；wangge plan propose 可提出一个。",
            "There are no plans; `wangge plan propose` makes one.",
        )


@plan.command("show")
def show_plan(which: Which, as_json: AsJson = False) -> None:
    """一个方案 / One plan."""
    from grids import plans

    with edge.work() as session:
        output.result(_row(plans.show(session, which)), as_json)


@plan.command("check")
def check_plan(which: Which, as_json: AsJson = False) -> None:
    """方案违反的规则 / The rules a plan breaks."""
    from grids import plans

    with edge.work() as session:
        found = plans.check(session, which)
    chinese = edge.lang() == "zh"
    rows = [dataclasses.asdict(one) for one in found]
    output.result(
        rows
        if as_json
        else [
            {
                "grid": v.grid,
                "rule": v.code,
                "what": v.zh if chinese else v.en,
                "do": v.do_zh if chinese else v.do_en,
            }
            for v in found
        ],
        as_json,
    )
    if not found:
        output.say("方案完整、连通、嵌套，可以批准。", "Complete, contiguous and nested: it may be approved.")


@plan.command("approve")
def approve_plan(
    which: Which,
    valid_from: Annotated[str, typer.Option("--from", metavar="DATE", help="生效日 / first day, YYYY-MM-DD")],
    by: Annotated[str, typer.Option(help="批准人 / who approves")] = "operator",
    as_json: AsJson = False,
) -> None:
    """批准方案，自某日起生效 / Approve a plan from a date on."""
    from grids import plans

    with edge.work() as session:
        done = plans.approve(session, which, _date(valid_from), by)
    output.say(
        f"方案“{done.name}”自 {done.valid_from} 起生效。", f"Plan {done.name!r} holds from {done.valid_from}."
    )
    output.result(_row(done), as_json)


@plan.command("withdraw")
def withdraw_plan(
    which: Which,
    by: Annotated[str, typer.Option(help="撤回人 / who withdraws")] = "operator",
    as_json: AsJson = False,
) -> None:
    """在生效前撤回已批准的方案 / Take an approved plan back before it starts."""
    from grids import plans

    with edge.work() as session:
        done = plans.withdraw(session, which, by)
    output.say(f"方案“{done.name}”已撤回。", f"Plan {done.name!r} is withdrawn.")
    output.result(_row(done), as_json)


@plan.command("export")
def export_plan(
    which: Which,
    to: Annotated[Path, typer.Option("-o", "--output", help="单元归属表 .csv / unit → grid table, .csv")],
) -> None:
    """单元归属表 / The assignment of units to grids (polygons: wangge export grids --plan PLAN)."""
    import csv

    from geo.errors import RefusedArgument
    from geo.exports.safety import neutralise
    from grids import plans

    if to.suffix.lower() != ".csv":
        raise RefusedArgument(
            f"{to.suffix or to.name} 不是 .csv。",
            f"{to.suffix or to.name} is not .csv.",
            code="export-format",
            field="output",
            do_zh="网格图形请用 wangge export grids。",
            do_en="For grid polygons use `wangge export grids`.",
        )
    with edge.work() as session:
        rows = plans.assignment(session, which)
    with to.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows[0].keys())
        writer.writerows([neutralise(v) if isinstance(v, str) else v for v in row.values()] for row in rows)
    output.say(f"已写出 {len(rows)} 个单元：{to}", f"{len(rows)} units written to {to}.")


def _row(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}


def _date(written: str) -> dt.date:
    from geo.errors import RefusedArgument

    try:
        return dt.date.fromisoformat(written.strip())
    except ValueError as problem:
        raise RefusedArgument(
            f"日期“{written[:40]}”无法识别。", f"{written[:40]!r} is not a date.", code="date", field="from",
            do_zh="请写成 2026-01-31。", do_en="Write it as 2026-01-31.",
        ) from problem  # fmt: skip
