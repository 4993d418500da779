"""`wangge load network`, `weights` and `plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import load
from api.cli.output import AsJson

File = Annotated[Path, typer.Argument(metavar="FILE", help="文件 / the file")]
Crs = Annotated[str, typer.Option(help="auto, EPSG:n, gcj02, bd09")]
Layer = Annotated[str | None, typer.Option(help="文件内的图层 / the layer inside the file")]
Encoding = Annotated[str | None, typer.Option(help="文字编码 / text encoding")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="只检查，不写入 / look only, write nothing")]


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
    output.result(report.as_dict(), as_json)
    raise typer.Exit(report.exit_code)
