"""Acts on drafts in a real database: what changes, what is refused, what can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.units
from geo.db import session as sessions
from geo.errors import Conflict, NotFound, Refused
from geo.settings import Settings
from grids import drafts, plans, proposals, stored, units
from grids.drafts import Desk, Move
from grids.drafts.ground import read_ground
from grids.ledger import Ledger
from grids.partition import Partition

Insert = Callable[..., int]
AREAS = {f"42010600100{i}": shapely.box(114.3 + i * 0.005, 30.5, 114.305 + i * 0.005, 30.504) for i in (1, 2)}
A = "author"


@pytest.fixture
def city(settings: Settings, insert_areas: Insert) -> Settings:
    """Two communities of about 20 units each and the draft A of six grids."""
    with sessions.session(settings) as s:
        insert_areas(s, "community", AREAS, rank=4)
        etl.units.build(s, target_area_m2=12_000)
        proposals.propose(s, name="A", grids=6, weight="area", seed=1).plan_ids[0]
    return settings


class Hand:
    """A planner with a desk: acts on draft A and commits."""

    def __init__(self, settings: Settings, name: str = "甲") -> None:
        self.settings, self.name, self.desk = settings, name, Desk()

    def __call__(self, act: Callable[..., Any], *given: Any, revision: int | None = None, **more: Any) -> Any:
        with sessions.session(self.settings) as s:
            return act(s, "A", *given, revision=revision, author=self.name, desk=self.desk, **more)

    def assign(self, *moves: Move, **more: Any) -> drafts.Edited:
        return self(drafts.assign, moves, **more)  # type: ignore[no-any-return]

    def draft(self) -> drafts.Draft:
        with sessions.session(self.settings) as s:
            return self.desk.open(s, "A")


def state(settings: Settings) -> dict[str, Any]:
    """Everything that an undo must bring back, from the database."""
    with sessions.session(settings) as s:
        plan = stored.find(s, "A")
        held = stored.read(s, plan, units.read(s))
        rows = s.execute(
            text("SELECT code, name, posts, locked, area_code, area_m2, perimeter_m, ST_AsBinary(geom) AS geom "
                 "FROM grid WHERE plan_id = :p AND geom IS NOT NULL ORDER BY code"), {"p": plan.id},
        ).all()  # fmt: skip
        return {
            "grid": [held.codes[g] if g >= 0 else None for g in held.partition.grid.tolist()],
            "rows": [(*r[:-1], bytes(r.geom)) for r in rows],
            "plan": (plan.nesting, plan.bands, plan.settings),
        }


def same_as_fresh(hand: Hand) -> None:
    """What lies on the desk is what a new desk reads, and what the polygons are."""
    kept, fresh = hand.draft(), Hand(hand.settings).draft()
    assert kept.grids.codes == fresh.grids.codes and kept.log == fresh.log and kept.row == fresh.row
    assert kept.grids.ids.tolist() == fresh.grids.ids.tolist()
    for name in ("sums", "units", "cuts", "pieces", "areas", "main_area"):
        assert np.array_equal(getattr(kept.ledger, name), getattr(fresh.ledger, name)), name
    assert np.array_equal(kept.partition.grid, fresh.partition.grid)
    with sessions.session(hand.settings) as s:
        shapes = {
            i: shapely.from_wkb(bytes(g))
            for i, g in s.execute(text("SELECT id, ST_AsBinary(geom) FROM unit"))
        }
        rows = s.execute(text("SELECT code, ST_AsBinary(geom) FROM grid g JOIN plan p ON p.id = g.plan_id "
                              "WHERE p.name = 'A' AND geom IS NOT NULL")).all()  # fmt: skip
    assert {r.code for r in rows} == set(fresh.grids.codes)
    for code, wkb in rows:
        members = fresh.ground.graph.ids[fresh.partition.grid == fresh.grids.codes.index(code)].tolist()
        union = shapely.union_all([shapes[i] for i in members])
        assert shapely.from_wkb(bytes(wkb)).symmetric_difference(union).area < 1e-13


def border_unit(draft: drafts.Draft) -> tuple[str, str, str]:
    """(a unit, its grid, a neighbouring grid of the same community)."""
    graph, grid = draft.partition.graph, draft.partition.grid
    for u in range(graph.n):
        for v in graph.indices[graph.indptr[u] : graph.indptr[u + 1]].tolist():
            if grid[u] != grid[v] and graph.area[u] == graph.area[v] and draft.ledger.units[grid[u]] > 2:
                return graph.codes[u], draft.grids.codes[grid[u]], draft.grids.codes[grid[v]]
    raise AssertionError


def test_an_edit_answers_what_changed_and_undo_brings_everything_back(city: Settings) -> None:
    hand = Hand(city)
    before = state(city)
    unit, source, target = border_unit(hand.draft())
    done = hand.assign(Move([unit], target), revision=0)
    assert (done.revision, done.act, done.units, done.removed) == (1, "assign", 1, [])
    assert {g.code for g in done.grids} == {source, target}
    assert done.score.open_units == 0 and done.can_undo and not done.can_redo
    after = state(city)
    assert after["grid"].count(target) == before["grid"].count(target) + 1
    same_as_fresh(hand)
    undone = hand(drafts.undo, revision=1)
    assert (undone.revision, undone.undoes) == (2, 1) and state(city) == before
    redone = hand(drafts.redo, revision=2)
    assert (redone.revision, redone.undoes) == (3, 2) and state(city) == after
    same_as_fresh(hand)


def test_new_grids_merges_splits_and_fixes_are_single_acts(city: Settings) -> None:
    hand = Hand(city)
    states = [state(city)]
    draft = hand.draft()
    unit, source, target = border_unit(draft)
    made = hand.assign(Move([unit], "new"))
    (new,) = {g.code for g in made.grids} - {source}
    assert new not in draft.grids.codes and made.score.grids == 7
    states.append(state(city))
    merged = hand(drafts.merge, source, target)
    assert merged.removed == [target] and [g.code for g in merged.grids] == [source]
    states.append(state(city))
    parted = hand(drafts.split, source, parts=3)
    assert len(parted.grids) == 3 and all(g.contiguous for g in parted.grids)
    assert target not in {g.code for g in parted.grids}, "an emptied grid's code is not given again"
    states.append(state(city))
    hand(drafts.fix, source)
    same_as_fresh(hand)
    last = len(hand.draft().log.done)
    for _ in range(last - 3):
        hand(drafts.undo)
    for expected in reversed(states[:-1]):
        hand(drafts.undo)
        assert state(city) == expected
    with pytest.raises(Refused) as refused:
        hand(drafts.undo)
    assert refused.value.code == "nothing-to-undo"
    for expected in states[1:]:
        hand(drafts.redo)
        assert state(city) == expected
    same_as_fresh(hand)


def test_a_new_act_ends_what_could_be_redone(city: Settings) -> None:
    hand = Hand(city)
    unit, _, target = border_unit(hand.draft())
    hand.assign(Move([unit], target))
    hand(drafts.undo)
    assert not hand.assign(Move([unit], None)).can_redo
    with pytest.raises(Refused, match="nothing to redo"):
        hand(drafts.redo)
    assert hand.draft().log.done == (3,)


def test_locks_posts_names_and_settings_are_acts_too(city: Settings) -> None:
    hand = Hand(city)
    before = state(city)
    unit, source, target = border_unit(hand.draft())
    hand(drafts.lock, [source])
    with pytest.raises(Refused) as refused:
        hand.assign(Move([unit], target))
    assert refused.value.code == "grid-locked" and source in refused.value.en
    with pytest.raises(Refused):
        hand(drafts.fix, source)
    hand(drafts.lock, [source], locked=False)
    staffed = hand(drafts.posts, {source: 2.0})
    assert staffed.grids[0].posts == 2.0 and staffed.grids[0].deviation is not None
    renamed = hand(drafts.rename, source, name="新名", code="420106001001901")
    assert (renamed.grids[0].code, renamed.grids[0].name) == ("420106001001901", "新名")
    with pytest.raises(Refused) as refused:
        hand(drafts.rename, target, code="420106001001901")
    assert refused.value.code == "code-taken"
    same_as_fresh(hand)
    changed = hand(drafts.configure, nesting="free", weights=["area"], tolerance=0.3)
    assert changed.score.weight == "area" and changed.score.tolerance == 0.3
    same_as_fresh(hand)
    assert hand(drafts.rename, target, name="不变").revision == 6
    idle = hand(drafts.rename, target, name="不变")
    assert idle.revision == 6 and idle.at is None
    for _ in range(6):
        hand(drafts.undo)
    assert state(city) == before


def test_an_edit_says_which_changed_grids_leave_the_bands(city: Settings) -> None:
    """As `plan check` would, for the grids that changed; undoing the band ends it."""
    hand = Hand(city)
    hand(drafts.configure, bands={"area": [1.0, 1e9]})
    draft = hand.draft()
    a, b = draft.grids.codes[:2]
    giver = np.flatnonzero(draft.partition.grid == 0)[:1]
    unit = draft.ground.graph.codes[int(giver[0])]
    assert "band" not in {v.code for v in hand.assign(Move((unit,), b)).violations}
    hand(drafts.undo)
    hand(drafts.configure, bands={"area": [1.0, 20_000.0]})
    done = hand.assign(Move((unit,), b))
    told = {v.grid: v for v in done.violations if v.code == "band"}
    loads = {grid.code: grid.loads["area"] for grid in done.grids}
    assert told and all(loads[g] > 20_000 and v.measured == pytest.approx(loads[g]) for g, v in told.items())
    assert {g for g in (a, b) if loads.get(g, 0) > 20_000} == set(told)


def test_a_stale_revision_is_told_who_when_and_what(city: Settings) -> None:
    first, second = Hand(city, "张三"), Hand(city, "李四")
    unit, source, target = border_unit(second.draft())
    first.assign(Move([unit], target), revision=0)
    with pytest.raises(Conflict) as stale:
        second.assign(Move([unit], None), revision=0)
    told = stale.value
    assert told.code == "stale-revision" and told.http_status == 409
    assert "张三" in told.zh and "张三" in told.en and unit in told.en and source in told.en
    assert told.facts["revision"] == 1 and told.facts["changed"]["units"] == [unit]
    done = second.assign(Move([unit], None), revision=1)
    assert done.revision == 2 and done.score.open_units == 1
    same_as_fresh(first)
    same_as_fresh(second)
    with pytest.raises(Conflict):
        second.assign(Move([unit], target), revision=9)


def test_units_and_grids_that_are_not_there_are_named(city: Settings) -> None:
    hand = Hand(city)
    unit, source, target = border_unit(hand.draft())
    for moves, code, named in (
        ([Move(["U9"], target)], "unit-unknown", "U9"),
        ([Move([2**40], target)], "unit-unknown", str(2**40)),
        ([Move([unit], "X1")], "grid-unknown", "X1"),
        ([Move([unit], target), Move([unit], source)], "grid-overlap", unit),
    ):
        with pytest.raises(Refused) as refused:
            hand.assign(*moves)
        assert refused.value.code == code and named in refused.value.en and named in refused.value.zh
    assert hand.draft().revision == 0
    with pytest.raises(NotFound), sessions.session(city) as s:
        drafts.undo(s, "nobody", revision=None, author=A, desk=Desk())


def test_an_approved_plan_is_immutable(city: Settings) -> None:
    import datetime as dt

    hand = Hand(city)
    unit, _, target = border_unit(hand.draft())
    with sessions.session(city) as s:
        plans.approve(s, "A", dt.date(2024, 1, 1))
    with pytest.raises(Conflict) as refused:
        hand.assign(Move([unit], target))
    assert refused.value.code == "plan-immutable"


def test_what_an_engine_found_becomes_one_act(city: Settings) -> None:
    hand = Hand(city)
    before = state(city)
    with sessions.session(city) as s:
        held = stored.read(s, stored.find(s, "A"), units.read(s))
        grid = held.partition.grid.copy()
        grid[grid == 1] = 0
        grid[:2] = 7  # beyond the draft's six: a new grid, whatever its number
        found = drafts.apply(s, "A", 0, "rebalance", Partition(held.partition.graph, grid, 8), {"seed": 1}, A)
    assert found.act == "rebalance" and held.codes[1] in found.removed and found.score.grids == 6
    same_as_fresh(hand)
    hand(drafts.undo)
    assert state(city) == before


def test_nothing_stays_on_the_desk_of_an_edit_that_was_rolled_back(city: Settings) -> None:
    hand = Hand(city)
    unit, _, target = border_unit(hand.draft())
    with pytest.raises(ZeroDivisionError), sessions.session(city) as s:
        drafts.assign(s, "A", [Move([unit], target)], revision=0, author=A, desk=hand.desk)
        raise ZeroDivisionError
    assert hand.draft().revision == 0
    with sessions.session(city) as s:  # and several acts in one transaction follow each other
        for to in (target, None, target):
            drafts.assign(s, "A", [Move([unit], to)], revision=None, author=A, desk=hand.desk)
    assert hand.draft().revision == 3
    same_as_fresh(hand)


def test_a_desk_follows_units_and_weights(city: Settings, db: Session) -> None:
    hand = Hand(city)
    draft = hand.draft()
    with sessions.session(city) as s:
        run = s.scalar(text("INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) "
                            "VALUES ('weights', 'w', 'w.csv', '\\x00', now()) RETURNING id"))  # fmt: skip
        s.execute(text("INSERT INTO weight (\"column\", unit_id, value, load_run_id) "
                       "SELECT 'households', id, 7, :r FROM unit"), {"r": run})  # fmt: skip
        from geo.db.versions import bump

        bump(s, "weights")
    hand(drafts.configure, weights=["households", "area"])
    kept = hand.draft()
    assert kept.ledger.measured.names == ("households", "area")
    assert kept.ledger.loads[0].sum() == 7 * draft.partition.graph.n
    assert isinstance(kept.ledger, Ledger)
    same_as_fresh(hand)


def test_a_draft_is_what_is_stored(city: Settings) -> None:
    hand = Hand(city)
    code = hand.draft().grids.codes[0]
    hand(drafts.lock, [code])
    with sessions.session(city) as s:
        row = stored.find(s, "A")
        held, read = drafts.as_stored(hand.draft(), row), stored.read(s, row, units.read(s))
        assert held is not None
        assert (
            np.array_equal(held.partition.grid, read.partition.grid) and held.partition.k == read.partition.k
        )
        assert (held.grid_ids, held.codes, held.names) == (read.grid_ids, read.codes, read.names)
        assert np.array_equal(held.posts, read.posts) and np.array_equal(held.locked, read.locked)
        row.revision += 1
        assert drafts.as_stored(hand.draft(), row) is None, "another revision"
        s.rollback()


def test_many_who_open_a_draft_at_once_read_it_once(city: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, reads, meet = Desk(), [], Barrier(4)

    def counted(*given: Any) -> Any:
        reads.append(1)
        return read_ground(*given)

    monkeypatch.setattr("grids.drafts.desk.read_ground", counted)

    def look(_: int) -> Any:
        with sessions.session(city) as s:
            meet.wait(timeout=30)
            return desk.open(s, "A")

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(look, range(4)))
    assert len(reads) == 1
    assert len({id(one.ledger) for one in found}) == 1, "all look at the same books"
