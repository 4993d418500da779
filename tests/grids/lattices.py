"""Small unit graphs made by hand, for tests that need no database."""

from __future__ import annotations

import numpy as np

from grids.units import UnitGraph, csr


def lattice(
    columns: int,
    rows: int,
    closed: set[tuple[int, int]] | None = None,
    areas: int = 1,
    ridge: int | None = None,
) -> UnitGraph:
    """Unit squares of 10 m; `closed` pairs cannot be walked between; areas are vertical strips; no border at `ridge`."""
    n = columns * rows
    x, y = np.arange(n) % columns, np.arange(n) // columns
    edges = [(u, u + 1) for u in range(n) if x[u] < columns - 1 and x[u] != ridge]
    edges += [(u, u + columns) for u in range(n - columns)]
    a, b = np.array(edges, np.int64).reshape(-1, 2).T
    walk = np.array([(int(i), int(j)) not in (closed or set()) for i, j in edges], bool)
    indptr, indices, length, walkable = csr(n, a, b, np.full(len(a), 10.0), walk)
    return UnitGraph(
        ids=np.arange(1, n + 1),
        codes=tuple(f"u{i + 1}" for i in range(n)),
        area=(x * areas // columns).astype(np.int64),
        area_codes=tuple(f"42010600100{i + 1}" for i in range(areas)),
        area_names=tuple(f"社区{i + 1}" for i in range(areas)),
        x=x * 10.0,
        y=y * 10.0,
        area_m2=np.full(n, 100.0),
        perimeter_m=np.full(n, 40.0),
        indptr=indptr,
        indices=indices,
        length_m=length,
        walkable=walkable,
    )
