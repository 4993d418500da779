"""What an edit is answered with: the grids it changed, the plan's new standing, the rules its grids break."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from grids import constraints, fair
from grids.bands import Bands
from grids.constraints import Beside, Violation
from grids.drafts.draft import Draft
from grids.ledger import part_of
from grids.units import Floats, Ints


@dataclass(frozen=True)
class ChangedGrid:
    """A grid as it is now. `loads` by weight, in the weight's own unit; `deviation` from its fair load by the first one
    (0.1: ten percent above; None when nothing weighs anything); `parts`
    are pieces one cannot walk between, `areas` the nesting areas it touches."""

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


@dataclass(frozen=True)
class Standing:
    """How good the plan is now, by the weight it is balanced by. Shares are 0–1.

    A grid's fair load is `load_per_post` times its posts. `cut_edges` counts borders between units of two grids.
    """

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


@dataclass(frozen=True)
class Edited:
    """An act that was done. Grids that lost their last unit are `removed`; `units` is how many changed hands.

    `revision` is the plan's after the act: the one to send with the next. An act that changes nothing leaves it.
    """

    plan: int
    name: str
    revision: int
    act: str
    undoes: int | None
    author: str
    at: dt.datetime | None
    units: int
    grids: list[ChangedGrid]
    removed: list[str]
    score: Standing
    violations: list[Violation]
    can_undo: bool
    can_redo: bool


def described(draft: Draft, grids: Ints) -> list[ChangedGrid]:
    """Some grids of a draft, by index."""
    book, own = draft.ledger, draft.grids
    off, compact = deviations(draft), book.compactness
    loads = dict(zip(book.measured.names, book.loads, strict=True))
    return [
        ChangedGrid(
            code=own.codes[g],
            name=own.names[g],
            units=int(book.units[g]),
            loads={name: float(load[g]) for name, load in loads.items()},
            deviation=float(off[g]) if np.isfinite(off[g]) else None,
            area_m2=float(book.area_m2[g]),
            perimeter_m=float(book.perimeter_m[g]),
            compactness=float(compact[g]),
            parts=int(book.pieces[g]),
            contiguous=bool(book.pieces[g] <= 1),
            areas=int(book.areas[g]),
            crossing=bool(book.areas[g] > 1),
            cut_edges=int(book.cuts[g]),
            posts=float(own.posts[g]),
            locked=bool(own.locked[g]),
        )
        for g in grids.tolist()
    ]


def deviations(draft: Draft) -> Floats:
    """How far each grid's load is from what is fair for its posts; nan when nothing weighs anything."""
    loads = draft.ledger.loads[0]
    wanted = load_per_post(draft) * draft.grids.posts
    found = np.divide(loads, wanted, out=np.full(len(loads), np.nan), where=wanted > 0) - 1.0
    return np.asarray(found, np.float64)


def load_per_post(draft: Draft) -> float:
    """The fair load of one post (`grids.fair`) by the assigned load, in the weight's own unit."""
    measured, held = draft.ledger.measured, draft.partition.grid >= 0
    weight = measured.amount[0] / measured.scale[0]
    return fair.load_per_post(weight if held.all() else weight[held], draft.grids.posts)


def standing(draft: Draft) -> Standing:
    """The plan's score, from its books."""
    book, k = draft.ledger, len(draft.grids)
    off = np.abs(deviations(draft))
    known = k > 0 and bool(np.isfinite(off).all())
    tolerance = draft.row.tolerance
    return Standing(
        grids=k,
        units=book.partition.graph.n,
        open_units=book.partition.graph.n - int(book.units.sum()),
        weight=draft.balanced_by,
        total=float(book.loads[0].sum()),
        load_per_post=load_per_post(draft),
        largest_deviation=float(off.max()) if known else None,
        tolerance=tolerance,
        within_tolerance=float((off <= tolerance + 1e-12).mean()) if known else None,
        compactness=float(book.compactness.mean()) if k else 0.0,
        contiguous=float((book.pieces <= 1).mean()) if k else 1.0,
        crossing=int((book.areas > 1).sum()),
        cut_edges=int(book.cuts.sum()) // 2,
    )


def violations(draft: Draft, grids: Ints) -> list[Violation]:
    """The rules that some grids break, bands among them, looked at with their own ground only."""
    if not len(grids):
        return []
    codes = [draft.grids.codes[g] for g in grids.tolist()]
    return constraints.violations(
        part_of(draft.partition, grids),
        codes,
        draft.row.nesting,
        draft.row.template,
        beside=_beside(draft, grids),
    )


def _beside(draft: Draft, grids: Ints) -> Beside:
    """The plan's bands, and what the units of these grids weigh by them, in the order of `part_of`."""
    bands, measured = Bands.of(draft.row.bands), draft.ledger.measured
    units = np.flatnonzero(np.isin(draft.partition.grid, grids))
    weighs = {
        name: measured.amount[row, units] / measured.scale[row]
        for row, name in enumerate(measured.names)
        if name in bands.columns
    }
    return Beside(bands=bands, weights=weighs)
