"""Remarks on a draft, on one of its grids, or on an earlier remark.

Free text: the edge masks personal data (`etl.privacy.mask`) before it comes here. A hidden remark keeps its place and its
answers; its words are shown to nobody any more but stay for the audit.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from geo.db.tables import Audit, PlanComment
from geo.errors import NotFound, RefusedArgument
from grids import refusals, stored

MOST_CHARACTERS = 2000
MOST_LISTED = 1000


@dataclass(frozen=True)
class Comment:
    """A remark. `body` is None when hidden; `revision` is the plan's when it was written."""

    id: int
    grid: str | None
    answers: int | None
    body: str | None
    author: str
    revision: int
    at: dt.datetime
    hidden: bool


def add(
    session: Session, plan: int | str, body: str, *, grid: str | None = None, answers: int | None = None,
    author: str = "operator",
) -> Comment:  # fmt: skip
    """A remark on a draft, masked already. An answer stands with the grid of what it answers.

    Raises RefusedArgument `comment` (empty, too long), `grid-unknown`; NotFound `no-such-comment`; Conflict
    `plan-not-draft`.
    """
    row = stored.find(session, plan)
    refusals.check_draft(row)
    body = body.strip()
    if not 0 < len(body) <= MOST_CHARACTERS or "\0" in body:
        raise RefusedArgument(
            f"意见须为 1–{MOST_CHARACTERS} 个字。", f"A comment has 1 to {MOST_CHARACTERS} characters.",
            code="comment", field="body", measured=len(body), allowed=[1, MOST_CHARACTERS],
        )  # fmt: skip
    if answers is not None:
        grid = _found(session, row.id, answers).grid_code
    elif grid is not None:
        refusals.check_grid(session, row.id, grid)
    made = PlanComment(
        plan_id=row.id, grid_code=grid, answers_id=answers, body=body, author=author, revision=row.revision
    )
    session.add(made)
    session.flush()
    session.add(Audit(who=author, act="plan.comment", what={"plan": row.id, "comment": made.id}))
    session.flush()
    session.refresh(made)
    return _comment(made)


def listing(session: Session, plan: int | str, *, grid: str | None = None) -> list[Comment]:
    """A plan's remarks, the oldest first; of one grid when asked."""
    row = stored.find(session, plan)
    asked = session.query(PlanComment).filter(PlanComment.plan_id == row.id)
    if grid is not None:
        asked = asked.filter(PlanComment.grid_code == grid)
    return [_comment(one) for one in asked.order_by(PlanComment.id).limit(MOST_LISTED)]


def hide(
    session: Session, plan: int | str, comment: int, *, hidden: bool = True, author: str = "operator"
) -> Comment:
    """Hides a remark, or shows it again."""
    row = stored.find(session, plan)
    found = _found(session, row.id, comment)
    found.hidden_at = dt.datetime.now(dt.UTC) if hidden else None
    act = "plan.comment-hide" if hidden else "plan.comment-show"
    session.add(Audit(who=author, act=act, what={"plan": row.id, "comment": comment}))
    session.flush()
    return _comment(found)


def _comment(row: PlanComment) -> Comment:
    hidden = row.hidden_at is not None
    return Comment(
        row.id,
        row.grid_code,
        row.answers_id,
        None if hidden else row.body,
        row.author,
        row.revision,
        row.at,
        hidden,
    )


def _found(session: Session, plan_id: int, comment: int) -> PlanComment:
    found: PlanComment | None = (
        session.query(PlanComment).filter_by(plan_id=plan_id, id=comment).one_or_none()
    )
    if found is None:
        raise NotFound(
            f"没有意见 {comment}。",
            f"There is no comment {comment}.",
            code="no-such-comment",
            field="comment",
        )
    return found
