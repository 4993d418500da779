"""What a choice of plan puts first: the prices along the trade-off of balance, shape and nesting."""

from __future__ import annotations

from dataclasses import dataclass, replace

from grids.kernels.energy import Rates
from grids.problem import Nesting


@dataclass(frozen=True)
class Taste:
    """What a choice puts first."""

    nesting: Nesting
    zh: str  # the aim; what came of it is said by its figures
    en: str
    band: float = 0.84  # the band searched for, of the tolerance, so that the last polish has room
    shape: float = 3.0
    pull: float = 0.5
    border: float = 0.0  # per mean outline
    crossing: float = 0.0

    def rates(self, tolerance: float, outline_m: float) -> Rates:
        """The prices of a search within `tolerance` where a grid's outline is `outline_m` on average."""
        return Rates(
            band=self.band * tolerance, pull=self.pull, shape=self.shape, crossing=self.crossing,
            border=self.border / outline_m,
        )  # fmt: skip


def tastes(nesting: Nesting) -> list[Taste]:
    """The choices of a nesting mode, the usual one first; later ones never cross more than the mode allows."""
    even = Taste(nesting, "均衡与紧凑兼顾", "even and compact")
    return {
        "strict": [
            replace(even, shape=5.0),
            replace(even, zh="紧凑优先", en="compact first", shape=8.0, pull=0.2),
            replace(even, zh="均衡优先", en="even first", band=0.1, shape=1.0, pull=4.0),
        ],
        "soft": [
            replace(even, crossing=1.0),
            replace(even, zh="少跨社区优先", en="few crossings first", crossing=3.0),
            replace(even, zh="不避跨社区", en="crossings allowed", crossing=0.3, band=0.3),
            replace(even, zh="紧凑优先", en="compact first", crossing=1.0, shape=8.0),
            replace(even, zh="严格嵌套", en="strictly nested", nesting="strict"),
        ],
        "free": [
            replace(even, shape=5.0),
            replace(even, zh="紧凑优先", en="compact first", shape=8.0, pull=0.2),
            replace(even, zh="均衡优先", en="even first", band=0.1, pull=4.0),
            replace(even, zh="短边界优先", en="short borders first", border=6.0, shape=1.0),
            replace(even, zh="少跨社区优先", en="few crossings first", nesting="soft", crossing=0.5),
        ],
    }[nesting]
