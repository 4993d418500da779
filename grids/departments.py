"""Several departments' layers, plans or loaded boundaries, laid over each other into a new draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Plan
from geo.db.versions import bump
from geo.errors import NotFound, RefusedArgument
from geo.overlap import most
from geo.zones import resolve_plan
from grids import ground, hands, plans, stored, units
from grids.ground import Ground
from grids.overlay import Layer, Overlay, overlay
from grids.units import UnitGraph

MOST_LAYERS, HEAVIEST = 12, 1e6


@dataclass(frozen=True, eq=False)
class Merged:
    """The draft that came out, the codes of its grids by number, and the overlay itself."""

    plan_id: int
    name: str
    codes: tuple[str, ...]
    overlay: Overlay
    ground: Ground

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the draft, agreement, disputed metres by department, every translation table."""
        found = self.overlay
        return {
            "id": self.plan_id,
            "name": self.name,
            "grids": found.merged.k,
            "atoms": int(found.atoms.max()) + 1 if len(found.atoms) else 0,
            "agreed_share": found.agreed_share,
            "joined_fragments": found.joined_fragments,
            "layers": [asdict(one) for one in found.disputes],
            "translations": [{**asdict(one), "merged": self.codes[one.merged]} for one in found.translations],
        }


def merge(
    session: Session, names: Sequence[str], *, name: str, weights: Mapping[str, float] | None = None, author: str = "operator"
) -> Merged:  # fmt: skip
    """A draft `name` from the layers `names` (plans by id, name or `current`, or boundary levels), by weighted majority.

    `weights` by layer name, 1 where not given. Raises RefusedArgument `overlay-layers` (fewer than two, twice the same,
    too many), `overlay-weight`, `plan-name`, `no-units`; NotFound `no-such-layer`.
    """
    told = dict(weights or {})
    _check(names, told)
    stored.check_name(session, name)
    graph = units.read(session, stored.city_today(session))
    area = ground.read(session, graph)
    found = overlay(graph, [_layer(session, graph, area, one, told.get(one, 1.0)) for one in names])
    named = plans.name_grids(session, found.merged)
    crossing = any(len(areas) > 1 for areas in found.merged.areas_of())
    plan = stored.write(
        session,
        name,
        found.merged,
        named,
        nesting="free" if crossing else "strict",
        origin="overlaid",
        author=author,
    )
    for one in names:
        source = _plan(session, one)
        if source is not None:
            hands.hand_on(session, source, plan.id)
    plans.audit(session, author, "overlay", plan, layers=list(names), weights=told)
    bump(session, "plans")
    return Merged(plan.id, name, tuple(one.code for one in named), found, area)


def _layer(session: Session, graph: UnitGraph, area: Ground, name: str, weight: float) -> Layer:
    """A plan's grids, or the areas of a boundary level: each unit goes to the one that holds most of it."""
    row = _plan(session, name)
    if row is None:
        return _level(session, area, name, weight)
    held = stored.read(session, row, graph)
    return Layer(row.name, weight, held.partition.grid, held.codes)


def _plan(session: Session, name: str) -> Plan | None:
    """The plan that a layer's name means; None where it means a boundary level, or nothing."""
    try:
        return stored.find(session, resolve_plan(session, name, stored.city_today(session)).id)
    except NotFound:
        return None


def _level(session: Session, area: Ground, name: str, weight: float) -> Layer:
    rows = session.execute(
        text(
            "SELECT b.code, ST_AsBinary(b.geom) AS geom FROM boundary b JOIN edition e ON e.id = b.edition_id "
            "JOIN level l ON l.id = e.level_id WHERE l.name = :n AND e.during @> CAST(:d AS date) ORDER BY b.code"
        ),
        {"n": name, "d": stored.city_today(session)},
    ).all()
    if not rows:
        raise NotFound(
            f"没有名为“{name[:80]}”的方案或图层。", f"There is no plan and no layer {name[:80]!r}.", code="no-such-layer",
            field="layers",
            do_zh="请从已有方案或已装载的边界中选取。",
            shell_zh="wangge plan list 列出方案；wangge load boundaries 文件 --level 名称 装载图层。",
            do_en="Choose a plan, or boundaries that are loaded.",
            shell_en="`wangge plan list` shows plans; `wangge load boundaries FILE --level NAME` loads a layer.",
        )  # fmt: skip
    shapes = np.asarray(shapely.from_wkb([bytes(r.geom) for r in rows]), dtype=object)
    return Layer(name, weight, most(area.shapes, shapes)[0], tuple(r.code for r in rows))


def _check(names: Sequence[str], weights: Mapping[str, float]) -> None:
    if not 2 <= len(names) <= MOST_LAYERS or len(set(names)) < len(names):
        raise RefusedArgument(
            f"请给 2 到 {MOST_LAYERS} 个互不相同的图层或方案。", f"Give 2 to {MOST_LAYERS} different layers or plans.",
            code="overlay-layers", field="layers", measured=len(names), allowed=[2, MOST_LAYERS],
        )  # fmt: skip
    for name, weight in weights.items():
        if name not in names:
            raise RefusedArgument(
                f"权重“{name[:80]}”不对应任何图层。", f"The weight {name[:80]!r} belongs to no layer.",
                code="overlay-weight", field="weights",
                do_zh=f"图层：{'、'.join(names)}。", do_en=f"Layers: {', '.join(names)}.",
            )  # fmt: skip
        if not 0 < weight <= HEAVIEST:
            raise RefusedArgument(
                f"“{name[:80]}”的权重 {weight:g} 不可用。", f"{name[:80]!r} cannot weigh {weight:g}.",
                code="overlay-weight", field="weights", measured=weight, allowed=[0, HEAVIEST],
                do_zh="请用大于 0 的数。", do_en="Use a number above 0.",
            )  # fmt: skip
