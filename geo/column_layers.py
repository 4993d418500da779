"""Labels beside the columns: the zone of every case in a layer that is not made of units (hexagons, boundaries).

A layer is built once per folder by whoever asks first, then read by all. Its `labels` are int32 per case: an ordinal,
−1 outside the layer, −2 unplaced. Hexagons add `cells` (uint64, ascending); boundaries add `overlaps`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from h3ronpy.vector import coordinates_to_cells
from numpy.typing import NDArray

from geo import column_files as files
from geo.column_build import OUTSIDE, UNPLACED
from geo.placement import PointIndex

Floats = NDArray[np.float64]
Layer = dict[str, NDArray[Any]]
RESOLUTIONS = range(7, 12)
CASES_PER_TASK = 262_144


def layer(folder: Path, name: str, key: str, build: Callable[[], Layer]) -> Layer:
    """The layer `name` built for `key`: read, or built by the first who asks while the others wait.

    When the folder was swept away in between, the layer is answered from memory.
    """
    try:
        return files.read_layer(folder, name, key)
    except files.Untrusted:
        pass
    try:
        with files.locked(folder / f"{name}.lock"):
            try:
                return files.read_layer(folder, name, key)
            except files.Untrusted:
                made = build()
                files.write_layer(folder, name, made, key)
                return files.read_layer(folder, name, key)
    except OSError:
        return build()


def hexagons(lon: Floats, lat: Floats, resolution: int) -> Layer:
    """`labels` and `cells`: the H3 cell of each case at one resolution, indexed directly (never by a finer parent).

    H3 is not exactly nested: the parent of a fine cell is another cell than the direct one for some 6 % of points.
    """
    import pandas as pd  # only who builds waits for this import

    placed = ~np.isnan(lon)
    cells = np.zeros(len(lon), dtype=np.uint64)

    def task(start: int) -> None:
        part = slice(start, start + CASES_PER_TASK)
        used = placed[part]
        if used.any():
            # latitude first, radians off: h3ronpy's order
            found = coordinates_to_cells(lat[part][used], lon[part][used], resolution)
            cells[part][used] = np.asarray(found, dtype=np.uint64)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(task, range(0, len(lon), CASES_PER_TASK)))
    codes, seen = pd.factorize(cells[placed], sort=True)
    labels = np.full(len(lon), UNPLACED, dtype=np.int32)
    labels[placed] = codes
    return {"labels": labels, "cells": np.asarray(seen, dtype=np.uint64)}


def boundaries(lon: Floats, lat: Floats, polygons: NDArray[np.object_]) -> Layer:
    """`labels`: the polygon (in order of code) of each case; `overlaps`: how many cases lie in two or more.

    A case lies in two polygons exactly when the lowest polygon that holds it is not the highest one.
    """
    lowest = PointIndex(polygons).place(lon, lat)
    highest = len(polygons) - 1 - PointIndex(polygons[::-1]).place(lon, lat)
    overlaps = int(((lowest >= 0) & (lowest != highest)).sum())
    labels = np.where(lowest >= 0, lowest, np.where(np.isnan(lon), UNPLACED, OUTSIDE)).astype(np.int32)
    return {"labels": labels, "overlaps": np.array([overlaps], dtype=np.int64)}
