"""What lies beside a grid, and what hangs together once islands have a ferry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grids.units import Floats, Ints, UnitGraph, connected, half_borders


def neighbours(graph: UnitGraph, grid: Ints, g: int, *, walking: bool = True) -> Ints:
    """The grids beside grid g, ascending: those one can walk to, or with walking=False all that share a border."""
    _, edges = half_borders(graph, np.flatnonzero(grid == g))
    beside = grid[graph.indices[edges[graph.walkable[edges]] if walking else edges]]
    return np.unique(beside[(beside != g) & (beside >= 0)])


@dataclass(frozen=True)
class Ground:
    """Borders given as two ends each, in both directions: what connects units, ferries to islands included."""

    n: int
    a: Ints
    b: Ints

    def pieces(self, inside: NDArray[np.bool_]) -> Ints:
        """The connected piece of every unit inside (numbers 0 …), units outside in pieces of their own."""
        keep = inside[self.a] & inside[self.b]
        return connected(self.n, self.a[keep], self.b[keep])


def ground(graph: UnitGraph) -> Ground:
    """What can be walked, with a ferry from every island to the unit nearest to it.

    Only land that shares no border at all with the rest counts as an island: a river without a bridge stays a river.
    """
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    a, b = rows[graph.walkable], graph.indices[graph.walkable]
    ferries = _ferries(graph, graph.components(walking=False))
    ends = np.array(ferries, np.int64).reshape(-1, 2)
    return Ground(
        graph.n, np.concatenate([a, ends[:, 0], ends[:, 1]]), np.concatenate([b, ends[:, 1], ends[:, 0]])
    )


def _ferries(graph: UnitGraph, land: Ints) -> list[tuple[int, int]]:
    """From every land but the largest, largest first, a line to the nearest unit of the lands before it."""
    lands, sizes = np.unique(land, return_counts=True)
    order = lands[np.argsort(-sizes, kind="stable")]
    found: list[tuple[int, int]] = []
    reached = land == (order[0] if len(order) else -1)
    for one in order[1:].tolist():
        mine, theirs = np.flatnonzero(land == one), np.flatnonzero(reached)
        found.append(_nearest(graph.x, graph.y, mine, theirs))
        reached |= land == one
    return found


def _nearest(x: Floats, y: Floats, mine: Ints, theirs: Ints) -> tuple[int, int]:
    middle = mine[int(np.argmin(np.hypot(x[mine] - x[theirs].mean(), y[mine] - y[theirs].mean())))]
    other = theirs[int(np.argmin(np.hypot(x[theirs] - x[middle], y[theirs] - y[middle])))]
    mine_too = mine[int(np.argmin(np.hypot(x[mine] - x[other], y[mine] - y[other])))]
    return int(mine_too), int(other)
