"""`docs/access.md`: the policy table as people read it, written by `python -m api.policy`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from api.policy import PRINCIPALS, SCOPES, TABLE, Rule

ROLES = {
    "public": ("公众", "the public, not signed in"),
    "worker": ("网格员", "a grid worker"),
    "supervisor": ("网格长", "a supervisor"),
    "planner": ("规划员", "a planner"),
    "admin": ("管理员", "an administrator"),
}
SEES = (
    ("汇总数字", "aggregate figures", ("k ≥ 5", "k ≥ 5", "精确 exact", "精确 exact", "精确 exact")),
    ("方案", "plans", ("已批准 approved", "已批准 approved", "含草案 drafts", "可改草案 edits drafts", "可改草案 edits drafts")),
    ("案件（逐条、点位、文字）", "single cases, points, text", ("—", "本责任区 own area", "本责任区 own area", "—", "全市 city")),
    ("案件导出", "exports of cases", ("—", "—", "本责任区 own area", "—", "全市 city")),
    ("装载、拒收行", "loads, rejected rows", ("—", "—", "—", "—", "全市 city")),
    ("批准方案", "approving plans", ("—", "—", "—", "他人的草案 others' drafts", "他人的草案 others' drafts")),
)  # fmt: skip
HEAD = """# 谁能看什么 / Who sees what

由 `python -m api.policy > docs/access.md` 从代码中唯一的权限表生成；有测试保证两者一致。不在表中的路由不存在（404）；
未登录者问需要登录的内容得 401，登录而无权得 403；责任区之外的案件与不存在的案件回答完全相同（404）。

Written by `python -m api.policy > docs/access.md` from the one policy table in the code; a test keeps the two equal. A route that
is not in the table does not exist (404). Who is not signed in gets 401 where one has to be, who is but may not gets 403. A case
outside one's area and a case that does not exist have the same answer (404), in the same time.

"""
AREA = """
**责任区**：网格员和网格长账号绑定一个边界层级及编码（如 `community` 与 `110101001001`）。案件以所在单元归属责任区；不在任何单元
但有坐标的，以坐标落在今日有效边界内为准（重叠处归编码最小者）；没有坐标的案件只有管理员看得到。没有责任区、或责任区在今日边界
中已不存在的账号看不到任何案件，回答中会说明原因。

**Area.** Accounts of workers and supervisors are bound to a boundary level and code (say `community`, `110101001001`). A case
counts to the area by its unit; without a unit, by its position in the boundaries in force today (where areas overlap, the lowest
code has it); a case without a position is seen by administrators alone. An account without an area, or whose area is not in
today's boundaries, sees no case, and the answer says why.

**两道墙 / Two walls.** 接口先按权限表和责任区筛选；数据库再以行级安全（RLS）限制同一批行：即使某个查询忘了条件，也只会少给，
不会多给。 The service filters by table and area; the database's row-level security limits the same rows once more, so that a
query that forgets its condition shows nothing instead of everything (`docs/adr/0013-roles-areas-two-walls.md`).

"""


def markdown() -> str:
    """The whole page."""
    parts = [
        HEAD,
        _table(_summary()),
        AREA,
        "## 范围 / Scopes\n\n",
        _table(_scopes()),
        "\n## 路由 / Routes\n\n",
    ]
    return "".join([*parts, _table([_titles(), *(_row(rule) for rule in TABLE)])])


def _summary() -> list[tuple[str, ...]]:
    heads = [f"{zh} {role}" for role, (zh, _) in ROLES.items()]
    return [("", *heads), *((f"{zh} / {en}", *cells) for zh, en, cells in SEES)]


def _scopes() -> list[tuple[str, ...]]:
    return [("scope", "含义", "meaning"), *((f"`{name}`", zh, en) for name, (zh, en) in SCOPES.items())]


def _titles() -> tuple[str, ...]:
    return ("method", "path", *PRINCIPALS, "scope", "内容", "what")


def _row(rule: Rule) -> tuple[str, ...]:
    marks = ("✓" if who in rule.who else "—" for who in PRINCIPALS)
    return (rule.method, f"`{rule.path}`", *marks, rule.scope, rule.zh, rule.en)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    head, *rest = rows
    lines = [head, ("---",) * len(head), *rest]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    sys.stdout.write(markdown())
