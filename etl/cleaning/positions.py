"""Positions from text: strict numbers, degrees-minutes-seconds, and what is no usable position.

A row without a usable position (missing, (0,0), both coordinates whole degrees) is *unplaced*, which is fine; a value
that is no number, not finite or outside the world is a problem of the row. Nothing is swapped or guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FINE, FORMAT, NOT_FINITE, RANGE, SWAPPED = 0, 1, 2, 3, 4

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)$", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d+,\d+$")
_DMS = re.compile(
    r"(?P<lead>[NSEWnsew北南东西]?)(?P<sign>[+-]?)\s*(?P<d>\d{1,3})\s*[°º度dD:\s]\s*"
    r"(?:(?P<m>\d{1,2}(?:\.\d+)?)\s*['′’分:\s]?\s*(?:(?P<s>\d{1,2}(?:\.\d+)?)\s*(?:[\"″”]|''|秒)?)?)?\s*(?P<hemi>[NSEWnsew北南东西]?)$"
)


@dataclass
class Numbers:
    """float64 values (NaN: null or problem) and a problem per row."""

    values: NDArray[np.float64]
    problem: NDArray[np.uint8]


def numbers(column: pa.StringArray, *, degrees: bool = True, decimal_comma: bool = False) -> Numbers:
    """Strict numbers of a text column; with `degrees` also 31°14′02.89″N; null is NaN and fine.

    `decimal_comma` accepts "121,47" (a file whose delimiter is not the comma).

    >>> found = numbers(pa.array(["121.47", "121,47", "NaN", "1e400", None, "31°14′02.89″N"]))
    >>> found.problem.tolist(), round(float(found.values[5]), 6)
    ([0, 1, 2, 2, 0, 0], 31.234136)
    """
    try:
        values = _floats(column)
    except pa.ArrowInvalid:
        return _one_by_one(column, degrees, decimal_comma)
    problem = np.zeros(len(column), np.uint8)
    wild = ~np.isfinite(values) & ~np.asarray(column.is_null())
    problem[wild] = NOT_FINITE
    values[wild] = np.nan
    return Numbers(values, problem)


def _floats(column: pa.StringArray) -> NDArray[np.float64]:
    filled = pc.fill_null(pc.cast(column, pa.float64()), float("nan"))
    values: NDArray[np.float64] = filled.to_numpy(zero_copy_only=False).copy()
    return values


def _one_by_one(column: pa.StringArray, degrees: bool, decimal_comma: bool) -> Numbers:
    """The good ones at once, the others one at a time."""
    plain = pc.fill_null(pc.match_substring_regex(column, r"^-?[0-9]+(\.[0-9]*)?$"), False)
    values = _floats(pc.if_else(plain, column, None))
    problem = np.zeros(len(column), np.uint8)
    odd = ~np.asarray(plain) & ~np.asarray(column.is_null())
    for row in np.flatnonzero(odd):
        values[row], problem[row] = _one(column[int(row)].as_py(), degrees, decimal_comma)
    return Numbers(values, problem)


def _one(text: str, degrees: bool, decimal_comma: bool) -> tuple[float, int]:
    if decimal_comma and _COMMA.match(text):
        text = text.replace(",", ".")
    if _NUMBER.match(text):
        value = float(text)
        return (value, FINE) if np.isfinite(value) else (np.nan, NOT_FINITE)
    if _NOT_FINITE.match(text):
        return np.nan, NOT_FINITE
    found = _DMS.match(text) if degrees else None
    if found is None:
        return np.nan, FORMAT
    minutes, seconds = float(found["m"] or 0), float(found["s"] or 0)
    if minutes >= 60 or seconds >= 60 or (found["s"] and minutes % 1):
        return np.nan, FORMAT
    negative = found["sign"] == "-" or (found["hemi"] or found["lead"]) in tuple("SWsw南西")
    value = int(found["d"]) + minutes / 60 + seconds / 3600
    return (-value if negative else value), FINE


def check_degrees(lon: Numbers, lat: Numbers) -> NDArray[np.bool_]:
    """Marks coordinates outside the world (SWAPPED when the other order would fit) and returns the unplaced rows.

    >>> lon, lat = (numbers(pa.array(v)) for v in (["121.4", "31.2", "0", "39", None], ["31.2", "121.4", "0", "-77", "31"]))
    >>> check_degrees(lon, lat).tolist(), lat.problem.tolist()
    ([False, False, True, True, True], [0, 4, 0, 0, 0])
    """
    x, y = lon.values, lat.values
    with np.errstate(invalid="ignore"):
        lat.problem[(lat.problem == FINE) & (np.abs(y) > 90)] = RANGE
        lon.problem[(lon.problem == FINE) & (np.abs(x) > 180)] = RANGE
        lat.problem[(lat.problem == RANGE) & (np.abs(y) <= 180) & (np.abs(x) <= 90)] = SWAPPED
        whole = (x == np.round(x)) & (y == np.round(y))
    return unplaced(lon, lat, whole)


def unplaced(x: Numbers, y: Numbers, whole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows without a usable position, among those whose numbers are fine."""
    fine = (x.problem == FINE) & (y.problem == FINE)
    found: NDArray[np.bool_] = fine & (np.isnan(x.values) | np.isnan(y.values) | whole)
    return found


def looks_swapped(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> bool:
    """Whether a whole file's positions lie where nobody lives and the other order lies where people do.

    No city stands south of 60°S or north of 80°N; a Syracuse file whose `Latitude` holds longitudes lies at 76°S.
    """
    known = ~(np.isnan(lon) | np.isnan(lat))
    if not known.any():
        return False
    x, y = lon[known], lat[known]
    nobody = (y < -60) | (y > 80)
    return bool(nobody.mean() > 0.95 and ((np.abs(x) <= 80) & (x > -60))[nobody].mean() > 0.95)


def from_wkt(column: pa.StringArray) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """x and y of `POINT(x y)` texts and the rows that hold something else. Only points are read, so depth costs nothing.

    >>> x, y, wrong = from_wkt(pa.array(["POINT (121.4 31.2)", "SRID=4326;POINT(1 2)", "LINESTRING(0 0,1 1)", None]))
    >>> x.values[:2].tolist(), y.values[:2].tolist(), wrong.tolist()
    ([121.4, 1.0], [31.2, 2.0], [False, False, True, False])
    """
    n = len(column)
    part = "[^ ()]{1,40}"
    head = r"^(?i:(?:SRID=[0-9]+;)?\s*POINT\s*Z?\s*\(\s*)"
    pattern = rf"{head}(?P<x>{part})\s+(?P<y>{part})(?:\s+{part})?\s*\)\s*$"
    empty = pc.fill_null(pc.match_substring_regex(column, r"^(?i:\s*POINT\s+EMPTY\s*)$"), False)
    found = pc.extract_regex(pc.if_else(empty, None, column), pattern)
    wrong = np.asarray(found.is_null()) & ~np.asarray(column.is_null()) & ~np.asarray(empty)
    if found.null_count == n:
        nothing = np.full(n, np.nan)
        return Numbers(nothing, np.zeros(n, np.uint8)), Numbers(nothing.copy(), np.zeros(n, np.uint8)), wrong
    present = found.is_valid()
    x, y = (pc.if_else(present, found.field(name), None) for name in ("x", "y"))
    return numbers(x, degrees=False), numbers(y, degrees=False), wrong
