"""A stored plan among random valid plans of the same city."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from geo.progress import Progress, silent
from grids import ensemble, refusals, stored, units, weights
from grids.ensemble import Ensemble, Rank
from grids.problem import Problem

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Measured:
    """One measure: where the plan stands, what the sampled plans have, and whether the walks agree on it.

    `quantiles` are of the sampled plans at 5, 25, 50, 75 and 95 %.
    """

    rank: Rank
    quantiles: list[float]
    rhat: float | None
    ess: float | None


@dataclass(frozen=True)
class Ranked:
    """A plan ranked among `plans` sampled ones; `mixed` is true when the walks agree on every measure."""

    plan_id: int
    name: str
    weight: str
    tolerance: float
    plans: int
    chains: int
    steps: int
    changed_share: float
    mixed: bool
    measures: list[Measured]


def ranked(
    session: Session, plan: int | str, *, weight: str = "cases", tolerance: float = 0.10, plans: int = 1000,
    chains: int = 4, seed: int = 0, progress: Progress = silent, cancel: Callable[[], bool] = lambda: False,
) -> Ranked:  # fmt: skip
    """Where a plan stands among random plans with as many grids, its nesting, its locks, within `tolerance`.

    Raises NotFound, RefusedArgument `weight-unknown`, `tolerance`, `incomplete`, `plans`, `chains`; Cancelled.
    """
    refusals.check_tolerance(tolerance, zero=False)
    row = stored.find(session, plan)
    graph = units.read(session, stored.city_today(session))
    held = stored.read(session, row, graph)
    locked = np.append(held.locked, False)[held.partition.grid] if held.locked.any() else None
    problem = Problem(
        graph, weights.read(session, graph, weight), held.partition.k, tolerance, row.nesting,  # type: ignore[arg-type]
        held.posts if (held.posts != 1).any() else None, held.partition.grid, locked, seed,
    ).counted()  # fmt: skip
    ensemble.measures_of(problem, held.partition)  # an incomplete plan is refused before anything takes long
    found = ensemble.sample(problem, plans=plans, chains=chains, progress=progress, cancel=cancel)
    ranks = ensemble.rank(found, held.partition)
    return Ranked(
        row.id, row.name, weight, tolerance, found.plans, chains, found.steps, found.changed_share,
        all(found.mixed.values()), [_measured(found, one) for one in ranks],
    )  # fmt: skip


def _measured(found: Ensemble, rank: Rank) -> Measured:
    draws = found.measures[rank.measure].ravel()
    rhat, ess = found.rhat[rank.measure], found.ess[rank.measure]
    return Measured(
        rank,
        [float(q) for q in np.quantile(draws, QUANTILES)],
        rhat if np.isfinite(rhat) else None,
        ess if np.isfinite(ess) else None,
    )
