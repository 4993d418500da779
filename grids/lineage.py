"""What became of each grid: the ground, households and cases it passed on, and to whom.

Pairs of an earlier and a later grid that share ground, with the share of the earlier grid that passes; the shares of
each earlier grid sum to 1. Ground that no earlier grid held comes from `""`, ground that no later grid holds goes to
`""`. Stored when a plan is approved, worked out afresh for any other pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.session import raw
from grids import stored, units, weights
from grids.partition import Partition
from grids.stored import Stored
from grids.units import Floats, Ints, UnitGraph

Kind = Literal["kept", "shifted", "split", "merged", "new", "ended"]
WEIGHTS = ("households", "cases")
NOTHING = -1


@dataclass(frozen=True)
class Passed:
    """What one earlier grid passes on to one later grid. Shares (0–1) are of the earlier grid; None when it has none.

    kind: `kept` all of it, and nothing from others; `split` it is the main origin of several grids, this one among
    them; `merged` the later grid is where most of several grids went; `shifted` anything between; `new`, `ended` ground
    without an earlier or a later grid.
    """

    grid_before: str
    grid_after: str
    kind: Kind
    area_m2: float
    area_share: float
    households_share: float | None
    cases_share: float | None


def between(before: Stored, after: Stored, weights: Mapping[str, Floats]) -> list[Passed]:
    """The lineage of two plans on the same units; `weights` may hold `households` and `cases` per unit."""
    return _between(before.partition, before.codes, after.partition, after.codes, weights)


def _between(
    before: Partition,
    codes: tuple[str, ...],
    after: Partition,
    later: tuple[str, ...],
    weights: Mapping[str, Floats],
) -> list[Passed]:
    graph = before.graph
    b, a, place = pairs(before.grid, after.grid)
    area: Floats = np.bincount(
        place, weights=graph.area_m2[held(before.grid, after.grid)], minlength=len(b)
    ).astype(np.float64)
    shares: dict[str, list[float | None]] = {
        name: _shares(graph, before, after, place, b, weights.get(name)) for name in WEIGHTS
    }
    whole = before.area_m2
    kinds = _kinds(b, a, area)
    return [
        Passed(
            codes[g] if g >= 0 else "",
            later[h] if h >= 0 else "",
            kinds[i],
            float(area[i]),
            float(area[i] / whole[g]) if g >= 0 else 1.0,
            shares["households"][i],
            shares["cases"][i],
        )
        for i, (g, h) in enumerate(zip(b.tolist(), a.tolist(), strict=True))
    ]


def pairs(before: Ints, after: Ints) -> tuple[Ints, Ints, Ints]:
    """(earlier grid, later grid) of every pair that shares units, and the pair of each unit that some grid holds.

    `before` and `after` hold the grid of every unit, −1 where open.

    >>> [part.tolist() for part in pairs(np.array([0, 0, -1]), np.array([0, 1, -1]))]
    [[0, 0], [0, 1], [0, 1]]
    """
    some = held(before, after)
    width = int(after.max(initial=NOTHING)) + 2
    key, place = np.unique((before[some] + 1) * width + after[some] + 1, return_inverse=True)
    return key // width - 1, key % width - 1, place.astype(np.int64)


def held(before: Ints, after: Ints) -> NDArray[np.bool_]:
    """Units that some grid of either plan holds."""
    return np.asarray((before >= 0) | (after >= 0), dtype=bool)


def store(session: Session, plan_id: int, before_plan_id: int, rows: list[Passed]) -> None:
    """Keeps the lineage of a plan that is being approved."""
    columns = "plan_id, before_plan_id, grid_before, grid_after, kind, area_m2, area_share, households_share, cases_share"
    with raw(session).cursor() as cursor, cursor.copy(f"COPY plan_lineage ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(
                (plan_id, before_plan_id, row.grid_before, row.grid_after, row.kind, row.area_m2, row.area_share,
                 row.households_share, row.cases_share)
            )  # fmt: skip


def read(session: Session, plan: int | str, against: int | str | None = None) -> dict[str, Any]:
    """`{plan, before, stored, rows}`: what was kept at approval, or the lineage against the plan it is based on or any other."""
    row = stored.find(session, plan)
    if against is None:
        kept = session.execute(text(_KEPT), {"p": row.id}).mappings().all()
        if kept:
            earlier = stored.find(session, kept[0]["before_plan_id"])
            rows = [Passed(**{k: v for k, v in one.items() if k != "before_plan_id"}) for one in kept]
            return {"plan": row.name, "before": earlier.name, "stored": True, "rows": rows}
        against = row.based_on_id
    if against is None:
        return {"plan": row.name, "before": None, "stored": row.approved_at is not None, "rows": []}
    earlier = stored.find(session, against)
    graph = units.read(session, stored.city_today(session))
    found = between(
        stored.read(session, earlier, graph), stored.read(session, row, graph), weigh(session, graph)
    )
    return {"plan": row.name, "before": earlier.name, "stored": False, "rows": found}


def weigh(session: Session, graph: UnitGraph) -> dict[str, Floats]:
    """Households and cases per unit, as far as there are any."""
    return weights.known(session, graph, WEIGHTS)


_KEPT = (
    "SELECT before_plan_id, grid_before, grid_after, kind, area_m2, area_share, households_share, cases_share "
    "FROM plan_lineage WHERE plan_id = :p ORDER BY grid_before, area_share DESC, grid_after"
)


def _shares(
    graph: UnitGraph, before: Partition, after: Partition, place: Ints, b: Ints, weight: Floats | None
) -> list[float | None]:
    """The share of each earlier grid's weight that passes in each pair."""
    if weight is None:
        return [None] * len(b)
    passed = np.bincount(place, weights=weight[held(before.grid, after.grid)], minlength=len(b))
    whole = np.zeros(before.k)
    np.add.at(whole, b[b >= 0], passed[b >= 0])
    return [
        float(passed[i] / whole[g]) if g >= 0 and whole[g] > 0 else None for i, g in enumerate(b.tolist())
    ]


def _kinds(b: Ints, a: Ints, area: Floats) -> list[Kind]:
    both = (b >= 0) & (a >= 0)
    main_after, main_before = _main(b, a, area, both), _main(a, b, area, both)
    children: dict[int, int] = {}
    for origin in main_before.values():
        children[origin] = children.get(origin, 0) + 1
    parents: dict[int, int] = {}
    for goal in main_after.values():
        parents[goal] = parents.get(goal, 0) + 1
    goals, origins = np.unique(b, return_counts=True), np.unique(a, return_counts=True)
    out, into = (dict(zip(*(one.tolist() for one in pair), strict=True)) for pair in (goals, origins))

    def kind(g: int, h: int) -> Kind:
        if g < 0:
            return "new"
        if h < 0:
            return "ended"
        if out[g] == 1 and into[h] == 1:
            return "kept"
        if main_before[h] == g and children[g] > 1:
            return "split"
        return "merged" if main_after[g] == h and parents[h] > 1 else "shifted"

    return [kind(g, h) for g, h in zip(b.tolist(), a.tolist(), strict=True)]


def _main(of: Ints, to: Ints, area: Floats, both: NDArray[np.bool_]) -> dict[int, int]:
    """For every grid the one it shares most ground with; the first of equals."""
    order = np.lexsort((to, -area, of))
    order = order[both[order]]
    _, first = np.unique(of[order], return_index=True)
    return dict(zip(of[order][first].tolist(), to[order][first].tolist(), strict=True))
