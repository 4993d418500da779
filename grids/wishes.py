"""What may be asked of a proposal, and how a refusal reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geo.errors import RefusedArgument
from grids import refusals
from grids.units import Floats

NESTING = ("strict", "soft", "free")
MOST_CHOICES = 5


def how_many(load: Floats, grids: int | None, per_grid: float | None, weight: str) -> int:
    """The number of grids wanted; RefusedArgument unless exactly one of the two is given and makes a number."""
    if (grids is None) == (per_grid is None):
        raise RefusedArgument(
            "请在 --grids 与 --per-grid 中给出一个。", "Give either --grids or --per-grid.", code="grids-or-per-grid",
            field="grids",
        )  # fmt: skip
    if grids is not None:
        wanted = float(grids)
    else:
        assert per_grid is not None
        wanted = float(np.round(load.sum() / per_grid)) if np.isfinite(per_grid) and per_grid > 0 else 0.0
        wanted = max(wanted, 1.0) if wanted == 0 and per_grid > 0 else wanted
    if not 1 <= wanted <= 1_000_000:
        shown = grids if grids is not None else per_grid
        raise RefusedArgument(
            f"网格数不可用：{shown}（{weight} 合计 {load.sum():g}）。",
            f"{shown} does not make a number of grids ({weight} total {load.sum():g}).",
            code="grids-number",
            field="grids" if grids is not None else "per-grid",
            measured=shown,
            do_zh="请给正数。",
            do_en="Give a positive number.",
        )
    return int(wanted)


def posts(given: float | Sequence[float] | None, k: int) -> Floats | None:
    """Posts of every grid: None when all are alike, one number for all, or one for each."""
    if given is None:
        return None
    each = np.full(k, given) if isinstance(given, int | float) else np.asarray(given, np.float64)
    if len(each) != k or not (np.isfinite(each) & (each > 0)).all():
        raise RefusedArgument(
            f"岗位数要 {k} 个正数，给了 {len(each)} 个。", f"{k} positive numbers of posts are needed; {len(each)} were given.",
            code="posts", field="posts", measured=len(each), allowed=k,
            do_zh="每个网格一行。", do_en="One line per grid.",
        )  # fmt: skip
    return each


def check(nest: str, tolerance: float, choices: int) -> None:
    """Refuses what no search can be asked for."""
    if nest not in NESTING:
        raise RefusedArgument(
            f"未知嵌套方式 {nest}。", f"Unknown nesting {nest!r}.", code="nesting", field="nest",
            do_zh="请用 strict、soft 或 free。", do_en="Use strict, soft or free.",
        )  # fmt: skip
    refusals.check_tolerance(tolerance)
    if not 1 <= choices <= MOST_CHOICES:
        raise RefusedArgument(
            f"方案数 {choices} 不可用。", f"{choices} choices are not possible.", code="choices", field="choices",
            measured=choices, allowed=[1, MOST_CHOICES], do_zh="请用 1 到 5。", do_en="Use 1 to 5.",
        )  # fmt: skip
