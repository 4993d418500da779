"""Why something cannot be had: a grid, what was measured, what was wanted, and what would help."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grids.problem import Problem
from grids.units import Floats, Ints


@dataclass(frozen=True)
class Stuck:
    """Grid (by number, −1: several), a stable word for the reason, its deviation and the one allowed, both as shares."""

    code: str  # heavy-units, closed, district, tangled
    grid: int
    measured: float
    allowed: float
    zh: str
    en: str
    do_zh: str
    do_en: str


def outside(problem: Problem, grid: Ints, fair: Floats, closed: Ints) -> list[Stuck]:
    """One explanation for every grid outside the tolerance, worst first.

    `fair` is the load each grid can have on its own piece of ground, `closed` the grids with locked units only.
    """
    target = np.maximum(problem.targets, 1e-12)
    loads = np.bincount(grid[grid >= 0], weights=problem.weight[grid >= 0], minlength=problem.k)
    off = loads / target - 1
    counts = np.bincount(grid[grid >= 0], minlength=problem.k)
    bad = np.flatnonzero((np.abs(off) > problem.tolerance + 1e-9) & (counts > 0))
    return [
        _one(problem, grid, g, float(off[g]), float(fair[g] / target[g]), g in closed)
        for g in bad[np.argsort(-np.abs(off[bad]), kind="stable")].tolist()
    ]


def _one(problem: Problem, grid: Ints, g: int, off: float, fair: float, closed: bool) -> Stuck:
    units = np.flatnonzero(grid == g)
    target = float(max(problem.targets[g], 1e-12))
    shares = np.sort(problem.weight[units] / target)[::-1]
    listed = [f"{share:.2f}" for share in shares[:3].tolist()]
    measured, allowed = off, problem.tolerance
    at_zh = f"与应有负担相差 {off:+.1%}（容差 {allowed:.0%}）"
    at_en = f"is {off:+.1%} from its fair load (tolerance {allowed:.0%})"
    if closed:
        return Stuck(
            "closed", g, measured, allowed,
            f"{at_zh}：其单元全部锁定。", f"{at_en}: all of its units are locked.",
            "请解锁其中一些单元。", "Unlock some of its units.",
        )  # fmt: skip
    if shares[0] > 1 + allowed:
        return Stuck(
            "heavy-units", g, measured, allowed,
            f"{at_zh}：其中一个单元就有应有负担的 {shares[0]:.2f} 倍。",
            f"{at_en}: one unit alone weighs {shares[0]:.2f} of it.",
            "请切分该单元，或给该网格更多岗位。", "Cut that unit, or give the grid more posts.",
        )  # fmt: skip
    if abs(fair - 1) > allowed:
        return Stuck(
            "district", g, measured, allowed,
            f"{at_zh}：它所在的一片地上，平均每个网格就有应有负担的 {fair:.2f} 倍，边界不通外面。",
            f"{at_en}: on its piece of ground every grid has {fair:.2f} of a fair load, and no open border leads out.",
            "请在该片增减网格，放宽嵌套，或开放屏障。",
            "Add or take away a grid there, loosen the nesting, or open a barrier.",
        )  # fmt: skip
    return Stuck(
        "tangled", g, measured, allowed,
        f"{at_zh}：其最重的单元占 {'、'.join(listed)}，与相邻网格换不出合适的组合。",
        f"{at_en}: its heaviest units weigh {', '.join(listed)} of it, and no exchange with its neighbours fits.",
        "请切分重的单元，放宽容差，或允许移动更多。",
        "Cut the heavy units, widen the tolerance, or let more change hands.",
    )  # fmt: skip
