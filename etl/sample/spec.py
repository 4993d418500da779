"""How large the synthetic city is, when its cases end, and where its randomness comes from."""

from __future__ import annotations

import datetime as dt
import math
import zlib
from dataclasses import dataclass, replace

import numpy as np

from geo.errors import RefusedArgument

# 云川市 stands on no real city: a hilly spot well inside China, so that GCJ-02 shifts it as it shifts real ones.
CENTRE_LON, CENTRE_LAT = 110.47, 33.62
PLANAR_CRS = (
    "EPSG:4546"  # CGCS2000 / 3-degree Gauss-Krüger, central meridian 111°E, easting without zone number
)
TIMEZONE = "Asia/Shanghai"
LAST_DAY = dt.date(2026, 10, 31)
DAYS = 730

FULL_COMMUNITIES = 240
FULL_RADIUS_M = 6_450.0


@dataclass(frozen=True)
class SampleSpec:
    """The parameters of one synthetic city; the same value always gives the same files, byte for byte.

    `communities` sets the size of the ground and of everything on it (240: about 600 000 people on 130 km²); `cases`
    how many cases there are over `days` up to and with `last_day`; `dirt` the share of damaged rows (0 for none).

    >>> SampleSpec().streets, SampleSpec().people, SampleSpec(communities=24).streets
    (22, 600000, 4)
    """

    seed: int = 20261031
    cases: int = 200_000
    communities: int = FULL_COMMUNITIES
    last_day: dt.date = LAST_DAY
    days: int = DAYS
    dirt: float = 0.003
    workbook_rows: int = 60_000

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("seed", self.seed, 0, 2**32 - 1),
            ("cases", self.cases, 0, 200_000_000),
            ("communities", self.communities, 6, 1_000),
            ("days", self.days, 14, 3_660),
        ):
            if not low <= value <= high:
                raise RefusedArgument(
                    f"{name}={value} 不在允许范围 {low}–{high} 内。",
                    f"{name}={value} is outside {low} to {high}.",
                    field=name,
                )

    @property
    def scale(self) -> float:
        """Length of this city against the full one."""
        return math.sqrt(self.communities / FULL_COMMUNITIES)

    @property
    def radius_m(self) -> float:
        """Mean distance from the centre to the city limit."""
        return FULL_RADIUS_M * self.scale

    @property
    def people(self) -> int:
        """Residents: a number, never a list."""
        return 2_500 * self.communities

    @property
    def districts(self) -> int:
        """4 in the full city, 2 at least."""
        return max(2, min(6, round(self.communities / 60)))

    @property
    def streets(self) -> int:
        """22 in the full city."""
        return max(self.districts + 1, round(self.communities * 22 / 240), 4)

    @property
    def first_day(self) -> dt.date:
        """The day of the first case."""
        return self.last_day - dt.timedelta(days=self.days - 1)

    def rng(self, name: str) -> np.random.Generator:
        """A generator of its own for each part, so that one part may change without moving the others."""
        return np.random.default_rng([self.seed, self.communities, zlib.crc32(name.encode())])

    def with_cases(self, cases: int) -> SampleSpec:
        """The same city with another number of cases."""
        return replace(self, cases=cases)
