"""Undo and redo reach back over cuts: parts go where the unit they were would have gone, and stay parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import cutting, dividing
from geo.db import session as sessions
from geo.errors import Refused
from geo.settings import Settings
from grids import drafts, stored, units
from grids.drafts import Desk, Move
from tests.grids import small_plans

COLUMNS, ROWS, WIDTH = 4, 3, 2


@pytest.fixture(scope="module")
def ground(module_settings: Settings) -> Settings:
    """Twelve square units and the draft A, two units to a grid."""
    with sessions.session(module_settings) as session:
        ids = small_plans.town(session, COLUMNS, ROWS)
        small_plans.plan(session, "A", small_plans.strips(ids, COLUMNS, WIDTH))
    return module_settings


@pytest.fixture
def session(ground: Settings) -> Iterator[Session]:
    with Session(sessions.engine(ground, "owner"), expire_on_commit=False) as opened:
        yield opened
        opened.rollback()


def cut(session: Session, unit: str) -> list[str]:
    """The unit halved from west to east; the parts' codes."""
    wkb = session.scalar(text("SELECT ST_AsBinary(geom) FROM unit WHERE code = :c"), {"c": unit})
    west, south, east, north = shapely.from_wkb(bytes(wkb or b"")).bounds
    line = shapely.LineString([(west - 1e-4, (south + north) / 2), (east + 1e-4, (south + north) / 2)])

    def divide(alone: Any, others: Any) -> Any:
        return dividing.by_line(alone, others, np.array([line], dtype=object))

    return cutting.cut(session, unit, divide, least_m2=1.0).parts


def held(session: Session) -> dict[str, str | None]:
    """Unit → grid code of draft A, as stored."""
    plan = stored.read(session, stored.find(session, "A"), units.read(session))
    pairs = zip(plan.partition.graph.codes, plan.partition.grid.tolist(), strict=True)
    return {unit: plan.codes[g] if g >= 0 else None for unit, g in pairs}


def assert_drawn(session: Session) -> None:
    """Every grid's polygon is the union of the units it holds, and all together are the ground they cover."""
    shapes = {code: shapely.from_wkb(bytes(g)) for code, g in session.execute(
        text("SELECT code, ST_AsBinary(geom) FROM unit u WHERE NOT EXISTS (SELECT FROM unit k WHERE k.parent_id = u.id)")
    )}  # fmt: skip
    drawn = {code: shapely.from_wkb(bytes(g)) for code, g in session.execute(
        text("SELECT g.code, ST_AsBinary(g.geom) FROM grid g JOIN plan p ON p.id = g.plan_id WHERE p.name = 'A' "
             "AND g.geom IS NOT NULL"))}  # fmt: skip
    own = held(session)
    assert set(drawn) == {grid for grid in own.values() if grid}
    for code, polygon in drawn.items():
        union = shapely.union_all([shapes[unit] for unit, grid in own.items() if grid == code])
        assert polygon.symmetric_difference(union).area < 1e-14


class Planner:
    """Acts on draft A in one transaction, always with a desk that has seen nothing yet."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, act: Any, *given: Any) -> drafts.Edited:
        done: drafts.Edited = act(self.session, "A", *given, revision=None, author="甲", desk=Desk())
        return done


def test_an_act_before_the_cut_is_undone_for_both_parts(session: Session) -> None:
    act, before = Planner(session), held(session)
    unit, other = min(before), before[sorted(before)[2]]
    act(drafts.assign, [Move([unit], other)])
    parts = cut(session, unit)
    after = held(session)
    assert unit not in after and [after[part] for part in parts] == [other] * 2
    undone = act(drafts.undo)
    assert undone.units == 2
    assert held(session) == {u: g for u, g in before.items() if u != unit} | dict.fromkeys(
        parts, before[unit]
    )
    assert_drawn(session)
    act(drafts.redo)
    assert held(session) == after
    assert_drawn(session)


def test_parts_moved_after_the_cut_come_back_to_the_units_grid(session: Session) -> None:
    act, before = Planner(session), held(session)
    unit, other = min(before), before[sorted(before)[2]]
    parts = cut(session, unit)
    whole = held(session)
    act(drafts.assign, [Move([parts[0]], other)])
    act(drafts.assign, [Move([parts[1]], None)])
    act(drafts.undo)
    act(drafts.undo)
    assert held(session) == whole
    act(drafts.redo)
    assert held(session) == {**whole, parts[0]: other}
    assert_drawn(session)


def test_the_history_of_a_cut_unit_ends_where_the_draft_began(session: Session) -> None:
    """A cut is no act of the draft: it is not undone, and nothing is left to undo."""
    act, unit = Planner(session), sorted(held(session))[5]
    cut(session, unit)
    with pytest.raises(Refused):
        act(drafts.undo)
    assert unit not in held(session)


ACTS = st.lists(
    st.tuples(st.sampled_from(["assign", "new", "open", "cut", "undo", "undo", "redo"]), st.integers(0, 99), st.integers(0, 99)),
    min_size=4, max_size=9,
)  # fmt: skip


@hypothesis_settings(max_examples=8)
@given(ACTS)
def test_any_acts_and_cuts_equal_states_on_a_pile(ground: Settings, acts: list[tuple[str, int, int]]) -> None:
    """The naive model: whole states by unit, piled up; a cut replaces the unit by its parts in every one of them."""
    with Session(sessions.engine(ground, "owner"), expire_on_commit=False) as session:
        act = Planner(session)
        pile, at = [held(session)], 0
        for what, a, b in acts:
            now = pile[at]
            unit = sorted(now)[a % len(now)]
            if what == "cut":
                if len(now) > COLUMNS * ROWS + 2:
                    continue
                parts = cut(session, unit)
                pile = [
                    {u: g for u, g in state.items() if u != unit} | dict.fromkeys(parts, state[unit])
                    for state in pile
                ]
            elif what in ("undo", "redo"):
                to = at + (1 if what == "redo" else -1)
                if 0 <= to < len(pile):
                    act(getattr(drafts, what))
                    at = to
                else:
                    with pytest.raises(Refused):
                        act(getattr(drafts, what))
            else:
                codes = sorted({g for g in now.values() if g})
                to_grid = {"assign": codes[b % len(codes)], "new": "new", "open": None}[what]
                if now[unit] != to_grid:
                    done = act(drafts.assign, [Move([unit], to_grid)])
                    made = [g.code for g in done.grids if g.code not in codes] if what == "new" else [to_grid]
                    pile = [*pile[: at + 1], {**now, unit: made[0]}]
                    at += 1
            assert held(session) == pile[at]
        assert_drawn(session)
        session.rollback()
