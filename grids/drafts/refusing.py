"""Why an act is not done: each answer names the plan, the grid or the unit, and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.errors import Conflict, Refused
from grids.drafts.draft import Draft
from grids.drafts.ground import PlanRow
from grids.ledger import changed_grids
from grids.partition import Flip

NAMED = 8
LISTED = 200


def check_draft(row: PlanRow) -> None:
    """Raises Conflict `plan-immutable` unless the plan is a draft."""
    if row.state != "draft":
        raise _immutable(row)


def _immutable(row: PlanRow) -> Conflict:
    zh, en = {
        "approved": ("已批准（published）", "published (approved)"),
        "withdrawn": ("已撤回", "withdrawn"),
    }[row.state]
    return Conflict(
        f"方案“{row.name}”{zh}，不可再改。",
        f"Plan {row.name!r} is {en}; it is not changed any more.",
        code="plan-immutable",
        field="plan",
        plan=row.name,
        state=row.state,
        do_zh="请以它为底稿新建草案。",
        do_en="Make a new draft that starts from it.",
    )


def stale(session: Session, row: PlanRow, revision: int) -> Conflict:
    """The refusal of an act decided on an earlier revision: who changed the plan since, when, which grids and units."""
    if revision > row.revision:
        return Conflict(
            f"方案“{row.name}”只到第 {row.revision} 版，没有第 {revision} 版。",
            f"Plan {row.name!r} is at revision {row.revision}; there is no revision {revision} yet.",
            code="stale-revision", field="revision", revision=row.revision, measured=revision,
            do_zh="请重新打开方案。", do_en="Open the plan again.",
        )  # fmt: skip
    changes = changes_since(session, row.id, revision)
    acts = changes["acts"]
    last = acts[-1]
    who = "、".join(dict.fromkeys(act["author"] for act in acts))
    when = f"{last['at']:%Y-%m-%d %H:%M:%S} UTC"
    grids, units = (
        _named(changes["grids"], len(changes["grids"])),
        _named(changes["units"], changes["units_count"]),
    )
    return Conflict(
        f"方案“{row.name}”已到第 {row.revision} 版：{who} 改过（最近一次 {when}，{last['act']}）。"
        f"变动的网格：{grids}；单元：{units}。",
        f"Plan {row.name!r} is at revision {row.revision}: {who} changed it (last at {when}, {last['act']}). "
        f"Changed grids: {grids}; units: {units}.",
        code="stale-revision",
        field="revision",
        revision=row.revision,
        measured=revision,
        author=last["author"],
        at=last["at"].isoformat(),
        changed=changes,
        do_zh="请按新版重做。",
        do_en="Look at the new state, then do it again.",
    )


def changes_since(session: Session, plan_id: int, revision: int) -> dict[str, Any]:
    """What was done since a revision: acts, codes of changed grids, codes of changed units (the first 200)."""
    since = {"plan": plan_id, "since": revision, "most": LISTED}
    acts = [dict(r) for r in session.execute(text(_ACTS), since).mappings()]
    grids = sorted({code for act in acts for code in act.pop("grids") or ()})
    units = session.execute(text(_UNITS), since).all()
    return {
        "acts": acts,
        "grids": grids,
        "units": [r.code for r in units],
        "units_count": int(units[0].n) if units else 0,
    }


_ACTS = (
    "SELECT revision, act, undoes, author, at, what->'changed' AS grids FROM plan_edit "
    "WHERE plan_id = :plan AND revision > :since ORDER BY revision"
)
_UNITS = (
    "SELECT u.code, count(*) OVER () AS n FROM (SELECT DISTINCT unit_id FROM plan_unit WHERE plan_id = :plan "
    "AND revision > :since) c JOIN unit u ON u.id = c.unit_id ORDER BY u.code LIMIT :most"
)


def _named(codes: list[str], count: int) -> str:
    shown = "、".join(codes[:NAMED])
    return f"{shown} …（{count}）" if count > NAMED else shown or "—"


def check_unlocked(draft: Draft, flip: Flip) -> None:
    """Raises Refused `grid-locked` when a flip takes ground from a locked grid or gives it some."""
    grid = draft.partition.grid
    moved = grid[flip.units] != flip.to_grid
    known = flip.to_grid[moved]
    joined = known[known < len(draft.grids)]
    touched = np.union1d(changed_grids(grid, grid, flip.units[moved]), joined[joined >= 0])
    locked = touched[draft.grids.locked[touched]]
    if len(locked):
        raise _locked([draft.grids.codes[g] for g in locked.tolist()])


def check_open_to_change(draft: Draft, g: int) -> None:
    """Raises Refused `grid-locked` when this grid is locked."""
    if draft.grids.locked[g]:
        raise _locked([draft.grids.codes[g]])


def _locked(codes: list[str]) -> Refused:
    return Refused(
        f"网格 {_named(codes, len(codes))} 已锁定。", f"Grid {_named(codes, len(codes))} is locked.",
        code="grid-locked", field="grid", grids=codes[:LISTED],
        do_zh="请先解锁。", do_en="Unlock it first.",
    )  # fmt: skip


def unknown_unit(session: Session, wanted: int | str) -> Refused:
    """The refusal of a unit that is none of today's: unknown, retired, or cut (then its parts are named)."""
    which = "u.id = :unit" if isinstance(wanted, int) else "u.code = :unit"
    shown = str(wanted)[:80]
    in_range = not isinstance(wanted, int) or abs(wanted) < 2**31
    row = (
        session.execute(text(_CUT.format(which=which)), {"unit": wanted}).one_or_none() if in_range else None
    )
    if row is None:
        return Refused(
            f"没有单元 {shown}。",
            f"There is no unit {shown}.",
            code="unit-unknown",
            field="units",
            measured=shown,
        )
    if row.parts:
        parts = _named(row.parts, len(row.parts))
        return Refused(
            f"单元 {row.code} 已切分为 {parts}。", f"Unit {row.code} was cut into {parts}.", code="unit-cut",
            field="units", measured=row.code, parts=row.parts, do_zh="请改用切分后的单元。", do_en="Use its parts.",
        )  # fmt: skip
    return Refused(
        f"单元 {row.code} 已停用。", f"Unit {row.code} was retired.", code="unit-retired", field="units",
        measured=row.code,
    )  # fmt: skip


_CUT = (
    "SELECT u.code, (SELECT array_agg(k.code ORDER BY k.code) FROM unit k WHERE k.parent_id = u.id) AS parts "
    "FROM unit u WHERE {which}"
)


def given_twice(code: str, grids: list[str]) -> Refused:
    """The refusal of a request that gives one unit to two grids."""
    both = " 与 ".join(grids), " and ".join(grids)
    return Refused(
        f"单元 {code} 同时分给 {both[0]}。", f"Unit {code} is given to {both[1]} at once.", code="grid-overlap",
        field="units", measured=code, grids=grids,
        do_zh="一个单元只能属于一个网格。", do_en="A unit belongs to one grid only.",
    )  # fmt: skip
