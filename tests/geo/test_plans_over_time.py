"""As-was, as-is and as-planned are one sum under different mappings: totals add up under each, whatever was approved when.

Random chains of plans over random days, with cuts of units between them; each answer is compared with a count by hand.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import shapely
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from geo import cutting, dividing
from geo.analysis import counts
from geo.attribution import place_again
from geo.columns import ColumnStore
from geo.db import session as sessions
from geo.db import versions
from geo.settings import Settings
from tests.geo import small_city

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = dt.date(2024, 1, 1)
SIDE = 4
UNITS = [f"u{x}{y}" for x in range(SIDE) for y in range(SIDE)]


@pytest.fixture(scope="module")
def city(module_settings: Settings) -> Iterator[tuple[Settings, ColumnStore]]:
    with sessions.session(module_settings) as db:
        small_city.city(db, ZONE.key)
        source = small_city.source(db)
        rng = np.random.default_rng(5)
        small_city.cases(
            db, source, small_city.random_cases(rng, 300, small_city.category_ids(db, source), size=SIDE)
        )
        small_city.units(db, {code: small_city.square(int(code[1]), int(code[2])) for code in UNITS})
        place_again(db)
    store = ColumnStore(module_settings, watch=False)
    yield module_settings, store
    store.close()


plan_of_units = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=len(UNITS), max_size=len(UNITS))


@given(
    chain=st.lists(
        st.tuples(st.integers(0, 60), plan_of_units), min_size=1, max_size=4, unique_by=lambda p: p[0]
    ),
    cut=st.tuples(st.sampled_from(UNITS), st.floats(0.2, 0.8), st.floats(0.2, 0.8)),
)
@hypothesis_settings(max_examples=12, phases=(Phase.explicit, Phase.generate))
def test_totals_add_up_under_each(
    city: tuple[Settings, ColumnStore],
    chain: list[tuple[int, list[str | None]]],
    cut: tuple[str, float, float],
) -> None:
    settings, store = city

    def factory() -> Any:
        return sessions.session(settings)

    chain = sorted(chain, key=lambda plan: plan[0])
    stops = [*(day for day, _ in chain[1:]), None]
    with factory() as db:
        db.execute(text("TRUNCATE plan CASCADE"))
        ids = {c: i for c, i in db.execute(text("SELECT code, id FROM unit WHERE parent_id IS NULL"))}  # noqa: C416
        for number, ((day, grids), stop) in enumerate(zip(chain, stops, strict=True)):
            last = "" if stop is None else (FIRST + dt.timedelta(days=stop)).isoformat()
            during = f"[{(FIRST + dt.timedelta(days=day)).isoformat()},{last})"
            mapping = {ids[code]: grid for code, grid in zip(UNITS, grids, strict=True)}
            small_city.plan(db, f"plan-{number}", mapping, during=during)
        _cut(db, *cut)
        versions.bump(db, "plans")
        cases = _by_hand(db)
    held = [(FIRST + dt.timedelta(days=day), dict(zip(UNITS, grids, strict=True))) for day, grids in chain]

    for number, (_, one) in enumerate(held):  # as planned: every case under one plan
        wanted = Counter(one.get(unit) for _, unit in cases if unit)
        _compare(counts.heat(factory, store, plan=f"plan-{number}"), wanted, len(cases))
    wanted = Counter()  # as was: each under the plan of its day
    for day, unit in cases:
        then = [grids for first, grids in held if first <= day]
        if unit and then:
            wanted[then[-1][unit]] += 1
    was = counts.heat(factory, store, plan="as-was")
    _compare(was, wanted, len(cases))
    line = sum(
        int(counts.series(factory, store, by="grid", code=code, plan="as-was", bucket="month").n.sum())
        for code in was.codes.tolist()
    )
    assert line == was.n.sum()
    current, last = (
        counts.heat(factory, store, plan=p).n.tolist() for p in ("current", f"plan-{len(held) - 1}")
    )
    assert current == last


def _compare(found: Any, wanted: Counter[str | None], total: int) -> None:
    assert found.total == total == found.n.sum() + found.unplaced + found.outside
    assert {c: n for c, n in zip(found.codes.tolist(), found.n.tolist(), strict=True) if n} == {
        code: n for code, n in wanted.items() if code is not None and n
    }


def _by_hand(db: Any) -> list[tuple[dt.date, str | None]]:
    """(day on the city's clock, code of the unit that was there first) of every case."""
    rows = db.execute(
        text(
            "WITH RECURSIVE up AS (SELECT id AS leaf, code, parent_id FROM unit UNION ALL SELECT up.leaf, p.code, p.parent_id "
            "FROM up JOIN unit p ON p.id = up.parent_id) SELECT c.opened_at, r.code FROM cases c LEFT JOIN "
            "(SELECT leaf, code FROM up WHERE parent_id IS NULL) r ON r.leaf = c.unit_id"
        )
    ).all()
    return [(row.opened_at.astimezone(ZONE).date(), row.code) for row in rows]


def _cut(db: Any, code: str, left: float, right: float) -> None:
    """Cuts a unit, unless it was cut before."""
    x, y = int(code[1]), int(code[2])
    west, south, east, north = small_city.square(x, y).bounds
    line = np.array(
        [
            shapely.LineString(
                [(west, south + left * (north - south)), (east, south + right * (north - south))]
            )
        ],
        dtype=object,
    )
    if not db.scalar(
        text("SELECT 1 FROM unit k JOIN unit u ON u.id = k.parent_id WHERE u.code = :c"), {"c": code}
    ):
        cutting.cut(db, code, lambda ground, others: dividing.by_line(ground, others, line))
