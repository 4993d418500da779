"""`wangge load boundaries`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import load
from api.cli.reports import print_report
from etl import process
from geo.errors import RefusedArgument

File = Annotated[Path, typer.Argument(metavar="FILE", help="文件 / the file")]
Field = Annotated[str | None, typer.Option(metavar="COLUMN", help="列名 / the column")]


@load.command("boundaries")
def load_boundaries(
    file: File,
    level: Annotated[
        str,
        typer.Option(
            "--level",
            metavar="NAME",
            help="city、district、street、community 或自定义 / or a name of your own",
        ),
    ],
    crs: Annotated[
        str, typer.Option("--crs", metavar="auto|EPSG:n|gcj02|bd09", help="坐标系 / CRS of the file")
    ] = "auto",
    code_field: Field = None,
    name_field: Field = None,
    parent_field: Field = None,
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="NAME", help="文件内的图层 / layer in the file")
    ] = None,
    encoding: Annotated[str | None, typer.Option("--encoding", help="编码 / text encoding")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="生效日期 / holds from (YYYY-MM-DD)")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="更正现有版本 / correct the newest edition")
    ] = False,
    dissolve: Annotated[
        bool, typer.Option("--dissolve", help="合并同码要素 / join features of one code")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="只检查，不写入 / check only, write nothing")
    ] = False,
    as_json: output.AsJson = False,
) -> None:
    """装载边界：行政区或业务图层 / load boundaries: administrative areas or an overlay."""
    valid_from = _date(from_)
    process.prepare()
    from api.loads import follow  # heavy: imported while the child starts
    from etl import boundaries

    with output.progress() as progress, edge.work() as session:
        report = boundaries.load(
            session,
            file,
            level=level,
            crs=crs,
            code_field=code_field,
            name_field=name_field,
            parent_field=parent_field,
            layer=layer,
            encoding=encoding,
            valid_from=valid_from,
            replace=replace,
            dissolve=dissolve,
            dry_run=dry_run,
            progress=progress,
        )
        follow(session, report, dry_run=dry_run)
    if as_json:
        output.result(report.as_dict(), as_json=True)
    else:
        print_report(report, edge.lang())
    raise typer.Exit(report.exit_code)


def _date(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as problem:
        raise RefusedArgument(
            f"日期“{text[:40]}”无法识别。",
            f"{text[:40]!r} is no date.",
            code="date-invalid",
            field="from",
            do_zh="请用 2025-01-01 的格式。",
            do_en="Write it like 2025-01-01.",
        ) from problem
