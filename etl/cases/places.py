"""Places of a batch: numbers, WKT or geometry as EPSG:4326, and the rows without one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from etl.cases.batch import Batch
from etl.cleaning import positions
from geo import crs as crs_


def located(batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude (EPSG:4326) of every row, NaN where unplaced."""
    columns, comma = batch.rules.layout.columns, batch.rules.decimal_comma
    if batch.raw.x is not None and batch.raw.y is not None:
        zeros = np.zeros(batch.n, np.uint8)
        x, y = positions.Numbers(batch.raw.x, zeros.copy()), positions.Numbers(batch.raw.y, zeros)
        names = ("geometry", "geometry")
    elif "wkt" in columns and not ("lon" in columns and "lat" in columns):
        x, y, wrong = positions.from_wkt(batch.text("wkt"))
        batch.refuse(wrong, "geometry-type", "wkt")
        names = ("wkt", "wkt")
    else:
        names = ("lon", "lat") if "lon" in columns else ("x", "y")
        degrees = names[0] == "lon"
        x = positions.numbers(batch.text(names[0]), degrees=degrees, decimal_comma=comma)
        y = positions.numbers(batch.text(names[1]), degrees=degrees, decimal_comma=comma)
    missing = _locate(batch, x, y, names)
    lon, lat = np.where(missing, np.nan, x.values), np.where(missing, np.nan, y.values)
    batch.seen.add("unplaced", batch.raw.rows[missing & ~batch.bad])
    return lon, lat


def _locate(
    batch: Batch, x: positions.Numbers, y: positions.Numbers, names: tuple[str, str]
) -> NDArray[np.bool_]:
    """Checks the numbers, turns them into EPSG:4326 in place, and returns the unplaced rows."""
    crs = batch.rules.crs
    if crs in ("EPSG:4326", "EPSG:4490", *crs_.SHIFTED):
        missing = positions.check_degrees(x, y)
        _refuse_numbers(batch, x, y, names)
        if crs in crs_.SHIFTED:
            x.values, y.values = _transform(x.values, y.values, crs)
        return missing
    with np.errstate(invalid="ignore"):
        zero = (x.values == 0) & (y.values == 0)
    missing = positions.unplaced(x, y, zero)
    lon, lat = _transform(np.where(missing, np.nan, x.values), np.where(missing, np.nan, y.values), crs)
    with np.errstate(invalid="ignore"):
        lost = ~missing & (x.problem == 0) & (y.problem == 0)
        lost &= ~(np.isfinite(lon) & np.isfinite(lat)) | (np.abs(lon) > 180) | (np.abs(lat) > 90)
    _refuse_numbers(batch, x, y, names)
    batch.refuse(lost, "coordinate-crs", names[0])
    x.values, y.values = lon, lat
    return missing


def _refuse_numbers(batch: Batch, x: positions.Numbers, y: positions.Numbers, names: tuple[str, str]) -> None:
    for problem, code in (
        (positions.FORMAT, "number-format"),
        (positions.NOT_FINITE, "coordinate-not-finite"),
        (positions.SWAPPED, "coordinate-swapped"),
        (positions.RANGE, "coordinate-range"),
    ):
        batch.refuse(x.problem == problem, code, names[0])
        batch.refuse(y.problem == problem, code, names[1])


def _transform(
    x: NDArray[np.float64], y: NDArray[np.float64], crs: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """EPSG:4326 of the rows that have both numbers; NaN elsewhere."""
    known = ~(np.isnan(x) | np.isnan(y))
    lon, lat = np.full(len(x), np.nan), np.full(len(x), np.nan)
    if known.any():
        lon[known], lat[known] = crs_.to_wgs84(x[known], y[known], crs)
    return lon, lat
