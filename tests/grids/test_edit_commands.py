"""`wangge plan edit` as a person types it: exit codes, JSON, both languages, and the history."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import shapely

import etl.units
from geo.db import session as sessions
from geo.settings import Settings
from grids import proposals
from tests.grids.typed import Wangge, typed


@pytest.fixture
def wangge(
    settings: Settings, insert_areas: Callable[..., int], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Wangge:  # fmt: skip
    """`wangge(*words)` on a city of two communities with the draft A of four grids."""
    with sessions.session(settings) as s:
        areas = {
            f"42010600100{i}": shapely.box(114.3 + i * 0.005, 30.5, 114.305 + i * 0.005, 30.504)
            for i in (1, 2)
        }
        insert_areas(s, "community", areas, rank=4)
        etl.units.build(s, target_area_m2=12_000)
        proposals.propose(s, name="A", grids=4, weight="area", seed=1)
    return typed(settings, monkeypatch, capsys)


def test_a_draft_edited_at_the_command_line(wangge: Wangge) -> None:
    def edit(*words: str) -> dict[str, object]:
        code, out, err = wangge("plan", "edit", "A", *words, "--json")
        assert code == 0, err
        return dict(json.loads(out))

    parted = edit("split", "--grid", "420106001001001", "--parts", "2", "--by", "planner")
    assert (parted["revision"], parted["author"]) == (1, "planner")
    codes = [g["code"] for g in parted["grids"]]  # type: ignore[attr-defined]
    merged = edit("merge", "--grid", codes[0], "--other", codes[1])
    assert merged["removed"] == [codes[1]]
    assert edit("undo")["undoes"] == 2 and edit("redo")["revision"] == 4
    edit("lock", "--grids", codes[0])
    code, _, err = wangge("plan", "edit", "A", "fix", "--grid", codes[0])
    assert code == 2 and "locked" in err
    edit("lock", "--grids", codes[0], "--unlock")
    edit("posts", "--grids", codes[0], "--number", "2")
    assert edit("rename", "--grid", codes[0], "--name", "河东")["grids"][0]["name"] == "河东"  # type: ignore[index]
    edit("assign", "--units", "420106001001001,420106001001002", "--to", "none")
    code, out, _ = wangge("plan", "edit", "A", "log", "--json")
    acts = [one["act"] for one in json.loads(out)]
    assert code == 0 and acts == [
        "assign",
        "rename",
        "posts",
        "unlock",
        "lock",
        "redo",
        "undo",
        "merge",
        "split",
    ]
    code, out, err = wangge("plan", "edit", "A", "undo")
    assert code == 0 and "revision 10" in err and "420106001001" in out
    assert wangge("plan", "edit", "A", "log")[1].count("undo") == 2


def test_refusals_and_new_drafts(wangge: Wangge) -> None:
    for words, said in (
        (("edit", "A", "assign", "--units", "U9", "--to", "new"), "There is no unit U9"),
        (("edit", "A", "undo"), "nothing to undo"),
        (("edit", "A", "undo", "--revision", "7"), "no revision 7 yet"),
        (("edit", "A", "split", "--grid", "420106001001001", "--line", "1 2"), "not a line"),
        (("edit", "A", "split", "--grid", "420106001001001", "--posts", "a,b"), "not a list of numbers"),
        (("edit", "nobody", "undo"), "no plan"),
        (("begin", "--name", "B"), "No grid plan holds"),
    ):
        code, _, err = wangge("plan", *words)
        assert code == 2 and said in err, (words, err)
    assert wangge("plan", "approve", "A", "--from", "2025-01-01")[0] == 0
    code, _, err = wangge("plan", "edit", "A", "undo")
    assert code == 2 and "approved" in err
    code, out, _ = wangge("plan", "begin", "--name", "B", "--json")
    assert code == 0 and json.loads(out)["revision"] == 0
    code, out, _ = wangge(
        "plan", "edit", "B", "merge", "--grid", "420106001001001", "--other", "420106001001002", "--json"
    )
    assert code == 0 and json.loads(out)["score"]["grids"] == 3
    code, out, _ = wangge("plan", "begin", "--name", "空", "--empty", "--json")
    assert code == 0
