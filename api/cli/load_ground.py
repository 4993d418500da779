"""`wangge load network`, `weights` and `plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import edge, output
from api.cli.groups import load, plan
from api.cli.output import AsJson
from api.cli.reports import print_report

File = Annotated[Path, typer.Argument(metavar="FILE", help="文件 / the file")]
Crs = Annotated[str, typer.Option(help="auto, EPSG:n, gcj02, bd09")]
Layer = Annotated[str | None, typer.Option(help="文件内的图层 / the layer inside the file")]
Encoding = Annotated[str | None, typer.Option(help="文字编码 / text encoding")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="只检查，不写入 / look only, write nothing")]


def tell(report: Any, as_json: bool) -> None:
    """The report as JSON, or as the person reads it."""
    if as_json:
        output.result(report.as_dict(), True)
    else:
        print_report(report, edge.lang())


@load.command("network")
def load_network(
    file: File,
    source: Annotated[str | None, typer.Option(help="来源名，默认 osm 或文件名 / the source's name")] = None,
    class_: Annotated[
        str | None, typer.Option("--class", help="全部为 road、rail、water、bridge、path / what all of it is")
    ] = None,
    crs: Crs = "auto",
    layer: Layer = None,
    encoding: Encoding = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """道路、铁路、水系、桥、小路 / Roads, rails, waters, bridges and paths."""
    import etl.network

    with edge.work() as session, output.progress() as progress:
        report = etl.network.load(
            session,
            file,
            source=source,
            class_=class_,
            crs=crs,
            layer=layer,
            encoding=encoding,
            dry_run=dry_run,
            progress=progress,
        )
    tell(report, as_json)
    raise typer.Exit(report.exit_code)


@load.command("weights")
def load_weights(
    file: File,
    column: Annotated[str, typer.Option(help="权重名：households、people … / the weight's name")],
    value_field: Annotated[str | None, typer.Option(help="数值列 / the column of values")] = None,
    code_field: Annotated[str | None, typer.Option(help="编码列 / the column of codes")] = None,
    crs: Crs = "auto",
    layer: Layer = None,
    encoding: Encoding = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """户数、人口等，按编码、面或点分摊到单元 / Households, people …, shared out to units by code, polygon or point."""
    import etl.weights

    with edge.work() as session, output.progress() as progress:
        report = etl.weights.load(
            session,
            file,
            column=column,
            value_field=value_field,
            code_field=code_field,
            crs=crs,
            layer=layer,
            encoding=encoding,
            dry_run=dry_run,
            progress=progress,
        )
    tell(report, as_json)
    raise typer.Exit(report.exit_code)


Name = Annotated[str, typer.Option(help="方案名称 / the plan's name")]
Field = Annotated[str | None, typer.Option(help="列名 / a column")]


@load.command("plan")
@plan.command("import")
def load_plan(
    file: File,
    name: Name,
    crs: Crs = "auto",
    code_field: Field = None,
    name_field: Field = None,
    unit_field: Field = None,
    layer: Layer = None,
    encoding: Encoding = None,
    nest: Annotated[
        str | None, typer.Option(help="strict, soft, free；默认自动 / by default what holds")
    ] = None,
    cut: Annotated[
        bool, typer.Option("--cut", help="沿网格界线切分单元 / cut units along the grids")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """已有网格图层或单元归属表成为方案 / A grid layer (kept as an overlay), or a table unit → grid, becomes a plan."""
    from api import plan_imports
    from etl import assignments

    if assignments.is_table(file):
        _load_table(file, name, nest, (unit_field, code_field, name_field), encoding, as_json)
        return
    with edge.work() as session, output.progress() as progress:
        loaded = plan_imports.load_layer(
            session,
            file,
            name=name,
            nest=nest,
            cut=cut,
            progress=progress,
            crs=crs,
            code_field=code_field,
            name_field=name_field,
            layer=layer,
            encoding=encoding,
        )
    found = loaded.plan
    output.say(
        f"方案“{name}”（编号 {found.plan_id}）：{found.grids} 个网格；与图层相差 {found.differing_m2:,.0f} m²、"
        f"{found.differing_cases} 件案件。",
        f"Plan {name!r} (id {found.plan_id}): {found.grids} grids; it differs from the layer by "
        f"{found.differing_m2:,.0f} m² and {found.differing_cases} cases.",
    )
    facts = loaded.facts()
    output.result({**facts, "load": loaded.report.as_dict()} if as_json else facts, as_json)
    raise typer.Exit(loaded.report.exit_code)


def _load_table(
    file: Path,
    name: str,
    nest: str | None,
    fields: tuple[str | None, str | None, str | None],
    encoding: str | None,
    as_json: bool,
) -> None:
    import dataclasses

    from api import plan_imports

    unit, code, named = fields
    with edge.work() as session:
        report, done = plan_imports.load_table(
            session,
            file,
            name=name,
            nest=nest,
            unit_field=unit,
            code_field=code,
            name_field=named,
            encoding=encoding,
        )
    output.say(
        f"方案“{name}”（编号 {done.plan_id}）：{done.grids} 个网格，{done.open_units} 个单元未分配。",
        f"Plan {name!r} (id {done.plan_id}): {done.grids} grids; {done.open_units} units are open.",
    )
    facts = dataclasses.asdict(done)
    if as_json:
        output.result({**facts, "load": report.as_dict()}, True)
    else:
        tell(report, False)
        output.result(facts)
    raise typer.Exit(report.exit_code)
