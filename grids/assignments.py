"""A table unit → grid becomes a draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Audit
from geo.db.versions import bump
from geo.errors import RefusedFile
from grids import stored, units
from grids.codes import Named
from grids.partition import Partition


@dataclass(frozen=True)
class Given:
    """Unit code → grid code (None: open), and what is known of grids by code."""

    grid_of: Mapping[str, str | None]
    names: Mapping[str, str] = field(default_factory=dict)
    posts: Mapping[str, float] = field(default_factory=dict)
    locked: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Assigned:
    """What became of a table of assignments."""

    plan_id: int
    name: str
    grids: int
    units: int
    open_units: int
    nesting: str


def load_assignment(
    session: Session, given: Given, *, name: str, nest: str | None = None, load_run_id: int | None = None,
    author: str = "operator",
) -> Assigned:  # fmt: skip
    """A draft named `name`; units without a row stay open. `nest` defaults to strict when no grid crosses an area.

    Raises RefusedFile `no-assignments` when no unit has a grid.
    """
    graph = units.read(session, stored.city_today(session))
    codes = sorted({code for code in given.grid_of.values() if code is not None})
    if not codes:
        raise RefusedFile(
            "文件没有把任何单元分给网格。", "The file gives no unit to a grid.", code="no-assignments",
            do_zh="请检查单元编码与网格编码列。", do_en="Look at the columns of unit and grid codes.",
        )  # fmt: skip
    number = {code: g for g, code in enumerate(codes)}
    label = [
        number.get(code, -1) if (code := given.grid_of.get(unit)) is not None else -1 for unit in graph.codes
    ]
    partition = Partition(graph, np.array(label, np.int64), len(codes))
    areas = partition.areas_of()
    nesting = nest or ("strict" if all(len(found) <= 1 for found in areas) else "free")
    named = [Named(code, 0, areas[g][0] if areas[g] else -1) for g, code in enumerate(codes)]
    names = [given.names.get(code, code) for code in codes]
    plan = stored.write(
        session, name, partition, named, nesting=nesting, origin="imported", author=author, grid_names=names
    )
    plan.load_run_id = load_run_id
    _say(session, plan.id, given)
    found = Assigned(plan.id, name, partition.k, graph.n, label.count(-1), nesting)
    session.add(
        Audit(
            who=author,
            act="plan.import",
            what={"plan": plan.id, "grids": found.grids, "open": found.open_units},
        )
    )
    session.flush()
    bump(session, "plans")
    return found


def _say(session: Session, plan_id: int, given: Given) -> None:
    """Posts and locks of grids, where the table names them."""
    for column, kind, values in (("posts", "float8", given.posts), ("locked", "bool", given.locked)):
        if values:
            session.execute(
                text(
                    f"UPDATE grid SET {column} = m.value FROM unnest(CAST(:codes AS text[]), "  # noqa: S608
                    f"CAST(:values AS {kind}[])) AS m(code, value) WHERE plan_id = :p AND grid.code = m.code"
                ),
                {"p": plan_id, "codes": list(values), "values": list(values.values())},
            )
