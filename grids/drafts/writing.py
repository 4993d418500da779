"""An act becomes rows: its line in the history, the units it moved, the grids it changed, one revision more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from geo.db.tables import Audit
from geo.db.versions import bump
from grids.drafts import answers, rows
from grids.drafts.desk import Desk
from grids.drafts.draft import Draft, Grids, settled
from grids.drafts.ground import PlanRow
from grids.ledger import changed_grids
from grids.partition import Flip
from grids.units import Ints

NOTHING = Flip(np.empty(0, np.int64), np.empty(0, np.int64))
NAMED = 200  # of the changed grids, so many are named in the history's line


@dataclass(frozen=True)
class Change:
    """What an act does, ready to be written.

    A flip to grid k, k + 1 … goes to `more`, in order: grids to be made (id NEW), or emptied ones that come back.
    `grids` holds new values of columns by grid index, `plan` those of the plan's row.
    """

    act: str
    flip: Flip = NOTHING
    more: Grids = field(default_factory=lambda: Grids.fresh(0))
    grids: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    what: Mapping[str, Any] = field(default_factory=dict)
    undoes: int | None = None


def write(session: Session, desk: Desk, draft: Draft, change: Change, author: str) -> answers.Edited:
    """Appends an act to a draft that is locked by this transaction; flushed, and on the desk once committed.

    A change that changes nothing writes nothing and answers the revision as it is.
    """
    flip = _without_idle(draft, change.flip)
    altered = {g: kept for g, new in change.grids.items() if (kept := _altered(draft.grids, g, new))}
    plan = {
        name: [_of_row(draft.row, name), value]
        for name, value in change.plan.items()
        if _of_row(draft.row, name) != value
    }
    if not len(flip.units) and not altered and not plan:
        return _edited(draft, change, author, None, np.empty(0, np.int64), [], 0)
    ledger = draft.ledger.flip(flip).with_room(len(draft.grids) + len(change.more))
    changed = changed_grids(draft.partition.grid, ledger.partition.grid, flip.units)
    grids = rows.with_rows(session, draft, ledger, _with_values(draft.grids.joined(change.more), altered))
    row = replace(draft.row, revision=draft.revision + 1, **{name: new for name, (_, new) in plan.items()})
    touched = np.union1d(changed, np.array(sorted(altered), np.int64))
    what = {
        **change.what,
        **_told(grids, len(flip.units), touched, altered),
        **({"plan": plan} if plan else {}),
    }
    moved = (draft.partition.graph.ids[flip.units], np.append(grids.ids, 0)[flip.to_grid])
    at = rows.append(session, row, moved, act=change.act, undoes=change.undoes, what=what, author=author)
    told = {"plan": row.id, "revision": row.revision, "act": change.act, "units": len(flip.units)}
    session.add(Audit(who=author, act="plan.edit", what=told))
    rows.draw(session, ledger, grids.ids, changed)
    rows.set_values(session, grids, altered)
    if plan:
        rows.set_plan(session, row)
    bump(session, "drafts")
    made = settled(draft, row, ledger, grids, draft.log.then(row.revision, change.act), changed)
    if plan.keys() & {"settings", "bands"}:  # perhaps balanced or held to something else from now on
        made = desk.reweighed(session, made)
    desk.keep_when_committed(session, made)
    now = np.flatnonzero(np.isin(made.grids.ids, grids.ids[touched]))
    removed = [grids.codes[g] for g in touched[~np.isin(grids.ids[touched], made.grids.ids)].tolist()]
    return _edited(made, change, author, at, now, removed, len(flip.units))


def _without_idle(draft: Draft, flip: Flip) -> Flip:
    moves = draft.partition.grid[flip.units] != flip.to_grid
    return Flip(flip.units[moves], flip.to_grid[moves])


def _edited(
    draft: Draft,
    change: Change,
    author: str,
    at: dt.datetime | None,
    grids: Ints,
    removed: list[str],
    units: int,
) -> answers.Edited:
    return answers.Edited(
        plan=draft.row.id,
        name=draft.row.name,
        revision=draft.revision,
        act=change.act,
        undoes=change.undoes,
        author=author,
        at=at,
        units=units,
        grids=answers.described(draft, grids),
        removed=removed,
        score=answers.standing(draft),
        violations=answers.violations(draft, grids),
        can_undo=bool(draft.log.done),
        can_redo=bool(draft.log.undone),
    )


# ── values beside the ground ────────────────────────────────────────────────────────────────────────────────────────

COLUMNS = {"code": "codes", "name": "names", "posts": "posts", "locked": "locked"}


def _altered(grids: Grids, g: int, new: Mapping[str, Any]) -> dict[str, list[Any]]:
    """{column: [before, after]} of what differs."""
    before = {column: getattr(grids, name)[g] for column, name in COLUMNS.items()}
    plain = {c: v.item() if isinstance(v, np.generic) else v for c, v in before.items()}
    return {column: [plain[column], value] for column, value in new.items() if plain[column] != value}


def _with_values(grids: Grids, altered: Mapping[int, Mapping[str, list[Any]]]) -> Grids:
    if not altered:
        return grids
    codes, names = list(grids.codes), list(grids.names)
    own: dict[str, Any] = {
        "code": codes,
        "name": names,
        "posts": grids.posts.copy(),
        "locked": grids.locked.copy(),
    }
    for g, values in altered.items():
        for column, (_, new) in values.items():
            own[column][g] = new
    return Grids(grids.ids, tuple(codes), tuple(names), own["posts"], own["locked"])


def _told(grids: Grids, units: int, touched: Ints, altered: Mapping[int, Any]) -> dict[str, Any]:
    """What the history's line says beside the act's own words."""
    names = [grids.codes[g] for g in touched.tolist()]
    told: dict[str, Any] = {"units": units, "changed": names[:NAMED], "changed_count": len(names)}
    if altered:
        told["grids"] = [
            {"id": int(grids.ids[g]), "code": grids.codes[g], "values": v} for g, v in altered.items()
        ]
    return told


def _of_row(row: PlanRow, name: str) -> Any:
    return getattr(row, name)
