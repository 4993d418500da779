"""A partition: which grid each unit belongs to. A value; a flip makes a new one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grids.units import Floats, Ints, UnitGraph, connected


@dataclass(frozen=True, eq=False)
class Flip:
    """Units (indices, each once) that change hands, and the grid each goes to: −1 leaves it open, k makes a new grid."""

    units: Ints
    to_grid: Ints

    @classmethod
    def between(cls, before: Ints, after: Ints) -> Flip:
        """What turns one assignment of the same units into another.

        >>> Flip.between(np.array([0, 0, 1]), np.array([0, 1, 1])).units.tolist()
        [1]
        """
        units = np.flatnonzero(before != after)
        return cls(units, after[units])


@dataclass(frozen=True)
class Partition:
    """`grid[u]` is the grid (0 … k−1) of unit u, −1 while the unit is open."""

    graph: UnitGraph
    grid: Ints
    k: int

    def flip(self, units: Ints, to_grid: int) -> Partition:
        """The partition after giving some units (indices) to a grid, or to none with −1."""
        grid = self.grid.copy()
        grid[units] = to_grid
        return replace(self, grid=grid)

    def loads(self, weight: Floats) -> Floats:
        """The weight of every grid, in the weight's own unit."""
        assigned = self.grid >= 0
        found = np.bincount(self.grid[assigned], weights=weight[assigned], minlength=self.k)
        return np.asarray(found, dtype=np.float64)

    @property
    def unit_counts(self) -> Ints:
        """Units per grid."""
        return np.bincount(self.grid[self.grid >= 0], minlength=self.k).astype(np.int64)

    @property
    def area_m2(self) -> Floats:
        """Area per grid in m²."""
        return self.loads(self.graph.area_m2)

    @property
    def perimeter_m(self) -> Floats:
        """Outline per grid in m: the units' outlines without the borders between units of one grid."""
        rows = np.repeat(np.arange(self.graph.n), np.diff(self.graph.indptr))
        same = (self.grid[rows] == self.grid[self.graph.indices]) & (self.grid[rows] >= 0)
        inner = np.bincount(self.grid[rows[same]], weights=self.graph.length_m[same], minlength=self.k)
        return self.loads(self.graph.perimeter_m) - inner

    def parts(self) -> Ints:
        """Into how many pieces each grid falls when one may only walk; 1 is contiguous, 0 empty.

        Pieces on ground that touches no other ground of the grid's surroundings (islands) are not counted against
        it: nobody can walk there from anywhere.
        """
        graph = self.graph
        rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
        same = (self.grid[rows] == self.grid[graph.indices]) & (self.grid[rows] >= 0)
        piece = connected(graph.n, rows[same & graph.walkable], graph.indices[same & graph.walkable])
        land = graph.components(walking=False)
        assigned = np.flatnonzero(self.grid >= 0)
        one = np.full(graph.n, -1, np.int64)
        one[piece[assigned]] = assigned  # some unit of each piece, which lies in one grid and on one land
        one = one[one >= 0]
        many = int(land.max(initial=0)) + 1
        lands = np.unique(self.grid[one] * many + land[one]) // many
        count = np.bincount(self.grid[one], minlength=self.k) - np.bincount(lands, minlength=self.k) + 1
        return np.where(self.unit_counts > 0, count, 0).astype(np.int64)

    def areas_of(self) -> list[list[int]]:
        """The nesting areas each grid touches, by index, most of the grid's ground first."""
        assigned = np.flatnonzero((self.grid >= 0) & (self.graph.area >= 0))
        m = max(len(self.graph.area_codes), 1)
        key = self.grid[assigned] * m + self.graph.area[assigned]
        pair, place = np.unique(key, return_inverse=True)
        ground = np.bincount(place, weights=self.graph.area_m2[assigned], minlength=len(pair))
        found: list[list[int]] = [[] for _ in range(self.k)]
        for i in np.lexsort((pair, -ground)):
            found[int(pair[i] // m)].append(int(pair[i] % m))
        return found
