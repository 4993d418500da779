"""Who guesses numbers, or subtracts one answer from another, learns nothing that was not theirs."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from geo.areas import scope, show
from geo.case_list import case
from geo.db import session as sessions
from tests.api import people

GUESSES = 10_000


@pytest.fixture(scope="module")
def staff(town: Any) -> dict[str, people.Headers]:
    return people.staff(town.settings)


def numbers(town: Any, n: int, seed: int) -> list[int]:
    """Half of them cases that there are, anywhere in the city; half any number."""
    rng = random.Random(seed)
    with sessions.session(town.settings, "owner") as session:
        known = list(session.scalars(text("SELECT id FROM cases")))
    return [rng.choice(known) if i % 2 else rng.randrange(1, 10_000_000) for i in range(n)]


def test_ten_thousand_numbers(town: Any) -> None:
    """Each is asked in the database as the service asks it, within the area and with both walls."""
    from api.auth import Area

    mine = set(people.of_area(town.settings, "C00"))
    with sessions.session(town.settings, "app") as session:
        own = scope(session, Area("community", "C00"))
        show(session, own)
        for number in numbers(town, GUESSES, 1):
            assert (case(session, number, own) is not None) == (number in mine)


@pytest.mark.parametrize("who", ["worker", "supervisor"])
def test_numbers_over_http(town: Any, staff: dict[str, people.Headers], who: str) -> None:
    mine = set(people.of_area(town.settings, "C00"))
    bodies: Counter[tuple[int, str]] = Counter()
    for number in numbers(town, 300, 2):
        answer = town.get(f"/api/cases/{number}", headers=staff[who])
        assert answer.status_code == (200 if number in mine else 404)
        if number not in mine:
            bodies[(answer.headers["content-length"] != "", answer.text.replace(str(number), "N"))] += 1  # type: ignore[index]
    assert len(bodies) == 1, bodies.most_common(3)


def windows(rng: random.Random) -> tuple[str, str, str]:
    """A period, and the day in its middle."""
    first = dt.date(2024, 1, 1) + dt.timedelta(days=rng.randrange(330))
    last = first + dt.timedelta(days=rng.randrange(2, 35))
    middle = first + dt.timedelta(days=rng.randrange(1, (last - first).days))
    return first.isoformat(), middle.isoformat(), last.isoformat()


def counts(town: Any, first: str, last: str) -> dict[str, float | None]:
    found = town.get(f"/api/heatmap/grids?from={first}&to={last}").json()
    return dict(zip(found["codes"], found["values"], strict=True))


def test_no_single_answer_shows_fewer_than_five(town: Any) -> None:
    rng = random.Random(5)
    for _ in range(60):
        first, middle, last = windows(rng)
        for a, b in ((first, middle), (middle, last), (first, last)):
            assert all(v is None or v == 0 or v >= 5 for v in counts(town, a, b).values())


def test_overlapping_periods_subtracted(town: Any) -> None:
    """What a stranger learns by subtracting a period from a longer one; the guard against it is a later work, so this
    counts the disclosures and fails when they grow."""
    rng = random.Random(6)
    pairs = learnt = 0
    for _ in range(150):
        first, middle, last = windows(rng)
        short, whole = counts(town, first, middle), counts(town, first, last)
        for code, value in whole.items():
            before = short.get(code)
            if value is not None and before is not None:
                pairs += 1
                learnt += 1 <= value - before <= 4
    share = learnt / max(pairs, 1)
    print(f"{pairs} pairs of periods shown both, {learnt} differences of 1 to 4 ({share:.1%})")
    assert pairs > 100
    assert share < 0.4
