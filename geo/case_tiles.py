"""Tiles of cases from the columns: points where few lie, counts per cell of a 128 × 128 grid where many do.

The positions are kept once in Morton order (G. M. Morton 1966: the bits of column and row interleaved), so that a
tile, and every cell of it, is one run of a sorted array: a tile of ten million cases costs a few thousand binary
searches. These are exact points: each only for who may see the case, so an area has a sorted array of its own.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import areas, column_layers
from geo.areas import CITY, Scope
from geo.cases import STATUS_NAME
from geo.columns import Columns, ColumnStore
from geo.tiles import POINTS, TileId

BITS = 30  # cells of 3.7 cm at the equator
CELL_BITS = 7  # 128 cells along a tile's side
EXTENT = 4096
EPOCH = dt.date(1970, 1, 1)
U64 = NDArray[np.uint64]
_SPREAD = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def tile(session: Session, store: ColumnStore, at: TileId, seen: Scope = CITY) -> bytes:
    """The encoded tile of the cases that are seen; empty bytes where none lies. No row of cases is read."""
    columns = store.current()
    index = _seen(session, store, columns, seen)
    shift = np.uint64(2 * (BITS - at.z))
    first = interleave(np.array([at.x], np.uint64), np.array([at.y], np.uint64)) << shift
    start, end = np.searchsorted(index["morton"], [first[0], first[0] + (np.uint64(1) << shift)])
    if start == end:
        return b""
    if end - start <= POINTS:
        return _points(session, columns, index, slice(start, end), at)
    return _cells(session, index, at)


def interleave(x: U64, y: U64) -> U64:
    """Morton numbers of columns and rows below 2³².

    >>> interleave(np.array([3], np.uint64), np.array([0], np.uint64)).tolist()
    [5]
    """
    return _spread(x) | (_spread(y) << np.uint64(1))


def separate(morton: U64) -> tuple[U64, U64]:
    """Columns and rows of Morton numbers; inverse of `interleave`.

    >>> [int(v[0]) for v in separate(np.array([5], np.uint64))]
    [3, 0]
    """
    return _gather(morton), _gather(morton >> np.uint64(1))


def _seen(session: Session, store: ColumnStore, columns: Columns, seen: Scope) -> dict[str, NDArray[Any]]:
    """The index of the cases of a scope: all, or those of one area, picked once per state of cases, units and borders."""
    whole = store.remember(("morton", columns.version), lambda: _index(columns))
    if seen.everything:
        return whole

    def pick() -> dict[str, NDArray[Any]]:
        mine = areas.rows(session, columns, seen)
        assert mine is not None
        held = np.zeros(columns.n, bool)
        held[mine] = True
        kept = np.flatnonzero(held[whole["order"]])
        return {"morton": whole["morton"][kept], "order": whole["order"][kept]}

    state = (columns.version, store.versions["boundaries"], store.versions["units"])
    return store.remember(("morton of area", seen.word), pick, state)


def _index(columns: Columns) -> dict[str, NDArray[Any]]:
    """`morton` (ascending) and `order` (the case of each), built once per state of the columns."""

    def build() -> dict[str, NDArray[Any]]:
        placed = np.flatnonzero(~np.isnan(columns.lon)).astype(np.int32)
        lat = np.radians(np.clip(columns.lat[placed], -85.0511, 85.0511))
        x = (columns.lon[placed] + 180) / 360
        y = (1 - np.arcsinh(np.tan(lat)) / np.pi) / 2
        whole = [np.clip(v * (1 << BITS), 0, (1 << BITS) - 1).astype(np.uint64) for v in (x, y)]
        morton = interleave(whole[0], whole[1])
        order = np.argsort(morton, kind="stable")
        return {"morton": morton[order], "order": placed[order]}

    return column_layers.layer(columns.folder, "morton", columns.version, build)


def _points(
    session: Session, columns: Columns, index: dict[str, NDArray[Any]], run: slice, at: TileId
) -> bytes:
    rows = index["order"][run]
    x, y = separate(np.asarray(index["morton"][run]))
    keys = [c.key for c in columns.categories]
    category = np.searchsorted(columns.category_ptr, rows, side="right") - 1
    facts = columns.facts[rows]
    found = {
        "ids": list(range(run.start, run.stop)),  # places in this index: they tell nothing of other areas
        "x": _within(x, at.x, at.z).tolist(),
        "y": _within(y, at.y, at.z).tolist(),
        "category": [keys[c] for c in category.tolist()],
        "status": [STATUS_NAME[s] for s in (facts & 3).tolist()],
        "opened": [(EPOCH + dt.timedelta(days=d)).isoformat() for d in columns.day[rows].tolist()],
    }
    return bytes(session.scalar(text(_POINTS), found) or b"")


def _cells(session: Session, index: dict[str, NDArray[Any]], at: TileId) -> bytes:
    base = interleave(np.array([at.x], np.uint64), np.array([at.y], np.uint64))
    cells: U64 = np.left_shift(base, np.uint64(2 * CELL_BITS)) + np.arange(
        (1 << 2 * CELL_BITS) + 1, dtype=np.uint64
    )
    edges = np.left_shift(cells, np.uint64(2 * (BITS - at.z - CELL_BITS)))
    ends = np.asarray(np.searchsorted(index["morton"], edges), dtype=np.int64)
    counts = np.diff(ends)
    used = np.flatnonzero(counts)
    x, y = separate(used.astype(np.uint64))
    step = EXTENT >> CELL_BITS
    found = {
        "ids": used.tolist(),
        "x": (x.astype(np.int64) * step + step // 2).tolist(),
        "y": (y.astype(np.int64) * step + step // 2).tolist(),
        "n": counts[used].tolist(),
    }
    return bytes(session.scalar(text(_CELLS), found) or b"")


_POINTS = """
SELECT ST_AsMVT(d, 'cases', 4096, 'shape', 'id') FROM (
  SELECT id, category, status, opened, ST_MakePoint(x, y) AS shape
  FROM unnest(CAST(:ids AS bigint[]), CAST(:x AS float8[]), CAST(:y AS float8[]), CAST(:category AS text[]),
    CAST(:status AS text[]), CAST(:opened AS text[])) AS c (id, x, y, category, status, opened)) d"""
_CELLS = """
SELECT ST_AsMVT(d, 'cases', 4096, 'shape', 'id') FROM (
  SELECT id, n, ST_MakePoint(x, y) AS shape
  FROM unnest(CAST(:ids AS bigint[]), CAST(:x AS float8[]), CAST(:y AS float8[]), CAST(:n AS bigint[]))
    AS c (id, x, y, n)) d"""


def _within(cell: U64, tile_number: int, z: int) -> NDArray[np.int64]:
    """Positions in a tile of 4096 steps."""
    offset = cell.astype(np.int64) - (tile_number << (BITS - z))
    shift = BITS - z - 12
    return offset >> shift if shift >= 0 else offset << -shift


def _spread(value: U64) -> U64:
    found = value.astype(np.uint64)
    for shift, mask in _SPREAD:
        found = (found | (found << np.uint64(shift))) & np.uint64(mask)
    return found


def _gather(value: U64) -> U64:
    found = value & np.uint64(0x5555555555555555)
    for (shift, _), (_, mask) in zip(
        reversed(_SPREAD), [*reversed(_SPREAD[:-1]), (0, 0xFFFFFFFF)], strict=True
    ):
        found = (found | (found >> np.uint64(shift))) & np.uint64(mask)
    return found
