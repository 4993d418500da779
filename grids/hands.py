"""Whose hands a plan has gone through, and who may therefore approve it: nobody judges their own work.

A plan's hands are its author (for a proposal who asked for it) and everybody with a row in its history, acts that were
taken back included. A draft made of another draft (a copy, a draft carried over, rebalanced under a new name, or merged)
takes the hands of its source over as they are then: its ground is their work. A plan that was approved hands none on:
somebody else has judged it.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Plan, PlanHand
from geo.errors import Forbidden

NAMED = 5  # so many people are named in a refusal
_HANDS = text(
    "SELECT author FROM plan WHERE id = :plan UNION SELECT author FROM plan_edit WHERE plan_id = :plan "
    "UNION SELECT name FROM plan_hand WHERE plan_id = :plan "
    "UNION SELECT j.author FROM job j WHERE j.kind LIKE 'plan.%' AND j.state = 'done' "
    "AND j.result @> jsonb_build_object('plans', jsonb_build_array(jsonb_build_object('id', CAST(:plan AS int))))"
)
_OTHERS = text(
    "SELECT name FROM app_user WHERE role IN ('planner', 'admin') AND disabled_at IS NULL AND NOT name = ANY(:hands) "
    "ORDER BY role DESC, name LIMIT :most"
)


def of(session: Session, plan: int) -> set[str]:
    """The names of everybody who made or changed a plan."""
    return set(session.scalars(_HANDS, {"plan": plan}))


def hand_on(session: Session, source: Plan, made: int) -> None:
    """Gives a new draft the hands of what it was made of; nothing where that is approved."""
    if source.state == "approved":
        return
    for name in sorted(of(session, source.id)):
        session.merge(PlanHand(plan_id=made, name=name))
    session.flush()


def refuse_own(session: Session, plan: Plan, who: str) -> None:
    """Raises Forbidden (`own-plan`) where somebody would approve a draft of their own; names who may."""
    if plan.state != "draft":
        return
    hands = of(session, plan.id)
    if who not in hands:
        return
    others = list(session.scalars(_OTHERS, {"hands": sorted(hands), "most": NAMED}))
    raise Forbidden(
        f"方案“{plan.name}”或其底稿由您编制或修改过，须由他人批准。",
        f"You made or changed plan {plan.name!r} or the draft it was made of; somebody else has to approve it.",
        code="own-plan",
        field="plan",
        approvers=others,
        do_zh=f"可批准者：{'、'.join(others)}。" if others else _ALONE[0],
        do_en=f"May approve it: {', '.join(others)}." if others else _ALONE[1],
    )


_ALONE = (
    "目前没有其他规划员或管理员：请管理员添加一人，或由小单位设置 WANGGE_SMALL_OFFICE=1。",
    "There is no other planner or administrator: have one added, or set WANGGE_SMALL_OFFICE=1 in a small office.",
)
