"""Tiles far out: every zone is drawn, however many there are and however crooked, and the tile stays small on the wire."""

from __future__ import annotations

import datetime as dt
import zlib

import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import tiles
from geo.db.tables import Edition, Level

ACROSS = 110  # 12 100 zones on about 33 × 33 km
WEST, SOUTH, STEP = 116.3, 39.85, 0.0033


def crooked_squares() -> list[shapely.Polygon]:
    """Squares side by side whose common edges are bent the same for both."""
    rng = np.random.default_rng(7)
    bend = rng.uniform(
        -0.2, 0.2, (2, ACROSS + 1, ACROSS + 1, 4)
    )  # of the edge that leads east (0) or north (1)
    t = np.array([0.2, 0.4, 0.6, 0.8])

    def edge(way: int, i: int, j: int) -> list[tuple[float, float]]:
        along, off = np.r_[0, t], np.r_[0, bend[way, i, j]]
        return list(zip(i + (along, off)[way], j + (off, along)[way], strict=True))

    def ring(i: int, j: int) -> list[tuple[float, float]]:
        back = [(i + 1, j + 1), *edge(0, i, j + 1)[:0:-1]], [(i, j + 1), *edge(1, i, j)[:0:-1]]
        return edge(0, i, j) + edge(1, i + 1, j) + back[0] + back[1]

    rings = [np.array(ring(i, j)) * STEP + (WEST, SOUTH) for i in range(ACROSS) for j in range(ACROSS)]
    return [shapely.Polygon(points) for points in rings]


@pytest.fixture
def large(db: Session) -> int:
    """A boundary layer of 12 100 zones with crooked borders; how many there are."""
    level = Level(name="blocks")
    db.add(level)
    db.flush()
    edition = Edition(level_id=level.id, during=text("'(,)'::daterange"), measuring_crs="EPSG:4548")
    db.add(edition)
    db.flush()
    shapes = crooked_squares()
    rows = [
        {"e": edition.id, "c": f"110101{i:09d}", "g": wkb, "a": 70_000.0 + i}
        for i, wkb in enumerate(shapely.to_wkb(shapes))
    ]
    db.execute(
        text(
            "INSERT INTO boundary (edition_id, code, name, geom, area_m2) "
            "VALUES (:e, CAST(:c AS text), CAST(:c AS text), ST_Multi(ST_GeomFromWKB(:g, 4326)), :a)"
        ),
        rows,
    )
    return len(rows)


def test_every_zone_is_drawn(db: Session, large: int) -> None:
    for z in (8, 9, 11):
        assert len(drawn(db, z)) == large, z


def drawn(db: Session, z: int) -> set[str]:
    """The codes in all tiles of a zoom; each tile is small enough."""
    found: set[str] = set()
    n = 1 << z
    for x in range(int((WEST + 180) / 360 * n), int((WEST + ACROSS * STEP + 180) / 360 * n) + 1):
        for y in range(n):
            tile = tiles.TileId(z, x, y)
            _, south, _, north = tile.bounds()
            if north < SOUTH or south > SOUTH + ACROSS * STEP:
                continue
            content = tiles.tile(
                db, tiles.Subject("boundaries", level="blocks", on=dt.date(2026, 1, 1)), tile
            )
            if content:
                assert len(zlib.compress(content)) <= tiles.MAX_BYTES
                features = mapbox_vector_tile.decode(content)["boundaries"]["features"]
                found |= {one["properties"]["code"] for one in features}
    return found
