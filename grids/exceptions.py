"""Exceptions: a rule that a plan may break when it is approved: which, where, why, and who allowed it.

Recorded on a draft, kept for ever with the plan. An exception that no violation needs does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from geo.db.tables import Audit, PlanException
from geo.db.versions import bump
from geo.errors import NotFound, Refused, RefusedArgument
from grids import refusals, stored
from grids.bands import Bands
from grids.constraints import ADVICE, NEVER_EXCEPTED, RULES, Violation

MOST_REASON = 1000
BY_COLUMN = "band"  # `band:households`


@dataclass(frozen=True)
class Checked:
    """What a plan breaks: `walls` stand in the way of approval, `excepted` are allowed by name, `advice` only tells.

    `recodes`: the code of a grid now → the one it will have when the plan is approved, where they differ.
    """

    walls: list[Violation]
    excepted: list[Violation]
    advice: list[Violation]
    recodes: dict[str, str] = field(default_factory=dict)


def allow(
    session: Session, plan: int | str, *, rule: str, reason: str, grid: str | None = None, author: str = "operator"
) -> dict[str, Any]:  # fmt: skip
    """Records that a draft may break `rule` (`not-contiguous`, `band:households` …) at one grid, or anywhere.

    The same rule and grid again replaces the reason. Raises Refused `rule-never-excepted` for what no reason opens.
    """
    row = stored.find(session, plan)
    session.refresh(row, with_for_update=True)
    refusals.check_draft(row)
    rule, reason = rule.strip(), reason.strip()
    _check_rule(rule, row.bands)
    if not 0 < len(reason) <= MOST_REASON:
        raise RefusedArgument(
            f"理由须为 1–{MOST_REASON} 个字。", f"The reason has 1 to {MOST_REASON} characters.",
            code="exception-reason", field="reason", measured=len(reason), allowed=[1, MOST_REASON],
        )  # fmt: skip
    if grid is not None:
        refusals.check_grid(session, row.id, grid)
    values = {"plan_id": row.id, "rule": rule, "grid_code": grid, "reason": reason, "author": author}
    change = {"reason": reason, "author": author, "at": text("now()")}
    session.execute(
        insert(PlanException)
        .values(values)
        .on_conflict_do_update(constraint="uq_plan_exception_plan_id_rule_grid_code", set_=change)
    )
    session.add(
        Audit(
            who=author, act="plan.except", what={"plan": row.id, "rule": rule, "grid": grid, "reason": reason}
        )
    )
    session.flush()
    bump(session, "drafts")
    return {"rule": rule, "grid": grid, "reason": reason, "author": author}


def take_back(
    session: Session, plan: int | str, *, rule: str, grid: str | None = None, author: str = "operator"
) -> None:
    """Removes an exception from a draft. Raises NotFound `no-such-exception`."""
    row = stored.find(session, plan)
    session.refresh(row, with_for_update=True)
    refusals.check_draft(row)
    gone = session.execute(
        text(
            "DELETE FROM plan_exception WHERE plan_id = :p AND rule = :r AND grid_code IS NOT DISTINCT FROM :g RETURNING id"
        ),
        {"p": row.id, "r": rule, "g": grid},
    ).all()
    if not gone:
        raise NotFound(
            f"方案“{row.name}”没有这个例外。", f"Plan {row.name!r} has no such exception.",
            code="no-such-exception", field="rule",
        )  # fmt: skip
    session.add(
        Audit(who=author, act="plan.except-no-more", what={"plan": row.id, "rule": rule, "grid": grid})
    )
    session.flush()
    bump(session, "drafts")


def listing(session: Session, plan_id: int) -> list[dict[str, Any]]:
    """A plan's exceptions: rule, grid (None: anywhere), reason, author, at."""
    rows = session.execute(
        text(
            "SELECT rule, grid_code AS grid, reason, author, at FROM plan_exception WHERE plan_id = :p ORDER BY rule, grid_code"
        ),
        {"p": plan_id},
    )
    return [dict(row) for row in rows.mappings()]


def sort_out(session: Session, plan_id: int, found: list[Violation]) -> Checked:
    """Violations by what they mean for approval."""
    allowed = {(one["rule"], one["grid"]) for one in listing(session, plan_id)}
    checked = Checked([], [], [])
    for violation in found:
        if not violation.wall:
            checked.advice.append(violation)
        elif violation.code not in NEVER_EXCEPTED and _is_allowed(violation, allowed):
            checked.excepted.append(violation)
        else:
            checked.walls.append(violation)
    return checked


def _is_allowed(violation: Violation, allowed: set[tuple[str, str | None]]) -> bool:
    return any((violation.rule, grid) in allowed for grid in (violation.grid, None))


def _check_rule(rule: str, bands: dict[str, Any]) -> None:
    name = rule.partition(":")[0]
    if name in NEVER_EXCEPTED:
        raise Refused(
            f"规则 {name}（{RULES[name][0]}）不允许例外。",
            f"Rule {name} ({RULES[name][1]}) allows no exception.",
            code="rule-never-excepted", field="rule", measured=name,
            do_zh="请修改方案。", do_en="Change the plan instead.",
        )  # fmt: skip
    known = sorted(set(RULES) - NEVER_EXCEPTED - ADVICE - {BY_COLUMN})
    known += [f"{BY_COLUMN}:{name}" for name in sorted(Bands.of(bands).columns)]
    if rule not in known:
        raise RefusedArgument(
            f"没有可例外的规则 {rule[:60]}；可用：{'、'.join(known)}。",
            f"There is no rule {rule[:60]} that takes exceptions; there are: {', '.join(known)}.",
            code="rule-unknown", field="rule", measured=rule[:60], allowed=known,
        )  # fmt: skip
