"""Plan A beside plan B: who changes hands, by how much, and what each is worth.

    found = compare(session, "现行", "新版")
    found.moved["cases"].share, found.pairs[0].grid_before, found.card_b.figures["gini"]

A unit changes hands when its grid of A does not go on as its grid of B. Grids are paired one to one so that most ground
stays (`measures.stability`), however they are named, so renaming a grid moves nobody.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from grids import ground, judging, lineage, stored, units
from grids.judging import City, Scorecard
from grids.measures import stability
from grids.stored import Stored
from grids.units import Floats, Ints

COUNTED = ("units", "area_m2", "households", "cases", "facilities")


@dataclass(frozen=True)
class Moved:
    """How much of something changes hands: moved, all there is, and the share (None of nothing)."""

    moved: float
    total: float
    share: float | None


@dataclass(frozen=True)
class Pair:
    """What one grid of A gives to one grid of B (`""`: open ground). `stays`: the later grid is the one it goes on as.

    `area_share` is of the earlier grid's ground; households are None when none are loaded.
    """

    grid_before: str
    grid_after: str
    name_before: str
    name_after: str
    stays: bool
    units: int
    area_m2: float
    area_share: float | None
    households: float | None
    cases: int
    facilities: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two plans side by side. `changed` are the indices of units that change hands; shapes in EPSG:4326."""

    a: Stored
    b: Stored
    period: tuple[dt.date | None, dt.date | None]
    moved: dict[str, Moved | None]
    pairs: list[Pair]
    card_a: Scorecard
    card_b: Scorecard
    changed: Ints
    shapes: NDArray[np.object_]

    @property
    def grids_touched(self) -> int:
        """Grids of A that give ground away."""
        return len({p.grid_before for p in self.pairs if not p.stays and p.grid_before})

    def as_dict(self) -> dict[str, Any]:
        """For JSON: moved sums, every pair that changes hands, both scorecards."""
        return {
            "a": {"id": self.a.plan.id, "name": self.a.plan.name},
            "b": {"id": self.b.plan.id, "name": self.b.plan.name},
            "from": self.period[0],
            "to": self.period[1],
            "moved": {key: asdict(value) if value else None for key, value in self.moved.items()},
            "grids_touched": self.grids_touched,
            "pairs": [asdict(pair) for pair in self.pairs],
            "score": {"a": self.card_a.as_dict(), "b": self.card_b.as_dict()},
        }


def compare(
    session: Session,
    a: int | str,
    b: int | str,
    *,
    first: dt.date | None = None,
    stop: dt.date | None = None,
    weight: str = "cases",
    tolerance: float = 0.10,
    near_m: float | None = None,
) -> Comparison:
    """What changes from plan a to plan b; cases are those opened from `first` to before `stop` (default: all).

    Raises what `judging.scorecard` raises.
    """
    city = judging.read_city(session)
    before, after = (stored.read(session, stored.find(session, plan), city.graph) for plan in (a, b))
    amounts = _amounts(session, city, first, stop)
    goes_on_as = stability.matched(before.partition, after.partition, city.graph.area_m2)
    cards = [
        judging.scorecard(
            session, held.plan.id, weight=weight, tolerance=tolerance, near_m=near_m, today_ground=city
        )
        for held in (before, after)
    ]
    changed = _changed(before, after, goes_on_as)
    return Comparison(
        a=before,
        b=after,
        period=(first, stop),
        moved={key: _moved(amounts[key], changed) for key in COUNTED},
        pairs=_pairs(before, after, goes_on_as, amounts),
        card_a=cards[0],
        card_b=cards[1],
        changed=np.flatnonzero(changed),
        shapes=city.ground.shapes,
    )


def changed_ground(session: Session, a: int | str, b: int | str) -> tuple[shapely.Geometry, float]:
    """The ground that changes hands from plan a to plan b as one shape (EPSG:4326), and its share of all ground (0–1).

    It takes no case: this is what the public may see of a draft.
    """
    graph = units.read(session, stored.city_today(session))
    before, after = (stored.read(session, stored.find(session, plan), graph) for plan in (a, b))
    changed = _changed(before, after, stability.matched(before.partition, after.partition, graph.area_m2))
    rows = session.execute(
        text("SELECT ST_AsBinary(geom) AS geom FROM unit WHERE id = ANY(:ids)"),
        {"ids": graph.ids[changed].tolist()},
    )
    whole = float(graph.area_m2.sum())
    shape = shapely.coverage_union_all([shapely.from_wkb(bytes(row.geom)) for row in rows])
    return shape, float(graph.area_m2[changed].sum()) / whole if whole > 0 else 0.0


def difference_map(found: Comparison) -> dict[str, Any]:
    """The units that change hands as GeoJSON (EPSG:4326), each with its grid before and after."""
    before, after = found.a, found.b
    features = []
    for u in found.changed.tolist():
        old, new = int(before.partition.grid[u]), int(after.partition.grid[u])
        features.append(
            {
                "type": "Feature",
                "geometry": shapely.geometry.mapping(found.shapes[u]),
                "properties": {
                    "unit": before.partition.graph.codes[u],
                    "grid_before": before.codes[old] if old >= 0 else None,
                    "grid_after": after.codes[new] if new >= 0 else None,
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}


# ── What changes hands ──────────────────────────────────────────────────────────────────────────────────────────────


def _changed(before: Stored, after: Stored, goes_on_as: Ints) -> NDArray[np.bool_]:
    """Units whose later grid is not the one their earlier grid goes on as; open in both is no change."""
    stays = stability.staying(before.partition, after.partition, goes_on_as)
    open_ = (before.partition.grid < 0) & (after.partition.grid < 0)
    return ~(stays | open_)


def _moved(amount: Floats | None, changed: NDArray[np.bool_]) -> Moved | None:
    if amount is None:
        return None
    moved, total = float(amount[changed].sum()), float(amount.sum())
    return Moved(moved, total, moved / total if total > 0 else None)


def _pairs(before: Stored, after: Stored, goes_on_as: Ints, amounts: dict[str, Floats | None]) -> list[Pair]:
    """Every pair of grids that share units, by grid before, most ground first."""
    some = lineage.held(before.partition.grid, after.partition.grid)
    old, new, place = lineage.pairs(before.partition.grid, after.partition.grid)
    sums: dict[str, Floats | None] = {
        name: np.bincount(place, weights=amount[some], minlength=len(old)).astype(float)
        if amount is not None
        else None
        for name, amount in amounts.items()
    }
    area, whole = sums["area_m2"], before.partition.area_m2
    assert area is not None
    rows = []
    for i in np.lexsort((new, -area, old)).tolist():
        g, h = int(old[i]), int(new[i])
        rows.append(
            Pair(
                grid_before=before.codes[g] if g >= 0 else "",
                grid_after=after.codes[h] if h >= 0 else "",
                name_before=before.names[g] if g >= 0 else "",
                name_after=after.names[h] if h >= 0 else "",
                stays=g >= 0 and h >= 0 and int(goes_on_as[g]) == h,
                units=int(_at(sums["units"], i) or 0),
                area_m2=float(area[i]),
                area_share=float(area[i] / whole[g]) if g >= 0 and whole[g] > 0 else None,
                households=_at(sums["households"], i),
                cases=int(_at(sums["cases"], i) or 0),
                facilities=int(_at(sums["facilities"], i) or 0),
            )
        )
    return rows


def _at(sums: Floats | None, i: int) -> float | None:
    return None if sums is None else float(sums[i])


def _amounts(
    session: Session, city: City, first: dt.date | None, stop: dt.date | None
) -> dict[str, Floats | None]:
    """What may change hands, per unit."""
    whole = first is None and stop is None
    facilities = session.execute(
        text("SELECT unit_id, count(*) AS n FROM facility WHERE unit_id IS NOT NULL GROUP BY unit_id")
    ).all()
    return {
        "units": np.ones(city.graph.n),
        "area_m2": city.graph.area_m2,
        "households": city.households,
        "cases": city.cases if whole else ground.cases(session, city.graph, first, stop),
        "facilities": ground.per_unit(city.graph, [r.unit_id for r in facilities], [r.n for r in facilities]),
    }
