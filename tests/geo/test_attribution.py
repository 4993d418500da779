"""Cases and facilities are placed in the unit that holds them, again when units change, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.attribution import Placed, place, place_again, unit_index
from geo.db import session as sessions
from geo.errors import RefusedArgument
from geo.settings import Settings
from tests.geo import small_city

ORACLE = """
SELECT count(*) FROM cases c LEFT JOIN LATERAL (
    SELECT u.id FROM unit u WHERE ST_Intersects(u.geom, c.geom)
    AND NOT EXISTS (SELECT FROM unit p WHERE p.parent_id = u.id) ORDER BY u.code LIMIT 1
) u ON true WHERE c.unit_id IS DISTINCT FROM u.id
"""


def some_cases(db: Session, n: int = 3000) -> None:
    small_city.city(db)
    source = small_city.source(db)
    category = small_city.category_ids(db, source)
    small_city.cases(db, source, small_city.random_cases(np.random.default_rng(3), n, category))


def ground(db: Session) -> dict[str, int]:
    return small_city.units(db, {f"u{x}{y}": small_city.square(x, y) for x in range(6) for y in range(6)})


def wrong(db: Session) -> int:
    return int(db.scalar(text(ORACLE)) or 0)


def test_no_units_no_places(db: Session) -> None:
    some_cases(db, 50)
    assert unit_index(db) is None
    with_place = db.scalar(text("SELECT count(*) FROM cases WHERE geom IS NOT NULL"))
    assert place_again(db) == Placed(0, 0, with_place)
    assert place(np.array([1.0]), np.array([1.0]), None).tolist() == [-1]


def test_every_case_gets_the_unit_postgis_names(db: Session) -> None:
    some_cases(db)
    assert wrong(db) == 0  # nothing placed, no units
    ground(db)
    seen: list[tuple[str, int]] = []
    placed = place_again(db, lambda stage, done, total=None: seen.append((stage, done)))
    assert wrong(db) == 0
    inside = db.scalar(text("SELECT count(*) FROM cases WHERE unit_id IS NOT NULL"))
    outside = db.scalar(text("SELECT count(*) FROM cases WHERE unit_id IS NULL AND geom IS NOT NULL"))
    assert (placed.cases, placed.outside) == (inside, outside)
    assert inside > 1000
    assert outside > 100
    assert ("place cases", inside + outside) in seen
    assert place_again(db) == Placed(0, 0, outside)  # the second time nothing changes


def test_cut_units_hand_their_cases_to_their_parts(db: Session) -> None:
    some_cases(db)
    ids = ground(db)
    place_again(db)
    cut = small_city.square(2, 2)
    x0, y0, x1, y1 = cut.bounds
    middle = (x0 + x1) / 2
    parts = {"u22a": shapely.box(x0, y0, middle, y1), "u22b": shapely.box(middle, y0, x1, y1)}
    small_city.units(db, parts, {"u22a": "u22", "u22b": "u22"})
    before = db.scalar(text("SELECT count(*) FROM cases WHERE unit_id = :u"), {"u": ids["u22"]})
    placed = place_again(db)
    assert placed.cases == before > 0
    assert wrong(db) == 0


def test_retired_units_hold_nothing(db: Session) -> None:
    some_cases(db)
    ids = ground(db)
    place_again(db)
    db.execute(text("UPDATE unit SET during = '(,2020-01-01)' WHERE id = :u"), {"u": ids["u00"]})
    assert place_again(db).cases > 0
    assert db.scalar(text("SELECT count(*) FROM cases WHERE unit_id = :u"), {"u": ids["u00"]}) == 0


def test_facilities_are_placed(db: Session) -> None:
    some_cases(db, 1)
    ids = ground(db)
    db.execute(
        text(
            "INSERT INTO facility (load_run_id, source, source_facility_id, kind, row_hash, geom, point) "
            "SELECT 1, 's', i::text, 'clinic', '', p, p FROM (SELECT i, CASE WHEN i < 4 THEN "
            "ST_SetSRID(ST_Point(:x + i * 0.002, :y), 4326) END AS p FROM generate_series(0, 4) i) f"
        ),
        {"x": small_city.WEST + 0.001, "y": small_city.SOUTH + 0.001},
    )
    placed = place_again(db)
    assert placed.facilities == 4
    rows = db.execute(text("SELECT unit_id FROM facility ORDER BY id")).scalars().all()
    assert rows == [ids["u00"], ids["u10"], ids["u20"], ids["u30"], None]


def test_a_load_under_way_is_waited_for_and_then_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Placing again waits for a transaction that places rows; when it takes too long the person is told."""
    with sessions.session(settings) as loading, sessions.session(settings) as building:
        unit_index(loading)
        monkeypatch.setattr("geo.attribution.PLACEMENT_WAIT_S", 0.2)
        with pytest.raises(RefusedArgument, match="under way"):
            place_again(building)
        building.rollback()
