"""Jobs that make plans: propose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from api.jobs.kinds import Under
from grids import plans, proposals


def propose(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """`POST /api/plans/propose`: drafts with about equal loads; the result names them with their scores."""
    weight, tolerance = params["weight"], params["tolerance"]
    made = proposals.propose(
        session, name=params["name"], grids=params["grids"], per_grid=params["per_grid"], weight=weight,
        nest=params["nest"], tolerance=tolerance, seed=params["seed"], choices=params.get("choices", 1),
        locked=params.get("locked") or (), posts=params.get("posts"), author=under.author,
        progress=under.progress, cancel=under.cancel,
    )  # fmt: skip
    found = [
        {**summary(session, one.plan_id, weight, tolerance), "choice": dataclasses.asdict(one)}
        for one in made.plans
    ]
    return {"plans": found, "bounds": dataclasses.asdict(made.bounds)}


def summary(session: Session, plan_id: int, weight: str, tolerance: float) -> dict[str, Any]:
    """A plan in the result of a job: id, name, revision and score."""
    shown = plans.show(session, plan_id)
    score = dataclasses.asdict(plans.score(session, plan_id, weight, tolerance))
    return {"id": plan_id, "name": shown.name, "revision": shown.revision, "score": score}
