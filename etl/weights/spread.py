"""Sharing values out to units: by point, by polygon, by area; totals are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shares:
    """Row `row[i]` gives `share[i]` of its value to unit `unit[i]`; the shares of a row sum to 1."""

    row: Ints
    unit: Ints
    share: Floats

    def total(self, values: Floats, n_units: int) -> Floats:
        """The value of every unit.

        >>> Shares(np.array([0, 0]), np.array([0, 1]), np.array([0.25, 0.75])).total(np.array([8.0]), 2).tolist()
        [2.0, 6.0]
        """
        return np.bincount(self.unit, weights=values[self.row] * self.share, minlength=n_units).astype(
            np.float64
        )


def by_member(row: Ints, unit: Ints, size: Floats, built_up: NDArray[np.bool_]) -> Shares:
    """Shares by size (overlap or whole area in m²): among built-up units where a row has any, else among all.

    Every (row, unit) pair stands once. A row whose pairs all have size 0 shares equally.
    """
    n = int(row.max()) + 1 if len(row) else 0
    dwelt = np.where(built_up[unit], size, 0.0)
    some = np.bincount(row, weights=dwelt, minlength=n)[row] > 0
    weight = np.where(some, dwelt, size)
    total = np.bincount(row, weights=weight, minlength=n)[row]
    weight = np.where(total > 0, weight, 1.0)
    total = np.bincount(row, weights=weight, minlength=n)[row]
    keep = weight > 0
    return Shares(row[keep], unit[keep], (weight / total)[keep])


def by_polygon(
    polygons: NDArray[np.object_], units: NDArray[np.object_], built_up: NDArray[np.bool_]
) -> Shares:
    """Areal apportionment of polygons to the units they overlap, built-up ground first (geometries in metres)."""
    row, unit = shapely.STRtree(units).query(polygons, predicate="intersects")
    overlap = shapely.area(shapely.intersection(polygons[row], units[unit]))
    touching = overlap > 1e-9
    return by_member(row[touching], unit[touching], overlap[touching], built_up)
