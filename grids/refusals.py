"""Why a plan is not approved: every answer names the plan, who was first, or the broken rule, and what to do."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from geo.db.tables import Plan
from geo.errors import Conflict, RefusedArgument
from grids.constraints import Violation
from grids.stored import days


def check_draft(row: Plan) -> None:
    """Raises Conflict `plan-not-draft` unless the plan is a draft."""
    if row.state != "draft":
        start, _ = days(row.during)
        since = f"（{start} 起）" if start else ""
        raise Conflict(
            f"方案“{row.name}”不是草案，而是 {row.state}{since}。",
            f"Plan {row.name!r} is not a draft but {row.state}" + (f" from {start}." if start else "."),
            code="plan-not-draft",
            plan=row.name,
            state=row.state,
        )


def refuse_broken(row: Plan, found: list[Violation]) -> None:
    """Raises RefusedArgument `plan-violations` with all of them when there are any."""
    if found:
        first = found[0]
        more = len(found) - 1
        raise RefusedArgument(
            f"方案“{row.name}”不能批准：{first.zh}" + (f"另有 {more} 处。" if more else ""),
            f"Plan {row.name!r} cannot be approved: {first.en}" + (f" And {more} more." if more else ""),
            code="plan-violations",
            field="plan",
            violations=found,
            do_zh=f"{first.do_zh}wangge plan check {row.id} 列出全部。",
            do_en=f"{first.do_en} `wangge plan check {row.id}` lists all.",
        )


def too_early(valid_from: dt.date, today: dt.date) -> RefusedArgument:
    """The refusal of a date before today when a plan was approved before."""
    return RefusedArgument(
        f"起始日 {valid_from} 早于今天 {today}：已有批准的方案，历史不可改写。",
        f"{valid_from} is before today ({today}): a plan was approved before, and history is not rewritten.",
        code="plan-date",
        field="from",
        measured=valid_from.isoformat(),
        allowed=today.isoformat(),
        do_zh="请用今天或以后的日期；只有首个批准的方案可从过去开始。",
        do_en="Use today or later; only the first approved plan may start in the past.",
    )


def overtaken(session: Session, row: Plan, winners: list[int], name: str | None = None) -> Conflict:
    """The conflict that names the plan which was approved first."""
    winner = session.get(Plan, winners[0]) if winners else None
    start = days(winner.during)[0] if winner else None
    who_zh = f"“{winner.name}”已先批准（{start} 起）" if winner else "别的方案已先批准"
    who_en = (
        f"{winner.name!r} was approved first (from {start})" if winner else "another plan was approved first"
    )
    return Conflict(
        f"方案“{name or row.name}”未批准：{who_zh}。",
        f"Plan {name or row.name!r} was not approved: {who_en}.",
        code="plan-conflict",
        plan=name or row.name,
        winner=winner.name if winner else None,
        approved_at=winner.approved_at.isoformat() if winner and winner.approved_at else None,
        do_zh="请对照新方案再决定。",
        do_en="Look at that plan, then decide again.",
    )
