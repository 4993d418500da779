"""The acts of a planner: give units to grids, merge, lock, staff, rename, set what the draft is balanced by.

Every act takes the plan (id or name), the `revision` it was decided on (None: whatever is there; or a check of the
locked row that raises), the author and the desk, and answers `Edited`. Raises Conflict `plan-immutable` or
`stale-revision`, Refused naming the grid or unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.errors import Refused
from grids import weights as columns
from grids.bands import Bands
from grids.drafts import refusing
from grids.drafts.answers import Edited
from grids.drafts.desk import Desk
from grids.drafts.draft import Draft, Grids
from grids.drafts.ground import PlanRow
from grids.drafts.writing import Change, write
from grids.partition import Flip
from grids.units import Ints

NEW_GRID = "new"
MOST_UNITS = 200_000


@dataclass(frozen=True)
class Move:
    """Units (codes or ids) and where they go: a grid's code, `new` for a grid of their own, None to leave them open."""

    units: Sequence[int | str] | Ints
    to_grid: str | None


Seen = int | None | Callable[[Session, PlanRow], None]


def begin(session: Session, desk: Desk, plan: int | str, revision: Seen) -> Draft:
    """The draft, locked until the transaction ends, when it may be edited from this revision."""
    draft = desk.open(session, plan, lock=True)
    refusing.check_draft(draft.row)
    if callable(revision):
        revision(session, draft.row)
    elif revision is not None and revision != draft.revision:
        raise refusing.stale(session, draft.row, revision)
    return draft


def assign(
    session: Session, plan: int | str, moves: Sequence[Move], *, revision: Seen, author: str, desk: Desk
) -> Edited:
    """Gives units to grids, several moves in one act; a unit in two moves is refused (`grid-overlap`)."""
    draft = begin(session, desk, plan, revision)
    flip, fresh = _flip(session, draft, moves)
    refusing.check_unlocked(draft, flip)
    change = Change("assign", flip, Grids.fresh(fresh), what={"to": [move.to_grid for move in moves][:20]})
    return write(session, desk, draft, change, author)


def lock(
    session: Session, plan: int | str, grids: Sequence[str], *, locked: bool = True, revision: Seen,
    author: str, desk: Desk,
) -> Edited:  # fmt: skip
    """Locks grids, so that no edit and no search changes their ground, or unlocks them."""
    draft = begin(session, desk, plan, revision)
    values = {draft.grids.index(code): {"locked": locked} for code in grids}
    act = "lock" if locked else "unlock"
    return write(session, desk, draft, Change(act, grids=values, what={"of": list(grids)[:20]}), author)


def posts(
    session: Session,
    plan: int | str,
    of: Mapping[str, float],
    *,
    revision: Seen,
    author: str,
    desk: Desk,
) -> Edited:
    """How many posts look after each grid; its fair load is in proportion."""
    draft = begin(session, desk, plan, revision)
    for code, number in of.items():
        if not (np.isfinite(number) and number > 0):
            raise Refused(
                f"网格 {code} 的岗数 {number:g} 应大于 0。", f"The posts of grid {code} must be above 0, not {number:g}.",
                code="posts", field="posts", measured=number,
            )  # fmt: skip
    values = {draft.grids.index(code): {"posts": float(number)} for code, number in of.items()}
    return write(session, desk, draft, Change("posts", grids=values, what={"of": list(of)[:20]}), author)


def rename(
    session: Session, plan: int | str, grid: str, *, name: str | None = None, code: str | None = None,
    revision: Seen, author: str, desk: Desk,
) -> Edited:  # fmt: skip
    """A grid's name, and its code when it moved to another area; no code of this plan is given twice."""
    draft = begin(session, desk, plan, revision)
    g, new = draft.grids.index(grid), {}
    if name is not None:
        new["name"] = _checked(name, "name")
    if code is not None and code != grid:
        new["code"] = _checked(code, "code")
        if code == NEW_GRID or session.scalar(text(_TAKEN), {"plan": draft.row.id, "code": code}):
            raise Refused(
                f"编码 {code} 已用过。", f"Code {code} has been used.", code="code-taken", field="code", measured=code,
                do_zh="请另选编码。", do_en="Choose another code.",
            )  # fmt: skip
    return write(session, desk, draft, Change("rename", grids={g: new}, what={"of": grid}), author)


# an emptied grid of this plan keeps its code for the history; an approved one, for the ground it stood on
_TAKEN = "SELECT 1 FROM grid WHERE plan_id = :plan AND code = :code"


def configure(
    session: Session, plan: int | str, *, nesting: str | None = None, bands: Mapping[str, Any] | None = None,
    weights: Sequence[str] | None = None, tolerance: float | None = None, revision: Seen, author: str, desk: Desk,
) -> Edited:  # fmt: skip
    """What the draft is judged by: nesting (strict, soft, free), bands, weights (the first balances it), tolerance."""
    draft = begin(session, desk, plan, revision)
    if nesting not in (None, "strict", "soft", "free"):
        raise Refused(
            f"未知嵌套方式 {nesting}。", f"Unknown nesting {nesting!r}.", code="nesting", field="nesting"
        )
    new: dict[str, Any] = {} if nesting is None else {"nesting": nesting}
    if bands is not None:
        Bands.of(bands)
        new["bands"] = dict(bands)
    more: dict[str, Any] = {} if tolerance is None else {"tolerance": float(tolerance)}
    for name in weights or ():
        columns.read(session, draft.partition.graph, name)  # refuses an unknown one, naming those there are
    if weights is not None:
        more |= {"weight": weights[0] if weights else None, "weights": list(weights[1:])}
    if more:
        new["settings"] = {**draft.row.settings, **more}
    return write(session, desk, draft, Change("configure", plan=new), author)


def _checked(given: str, field: str) -> str:
    if not 0 < len(given) <= 80 or given.strip() != given or not given.isprintable():
        raise Refused(
            f"“{given[:80]}”不可用。", f"{given[:80]!r} cannot be used.", code=f"grid-{field}", field=field,
            measured=given[:80], do_zh="请用 1–80 个字。", do_en="Use 1 to 80 characters.",
        )  # fmt: skip
    return given


# ── moves ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _flip(session: Session, draft: Draft, moves: Sequence[Move]) -> tuple[Flip, int]:
    """The moves as one flip, and how many new grids it makes."""
    _check_number(sum(len(move.units) for move in moves))
    fresh, parts = 0, []
    for move in moves:
        units = _indices(session, draft, move.units)
        if move.to_grid is None:
            to = -1
        elif move.to_grid == NEW_GRID:
            to, fresh = len(draft.grids) + fresh, fresh + 1
        else:
            to = draft.grids.index(move.to_grid)
        parts.append((units, np.full(len(units), to)))
    units = np.concatenate([p[0] for p in parts]) if parts else np.empty(0, np.int64)
    to_grid = np.concatenate([p[1] for p in parts]) if parts else np.empty(0, np.int64)
    unique, first, times = np.unique(units, return_index=True, return_counts=True)
    _refuse_overlap(draft, moves, units, to_grid, unique[times > 1])
    return Flip(unique, to_grid[first]), fresh


def _check_number(units: int) -> None:
    if units > MOST_UNITS:
        raise Refused(
            f"一次最多 {MOST_UNITS} 个单元，而非 {units} 个。", f"At most {MOST_UNITS} units at once, not {units}.",
            code="too-many-units", field="units", measured=units, allowed=MOST_UNITS,
        )  # fmt: skip


def _refuse_overlap(draft: Draft, moves: Sequence[Move], units: Ints, to_grid: Ints, twice: Ints) -> None:
    for unit in twice.tolist():
        targets = list(dict.fromkeys(to_grid[units == unit].tolist()))
        if len(targets) > 1:
            known = draft.grids.codes
            names = ["—" if t < 0 else known[t] if t < len(known) else NEW_GRID for t in targets]
            raise refusing.given_twice(draft.partition.graph.codes[unit], names)


def _indices(session: Session, draft: Draft, units: Sequence[int | str] | Ints) -> Ints:
    """Positions of units given by id or code. Raises Refused naming the first that is none of today's."""
    wanted = units.tolist() if isinstance(units, np.ndarray) else list(units)
    number = draft.ground.number
    ids = [one for one in wanted if isinstance(one, int)]
    if ids and len(ids) == len(wanted):
        inside = np.clip(np.array(ids, dtype=object), -1, 2**31).astype(np.int64)
        found = draft.partition.graph.index_of(inside)
    else:
        found = np.array([number.get(str(one), -1) for one in wanted], np.int64)
    missing = np.flatnonzero(found < 0)
    if len(missing):
        raise refusing.unknown_unit(session, wanted[int(missing[0])])
    return found
