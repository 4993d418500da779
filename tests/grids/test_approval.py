"""Who may put a plan into force, and when: one plan at any instant, whatever two planners do at once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import etl.units
from geo.db import session as sessions
from geo.errors import Conflict, NotFound, Refused, RefusedArgument
from geo.settings import Settings
from grids import drafts, plans, proposals, stored

Insert = Callable[..., int]
DAY = dt.timedelta(days=1)


@pytest.fixture
def city(settings: Settings, insert_areas: Insert) -> Settings:
    """Two communities with a few units and four drafts A–D."""
    with sessions.session(settings) as s:
        areas = {
            f"42010600100{i}": shapely.box(114.3 + i * 0.005, 30.5, 114.305 + i * 0.005, 30.504)
            for i in (1, 2)
        }
        insert_areas(s, "community", areas, rank=4)
        etl.units.build(s, target_area_m2=12_000)
        for name in "ABCD":
            proposals.propose(s, name=name, grids=4, weight="area", seed=ord(name)).plan_ids[0]
    return settings


def test_exactly_one_of_two_approvals_at_once_wins(city: Settings) -> None:
    today = dt.date.today()
    with sessions.session(city) as s:
        plans.approve(s, "A", today - 100 * DAY)
    outcomes: dict[str, Any] = {}
    start = threading.Barrier(2)

    def run(name: str) -> None:
        try:
            with sessions.session(city) as s:
                stored.find(s, name)
                start.wait()
                outcomes[name] = plans.approve(s, name, today + DAY)
        except Conflict as problem:
            outcomes[name] = problem

    threads = [threading.Thread(target=run, args=(name,)) for name in "BC"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [name for name, outcome in outcomes.items() if not isinstance(outcome, Conflict)]
    lost = [outcome for outcome in outcomes.values() if isinstance(outcome, Conflict)]
    assert len(won) == len(lost) == 1
    assert won[0] in str(lost[0]) and lost[0].code == "plan-conflict"
    with sessions.session(city) as s:
        held = {p.name: (p.valid_from, p.valid_to) for p in plans.listing(s) if p.state == "approved"}
    assert held == {"A": (today - 100 * DAY, today + DAY), won[0]: (today + DAY, None)}


def test_the_constraint_stands_behind_the_lock(city: Settings) -> None:
    with sessions.session(city) as s:
        plans.approve(s, "A", dt.date(2020, 1, 1))
    with pytest.raises(IntegrityError), sessions.session(city) as s:
        s.execute(text("UPDATE plan SET state = 'approved', during = '[2021-01-01,)' WHERE name = 'B'"))


def test_a_chain_of_plans_and_a_withdrawal(city: Settings) -> None:
    today = dt.date.today()
    with sessions.session(city) as s:
        plans.approve(s, "A", dt.date(2020, 1, 1))
        plans.approve(s, "B", today + 30 * DAY)
        plans.approve(s, "C", today + 10 * DAY)  # between A and B
        held = {p.name: (p.valid_from, p.valid_to) for p in plans.listing(s) if p.state == "approved"}
        assert held == {
            "A": (dt.date(2020, 1, 1), today + 10 * DAY),
            "C": (today + 10 * DAY, today + 30 * DAY),
            "B": (today + 30 * DAY, None),
        }
        plans.withdraw(s, "C")
        held = {p.name: (p.valid_from, p.valid_to) for p in plans.listing(s) if p.state == "approved"}
        assert held == {"A": (dt.date(2020, 1, 1), today + 30 * DAY), "B": (today + 30 * DAY, None)}
        with pytest.raises(Conflict, match="has started"):
            plans.withdraw(s, "A")
        with pytest.raises(Conflict, match="not a draft"):
            plans.approve(s, "C", today + DAY)
        with pytest.raises(Conflict, match="not approved"):
            plans.withdraw(s, "D")


def test_history_is_not_rewritten(city: Settings) -> None:
    with sessions.session(city) as s:
        plans.approve(s, "A", dt.date(2020, 1, 1))
        with pytest.raises(Refused) as refused:
            plans.approve(s, "B", dt.date.today() - 2 * DAY)
        assert refused.value.code == "plan-date"


def test_the_same_day_twice_is_a_conflict(city: Settings) -> None:
    with sessions.session(city) as s:
        plans.approve(s, "A", dt.date.today() + 5 * DAY)
        with pytest.raises(Conflict, match="'A' was approved first"):
            plans.approve(s, "B", dt.date.today() + 5 * DAY)


def test_a_plan_with_a_gap_is_refused_with_the_units(city: Settings) -> None:
    with sessions.session(city) as s:
        plan = stored.find(s, "A")
        s.execute(
            text("INSERT INTO plan_unit (plan_id, unit_id, revision, grid_id) VALUES (:p, 1, 1, NULL)"),
            {"p": plan.id},
        )
        with pytest.raises(Refused) as refused:
            plans.approve(s, "A", dt.date.today())
        assert refused.value.code == "grid-gap" and refused.value.http_status == 422
        gap = refused.value.facts["gap"]
        assert gap["units"] == 1 and gap["geometry"]["type"] in ("Polygon", "MultiPolygon")
        first = refused.value.facts["violations"][0]
        assert (first.code, first.measured, first.allowed) == (
            "incomplete",
            1,
            0,
        ) and "420106001001001" in first.en


def test_a_grid_in_two_pieces_is_refused(city: Settings) -> None:
    with sessions.session(city) as s:
        rows = s.execute(
            text("SELECT u.unit_id, u.grid_id, g.code, g.area_code FROM plan_unit u JOIN grid g ON g.id = u.grid_id "
                 "JOIN plan p ON p.id = u.plan_id WHERE p.name = 'A' ORDER BY u.unit_id")
        ).all()  # fmt: skip
        one = rows[0]
        far = next(r for r in reversed(rows) if r.area_code == one.area_code and r.grid_id != one.grid_id)
        s.execute(
            text(
                "INSERT INTO plan_unit (plan_id, unit_id, revision, grid_id) SELECT id, :u, 1, :g FROM plan WHERE name = 'A'"
            ),
            {"u": far.unit_id, "g": one.grid_id},
        )
        codes = {v.code for v in plans.check(s, "A")}
        assert codes == {"not-contiguous"}


def test_codes_of_approved_grids_are_never_given_to_other_ground(city: Settings) -> None:
    with sessions.session(city) as s:
        plans.approve(s, "A", dt.date(2020, 1, 1))
        proposals.propose(s, name="E", grids=11, weight="area").plan_ids[0]
        before = dict(iter_rows(s, "A"))
        after = dict(iter_rows(s, "E"))
        shared = set(before) & set(after)
        for code in shared:  # a kept code stands on mostly the same ground
            assert before[code].intersection(after[code]).area > 0.5 * max(
                before[code].area, after[code].area
            )
        assert len(after) == 11


def test_a_plan_with_merged_grids_is_recoded_when_it_is_approved(city: Settings) -> None:
    """The grid merged away keeps a code for its history; approval may give that code to another grid's ground."""
    with sessions.session(city) as s:
        plans.approve(s, "A", dt.date(2020, 1, 1))
        made = 0
        for name in "BCD":
            draft = stored.find(s, name)
            codes = s.scalars(
                text("SELECT code FROM grid WHERE plan_id = :p ORDER BY code"), {"p": draft.id}
            ).all()
            gone = next(code for code in codes if code.endswith("001"))
            same = [code for code in codes if code[:-3] == gone[:-3] and code != gone]
            if not same:
                continue
            drafts.merge(s, name, same[0], gone, revision=None, author="t", desk=drafts.Desk())
            plans.approve(s, name, dt.date(2090 + made, 1, 1))
            made += 1
            rows = s.execute(
                text("SELECT code, geom IS NOT NULL FROM grid WHERE plan_id = :p"), {"p": draft.id}
            ).all()
            standing = [code for code, stands in rows if stands]
            assert len(rows) == 4 and len(standing) == 3 and not any(code.startswith("~") for code, _ in rows)
        assert made


def iter_rows(s: Session, plan: str) -> list[tuple[str, Any]]:
    rows = s.execute(
        text(
            "SELECT g.code, ST_AsBinary(g.geom) FROM grid g JOIN plan p ON p.id = g.plan_id WHERE p.name = :n"
        ),
        {"n": plan},
    )
    return [(code, shapely.from_wkb(bytes(geom))) for code, geom in rows]


def test_names_and_ids(city: Settings) -> None:
    with sessions.session(city) as s:
        assert stored.find(s, "A").id == stored.find(s, stored.find(s, "A").id).id
        for wrong in ("", " A", "12", "current", "as-of:2020-01-01", "A", "x" * 81):
            with pytest.raises(RefusedArgument):
                proposals.propose(s, name=wrong, grids=4, weight="area").plan_ids[0]
        with pytest.raises(NotFound, match="plan list"):
            plans.show(s, "nobody")
        with pytest.raises(NotFound):
            plans.show(s, "99999999999999999999")


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({}, "grids-or-per-grid"),
        ({"grids": 4, "per_grid": 3.0}, "grids-or-per-grid"),
        ({"grids": 0}, "grids-number"),
        ({"per_grid": -1.0}, "grids-number"),
        ({"per_grid": float("nan")}, "grids-number"),
        ({"grids": 1}, "too-few-grids"),
        ({"grids": 100_000}, "too-many-grids"),
        ({"grids": 4, "weight": "people"}, "weight-unknown"),
        ({"grids": 4, "weight": "cases"}, "weight-empty"),
        ({"grids": 4, "nest": "loose"}, "nesting"),
    ],
)
def test_impossible_wishes(city: Settings, wish: dict[str, Any], code: str) -> None:
    with sessions.session(city) as s, pytest.raises(RefusedArgument) as refused:
        proposals.propose(s, **{"name": "x", "weight": "area", **wish}).plan_ids[0]
    assert refused.value.code == code


def test_a_wish_for_the_average_never_asks_for_too_few_grids(city: Settings) -> None:
    with sessions.session(city) as s:
        plan = proposals.propose(s, name="x", per_grid=1e12, weight="area").plan_ids[0]
        assert plans.show(s, plan).grids == 2 and plans.check(s, plan) == []
        with pytest.raises(RefusedArgument):
            plans.score(s, plan, "area", tolerance=float("nan"))


def test_nesting_modes(city: Settings) -> None:
    with sessions.session(city) as s:
        for nest in ("soft", "free"):
            plan = proposals.propose(s, name=nest, grids=1, weight="area", nest=nest).plan_ids[0]
            assert plans.check(s, plan) == []
            assert plans.score(s, plan, "area").crossing == 1
