"""The catalogue of categories: what counts as sensitive, and how long one case of a kind usually takes.

Both are settings of the city, not of a source's file: a sensitive category is published from 10 cases on instead of 5;
`minutes` weigh a case in the workload of a unit.
"""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Audit
from geo.db.versions import bump
from geo.errors import RefusedArgument

MOST_MINUTES = 60_000.0  # a thousand hours
LIST = text(
    "SELECT g.name AS catalogue, CASE WHEN t.id IS NULL THEN c.code ELSE t.code || '/' || c.code END AS key, c.name, "
    "c.name_en, c.sensitive, coalesce(t.sensitive, false) AS sensitive_by_group, c.minutes "
    "FROM category c LEFT JOIN category t ON t.id = c.parent_id JOIN catalogue g ON g.id = c.catalogue_id "
    "WHERE CAST(:catalogue AS text) IS NULL OR g.name = :catalogue "
    "ORDER BY g.name, coalesce(t.code, c.code), t.id NULLS FIRST, c.code"
)
SET = text(
    "UPDATE category c SET sensitive = coalesce(:sensitive, c.sensitive), minutes = coalesce(:minutes, c.minutes) "
    "FROM category k LEFT JOIN category t ON t.id = k.parent_id JOIN catalogue g ON g.id = k.catalogue_id "
    "WHERE c.id = k.id AND CASE WHEN t.id IS NULL THEN k.code ELSE t.code || '/' || k.code END = :key "
    "AND (CAST(:catalogue AS text) IS NULL OR g.name = :catalogue) RETURNING c.id"
)


def categories(session: Session, catalogue: str | None = None) -> list[dict[str, Any]]:
    """Every category in order of its key: catalogue, key, name, name_en, sensitive, sensitive_by_group, minutes."""
    return [dict(row) for row in session.execute(LIST, {"catalogue": catalogue}).mappings()]


def set_category(
    session: Session,
    key: str,
    *,
    who: str,
    catalogue: str | None = None,
    sensitive: bool | None = None,
    minutes: float | None = None,
) -> int:
    """Sets what is given for the category `top` or `top/sub`, in every catalogue or in one; how many were set.

    A sensitive 大类 makes its 小类 sensitive; minutes hold for the named category alone. Writes an audit row.

    Raises RefusedArgument for an unknown key, impossible minutes, or nothing to set.
    """
    if sensitive is None and minutes is None:
        raise RefusedArgument(
            "没有要设置的内容。",
            "There is nothing to set.",
            field="category",
            do_zh="用 --sensitive、--not-sensitive 或 --minutes。",
            do_en="Give --sensitive, --not-sensitive or --minutes.",
        )
    if minutes is not None and not (math.isfinite(minutes) and 0 <= minutes <= MOST_MINUTES):
        raise RefusedArgument(
            f"处理时长应为 0 至 {MOST_MINUTES:.0f} 分钟。",
            f"Handling time is 0 to {MOST_MINUTES:.0f} minutes.",
            field="minutes",
        )
    asked = {"key": key, "catalogue": catalogue, "sensitive": sensitive, "minutes": minutes}
    found = len(session.execute(SET, asked).all())
    if not found:
        raise RefusedArgument(
            f"没有类别 {key[:80]}。",
            f"There is no category {key[:80]}.",
            code="category-unknown",
            field="category",
            do_zh="wangge category list 列出全部。",
            do_en="`wangge category list` shows them all.",
        )
    session.add(Audit(who=who, act="category set", what={**asked, "categories": found}))
    session.flush()
    bump(session, "cases")  # the columns carry both
    return found
