"""Which polygon holds each point: exact, and fast enough for every point of a city.

**The rule.** Polygons are closed: a point on a border or a vertex belongs. Where several polygons hold a point the
one with the lowest index wins; polygons sorted by code therefore give "the lowest code wins". The answer is that of
GEOS (`shapely.intersects`, PostGIS `ST_Intersects`) for every point; NaN and infinite points lie nowhere (−1).

**The method.** A raster of ids over the polygons' extent. A cell that no border touches needs one memory read. Any
other cell keeps, for each polygon whose border touches it, only the edges in reach and whether one reference point
inside the cell lies in that polygon: a point is inside when the segment from the reference point to it crosses the
polygon's border an even number of times and the reference point is inside, or odd and it is outside.

**Why it is exact.** Every decision is the sign of an orientation determinant, taken from float64 only when Shewchuk's
static error bound (J. R. Shewchuk, *Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric
Predicates*, 1997) proves it right; edges are drawn into every cell within a millionth of a cell, far more than the
rounding of the transform. What cannot be proved (points on a border, collinear vertices) is asked of GEOS itself, as
is every point in the extent of an invalid polygon, whose inside only GEOS defines. Measured on two cores with 20 000
polygons: see `benchmarks/placement.py`.

>>> import shapely
>>> index = PointIndex(np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]))
>>> index.place(np.array([0.5, 1.0, 1.5, 3.0, np.nan]), np.full(5, 0.5)).tolist()
[0, 0, 1, -1, -1]
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geo import placement_kernels as kernels

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Frame = tuple[
    float, float, float, float, int, int
]  # west, south, cells per unit east and north, columns, rows

CELLS_PER_POLYGON = 192
CELLS_PER_EDGE = 2
MIN_CELLS, MAX_CELLS = 64 * 64, 4096 * 4096
FINEST_CELL = 2.0**-29  # of the largest coordinate: a millionth of a cell must still be more than rounding
POINTS_PER_TASK = 65_536
THREADS = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class _Rings:
    """Polygons taken apart: vertices, ring offsets, and the polygon every ring belongs to."""

    xs: Floats
    ys: Floats
    offsets: NDArray[np.int64]
    polygon: Ints


@dataclass(frozen=True)
class _Border:
    """The border cells: what the kernel reads (`packed`, see `placement_kernels.pack`) and, for the rare question to
    GEOS, the candidates of cell k, polygon[ptr[k]] … polygon[ptr[k + 1]]; it stands at offsets[k] in `packed`."""

    packed: Floats
    offsets: NDArray[np.int64]
    ptr: Ints
    polygon: Ints


class PointIndex:
    """Places points in polygons; built once, asked from many threads.

    `polygons`: shapely Polygons or MultiPolygons in any plane CRS (lon/lat here), in order of precedence; None and
    empty ones hold nothing. `cells` on the longer side of the raster (by default from the number of polygons and
    edges). Raises TypeError for other geometries, ValueError for coordinates that are not finite.
    """

    def __init__(self, polygons: NDArray[np.object_], cells: int | None = None) -> None:
        self.polygons = np.asarray(polygons, dtype=object)
        used = _areal(self.polygons)
        self._valid = np.zeros(len(self.polygons), dtype=bool)
        self._valid[used] = shapely.is_valid(self.polygons[used])
        rings = _take_apart(self.polygons, used)
        self._frame = _frame(rings, len(used), cells)
        self._lookup, self._border = _draw(self.polygons, self._valid, used, rings, self._frame)
        self._prepared = False

    @property
    def nbytes(self) -> int:
        """Memory of the raster and its lists, without the polygons."""
        border = self._border
        parts = (self._lookup, border.packed, border.offsets, border.ptr, border.polygon)
        return sum(part.nbytes for part in parts)

    def place(self, lon: Floats, lat: Floats, threads: int = THREADS) -> Ints:
        """The index of the polygon that holds each point, −1 where none does; int32, one per point."""
        x = np.ascontiguousarray(lon, dtype=np.float64)
        y = np.ascontiguousarray(lat, dtype=np.float64)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError(
                f"lon and lat must be one-dimensional and equally long, not {x.shape} and {y.shape}"
            )
        out = np.empty(len(x), dtype=np.int32)
        starts = range(0, len(x), POINTS_PER_TASK)
        if threads == 1 or len(starts) < 2:
            undecided = sum(self._place_slice(x, y, out, start) for start in starts)
        else:
            with ThreadPoolExecutor(threads) as pool:
                undecided = sum(pool.map(lambda start: self._place_slice(x, y, out, start), starts))
        if undecided:
            self._ask_geos(x, y, out)
        return out

    def _place_slice(self, x: Floats, y: Floats, out: Ints, start: int) -> int:
        part = slice(start, start + POINTS_PER_TASK)
        return int(
            kernels.look_up(x[part], y[part], self._frame, self._lookup, self._border.packed, out[part])
        )

    def _ask_geos(self, x: Floats, y: Floats, out: Ints) -> None:
        """Decides the undecided: every candidate polygon of their cells against every point, lowest index first."""
        self._prepare()
        points = np.flatnonzero(out == kernels.UNDECIDED)
        for part in np.array_split(points, len(points) // 500_000 + 1):
            west, south, per_x, per_y, columns, _ = self._frame
            cell = ((y[part] - south) * per_y).astype(np.int64) * columns
            cell += ((x[part] - west) * per_x).astype(np.int64)
            border = self._border
            k = np.searchsorted(border.offsets, -self._lookup[cell].astype(np.int64) - 2)
            first, count = border.ptr[k], np.diff(border.ptr)[k]
            point = np.repeat(part, count)
            step = np.arange(len(point)) - np.repeat(np.cumsum(count) - count, count)
            candidate = border.polygon[np.repeat(first, count) + step]
            hit = shapely.intersects_xy(self.polygons[candidate], x[point], y[point])
            out[part] = kernels.NOWHERE
            np.minimum.at(out, point[hit], candidate[hit])
            out[part[out[part] == kernels.NOWHERE]] = -1

    def _prepare(self) -> None:
        """Prepared polygons answer faster; an invalid one stays plain, its answer may differ when prepared."""
        if not self._prepared:
            shapely.prepare(self.polygons[self._valid])
            self._prepared = True


def _areal(polygons: NDArray[np.object_]) -> NDArray[np.int64]:
    """Which of the geometries hold anything: neither None nor empty."""
    kind = shapely.get_type_id(polygons)
    if not np.isin(kind, (-1, 3, 6)).all():
        raise TypeError("points are placed in Polygons and MultiPolygons only")
    return np.flatnonzero((kind >= 0) & ~shapely.is_empty(polygons))


def _take_apart(polygons: NDArray[np.object_], used: NDArray[np.int64]) -> _Rings:
    if len(used) == 0:
        return _Rings(np.empty(0), np.empty(0), np.zeros(1, np.int64), np.empty(0, np.int32))
    kind, xy, offsets = shapely.to_ragged_array(polygons[used], include_z=False)
    if not np.isfinite(xy).all():
        raise ValueError("a polygon has a coordinate that is not finite")
    ring_of = offsets[1] if kind == shapely.GeometryType.POLYGON else offsets[1][offsets[2]]
    owner = np.repeat(used, np.diff(ring_of)).astype(np.int32)
    xs, ys = np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1])
    return _Rings(xs, ys, offsets[0].astype(np.int64), owner)


def _frame(rings: _Rings, polygons: int, cells: int | None) -> Frame:
    """The raster's place and resolution: more cells for more polygons and edges, square as far as precision allows."""
    if polygons == 0:
        return (0.0, 0.0, 1.0, 1.0, 1, 1)
    west, south, east, north = rings.xs.min(), rings.ys.min(), rings.xs.max(), rings.ys.max()
    largest = max(abs(west), abs(south), abs(east), abs(north), 1.0)
    pad = 2.0**-40 * largest
    west, south, width, height = west - pad, south - pad, east - west + 2 * pad, north - south + 2 * pad
    wanted = CELLS_PER_POLYGON * polygons + CELLS_PER_EDGE * len(rings.xs)
    size = np.sqrt(width * height / min(MAX_CELLS, max(MIN_CELLS, wanted)))
    if cells is not None:
        size = max(width, height) / cells
    size = max(size, FINEST_CELL * largest, max(width, height) / 32_768)
    columns, rows = max(1, int(width / size)), max(1, int(height / size))
    return (float(west), float(south), columns / width, rows / height, columns, rows)


def _draw(
    polygons: NDArray[np.object_],
    valid: NDArray[np.bool_],
    used: NDArray[np.int64],
    rings: _Rings,
    frame: Frame,
) -> tuple[Ints, _Border]:
    """The raster and the lists of its border cells."""
    columns, rows = frame[4], frame[5]
    cover = np.full(columns * rows, kernels.NOWHERE, dtype=np.int32)
    polygon, cell, edge, toggle = _edge_records(rings, frame)
    start = np.empty(len(cell) + 1, dtype=np.int64)
    state = np.empty(len(cell), dtype=np.uint8)
    n = kernels.read_states(rings.xs, rings.ys, frame, polygon, cell, edge, toggle, cover, start, state)
    start[n] = len(cell)
    begin, end, state = start[:n], start[1 : n + 1], state[:n]
    group_cell, group_polygon = cell[begin], polygon[begin]
    state[~valid[group_polygon]] = kernels.ASK
    groups = [(group_cell, group_polygon, state, begin, end)]
    groups += [_whole_extent(polygons[p], p, frame) for p in used[~valid[used]]]
    return _gather(rings, frame, cover, edge, *(np.concatenate(parts) for parts in zip(*groups, strict=True)))


def _edge_records(
    rings: _Rings, frame: Frame
) -> tuple[Ints, NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """(polygon, cell, edge, toggle) of every edge in every cell it touches, sorted by polygon, then cell."""
    none = (np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
    place = (rings.xs, rings.ys, rings.offsets, rings.polygon, frame)
    n = kernels.draw_edges(*place, *none)
    if n == 0:
        return none
    made = (np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint8))
    kernels.draw_edges(*place, *made)
    polygon, cell, edge, toggle = made
    order = np.argsort(polygon * np.int64(frame[4] * frame[5]) + cell, kind="stable")
    return polygon[order], cell[order], edge[order], toggle[order]


_Group = tuple[NDArray[np.int64], Ints, NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]


def _whole_extent(polygon: shapely.Geometry, index: int, frame: Frame) -> _Group:
    """For an invalid polygon: a group without edges, to be asked of GEOS, in every cell of its extent."""
    west, south, per_x, per_y, columns, rows = frame
    x0, y0, x1, y1 = shapely.bounds(polygon)
    first, last = max(0, int((x0 - west) * per_x) - 1), min(columns - 1, int((x1 - west) * per_x) + 1)
    bottom, top = max(0, int((y0 - south) * per_y) - 1), min(rows - 1, int((y1 - south) * per_y) + 1)
    cell = (np.arange(bottom, top + 1)[:, None] * columns + np.arange(first, last + 1)[None, :]).ravel()
    zero = np.zeros(len(cell), dtype=np.int64)
    return cell, np.full(len(cell), index, np.int32), np.full(len(cell), kernels.ASK, np.uint8), zero, zero


def _gather(
    rings: _Rings,
    frame: Frame,
    cover: Ints,
    edge: NDArray[np.int64],
    cell: NDArray[np.int64],
    polygon: Ints,
    state: NDArray[np.uint8],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
) -> tuple[Ints, _Border]:
    """Groups by cell, lowest polygon first; what stands behind a polygon that covers the cell whole is left out."""
    ahead = polygon < cover[cell]
    behind = np.unique(cell[ahead])
    behind = behind[cover[behind] != kernels.NOWHERE]  # these cells end with the polygon that covers them
    none = np.zeros(len(behind), dtype=np.int64)
    cell, polygon = np.r_[cell[ahead], behind], np.r_[polygon[ahead], cover[behind]].astype(np.int32)
    state = np.r_[state[ahead], np.ones(len(behind), np.uint8)]
    begin, end = np.r_[begin[ahead], none], np.r_[end[ahead], none]
    order = np.lexsort((state == kernels.ASK, polygon, cell))
    cell, polygon, state, begin, end = cell[order], polygon[order], state[order], begin[order], end[order]
    cells, first = np.unique(cell, return_index=True)
    ptr = np.r_[first, len(cell)].astype(np.int32)
    size = len(cells) + 2 * len(cell) + 4 * int((end - begin).sum())
    packed, offsets = np.empty(size, dtype=np.float64), np.empty(len(cells), dtype=np.int64)
    kernels.pack(rings.xs, rings.ys, frame, ptr, cell, polygon, state, begin, end, edge, packed, offsets)
    cover[cover == kernels.NOWHERE] = -1
    cover[cells] = -offsets - 2
    return cover, _Border(packed, offsets, ptr, polygon)


def warm() -> None:
    """Compiles every kernel once, so that the first real question does not wait for it."""
    PointIndex(np.array([shapely.box(0, 0, 1, 1)], dtype=object)).place(
        np.array([0.5, 2.0]), np.array([0.5, 2.0])
    )
