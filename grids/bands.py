"""How much a grid of a plan may hold: read, checked, and offered as editable profiles in `data/rules/bands.toml`."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from geo.errors import RefusedArgument
from geo.settings import reference

THINNESS = "thinness"
OTHER = frozenset({"near_line_m"})  # what `plan.bands` keeps for others
WORDS = frozenset({"name_zh", "name_en", "source"})
MOST_COLUMNS = 20

Band = tuple[float | None, float | None]


@dataclass(frozen=True)
class Bands:
    """Column → (least, most) in the weight's own unit, None where open; and the least compactness (0–1)."""

    columns: Mapping[str, Band] = field(default_factory=dict)
    thinness: float | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Bands:
        """From what `plan.bands` or a profile holds. Raises RefusedArgument `bands`.

        >>> Bands.of({"households": [300, 500], "area": [None, 2e6], "thinness": 0.2}).columns["area"]
        (None, 2000000.0)
        """
        columns: dict[str, Band] = {}
        for name, value in stored.items():
            if name not in (THINNESS, *OTHER):
                columns[name] = _band(name, value)
        if len(columns) > MOST_COLUMNS:
            raise _wrong("bands", f"{len(columns)} > {MOST_COLUMNS}")
        return cls(columns, _thinness(stored.get(THINNESS)))

    def stored(self) -> dict[str, Any]:
        """As `plan.bands` keeps it."""
        found: dict[str, Any] = {name: list(band) for name, band in self.columns.items()}
        return found | ({THINNESS: self.thinness} if self.thinness is not None else {})


def parse(written: str) -> tuple[str, Any]:
    """`households=300:500`, `area=:2e6`, `thinness=0.15` as a name and what `Bands.of` takes.

    >>> parse("households=300:500"), parse("area=:2e6")
    (('households', [300.0, 500.0]), ('area', [None, 2000000.0]))
    """
    name, equals, value = (part.strip() for part in written.partition("="))
    try:
        if name == THINNESS and equals:
            return name, float(value)
        least, colon, most = (part.strip() for part in value.partition(":"))
        if not (name and equals and colon):
            raise ValueError(written)
        return name, [float(least) if least else None, float(most) if most else None]
    except ValueError as problem:
        raise _wrong(name or "bands", written) from problem


def profile(name: str) -> dict[str, Any]:
    """The bands of a profile of `data/rules/bands.toml`; RefusedArgument names those there are.

    >>> profile("urban")["households"]
    [300, 500]
    """
    known = profiles()
    if name not in known:
        raise RefusedArgument(
            f"没有区间配置“{name[:40]}”；现有：{'、'.join(known)}。",
            f"There is no profile of bands {name[:40]!r}; there are: {', '.join(known)}.",
            code="bands-profile", field="profile", known=list(known),
        )  # fmt: skip
    return {key: value for key, value in known[name].items() if key not in WORDS}


@lru_cache(maxsize=1)
def profiles() -> dict[str, dict[str, Any]]:
    """All profiles of the file, with their names and sources."""
    return dict(tomllib.loads(reference("rules/bands.toml").read_text(encoding="utf-8")))


def _band(name: str, value: Any) -> Band:
    given = list(value) if isinstance(value, list | tuple) else []
    ends = [None if end in (None, "") else end for end in given]
    if len(ends) != 2 or not all(end is None or _sound(end) for end in ends):
        raise _wrong(name, value)
    least, most = (None if end is None else float(end) for end in ends)
    if (least is None and most is None) or (least is not None and most is not None and least > most):
        raise _wrong(name, value)
    return least, most


def _thinness(value: Any) -> float | None:
    if value is None:
        return None
    if not _sound(value) or not 0 < value < 1:
        raise _wrong(THINNESS, value)
    return float(value)


def _sound(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )


def _wrong(name: str, value: Any) -> RefusedArgument:
    shown = str(value)[:60]
    return RefusedArgument(
        f"区间 {name[:40]} = {shown} 不可用。", f"The band {name[:40]} = {shown} is not possible.",
        code="bands", field=name[:40], measured=shown,
        do_zh="请写成 households=300:500、area=:2000000 或 thinness=0.15（0–1）。",
        do_en="Write households=300:500, area=:2000000 or thinness=0.15 (0 to 1).",
    )  # fmt: skip
