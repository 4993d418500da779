"""A broken rule as a value, and what rules look at beside the ground itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grids.bands import Bands
from grids.units import Floats

MOST_NAMED = 8

RULES: dict[str, tuple[str, str]] = {
    "incomplete": ("完整：每个单元都属于一个网格", "complete: every unit belongs to a grid"),
    "empty": ("非空：每个网格至少一个单元", "not empty: every grid has a unit"),
    "not-contiguous": ("连通：格内步行可达", "contiguous: all of it can be walked to"),
    "several-parts": ("单块：图形只有一块", "single part: one polygon"),
    "not-nested": ("嵌套：不跨区域（strict）", "nested: in one area (strict)"),
    "band": ("区间：户数、面积、工作量等", "band: households, area, workload …"),
    "thin": ("不狭长", "not too thin"),
    "locked": ("锁定的网格不变", "a locked grid keeps its ground"),
    "code-twice": ("编码唯一", "a code stands once"),
    "code-prefix": ("编码前缀 = 所属区域编码", "a code begins with its area's code"),
    "code-retired": ("停用的编码不再使用", "a retired code is not used again"),
}
"""Every rule by its code: what it asks for, in Chinese and English."""

NEVER_EXCEPTED = frozenset({"incomplete", "empty", "code-twice", "code-prefix", "code-retired"})
"""Without these a plan is not a plan, or its codes would mean two things: no reason opens this wall."""

ADVICE = frozenset({"several-parts"})
"""Told, never a wall: an island belongs to some grid, and nobody can walk there anyway."""


@dataclass(frozen=True)
class Violation:
    """One broken rule: where (a grid's code, or None for the plan), what was measured, what is allowed, what to do.

    `units` names the units concerned (the first few), `area_m2` their ground where that is what matters; `column` is
    the weight of a band.
    """

    code: str
    grid: str | None
    measured: Any
    allowed: Any
    zh: str
    en: str
    do_zh: str
    do_en: str
    units: tuple[str, ...] = ()
    area_m2: float | None = None
    column: str | None = None

    @property
    def wall(self) -> bool:
        """Whether it stands in the way of approval."""
        return self.code not in ADVICE

    @property
    def rule(self) -> str:
        """What an exception is recorded for: the code, of a band with its column (`band:households`)."""
        return f"{self.code}:{self.column}" if self.column else self.code


@dataclass(frozen=True)
class Beside:
    """What rules look at beside the ground.

    `bands` of the plan and `weights` (column → per unit) they are measured by; `base` is unit → grid code of the plan
    this one is based on, for units in its locked grids; `retired` codes were in force once and are so no more.
    """

    bands: Bands = field(default_factory=Bands)
    weights: Mapping[str, Floats] = field(default_factory=dict)
    base: Mapping[int, str] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()


def named(codes: list[str], zh: bool = False) -> str:
    """A few codes, then an ellipsis."""
    shown = ("、" if zh else ", ").join(codes[:MOST_NAMED])
    return shown + (" …" if len(codes) > MOST_NAMED else "")
