"""Jobs that make plans: propose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from api.jobs.kinds import Under
from grids import plans


def propose(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """`POST /api/plans/propose`: drafts with about equal loads; the result names them with their scores."""
    weight, tolerance = params["weight"], params["tolerance"]
    plan_id = plans.propose(
        session, name=params["name"], grids=params["grids"], per_grid=params["per_grid"], weight=weight,
        nest=params["nest"], seed=params["seed"], author=under.author, progress=under.progress,
    )  # fmt: skip
    return {"plans": [summary(session, plan_id, weight, tolerance)]}


def summary(session: Session, plan_id: int, weight: str, tolerance: float) -> dict[str, Any]:
    """A plan in the result of a job: id, name, revision and score."""
    shown = plans.show(session, plan_id)
    score = dataclasses.asdict(plans.score(session, plan_id, weight, tolerance))
    return {"id": plan_id, "name": shown.name, "revision": shown.revision, "score": score}
