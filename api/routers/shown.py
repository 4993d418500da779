"""What a caller may be shown: a plan by its word, an edition by its level. Drafts are for staff."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from api import answers, policy
from api.auth import Principal
from api.dependencies import Service, release
from api.schemas import Filtered, day
from geo.cases import CaseFilter
from geo.db.tables import Plan
from geo.errors import Forbidden, RefusedArgument, WanggeError
from geo.heat import PlanRef
from geo.zones import no_plan, resolve_plan


def plan(service: Service, session: Session, word: str, sight: str) -> PlanRef:
    """The plan of a word. A draft does not exist for the public: same answer as for a missing one."""
    found = resolve_plan(session, word, service.today(session))
    if sight != "exact" and found.state != "approved":
        raise no_plan(word)
    return found


def plan_row(service: Service, session: Session, word: str) -> Plan:
    """The stored plan of a word, for staff."""
    return session.get_one(Plan, plan(service, session, word, "exact").id)


def level(word: str, today: dt.date) -> tuple[str, dt.date]:
    """`LEVEL` or `LEVEL@DATE` as (level, date)."""
    name, _, date = word.partition("@")
    if not date:
        return name, today
    try:
        found = day(date)
    except Exception:
        raise RefusedArgument(
            "level 的日期应为 YYYY-MM-DD。", "The date of level must be YYYY-MM-DD.", field="level"
        ) from None
    return name, found


def filter_of(asked: Filtered) -> CaseFilter:
    """Which cases are asked for."""
    return CaseFilter(
        from_date=asked.from_,
        to_date=asked.to,
        categories=tuple(sorted(set(asked.category))),
        origins=tuple(sorted(set(asked.origin))),
        statuses=tuple(sorted(set(asked.status))),
    )


def check_plan(service: Service, by: str | None, word: str, sight: str) -> None:
    """Raises as `plan` does when the public asks for the grids of a draft."""
    if (
        sight != "exact"
        and by == "grid"
        and word not in ("current", "as-was")
        and not word.startswith("as-of:")
    ):
        with service.session() as session:
            plan(service, session, word, sight)


def check_fine(who: Principal, by: str | None, field: str) -> None:
    """Raises Forbidden (`figures-too-fine`) where a file of exact figures is asked for by hexagons of which who asks sees
    none exactly."""
    if who.sight_by(by) != who.sight:
        raise Forbidden(
            "这样小的六边形接近逐个案件，您的角色不能取得其精确数字的文件。",
            "Hexagons this small come close to single cases; your role gets no file of their exact figures.",
            code="figures-too-fine",
            field=field,
            do_zh="请用 hexagon:9 或更大的六边形，或按网格、区域。",
            do_en="Use hexagon:9 or larger ones, grids or areas.",
        )


def renamed(error: WanggeError, field: str, here: str) -> WanggeError:
    """The same error, its parameter named as this route calls it."""
    if error.field == field:
        error.field = here
    return error


def kept(
    service: Service, what: str, asked: Filtered, sight: str, make: Callable[[], dict[str, Any]]
) -> answers.Answer:
    """The answer kept for this question and state of the data, or one made now. `make` gives plain values; they hold
    `version` and no word of any language."""
    key = (
        service.word(sight, getattr(asked, "plan", None)),
        what,
        asked.model_dump_json(exclude={"lang"}),
        sight,
    )
    found = service.answers.get(key)
    if found is not None:
        return found
    content = answers.to_json(make())
    answer = answers.Answer(
        content, policy.JSON, etag=answers.etag(release(), content), cache=answers.cache_rule(sight)
    )
    return service.answers.put(key, answer)
