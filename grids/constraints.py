"""What a plan must keep before it may be approved: complete, contiguous, nested, properly coded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geo.codes import parse
from grids.partition import Partition

MOST_NAMED = 8


@dataclass(frozen=True)
class Violation:
    """One broken rule: where (a grid's code, or None for the plan), what was measured, what is allowed, what to do."""

    code: str
    grid: str | None
    measured: Any
    allowed: Any
    zh: str
    en: str
    do_zh: str
    do_en: str


def violations(
    partition: Partition, grid_codes: Sequence[str], nesting: str, template: str
) -> list[Violation]:
    """Every broken rule of a plan; empty means it may be approved. `nesting`: strict, soft or free."""
    return [
        *_open_units(partition),
        *_empty_grids(partition, grid_codes),
        *_apart(partition, grid_codes),
        *(_crossing(partition, grid_codes) if nesting == "strict" else []),
        *_codes(partition, grid_codes, template),
    ]


def _open_units(partition: Partition) -> list[Violation]:
    missing = [partition.graph.codes[u] for u in (partition.grid < 0).nonzero()[0]]
    if not missing:
        return []
    named = ", ".join(missing[:MOST_NAMED]) + (" …" if len(missing) > MOST_NAMED else "")
    return [
        Violation(
            "incomplete", None, len(missing), 0,
            f"{len(missing)} 个单元不属于任何网格：{named}。",
            f"{len(missing)} units belong to no grid: {named}.",
            "请把它们分给相邻网格。", "Give them to a neighbouring grid.",
        )
    ]  # fmt: skip


def _empty_grids(partition: Partition, codes: Sequence[str]) -> list[Violation]:
    return [
        Violation(
            "empty", codes[g], 0, "≥ 1",
            f"网格 {codes[g]} 没有单元。", f"Grid {codes[g]} has no unit.",
            "请给它单元或删除它。", "Give it a unit or remove it.",
        )
        for g in (partition.unit_counts == 0).nonzero()[0].tolist()
    ]  # fmt: skip


def _apart(partition: Partition, codes: Sequence[str]) -> list[Violation]:
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


def _crossing(partition: Partition, codes: Sequence[str]) -> list[Violation]:
    names = partition.graph.area_codes
    return [
        Violation(
            "not-nested", codes[g], len(areas), 1,
            f"网格 {codes[g]} 跨 {len(areas)} 个区域：{'、'.join(names[a] for a in areas[:MOST_NAMED])}。",
            f"Grid {codes[g]} crosses {len(areas)} areas: {', '.join(names[a] for a in areas[:MOST_NAMED])}.",
            "请按区域拆分，或用 soft、free 方式。", "Split it along the areas, or use nesting soft or free.",
        )
        for g, areas in enumerate(partition.areas_of())
        if len(areas) > 1
    ]  # fmt: skip


def _codes(partition: Partition, codes: Sequence[str], template: str) -> list[Violation]:
    found = [
        Violation(
            "code-twice", code, n, 1,
            f"编码 {code} 用了 {n} 次。", f"Code {code} is used {n} times.",
            "请改其中一个。", "Change one of them.",
        )
        for code, n in sorted(Counter(codes).items())
        if n > 1
    ]  # fmt: skip
    for g, areas in enumerate(partition.areas_of()):
        known = parse(codes[g], template)
        wanted = partition.graph.area_codes[areas[0]] if areas else None
        if wanted is not None and known is not None and known.area != wanted:
            found.append(
                Violation(
                    "code-prefix", codes[g], known.area, wanted,
                    f"网格 {codes[g]} 的编码应以 {wanted} 开头。",
                    f"The code of grid {codes[g]} must begin with {wanted}.",
                    "请重新编码。", "Give it a code of that area.",
                )
            )  # fmt: skip
    return found
