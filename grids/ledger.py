"""A partition with its books kept: what every grid holds, exactly, after any number of flips.

Sums are kept in fixed point (64-bit integers, a power of two as the unit), so taking units away again restores them to
the last bit, and books kept over a thousand edits equal books made afresh. A flip costs what the flipped units and
their borders cost; pieces of a grid are counted again only where the place around a unit does not settle the question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grids.partition import Flip, Partition
from grids.units import Floats, Ints, UnitGraph, half_borders, within

WHOLE_BITS = 60  # a city's sum fills at most so many bits
MOST_BITS = 40  # and the unit is not finer than 2^-40
ONE_BY_ONE = 64  # so many units are looked at one by one before whole grids are


@dataclass(frozen=True, eq=False)
class Measured:
    """What is summed over units: `names` are the weights, further rows of `amount` are area and outline.

    `amount[r, u]` is an integer, in units of 1 / `scale[r]`; `border[e]` the length of a border in those of the outline.
    """

    graph: UnitGraph
    names: tuple[str, ...]
    amount: Ints
    border: Ints
    scale: Floats

    @classmethod
    def of(cls, graph: UnitGraph, weights: Mapping[str, Floats]) -> Measured:
        """From weights per unit (≥ 0, any unit of measure). The graph gets to know the land of its units."""
        graph = replace(graph, land=graph.components(walking=False))
        rows = [*weights.values(), graph.area_m2, graph.perimeter_m]
        whole = [float(row.sum()) for row in rows]
        whole[-1] += float(graph.length_m.sum())
        scale = np.array([_scale(total) for total in whole])
        amount = np.stack([np.round(row * s) for row, s in zip(rows, scale, strict=True)]).astype(np.int64)
        border = np.round(graph.length_m * scale[-1]).astype(np.int64)
        return cls(graph, tuple(weights), amount, border, scale)


def _scale(total: float) -> float:
    """The power of two by which a whole city's sum still fits into an integer."""
    bits = WHOLE_BITS - int(np.ceil(np.log2(total))) if total > 0 else MOST_BITS
    return float(2.0 ** min(bits, MOST_BITS))


@dataclass(frozen=True, eq=False)
class Ledger:
    """A partition and, per grid: sums of everything measured, units, cut borders, pieces, nesting areas.

    `cuts[g]` counts borders between a unit of g and one of another grid; `pieces` is `Partition.parts`; `areas` how
    many nesting areas the grid touches and `main_area` which one (its index) holds most of its ground, −1 none.
    """

    measured: Measured
    partition: Partition
    sums: Ints
    units: Ints
    cuts: Ints
    pieces: Ints
    areas: Ints
    main_area: Ints

    @classmethod
    def of(cls, measured: Measured, partition: Partition) -> Ledger:
        """The books of a partition, made afresh."""
        partition = replace(partition, graph=measured.graph)
        sums, units, cuts = _sums(measured, partition)
        areas, main_area = _areas(partition)
        return cls(measured, partition, sums, units, cuts, partition.parts(), areas, main_area)

    @property
    def loads(self) -> Floats:
        """Weights × grids, each in its own unit."""
        return self.sums[:-2] / self.measured.scale[:-2, None]

    @property
    def area_m2(self) -> Floats:
        """Area per grid."""
        return np.asarray(self.sums[-2] / self.measured.scale[-2], np.float64)

    @property
    def perimeter_m(self) -> Floats:
        """Outline per grid."""
        return np.asarray(self.sums[-1] / self.measured.scale[-1], np.float64)

    @property
    def compactness(self) -> Floats:
        """4πA/P² per grid, 1 for a circle (Polsby and Popper 1991); 0 for a grid without ground."""
        found = 4 * np.pi * self.area_m2 / np.maximum(self.perimeter_m, 1e-9) ** 2
        return np.asarray(found, np.float64)

    def flip(self, flip: Flip) -> Ledger:
        """The books after a flip; a target beyond the last grid makes new ones. Units that stay are no matter."""
        grid = self.partition.grid
        stays = grid[flip.units] == flip.to_grid
        units, to = flip.units[~stays], flip.to_grid[~stays]
        if not len(units):
            return self
        after = grid.copy()
        after[units] = to
        book = self.with_room(int(to.max()) + 1)
        partition = Partition(self.partition.graph, after, book.partition.k)
        sums, unit_counts, cuts = book.sums.copy(), book.units.copy(), book.cuts.copy()
        _move(self.measured, (grid, after), units, (sums, unit_counts, cuts))
        changed = changed_grids(grid, after, units)
        pieces, areas, main_area = book.pieces.copy(), book.areas.copy(), book.main_area.copy()
        part = part_of(partition, changed)
        areas[changed], main_area[changed] = _areas(part)
        if len(units) > ONE_BY_ONE or _doubtful(self.partition.graph, grid, units, to):
            pieces[changed] = part.parts()
        pieces[unit_counts == 0] = 0
        return Ledger(self.measured, partition, sums, unit_counts, cuts, pieces, areas, main_area)

    def take(self, grids: Ints) -> Ledger:
        """The books of some grids in a given order; units of the others become open (they must have none)."""
        place = np.full(self.partition.k + 1, -1, np.int64)
        place[grids] = np.arange(len(grids))
        partition = Partition(self.partition.graph, place[self.partition.grid], len(grids))
        rows = (self.units, self.cuts, self.pieces, self.areas, self.main_area)
        return Ledger(self.measured, partition, self.sums[:, grids], *(row[grids] for row in rows))

    def with_room(self, k: int) -> Ledger:
        """The same with at least k grids, further ones empty."""
        more = k - self.partition.k
        if more <= 0:
            return self
        rows = (self.units, self.cuts, self.pieces, self.areas)
        units, cuts, pieces, areas = (np.append(row, np.zeros(more, np.int64)) for row in rows)
        main_area = np.append(self.main_area, np.full(more, -1))
        sums = np.hstack([self.sums, np.zeros((len(self.sums), more), np.int64)])
        partition = replace(self.partition, k=k)
        return Ledger(self.measured, partition, sums, units, cuts, pieces, areas, main_area)


def changed_grids(before: Ints, after: Ints, units: Ints) -> Ints:
    """The grids that some units left or joined, ascending."""
    found = np.unique(np.concatenate([before[units], after[units]]))
    return found[found >= 0]


def part_of(partition: Partition, grids: Ints) -> Partition:
    """The partition of the ground of some grids (ascending), numbered 0 … in their order."""
    wanted = np.zeros(partition.k + 1, np.bool_)  # the last one is where −1 points: open
    wanted[grids] = True
    units = np.flatnonzero(wanted[partition.grid])
    number = np.searchsorted(grids, partition.grid[units])
    return Partition(within(partition.graph, units), number, len(grids))


def _sums(measured: Measured, partition: Partition) -> tuple[Ints, Ints, Ints]:
    graph, grid, k = partition.graph, partition.grid, partition.k
    held = np.flatnonzero(grid >= 0)
    sums = np.zeros((len(measured.amount), k), np.int64)
    for row, amount in zip(sums, measured.amount, strict=True):
        np.add.at(row, grid[held], amount[held])
    rows = np.repeat(grid, np.diff(graph.indptr))
    other = grid[graph.indices]
    inner = (rows == other) & (rows >= 0)
    np.subtract.at(sums[-1], rows[inner], measured.border[inner])
    cuts = np.bincount(rows[(rows != other) & (rows >= 0) & (other >= 0)], minlength=k)
    return sums, partition.unit_counts, cuts.astype(np.int64)


def _move(measured: Measured, grids: tuple[Ints, Ints], units: Ints, books: tuple[Ints, Ints, Ints]) -> None:
    """Takes the units off the books of their former grids (`grids[0]`) and enters them in their new ones."""
    sums, unit_counts, cuts = books
    row, edge = half_borders(measured.graph, units)
    here, there = units[row], measured.graph.indices[edge]
    moved = grids[0][there] != grids[1][there]  # then the border is met again from the other side
    length = measured.border[edge] * np.where(moved, 1, 2)
    for grid, sign in zip(grids, (-1, 1), strict=True):
        own = grid[units]
        held = own >= 0
        for total, amount in zip(sums, measured.amount, strict=True):
            np.add.at(total, own[held], sign * amount[units[held]])
        np.add.at(unit_counts, own[held], sign)
        a, b = grid[here], grid[there]
        inner = (a == b) & (a >= 0)
        np.add.at(sums[-1], a[inner], -sign * length[inner])
        cut = (a != b) & (a >= 0) & (b >= 0)
        np.add.at(cuts, a[cut], sign)
        seen_once = cut & ~moved
        np.add.at(cuts, b[seen_once], sign)


def _areas(partition: Partition) -> tuple[Ints, Ints]:
    found = partition.areas_of()
    count = np.array([len(areas) for areas in found], np.int64)
    main = np.array([areas[0] if areas else -1 for areas in found], np.int64)
    return count, main


def _doubtful(graph: UnitGraph, grid: Ints, units: Ints, to: Ints) -> bool:
    """Whether some flip may have changed the number of pieces: it does not when the unit's neighbours of the grid are
    joined around it, before as after."""
    now = grid.copy()
    for unit, target in zip(units.tolist(), to.tolist(), strict=True):
        source = int(now[unit])
        now[unit] = -1
        if any(g >= 0 and not _joined_around(graph, now, unit, g) for g in (source, target)):
            return True
        now[unit] = target
    return False


def _joined_around(graph: UnitGraph, grid: NDArray[np.int64], unit: int, g: int) -> bool:
    """Whether the unit has neighbours of grid g on foot and they reach each other within two steps of the unit."""
    near = _on_foot(graph, unit)
    ends = {v for v in near if grid[v] == g}
    if len(ends) <= 1:
        return len(ends) == 1
    around = {w for v in near for w in _on_foot(graph, v) if grid[w] == g} | ends
    reached, edge = set(), [next(iter(ends))]
    while edge:
        v = edge.pop()
        if v not in reached:
            reached.add(v)
            edge.extend(w for w in _on_foot(graph, v) if w in around)
    return ends <= reached


def _on_foot(graph: UnitGraph, unit: int) -> list[int]:
    borders = slice(int(graph.indptr[unit]), int(graph.indptr[unit + 1]))
    found: list[int] = graph.indices[borders][graph.walkable[borders]].tolist()
    return found
