"""Rules about what a grid holds: bands of any weight, thinness, and that a locked grid keeps its ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grids.constraints.violation import MOST_NAMED, Beside, Violation, named
from grids.measures import polsby_popper
from grids.partition import Partition

UNITS_ZH = {"households": "户", "area": "m²", "workload": "分钟", "cases": "件", "people": "人"}
UNITS_EN = {"households": "households", "area": "m²", "workload": "minutes", "cases": "cases"}
ROUNDING = 1e-9  # shares of a weight are apportioned: a sum may miss its band by a rounding


def bands(partition: Partition, codes: Sequence[str], beside: Beside) -> list[Violation]:
    """Grids that hold less or more of a weight than the plan's bands allow."""
    found = []
    for column, (least, most) in beside.bands.columns.items():
        if column not in beside.weights:
            continue
        loads = partition.loads(beside.weights[column])
        low = loads < least * (1 - ROUNDING) if least is not None else np.zeros(len(loads), bool)
        high = loads > most * (1 + ROUNDING) if most is not None else np.zeros(len(loads), bool)
        for g in np.flatnonzero((low | high) & (partition.unit_counts > 0)).tolist():
            found.append(_outside(codes[g], column, float(loads[g]), least, most, bool(low[g])))
    return found


def _outside(
    grid: str, column: str, load: float, least: float | None, most: float | None, low: bool
) -> Violation:
    unit_zh, unit_en = UNITS_ZH.get(column, column), UNITS_EN.get(column, column)
    allowed = [least, most]
    written = f"{'' if least is None else f'{least:,g}'}–{'' if most is None else f'{most:,g}'}"
    return Violation(
        "band", grid, load, allowed,
        f"网格 {grid} 有 {load:,.0f} {unit_zh}，应为 {written}。",
        f"Grid {grid} holds {load:,.0f} {unit_en}; the plan asks for {written}.",
        "请与相邻网格合并，或从中取得单元。" if low else "请拆分它，或把单元让给相邻网格。",
        "Merge it with a neighbour or give it units." if low else "Split it or give units to a neighbour.",
        column=column,
    )  # fmt: skip


def thin(partition: Partition, codes: Sequence[str], beside: Beside) -> list[Violation]:
    """Grids less compact (Polsby–Popper, 1 for a circle) than the plan asks for."""
    least = beside.bands.thinness
    if least is None:
        return []
    compact = polsby_popper(partition)
    return [
        Violation(
            "thin", codes[g], round(float(compact[g]), 4), least,
            f"网格 {codes[g]} 过于狭长：紧凑度 {compact[g]:.3f}，应不低于 {least:g}。",
            f"Grid {codes[g]} is too thin: compactness {compact[g]:.3f}, at least {least:g} is asked for.",
            "请与相邻网格交换单元，使其更圆整。", "Exchange units with its neighbours to make it rounder.",
        )
        for g in np.flatnonzero((compact < least) & (partition.unit_counts > 0)).tolist()
    ]  # fmt: skip


def locked(partition: Partition, codes: Sequence[str], beside: Beside) -> list[Violation]:
    """Grids that are locked in the plan this one is based on, and hold other ground here."""
    lost: dict[str, list[int]] = {}
    gained: dict[str, list[int]] = {}
    locked_codes = set(beside.base.values())
    number = {code: g for g, code in enumerate(codes) if code in locked_codes}
    for unit, code in beside.base.items():
        if partition.grid[unit] != number.get(code, -2):
            lost.setdefault(code, []).append(unit)
    for code, g in number.items():
        for unit in np.flatnonzero(partition.grid == g).tolist():
            if beside.base.get(unit) != code:
                gained.setdefault(code, []).append(unit)
    return [
        _changed(partition, code, lost.get(code, []), gained.get(code, []))
        for code in sorted({*lost, *gained})
    ]


def _changed(partition: Partition, code: str, lost: list[int], gained: list[int]) -> Violation:
    units = [partition.graph.codes[u] for u in sorted({*lost, *gained})]
    return Violation(
        "locked", code, len(units), 0,
        f"网格 {code} 在原方案中已锁定，这里有 {len(units)} 个单元不同：{named(units, zh=True)}。",
        f"Grid {code} is locked in the plan before; {len(units)} units differ here: {named(units)}.",
        "请恢复原状，或记录例外及理由。", "Give it back its ground, or record an exception with a reason.",
        units=tuple(units[:MOST_NAMED]), area_m2=float(partition.graph.area_m2[sorted({*lost, *gained})].sum()),
    )  # fmt: skip
