"""The planner's example runs as it is written, in both languages, on a small city with codes of its own."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from api.cli import main
from geo.db import session as sessions
from geo.errors import RefusedArgument
from geo.settings import Settings
from grids import plans, proposals, stored, units
from grids.stored import Stored
from maps.reports.paper import chinese_font
from tests.grids import judged_city

ROOT = Path(__file__).resolve().parents[1]
SMALLER = {"577": "9", "2026-01-01": "2024-01-01", "2027-01-01": str(dt.date.today() + dt.timedelta(days=30))}


def commands(page: str) -> list[list[str]]:
    """The words of every line in the `sh` blocks of a page."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), flags=re.DOTALL)
    return [shlex.split(line, comments=True) for line in "".join(blocks).splitlines() if line.strip()]


@pytest.fixture
def city(settings: Settings, insert_areas: Callable[..., int]) -> Settings:
    """The judged city with a plan in force."""
    with sessions.session(settings, "owner") as session:
        judged_city.found(session, insert_areas)
        made = proposals.propose(session, name="首版", grids=9, weight="households", nest="soft")
        plans.approve(session, made.plan_ids[0], dt.date(2023, 1, 1))
    return settings


@pytest.mark.slow
@pytest.mark.parametrize("page", ["planner.zh.md", "planner.en.md"])
def test_the_example_runs(
    page: str,
    city: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {**city.to_environment(), "WANGGE_LANG": page.split(".")[1]}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    lines = commands(page)
    assert len(lines) > 15 and all(words[0] == "wangge" for words in lines)
    for words in lines:
        if words[-1].endswith(".pdf") and not _has_font():
            continue
        ready = [SMALLER.get(word, word) for word in _with_codes(city, words[1:])]
        code = main(ready)
        assert code == 0, f"{shlex.join(words)}: {capsys.readouterr().err}"
    with sessions.session(city, "owner") as session:
        assert session.scalar(text("SELECT count(*) FROM plan WHERE state = 'approved'")) == 2
    assert len(list(tmp_path.iterdir())) >= 5


def _with_codes(city: Settings, words: list[str]) -> list[str]:
    """An editing command with codes of this city: something locked, a large grid split, neighbours merged, a unit moved."""
    if words[:2] != ["plan", "edit"] or not any(re.fullmatch(r"\d{15}", word) for word in words):
        return words
    with sessions.session(city, "owner") as session:
        held = stored.read(session, stored.find(session, words[2]), units.read(session))
    found = {"lock": _some, "split": _largest, "merge": _neighbours, "assign": _movable}[words[3]](held)
    codes = iter(found)
    return [next(codes) if re.fullmatch(r"\d{15}", word) else word for word in words]


def _some(held: Stored) -> list[str]:
    return [held.codes[0]]


def _largest(held: Stored) -> list[str]:
    free = np.where(held.locked | (_home(held) < 0), 0, held.partition.unit_counts)
    return [held.codes[int(np.argmax(free))]]


def _home(held: Stored) -> np.ndarray:  # type: ignore[type-arg]
    """The one area each grid lies in, −1 for a grid that crosses (its code would have to change with its ground)."""
    return np.array([areas[0] if len(areas) == 1 else -1 for areas in held.partition.areas_of()])


def _crossings(held: Stored) -> list[tuple[int, int]]:
    """(unit, grid beside it) of one area, where neither grid is locked and one can walk across."""
    graph, grid, home = held.partition.graph, held.partition.grid, _home(held)
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    a, b = grid[rows], grid[graph.indices]
    free = (
        graph.walkable
        & (a != b)
        & (a >= 0)
        & (b >= 0)
        & ~held.locked[a]
        & ~held.locked[b]
        & (home[a] == home[b])
    )
    free &= home[a] >= 0
    return list(zip(rows[free].tolist(), b[free].tolist(), strict=True))


def _neighbours(held: Stored) -> list[str]:
    unit, other = _crossings(held)[0]
    return [held.codes[int(held.partition.grid[unit])], held.codes[other]]


def _movable(held: Stored) -> list[str]:
    for unit, to in _crossings(held):
        after = held.partition.flip(np.array([unit]), to)
        if (after.parts() == 1).all():
            return [held.partition.graph.codes[unit], held.codes[to]]
    raise AssertionError("no unit can change hands")


def _has_font() -> bool:
    try:
        return bool(chinese_font())
    except RefusedArgument:
        return False
