"""What the database says when somebody tries to change an approved plan, as an error of ours (migration 0006)."""

from __future__ import annotations

from geo.errors import Conflict

SQLSTATE = "WG001"


def conflict() -> Conflict:
    """The answer to a change that the triggers refused."""
    return Conflict(
        "已批准的方案不可修改。", "An approved (published) plan is not changed any more.", code="plan-immutable",
        field="plan", do_zh="请以它为底稿新建草案。", do_en="Make a new draft that starts from it.",
    )  # fmt: skip
