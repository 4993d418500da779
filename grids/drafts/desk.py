"""The desk on which drafts lie open: read once, brought up to date by the rows of newer revisions.

Units and their graph are shared by all drafts of one state of the data. What another process (a second worker, the
command line) edited is read as rows of newer revisions; when units or weights changed, everything is read again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from grids import stored
from grids.drafts.draft import Draft, Grids, Log
from grids.drafts.ground import Ground, PlanRow, measure, read_ground, read_row
from grids.ledger import Ledger, Measured
from grids.partition import Flip

OPEN_AT_MOST = 16
PENDING = "wangge.drafts"  # what a session will leave on desks when it commits


class Desk:
    """Open drafts, the least recently used put away beyond `most`. Values only: safe to share between threads."""

    def __init__(self, most: int = OPEN_AT_MOST) -> None:
        self.most = most
        self._drafts: OrderedDict[int, Draft] = OrderedDict()
        self._ground: Ground | None = None
        self._measured: dict[tuple[Any, ...], Measured] = {}
        self._lock = threading.Lock()
        self._reading = threading.Lock()

    def open(self, session: Session, plan: int | str, *, lock: bool = False) -> Draft:
        """The plan as it stands in this transaction; with `lock` nobody else edits it until the transaction ends.

        Raises NotFound.
        """
        plan_id = plan if isinstance(plan, int) else stored.find(session, plan).id
        row = read_row(session, plan_id, lock=lock)
        kept = self._drafts.get(plan_id)
        found = self._follow(session, kept, row) if kept is not None else None
        if found is None:
            found = self._read_once(session, row, keeping=not lock)
        if not lock and PENDING not in session.info:  # otherwise the commit decides
            self.keep(found)
        return found

    def keep(self, draft: Draft) -> None:
        """Leaves a committed state on the desk."""
        with self._lock:
            kept = self._drafts.get(draft.row.id)
            if kept is None or kept.revision <= draft.revision or kept.row.weighed != draft.row.weighed:
                self._drafts[draft.row.id] = draft
            self._drafts.move_to_end(draft.row.id)
            while len(self._drafts) > self.most:
                self._drafts.popitem(last=False)

    def keep_when_committed(self, session: Session, draft: Draft) -> None:
        """The same as soon as the session's transaction is committed, and not at all when it is rolled back."""
        session.info.setdefault(PENDING, {})[draft.row.id] = (self, draft)
        if not event.contains(session, "after_commit", _committed):
            event.listen(session, "after_commit", _committed)
            event.listen(session, "after_soft_rollback", _rolled_back)

    def reweighed(self, session: Session, draft: Draft) -> Draft:
        """The draft with its books kept in the weights its row names now."""
        measured = self._measured_of(session, draft.ground, draft.row)
        return replace(draft, ledger=Ledger.of(measured, draft.partition))

    def _read_once(self, session: Session, row: PlanRow, *, keeping: bool) -> Draft:
        """Reads a draft that is not open. A page asks for its parts at once: the first request reads, the others wait
        for it and follow. Nothing in here waits for a lock of the database, so nobody waits in a circle."""
        with self._reading:
            kept = self._drafts.get(row.id)
            found = self._follow(session, kept, row) if kept is not None else None
            if found is None:
                found = self._read(session, row)
                if keeping and PENDING not in session.info:
                    self.keep(found)
            return found

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, session: Session, row: PlanRow) -> Draft:
        ground = self._ground_of(session, row)
        measured = self._measured_of(session, ground, row)
        held = stored.read(session, stored.find(session, row.id), measured.graph)
        grids = Grids(np.array(held.grid_ids, np.int64), held.codes, held.names, held.posts, held.locked)
        acts = session.execute(text(_ACTS), {"plan": row.id, "since": 0}).all()
        log = Log.of((r.revision, r.act) for r in acts)
        return Draft(row, ground, grids, Ledger.of(measured, held.partition), log)

    def _ground_of(self, session: Session, row: PlanRow) -> Ground:
        ground = self._ground
        if ground is None or ground.key != row.ground:
            ground = read_ground(session, row)
            with self._lock:
                self._ground, self._measured = ground, {}
        return ground

    def _measured_of(self, session: Session, ground: Ground, row: PlanRow) -> Measured:
        key = (row.weighed, row.weights, row.banded)
        found = self._measured.get(key)
        if found is None:
            found = measure(session, ground, row.weights, row.banded)
            with self._lock:
                stale = [k for k in self._measured if k[0] != row.weighed]
                for k in stale:
                    del self._measured[k]
                self._measured[key] = found
        return found

    # ── following ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _follow(self, session: Session, draft: Draft, row: PlanRow) -> Draft | None:
        """The draft at the row's state, from the newer revisions alone; None when that does not suffice."""
        state = draft.row.state
        if draft.row.ground != row.ground or row.revision < draft.revision:
            return None
        if _weighs(row) != _weighs(draft.row):
            known = draft.revision
            draft = self.reweighed(session, replace(draft, row=replace(row, revision=known)))
        if row.revision == draft.revision and row.state == state:
            return replace(draft, row=row)
        return _caught_up(session, draft, row)


def _weighs(row: PlanRow) -> tuple[Any, ...]:
    """Equal as long as the books are kept in the same weights, and these weigh the same."""
    return (row.weighed, row.weights, row.banded)


def _caught_up(session: Session, draft: Draft, row: PlanRow) -> Draft | None:
    newer = {"plan": row.id, "since": draft.revision}
    acts = session.execute(text(_ACTS), newer).all()
    rows = session.execute(text(_UNITS), newer).all()
    after = Grids.of(session.execute(text(_GRIDS), newer).all())
    known = {int(g): i for i, g in enumerate(draft.grids.ids)}
    grids = draft.grids.joined(
        after.take(np.array([i for i, g in enumerate(after.ids) if int(g) not in known], np.int64))
    )
    known = {int(g): i for i, g in enumerate(grids.ids)}
    units = draft.ground.graph.index_of(np.array([r.unit_id for r in rows], np.int64))
    if (units < 0).any() or any(r.grid_id is not None and r.grid_id not in known for r in rows):
        return None
    flip = Flip(units, np.array([-1 if r.grid_id is None else known[r.grid_id] for r in rows], np.int64))
    ledger = draft.ledger.flip(flip).with_room(len(grids))
    order = np.array([known[int(g)] for g in after.ids], np.int64)
    left_out = np.setdiff1d(np.arange(len(grids)), order)
    if ledger.units[left_out].any():
        return None
    log = draft.log
    for act in acts:
        log = log.then(act.revision, act.act)
    return Draft(row, draft.ground, after, ledger.take(order), log)


def _committed(session: Session) -> None:
    if not session.in_nested_transaction():
        for desk, draft in session.info.pop(PENDING, {}).values():
            desk.keep(draft)


def _rolled_back(session: Session, previous: Any) -> None:
    session.info.pop(PENDING, None)


_ACTS = "SELECT revision, act FROM plan_edit WHERE plan_id = :plan AND revision > :since ORDER BY revision"
_UNITS = (
    "SELECT DISTINCT ON (unit_id) unit_id, grid_id FROM plan_unit WHERE plan_id = :plan AND revision > :since "
    "ORDER BY unit_id, revision DESC"
)
_GRIDS = (
    "SELECT id, code, name, posts, locked FROM grid WHERE plan_id = :plan AND geom IS NOT NULL "
    "AND :since >= 0 ORDER BY code"
)
