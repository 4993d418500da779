"""Rules: each finds what breaks it and names it; exceptions open some walls and never others."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.errors import Conflict, NotFound, Refused, RefusedArgument
from grids import banding, bands, exceptions, plans
from grids.constraints import NEVER_EXCEPTED, RULES
from tests.grids.small_plans import COMMUNITIES, copy, plan, strips, town

A, B = COMMUNITIES
TODAY = dt.date.today()


@pytest.fixture
def ids(db: Session) -> dict[str, int]:
    return town(db)


def rules(db: Session, name: str) -> set[str]:
    return {v.rule for v in plans.check(db, name)}


def test_a_sound_plan_breaks_nothing(db: Session, ids: dict[str, int]) -> None:
    plan(db, "p", strips(ids, 6, 3), nesting="strict")
    assert plans.checked(db, "p") == exceptions.Checked([], [], [])


def test_bands_measure_any_weight(db: Session, ids: dict[str, int]) -> None:
    plan(db, "p", strips(ids, 6, 3), nesting="strict")
    db.execute(
        text(
            "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) VALUES ('weights','h','','',now())"
        )
    )
    db.execute(
        text(
            "INSERT INTO weight SELECT 'households', id, CASE WHEN code = :c THEN 400 ELSE 100 END, "
            "(SELECT max(id) FROM load_run) FROM unit"
        ),
        {"c": f"{A}001"},
    )
    banding.set_bands(db, "p", bands.profile("urban"))
    found = plans.check(db, "p")
    assert [(v.rule, v.grid, v.measured, v.allowed) for v in found] == [
        ("band:households", f"{A}001", 600.0, [300.0, 500.0])
    ]
    assert "600" in found[0].zh and "500" in found[0].en and found[0].do_zh and found[0].do_en
    banding.set_bands(db, "p", dict([bands.parse("area=35000:")]), clear=True)
    assert {v.rule for v in plans.check(db, "p")} == {"band:area"} and len(plans.check(db, "p")) == 8
    banding.set_bands(db, "p", {"thinness": 0.7}, clear=True)
    assert rules(db, "p") == {"thin"}
    with pytest.raises(RefusedArgument, match="people"):
        banding.set_bands(db, "p", {"people": [1, 2]})


@pytest.mark.parametrize(
    "written",
    ["households", "households=3", "x=5:3", "x=:", "thinness=2", "x=nan:3", "x=-1:3", "thinness=a"],
)
def test_impossible_bands(written: str) -> None:
    with pytest.raises(RefusedArgument) as refused:
        bands.Bands.of(dict([bands.parse(written)]))
    assert refused.value.code == "bands"


def test_gaps_carry_count_and_area(db: Session, ids: dict[str, int]) -> None:
    given = strips(ids, 6, 3)
    for code in (f"{A}001", f"{A}002"):
        del given[code]
    plan(db, "p", given)
    (gap,) = plans.check(db, "p")
    assert (gap.code, gap.measured, gap.area_m2, gap.units) == (
        "incomplete",
        2,
        20_000.0,
        (f"{A}001", f"{A}002"),
    )
    with pytest.raises(Refused, match="area 20,000 m²") as refused:
        plans.approve(db, "p", TODAY)
    assert refused.value.code == "grid-gap" and refused.value.facts["gap"]["geometry"]["type"] == "Polygon"


def test_a_locked_grid_keeps_its_ground(db: Session, ids: dict[str, int]) -> None:
    first = plan(db, "p", strips(ids, 6, 3), nesting="strict")
    db.execute(
        text("UPDATE grid SET locked = true WHERE plan_id = :p AND code = :c"), {"p": first, "c": f"{A}001"}
    )
    plans.approve(db, first, dt.date(2020, 1, 1))
    second = copy(db, first, "q")
    assert plans.check(db, second) == []
    unit, grid = (
        ids[f"{A}003"],
        db.scalar(
            text("SELECT id FROM grid WHERE plan_id = :p AND code = :c"), {"p": second, "c": f"{A}002"}
        ),
    )
    db.execute(text("INSERT INTO plan_unit VALUES (:p, :u, 1, :g)"), {"p": second, "u": unit, "g": grid})
    (found,) = plans.check(db, second)
    assert (found.code, found.grid, found.units, found.measured) == ("locked", f"{A}001", (f"{A}003",), 1)


def test_exceptions_open_named_walls_only(db: Session, ids: dict[str, int]) -> None:
    given = strips(ids, 6, 3)
    given[f"{A}001"], given[f"{A}012"] = given[f"{A}012"], given[f"{A}001"]
    plan(db, "p", given)
    assert {(v.rule, v.grid) for v in plans.check(db, "p")} == {
        ("not-contiguous", f"{A}001"), ("not-contiguous", f"{A}004")
    }  # fmt: skip
    exceptions.allow(db, "p", rule="not-contiguous", grid=f"{A}001", reason="校园跨河")
    assert {v.grid for v in plans.check(db, "p")} == {f"{A}004"}
    with pytest.raises(Refused) as refused:
        plans.approve(db, "p", TODAY)
    assert refused.value.code == "plan-violations" and len(refused.value.facts["violations"]) == 1
    exceptions.allow(db, "p", rule="not-contiguous", reason="all of them")
    assert plans.check(db, "p") == [] and len(plans.checked(db, "p").excepted) == 2
    exceptions.take_back(db, "p", rule="not-contiguous")
    with pytest.raises(NotFound):
        exceptions.take_back(db, "p", rule="not-contiguous")
    exceptions.allow(db, "p", rule="not-contiguous", grid=f"{A}004", reason="也是")
    plans.approve(db, "p", TODAY)
    assert db.scalar(text("SELECT count(*) FROM plan_exception")) == 2
    told = db.scalar(text("SELECT what->'excepted' FROM audit WHERE act = 'plan.approve'"))
    assert sorted(told) == [["not-contiguous", f"{A}001"], ["not-contiguous", f"{A}004"]]
    with pytest.raises(Conflict, match="not a draft"):
        exceptions.allow(db, "p", rule="not-contiguous", reason="later")


@pytest.mark.parametrize("rule", sorted(NEVER_EXCEPTED))
def test_what_no_reason_opens(db: Session, ids: dict[str, int], rule: str) -> None:
    plan(db, "p", strips(ids, 6, 3))
    with pytest.raises(Refused) as refused:
        exceptions.allow(db, "p", rule=rule, reason="please")
    assert refused.value.code == "rule-never-excepted" and rule in RULES


def test_wrong_exceptions(db: Session, ids: dict[str, int]) -> None:
    plan(db, "p", strips(ids, 6, 3))
    for wish, code in (
        ({"rule": "nonsense", "reason": "x"}, "rule-unknown"),
        ({"rule": "band:households", "reason": "x"}, "rule-unknown"),  # the plan has no such band
        ({"rule": "not-nested", "reason": "  "}, "exception-reason"),
        ({"rule": "not-nested", "reason": "x", "grid": "nobody"}, "grid-unknown"),
    ):
        with pytest.raises(RefusedArgument) as refused:
            exceptions.allow(db, "p", **wish)  # type: ignore[arg-type]
        assert refused.value.code == code
