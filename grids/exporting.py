"""A plan as rows: which unit belongs to which grid, and every grid with what it holds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Audit
from grids import stored, units, weights
from grids.measures import deviation, polsby_popper

SHOWN = ("cases", "workload", "households")


def assignment(session: Session, plan: int | str) -> list[dict[str, Any]]:
    """unit, grid, grid_name, area, posts, locked of every unit, in unit order; grid null where a unit is open.

    Read back by `wangge load plan FILE.csv`, it is the same plan.
    """
    graph = units.read(session, stored.city_today(session))
    held = stored.read(session, stored.find(session, plan), graph)
    return [
        {
            "unit": graph.codes[u],
            "grid": held.codes[g] if g >= 0 else None,
            "grid_name": held.names[g] if g >= 0 else None,
            "area": graph.area_codes[graph.area[u]] if graph.area[u] >= 0 else None,
            "posts": float(held.posts[g]) if g >= 0 else None,
            "locked": bool(held.locked[g]) if g >= 0 else None,
        }
        for u, g in enumerate(held.partition.grid.tolist())
    ]


def metrics(session: Session, plan: int | str, weight: str | None = None) -> tuple[int, dict[str, list[Any]]]:
    """(plan id, columns of its grids in order of code): units, posts, loads, deviation, compactness, pieces, areas.

    `weight` is the one the deviation is of (share of what is fair for a grid's posts; default: the first of cases,
    households that is there, else area). Loads stand under the weight's name, in its own unit.
    """
    graph = units.read(session, stored.city_today(session))
    held = stored.read(session, stored.find(session, plan), graph)
    partition = held.partition
    known = weights.known(session, graph, SHOWN)
    if weight is not None:
        known[weight] = weights.read(session, graph, weight)
    name = weight or next((one for one in ("cases", "households") if one in known), "area")
    columns: dict[str, list[Any]] = {
        "code": list(held.codes),
        "name": list(held.names),
        "area_code": [graph.area_codes[found[0]] if found else None for found in partition.areas_of()],
        "units": partition.unit_counts.tolist(),
        "posts": held.posts.tolist(),
        "locked": held.locked.tolist(),
        "area_m2": partition.area_m2.tolist(),
        "perimeter_m": partition.perimeter_m.tolist(),
        "compactness": polsby_popper(partition).tolist(),
        "pieces": partition.parts().tolist(),
        "areas": [len(found) for found in partition.areas_of()],
    }
    columns |= {one: partition.loads(load).tolist() for one, load in known.items() if one != "area"}
    columns["deviation"] = deviation(partition, known.get(name, graph.area_m2), held.posts).tolist()
    columns["deviation_of"] = [name] * partition.k
    return held.plan.id, columns


def note(session: Session, plan_id: int, what: dict[str, Any], who: str) -> None:
    """Every export is audited: who, what, how many rows."""
    session.add(Audit(who=who, act="export", what={"layer": "plan", "plan": plan_id, "k": None, **what}))
    session.flush()


def outlines(session: Session, plan_id: int) -> list[bytes]:
    """The grids' polygons (WKB, EPSG:4326) in order of code."""
    rows = session.scalars(
        text("SELECT ST_AsBinary(geom) FROM grid WHERE plan_id = :p AND geom IS NOT NULL ORDER BY code"),
        {"p": plan_id},
    )
    return [bytes(row) for row in rows]
