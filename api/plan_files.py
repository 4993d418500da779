"""Plans into files: where the plans of `grids` and the writers of `geo` meet."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import shapely
from sqlalchemy.orm import Session

from geo.errors import RefusedArgument
from geo.exports import layers
from geo.exports.job import Written
from geo.exports.safety import neutralise
from geo.exports.writers import ending_of, write
from grids import exporting, stored

ENDINGS = (".csv", ".gpkg", ".shp.zip", ".geojson")


def export(
    session: Session, plan: int | str, out: Path, *, weight: str | None = None, encoding: str = "utf-8",
    who: str = "operator",
) -> Written:  # fmt: skip
    """`.csv`: the assignment unit → grid; `.gpkg`, `.shp.zip`, `.geojson`: the grids with what they hold."""
    ending = ending_of(out) if out.suffix else ""
    if ending not in ENDINGS:
        raise RefusedArgument(
            f"{out.suffix or out.name} 不可用；可用：{'、'.join(ENDINGS)}。",
            f"{out.suffix or out.name} is not possible; there are: {', '.join(ENDINGS)}.",
            code="export-format", field="output",
            do_zh="其他格式请到导出页。",
            shell_zh="其他格式请用 wangge export grids。",
            do_en="For other formats see the exports page.",
            shell_en="For other formats use `wangge export grids`.",
        )  # fmt: skip
    if ending == ".csv":
        written = _csv(exporting.assignment(session, plan), out)
        plan_id = stored.find(session, plan).id
    else:
        plan_id, columns = exporting.metrics(session, plan, weight)
        shapes = shapely.from_wkb(exporting.outlines(session, plan_id))
        import geopandas as gpd  # the service answers without it

        frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=4326)
        layer = layers.from_frame("grids", frame, "MultiPolygon", value_field="deviation")
        written = write(layer, out, encoding=encoding)
    exporting.note(session, plan_id, {"rows": written.rows, "format": ending}, who)
    return written


def _csv(rows: list[dict[str, Any]], out: Path) -> Written:
    out.parent.mkdir(parents=True, exist_ok=True)
    made = out.with_name(out.name + ".part")
    with made.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows[0].keys())
        writer.writerows([cell(value) for value in row.values()] for row in rows)
    made.replace(out)
    return Written(out, len(rows), "", files=[out.name])


def cell(value: Any) -> Any:
    """A value as a cell of CSV: true and false as 1 and 0, no text begins a formula."""
    if isinstance(value, bool):
        return int(value)
    return neutralise(value) if isinstance(value, str) else value
