"""`wangge load cases`, `wangge load facilities`, `wangge runs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import load
from etl import cases

File = Annotated[Path, typer.Argument(metavar="FILE", help="文件 / the file")]
Crs = Annotated[str, typer.Option("--crs", metavar="auto|EPSG:n|gcj02|bd09", help="坐标系 / CRS of the positions")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="只检查，不写入 / check only, write nothing")]


@load.command("cases")
def load_cases(
    file: File,
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="来源 / who delivers")],
    map_: Annotated[Path | None, typer.Option("--map", metavar="layout.toml", help="列映射 / column mapping")] = None,
    crs: Crs = "auto",
    encoding: Annotated[str | None, typer.Option("--encoding", help="编码 / text encoding")] = None,
    dry_run: DryRun = False,
    as_json: output.AsJson = False,
) -> None:
    """装载案件：CSV、XLSX、GeoJSON、Parquet、Open311 … / load cases."""
    with output.progress() as progress, edge.work() as session:
        report = cases.load(
            session, file, source=source, map_file=map_, crs=crs, encoding=encoding, dry_run=dry_run, progress=progress
        )
    output.result(report.as_dict(), as_json)
    raise typer.Exit(report.exit_code)
