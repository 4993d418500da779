"""What was done to a draft since a revision: how two planners in one draft see each other, and how a page follows
acts (split, fix, undo) whose effect only the service knows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from grids.constraints import Violation
from grids.drafts import answers, refusing
from grids.drafts.answers import ChangedGrid, Standing
from grids.drafts.draft import Draft
from grids.drafts.writing import NAMED
from grids.units import Ints


@dataclass(frozen=True)
class Act:
    """One line of the history."""

    revision: int
    act: str
    undoes: int | None
    author: str
    at: dt.datetime


@dataclass(frozen=True)
class News:
    """A draft's acts after `since`, and the present state of everything they touched.

    `units` are ids of units that moved, `unit_grids` the code of each one's grid now (None: open). `grids` as they are
    now; `removed` are codes that are gone.
    """

    plan: int
    name: str
    state: str
    revision: int
    since: int
    acts: list[Act]
    units: list[int]
    unit_grids: list[str | None]
    grids: list[ChangedGrid]
    removed: list[str]
    score: Standing
    violations: list[Violation]
    can_undo: bool
    can_redo: bool


def since(session: Session, draft: Draft, revision: int) -> News:
    """What changed after a revision. Raises Conflict `stale-revision` for a revision that is still to come."""
    if revision > draft.revision:
        raise refusing.stale(session, draft.row, revision)
    asked = {"plan": draft.row.id, "since": revision, "until": draft.revision}
    rows = session.execute(text(_ACTS), asked).mappings().all()
    units = draft.partition.graph.index_of(np.array(session.scalars(text(_UNITS), asked).all(), np.int64))
    units = units[units >= 0]
    grids, removed = _touched(draft, [row["what"] or {} for row in rows])
    codes = (*draft.grids.codes, None)
    return News(
        plan=draft.row.id,
        name=draft.row.name,
        state=draft.row.state,
        revision=draft.revision,
        since=revision,
        acts=[Act(**{name: row[name] for name in Act.__annotations__}) for row in rows],
        units=draft.partition.graph.ids[units].tolist(),
        unit_grids=[codes[g] for g in draft.partition.grid[units].tolist()],
        grids=answers.described(draft, grids),
        removed=removed,
        score=answers.standing(draft),
        violations=answers.violations(draft, grids),
        can_undo=bool(draft.log.done),
        can_redo=bool(draft.log.undone),
    )


_ACTS = """SELECT revision, act, undoes, author, at, what FROM plan_edit
WHERE plan_id = :plan AND revision > :since AND revision <= :until ORDER BY revision"""
_UNITS = """SELECT DISTINCT unit_id FROM plan_unit
WHERE plan_id = :plan AND revision > :since AND revision <= :until ORDER BY unit_id"""


def _touched(draft: Draft, told: list[dict[str, Any]]) -> tuple[Ints, list[str]]:
    """The grids that acts changed, as far as they still are, and codes that are gone."""
    named: set[str] = set()
    for what in told:
        named |= set(what.get("changed") or ())
        named |= {v["values"]["code"][0] for v in what.get("grids") or () if "code" in v["values"]}
    place = {code: g for g, code in enumerate(draft.grids.codes)}
    if any(what.get("changed_count", 0) > NAMED or "plan" in what for what in told):
        found = list(
            range(len(place))
        )  # more than the history names, or all are judged by something else now
    else:
        found = sorted(place[code] for code in named if code in place)
    return np.array(found, np.int64), sorted(named - place.keys())
