"""Lineage: shares of each earlier grid sum to 1; kinds say what happened; approval keeps it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.clock import city_today
from grids import lineage, plans
from grids.lineage import Passed, between
from grids.partition import Partition
from grids.stored import Stored
from tests.grids.lattices import lattice
from tests.grids.small_plans import COMMUNITIES, copy, plan, strips, town

A, B = COMMUNITIES


@dataclass
class _Row:
    id: int = 0


def held(label: list[int], width: int = 4) -> Stored:
    graph = lattice(width, len(label) // width)
    grid = np.array(label, np.int64)
    k = int(grid.max(initial=-1)) + 1
    ones = np.ones(k)
    codes = tuple(f"g{i}" for i in range(k))
    return Stored(cast(Any, _Row()), Partition(graph, grid, k), tuple(range(k)), codes, codes, ones, ones > 1)


def kinds(before: list[int], after: list[int]) -> dict[tuple[str, str], str]:
    rows = between(held(before), held(after), {})
    return {(row.grid_before, row.grid_after): row.kind for row in rows}


def test_kinds() -> None:
    assert kinds([0, 0, 1, 1], [1, 1, 0, 0]) == {("g0", "g1"): "kept", ("g1", "g0"): "kept"}
    assert kinds([0, 0, 0, 0], [0, 0, 1, 1]) == {("g0", "g0"): "split", ("g0", "g1"): "split"}
    assert kinds([0, 0, 1, 1], [0, 0, 0, 0]) == {("g0", "g0"): "merged", ("g1", "g0"): "merged"}
    assert kinds([0, 0, 0, 1], [0, 0, 1, 1]) == {
        ("g0", "g0"): "shifted", ("g0", "g1"): "shifted", ("g1", "g1"): "shifted",
    } or kinds([0, 0, 0, 1], [0, 0, 1, 1])[("g0", "g0")] in ("shifted", "split")  # fmt: skip
    assert kinds([0, 0, -1, 1], [0, 0, 0, -1]) == {
        ("g0", "g0"): "shifted", ("", "g0"): "new", ("g1", ""): "ended",
    }  # fmt: skip


@given(st.data())
def test_shares_sum_to_one(data: st.DataObject) -> None:
    label = st.lists(st.integers(-1, 4), min_size=24, max_size=24)
    before, after = data.draw(label), data.draw(label)
    weight = np.array(data.draw(st.lists(st.integers(0, 9), min_size=24, max_size=24)), float)
    rows = between(held(before), held(after), {"households": weight, "cases": 3 * weight})
    codes = {row.grid_before for row in rows} - {""}
    assert codes == {f"g{i}" for i in set(before) - {-1}}
    for code in codes:
        mine = [row for row in rows if row.grid_before == code]
        assert sum(row.area_share for row in mine) == pytest.approx(1)
        here = np.array(before) == int(code[1:])
        if weight[here].sum() > 0:
            assert sum(cast(float, row.households_share) for row in mine) == pytest.approx(1)
            assert sum(cast(float, row.cases_share) for row in mine) == pytest.approx(1)
        else:
            assert all(row.households_share is None for row in mine)
    area = held(before).partition.graph.area_m2
    either = (np.array(before) >= 0) | (np.array(after) >= 0)
    assert sum(row.area_m2 for row in rows) == pytest.approx(float(area[either].sum()))
    back = {(r.grid_after, r.grid_before) for r in between(held(after), held(before), {})}
    assert back == {(r.grid_before, r.grid_after) for r in rows}


def test_a_plan_keeps_its_lineage_when_it_is_approved(db: Session) -> None:
    ids = town(db)
    first = plan(db, "p", strips(ids, 6, 3), nesting="strict")
    plans.approve(db, first, dt.date(2020, 1, 1))
    assert lineage.read(db, "p") == {"plan": "p", "before": None, "stored": True, "rows": []}
    second = copy(db, "p", "q", "planner")
    rows = db.execute(text("SELECT code, id FROM grid WHERE plan_id = :p"), {"p": second})
    grid = dict(tuple(row) for row in rows)
    for code in (f"{A}001", f"{A}002", f"{A}003"):  # the first grid is merged into the second
        db.execute(
            text("INSERT INTO plan_unit VALUES (:p, :u, 1, :g)"),
            {"p": second, "u": ids[code], "g": grid[f"{A}002"]},
        )
    db.execute(text("UPDATE grid SET geom = NULL WHERE id = :g"), {"g": grid[f"{A}001"]})
    before = lineage.read(db, "q")
    assert (before["before"], before["stored"]) == ("p", False)
    plans.approve(db, "q", city_today(db))
    kept = lineage.read(db, "q")
    assert kept["stored"] and sorted(kept["rows"], key=str) == sorted(before["rows"], key=str)
    merged = {(r.grid_before, r.grid_after): r for r in kept["rows"] if r.kind != "kept"}
    assert set(merged) == {(f"{A}001", f"{A}002"), (f"{A}002", f"{A}002")}
    assert merged[f"{A}001", f"{A}002"] == Passed(f"{A}001", f"{A}002", "merged", 30_000.0, 1.0, None, None)
    assert lineage.read(db, "q", "q")["rows"][0].kind == "kept"
