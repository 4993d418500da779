"""A cut unit's parts take its place: no count moves under any plan, the ground adds up, neighbours go on fitting."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import reading
from geo import cutting, dividing, supply
from geo.analysis import counts
from geo.attribution import place_again
from geo.cases import CaseFilter
from geo.columns import ColumnStore
from geo.db import session as sessions
from geo.db import versions
from geo.errors import Conflict, NotFound, RefusedArgument, WanggeError
from geo.settings import Settings
from grids import stored, units
from tests.geo import small_city
from tests.grids import small_plans

DAY = dt.timedelta(days=1)
START = dt.date(2024, 1, 1)


def along(line: Any) -> cutting.Divide:
    """Divides by a line in this process; the child's way is tried once below."""
    return lambda ground, others: dividing.by_line(ground, others, np.array([line], dtype=object))


def childs(line: Any) -> cutting.Divide:
    return lambda ground, others: reading.measure("by_line", ground, others, np.array([line], dtype=object))


# ── the law ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class City:
    """A random city with three plans, asked everything that units are folded for."""

    def __init__(self, settings: Settings, store: ColumnStore) -> None:
        self.settings, self.store = settings, store
        self.before = self.answers()

    def session(self) -> Any:
        return sessions.session(self.settings)

    def answers(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        period = CaseFilter(START + 10 * DAY, START + 50 * DAY)
        for plan in ("first", "second", "draft", "as-was", "as-of:2024-01-25"):
            for measure in ("cases", "open", "per_1000_households", "median_days_to_close"):
                for where in (CaseFilter(), period):
                    heat = counts.heat(self.session, self.store, plan=plan, measure=measure, where=where)
                    found[f"{plan} {measure} {where}"] = (
                        heat.codes.tolist(), heat.n.tolist(), np.round(heat.values, 9).tolist(), heat.total,
                        heat.unplaced, heat.outside, heat.unassigned,
                    )  # fmt: skip
                    if measure == "cases":
                        assert heat.n.sum() + heat.unplaced + heat.outside == heat.total
                for code in heat.codes.tolist()[:2]:
                    line = counts.series(self.session, self.store, by="grid", code=code, plan=plan)
                    found[f"{plan} {code} series"] = line.n.tolist()
        with self.session() as db:
            for plan in ("first", "second", "draft"):
                ref = counts.zones(self.session, self.store, plan=plan).plan
                assert ref is not None
                made = supply.by_grid(db, self.store.current(), ref, None, "count")
                found[f"{plan} facilities"] = (made.values.tolist(), made.outside, made.unplaced)
        return {key: repr(value) for key, value in found.items()}


@pytest.fixture(scope="module")
def city(module_settings: Settings) -> Iterator[City]:
    rng = np.random.default_rng(7)
    with sessions.session(module_settings) as db:
        small_city.city(db, "Asia/Shanghai")
        source = small_city.source(db)
        small_city.cases(db, source, small_city.random_cases(rng, 800, small_city.category_ids(db, source)))
        ids = small_city.units(db, {f"u{x}{y}": small_city.square(x, y) for x in range(5) for y in range(5)})
        stripes = {unit: f"g{code[1]}" for code, unit in ids.items()}
        blocks = {unit: f"g{int(code[1]) // 2}{int(code[2]) // 2}" for code, unit in ids.items()}
        small_city.plan(db, "first", dict(stripes), during="[2024-01-20,2024-02-10)")
        small_city.plan(db, "second", dict(blocks), during="[2024-02-10,)")
        open_ = {
            unit: None if code[2] == "1" else stripes[unit] for code, unit in ids.items() if code[2] != "0"
        }
        small_city.plan(db, "draft", open_)
        run = db.scalar(text("SELECT min(id) FROM load_run"))
        db.execute(text("INSERT INTO weight SELECT 'households', id, 100 + id % 7, :r FROM unit"), {"r": run})
        db.execute(
            text(
                "INSERT INTO facility (load_run_id, source, source_facility_id, kind, row_hash, geom, point) SELECT :r, 's', "
                "i::text, 'school', '', p, p FROM generate_series(1, 40) i, ST_SetSRID(ST_Point(121.4 + 0.01 * (i % 8) / 8, "
                "31.2 + 0.01 * (i % 5) / 5), 4326) p"
            ),
            {"r": run},
        )
        versions.bump(db, "weights", "facilities")
        place_again(db)
    store = ColumnStore(module_settings, watch=False)
    yield City(module_settings, store)
    store.close()


inside = st.floats(-0.3, 5.3)


@given(
    ends=st.lists(st.tuples(inside, inside), min_size=2, max_size=5, unique=True), pick=st.integers(0, 10**6)
)
@hypothesis_settings(
    max_examples=15, phases=(Phase.explicit, Phase.generate)
)  # cuts stay: nothing to shrink towards
def test_no_count_moves_under_any_plan(city: City, ends: list[tuple[float, float]], pick: int) -> None:
    points = [
        (small_city.WEST + x * small_city.STEP, small_city.SOUTH + y * small_city.STEP) for x, y in ends
    ]
    line = shapely.LineString(points)
    with city.session() as db:
        leaves = db.execute(
            text(
                "SELECT id, ST_AsBinary(geom) FROM unit u WHERE NOT EXISTS (SELECT 1 FROM unit k WHERE k.parent_id = u.id)"
            )
        ).all()
        touched = [u for u, geom in leaves if shapely.intersects(shapely.from_wkb(bytes(geom)), line)] or [
            leaves[0][0]
        ]
        try:
            done = cutting.cut(db, touched[pick % len(touched)], along(line))
        except RefusedArgument as refused:
            assert refused.code in ("line-divides-nothing", "part-too-small", "too-many-parts")
            return
    assert len(done.parts) >= 2
    assert city.answers() == city.before
    with city.session() as db:
        moved = place_again(db)  # placing everything anew says the same
        assert (moved.cases, moved.facilities) == (0, 0)


# ── the ground ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def ids(db: Session) -> dict[str, int]:
    found = small_plans.town(db)
    db.execute(
        text(
            "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) VALUES ('weights', 'h', '', '', now())"
        )
    )
    db.execute(
        text("INSERT INTO weight SELECT 'households', id, 37, (SELECT max(id) FROM load_run) FROM unit")
    )
    return found


def middle(column: float, row: float) -> tuple[float, float]:
    return small_plans.WEST + column * small_plans.STEP, small_plans.SOUTH + row * small_plans.STEP


def shape(db: Session, code: str) -> Any:
    return shapely.from_wkb(
        bytes(db.scalar(text("SELECT ST_AsBinary(geom) FROM unit WHERE code = :c"), {"c": code}) or b"")
    )


@pytest.mark.parametrize("divide", [along, childs])
def test_parts_add_up_and_neighbours_fit(db: Session, ids: dict[str, int], divide: Any) -> None:
    small_plans.plan(db, "p", small_plans.strips(ids, 6, 3), nesting="strict")
    graph = units.read(db)
    before = stored.read(db, stored.find(db, "p"), graph)
    code = next(c for c, u in ids.items() if shapely.contains_xy(shape(db, c), *middle(1.5, 1.5)))
    line = shapely.LineString([middle(1.3, 0.9), middle(1.4, 1.5), middle(1.77, 2.1)])
    done = cutting.cut(db, code, divide(line), author="planner")
    assert sum(done.area_m2) == pytest.approx(10_000, rel=1e-12) and done.unit == code
    assert done.parts == [f"{code[:12]}013", f"{code[:12]}014"]
    after_graph = units.read(db)
    after = stored.read(db, stored.find(db, "p"), after_graph)
    assert after_graph.n == graph.n + 1
    for before_value, after_value in (
        (before.partition.area_m2, after.partition.area_m2),
        (before.partition.perimeter_m, after.partition.perimeter_m),
    ):
        assert np.allclose(before_value, after_value, rtol=1e-9)
    assert (after.partition.parts() == 1).all() and before.codes == after.codes
    rows = db.execute(
        text(
            "SELECT ST_AsBinary(geom) FROM unit u WHERE NOT EXISTS (SELECT 1 FROM unit k WHERE k.parent_id = u.id)"
        )
    ).scalars()
    ground = np.array([shapely.from_wkb(bytes(g)) for g in rows], dtype=object)
    assert shapely.coverage_is_valid(ground)
    whole: Any = shapely.coverage_union_all(ground)
    assert whole.geom_type == "Polygon" and not whole.interiors
    held = db.execute(text("SELECT sum(value), count(*) FROM weight")).one()
    assert (float(held[0]), held[1]) == (24 * 37, 25)
    ends = db.execute(
        text("SELECT sum(length_m) FROM unit_border WHERE :a IN (unit_a, unit_b) OR :b IN (unit_a, unit_b)"),
        {
            "a": after_graph.ids[after_graph.codes.index(done.parts[0])],
            "b": after_graph.ids[after_graph.codes.index(done.parts[1])],
        },
    ).scalar_one()
    inner = db.scalar(
        text(
            "SELECT length_m FROM unit_border b JOIN unit u ON u.id = b.unit_a JOIN unit v ON v.id = b.unit_b "
            "WHERE u.code = :a AND v.code = :b AND walkable"
        ),
        {"a": done.parts[0], "b": done.parts[1]},
    )
    assert inner == pytest.approx(115, rel=0.2) and ends - inner == pytest.approx(400, rel=1e-9)
    areas = db.execute(
        text("SELECT count(*) FROM unit_area ua JOIN unit u ON u.id = ua.unit_id WHERE u.parent_id = :p"),
        {"p": ids[code]},
    ).scalar_one()
    assert areas == 2
    assert (
        db.scalar(text("SELECT what->>'unit' FROM audit WHERE act = 'unit.cut' AND who = 'planner'")) == code
    )


def test_plans_written_after_a_cut_have_whole_polygons(db: Session, ids: dict[str, int]) -> None:
    code = sorted(ids)[7]
    x0, y0, x1, y1 = shape(db, code).bounds
    cutting.cut(
        db,
        code,
        along(shapely.LineString([(x0 - 1e-4, y0 + (y1 - y0) / 3), (x1 + 1e-4, y1 - (y1 - y0) / 7)])),
    )
    now = {u.code: u.id for u in db.execute(text("SELECT code, id FROM unit"))}
    small_plans.plan(db, "whole", dict.fromkeys((c for c in now if c != code), "g"))
    geom: Any = shapely.from_wkb(bytes(db.scalar(text("SELECT ST_AsBinary(geom) FROM grid")) or b""))
    assert len(geom.geoms) == 1 and not geom.geoms[0].interiors
    assert geom.equals(small_plans.square(0, 0, 6, 4))


def test_a_closed_border_stays_closed(db: Session, ids: dict[str, int]) -> None:
    code = sorted(ids)[7]
    db.execute(text("UPDATE unit_border SET walkable = false WHERE :u IN (unit_a, unit_b)"), {"u": ids[code]})
    x0, y0, x1, y1 = shape(db, code).bounds
    done = cutting.cut(db, code, along(shapely.LineString([(x0, y0), (x1, y1)])))
    found = db.execute(
        text(
            "SELECT b.walkable, count(*) AS n, sum(length_m) AS m FROM unit_border b JOIN unit u ON u.id IN (unit_a, unit_b) "
            "WHERE u.code = ANY(:c) GROUP BY 1 ORDER BY 1"
        ),
        {"c": done.parts},
    ).all()
    assert [(row.walkable, row.n) for row in found] == [
        (False, 4),
        (True, 2),
    ]  # the inner one seen from both parts


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_refusals(db: Session, ids: dict[str, int]) -> None:
    code = sorted(ids)[7]
    x0, y0, x1, y1 = shape(db, code).bounds
    far = shapely.LineString([(0, 0), (1, 1)])
    scrap = shapely.LineString([(x0 + (x1 - x0) / 500, y0 - 1e-5), (x0 + (x1 - x0) / 500, y1 + 1e-5)])
    comb = shapely.LineString(
        [(x0 + (x1 - x0) * (i // 2 + 0.5) / 60, (y0 - 1e-5, y1 + 1e-5)[(i + i // 2) % 2]) for i in range(118)]
    )
    for line, refusal in ((far, "line-divides-nothing"), (scrap, "part-too-small"), (comb, "too-many-parts")):
        with pytest.raises(RefusedArgument) as refused:
            cutting.cut(db, code, along(line))
        assert refused.value.code == refusal and refused.value.field == "line"
    whole = along(shapely.LineString([(x0, y0), (x1, y1)]))
    done = cutting.cut(db, code, whole)
    with pytest.raises(Conflict, match=done.parts[0]) as again:
        cutting.cut(db, code, whole)
    assert again.value.code == "unit-cut" and again.value.http_status == 409
    with pytest.raises(NotFound):
        cutting.cut(db, "nobody", whole)
    retired = min(ids)
    db.execute(text("UPDATE unit SET during = '(,2020-01-01)' WHERE code = :c"), {"c": retired})
    with pytest.raises(Conflict) as gone:
        cutting.cut(db, retired, whole)
    assert gone.value.code == "unit-retired"


def test_the_second_of_two_cuts_at_once_finds_it_cut(settings: Settings) -> None:
    with sessions.session(settings) as db:
        ids = small_plans.town(db)
    code = sorted(ids)[7]
    with sessions.session(settings) as db:
        x0, y0, x1, y1 = shape(db, code).bounds
    outcomes: list[Any] = []
    start = threading.Barrier(2)

    def run(line: Any) -> None:
        try:
            with sessions.session(settings) as db:
                db.connection()
                start.wait()
                outcomes.append(cutting.cut(db, code, along(line)))
        except WanggeError as problem:
            outcomes.append(problem)

    lines = [[(x0, y0), (x1, y1)], [(x0, y1), (x1, y0)]]
    threads = [threading.Thread(target=run, args=(shapely.LineString(line),)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lost = [one for one in outcomes if isinstance(one, Conflict)]
    assert len(outcomes) == 2 and len(lost) == 1 and lost[0].code == "unit-cut"
    with sessions.session(settings) as db:
        assert db.scalar(text("SELECT count(*) FROM unit")) == 26


# ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────────


POINTS = [[114.3, 30.5], [114.4, 30.6]]
LINE = {"type": "LineString", "coordinates": POINTS}


@pytest.mark.parametrize(
    "written",
    [
        "LINESTRING (114.3 30.5, 114.4 30.6)",
        json.dumps(LINE),
        {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[*p, 7] for p in POINTS]}},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": LINE}]},
        {"type": "LineString", "coordinates": [POINTS[0], *POINTS]},
    ],
)
def test_lines(written: Any) -> None:
    assert shapely.get_coordinates(dividing.line(written)).tolist() == POINTS


@pytest.mark.parametrize(
    "written",
    [
        "", "LINESTRING EMPTY", "POINT (1 1)", "LINESTRING (1 1)", "LINESTRING (1 1, 1 1)", "LINESTRING (1 1, 1 91)",
        "LINESTRING (1 1, 1e999 2)", "{", "[]", "null", '{"type": "LineString"}', "[" * 50_000, "x" * 300_000,
        {"type": "Polygon", "coordinates": []},
        {"type": "LineString", "coordinates": [["1", "2"], [3, 4]]},
        {"type": "LineString", "coordinates": [[float("nan"), 1], [2, 2]]},
        {"type": "LineString", "coordinates": [[i * 1e-3, i % 2] for i in range(2001)]},
    ],
)  # fmt: skip
def test_what_is_no_line(written: Any) -> None:
    with pytest.raises(RefusedArgument) as refused:
        dividing.line(written)
    assert refused.value.code == "line"
