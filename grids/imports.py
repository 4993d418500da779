"""An existing grid layer becomes a plan: each unit goes to the polygon that holds most of it.

The layer's own polygons stay as an overlay level named after the plan, so that exact counts on them remain available;
how far the plan differs from them is reported in m² and in cases.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db import walls
from geo.db.tables import Audit, Plan
from geo.db.versions import bump
from geo.errors import NotFound
from geo.overlap import most
from geo.placement import PointIndex
from geo.progress import Progress, silent
from grids import stored, units
from grids.codes import Named
from grids.partition import Partition
from grids.plans import city_today
from grids.units import Floats, Ints, UnitGraph

WHOLE_SHARE = 1 - 1e-9  # a unit covered this far by its polygon does not differ from it


@dataclass(frozen=True)
class Imported:
    """What became of an imported layer: how well units can say what its polygons say."""

    plan_id: int
    name: str
    grids: int
    units: int
    open_units: int  # units that no polygon touches
    lost_polygons: list[str]  # codes of polygons that won no unit
    differing_m2: float  # ground that lies in another grid than in the layer
    differing_cases: int  # placed cases that do
    cases: int
    nesting: str


@dataclass(frozen=True)
class _Layer:
    codes: list[str]
    names: list[str]
    geometry: NDArray[np.object_]


def outlines(session: Session, level: str) -> NDArray[np.object_]:
    """The polygons (EPSG:4326) of a level's present edition, in order of code."""
    return _read_layer(session, level).geometry


def load_plan(
    session: Session, *, name: str, level: str | None = None, nest: str | None = None, author: str = "operator",
    progress: Progress = silent,
) -> Imported:  # fmt: skip
    """A draft named `name` from the present edition of overlay `level` (default: the level of that name).

    The edge loads the file as that level first. `nest` defaults to strict when no grid crosses an area, else free.
    Raises RefusedArgument `no-units` (with the command that builds them) or for a name that is taken.
    """
    stored.check_name(session, name)
    graph = units.read(session, city_today(session))
    layer = _read_layer(session, level or name)
    progress("overlap", 0, graph.n)
    geometry = _unit_geometry(session, graph)
    best, share = most(geometry, layer.geometry)
    progress("overlap", graph.n, graph.n)
    kept, number = np.unique(best[best >= 0], return_inverse=True)
    grid = np.full(graph.n, -1, np.int64)
    grid[best >= 0] = number
    partition = Partition(graph, grid, len(kept))
    areas = partition.areas_of()
    nesting = nest or ("strict" if all(len(a) <= 1 for a in areas) else "free")
    named = [Named(layer.codes[p], 0, areas[g][0] if areas[g] else -1) for g, p in enumerate(kept.tolist())]
    plan = stored.write(
        session, name, partition, named, nesting=nesting, origin="imported", author=author,
        grid_names=[layer.names[p] for p in kept.tolist()],
    )  # fmt: skip
    differing, cases = _differing_cases(session, graph, best, share, layer)
    found = Imported(
        plan_id=plan.id,
        name=name,
        grids=partition.k,
        units=graph.n,
        open_units=int((grid < 0).sum()),
        lost_polygons=[code for p, code in enumerate(layer.codes) if p not in set(kept.tolist())],
        differing_m2=_differing_m2(geometry, layer, graph, share),
        differing_cases=differing,
        cases=cases,
        nesting=nesting,
    )
    _note(session, plan, found, author)
    bump(session, "plans")
    return found


def _read_layer(session: Session, level: str) -> _Layer:
    edition = session.execute(
        text(
            "SELECT e.id FROM edition e JOIN level l ON l.id = e.level_id WHERE l.name = :l "
            "ORDER BY lower(e.during) DESC NULLS LAST LIMIT 1"
        ),
        {"l": level},
    ).first()
    if edition is None:
        raise NotFound(
            f"没有图层“{level}”。", f"There is no level {level!r}.", code="level-unknown",
            do_zh=f"请先装载边界“{level}”。", shell_zh=f"请先运行 wangge load boundaries 文件 --level {level}。",
            do_en=f"Load boundaries as {level!r} first.", shell_en=f"Run `wangge load boundaries FILE --level {level}` first.",
        )  # fmt: skip
    rows = session.execute(
        text(
            "SELECT code, name, ST_AsBinary(geom) AS geom FROM boundary WHERE edition_id = :e ORDER BY code"
        ),
        {"e": edition.id},
    ).all()
    geometry = np.asarray(shapely.from_wkb([bytes(r.geom) for r in rows]), dtype=object)
    return _Layer([r.code for r in rows], [r.name for r in rows], geometry)


def _unit_geometry(session: Session, graph: UnitGraph) -> NDArray[np.object_]:
    rows = session.execute(text("SELECT id, ST_AsBinary(geom) AS geom FROM unit"))
    wkb = {r.id: bytes(r.geom) for r in rows}
    return np.asarray(shapely.from_wkb([wkb[i] for i in graph.ids.tolist()]), dtype=object)


def _differing_m2(geometry: NDArray[np.object_], layer: _Layer, graph: UnitGraph, share: Floats) -> float:
    """Ground in another grid than in the layer: of units outside their polygon, and of the layer outside all units."""
    beyond = shapely.difference(shapely.union_all(layer.geometry), shapely.union_all(geometry))
    m2_per_square_degree = graph.area_m2.sum() / shapely.area(geometry).sum()
    return float((graph.area_m2 * (1 - share)).sum() + beyond.area * m2_per_square_degree)


def _differing_cases(
    session: Session, graph: UnitGraph, best: Ints, share: Floats, layer: _Layer
) -> tuple[int, int]:
    """Cases whose own polygon of the layer is not the one of their unit, and all placed cases.

    Only units that stick out of their polygon can hold such cases; the others are not looked at.
    """
    walls.need_everything(session)
    total = int(session.scalar(text("SELECT count(*) FROM cases WHERE unit_id IS NOT NULL")) or 0)
    doubtful = graph.ids[share < WHOLE_SHARE].tolist()
    rows = session.execute(
        text("SELECT unit_id, ST_X(geom) AS lon, ST_Y(geom) AS lat FROM cases WHERE unit_id = ANY(:units)"),
        {"units": doubtful},
    ).all()
    if not rows:
        return 0, total
    lon, lat = np.array([r.lon for r in rows]), np.array([r.lat for r in rows])
    own = PointIndex(layer.geometry).place(lon, lat)
    given = best[graph.index_of(np.array([r.unit_id for r in rows], np.int64))]
    return int((own != given).sum()), total


def _note(session: Session, plan: Plan, found: Imported, author: str) -> None:
    what: dict[str, Any] = {k: v for k, v in asdict(found).items() if k != "lost_polygons"}
    session.add(Audit(who=author, act="plan.import", what={**what, "plan": plan.id}))
    session.flush()
