"""The history of a draft: what was done, taking it back without limit, doing it again.

An act that is taken back is not forgotten: the units it moved go where the plan had them just before, by a new act.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.errors import Refused
from grids.drafts.acts import Seen, begin
from grids.drafts.answers import Edited
from grids.drafts.desk import Desk
from grids.drafts.draft import Draft, Grids
from grids.drafts.writing import Change, write
from grids.partition import Flip


def undo(session: Session, plan: int | str, *, revision: Seen, author: str, desk: Desk) -> Edited:
    """Takes back the latest act that still stands. Raises Refused `nothing-to-undo`."""
    draft = begin(session, desk, plan, revision)
    if not draft.log.done:
        raise Refused("没有可撤销的操作。", "There is nothing to undo.", code="nothing-to-undo", field="plan")
    target = draft.log.done[-1]
    return _back_to(session, desk, draft, ("undo", target, target), target - 1, 0, author)


def redo(session: Session, plan: int | str, *, revision: Seen, author: str, desk: Desk) -> Edited:
    """Does again what was undone last; a new act in between ends this. Raises Refused `nothing-to-redo`."""
    draft = begin(session, desk, plan, revision)
    if not draft.log.undone:
        raise Refused("没有可重做的操作。", "There is nothing to redo.", code="nothing-to-redo", field="plan")
    target, taken_back = draft.log.undone[-1]
    return _back_to(session, desk, draft, ("redo", target, taken_back), target, 1, author)


def log(
    session: Session, plan_id: int, *, limit: int = 100, before: int | None = None
) -> list[dict[str, Any]]:
    """Acts of a plan, the latest first: revision, act, undoes, author, at, what. `before` a revision, for paging."""
    rows = session.execute(
        text(
            "SELECT revision, act, undoes, author, at, what FROM plan_edit WHERE plan_id = :plan "
            "AND (CAST(:before AS integer) IS NULL OR revision < :before) ORDER BY revision DESC LIMIT :limit"
        ),
        {"plan": plan_id, "before": before, "limit": limit},
    )
    return [dict(row) for row in rows.mappings()]


def _back_to(
    session: Session, desk: Desk, draft: Draft, act: tuple[str, int, int], as_of: int, side: int, author: str
) -> Edited:
    """Makes what act `act[1]` changed as it was at revision `as_of`: values from their `side` (0 before, 1 after)."""
    name, target, undoes = act
    edit = session.execute(text(_EDIT), {"plan": draft.row.id, "revision": target}).one()
    flip, more = _earlier(session, draft, target, as_of)
    number = {int(i): g for g, i in enumerate(draft.grids.ids)}
    values = {
        number[one["id"]]: {column: both[side] for column, both in one["values"].items()}
        for one in edit.what.get("grids", ())
        if one["id"] in number
    }
    plan = {column: both[side] for column, both in edit.what.get("plan", {}).items()}
    change = Change(name, flip, more, values, plan, what={"of": edit.act}, undoes=undoes)
    return write(session, desk, draft, change, author)


def _earlier(session: Session, draft: Draft, target: int, as_of: int) -> tuple[Flip, Grids]:
    """The flip that brings the units of act `target` where they were at `as_of`, and the emptied grids it needs."""
    rows = session.execute(text(_THEN), {"plan": draft.row.id, "target": target, "as_of": as_of}).all()
    known = {int(i): g for g, i in enumerate(draft.grids.ids)}
    gone = sorted({r.grid_id for r in rows if r.grid_id is not None} - set(known))
    more = Grids.of(session.execute(text(_GONE), {"ids": gone}).all()) if gone else Grids.fresh(0)
    known |= {int(i): len(draft.grids) + g for g, i in enumerate(more.ids)}
    units = draft.partition.graph.index_of(np.array([r.leaf for r in rows], np.int64))
    to = np.array([-1 if r.grid_id is None else known[r.grid_id] for r in rows], np.int64)
    return Flip(units[units >= 0], to[units >= 0]), more


_EDIT = "SELECT act, what FROM plan_edit WHERE plan_id = :plan AND revision = :revision"
_GONE = "SELECT id, code, name, posts, locked FROM grid WHERE id = ANY(:ids) ORDER BY id"
# The units of one act as they are today (a unit that was cut since: its parts), each with the grid that it, or its
# nearest ancestor, had at an earlier revision; none at all is left open.
_THEN = """
WITH RECURSIVE below AS (
  SELECT u.id AS unit FROM plan_unit p JOIN unit u ON u.id = p.unit_id WHERE p.plan_id = :plan AND p.revision = :target
  UNION SELECT k.id FROM below b JOIN unit k ON k.parent_id = b.unit
), leaf AS (
  SELECT unit AS leaf FROM below b WHERE NOT EXISTS (SELECT FROM unit k WHERE k.parent_id = b.unit)
), up AS (
  SELECT leaf, leaf AS unit, 0 AS steps FROM leaf
  UNION ALL SELECT up.leaf, u.parent_id, up.steps + 1 FROM up JOIN unit u ON u.id = up.unit WHERE u.parent_id IS NOT NULL
)
SELECT DISTINCT ON (up.leaf) up.leaf, h.grid_id FROM up LEFT JOIN LATERAL (
  SELECT true AS found, grid_id FROM plan_unit h WHERE h.plan_id = :plan AND h.unit_id = up.unit AND h.revision <= :as_of
  ORDER BY h.revision DESC LIMIT 1) h ON true
ORDER BY up.leaf, h.found NULLS LAST, up.steps"""
