"""Facilities per zone: how many, what capacity, how many per thousand households. Facilities are public.

The law: values + unplaced + outside = total for the measures that add up (count, capacity).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from h3ronpy.vector import coordinates_to_cells
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.columns import Columns
from geo.heat import Floats, PlanRef, Words, Zones, words
from geo.zones import grid_zones

UNITS = {
    "count": "facilities",
    "capacity": "places",
    "per_1000_households": "facilities/1000 households",
    "share_within_minutes": "share",
}
UNPLACED, OUTSIDE = -2, -1
_ROWS = text(
    "SELECT coalesce(unit_id, -1), coalesce(capacity, 'NaN'), coalesce(ST_X(point), 'NaN'), coalesce(ST_Y(point), 'NaN') "
    "FROM facility WHERE CAST(:kind AS text) IS NULL OR kind = :kind"
)


@dataclass(frozen=True, eq=False)
class Supply:
    """A measure of facilities over zones; `n` facilities stand behind each value, NaN where it cannot be known."""

    by: str
    plan: PlanRef | None
    kind: str | None
    measure: str
    codes: Words
    names: Words
    values: Floats
    n: NDArray[np.int64]
    total: float
    unplaced: float
    outside: float
    zones: Zones | None


def by_grid(session: Session, columns: Columns, plan: PlanRef, kind: str | None, measure: str) -> Supply:
    """Facilities per grid of a plan, through the unit each stands in."""
    folded = grid_zones(session, columns, plan)
    rows = _rows(session, kind)
    at = columns.unit_ordinals(rows[:, 0].astype(np.int32))
    zone = np.where(at >= 0, folded.unit_zone[at] if len(folded.unit_zone) else OUTSIDE, OUTSIDE)
    zone = np.where(np.isnan(rows[:, 2]), UNPLACED, np.maximum(zone, OUTSIDE))
    zones = folded.zones
    return _supply("grid", plan, kind, measure, zone, rows[:, 1], zones.codes, zones.names, zones)


def by_hexagon(session: Session, resolution: int, kind: str | None, measure: str) -> Supply:
    """Facilities per H3 cell that holds one; nothing is outside."""
    rows = _rows(session, kind)
    placed = ~np.isnan(rows[:, 2])
    cells = np.asarray(coordinates_to_cells(rows[placed, 3], rows[placed, 2], resolution), dtype=np.uint64)
    seen, label = np.unique(cells, return_inverse=True)
    zone = np.full(len(rows), UNPLACED, dtype=np.int64)
    zone[placed] = label
    codes = words([f"{cell:x}" for cell in seen.tolist()])
    return _supply(f"hexagon:{resolution}", None, kind, measure, zone, rows[:, 1], codes, codes, None)


def _rows(session: Session, kind: str | None) -> NDArray[np.float64]:
    """unit id, capacity, lon, lat of each facility."""
    found = [tuple(row) for row in session.execute(_ROWS, {"kind": kind})]
    return np.array(found, dtype=np.float64).reshape(-1, 4)


def _supply(
    by: str,
    plan: PlanRef | None,
    kind: str | None,
    measure: str,
    zone: NDArray[np.int64],
    capacity: Floats,
    codes: Words,
    names: Words,
    zones: Zones | None,
) -> Supply:
    inside = zone >= 0
    weight = np.nan_to_num(capacity) if measure == "capacity" else np.ones(len(zone))
    n = np.bincount(zone[inside], minlength=len(codes)).astype(np.int64)
    values = np.bincount(zone[inside], weights=weight[inside], minlength=len(codes)).astype(np.float64)
    if measure == "per_1000_households":
        households = zones.households if zones is not None and zones.households is not None else None
        divisor = (
            np.full(len(codes), np.nan)
            if households is None
            else np.where(households > 0, households, np.nan)
        )
        values = values / divisor * 1000
    unplaced, outside = (float(weight[zone == where].sum()) for where in (UNPLACED, OUTSIDE))
    total = float(weight.sum())
    return Supply(by, plan, kind, measure, codes, names, values, n, total, unplaced, outside, zones)
