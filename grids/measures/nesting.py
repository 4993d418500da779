"""How plans and administrative areas fit: grids that lie in several, areas that share a grid with another."""

from __future__ import annotations

from grids.partition import Partition


def crossing(partition: Partition) -> int:
    """How many grids lie in more than one area of the nesting level."""
    return sum(len(areas) > 1 for areas in partition.areas_of())


def broken(partition: Partition) -> int:
    """How many areas have a grid that also lies in another area."""
    return len({area for areas in partition.areas_of() if len(areas) > 1 for area in areas})
