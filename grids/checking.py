"""Checking a stored plan: reads what the rules look at beside the ground, and sorts out what is excepted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Plan
from geo.errors import RefusedArgument
from grids import constraints, exceptions, recoding, stored, units, weights
from grids.bands import Bands
from grids.codes import Named
from grids.constraints import Beside, Violation
from grids.exceptions import Checked
from grids.stored import Stored
from grids.timeline import base_of, plan_at
from grids.units import Floats, UnitGraph


def check(session: Session, plan: int | str) -> list[Violation]:
    """Every rule that stands in the way of the plan's approval; empty means it may be approved."""
    return checked(session, plan).walls


def checked(session: Session, plan: int | str, known: Stored | None = None) -> Checked:
    """The same with what is allowed by an exception, and advice; as if it were approved after the plan it is based on.

    `known` is the plan as somebody read it a moment ago on today's units: it is not read again.
    """
    row = stored.find(session, plan)
    today = stored.city_today(session)
    held = known or stored.read(session, row, units.read(session, today))
    if row.state != "draft":
        return of(session, held)
    base = base_of(session, row)
    before = base or plan_at(session, today)
    earlier = stored.read(session, before, held.partition.graph) if before is not None else None
    named = recoding.final(session, held, earlier, made_from=base)
    return of(session, held, named=named, predecessor=before)


def of(
    session: Session, held: Stored, *, named: list[Named] | None = None, predecessor: Plan | None = None
) -> Checked:
    """A plan that was read; `named` are the codes it will have, `predecessor` the plan whose codes are in use."""
    found = constraints.violations(
        held.partition,
        held.codes,
        held.plan.nesting,
        stored.code_template(session),
        beside=beside(session, held, predecessor),
        final=[one.code for one in named] if named is not None else None,
    )
    told = exceptions.sort_out(session, held.plan.id, found)
    later = [one.code for one in named] if named is not None else list(held.codes)
    return replace(told, recodes={b: a for b, a in zip(held.codes, later, strict=True) if a != b})


def beside(session: Session, held: Stored, predecessor: Plan | None = None) -> Beside:
    """What the rules look at beside the ground: bands and their weights, locked grids of the base, retired codes."""
    graph = held.partition.graph
    bands = Bands.of(held.plan.bands)
    base = base_of(session, held.plan)
    return Beside(
        bands=bands,
        weights={column: _weigh(session, graph, column) for column in bands.columns},
        base=_locked(session, base, graph) if base is not None else {},
        retired=_retired(session, held.plan, predecessor),
    )


def _weigh(session: Session, graph: UnitGraph, column: str) -> Floats:
    """A weight per unit; all 0 when nothing (more) is counted."""
    try:
        return weights.read(session, graph, column)
    except RefusedArgument as problem:
        if problem.code not in ("weight-empty", "weight-unknown"):
            raise
        return np.zeros(graph.n)


def _locked(session: Session, base: Plan, graph: UnitGraph) -> dict[int, str]:
    """unit → code of the grids that are locked in a plan."""
    if not session.scalar(text("SELECT 1 FROM grid WHERE plan_id = :p AND locked LIMIT 1"), {"p": base.id}):
        return {}
    before = stored.read(session, base, graph)
    grid = before.partition.grid
    held = np.flatnonzero((grid >= 0) & before.locked[np.maximum(grid, 0)])
    return {int(u): before.codes[int(grid[u])] for u in held}


def _retired(session: Session, plan: Plan, predecessor: Plan | None) -> frozenset[str]:
    """Codes that were in force once and are not in the plan before; none when there is no plan before."""
    if predecessor is None or plan.approved_at is not None:
        return frozenset()
    return frozenset(
        session.scalars(
            text(
                "SELECT g.code FROM grid g JOIN plan p ON p.id = g.plan_id WHERE p.approved_at IS NOT NULL "
                "EXCEPT SELECT code FROM grid WHERE plan_id = :p"
            ),
            {"p": predecessor.id},
        )
    )
