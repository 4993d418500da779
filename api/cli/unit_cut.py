"""`wangge units cut UNIT --line FILE|WKT`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import edge, output
from api.cli.groups import units
from api.cli.output import AsJson

MOST_BYTES = 1_000_000


@units.command("cut")
def cut_unit(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="单元编码 / the unit's code")],
    line: Annotated[
        str,
        typer.Option(help="线：GeoJSON 文件，或 WKT（经纬度）/ the line: a GeoJSON file, or WKT in lon/lat"),
    ],
    by: Annotated[str, typer.Option(help="经办人 / who does it")] = "operator",
    as_json: AsJson = False,
) -> None:
    """沿所画的线切分一个单元；任何方案下的数字都不变 / Cut a unit along a line; no number moves under any plan."""
    from api import dividing
    from geo import cutting

    with edge.work() as session:
        done = cutting.cut(session, unit, dividing.along(dividing.line(_written(line))), author=by)
    output.say(
        f"单元 {done.unit} 切成 {len(done.parts)} 块：{'、'.join(done.parts)}；重新定位 {done.cases} 件案件、"
        f"{done.facilities} 处设施。",
        f"Unit {done.unit} is cut into {', '.join(done.parts)}; {done.cases} cases and {done.facilities} facilities "
        "were placed again.",
    )
    output.result(done, as_json)


def _written(line: str) -> Any:
    """What the option holds: the text of a file, or the text itself."""
    from geo.errors import RefusedFile

    path = Path(line)
    try:
        found = path.is_file()
    except OSError:  # a long WKT is no file name
        return line
    if not found:
        if line.lstrip()[:1] not in ("L", "l", "{") and path.suffix:
            raise RefusedFile(
                f"没有文件 {path.name}。", f"There is no file {path.name}.", code="file-missing", field="line"
            )
        return line
    if path.stat().st_size > MOST_BYTES:
        raise RefusedFile(
            "文件过大。", "The file is too large for one line.", code="file-too-large", field="line"
        )
    return path.read_text(encoding="utf-8", errors="replace")
