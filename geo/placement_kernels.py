"""Compiled loops of `geo.placement`: drawing edges on the raster, filling the inside, asking it.

A cell is `row * columns + column`; "cell units" are coordinates counted in cells from the raster's south-west corner.
Every loop releases the interpreter's lock (`nogil`), so threads may run it side by side.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

MARGIN = 1e-6  # an edge belongs to every cell it comes nearer to than this, in cell units
REFERENCE_X, REFERENCE_Y = (
    0.5372819,
    0.4613571,
)  # where in its cell the reference point stands: no round fraction
ERROR_BOUND = (3.0 + 16.0 * 2.0**-53) * 2.0**-53  # Shewchuk (1997), ccwerrboundA
ASK = 2  # state of a group, or sign: float64 cannot decide, GEOS must
UNDECIDED = -9
NOWHERE = 2**31 - 1  # no polygon covers this cell whole


@njit(inline="always")
def orientation(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> int:
    """1 when p lies left of a → b, −1 right, 0 when float64 cannot tell (Shewchuk's static error bound)."""
    left = (ax - px) * (by - py)
    right = (ay - py) * (bx - px)
    det = left - right
    if abs(det) <= ERROR_BOUND * (abs(left) + abs(right)):
        return 0
    return 1 if det > 0.0 else -1


@njit(inline="always")
def _span(ax: float, ay: float, bx: float, by: float, row: int) -> tuple[float, float]:
    """West and east end, in cell units, of the part of an edge (ay ≤ by) that runs through a row."""
    if by - ay > 1e-12:
        t0 = min(1.0, max(0.0, (row - MARGIN - ay) / (by - ay)))
        t1 = min(1.0, max(0.0, (row + 1 + MARGIN - ay) / (by - ay)))
        u, v = ax + t0 * (bx - ax), ax + t1 * (bx - ax)
        return min(u, v), max(u, v)
    return min(ax, bx), max(ax, bx)


@njit(cache=True, nogil=True)
def draw_edges(
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    rings: NDArray[np.int64],
    ring_polygon: NDArray[np.int32],
    frame: tuple[float, float, float, float, int, int],
    out_polygon: NDArray[np.int32],
    out_cell: NDArray[np.int64],
    out_edge: NDArray[np.int64],
    out_toggle: NDArray[np.uint8],
) -> int:
    """One record per edge and cell that it touches; returns how many. Empty outputs: only count.

    `toggle` is 1 in the cell where the edge crosses its row's reference line (half-open rule: an end on the line
    counts as below it), so the records of one polygon in one row give the inside by parity.
    """
    x0, y0, per_x, per_y, columns, rows = frame
    write = len(out_cell) > 0
    m = 0
    for r in range(len(rings) - 1):
        for e in range(rings[r], rings[r + 1] - 1):
            ax, ay = (xs[e] - x0) * per_x, (ys[e] - y0) * per_y
            bx, by = (xs[e + 1] - x0) * per_x, (ys[e + 1] - y0) * per_y
            low, high = min(ys[e], ys[e + 1]), max(ys[e], ys[e + 1])
            if ay > by:
                ax, ay, bx, by = bx, by, ax, ay
            first = max(0, int(np.floor(ay - MARGIN)))
            last = min(rows - 1, int(np.floor(by + MARGIN)))
            for row in range(first, last + 1):
                west, east = _span(ax, ay, bx, by, row)
                c0 = max(0, int(np.floor(west - MARGIN)))
                c1 = min(columns - 1, int(np.floor(east + MARGIN)))
                if write:
                    line = y0 + (row + REFERENCE_Y) / per_y
                    crossing = -1
                    if low <= line < high:
                        t = ((line - y0) * per_y - ay) / (by - ay) if by > ay else 0.0
                        crossing = min(c1, max(c0, int(np.floor(ax + t * (bx - ax)))))
                    for c in range(c0, c1 + 1):
                        out_polygon[m] = ring_polygon[r]
                        out_cell[m] = row * columns + c
                        out_edge[m] = e
                        out_toggle[m] = 1 if c == crossing else 0
                        m += 1
                else:
                    m += c1 - c0 + 1
    return m


@njit(cache=True, nogil=True)
def read_states(
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    frame: tuple[float, float, float, float, int, int],
    polygon: NDArray[np.int32],
    cell: NDArray[np.int64],
    edge: NDArray[np.int64],
    toggle: NDArray[np.uint8],
    cover: NDArray[np.int32],
    group_start: NDArray[np.int64],
    group_state: NDArray[np.uint8],
) -> int:
    """Walks the records, sorted by (polygon, cell), row by row with the parity of crossings.

    A group is the records of one polygon in one cell: its state says whether the cell's reference point lies inside
    (1), outside (0), or too near to an edge to tell (ASK). Cells between two groups of a row lie whole inside or
    outside; `cover` keeps the lowest polygon that covers a cell whole. Returns the number of groups.
    """
    x0, y0, per_x, per_y, columns, _ = frame
    groups, i, n = 0, 0, len(cell)
    parity = 0
    last_polygon, last_cell = -1, np.int64(-1)
    while i < n:
        here, p = cell[i], polygon[i]
        row = here // columns
        if p != last_polygon or row != last_cell // columns:
            parity = 0
        elif parity == 1:
            for c in range(last_cell + 1, here):
                if p < cover[c]:
                    cover[c] = p
        rx = x0 + (here - row * columns + REFERENCE_X) / per_x
        ry = y0 + (row + REFERENCE_Y) / per_y
        state, crossed = parity, 0
        group_start[groups] = i
        while i < n and cell[i] == here and polygon[i] == p:
            e = edge[i]
            upwards = ys[e + 1] > ys[e]
            side = orientation(xs[e], ys[e], xs[e + 1], ys[e + 1], rx, ry)
            if side == 0:
                state = ASK
            elif toggle[i] == 1:
                crossed ^= 1
                # the crossing lies west of the reference point: right of an upward edge, left of a downward one
                if (side > 0) != upwards and state != ASK:
                    state ^= 1
            i += 1
        group_state[groups] = state
        groups += 1
        parity ^= crossed
        last_polygon, last_cell = p, here
    return groups


@njit(cache=True, nogil=True)
def pack(
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    frame: tuple[float, float, float, float, int, int],
    cell_ptr: NDArray[np.int32],
    group_cell: NDArray[np.int64],
    group_polygon: NDArray[np.int32],
    group_state: NDArray[np.uint8],
    group_from: NDArray[np.int64],
    group_to: NDArray[np.int64],
    edge: NDArray[np.int64],
    packed: NDArray[np.float64],
    offsets: NDArray[np.int64],
) -> None:
    """Lays all that a border cell needs side by side, so that a point there costs one place in memory, not six.

    Per cell: number of groups; per group: polygon, state + 4 × number of edges; per edge ax, ay, bx, by, turned so that
    the cell's reference point lies left of a → b.
    """
    x0, y0, per_x, per_y, columns, _ = frame
    m = 0
    for k in range(len(cell_ptr) - 1):
        offsets[k] = m
        packed[m] = cell_ptr[k + 1] - cell_ptr[k]
        m += 1
        for g in range(cell_ptr[k], cell_ptr[k + 1]):
            row = group_cell[g] // columns
            rx = x0 + (group_cell[g] - row * columns + REFERENCE_X) / per_x
            ry = y0 + (row + REFERENCE_Y) / per_y
            packed[m] = group_polygon[g]
            packed[m + 1] = group_state[g] + 4 * (group_to[g] - group_from[g])
            m += 2
            for i in range(group_from[g], group_to[g]):
                a, b = edge[i], edge[i] + 1
                if orientation(xs[a], ys[a], xs[b], ys[b], rx, ry) < 0:
                    a, b = b, a
                packed[m], packed[m + 1], packed[m + 2], packed[m + 3] = xs[a], ys[a], xs[b], ys[b]
                m += 4


@njit(inline="always")
def _state_at(
    px: float,
    py: float,
    rx: float,
    ry: float,
    state: int,
    packed: NDArray[np.float64],
    start: int,
    edges: int,
) -> int:
    """Inside (1) or outside (0): the reference point's state, turned by every edge between it and p; or ASK."""
    for e in range(start, start + 4 * edges, 4):
        ax, ay, bx, by = packed[e], packed[e + 1], packed[e + 2], packed[e + 3]
        side = orientation(ax, ay, bx, by, px, py)
        if side == 0:
            return ASK
        if side < 0:
            a = orientation(rx, ry, px, py, ax, ay)
            b = orientation(rx, ry, px, py, bx, by)
            if a == 0 or b == 0:
                return ASK
            if a != b:
                state ^= 1
    return state


@njit(cache=True, nogil=True)
def look_up(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    frame: tuple[float, float, float, float, int, int],
    lookup: NDArray[np.int32],
    packed: NDArray[np.float64],
    out: NDArray[np.int32],
) -> int:
    """The polygon of every point into `out`: −1 none, UNDECIDED when GEOS must decide; returns how many of these."""
    x0, y0, per_x, per_y, columns, rows = frame
    undecided = 0
    for i in range(len(x)):
        px, py = x[i], y[i]
        fx, fy = (px - x0) * per_x, (py - y0) * per_y
        if not (fx >= 0.0 and fy >= 0.0 and fx < columns and fy < rows):  # NaN lands here as well
            out[i] = -1
            continue
        column, row = int(fx), int(fy)
        found = lookup[row * columns + column]
        if found < -1:
            at = -int(found) - 2
            rx, ry = x0 + (column + REFERENCE_X) / per_x, y0 + (row + REFERENCE_Y) / per_y
            found = -1
            groups = int(packed[at])
            at += 1
            for _ in range(groups):
                head = int(packed[at + 1])
                state, edges = head & 3, head >> 2
                if state != ASK:
                    state = _state_at(px, py, rx, ry, state, packed, at + 2, edges)
                if state == ASK:
                    found = UNDECIDED
                    undecided += 1
                    break
                if state == 1:
                    found = int(packed[at])
                    break
                at += 2 + 4 * edges
        out[i] = found
    return undecided
