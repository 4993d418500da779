"""Two plans judged on the same weeks: figures of each, and how sure their difference is.

Weeks are drawn again with replacement, the same ones for both plans (paired bootstrap: Efron 1979; blocks keep what
happens together: Künsch 1989). What cases have in common, a storm or a campaign, falls on both plans alike and
cancels in the difference; what is left is what the lines make.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grids.units import Floats

REPLICATES = 1000
LEAST_WEEKS = 8  # below this weeks say too little about other weeks
CONFIDENCE = 0.95
LOWER_IS_BETTER = ("largest_deviation", "mean_deviation", "gini", "overdue_spread", "near_line_share")


@dataclass(frozen=True, eq=False)
class Weekly:
    """A period under one plan, week by week: `load`, `decided`, `late` per week and grid (W × k); `near`, `placed` per week.

    decided: cases of which it is known whether they met their due time; late: those that did not. `posts` per grid;
    `fair_share`: the share of the whole load that is fair for each grid (`grids.fair`, by the whole period).
    """

    load: Floats
    decided: Floats
    late: Floats
    near: Floats
    placed: Floats
    posts: Floats
    fair_share: Floats


@dataclass(frozen=True)
class Paired:
    """One figure under both plans; difference = b − a with its 95 % interval, and the share of replicates in which b
    is better. The interval is None where there are fewer than eight weeks or the figure is unknown."""

    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    b_better_share: float | None


def compare(
    a: Weekly, b: Weekly, rng: np.random.Generator, replicates: int = REPLICATES
) -> dict[str, Paired]:
    """Every figure of LOWER_IS_BETTER under both plans. Both must hold the same weeks."""
    weeks = len(a.placed)
    whole = np.ones((1, weeks))
    seen_a, seen_b = figures(a, whole), figures(b, whole)
    drawn_a, drawn_b = {}, {}
    if weeks >= LEAST_WEEKS:
        times = rng.multinomial(weeks, np.full(weeks, 1 / weeks), size=replicates).astype(np.float64)
        drawn_a, drawn_b = figures(a, times), figures(b, times)
    return {
        key: _paired(float(seen_a[key][0]), float(seen_b[key][0]), drawn_a.get(key), drawn_b.get(key))
        for key in LOWER_IS_BETTER
    }


def figures(week: Weekly, times: Floats) -> dict[str, Floats]:
    """The figures when week w counts `times[r, w]` times, one row for each r; nan where one is unknown."""
    load = times @ week.load
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(load / (load.sum(axis=1, keepdims=True) * week.fair_share) - 1.0)
        near = (times @ week.near) / (times @ week.placed)
    return {
        "largest_deviation": off.max(axis=1, initial=-np.inf)
        if off.shape[1]
        else np.full(len(times), np.nan),
        "mean_deviation": off.mean(axis=1) if off.shape[1] else np.full(len(times), np.nan),
        "gini": _gini(load / week.posts),
        "overdue_spread": _spread(times @ week.decided, times @ week.late),
        "near_line_share": near,
    }


def _gini(loads: Floats) -> Floats:
    """The Gini coefficient of every row (see `measures.balance.gini`)."""
    k = loads.shape[1]
    ordered = np.sort(loads, axis=1)
    total = ordered.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * (ordered @ np.arange(1, k + 1)) / (k * total) - (k + 1) / k, dtype=np.float64)


def _spread(decided: Floats, late: Floats) -> Floats:
    """Standard deviation of the grids' late shares round the common one, each grid weighing its decided cases."""
    n = decided.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(decided > 0, late / decided, 0.0)
        common = late.sum(axis=1) / n
        found = np.sqrt((decided * (share - common[:, None]) ** 2).sum(axis=1) / n)
    return np.asarray(found, dtype=np.float64)


def _paired(a: float, b: float, drawn_a: Floats | None, drawn_b: Floats | None) -> Paired:
    known = np.isfinite(a) and np.isfinite(b)
    first, second = (a if np.isfinite(a) else None), (b if np.isfinite(b) else None)
    if not known or drawn_a is None or drawn_b is None:
        return Paired(first, second, b - a if known else None, None, None, None)
    differences = (drawn_b - drawn_a)[np.isfinite(drawn_b - drawn_a)]
    if not len(differences):
        return Paired(first, second, b - a, None, None, None)
    # sums of fewer cases are rougher, so replicates deviate a little more than what was seen, under both plans: what
    # counts is how far they scatter, round the difference that was seen
    differences += b - a - differences.mean()
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return Paired(first, second, b - a, float(low), float(high), float((differences < 0).mean()))
