"""Norms that plans are judged against: editable reference data in `data/rules/`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache

from geo.settings import reference
from grids import bands


@dataclass(frozen=True)
class Rules:
    """The household band of a grid, posts per 10 000 residents, which columns count residents, the usual error of a position."""

    households_least: float
    households_most: float
    workers_per_10000: float
    residents_columns: tuple[str, ...]
    persons_per_household: float
    near_m: float


@lru_cache(maxsize=1)
def rules() -> Rules:
    """The norms shipped with Wangge or edited by the operator.

    >>> rules().workers_per_10000 > 0
    True
    """
    told = tomllib.loads(reference("rules/grids.toml").read_text(encoding="utf-8"))
    least, most = bands.profile("urban")["households"]
    return Rules(
        households_least=float(least),
        households_most=float(most),
        workers_per_10000=float(told["staffing"]["workers_per_10000_residents"]),
        residents_columns=tuple(told["residents"]["columns"]),
        persons_per_household=float(told["residents"]["persons_per_household"]),
        near_m=float(told["near_line"]["near_m"]),
    )
