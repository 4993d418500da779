"""Jobs of the engine: propose, rebalance, ensemble."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.jobs.kinds import Under
from grids import proposals, ranking, rebalancing


def propose(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """`POST /api/plans/propose`: drafts with about equal loads, the usual choice first, where each stands on the
    trade-off and why not better, and the bounds that no plan could beat."""
    asked = dict(params)
    lines, ways = (_lines(asked.pop(what, [])) for what in ("barriers", "passages"))
    found = proposals.propose(
        session,
        **asked,
        obstacles=(lines, ways),
        author=under.author,
        progress=under.progress,
        cancel=under.cancel,
    )
    plans = []
    for one in found.plans:
        told = dataclasses.asdict(one)
        plans.append({"id": told.pop("plan_id"), "revision": 0, **told})
    return {"plans": plans, "grids": found.grids, "bounds": dataclasses.asdict(found.bounds)}


def _lines(given: Sequence[Sequence[Sequence[float]]]) -> NDArray[np.object_]:
    """Lines of lon and lat (EPSG:4326) as geometries.

    >>> shapely.length(_lines([[[116.0, 39.9], [117.0, 39.9]]])).tolist(), len(_lines([]))
    ([1.0], 0)
    """
    found = np.empty(len(given), dtype=object)
    found[:] = [shapely.LineString(line) for line in given]
    return found


def rebalance(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """`POST /api/plans/{plan}/rebalance`: the draft that changed, what moved, the least that had to, and what is stuck."""
    done = rebalancing.rebalanced(
        session, **params, author=under.author, progress=under.progress, cancel=under.cancel
    )
    plan = {"id": done.plan_id, "name": done.name, "revision": done.revision}
    return {"plans": [plan], "changed": done.changed, "removed": done.removed, **done.found}


def ensemble(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """`POST /api/plans/{plan}/ensemble`: the plan's place on each measure among random valid plans."""
    found = ranking.ranked(session, **params, progress=under.progress, cancel=under.cancel)
    return dataclasses.asdict(found)
