"""Rows of a facility file: identifier, name, capacity, geometry and the rest as attributes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from etl import copying, privacy
from etl.cleaning import positions
from etl.cleaning.attributes import as_json
from etl.cleaning.problems import NUL_SHOWN, reject
from etl.cleaning.strings import trimmed
from etl.rejects import Reject
from etl.sources import Layout
from etl.tables import RawBatch
from geo import crs as crs_
from geo import geometry

LIMITS = {"id": 200, "name": 300}
CONTROL = tuple(chr(c) for c in range(32) if c not in (9, 10, 13))


@dataclass
class Facilities:
    """Cleaned rows: ids, names, capacity (NaN: none), geometry as delivered and a point inside (None: unplaced)."""

    rows: NDArray[np.int64]
    id: pa.StringArray
    name: pa.StringArray
    capacity: NDArray[np.float64]
    geom: NDArray[np.object_]
    point: NDArray[np.object_]
    attributes: pa.StringArray
    district: list[str | None]
    rejects: list[Reject] = field(default_factory=list)
    personal: dict[str, int] = field(default_factory=dict)
    masked: int = 0

    @property
    def lon(self) -> NDArray[np.float64]:
        """Longitude of the points, NaN where unplaced."""
        return shapely.get_x(self.point)

    @property
    def lat(self) -> NDArray[np.float64]:
        """Latitude of the points, NaN where unplaced."""
        return shapely.get_y(self.point)


def clean(
    raw: RawBatch, geoms: NDArray[np.object_] | None, layout: Layout, crs: str, comma: bool
) -> Facilities:
    """Clean all rows of a file; `geoms` are geometries in EPSG:4326 where the file has them."""
    n = len(raw.rows)
    columns = {name: trimmed(raw.table.column(name).combine_chunks()) for name in raw.table.column_names}
    personal = {h for h in columns if layout.field_of(h) is None and _personal(h, columns[h])}
    problem: dict[int, tuple[str, str]] = {}
    capacity = _capacity(columns, layout, problem, n)
    if geoms is None:
        geoms = _points(columns, layout, crs, comma, problem, n)
    _texts(columns, layout, personal, problem)
    names = _field(columns, layout, "name", n)
    attributes, masked = _attributes(columns, layout, personal, n)
    ids = _ids(columns, layout, personal, geoms, n)
    bad = np.zeros(n, np.bool_)
    bad[list(problem)] = True
    district = _field(columns, layout, "district", n).to_pylist()
    keep = pa.array(~bad)
    return Facilities(
        raw.rows[~bad],
        ids.filter(keep),
        names.filter(keep),
        capacity[~bad],
        geoms[~bad],
        points_of(geoms[~bad]),
        attributes.filter(keep),
        [name for name, lost in zip(district, bad, strict=True) if not lost],
        [*raw.rejects, *(_reject(raw, at, *problem[at], personal) for at in sorted(problem))],
        {h: n - columns[h].null_count for h in sorted(personal)},
        masked,
    )


def points_of(geoms: NDArray[np.object_]) -> NDArray[np.object_]:
    """Points stay; areas and lines get a point inside; nothing stays nothing."""
    out: NDArray[np.object_] = np.full(len(geoms), None, dtype=object)
    there = ~shapely.is_missing(geoms)
    point = there & (shapely.get_type_id(geoms) == 0)
    out[point] = geoms[point]
    other = there & ~point
    if other.any():
        out[other] = geometry.points_inside(geoms[other])
    return out


def _personal(header: str, column: pa.StringArray) -> bool:
    return privacy.personal_by_name(header) or privacy.personal_by_content(column) is not None


def _field(columns: dict[str, pa.StringArray], layout: Layout, name: str, n: int) -> pa.StringArray:
    header = layout.columns.get(name)
    return columns[header] if header in columns else pa.nulls(n, pa.string())


def _capacity(
    columns: dict[str, pa.StringArray], layout: Layout, problem: dict[int, tuple[str, str]], n: int
) -> NDArray[np.float64]:
    found = positions.numbers(_field(columns, layout, "capacity", n), degrees=False)
    wrong = (found.problem != positions.FINE) | (found.values < 0)
    for at in np.flatnonzero(wrong):
        problem.setdefault(int(at), ("number-format", layout.columns["capacity"]))
    return found.values


def _points(
    columns: dict[str, pa.StringArray],
    layout: Layout,
    crs: str,
    comma: bool,
    problem: dict[int, tuple[str, str]],
    n: int,
) -> NDArray[np.object_]:
    """Points in EPSG:4326 of longitude and latitude, x and y, or WKT."""
    names = next((p for p in (("lon", "lat"), ("x", "y")) if all(one in layout.columns for one in p)), None)
    if names is None:
        x, y, wrong = positions.from_wkt(_field(columns, layout, "wkt", n))
        names = ("wkt", "wkt")
        for at in np.flatnonzero(wrong):
            problem.setdefault(int(at), ("geometry-type", layout.columns["wkt"]))
    else:
        x, y = (positions.numbers(_field(columns, layout, one, n), decimal_comma=comma) for one in names)
    degrees = crs in ("EPSG:4326", "EPSG:4490", *crs_.SHIFTED)
    missing = (
        positions.check_degrees(x, y)
        if degrees
        else positions.unplaced(x, y, (x.values == 0) & (y.values == 0))
    )
    codes = {1: "number-format", 2: "coordinate-not-finite", 3: "coordinate-range", 4: "coordinate-swapped"}
    for numbers, one in ((x, names[0]), (y, names[1])):
        for at in np.flatnonzero(numbers.problem):
            problem.setdefault(int(at), (codes[int(numbers.problem[at])], layout.columns[one]))
    known = ~missing & ~np.isnan(x.values) & ~np.isnan(y.values)
    lon, lat = crs_.to_wgs84(x.values[known], y.values[known], crs)
    out: NDArray[np.object_] = np.full(n, None, dtype=object)
    sound = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
    out[np.flatnonzero(known)[sound]] = shapely.points(lon[sound], lat[sound])
    for at in np.flatnonzero(known)[~sound]:
        problem.setdefault(int(at), ("coordinate-crs", layout.columns[names[0]]))
    return out


def _texts(
    columns: dict[str, pa.StringArray],
    layout: Layout,
    personal: set[str],
    problem: dict[int, tuple[str, str]],
) -> None:
    for header, column in columns.items():
        limit = LIMITS.get(layout.field_of(header) or "", 4000)
        if header in personal:
            continue
        for at, value in enumerate(column.to_pylist()):
            if value is not None and len(value) > limit:
                problem.setdefault(at, ("field-too-long", header))
            elif value is not None and any(c in value for c in CONTROL):
                problem.setdefault(at, ("control-character", header))


def _attributes(
    columns: dict[str, pa.StringArray], layout: Layout, personal: set[str], n: int
) -> tuple[pa.StringArray, int]:
    used = {layout.columns.get(name) for name in ("id", "name", "capacity", "lon", "lat", "x", "y", "wkt")}
    kept, masked = {}, 0
    for header, column in columns.items():
        if header and header not in used and header not in personal and column.null_count < n:
            found = privacy.mask_column(column)
            kept[header] = found.column
            masked += len(found.rows)
    return as_json(kept, n), masked


def _ids(
    columns: dict[str, pa.StringArray], layout: Layout, personal: set[str], geoms: NDArray[np.object_], n: int
) -> pa.StringArray:
    """The file's identifier; where it has none (or leaves it empty) a hash of the whole row."""
    given = _field(columns, layout, "id", n)
    if not given.null_count:
        return given
    wkb = pa.array(shapely.to_wkb(geoms, hex=True), pa.string())
    parts = [copying.texts(c) for h, c in columns.items() if h not in personal] + [copying.texts(wkb)]
    state = copying.hashes(parts, n)
    made = pa.array([f"h{a:016x}{b:016x}" for a, b in state.tolist()], pa.string())
    return made if given.null_count == n else pa.compute.if_else(given.is_null(), made, given)


def _reject(raw: RawBatch, at: int, problem: str, header: str, personal: set[str]) -> Reject:
    original = {
        name: (
            privacy.mask(v[:2000])[0].replace("\x00", NUL_SHOWN)
            if (v := raw.table.column(name)[at].as_py())
            else v
        )
        for name in raw.table.column_names
        if name not in personal
    }
    value = original.get(header)
    allowed = LIMITS.get("name", 300)
    return reject(int(raw.rows[at]), problem, column=header, value=value, original=original, allowed=allowed)
