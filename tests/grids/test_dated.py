"""What is approved stays; what was redrawn meanwhile is not undone by accident; changes are carried over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.errors import Conflict, RefusedArgument
from grids import constraints, drafts, plans, rebasing, stored, timeline, units
from tests.grids.small_plans import COMMUNITIES, copy, plan, strips, town

A, B = COMMUNITIES
DAY = dt.timedelta(days=1)
TODAY = dt.datetime.now(ZoneInfo("Asia/Shanghai")).date()  # the city's day, not the machine's


@pytest.fixture
def ids(db: Session) -> dict[str, int]:
    """Plan `p` of eight grids of three units each, in force since 2020."""
    found = town(db)
    plan(db, "p", strips(found, 6, 3), nesting="strict")
    plans.approve(db, "p", dt.date(2020, 1, 1))
    return found


def give(db: Session, ids: Mapping[str, int], which: str, unit: str, grid: str, revision: int = 1) -> None:
    """One unit to another grid, as an edit would write it (the grid's polygon is not looked at here)."""
    db.execute(
        text(
            "INSERT INTO plan_unit SELECT p.id, :u, :r, g.id FROM plan p JOIN grid g ON g.plan_id = p.id AND g.code = :g "
            "WHERE p.name = :n"
        ),
        {"n": which, "u": ids[unit], "g": grid, "r": revision},
    )


def grid_of(db: Session, which: str) -> dict[str, str]:
    return {row["unit"]: row["grid"] for row in plans.assignment(db, which)}


def test_plan_at_any_date(db: Session, ids: dict[str, int]) -> None:
    copy(db, "p", "q")
    plans.approve(db, "q", TODAY + 5 * DAY)
    for day, name in ((dt.date(2019, 12, 31), None), (dt.date(2020, 1, 1), "p"), (TODAY + 4 * DAY, "p"),
                      (TODAY + 5 * DAY, "q"), (dt.date(2199, 1, 1), "q")):  # fmt: skip
        found = plans.plan_at(db, day)
        assert (found.name if found else None) == name


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE grid SET name = 'x' WHERE plan_id = 1",
        "DELETE FROM plan_unit WHERE plan_id = 1 AND unit_id = 1",
        "UPDATE plan_unit SET grid_id = NULL WHERE plan_id = 1 AND unit_id = 1",
        "INSERT INTO plan_unit VALUES (1, 1, 7, NULL)",
        "INSERT INTO plan_edit (plan_id, revision, act, author) VALUES (1, 1, 'assign', 'x')",
        "INSERT INTO grid (plan_id, code, name, area_m2, perimeter_m) VALUES (1, 'x', 'x', 0, 0)",
        "UPDATE plan SET name = 'x' WHERE id = 1",
        "UPDATE plan SET nesting = 'free' WHERE id = 1",
        "UPDATE plan SET state = 'draft', during = NULL WHERE id = 1",
        "UPDATE plan SET during = '[2021-01-01,)' WHERE id = 1",
        "UPDATE plan SET approved_by = 'me' WHERE id = 1",
        "DELETE FROM plan WHERE id = 1",
    ],
)
def test_the_database_refuses_to_change_what_is_approved(
    db: Session, ids: dict[str, int], statement: str
) -> None:
    with pytest.raises(sqlalchemy.exc.DBAPIError) as refused, db.begin_nested():
        db.execute(text(statement))
    assert getattr(refused.value.orig, "sqlstate", None) == "WG001" and "immutable" in str(refused.value)


def test_drafts_change_and_go_as_ever(db: Session, ids: dict[str, int]) -> None:
    made = copy(db, "p", "q")
    give(db, ids, "q", f"{A}003", f"{A}002")
    db.execute(text("UPDATE grid SET name = 'x' WHERE plan_id = :p"), {"p": made})
    db.execute(text("DELETE FROM plan_unit WHERE plan_id = :p"), {"p": made})
    db.execute(text("DELETE FROM plan WHERE id = :p"), {"p": made})
    assert [p.name for p in plans.listing(db)] == ["p"]


def test_a_copy_is_the_same_plan(db: Session, ids: dict[str, int]) -> None:
    db.execute(text("UPDATE city SET name = 'x'"))
    made = copy(db, "p", "q", "planner")
    assert plans.assignment(db, "p") == plans.assignment(db, "q")
    row = stored.find(db, made)
    assert (row.state, row.based_on_id, row.author, row.nesting) == (
        "draft",
        stored.find(db, "p").id,
        "planner",
        "strict",
    )
    with pytest.raises(RefusedArgument, match="already a plan"):
        copy(db, "p", "q")
    again = copy(db, "q", "r")
    base = timeline.base_of(db, stored.find(db, again))
    assert base is not None and base.name == "p"


def test_a_draft_from_an_older_plan_does_not_undo_the_newer(db: Session, ids: dict[str, int]) -> None:
    for name in "ab":
        copy(db, "p", name)
    give(db, ids, "a", f"{A}003", f"{A}002")
    give(db, ids, "b", f"{B}003", f"{B}002")
    plans.approve(db, "a", TODAY + DAY, "Wang")
    with pytest.raises(Conflict, match="by Wang") as refused:
        plans.approve(db, "b", TODAY + 2 * DAY, "Li")
    assert (refused.value.code, refused.value.facts["winner"]["name"]) == ("plan-conflict", "a")
    assert "plan rebase" in refused.value.shell_en
    done = rebasing.rebase(db, "b", author="Li")
    assert (done.name, done.before, done.onto, done.mine, done.theirs, done.both) == (
        "b 2",
        "p",
        "a",
        1,
        1,
        0,
    )
    both = grid_of(db, "b 2")
    assert both == {**grid_of(db, "p"), f"{A}003": f"{A}002", f"{B}003": f"{B}002"}
    assert plans.approve(db, "b 2", TODAY + 2 * DAY, "Li").state == "approved"
    before = plans.plan_at(db, TODAY)
    assert before is not None and before.name == "p"  # the day before nothing changed


def test_where_both_changed_the_units_are_named(db: Session, ids: dict[str, int]) -> None:
    for name in "ab":
        copy(db, "p", name)
    give(db, ids, "a", f"{A}004", f"{A}001")
    give(db, ids, "b", f"{A}004", f"{A}003")
    give(db, ids, "b", f"{B}004", f"{B}001")
    plans.approve(db, "a", TODAY)
    with pytest.raises(Conflict) as refused:
        rebasing.rebase(db, "b")
    assert (refused.value.code, refused.value.facts["units"]) == ("rebase-conflict", [f"{A}004"])
    done = rebasing.rebase(db, "b", mine=True, name="b'")
    assert done.both == 1
    assert grid_of(db, "b'") == {**grid_of(db, "p"), f"{A}004": f"{A}003", f"{B}004": f"{B}001"}


def test_both_made_a_new_grid_of_the_same_code(db: Session, ids: dict[str, int]) -> None:
    """Drafts number new grids alike; on top of each other both live, and approval gives the later a code of its own."""
    for name, unit in (("a", f"{A}003"), ("b", f"{A}006")):
        copy(db, "p", name)
        new = db.scalar(
            text(
                "INSERT INTO grid (plan_id, code, name, area_code, geom, area_m2, perimeter_m) "
                "SELECT p.id, CAST(:c AS text), CAST(:c AS text), :a, "
                "ST_Multi(u.geom), u.area_m2, u.perimeter_m FROM plan p, unit u WHERE p.name = :n AND u.code = :u RETURNING id"
            ),
            {"n": name, "u": unit, "c": f"{A}005", "a": A},
        )
        assert new
        give(db, ids, name, unit, f"{A}005")
    plans.approve(db, "a", TODAY)
    done = rebasing.rebase(db, "b")
    assert done.both == 0 and len(set(grid_of(db, done.name).values())) == 10
    plans.approve(db, done.name, TODAY + DAY)
    final = grid_of(db, done.name)
    assert final[f"{A}003"] == f"{A}005" and final[f"{A}006"] == f"{A}006"
    names = dict(
        tuple(r) for r in db.execute(text("SELECT code, name FROM grid WHERE plan_id = :p"), {"p": done.id})
    )
    assert f"{A}006" in names


def test_nothing_to_carry_over(db: Session, ids: dict[str, int]) -> None:
    plan(db, "alone", strips(ids, 6, 1))
    copy(db, "p", "q")
    for which, code in (("alone", "no-base"), ("q", "rebase-nothing")):
        with pytest.raises(RefusedArgument) as refused:
            rebasing.rebase(db, which)
        assert refused.value.code == code
    with pytest.raises(Conflict, match="not a draft"):
        rebasing.rebase(db, "p")


def test_a_retired_code_never_comes_back(db: Session, ids: dict[str, int]) -> None:
    """Two grids are merged; later one is split again: the new piece gets a number that was never used."""
    copy(db, "p", "q")
    for unit in (4, 5, 6):
        give(db, ids, "q", f"{A}{unit:03d}", f"{A}001")
    db.execute(text("UPDATE grid SET geom = NULL WHERE code = :c AND plan_id <> 1"), {"c": f"{A}002"})
    plans.approve(db, "q", TODAY)
    plan(db, "r", strips(ids, 6, 3), base=stored.find(db, "q").id)
    plans.approve(db, "r", TODAY + DAY)
    found = grid_of(db, "r")
    assert f"{A}002" not in found.values() and found[f"{A}004"] == f"{A}005"
    graph = units.read(db)
    assert len(stored.read(db, stored.find(db, "r"), graph).codes) == 8


def test_an_imported_layer_keeps_its_own_codes_but_no_retired_one(db: Session, ids: dict[str, int]) -> None:
    made = plan(db, "old", {code: "东" if code.startswith(B) else "西" for code in ids})
    db.execute(text("UPDATE plan SET origin = 'imported' WHERE id = :p"), {"p": made})
    plans.approve(db, "old", TODAY)
    assert set(grid_of(db, "old").values()) == {"东", "西"}
    copy(db, "old", "next")
    plans.approve(db, "next", TODAY + DAY)
    assert set(grid_of(db, "next").values()) == {"东", "西"}
    made = plan(db, "back", strips(ids, 6, 3))
    db.execute(text("UPDATE plan SET origin = 'imported' WHERE id = :p"), {"p": made})
    assert {v.code for v in plans.check(db, "back")} == {"code-retired"}


@pytest.mark.parametrize(("home", "posts"), [(A, [2, 5]), (A, [5, 2]), (B, [2, 5]), (B, [5, 2])])
def test_after_a_split_the_part_at_home_keeps_the_code(db: Session, home: str, posts: list[float]) -> None:
    """A row of five units at home and two beyond is parted; A lies west of B."""
    found = town(db, 10, 1)
    away = [
        c
        for c in found
        if (c.startswith(B) and int(c[12:]) > 2 if home == A else c.startswith(A) and int(c[12:]) < 4)
    ]
    other = f"{B if home == A else A}001"
    draft = plan(db, "crossing", dict.fromkeys(found, f"{home}001") | dict.fromkeys(away, other))
    drafts.split(db, draft, f"{home}001", posts=posts, revision=0, author="t", desk=drafts.Desk())
    held = stored.read(db, stored.find(db, draft), units.read(db))
    assert len(held.codes) == 3 and f"{home}001" in held.codes
    assert constraints.codes.prefix(held.partition, held.codes, "beijing-15") == []
    parted = [g for g, code in enumerate(held.codes) if code != other]
    assert [held.posts[g] for g in parted] == held.partition.unit_counts[parted].tolist()


@pytest.mark.parametrize("name", ["current", "propose", "import", "overlay", "as-of:2026-01-01", "7", ""])
def test_words_of_the_interface_are_no_names(db: Session, name: str) -> None:
    with pytest.raises(RefusedArgument) as refused:
        stored.check_name(db, name)
    assert refused.value.code == "plan-name"
