"""Comparing shapes of strangers, inside the child process only.

Valid polygons can still be hostile: two zigzags of 2 000 vertices cross four million times, and their intersection takes
half a minute (measured). So overlaps, gaps, unions and outlines of what was just read are worked out under the child's
limits. Each function takes arrays of geometry and plain arguments and returns what JSON can carry, or geometry.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo import crs_evidence, dividing, geometry

Geoms = NDArray[np.object_]


def siblings(projected: Geoms, with_gaps: bool) -> dict[str, Any]:
    """Overlaps and (when asked) gaps among areas, as `geo.geometry` measures them."""
    found = {"overlaps": [dataclasses.asdict(o) for o in geometry.overlaps(projected)]}
    return found | {"gaps": [dataclasses.asdict(g) for g in geometry.gaps(projected)] if with_gaps else []}


def largest_overlap(children: Geoms, parents: Geoms) -> dict[str, Any]:
    """The parent that holds most of each child, and the share it holds."""
    best, share = geometry.largest_overlap(children, parents)
    return {"best": best.tolist(), "share": share.tolist()}


def outline(geoms: Geoms, reference: Geoms, declared: str) -> dict[str, Any]:
    """How well the outline of areas (as they were in `declared`) fits that of others, in each datum."""
    from geo import crs

    original = crs.project(np.array([geometry.union(geoms)], dtype=object), declared)[0]
    return dict(crs_evidence.outline_evidence(original, geometry.union(reference)))


def unions(geoms: Geoms, groups: list[list[int]]) -> Geoms:
    """The union of each group of positions."""
    out = np.empty(len(groups), dtype=object)
    for i, group in enumerate(groups):
        out[i] = geometry.union(geoms[group])
    return out


FUNCTIONS = {
    "siblings": siblings,
    "largest_overlap": largest_overlap,
    "outline": outline,
    "unions": unions,
    "by_line": dividing.by_line,
    "by_areas": dividing.by_areas,
}
