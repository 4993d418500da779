"""Plans to look at and what happens to them: lists, rules, approval, dates, lineage, remarks, cut units."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from api.shapes.shape import Shape, absent
from api.shapes.words import Nesting, PlanName, PlanState


class PlanRow(Shape):
    """A plan in the list. Who made and who approved it is told to staff alone."""

    id: int
    name: str
    state: PlanState
    nesting: Nesting
    valid_from: dt.date | None
    valid_to: dt.date | None
    revision: int
    origin: str
    based_on_id: int | None
    author: str = absent()
    created_at: dt.datetime
    approved_by: str | None = absent()
    approved_at: dt.datetime | None
    grids: int


class Plans(Shape):
    """`/api/plans`, the newest first."""

    plans: list[PlanRow]


class Plan(PlanRow):
    """One plan with how it was made."""

    settings: dict[str, Any]


class PlanDated(Shape):
    """A plan after it was approved or taken back. `valid_to` is the first day on which it no longer holds."""

    id: int
    name: str
    state: PlanState
    valid_from: dt.date | None
    valid_to: dt.date | None
    holds_today: bool
    grids: int
    nesting: Nesting
    origin: str
    revision: int
    author: str
    created_at: dt.datetime


class PlanBegun(Shape):
    """A new draft."""

    id: int
    name: str
    state: PlanState
    revision: int


class Discarded(Shape):
    """A draft that is no more."""

    discarded: PlanName


class Violation(Shape):
    """A broken rule: where (null: the whole plan), what was measured, what is allowed, what to do.

    `units` names the first few concerned; `rule` is the word under which an exception is recorded.
    """

    code: str
    grid: str | None
    measured: Any
    allowed: Any
    zh: str
    en: str
    do_zh: str
    do_en: str
    units: list[str]
    area_m2: float | None
    column: str | None


class RuleBroken(Violation):
    """A broken rule with the word under which an exception is recorded."""

    rule: str


class Excepted(Shape):
    """An exception that was recorded."""

    rule: str
    grid: str | None
    reason: str
    author: str


class ExceptionRow(Excepted):
    """A recorded exception with its time."""

    at: dt.datetime


class Exceptions(Shape):
    """The exceptions that are left."""

    exceptions: list[ExceptionRow]


class RuleWords(Shape):
    """A rule in both languages, and whether it allows exceptions."""

    zh: str
    en: str
    exceptions: bool


class Check(Shape):
    """Every broken rule of a plan. `recodes`: the code a grid has now → the one it gets at approval."""

    plan: int
    revision: int
    keeps_all: bool
    violations: list[RuleBroken]
    excepted: list[RuleBroken]
    advice: list[RuleBroken]
    exceptions: list[ExceptionRow]
    recodes: dict[str, str]
    rules: dict[str, RuleWords]


class Rebased(Shape):
    """The new draft: on which plan it stands, how many units each side changed, how many both did."""

    id: int
    name: str
    before: str
    onto: str
    mine: int
    theirs: int
    both: int


class Passed(Shape):
    """What an earlier grid passes on to a later one; shares (0–1) are of the earlier grid."""

    grid_before: str
    grid_after: str
    kind: Literal["kept", "shifted", "split", "merged", "new", "ended"]
    area_m2: float
    area_share: float
    households_share: float | None
    cases_share: float | None


class Lineage(Shape):
    """What each grid of the plan before passed on, and to whom; `stored`: as kept at approval."""

    plan: str
    before: str | None
    stored: bool
    rows: list[Passed]


class Comment(Shape):
    """A remark on a draft; `answers` names the one that is answered, a hidden one has no `body`."""

    id: int
    grid: str | None
    answers: int | None
    body: str | None
    author: str
    revision: int
    at: dt.datetime
    hidden: bool


class Comments(Shape):
    """Remarks, the oldest first."""

    comments: list[Comment]


class CommentHeld(Shape):
    """A remark that was hidden or shown again."""

    comment: Comment


class CommentMade(CommentHeld):
    """A remark that was added; `masked` names the kinds of what was replaced."""

    masked: list[str]


class UnitCut(Shape):
    """What became of a unit: codes and areas of its parts, and what was placed in them."""

    unit: str
    parts: list[str]
    area_m2: list[float]
    cases: int
    facilities: int


class Dispute(Shape):
    """A layer's lines in metres: all it draws, what every layer draws, what some other does not, what it misses."""

    name: str
    weight: float
    grids: int
    drawn_m: float
    agreed_m: float
    disputed_m: float
    missing_m: float


class Translated(Shape):
    """What a department's grid gives to a merged one; shares of area (0–1) of its grid and of the merged one."""

    layer: str
    grid: str
    merged: str
    units: int
    area_m2: float
    share_of_grid: float
    share_of_merged: float


class PlansMerged(Shape):
    """The draft out of several departments' layers, how far they agree, and every translation table."""

    id: int
    name: str
    grids: int
    atoms: int
    agreed_share: float | None
    joined_fragments: int
    layers: list[Dispute]
    translations: list[Translated]
