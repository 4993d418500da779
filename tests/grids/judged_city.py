"""Four communities near Wuhan with units, households and two months of cases: ground on which plans are judged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.units
from geo import attribution
from tests.geo import small_city

WEST, SOUTH, EAST, NORTH = 114.3, 30.5, 114.3 + 0.0208, 30.5 + 0.018


def two_by_two() -> dict[str, Any]:
    """Four communities of about 1 km², with Beijing-15 community codes."""
    boxes = [(0, 0), (1, 0), (0, 1), (1, 1)]
    return {
        f"42010600100{i + 1}": shapely.box(
            WEST + x * 0.0104, SOUTH + y * 0.009, WEST + (x + 1) * 0.0104, SOUTH + (y + 1) * 0.009
        )
        for i, (x, y) in enumerate(boxes)
    }


def found(session: Session, insert_areas: Callable[..., int], cases: int = 600, seed: int = 5) -> None:
    """Units of 40 000 m², 10 to 30 households each, cases over eight weeks, some late, some without a place."""
    insert_areas(session, "community", two_by_two(), rank=4)
    small_city.city(session)
    etl.units.build(session, target_area_m2=40_000)
    session.execute(
        text(
            "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) "
            "VALUES ('weights', 'households', 'h.csv', '', now())"
        )
    )
    session.execute(
        text(
            'INSERT INTO weight ("column", unit_id, value, load_run_id) '
            "SELECT 'households', id, 10 + id % 21, (SELECT max(id) FROM load_run) FROM unit"
        )
    )
    source = small_city.source(session)
    small_city.cases(session, source, _cases(cases, small_city.category_ids(session, source), seed))
    attribution.place_again(session)


def _cases(n: int, categories: list[int], seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    rows = []
    for i in range(n):
        opened = start + dt.timedelta(minutes=int(rng.integers(0, 56 * 1440)))
        closed = opened + dt.timedelta(hours=float(rng.exponential(60)))
        x, y = rng.beta(1.2, 2.5), rng.beta(1.2, 2.5)  # the south-west is busier
        rows.append(
            {
                "opened_at": opened,
                "closed_at": closed if rng.random() < 0.8 else None,
                "status": 1 if rng.random() < 0.8 else 0,
                "due_at": opened + dt.timedelta(days=3) if rng.random() < 0.9 else None,
                "category_id": categories[0],
                "lon": None if i % 50 == 0 else WEST + x * (EAST - WEST),
                "lat": None if i % 50 == 0 else SOUTH + y * (NORTH - SOUTH),
            }
        )
    return rows
