"""`/api/plans/{plan}/units` and beside it: the acts of a planner on a draft, each answered with what it changed.

Every act names the state it was decided on, `revision` in the body (stale: 409) or `If-Match` (stale: 412).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from api import answers, writes
from api.dependencies import TheService
from api.routers import shown
from api.routers.draft_bodies import Begin, Fix, Lock, Merge, Posts, Rename, Seen, Setting, Split, UnitMoves
from api.schemas import Plain
from api.shapes import drafts as promised
from api.shapes.plans import PlanBegun
from api.writes import TheWrite, Write
from geo.areas import CITY
from grids import drafts
from grids.drafts import Edited, Move, PlanRow

router = APIRouter(prefix="/api/plans", tags=["drafts"])
NoQuery = Annotated[Plain, Query()]


@router.post("", summary="Begin a draft", response_model=PlanBegun, status_code=201)
def begin(_: NoQuery, given: Begin, service: TheService, write: TheWrite) -> answers.Answer:
    """A new draft like another plan (by default the one in force), or an empty one."""

    def effect(session: Session) -> answers.Answer:
        if given.empty:
            plan = drafts.empty(session, given.name, write.who, given.nesting or "strict")
        else:
            origin = shown.plan(service, session, given.like, "exact")
            plan = drafts.copy(session, origin.id, given.name, write.who)
            plan.nesting = given.nesting or plan.nesting
            session.flush()
        found = {"id": plan.id, "name": plan.name, "state": plan.state, "revision": plan.revision}
        return answers.json(
            found, etag=writes.validator(plan), status=201, headers={"location": f"/api/plans/{plan.id}"}
        )

    return write.once(effect, CITY)


@router.patch("/{plan}/units", summary="Give units to grids", response_model=promised.Edited)
def assign(_: NoQuery, plan: str, given: UnitMoves, service: TheService, write: TheWrite) -> answers.Answer:
    """One or several moves as one act: to a grid by its code, to a `new` grid, or (null) to none."""
    moves = [Move(move.units, move.to_grid) for move in given.all_moves()]
    return _edit(service, write, plan, given, drafts.assign, moves)


@router.post("/{plan}/split", summary="Split a grid", response_model=promised.Edited)
def split(_: NoQuery, plan: str, given: Split, service: TheService, write: TheWrite) -> answers.Answer:
    """Into contiguous parts of equal load, in proportion to posts, or along a line in longitude and latitude."""
    more = {"parts": given.parts, "posts": given.posts, "line": given.line, "seed": given.seed}
    if given.posts is not None:
        more["parts"] = len(given.posts)
    return _edit(service, write, plan, given, drafts.split, given.grid, **more)


@router.post("/{plan}/merge", summary="Merge two grids beside each other", response_model=promised.Edited)
def merge(_: NoQuery, plan: str, given: Merge, service: TheService, write: TheWrite) -> answers.Answer:
    """`grid` keeps its code and gets the ground of `other`."""
    return _edit(service, write, plan, given, drafts.merge, given.grid, given.other)


@router.post("/{plan}/fix", summary="Put one grid right", response_model=promised.Edited)
def fix(_: NoQuery, plan: str, given: Fix, service: TheService, write: TheWrite) -> answers.Answer:
    """Pieces, balance and outline, touching only the grid and those beside it."""
    more = {"tolerance": given.tolerance, "seed": given.seed}
    return _edit(service, write, plan, given, drafts.fix, given.grid, **more)


@router.post("/{plan}/undo", summary="Take the latest act back", response_model=promised.Edited)
def undo(_: NoQuery, plan: str, given: Seen, service: TheService, write: TheWrite) -> answers.Answer:
    """Without limit; an act itself, so nothing is lost."""
    return _edit(service, write, plan, given, drafts.undo)


@router.post("/{plan}/redo", summary="Do again what was undone last", response_model=promised.Edited)
def redo(_: NoQuery, plan: str, given: Seen, service: TheService, write: TheWrite) -> answers.Answer:
    """As long as no new act came after the undo."""
    return _edit(service, write, plan, given, drafts.redo)


@router.post("/{plan}/lock", summary="Lock grids, or unlock them", response_model=promised.Edited)
def lock(_: NoQuery, plan: str, given: Lock, service: TheService, write: TheWrite) -> answers.Answer:
    """The ground of a locked grid is changed by no edit and no search."""
    return _edit(service, write, plan, given, drafts.lock, given.grids, locked=given.locked)


@router.post("/{plan}/posts", summary="Staff grids", response_model=promised.Edited)
def posts(_: NoQuery, plan: str, given: Posts, service: TheService, write: TheWrite) -> answers.Answer:
    """Posts by grid code; a grid's fair load is in proportion to its posts."""
    return _edit(service, write, plan, given, drafts.posts, given.posts)


@router.post("/{plan}/rename", summary="Rename a grid", response_model=promised.Edited)
def rename(_: NoQuery, plan: str, given: Rename, service: TheService, write: TheWrite) -> answers.Answer:
    """Its name, its code, or both."""
    return _edit(service, write, plan, given, drafts.rename, given.grid, name=given.name, code=given.code)


@router.post("/{plan}/settings", summary="What the draft is judged by", response_model=promised.Edited)
def settings(_: NoQuery, plan: str, given: Setting, service: TheService, write: TheWrite) -> answers.Answer:
    """Nesting, bands, weights (the first balances the draft) and tolerance."""
    named = ("nesting", "bands", "weights", "tolerance")
    more = {name: getattr(given, name) for name in named}
    return _edit(service, write, plan, given, drafts.configure, **more)


def _edit(
    service: TheService,
    write: Write,
    plan: str,
    given: Seen,
    act: Callable[..., Edited],
    *with_: Any,
    **more: Any,
) -> answers.Answer:
    """Runs an act on the draft in one transaction; what it changed is the answer, the new state its ETag."""

    def effect(session: Session) -> answers.Answer:
        ref = shown.plan(service, session, plan, "exact")
        seen = _check_of(write, given.revision)
        done = act(session, ref.id, *with_, revision=seen, author=write.who, desk=service.desk, **more)
        return answers.json(done, etag=f"r{done.revision}.{answers.etag(done.plan, done.revision)}")

    return write.once(effect, CITY)


def _check_of(write: Write, revision: int | None) -> Callable[[Session, PlanRow], None]:
    """The check of the locked plan against the state that the caller has seen."""

    def check(session: Session, row: PlanRow) -> None:
        if write.if_match is not None and not writes.matches(write.if_match, row.revision):
            error = drafts.stale(session, row, _seen(write.if_match))
            error.field, error.http_status = "If-Match", 412  # type: ignore[misc]
            raise error
        if revision is not None and revision != row.revision:
            raise drafts.stale(session, row, revision)
        if revision is None and write.if_match is None:
            raise writes.unseen()

    return check


def _seen(if_match: str) -> int:
    """The revision that an ETag of ours names; 0 for a foreign one, so that everything is told."""
    word = if_match.split(",")[0].strip().removeprefix("W/").strip('"').partition(".")[0]
    number = word.removeprefix("r")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
