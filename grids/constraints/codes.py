"""Rules about codes: each stands once, begins with its area's code, and is none that was retired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from geo.codes import parse
from grids.constraints.violation import Beside, Violation
from grids.partition import Partition


def twice(codes: Sequence[str]) -> list[Violation]:
    """Codes that several grids have."""
    return [
        Violation(
            "code-twice", code, n, 1,
            f"编码 {code} 用了 {n} 次。", f"Code {code} is used {n} times.",
            "请改其中一个。", "Change one of them.",
        )
        for code, n in sorted(Counter(codes).items())
        if n > 1
    ]  # fmt: skip


def prefix(partition: Partition, codes: Sequence[str], template: str) -> list[Violation]:
    """Codes whose first part is not the code of the area with most of the grid."""
    found = []
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


def retired(codes: Sequence[str], beside: Beside) -> list[Violation]:
    """Codes that an earlier approved plan used and the one before this no more."""
    return [
        Violation(
            "code-retired", code, code, None,
            f"编码 {code} 曾用于已停用的网格，不能再用。",
            f"Code {code} belonged to a grid that is no more; it cannot be used again.",
            "请换一个新编码。", "Give the grid a new code.",
        )
        for code in sorted(set(codes) & beside.retired)
    ]  # fmt: skip
