"""An open draft as a value: the plan's row, its grids and their books, and what may be undone.

Grids stand in order of code, exactly as `grids.stored.read` numbers them, whatever edits led here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.db.tables import Plan
from geo.errors import Refused
from grids.drafts.ground import Ground, PlanRow
from grids.ledger import Ledger
from grids.partition import Partition
from grids.stored import Stored
from grids.units import Floats, Ints

NEW = -1  # the id of a grid that has no row yet


@dataclass(frozen=True, eq=False)
class Grids:
    """What is known of grids beside their ground, by index."""

    ids: Ints
    codes: tuple[str, ...]
    names: tuple[str, ...]
    posts: Floats
    locked: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Sequence[Any]) -> Grids:
        """From rows with id, code, name, posts, locked."""
        return cls(
            np.array([r.id for r in rows], np.int64),
            tuple(r.code for r in rows),
            tuple(r.name for r in rows),
            np.array([r.posts for r in rows], np.float64),
            np.array([r.locked for r in rows], np.bool_),
        )

    @classmethod
    def fresh(cls, n: int) -> Grids:
        """n grids that are still to be named and written."""
        return cls(np.full(n, NEW), ("",) * n, ("",) * n, np.ones(n), np.zeros(n, np.bool_))

    def __len__(self) -> int:
        return len(self.ids)

    def joined(self, more: Grids) -> Grids:
        """These, then others."""
        if not len(more):
            return self
        return Grids(
            np.append(self.ids, more.ids), self.codes + more.codes, self.names + more.names,
            np.append(self.posts, more.posts), np.append(self.locked, more.locked),
        )  # fmt: skip

    def take(self, order: Ints) -> Grids:
        """Some of them, in an order."""
        at = order.tolist()
        return Grids(
            self.ids[order], tuple(self.codes[g] for g in at), tuple(self.names[g] for g in at),
            self.posts[order], self.locked[order],
        )  # fmt: skip

    def index(self, code: str) -> int:
        """The index of a code. Raises Refused `grid-unknown`."""
        try:
            return self.codes.index(code)
        except ValueError:
            raise Refused(
                f"方案中没有网格 {code[:80]}。", f"The plan has no grid {code[:80]}.", code="grid-unknown",
                field="grid", measured=code[:80], do_zh="新网格请写 new。", do_en="Write new for a new grid.",
            ) from None  # fmt: skip


@dataclass(frozen=True)
class Log:
    """Revisions that may be undone, the latest last, and what may be redone: (revision, the undo that took it back)."""

    done: tuple[int, ...] = ()
    undone: tuple[tuple[int, int], ...] = ()

    def then(self, revision: int, act: str) -> Log:
        """The log after one more act. A new act ends what could be redone."""
        if act == "undo":
            return Log(self.done[:-1], (*self.undone, (self.done[-1], revision)))
        if act == "redo":
            return Log((*self.done, self.undone[-1][0]), self.undone[:-1])
        return Log((*self.done, revision))

    @classmethod
    def of(cls, acts: Iterable[tuple[int, str]]) -> Log:
        """From (revision, act) in order.

        >>> Log.of([(1, "assign"), (2, "assign"), (3, "undo")])
        Log(done=(1,), undone=((2, 3),))
        """
        found = cls()
        for revision, act in acts:
            found = found.then(revision, act)
        return found


@dataclass(frozen=True, eq=False)
class Draft:
    """A plan as it stands, ready to be edited (an approved one to be looked at)."""

    row: PlanRow
    ground: Ground
    grids: Grids
    ledger: Ledger
    log: Log

    @property
    def partition(self) -> Partition:
        """unit → grid."""
        return self.ledger.partition

    @property
    def revision(self) -> int:
        """How many acts it has seen."""
        return self.row.revision

    @property
    def balanced_by(self) -> str:
        """The weight that decides whether grids are even."""
        return self.ledger.measured.names[0]


def as_stored(draft: Draft, plan: Plan) -> Stored | None:
    """What `grids.stored.read` would give for the plan's row, without asking the database; None when the row is at
    another revision than the draft."""
    own = draft.grids
    if (plan.id, plan.revision) != (draft.row.id, draft.revision):
        return None
    return Stored(plan, draft.partition, tuple(own.ids.tolist()), own.codes, own.names, own.posts, own.locked)


def settled(draft: Draft, row: PlanRow, ledger: Ledger, grids: Grids, log: Log, changed: Ints) -> Draft:
    """The draft after a change: changed grids without a unit are gone, the others stand in order of code."""
    if grids.codes == draft.grids.codes and ledger.units[changed].all():
        return replace(draft, row=row, ledger=ledger, grids=grids, log=log)
    gone = set(changed[ledger.units[changed] == 0].tolist())
    order = sorted((g for g in range(len(grids)) if g not in gone), key=grids.codes.__getitem__)
    if order != list(range(len(grids))):
        ledger, grids = ledger.take(np.array(order, np.int64)), grids.take(np.array(order, np.int64))
    return replace(draft, row=row, ledger=ledger, grids=grids, log=log)
