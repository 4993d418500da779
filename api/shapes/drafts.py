"""A plan as an editor sees it: its grids, its units, what an act changed, what is new in it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from api.shapes.plans import RuleBroken, Violation
from api.shapes.shape import Shape
from api.shapes.words import Nesting, PlanState


class GridNow(Shape):
    """A grid as it is now; `deviation` from its fair load (0.1: ten percent above), null when nothing weighs anything."""

    code: str
    name: str
    units: int
    loads: dict[str, float]
    deviation: float | None
    area_m2: float
    perimeter_m: float
    compactness: float
    parts: int
    contiguous: bool
    areas: int
    crossing: bool
    cut_edges: int
    posts: float
    locked: bool


class Standing(Shape):
    """How good a plan is by the weight that it is balanced by; shares are 0–1."""

    grids: int
    units: int
    open_units: int
    weight: str
    total: float
    load_per_post: float
    largest_deviation: float | None
    tolerance: float
    within_tolerance: float | None
    compactness: float
    contiguous: float
    crossing: int
    cut_edges: int


class Edited(Shape):
    """An act that was done: the grids it changed, those it removed, how many units moved, the plan's new standing."""

    plan: int
    name: str
    revision: int
    act: str
    undoes: int | None
    author: str
    at: dt.datetime | None
    units: int
    grids: list[GridNow]
    removed: list[str]
    score: Standing
    violations: list[Violation]
    can_undo: bool
    can_redo: bool


class PlanHead(Shape):
    """Which plan, at which revision."""

    plan: int
    name: str
    state: PlanState
    revision: int


class GridTable(PlanHead):
    """The grids of a plan as columns, in order of code."""

    nesting: Nesting
    weights: list[str]
    score: Standing
    codes: list[str]
    names: list[str]
    area_codes: list[str | None]
    loads: dict[str, list[float]]
    deviation: list[float | None]
    units: list[int]
    area_m2: list[float]
    perimeter_m: list[float]
    compactness: list[float]
    parts: list[int]
    crossing: list[bool]
    areas: list[int]
    cut_edges: list[int]
    posts: list[float]
    locked: list[bool]


class AssignmentOf(PlanHead):
    """`grid[i]` is the index into `grids` of unit `units[i]` (an id, or a code where these were asked for), −1: open."""

    grids: list[str]
    units: list[int] | list[str]
    grid: list[int]


class ActDone(Shape):
    """One act of a plan's history."""

    revision: int
    act: str
    undoes: int | None
    author: str
    at: dt.datetime


class ActTold(ActDone):
    """One act with what it was about."""

    what: dict[str, Any] | None


class Edits(PlanHead):
    """A page of the history, the latest first."""

    can_undo: bool
    can_redo: bool
    edits: list[ActTold]
    next: int | None


class Ground(Shape):
    """The units under a plan as columns, in order of ids. `area` is the index into `area_codes` (−1: in none).

    Unit u has borders with `beside[starts[u]:starts[u + 1]]`, each pair once.
    """

    key: str
    units: list[int]
    codes: list[str]
    lon: list[float]
    lat: list[float]
    area: list[int]
    area_codes: list[str]
    area_names: list[str]
    area_m2: list[float]
    loads: dict[str, list[float]]
    starts: list[int]
    beside: list[int]


class News(PlanHead):
    """Acts after `since`, and the present state of what they touched. `unit_grids`: the grid of each of `units` now."""

    since: int
    acts: list[ActDone]
    units: list[int]
    unit_grids: list[str | None]
    grids: list[GridNow]
    removed: list[str]
    score: Standing
    violations: list[RuleBroken]
    can_undo: bool
    can_redo: bool
    ground: str
