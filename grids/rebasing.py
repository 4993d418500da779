"""Carrying a draft's changes over to the plan that was approved meanwhile.

Two drafts made from one plan, and the other was approved first: where the two changed different units, this draft's
changes are put on top of the approved plan in one act; where both changed a unit, it is named, and the planner decides.
The result is a new draft; the old one stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Audit, Plan
from geo.db.versions import bump
from geo.errors import Conflict, RefusedArgument
from grids import differences, hands, refusals, stored, units
from grids.codes import Named
from grids.partition import Partition
from grids.stored import Stored
from grids.timeline import base_of, periods

MOST_NAMED = 8
MOST_LISTED = 200


@dataclass(frozen=True)
class Rebased:
    """The new draft: on which plan it stands, how many units each side changed, how many both did (`mine` won)."""

    id: int
    name: str
    before: str
    onto: str
    mine: int
    theirs: int
    both: int


def rebase(
    session: Session, plan: int | str, *, name: str | None = None, onto: int | str | None = None, mine: bool = False,
    author: str = "operator",
) -> Rebased:  # fmt: skip
    """A new draft with this draft's changes on top of `onto` (default: the approved plan that starts last).

    Raises Conflict `rebase-conflict` naming the units that both changed, unless `mine` says that this draft's word
    counts there; RefusedArgument `no-base` for a draft made from nothing, `rebase-nothing` when it stands on `onto`.
    """
    row = stored.find(session, plan)
    refusals.check_draft(row)
    goal = stored.find(session, onto) if onto is not None else _last(session)
    base = base_of(session, row)
    base, goal = _both(row, base, goal)
    name = name or _free_name(session, row.name)
    stored.check_name(session, name)
    graph = units.read(session, stored.city_today(session))
    old, own, new = (stored.read(session, one, graph) for one in (base, row, goal))
    changed, theirs = differences.changed(old, own), differences.changed(old, new)
    both = changed & theirs & ~differences.same_wish(old, own, new)
    if both.any() and not mine:
        raise _conflict(row, goal, [graph.codes[u] for u in np.flatnonzero(both).tolist()])
    made = _write(session, row, goal, name, _merged(old, own, new, changed), author)
    found = Rebased(
        made, name, base.name, goal.name, int(changed.sum()), int(theirs.sum()), int((changed & theirs).sum())
    )
    session.add(
        Audit(who=author, act="plan.rebase", what={"plan": made, "of": row.id, "onto": goal.id, "mine": mine})
    )
    session.flush()
    bump(session, "plans")
    return found


@dataclass(frozen=True)
class _Merged:
    partition: Partition
    codes: list[str]
    names: list[str]
    areas: list[int]
    posts: list[float]
    locked: list[bool]


def _merged(old: Stored, own: Stored, new: Stored, changed: Any) -> _Merged:
    """unit → grid: this draft's where it changed something, the approved plan's elsewhere; what is said of a grid likewise."""
    codes = frozenset(old.codes)
    fresh = {code: f"{differences.FRESH}{code}" for code in own.codes if code not in codes}
    word = np.where(changed, differences.words(own, codes), differences.words(new))
    used = sorted(set(word.tolist()) - {""})
    number = {code: g for g, code in enumerate(used)}
    grid = np.array([number.get(w, -1) for w in word.tolist()], np.int64)
    partition = Partition(own.partition.graph, grid, len(used))
    about = [_about(code, old, own, new) for code in used]
    taken = set(new.codes)
    final = _unmarked(used, set(fresh.values()), taken)
    areas = [found[0] if found else -1 for found in partition.areas_of()]
    return _Merged(
        partition, final, [a[0] for a in about], areas, [a[1] for a in about], [a[2] for a in about]
    )


def _unmarked(used: list[str], fresh: set[str], taken: set[str]) -> list[str]:
    """Codes of grids that are new here: their own, or with a mark while the approved plan uses it (approval numbers them)."""
    found = []
    for code in used:
        plain = code.removeprefix(differences.FRESH)
        while code in fresh and plain in taken:
            plain += "*"
        found.append(plain)
        taken.add(plain)
    return found


def _about(code: str, old: Stored, own: Stored, new: Stored) -> tuple[str, float, bool]:
    """Name, posts and lock: this draft's where it changed them, else the approved plan's."""

    def of(held: Stored, word: str) -> tuple[str, float, bool] | None:
        if word not in held.codes:
            return None
        g = held.codes.index(word)
        return held.names[g], float(held.posts[g]), bool(held.locked[g])

    mine, theirs, before = of(own, code.removeprefix(differences.FRESH)), of(new, code), of(old, code)
    if theirs is None or (mine is not None and before is not None and mine != before):
        assert mine is not None or theirs is not None or before is not None
        return mine or theirs or before  # type: ignore[return-value]
    return theirs


def _write(session: Session, row: Plan, goal: Plan, name: str, merged: _Merged, author: str) -> int:
    named = [Named(code, 0, area) for code, area in zip(merged.codes, merged.areas, strict=True)]
    made = stored.write(
        session, name, merged.partition, named, nesting=row.nesting, origin="copied", author=author,
        based_on_id=goal.id, grid_names=merged.names,
    )  # fmt: skip
    made.bands, made.settings = row.bands, row.settings
    session.execute(
        text(
            "UPDATE grid SET posts = m.posts, locked = m.locked FROM unnest(CAST(:codes AS text[]), "
            "CAST(:posts AS float8[]), CAST(:locked AS bool[])) AS m(code, posts, locked) "
            "WHERE plan_id = :p AND grid.code = m.code"
        ),
        {"p": made.id, "codes": merged.codes, "posts": merged.posts, "locked": merged.locked},
    )
    session.execute(text(_EXCEPTIONS), {"new": made.id, "old": row.id})
    for source in (row, goal):
        hands.hand_on(session, source, made.id)
    return made.id


_EXCEPTIONS = (
    "INSERT INTO plan_exception (plan_id, rule, grid_code, reason, author, at) SELECT :new, e.rule, e.grid_code, e.reason, "
    "e.author, e.at FROM plan_exception e WHERE e.plan_id = :old AND (e.grid_code IS NULL OR EXISTS "
    "(SELECT 1 FROM grid g WHERE g.plan_id = :new AND g.code = e.grid_code))"
)


def _last(session: Session) -> Plan | None:
    held = periods(session)
    return session.get(Plan, max(held, key=lambda p: held[p])) if held else None


def _both(row: Plan, base: Plan | None, goal: Plan | None) -> tuple[Plan, Plan]:
    if base is None or goal is None:
        raise RefusedArgument(
            f"方案“{row.name}”不以任何方案为底稿，无改动可移。",
            f"Plan {row.name!r} was not made from another plan; there are no changes to carry over.",
            code="no-base", field="plan",
        )  # fmt: skip
    if goal.id == base.id:
        raise RefusedArgument(
            f"方案“{row.name}”已以“{goal.name}”为底稿。",
            f"Plan {row.name!r} stands on {goal.name!r} already.",
            code="rebase-nothing", field="plan",
        )  # fmt: skip
    return base, goal


def _conflict(row: Plan, goal: Plan, codes: Sequence[str]) -> Conflict:
    shown = ", ".join(codes[:MOST_NAMED]) + (" …" if len(codes) > MOST_NAMED else "")
    return Conflict(
        f"{len(codes)} 个单元在“{row.name}”和“{goal.name}”中都改过：{shown}。",
        f"{len(codes)} units were changed both in {row.name!r} and in {goal.name!r}: {shown}.",
        code="rebase-conflict",
        field="plan",
        measured=len(codes),
        units=list(codes[:MOST_LISTED]),
        do_zh="请按新方案重做这些单元，或用 --mine 以本草案为准。",
        do_en="Redo these units on the new plan, or say --mine to let this draft decide there.",
    )


def _free_name(session: Session, name: str) -> str:
    """`name 2`, `name 3` …: the first that is free."""
    taken = set(session.scalars(text("SELECT name FROM plan WHERE starts_with(name, :n)"), {"n": name[:70]}))
    return next(found for n in range(2, len(taken) + 3) if (found := f"{name[:70]} {n}") not in taken)
