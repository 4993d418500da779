"""Drafts of plans, edited: an act is checked, computed on values, appended to the plan's history and answered.

    desk = Desk()                                                   # keeps drafts open; one per process is best
    with session(settings) as s:
        done = assign(s, "改版", [Move(["U0001"], "110101001001002")], revision=3, author="planner", desk=desk)
    done.revision, [grid.code for grid in done.grids]

Nothing is ever overwritten: `plan_edit` names the act, rows of `plan_unit` with its revision say what it changed, undo
and redo are acts too. Only the polygons of changed grids are drawn again. Functions flush and never commit; what a desk
keeps open follows when the transaction does.
"""

from __future__ import annotations

from grids.drafts.acts import Move, Seen, assign, configure, lock, posts, rename
from grids.drafts.answers import ChangedGrid, Edited, Standing, described, deviations, standing
from grids.drafts.beginning import copy, empty
from grids.drafts.desk import Desk
from grids.drafts.draft import Draft, as_stored
from grids.drafts.ground import PlanRow
from grids.drafts.history import log, redo, undo
from grids.drafts.news import News, since
from grids.drafts.refusing import stale
from grids.drafts.scene import Scene, scene
from grids.drafts.shaping import apply, fix, merge, split

__all__ = [
    "ChangedGrid",
    "Desk",
    "Draft",
    "Edited",
    "Move",
    "News",
    "PlanRow",
    "Scene",
    "Seen",
    "Standing",
    "apply",
    "as_stored",
    "assign",
    "configure",
    "copy",
    "described",
    "deviations",
    "empty",
    "fix",
    "lock",
    "log",
    "merge",
    "posts",
    "redo",
    "rename",
    "scene",
    "since",
    "split",
    "stale",
    "standing",
    "undo",
]
