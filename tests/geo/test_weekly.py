"""Counting by weekly sums, by the slot of every case and by labels gives the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from geo.analysis import counts, kernels, measures
from geo.attribution import place_again
from geo.cases import CaseFilter
from geo.column_build import weekly_sums
from geo.columns import ColumnStore
from geo.db import session as sessions
from geo.settings import Settings
from tests.geo import small_city

KEYS = tuple(f"0{i}" for i in range(6))


@pytest.fixture(scope="module")
def made(module_settings: Settings) -> Iterator[tuple[Settings, ColumnStore]]:
    with pytest.MonkeyPatch.context() as patched, sessions.session(module_settings) as db:
        small_city.city(db)
        source = small_city.source(db, categories=tuple((key, None) for key in KEYS))
        rng = np.random.default_rng(5)
        small_city.cases(db, source, small_city.random_cases(rng, 2000, small_city.category_ids(db, source)))
        ids = small_city.units(db, {f"u{x}{y}": small_city.square(x, y) for x in range(5) for y in range(5)})
        first = {unit: f"g{code[1]}" for code, unit in ids.items()}
        small_city.plan(db, "first", first, during="[2024-01-11,2024-02-03)")
        small_city.plan(
            db, "second", {unit: f"g{code[2]}" for code, unit in ids.items()}, during="[2024-02-03,)"
        )
        place_again(db)
        db.commit()
        patched.setattr("geo.column_build.WEEKLY_FROM_CASES", 1)
        store = ColumnStore(module_settings, watch=False)
        assert len(store.current().weekly) > 5
    yield module_settings, store
    store.close()


days = st.one_of(st.none(), st.integers(-9, 70).map(lambda d: dt.date(2024, 1, 1) + dt.timedelta(days=d)))


@given(days, days, st.sets(st.sampled_from(KEYS)), st.sampled_from(["first", "second", "as-was"]))
@hypothesis_settings(max_examples=150, deadline=None)
def test_both_ways_agree(
    made: tuple[Settings, ColumnStore], first: dt.date | None, last: dt.date | None, keys: set[str], plan: str
) -> None:
    settings, store = made
    if first and last and last < first:
        first, last = last, first
    where = CaseFilter(first, last, tuple(sorted(keys)))
    answers = []
    with pytest.MonkeyPatch.context() as patched:
        for weeks, slots in (
            (-1, 0),
            (-1, 10**9),
            (10**9, 0),
            (10**9, 10**9),
        ):  # always and never by each way
            patched.setattr(measures, "WEEKLY_FROM_ROWS", weeks)
            patched.setattr(measures, "SLOTS_FROM_ROWS", slots)
            patched.setattr(measures, "ROWS_PER_THREAD", 100)
            answers.append(counts.heat(lambda: sessions.session(settings), store, plan=plan, where=where))
    for other in answers[1:]:
        assert other.n.tolist() == answers[0].n.tolist()
        for name in ("unplaced", "outside", "total"):
            assert getattr(other, name) == getattr(answers[0], name)


def test_slots_of_more_zones_than_two_bytes_count_alike() -> None:
    zone_of = np.array([70_000, -1, 5, -3], dtype=np.int32)
    table = kernels.slot_table(zone_of)
    labels = np.array([0, 0, 1, 2, 3, -1, -2], dtype=np.int32)
    slots = np.empty(len(labels), dtype=table.dtype)
    kernels.fill_slots(labels, table, slots)
    assert table.dtype == np.uint32 and slots.tolist() == [70_003, 70_003, 2, 8, 0, 2, 1]
    out = np.zeros(70_004, np.int32)
    kernels.count_all(slots, np.array([1]), np.array([7]), out)
    assert {int(at): int(out[at]) for at in np.flatnonzero(out)} == {0: 1, 1: 1, 2: 2, 8: 1, 70_003: 1}


def test_sums_that_would_not_fit_or_pay_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    unit, day = np.zeros(10, np.int32), np.arange(10, dtype=np.int32)
    assert weekly_sums(unit, day, 5).shape == (0, 0)
    monkeypatch.setattr("geo.column_build.WEEKLY_MAX_BYTES", 10)
    assert weekly_sums(unit, day, 5, least=1).shape == (0, 0)
