"""Why a plan is not approved: every answer names the plan, who was first, or the broken rule, and what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Plan
from geo.errors import Conflict, Refused, RefusedArgument
from grids.constraints import Violation
from grids.constraints.violation import named
from grids.stored import days

MOST_LISTED = 200
STATES = {"draft": "草案", "approved": "已批准", "withdrawn": "已撤回"}


def check_tolerance(tolerance: float, *, zero: bool = True) -> None:
    """Raises RefusedArgument `tolerance` unless it lies in 0–10 (a share of the fair load); 0 itself only with `zero`."""
    if not (0 <= tolerance <= 10) or (tolerance == 0 and not zero):
        raise RefusedArgument(
            f"容差 {tolerance:g} 不可用。", f"A tolerance of {tolerance:g} is not possible.", code="tolerance",
            field="tolerance", measured=tolerance, allowed=[0, 10],
            do_zh="请用 0.10 这样的数。", do_en="Use a number such as 0.10.",
        )  # fmt: skip


def check_grid(session: Session, plan_id: int, code: str) -> None:
    """Raises RefusedArgument `grid-unknown` unless the plan has a grid of this code."""
    if not session.scalar(
        text("SELECT 1 FROM grid WHERE plan_id = :p AND code = :g"), {"p": plan_id, "g": code}
    ):
        raise RefusedArgument(
            f"方案中没有网格 {code[:80]}。", f"The plan has no grid {code[:80]}.", code="grid-unknown",
            field="grid", measured=code[:80],
            do_zh="请从方案的网格列表中选取编码。",
            shell_zh="wangge plan check 列出各网格的问题。",
            do_en="Choose a code from the plan's list of grids.",
            shell_en="`wangge plan check` names the grids concerned.",
        )  # fmt: skip


def check_draft(row: Plan) -> None:
    """Raises Conflict `plan-not-draft` unless the plan is a draft."""
    if row.state != "draft":
        start, _ = days(row.during)
        since = f"（{start} 起）" if start else ""
        raise Conflict(
            f"方案“{row.name}”不是草案，而是{STATES[row.state]}{since}。",
            f"Plan {row.name!r} is not a draft but {row.state}" + (f" from {start}." if start else "."),
            code="plan-not-draft",
            plan=row.name,
            state=row.state,
        )


def refuse_broken(row: Plan, found: list[Violation], gap: Callable[[], dict[str, Any]] | None = None) -> None:
    """Raises Refused with all violations when there are any: `grid-gap` (with the gap's geometry) when units are open,
    else `plan-violations`."""
    if not found:
        return
    first = found[0]
    more = len(found) - 1
    open_ = first.code == "incomplete"
    facts = {"gap": gap()} if open_ and gap is not None else {}
    raise Refused(
        f"方案“{row.name}”不能批准：{first.zh}" + (f"另有 {more} 处。" if more else ""),
        f"Plan {row.name!r} cannot be approved: {first.en}" + (f" And {more} more." if more else ""),
        code="grid-gap" if open_ else "plan-violations",
        field="plan",
        violations=found,
        do_zh=first.do_zh,
        shell_zh=f"{first.do_zh}wangge plan check {row.id} 列出全部。",
        do_en=first.do_en,
        shell_en=f"{first.do_en} `wangge plan check {row.id}` lists all.",
        **facts,
    )


def too_early(valid_from: dt.date, today: dt.date) -> Refused:
    """The refusal of a date before today when a plan was approved before."""
    return Refused(
        f"起始日（from）{valid_from} 早于今天 {today}：已有批准的方案，历史不可改写。",
        f"The first day (from) {valid_from} is before today ({today}): a plan was approved before, and history is not "
        "rewritten.",
        code="plan-date",
        field="from",
        measured=valid_from.isoformat(),
        allowed=today.isoformat(),
        do_zh="请用今天或以后的日期；只有首个批准的方案可从过去开始。",
        do_en="Use today or later; only the first approved plan may start in the past.",
    )


def overtaken(session: Session, row: Plan, winners: list[int], name: str | None = None) -> Conflict:
    """The conflict that names the plan which was approved (published) first: which, by whom, when, from which day."""
    winner = session.get(Plan, winners[0]) if winners else None
    who_zh, who_en = _winner(winner)
    return Conflict(
        f"方案“{name or row.name}”未批准：{who_zh}。",
        f"Plan {name or row.name!r} was not approved (published): {who_en}.",
        code="plan-conflict",
        plan=name or row.name,
        do_zh="请对照新方案再决定。",
        do_en="Look at that plan, then decide again.",
        **_facts(winner),
    )


def outdated(row: Plan, base: Plan, predecessor: Plan, lost: list[str]) -> Conflict:
    """The conflict of a draft that would undo what the plan it would follow changed since (`lost`: units)."""
    who_zh, who_en = _winner(predecessor)
    made_zh = f"草案“{row.name}”以“{base.name}”为底稿"
    made_en = f"Draft {row.name!r} was made from {base.name!r}"
    return Conflict(
        f"{made_zh}，而{who_zh}；直接批准会抹去其对 {len(lost)} 个单元的改动：{named(lost, zh=True)}。",
        f"{made_en}, but {who_en}; approving it would undo its changes to {len(lost)} units: {named(lost)}.",
        code="plan-conflict",
        plan=row.name,
        do_zh="请先变基：把本草案的改动移到新方案上。",
        shell_zh=f"wangge plan rebase {row.id} 把本草案的改动移到新方案上。",
        do_en="Rebase first: that carries this draft's changes over to it.",
        shell_en=f"`wangge plan rebase {row.id}` carries this draft's changes over to it.",
        units=lost[:MOST_LISTED],
        **_facts(predecessor),
    )


def not_withdrawable(row: Plan) -> Conflict:
    """Why a plan cannot be taken back: it has started, or was never approved."""
    approved = row.state == "approved"
    return Conflict(
        f"方案“{row.name}”" + ("已经生效，不能撤回。" if approved else "没有批准，无可撤回。"),
        f"Plan {row.name!r} " + ("has started and cannot be withdrawn." if approved else "is not approved."),
        code="plan-started" if approved else "plan-not-approved",
        plan=row.name,
        do_zh="请另提一个方案并批准。",
        do_en="Propose and approve another plan instead.",
    )


def _winner(winner: Plan | None) -> tuple[str, str]:
    if winner is None:
        return "别的方案已先批准", "another plan was approved first"
    start, by = days(winner.during)[0], winner.approved_by
    at = f"{winner.approved_at:%Y-%m-%d %H:%M:%S} UTC" if winner.approved_at else None
    zh = "，".join(part for part in (by, at, f"{start} 起生效") if part)
    en = ", ".join(part for part in (by and f"by {by}", at and f"at {at}", f"from {start}") if part)
    return f"“{winner.name}”已先批准（{zh}）", f"{winner.name!r} was approved first ({en})"


def _facts(winner: Plan | None) -> dict[str, Any]:
    if winner is None:
        return {"winner": None}
    start = days(winner.during)[0]
    return {
        "winner": {"id": winner.id, "name": winner.name, "from": start.isoformat() if start else None},
        "author": winner.approved_by,
        "approved_at": winner.approved_at.isoformat() if winner.approved_at else None,
    }


def check_range(field: str, value: float, most: float) -> None:
    """Raises RefusedArgument, its code the field's name, unless 0 ≤ value ≤ most."""
    if not 0 <= value <= most:
        raise RefusedArgument(
            f"{field} {value:g} 不可用。", f"A {field} of {value:g} is not possible.", code=field, field=field,
            measured=value, allowed=[0, most],
            do_zh=f"请用 0 到 {most:g} 的数。", do_en=f"Use a number from 0 to {most:g}.",
        )  # fmt: skip
