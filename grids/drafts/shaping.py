"""Acts that compute new ground: split, merge, fix, and whatever an engine found (`apply`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.codes import parse
from grids import editing
from grids.drafts import refusing
from grids.drafts.acts import Seen, begin
from grids.drafts.answers import Edited
from grids.drafts.desk import Desk
from grids.drafts.draft import Draft, Grids
from grids.drafts.writing import Change, write
from grids.ledger import part_of
from grids.partition import Flip, Partition
from grids.problem import Problem
from grids.units import METRES_PER_DEGREE, Floats, Ints


def apply(
    session: Session, plan: int | str, revision: Seen, act: str, new_partition: Partition,
    what: Mapping[str, Any], author: str, desk: Desk | None = None,
) -> Edited:  # fmt: skip
    """Makes a draft what some computation found, as one act that can be undone.

    `new_partition` is over the same units; its grids are numbered as `stored.read` numbers them (in order of code),
    numbers beyond those are new grids. Locked grids must have kept their ground.
    """
    desk = desk or Desk()
    draft = begin(session, desk, plan, revision)
    return _reshape(session, desk, draft, Change(act, what=what), new_partition.grid, author)


def split(
    session: Session, plan: int | str, grid: str, *, parts: int = 2, posts: Sequence[float] | None = None,
    line: Sequence[Sequence[float]] | None = None, seed: int = 0, revision: Seen, author: str, desk: Desk,
) -> Edited:  # fmt: skip
    """A grid in `parts` contiguous parts of about equal load, in proportion to `posts`, or along a drawn `line`
    (longitude, latitude). One part keeps the code, the others get new ones; with `posts` each has its own. It is the
    first part, unless only another one lies mostly in the area that the code begins with."""
    draft = begin(session, desk, plan, revision)
    g, what = draft.grids.index(grid), {"of": grid, "parts": parts}
    if line is not None:
        found = editing.split_by_line(draft.partition, g, _in_metres(session, draft, line))
    else:
        weight, rng = balance_weight(draft), np.random.default_rng(seed)
        share = list(posts) if posts is not None else None
        found = editing.split(draft.partition, g, weight, parts, rng, posts=share)
    change, at = Change("split", what=what), _at_home(draft, g, found)
    if posts is not None:
        own = np.array(posts, np.float64)
        i = max(0, at - len(draft.grids) + 1)
        own[[0, i]] = own[[i, 0]]
        change = replace(
            change,
            more=replace(Grids.fresh(len(own) - 1), posts=own[1:]),
            grids={g: {"posts": float(own[0])}},
        )
    return _reshape(session, desk, draft, change, _exchanged(found.grid, g, at), author)


def _at_home(draft: Draft, g: int, found: Partition) -> int:
    """Which part of the split grid g keeps its code: the first that lies mostly in the area its code begins with, or g."""
    known = parse(draft.grids.codes[g], draft.row.template)
    numbers = np.array([g, *range(len(draft.grids), found.k)], np.int64)
    mains = part_of(found, numbers).areas_of()
    for number, areas in zip(numbers, mains, strict=True):
        if known is not None and areas and draft.partition.graph.area_codes[areas[0]] == known.area:
            return int(number)
    return g


def _exchanged(grid: Ints, a: int, b: int) -> Ints:
    """Two grids with their numbers exchanged."""
    return np.where(grid == a, b, np.where(grid == b, a, grid))


def merge(
    session: Session, plan: int | str, grid: str, other: str, *, revision: Seen, author: str, desk: Desk
) -> Edited:
    """Gives all ground of `other`, which lies beside `grid`, to it; the posts of both stay together."""
    draft = begin(session, desk, plan, revision)
    a, b = draft.grids.index(grid), draft.grids.index(other)
    found = editing.merge(draft.partition, a, b)
    both = float(draft.grids.posts[a] + draft.grids.posts[b])
    change = Change("merge", what={"of": grid, "other": other})
    if draft.grids.posts[a] != 1 or draft.grids.posts[b] != 1:
        change = replace(change, grids={a: {"posts": both}})
    return _reshape(session, desk, draft, change, found.grid, author)


def fix(
    session: Session, plan: int | str, grid: str, *, tolerance: float | None = None, seed: int = 0,
    revision: Seen, author: str, desk: Desk,
) -> Edited:  # fmt: skip
    """Puts one grid right (pieces, balance, outline), touching only it and the grids beside it."""
    draft = begin(session, desk, plan, revision)
    g = draft.grids.index(grid)
    refusing.check_open_to_change(draft, g)
    partition = draft.partition
    locked = np.append(draft.grids.locked, False)[partition.grid]
    problem = Problem(
        partition.graph, balance_weight(draft), len(draft.grids), tolerance or draft.row.tolerance,
        draft.row.nesting, draft.grids.posts, partition.grid, locked, seed,  # type: ignore[arg-type]
    ).counted()  # fmt: skip
    found = editing.fix(problem, g)
    return _reshape(session, desk, draft, Change("fix", what={"of": grid}), found.grid, author)


def balance_weight(draft: Draft) -> Floats:
    """The weight per unit that the draft is balanced by."""
    measured = draft.ledger.measured
    return np.asarray(measured.amount[0] / measured.scale[0], np.float64)


def _reshape(session: Session, desk: Desk, draft: Draft, change: Change, after: Ints, author: str) -> Edited:
    """Writes a new assignment as an act; numbers beyond the draft's grids become new ones, in their order."""
    flip = Flip.between(draft.partition.grid, after)
    refusing.check_unlocked(draft, flip)
    k, to = len(draft.grids), flip.to_grid.copy()
    fresh, place = np.unique(to[to >= k], return_inverse=True)
    to[to >= k] = k + place
    more = change.more if len(change.more) == len(fresh) else Grids.fresh(len(fresh))
    return write(session, desk, draft, replace(change, flip=Flip(flip.units, to), more=more), author)


def _in_metres(session: Session, draft: Draft, line: Sequence[Sequence[float]]) -> Floats:
    """A line in degrees as x, y of the unit graph, whose origin is told by any one unit."""
    graph = draft.partition.graph
    lon, lat = session.execute(
        text("SELECT ST_X(point), ST_Y(point) FROM unit WHERE id = :unit"), {"unit": int(graph.ids[0])}
    ).one()
    middle = lat - graph.y[0] / METRES_PER_DEGREE
    east = METRES_PER_DEGREE * float(np.cos(np.radians(middle)))
    west = lon - graph.x[0] / east
    at = np.asarray(line, np.float64)
    return np.column_stack([(at[:, 0] - west) * east, (at[:, 1] - middle) * METRES_PER_DEGREE])
