"""What grids should have equally much of: cases, households, workload, area or any loaded column."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db import walls
from geo.db.copying import read_table
from geo.db.session import raw
from geo.errors import RefusedArgument
from grids.units import Floats, UnitGraph

COUNTED = {
    "cases": "SELECT unit_id, count(*)::float8 FROM cases WHERE unit_id IS NOT NULL GROUP BY unit_id",
    "workload": (
        "SELECT c.unit_id, sum(k.minutes) FROM cases c JOIN category k ON k.id = c.category_id "
        "WHERE c.unit_id IS NOT NULL GROUP BY c.unit_id"
    ),
}
LOADED = 'SELECT unit_id, value FROM weight WHERE "column" = {column}'
FIELDS = (("unit", "i4"), ("value", "f8"))


def read(session: Session, graph: UnitGraph, weight: str) -> Floats:
    """The weight of every unit of the graph: `cases` (number), `workload` (minutes), `area` (m²) or a weight column.

    Raises RefusedArgument when the column is unknown or everything weighs nothing.
    """
    if weight == "area":
        return graph.area_m2.copy()
    select = sql.SQL(COUNTED.get(weight, LOADED)).format(column=sql.Literal(weight))
    session.flush()
    if weight in COUNTED:
        walls.need_everything(session)
    rows = read_table(raw(session), select, FIELDS)
    if not len(rows["unit"]) and weight not in COUNTED:
        raise _unknown(session, weight)
    found = np.zeros(graph.n)
    place = graph.index_of(rows["unit"].astype(np.int64))
    np.add.at(found, place[place >= 0], rows["value"][place >= 0])
    if found.sum() <= 0:
        raise RefusedArgument(
            f"所有单元的“{weight}”都是 0，无法据此均分。",
            f"Every unit has 0 {weight}; nothing can be balanced.",
            code="weight-empty",
            field="weight",
            do_zh="请先装载案件或权重，或用 --weight area。",
            do_en="Load cases or weights first, or use `--weight area`.",
        )
    return found


def _unknown(session: Session, weight: str) -> RefusedArgument:
    loaded = session.scalars(text('SELECT DISTINCT "column" FROM weight ORDER BY 1')).all()
    known = ["cases", "workload", "area", *loaded]
    return RefusedArgument(
        f"没有权重“{weight}”；现有：{'、'.join(known)}。",
        f"There is no weight {weight!r}; there are: {', '.join(known)}.",
        code="weight-unknown",
        field="weight",
        known=known,
        do_zh=f"请先装载名为“{weight}”的权重。",
        shell_zh=f"请运行 wangge load weights 文件 --column {weight}。",
        do_en=f"Load weights named {weight!r} first.",
        shell_en=f"`wangge load weights FILE --column {weight}` loads it.",
    )


def known(session: Session, graph: UnitGraph, names: Iterable[str]) -> dict[str, Floats]:
    """Those of some weights that are loaded and not all 0."""
    found = {}
    for name in names:
        try:
            found[name] = read(session, graph, name)
        except RefusedArgument as problem:
            if problem.code not in ("weight-empty", "weight-unknown"):
                raise
    return found
