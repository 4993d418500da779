"""多格合一: several departments' grids on the same ground become one plan, and each learns what became of its own.

    atoms      connected units that lie in one grid of every layer: all departments agree that they belong together
    disputed   borders that some layers draw and others do not, in metres by layer
    merged     atoms joined as long as the weighted majority along their common border says together
    translate  for each department: its grid → merged grid, with shares

Label arrays and the unit graph in, values out; no database.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grids.partition import Partition
from grids.units import Floats, Ints, UnitGraph, connected

MAJORITY = 0.5


@dataclass(frozen=True, eq=False)
class Layer:
    """One department's grids: `label[u]` is the grid of unit u by index into `codes`, −1 where it has none."""

    name: str
    weight: float
    label: Ints
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Dispute:
    """A layer's lines in metres: all it draws, what every layer draws, what some other does not; and `missing_m`, what
    others draw and it does not."""

    name: str
    weight: float
    grids: int
    drawn_m: float
    agreed_m: float
    disputed_m: float
    missing_m: float


@dataclass(frozen=True)
class Translated:
    """What a department's grid gives to one merged grid; shares of area (0–1) of its grid, and of the merged one."""

    layer: str
    grid: str
    merged: int
    units: int
    area_m2: float
    share_of_grid: float
    share_of_merged: float


@dataclass(frozen=True, eq=False)
class Overlay:
    """The merged plan and how far the departments agree. `agreed_share` is the share of all shared borders (by length)
    on which every layer says the same; `line_share[e]` the weighted share of layers that draw border e of the graph."""

    merged: Partition
    atoms: Ints
    line_share: Floats
    agreed_share: float | None
    disputes: list[Dispute]
    translations: list[Translated]
    joined_fragments: int


def overlay(graph: UnitGraph, layers: Sequence[Layer]) -> Overlay:
    """The overlay of some layers. Raises ValueError without layers or for a weight that is not above 0."""
    if not layers or any(not 0 < layer.weight < np.inf for layer in layers):
        raise ValueError("overlay needs layers with weights above 0")
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    drawn, told = _votes(graph, layers, rows)
    pieces = atoms(graph, layers)
    label, joined = _merge(graph, layers, rows, drawn, told, pieces)
    merged = Partition(graph, label, int(label.max()) + 1 if graph.n else 0)
    weight = np.array([layer.weight for layer in layers])
    heard = weight @ told
    share = np.divide(weight @ (drawn & told), heard, out=np.zeros(len(rows)), where=heard > 0)
    return Overlay(
        merged=merged,
        atoms=pieces,
        line_share=share,
        agreed_share=_agreed(graph, share),
        disputes=[_dispute(graph, layer, drawn[i] & told[i], share, rows) for i, layer in enumerate(layers)],
        translations=[row for layer in layers for row in translate(merged, layer)],
        joined_fragments=joined,
    )


def atoms(graph: UnitGraph, layers: Sequence[Layer]) -> Ints:
    """The atom of every unit: units of one grid in every layer that can be walked between (agreement map)."""
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    same = graph.walkable.copy()
    for layer in layers:
        same &= layer.label[rows] == layer.label[graph.indices]
    return connected(graph.n, rows[same], graph.indices[same])


def translate(merged: Partition, layer: Layer) -> list[Translated]:
    """A department's table: each of its grids with the merged grids it went into, most of it first."""
    area, held = merged.graph.area_m2, np.flatnonzero((layer.label >= 0) & (merged.grid >= 0))
    pair, place = np.unique(layer.label[held] * max(merged.k, 1) + merged.grid[held], return_inverse=True)
    shared = np.bincount(place, weights=area[held], minlength=len(pair))
    count = np.bincount(place, minlength=len(pair))
    own, into = pair // max(merged.k, 1), pair % max(merged.k, 1)
    whole = np.bincount(own, weights=shared)
    ground = merged.area_m2
    return [
        Translated(
            layer.name, layer.codes[int(own[i])], int(into[i]), int(count[i]), float(shared[i]),
            float(shared[i] / whole[own[i]]), float(shared[i] / ground[into[i]]),
        )
        for i in np.lexsort((into, -shared, own)).tolist()
    ]  # fmt: skip


# ── Votes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _votes(
    graph: UnitGraph, layers: Sequence[Layer], rows: Ints
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Per layer and border: whether it draws a line there, and whether it says anything (both sides have a grid)."""
    a = np.array([layer.label[rows] for layer in layers])
    b = np.array([layer.label[graph.indices] for layer in layers])
    return a != b, (a >= 0) & (b >= 0)


def _agreed(graph: UnitGraph, share: Floats) -> float | None:
    total = float(graph.length_m.sum())
    same = (share == 0) | (share == 1)
    return float(graph.length_m[same].sum()) / total if total > 0 else None


def _dispute(graph: UnitGraph, layer: Layer, drawn: NDArray[np.bool_], share: Floats, rows: Ints) -> Dispute:
    once = rows < graph.indices

    def metres(which: NDArray[np.bool_]) -> float:
        return float(graph.length_m[which & once].sum())

    return Dispute(
        name=layer.name,
        weight=layer.weight,
        grids=len(np.unique(layer.label[layer.label >= 0])),
        drawn_m=metres(drawn),
        agreed_m=metres(drawn & (share == 1)),
        disputed_m=metres(drawn & (share < 1)),
        missing_m=metres(~drawn & (share > 0)),
    )


# ── Joining ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _merge(
    graph: UnitGraph, layers: Sequence[Layer], rows: Ints, drawn: NDArray[np.bool_], told: NDArray[np.bool_], pieces: Ints
) -> tuple[Ints, int]:  # fmt: skip
    """Grids from atoms by greedy joining (additive edge contraction: Keuper et al. 2015): the pair whose common border
    has the largest weighted surplus of "together", in metres, joins first; pairs without a surplus stay apart.

    Only what can be walked between joins. Afterwards a fragment that is not the most of any department's grid
    (ground that no department has is one) joins the neighbour that speaks least against it.
    """
    weight = np.array([layer.weight for layer in layers])
    surplus = (weight @ np.where(told, np.where(drawn, -1.0, 1.0), 0.0)) * graph.length_m
    border = _Borders(pieces, rows, graph, surplus)
    border.join_by_surplus()
    joined = border.join_fragments(graph, layers, pieces)
    label = border.leader()[pieces]
    return np.unique(label, return_inverse=True)[1].astype(np.int64), joined


class _Borders:
    """The common borders of groups of atoms while they are joined: [surplus, metres that can be walked across]."""

    def __init__(self, pieces: Ints, rows: Ints, graph: UnitGraph, surplus: Floats) -> None:
        n = int(pieces.max()) + 1 if len(pieces) else 0
        self.parent = np.arange(n)
        self.beside: list[dict[int, list[float]]] = [{} for _ in range(n)]
        a, b = pieces[rows], pieces[graph.indices]
        apart = a != b
        walk = np.where(graph.walkable, graph.length_m, 0.0)
        for i, j, s, w in zip(
            a[apart].tolist(), b[apart].tolist(), surplus[apart].tolist(), walk[apart].tolist(), strict=True
        ):
            known = self.beside[i].setdefault(j, [0.0, 0.0])
            known[0] += s
            known[1] += w

    def leader(self) -> Ints:
        """The group of every atom."""
        found = self.parent.copy()
        while (found != self.parent[found]).any():
            found = self.parent[found]
        return found.astype(np.int64)

    def join_by_surplus(self) -> None:
        """Joins pairs with a surplus, the largest first; equal ones in order of their atoms."""
        queue = [
            (-s, i, j) for i, near in enumerate(self.beside) for j, (s, w) in near.items() if i < j and s > 0 and w > 0
        ]  # fmt: skip
        heapq.heapify(queue)
        while queue:
            negative, i, j = heapq.heappop(queue)
            known = self.beside[i].get(j) if self.parent[i] == i and self.parent[j] == j else None
            if known is None or known[0] != -negative:
                continue
            for k in self.join(i, j):
                s, w = self.beside[i][k]
                if s > 0 and w > 0:
                    heapq.heappush(queue, (-s, min(i, k), max(i, k)))

    def join(self, i: int, j: int) -> list[int]:
        """Group j goes into group i; returns the neighbours whose border with i grew."""
        self.parent[j] = i
        changed = []
        self.beside[i].pop(j, None)
        for k, (s, w) in self.beside[j].items():
            if k == i:
                continue
            self.beside[k].pop(j)
            for a, b in ((i, k), (k, i)):
                known = self.beside[a].setdefault(b, [0.0, 0.0])
                known[0] += s
                known[1] += w
            changed.append(k)
        self.beside[j] = {}
        return changed

    def join_fragments(self, graph: UnitGraph, layers: Sequence[Layer], pieces: Ints) -> int:
        """Groups that are not the most of any department's grid join a neighbour, the smallest first."""
        joined = 0
        while True:
            group = self.leader()
            size = np.bincount(group[pieces], weights=graph.area_m2, minlength=len(group))
            standing = _standing(group[pieces], len(group), graph.area_m2, layers)
            loose = [
                g for g in np.unique(group).tolist()
                if not standing[g] and any(w > 0 for _, w in self.beside[g].values())
            ]  # fmt: skip
            if not loose:
                return joined
            for g in sorted(loose, key=lambda g: (size[g], g)):
                open_ = {k: v for k, v in self.beside[g].items() if v[1] > 0}
                if self.parent[g] != g or not open_:
                    continue
                best = max(open_, key=lambda k: (open_[k][0], size[k], -k))
                self.join(best, g)
                joined += 1


def _standing(group: Ints, n: int, area_m2: Floats, layers: Sequence[Layer]) -> NDArray[np.bool_]:
    """Which groups hold more than half of some department's grid."""
    found = np.zeros(n, bool)
    for layer in layers:
        held = np.flatnonzero(layer.label >= 0)
        if not len(held):
            continue
        whole = np.bincount(layer.label[held], weights=area_m2[held])
        pair, place = np.unique(layer.label[held] * n + group[held], return_inverse=True)
        shared = np.bincount(place, weights=area_m2[held])
        found[(pair % n)[shared > MAJORITY * whole[pair // n]]] = True
    return found
