"""`wangge load cases`, `wangge load facilities`, `wangge runs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import load, top
from api.cli.reports import print_report
from etl.rejects import LoadReport

File = Annotated[Path, typer.Argument(metavar="FILE", help="文件 / the file")]
Crs = Annotated[
    str, typer.Option("--crs", metavar="auto|EPSG:n|gcj02|bd09", help="坐标系 / CRS of the positions")
]
Map = Annotated[Path | None, typer.Option("--map", metavar="layout.toml", help="列映射 / column mapping")]
Encoding = Annotated[str | None, typer.Option("--encoding", help="编码 / text encoding")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="只检查，不写入 / check only, write nothing")]

runs = typer.Typer(
    help="历次装载 / Earlier loads.", invoke_without_command=True, pretty_exceptions_enable=False
)
top.add_typer(runs, name="runs")


@load.command("cases")
def load_cases(
    file: File,
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="来源 / who delivers")],
    map_: Map = None,
    crs: Crs = "auto",
    encoding: Encoding = None,
    dry_run: DryRun = False,
    as_json: output.AsJson = False,
) -> None:
    """装载案件：CSV、XLSX、GeoJSON、Parquet、Open311 … / load cases."""
    from etl import cases

    with output.progress() as progress, edge.work() as session:
        report = cases.load(
            session,
            file,
            source=source,
            map_file=map_,
            crs=crs,
            encoding=encoding,
            dry_run=dry_run,
            progress=progress,
        )
    _tell(report, as_json)


@load.command("facilities")
def load_facilities(
    file: File,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="设施类型 / kind of facility")],
    map_: Map = None,
    crs: Crs = "auto",
    encoding: Encoding = None,
    dry_run: DryRun = False,
    as_json: output.AsJson = False,
) -> None:
    """装载设施：点或面 / load facilities: points or areas."""
    from etl import facilities

    with output.progress() as progress, edge.work() as session:
        report = facilities.load(
            session,
            file,
            kind=kind,
            map_file=map_,
            crs=crs,
            encoding=encoding,
            dry_run=dry_run,
            progress=progress,
        )
    _tell(report, as_json)


@runs.callback()
def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="最多几行 / how many")] = 50,
    as_json: output.AsJson = False,
) -> None:
    """历次装载，最新在前 / earlier loads, newest first."""
    if context.invoked_subcommand is not None:
        return
    from etl import runs as stored

    with edge.work() as session:
        output.result(stored.listing(session, limit), as_json)


@runs.command("show")
def show_run(
    number: Annotated[int, typer.Argument(metavar="N", help="编号 / number of the run")],
    rejects: Annotated[
        Path | None, typer.Option("--rejects", metavar="out.csv", help="拒绝行写入 CSV / write its rejects")
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """一次装载的报告；拒绝的行可导出、改正后再装载 / one load's report; its rejects can be exported and loaded again."""
    from etl import runs as stored

    with edge.work() as session:
        run = stored.find(session, number)
        report = stored.of(session, run)
        written = None if rejects is None else stored.write_rejects(report, rejects)
    if as_json:
        output.result(report.as_dict(), True)
    else:
        print_report(report, edge.lang())
    if written is not None:
        output.say(f"已写入 {written} 行到 {rejects}。", f"Wrote {written} rows to {rejects}.")


def _tell(report: LoadReport, as_json: bool) -> None:
    if as_json:
        output.result(report.as_dict(), True)
    else:
        print_report(report, edge.lang())
    raise typer.Exit(report.exit_code)
