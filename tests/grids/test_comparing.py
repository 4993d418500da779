"""Who changes hands between two plans, against SQL."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from grids import codes, comparing, stored, units
from grids.partition import Partition

MOVED = """
SELECT count(*) AS units, sum(u.area_m2) AS area_m2, sum(w.value) AS households,
  sum((SELECT count(*) FROM cases c WHERE c.unit_id = u.id AND (c.opened_at AT TIME ZONE 'Asia/Shanghai')::date
    BETWEEN '2024-01-10' AND '2024-01-31')) AS cases
FROM unit u JOIN weight w ON w.unit_id = u.id AND w."column" = 'households'
JOIN plan_unit a ON a.unit_id = u.id AND a.plan_id = :a JOIN plan_unit b ON b.unit_id = u.id AND b.plan_id = :b
JOIN grid ga ON ga.id = a.grid_id JOIN grid gb ON gb.id = b.grid_id
WHERE NOT (ga.code || '>' || gb.code = ANY(:stay))
"""


def test_sums_are_those_of_sql(city: Session) -> None:
    found = comparing.compare(city, "甲", "乙", first=dt.date(2024, 1, 10), stop=dt.date(2024, 2, 1))
    stay = [f"{p.grid_before}>{p.grid_after}" for p in found.pairs if p.stays]
    assert 0 < len(stay) <= 9  # 乙 has nine grids, each goes on from one of 甲 at most
    row = city.execute(text(MOVED), {"a": found.a.plan.id, "b": found.b.plan.id, "stay": stay}).one()
    for key in ("units", "area_m2", "households", "cases"):
        part = found.moved[key]
        assert part is not None and part.moved == pytest.approx(float(getattr(row, key)))
        assert part.share == pytest.approx(part.moved / part.total)
    assert len(found.changed) == row.units == len(comparing.difference_map(found)["features"])


def test_pairs_add_up(city: Session) -> None:
    found = comparing.compare(city, "甲", "乙")
    for code in found.a.codes:
        shares = [p.area_share for p in found.pairs if p.grid_before == code]
        assert math.fsum(s for s in shares if s is not None) == pytest.approx(1.0)
    moving = [p for p in found.pairs if not p.stays]
    for key in comparing.COUNTED:
        part = found.moved[key]
        assert part is not None
        assert sum(getattr(p, key) for p in moving) == pytest.approx(part.moved)
        assert sum(getattr(p, key) for p in found.pairs) == pytest.approx(part.total)
    area = sum(shapely.area(found.shapes[found.changed]))
    drawn = comparing.difference_map(found)["features"]
    assert sum(shapely.geometry.shape(f["geometry"]).area for f in drawn) == pytest.approx(area)


def test_a_plan_and_itself(city: Session) -> None:
    found = comparing.compare(city, "甲", "甲")
    assert all(part is None or part.moved == 0 for part in found.moved.values())
    assert len(found.changed) == 0 and found.grids_touched == 0 and all(p.stays for p in found.pairs)
    assert found.card_a.figures == found.card_b.figures


def test_new_names_move_nobody(city: Session) -> None:
    graph = units.read(city)
    held = stored.read(city, stored.find(city, "甲"), graph)
    shuffled = np.random.default_rng(1).permutation(held.partition.k)
    other = Partition(graph, shuffled[held.partition.grid], held.partition.k)
    named = [codes.Named(f"X{g}", g, 0) for g in range(other.k)]
    stored.write(city, "换名", other, named, nesting="free", origin="copied", author="test")
    found = comparing.compare(city, "甲", "换名")
    assert len(found.changed) == 0 and found.moved["cases"] is not None and found.moved["cases"].moved == 0
    assert {p.grid_after for p in found.pairs} == {f"X{g}" for g in range(other.k)}


def test_open_ground_is_given_away(city: Session) -> None:
    graph = units.read(city)
    held = stored.read(city, stored.find(city, "甲"), graph)
    lost = np.flatnonzero(held.partition.grid == 3)
    named = [codes.Named(c, 0, 0) for c in held.codes]
    stored.write(
        city, "留空", held.partition.flip(lost[:2], -1), named, nesting="free", origin="copied", author="test"
    )
    found = comparing.compare(city, "甲", "留空")
    assert found.changed.tolist() == lost[:2].tolist()
    assert [(p.grid_before, p.grid_after) for p in found.pairs if not p.stays] == [(held.codes[3], "")]
    assert found.card_b.figures["open_units"] == 2
