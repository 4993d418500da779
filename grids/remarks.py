"""What the public says about a draft that is open to it: without a name, held until a planner lets it be seen.

These are no comments of the staff (`comments`): neither table is ever read for the other's readers. The edge masks
personal data before a word comes here. A remark is *held* first, then *released* (the public reads it) or *refused*
(nobody but staff does); the decision can be changed. A planner's answer is read wherever its remark is.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geo.db.tables import Audit, Plan, PublicRemark
from geo.errors import Conflict, NotFound, RefusedArgument
from grids import refusals

FILLERS = "\u034f\u115f\u1160\u3164\uffa0\u2800"  # letters and marks without a picture
MOST_CHARACTERS, MOST_OF_ANSWER = 1000, 2000
MOST_HELD = 1000  # of one draft: who fills the queue fills no disk
MOST_LISTED = 1000
IN_NUMBERS = " -+.@_"  # what stands between the digits and letters of a number or an address
State = Literal["held", "released", "refused"]


@dataclass(frozen=True)
class Remark:
    """A remark as staff sees it; `revision` is the draft's when it was written."""

    id: int
    grid: str | None
    body: str
    at: dt.datetime
    revision: int
    state: str
    decided_by: str | None
    decided_at: dt.datetime | None
    answer: str | None
    answered_by: str | None
    answered_at: dt.datetime | None

    def public(self, zone: dt.tzinfo) -> dict[str, Any]:
        """What the public reads of it: no person, of the times the days on the city's clock alone."""
        return {
            "id": self.id,
            "grid": self.grid,
            "body": self.body,
            "on": self.at.astimezone(zone).date(),
            "answer": self.answer,
            "answered_on": self.answered_at.astimezone(zone).date() if self.answered_at else None,
        }


def readable(words: str) -> str:
    """Words in which masking finds what there is to find: wide digits and letters as plain ones (the punctuation stays
    Chinese), and no character that cannot be seen or only dresses another (keycaps, fillers, variation selectors), which
    would part a number or turn a line around.

    >>> readable("１\\ufe0f\\u20e3３８\\u200b0013\\u202e8000，好！\\n")
    '13800138000，好！'
    """
    seen = (c for c in words if c == "\n" or not _unseen(c))
    return "".join(map(_plain, seen)).strip()


def _unseen(c: str) -> bool:
    dressing = unicodedata.category(c) in ("Cc", "Cf", "Me") or "\ufe00" <= c <= "\ufe0f"
    return dressing or c in FILLERS


def _plain(character: str) -> str:
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain.isalnum() or plain in IN_NUMBERS else character


def add(session: Session, row: Plan, body: str, *, grid: str | None = None, who: str = "public") -> Remark:
    """A remark on a draft, masked already; it is held. No author is stored; `who` stands in the audit.

    Raises RefusedArgument `remark` (empty, too long), `grid-unknown`; Conflict `remarks-full`.
    """
    body = _checked(body, MOST_CHARACTERS, "body")
    if grid is not None:
        refusals.check_grid(session, row.id, grid)
    if counts(session, row.id)["held"] >= MOST_HELD:
        raise Conflict(
            "待处理的意见太多，暂时不能再提交。", "Too many remarks are waiting to be read; try again later.",
            code="remarks-full",
        )  # fmt: skip
    made = PublicRemark(plan_id=row.id, grid_code=grid, body=body, revision=row.revision)
    session.add(made)
    session.flush()
    session.add(Audit(who=who, act="plan.remark", what={"plan": row.id, "remark": made.id}))
    session.flush()
    session.refresh(made)
    return _remark(made)


def listing(session: Session, plan_id: int, state: State | None = None) -> list[Remark]:
    """The remarks on a plan, the newest first, those that wait before all others; those of one state when asked."""
    asked = session.query(PublicRemark).filter_by(plan_id=plan_id)
    if state is not None:
        asked = asked.filter_by(state=state)
    return [
        _remark(one)
        for one in asked.order_by((PublicRemark.state == "held").desc(), PublicRemark.id.desc()).limit(
            MOST_LISTED
        )
    ]


def counts(session: Session, plan_id: int) -> Mapping[str, int]:
    """How many remarks are held, released, refused."""
    rows = session.execute(
        select(PublicRemark.state, func.count()).filter_by(plan_id=plan_id).group_by(PublicRemark.state)
    )
    found: dict[str, int] = {"held": 0, "released": 0, "refused": 0}
    return found | {state: int(n) for state, n in rows}


def decide(session: Session, plan_id: int, remark: int, state: State, author: str = "operator") -> Remark:
    """Releases a remark, refuses it, or holds it again. Raises NotFound `no-such-remark`."""
    found = _found(session, plan_id, remark)
    found.state, found.decided_by, found.decided_at = state, author, dt.datetime.now(dt.UTC)
    what = {"plan": plan_id, "remark": remark, "state": state}
    session.add(Audit(who=author, act="plan.remark-decide", what=what))
    session.flush()
    return _remark(found)


def answer(
    session: Session, plan_id: int, remark: int, words: str | None, author: str = "operator"
) -> Remark:
    """Answers a remark, in the place of an earlier answer; None takes the answer back.

    Raises NotFound `no-such-remark`; RefusedArgument `remark`.
    """
    found = _found(session, plan_id, remark)
    found.answer = None if words is None else _checked(words, MOST_OF_ANSWER, "answer")
    found.answered_by = None if words is None else author
    found.answered_at = None if words is None else dt.datetime.now(dt.UTC)
    act = "plan.remark-answer" if words is not None else "plan.remark-unanswer"
    session.add(Audit(who=author, act=act, what={"plan": plan_id, "remark": remark}))
    session.flush()
    return _remark(found)


def _checked(words: str, most: int, field: str) -> str:
    words = words.strip()
    if not 0 < len(words) <= most or "\0" in words:
        raise RefusedArgument(
            f"须为 1–{most} 个字。", f"1 to {most} characters are needed.",
            code="remark", field=field, measured=len(words), allowed=[1, most],
        )  # fmt: skip
    return words


def _found(session: Session, plan_id: int, remark: int) -> PublicRemark:
    found: PublicRemark | None = (
        session.query(PublicRemark).filter_by(plan_id=plan_id, id=remark).one_or_none()
    )
    if found is None:
        raise NotFound(
            f"没有意见 {remark}。", f"There is no remark {remark}.", code="no-such-remark", field="id"
        )
    return found


def _remark(row: PublicRemark) -> Remark:
    return Remark(
        row.id, row.grid_code, row.body, row.at, row.revision, row.state, row.decided_by, row.decided_at, row.answer,
        row.answered_by, row.answered_at,
    )  # fmt: skip
