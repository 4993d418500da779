"""`wangge units` and `wangge plan`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from api.cli import edge, output
from api.cli.choices import one_of
from api.cli.groups import plan, units
from api.cli.output import AsJson

Square = Annotated[float, typer.Option("--target-area-m2", help="单元目标面积 / target area of a unit, m²")]
Empty = Annotated[
    float | None,
    typer.Option("--empty-area-m2", help="空地单元的上限目标 / target where nothing happens, m²"),
]

Cells = Literal["auto", "square", "hexagon"]  # as `etl.units` has it, which takes a second to import
Shape = Annotated[
    Cells,
    typer.Option(
        metavar="SHAPE",
        parser=one_of("cells", *get_args(Cells)),
        help="无障碍处的形状 / shape without barriers: auto, square, hexagon",
    ),
]


@units.command("build")
def build_units(
    within: Annotated[str, typer.Option(help="单元所嵌套的层级 / the level units nest in")] = "community",
    target_area_m2: Square = 10_000,
    empty_area_m2: Empty = None,
    barriers: Annotated[
        Path | None, typer.Option(help="另加的切割线文件 / a file of barrier lines beside the loaded network")
    ] = None,
    cells: Shape = "auto",
    as_json: AsJson = False,
) -> None:
    """把每个社区的地面切成单元 / Cut the ground of every community into units."""
    import etl.units

    extra = read_obstacles(barriers) if barriers else None
    with edge.work() as session, output.progress() as progress:
        report = etl.units.build(
            session,
            within=within,
            target_area_m2=target_area_m2,
            empty_area_m2=empty_area_m2,
            barriers=extra,
            cells=cells,
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


def _row(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
