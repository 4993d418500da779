"""Grid codes of a plan: a grid that stays mostly where it was keeps its code, others get one never used before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from geo.codes import free_sequences, generate, parse, reading_order
from grids.partition import Partition
from grids.units import Floats

NO_AREA = "0"
KEEPS_SHARE = 0.5  # a grid keeps a code when it shares more than half of the old and of the new grid's ground


@dataclass(frozen=True)
class Named:
    """A grid's code, its sequence number and the index of the area that holds most of it (−1: none)."""

    code: str
    sequence: int
    area: int


def assign(
    partition: Partition,
    template: str,
    used: Mapping[str, set[int]] | None = None,
    former: Mapping[int, str] | None = None,
) -> list[Named]:
    """Codes for all grids: per area, in reading order, skipping `used` sequence numbers of approved plans.

    `former` maps a grid to the code it keeps (see `kept`); one that no template knows (of an imported plan) is kept as
    it is. Areas without a code share the prefix `0`.
    """
    areas = [found[0] if found else -1 for found in partition.areas_of()]
    x, y = _middles(partition)
    foreign = {g: code for g, code in (former or {}).items() if parse(code, template) is None}
    named = {g: Named(code, 0, areas[g]) for g, code in foreign.items()}
    members_of: dict[int, list[int]] = {area: [] for area in sorted(set(areas))}
    for g, area in enumerate(areas):
        if g not in foreign:
            members_of[area].append(g)
    for area, found in members_of.items():
        members = np.array(found, np.int64)
        area_code = partition.graph.area_codes[area] if area >= 0 else NO_AREA
        keeping = {g: c for g in members.tolist() if (c := _own(former, g, area_code, template)) is not None}
        fresh = [g for g in members[reading_order(x[members], y[members])].tolist() if g not in keeping]
        taken = set((used or {}).get(area_code, set())) | set(keeping.values())
        numbers = free_sequences(len(fresh), taken)
        largest = max([*taken, *numbers, 0])
        for g, number in [*zip(fresh, numbers, strict=True), *keeping.items()]:
            code = (
                (former or {}).get(g)
                if g in keeping
                else generate(area_code, number, template, largest=largest)
            )
            named[g] = Named(str(code), number, area)
    return [named[g] for g in range(partition.k)]


def kept(partition: Partition, before: Partition, codes: Sequence[str]) -> dict[int, str]:
    """The codes that grids of `partition` keep from the plan `before` on the same units."""
    both = np.flatnonzero((partition.grid >= 0) & (before.grid >= 0))
    pair, place = np.unique(partition.grid[both] * before.k + before.grid[both], return_inverse=True)
    shared = np.bincount(place, weights=partition.graph.area_m2[both], minlength=len(pair))
    new, old = pair // max(before.k, 1), pair % max(before.k, 1)
    most = (shared > KEEPS_SHARE * partition.area_m2[new]) & (shared > KEEPS_SHARE * before.area_m2[old])
    return {int(n): codes[int(o)] for n, o in zip(new[most], old[most], strict=True)}


def _own(former: Mapping[int, str] | None, g: int, area_code: str, template: str) -> int | None:
    """The sequence number of a kept code, when it still belongs to the grid's area."""
    code = (former or {}).get(g)
    known = parse(code, template) if code is not None else None
    return known.sequence if known is not None and known.area == area_code else None


def _middles(partition: Partition) -> tuple[Floats, Floats]:
    """Area-weighted middles of the grids in metres."""
    graph = partition.graph
    size = np.maximum(partition.area_m2, 1e-9)
    return partition.loads(graph.x * graph.area_m2) / size, partition.loads(graph.y * graph.area_m2) / size
