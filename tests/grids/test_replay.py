"""The same cases under two plans: columns against SQL, and the laws that hold for any two plans."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.cases import CaseFilter
from geo.columns import Columns, ColumnStore
from geo.errors import NotFound, RefusedArgument
from geo.settings import Settings
from grids import judging, replay

PERIOD = CaseFilter(dt.date(2024, 1, 3), dt.date(2024, 2, 20))
PER_GRID = """
WITH now AS (SELECT max(greatest(opened_at, coalesce(closed_at, opened_at))) AS at FROM cases),
chosen AS (SELECT c.*, due_at IS NOT NULL AND status <> 2 AS dated,
    closed_at IS NULL AND status <> 1 AND due_at < (SELECT at FROM now) AS waiting
  FROM cases c WHERE (opened_at AT TIME ZONE 'Asia/Shanghai')::date >= :first
    AND (opened_at AT TIME ZONE 'Asia/Shanghai')::date < :stop)
SELECT g.code, count(c.id) AS n, count(*) FILTER (WHERE dated AND (closed_at IS NOT NULL OR waiting)) AS decided,
  count(*) FILTER (WHERE dated AND (closed_at > due_at OR waiting)) AS late
FROM grid g JOIN plan_unit pu ON pu.grid_id = g.id LEFT JOIN chosen c ON c.unit_id = pu.unit_id
WHERE g.plan_id = :p GROUP BY g.code ORDER BY g.code
"""


@pytest.fixture(scope="module")
def columns(judged: Settings) -> Iterator[Columns]:
    store = ColumnStore(judged, watch=False)
    yield store.refresh()
    store.close()


def test_loads_and_overdue_by_sql(city: Session, columns: Columns) -> None:
    found = replay.replay(city, columns, "甲", "乙", PERIOD)
    late, decided = [], []
    for under, loads in zip((found.a, found.b), found.loads, strict=True):
        rows = city.execute(
            text(PER_GRID), {"p": under.plan_id, "first": PERIOD.from_date, "stop": PERIOD.to_date}
        ).all()
        assert loads == {r.code: r.n for r in rows}
        late.append(sum(r.late for r in rows))
        decided.append(sum(r.decided for r in rows))
        shares = {r.code: r.late / r.decided for r in rows if r.decided >= replay.FEW}
        assert under.overdue_highest == pytest.approx(max(shares.values()))
        assert under.overdue_lowest == pytest.approx(min(shares.values()))
        assert under.overdue_highest_grid is not None
        assert shares[under.overdue_highest_grid] == under.overdue_highest
        n = np.array([r.decided for r in rows], float)
        share = np.array([r.late / max(r.decided, 1) for r in rows])
        common = late[-1] / decided[-1]
        spread = np.sqrt((n * (share - common) ** 2).sum() / n.sum())
        figure = found.figures["overdue_spread"]
        assert (figure.a if under is found.a else figure.b) == pytest.approx(spread)
    assert late[0] == late[1] and decided[0] == decided[1]


def test_totals_are_equal_under_both(city: Session, columns: Columns) -> None:
    found = replay.replay(city, columns, "甲", "乙", PERIOD)
    for under, loads in zip((found.a, found.b), found.loads, strict=True):
        assert sum(loads.values()) == under.assigned
        assert under.assigned + under.unassigned + found.outside + found.unplaced == found.n
    all_of_it = (
        "SELECT count(*) FROM (SELECT (opened_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM cases) c "
        "WHERE day >= :f AND day < :s"
    )
    assert found.n == city.scalar(text(all_of_it), {"f": PERIOD.from_date, "s": PERIOD.to_date})
    assert found.weeks == 7 and found.unplaced > 0


def test_the_whole_time_agrees_with_the_scorecard(city: Session, columns: Columns) -> None:
    found = replay.replay(city, columns, "甲", "乙", replicates=50)
    for letter, plan in (("a", "甲"), ("b", "乙")):
        card = judging.scorecard(city, plan)
        for key in ("gini", "largest_deviation", "mean_deviation", "near_line_share"):
            assert getattr(found.figures[key], letter) == pytest.approx(card.figures[key])


def test_balance_of_the_plan_made_for_cases_is_better_and_surely(city: Session, columns: Columns) -> None:
    gini = replay.replay(city, columns, "甲", "乙").figures["gini"]
    assert gini.high is not None and gini.low is not None and gini.difference is not None
    assert gini.low < gini.difference < gini.high < 0
    assert gini.b_better_share == 1.0
    again = replay.replay(city, columns, "甲", "乙").figures["gini"]
    assert again == gini


def test_a_plan_and_itself(city: Session, columns: Columns) -> None:
    for one in replay.replay(city, columns, "甲", "甲", PERIOD, replicates=20).figures.values():
        assert one.difference == 0.0 and (one.low, one.high) in ((0.0, 0.0), (None, None))


def test_workload_counts_minutes(city: Session, columns: Columns) -> None:
    found = replay.replay(city, columns, "甲", "乙", PERIOD, weight="workload", replicates=10)
    plain = replay.replay(city, columns, "甲", "乙", PERIOD, replicates=10)
    assert found.loads[0] == {code: 30.0 * n for code, n in plain.loads[0].items()}


def test_refusals_and_emptiness(city: Session, columns: Columns) -> None:
    with pytest.raises(NotFound):
        replay.replay(city, columns, "甲", "没有")
    with pytest.raises(RefusedArgument, match="workload"):
        replay.replay(city, columns, "甲", "乙", weight="area")
    found = replay.replay(city, columns, "甲", "乙", CaseFilter(dt.date(2020, 1, 1), dt.date(2020, 3, 1)))
    assert found.n == 0 and found.overdue_share is None
    assert all(one.a is None and one.difference is None for one in found.figures.values())
