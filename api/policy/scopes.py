"""Who there is, and how far they see: the roles, and the words a row of the table may use for its scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["public", "worker", "supervisor", "planner", "admin"]
PRINCIPALS: tuple[Role, ...] = get_args(Role)
EVERYONE: frozenset[str] = frozenset(PRINCIPALS)
FIELD = frozenset(
    {"worker", "supervisor", "admin"}
)  # cases, a worker's and a supervisor's of their own area only
READERS = frozenset({"supervisor", "planner", "admin"})  # drafts and exact figures
PLANNERS = frozenset({"planner", "admin"})
ADMINS = frozenset({"admin"})

Scope = Literal["none", "own", "sight", "area", "drafts", "opened", "export", "city", "people"]
SCOPES: Mapping[Scope, tuple[str, str]] = {
    "none": ("对所有人相同，不含城市数据", "the same for all, nothing of the city's data"),
    "own": ("只涉及提问者本人", "of the one who asks alone"),
    "sight": (
        "公众与网格员：k ≥ 5，仅已批准方案；其他人：精确数字与草案",
        "public and workers: k ≥ 5, approved plans; others: exact figures, drafts",
    ),
    "area": (
        "案件行：网格员与网格长仅本责任区，管理员全市",
        "rows of cases: a worker's and a supervisor's area; an administrator's whole city",
    ),
    "drafts": (
        "方案与草案，以全市案件计算数字，不给出案件行",
        "plans and drafts, with figures of all cases and no row of them",
    ),
    "opened": (
        "只有规划员公开征求意见、尚未截止的草案：网格与已公布的意见，无案件数字",
        "drafts alone that a planner opened to the public, until their last day: grids and released remarks, no figure of cases",
    ),
    "export": (
        "精确的图层；案件行：网格长仅本责任区，管理员全市，规划员没有",
        "exact layers; rows of cases: a supervisor's area, an administrator's whole city, none for a planner",
    ),
    "city": ("全市的装载记录与拒收行", "what was loaded, with rejected rows of the whole city"),
    "people": ("账号与操作记录", "accounts, and what was done by whom"),
}
