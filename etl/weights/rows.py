"""A file of weights as rows: a value with a code, a point or a polygon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from etl.privacy import personal_by_content, personal_by_name
from etl.reading import DRIVERS, read_vector, repair
from etl.rejects import Reject
from etl.tables import open_table
from geo import crs as coordinates
from geo.errors import RefusedArgument, RefusedFile

TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".ods")
LON = ("lon", "lng", "longitude", "经度", "x", "x_wgs84", "lon_wgs84", "long")
LAT = ("lat", "latitude", "纬度", "y", "y_wgs84", "lat_wgs84")
VALUES: dict[str, tuple[str, ...]] = {
    "households": ("households", "户数", "总户数", "家庭户数", "household", "hh"),
    "people": ("people", "population", "人口", "常住人口", "总人口", "人口数", "pop"),
    "dwellings": ("dwellings", "住宅数", "套数", "住房套数", "units"),
}


@dataclass
class Rows:
    """What a file says, row by row: `values[i]` stands at `numbers[i]`, with a shape or the text of every column.

    `texts` maps a column to its values; `shapes` are points or polygons in EPSG:4326, None for rows by code.
    """

    values: NDArray[np.float64]
    numbers: list[int]
    texts: dict[str, list[str | None]]
    shapes: NDArray[np.object_] | None
    value_column: str
    crs: str | None = None
    encoding: str | None = None
    rejects: list[Reject] = field(default_factory=list)
    rows_in: int = 0
    personal: dict[str, int] = field(default_factory=dict)  # columns left out -> values they held


def read(path: Path, column: str, *, value_field: str | None = None, crs: str = "auto", layer: str | None = None,
         encoding: str | None = None) -> Rows:  # fmt: skip
    """All rows of a table or layer with a usable value (finite, not negative); the others are rejects."""
    if path.name.lower().removesuffix(".gz").endswith(TABLES):
        return _table(path, column, value_field, crs, encoding)
    return _layer(path, column, value_field, crs, layer, encoding)


def _table(path: Path, column: str, value_field: str | None, crs: str, encoding: str | None) -> Rows:
    table = open_table(path, encoding=encoding)
    texts: dict[str, list[str | None]] = {name: [] for name in table.header}
    numbers: list[int] = []
    rejects: list[Reject] = []
    for batch in table.batches():
        numbers += batch.rows.tolist()
        rejects += batch.rejects
        for name in table.header:
            texts[name] += batch.table.column(name).to_pylist()
    lon, lat = (_named(table.header, names) for names in (LON, LAT))
    wanted = _value_column(texts, column, value_field, {lon, lat})
    shapes = None
    used = None
    if lon is not None and lat is not None:
        used = "EPSG:4326" if crs == "auto" else crs
        x, y = (np.array([_number(v) for v in texts[name]]) for name in (lon, lat))
        shapes = np.asarray(shapely.points(*coordinates.to_wgs84(x, y, used)), dtype=object)
        shapes[~(np.isfinite(x) & np.isfinite(y))] = None
    return _valued(texts, numbers, shapes, wanted, rejects, used, table.encoding)


def _layer(
    path: Path, column: str, value_field: str | None, crs: str, layer: str | None, encoding: str | None
) -> Rows:
    file = read_vector(path, drivers=DRIVERS, layer=layer, encoding=encoding)
    used = file.crs if crs == "auto" else crs
    if used is None:
        raise RefusedFile(
            f"文件“{path.name}”没有坐标系。", f"The file {path.name!r} declares no CRS.", code="crs-missing", field="crs",
            do_zh="请用 --crs EPSG:代码。", do_en="Give it with --crs EPSG:n.",
        )  # fmt: skip
    frame = file.frame
    texts = {str(c): [_text(v) for v in frame[c].tolist()] for c in frame.columns if c != "geometry"}
    shapes = coordinates.project(frame.geometry.to_numpy(), "EPSG:4326", used)
    surface = np.array([s is not None and s.geom_type.endswith("Polygon") for s in shapes], bool)
    if surface.any():
        shapes[surface] = repair(shapes[surface]).geoms
    wanted = _value_column(texts, column, value_field, set())
    return _valued(texts, file.rows.tolist(), shapes, wanted, [], used, file.encoding)


def _valued(
    texts: dict[str, list[str | None]], numbers: list[int], shapes: NDArray[np.object_] | None, wanted: str,
    rejects: list[Reject], crs: str | None, encoding: str | None,
) -> Rows:  # fmt: skip
    """Drops the rows whose value cannot be used, and columns about persons."""
    rows_in = len(numbers) + len(rejects)
    personal = {n: sum(v is not None for v in c) for n, c in texts.items() if n != wanted and _personal(n, c)}
    texts = {name: column for name, column in texts.items() if name not in personal}
    values = np.array([_number(v) for v in texts[wanted]], float).reshape(-1)
    good = np.isfinite(values) & (values >= 0)
    for i in np.flatnonzero(~good).tolist():
        negative = bool(values[i] < 0)
        rejects.append(
            Reject(
                numbers[i],
                "value-negative" if negative else "number-format",
                "数值小于 0" if negative else "不是数字",
                "the value is negative" if negative else "not a number",
                column=wanted,
                value=texts[wanted][i],
                do_zh="改正后重新装载",
                do_en="correct it and load again",
                original={name: column[i] for name, column in texts.items()},
            )
        )
    kept = np.flatnonzero(good).tolist()
    return Rows(
        values[good],
        [numbers[i] for i in kept],
        {name: [column[i] for i in kept] for name, column in texts.items()},
        None if shapes is None else shapes[good],
        wanted,
        crs,
        encoding,
        rejects,
        rows_in,
        personal,
    )


def _value_column(
    texts: dict[str, list[str | None]], column: str, asked: str | None, positions: set[str | None]
) -> str:
    """Which column holds the value: the asked one, the weight's own name, a synonym, else the only numeric one."""
    if asked is not None:
        if asked in texts:
            return asked
        raise _no_value(list(texts), asked)
    found = _named(list(texts), (column, *VALUES.get(column, ())))
    if found is not None:
        return found
    numeric = [
        name for name, values in texts.items()
        if name not in positions and values and all(v is None or math.isfinite(_number(v)) for v in values)
    ]  # fmt: skip
    if len(numeric) == 1:
        return numeric[0]
    raise _no_value(list(texts), column)


def _no_value(header: Sequence[str], asked: str) -> RefusedArgument:
    shown = list(header)[:30]
    return RefusedArgument(
        f"找不到数值列“{asked}”；现有列：{'、'.join(shown)}。",
        f"There is no column for {asked!r}; there are: {', '.join(shown)}.",
        code="value-column",
        field="value-field",
        do_zh="请用 --value-field 指定。",
        do_en="Choose it with --value-field.",
    )


def _named(header: Sequence[str], names: Sequence[str]) -> str | None:
    known = {h.strip().casefold(): h for h in header}
    return next((known[n.casefold()] for n in names if n.casefold() in known), None)


def _personal(name: str, column: list[str | None]) -> bool:
    return personal_by_name(name) or personal_by_content(pa.array(column, type=pa.string())) is not None


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else math.nan
    except ValueError:
        return math.nan


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
