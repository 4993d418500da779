"""A vector layer as a table of text with positions: GeoJSON, GeoPackage, Shapefile, GeoParquet …"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from etl import reading
from etl.sheets import as_text
from etl.tables.table import Table, in_batches

POINT, MULTIPOINT = 0, 4


def from_vector(path: Path, drivers: frozenset[str]) -> Table:
    """The layer with x and y of its points; a feature with another geometry is an odd cell, refused by its row."""
    file = reading.read_vector(path, drivers=drivers)
    attributes = pa.Table.from_pandas(file.frame.drop(columns="geometry"), preserve_index=False)
    table = pa.table({name: as_text(attributes.column(name)) for name in attributes.column_names})
    geoms = np.asarray(file.frame.geometry.values, dtype=object)
    x, y, wrong = points(geoms)
    odd = [(int(file.rows[i]), "geometry", "geometry-type") for i in np.flatnonzero(wrong)]
    return Table(
        list(table.column_names),
        lambda: in_batches(table, file.rows, x=x, y=y, odd=odd),
        file.driver,
        encoding=file.encoding,
        word="feature",
        crs=file.crs,
        has_geometry=True,
        facts={"layer": file.layer, "notices": {code: len(rows) for code, rows in file.notices.items()}},
    )


def points(geoms: NDArray[np.object_]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """x, y (NaN where empty or missing) and which geometries are neither a point nor one point in a multipoint.

    >>> points(np.array([shapely.Point(1, 2), None, shapely.LineString([(0, 0), (1, 1)])]))[2].tolist()
    [False, False, True]
    """
    x, y = np.full(len(geoms), np.nan), np.full(len(geoms), np.nan)
    kind = shapely.get_type_id(geoms)
    single = (kind == MULTIPOINT) & (shapely.get_num_geometries(geoms) == 1)
    usable = ((kind == POINT) | single) & ~shapely.is_empty(geoms)
    flat = np.where(single, shapely.get_geometry(geoms, 0), geoms)
    x[usable], y[usable] = shapely.get_x(flat[usable]), shapely.get_y(flat[usable])
    wrong = ~shapely.is_missing(geoms) & ~shapely.is_empty(geoms) & ~usable
    return x, y, wrong
