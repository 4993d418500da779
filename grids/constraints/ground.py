"""Rules about ground: no unit open, no grid empty, every grid in one piece and in one area."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grids.constraints.violation import MOST_NAMED, Violation, named
from grids.partition import Partition


def open_units(partition: Partition) -> list[Violation]:
    """Units that belong to no grid: a gap, with its area."""
    units = np.flatnonzero(partition.grid < 0)
    if not len(units):
        return []
    missing = [partition.graph.codes[u] for u in units.tolist()]
    area_m2 = float(partition.graph.area_m2[units].sum())
    return [
        Violation(
            "incomplete", None, len(missing), 0,
            f"{len(missing)} 个单元（{area_m2:,.0f} m²）不属于任何网格：{named(missing, zh=True)}。",
            f"{len(missing)} units (area {area_m2:,.0f} m²) belong to no grid: {named(missing)}.",
            "请把它们分给相邻网格。", "Give them to a neighbouring grid.",
            units=tuple(missing[:MOST_NAMED]), area_m2=area_m2,
        )
    ]  # fmt: skip


def empty_grids(partition: Partition, codes: Sequence[str]) -> list[Violation]:
    """Grids without a unit."""
    return [
        Violation(
            "empty", codes[g], 0, "≥ 1",
            f"网格 {codes[g]} 没有单元。", f"Grid {codes[g]} has no unit.",
            "请给它单元或删除它。", "Give it a unit or remove it.",
        )
        for g in (partition.unit_counts == 0).nonzero()[0].tolist()
    ]  # fmt: skip


def apart(partition: Partition, codes: Sequence[str]) -> list[Violation]:
    """Grids in pieces between which nobody can walk."""
    parts = partition.parts()
    return [
        Violation(
            "not-contiguous", codes[g], int(parts[g]), 1,
            f"网格 {codes[g]} 分成步行不相通的 {parts[g]} 块。",
            f"Grid {codes[g]} falls into {parts[g]} pieces that cannot be walked between.",
            "请把较小的一块分给它相邻的网格。", "Give the smaller piece to the grid beside it.",
        )
        for g in (parts > 1).nonzero()[0].tolist()
    ]  # fmt: skip


def several_parts(partition: Partition, codes: Sequence[str]) -> list[Violation]:
    """Grids of several lands (islands): told, for their polygon has several parts."""
    assigned = np.flatnonzero(partition.grid >= 0)
    land = partition.graph.components(walking=False)[assigned]
    pairs = np.unique(np.stack([partition.grid[assigned], land]), axis=1)
    lands = np.bincount(pairs[0], minlength=partition.k)
    return [
        Violation(
            "several-parts", codes[g], int(lands[g]), 1,
            f"网格 {codes[g]} 由互不接壤的 {lands[g]} 块组成（如岛屿）。",
            f"Grid {codes[g]} consists of {lands[g]} lands that do not touch (islands).",
            "如属实可不理会。", "Nothing to do when that is how the ground lies.",
        )
        for g in (lands > 1).nonzero()[0].tolist()
    ]  # fmt: skip


def crossing(partition: Partition, codes: Sequence[str]) -> list[Violation]:
    """Grids in more than one area of the nesting level."""
    names = partition.graph.area_codes
    return [
        Violation(
            "not-nested", codes[g], len(areas), 1,
            f"网格 {codes[g]} 跨 {len(areas)} 个区域：{named([names[a] for a in areas], zh=True)}。",
            f"Grid {codes[g]} crosses {len(areas)} areas: {named([names[a] for a in areas])}.",
            "请按区域拆分，或用 soft、free 方式。", "Split it along the areas, or use nesting soft or free.",
        )
        for g, areas in enumerate(partition.areas_of())
        if len(areas) > 1
    ]  # fmt: skip
