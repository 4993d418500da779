"""Laws of what the public sees: nothing below k, nothing alone, and everything adds up."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geo.analysis.summary import Figure, Summary, Value
from geo.analysis.summary_public import protect_summary
from geo.disclosure import SENSITIVE_K, clip, protect, protect_categories, protect_series, without_hidden
from geo.heat import MEASURES, CategoryCounts, HeatMap, Series, Zones, words


def heat_map(
    n: list[int], unplaced: int = 0, outside: int = 0, unassigned: int = 0, measure: str = "cases"
) -> HeatMap:
    counts = np.array(n, dtype=np.int64)
    codes = words([f"z{i:03}" for i in range(len(n))])
    at = np.arange(len(n), dtype=np.float64)
    zones = Zones("grid", codes, codes, codes, at + 1, at, at, np.column_stack([at] * 4))
    values = counts.astype(float) if MEASURES[measure].additive else np.where(counts > 0, 0.5, np.nan)
    return HeatMap(
        by="grid",
        plan=None,
        measure=measure,
        unit="",
        codes=codes,
        names=codes,
        values=values,
        n=counts,
        total=int(counts.sum()) + unplaced + outside,
        unplaced=unplaced,
        outside=outside,
        unassigned=unassigned,
        asof=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        period=(None, None),
        version="v",
        zones=zones,
    )


small = st.integers(0, 14)
maps = st.builds(
    heat_map, st.lists(small, max_size=12), small, small, st.just(0), st.sampled_from(sorted(MEASURES))
)


@given(maps, st.integers(2, 10))
def test_totals_add_up_and_nothing_small_shows(heat: HeatMap, k: int) -> None:
    seen = protect(heat, k)
    assert (
        int(seen.n.sum()) + seen.suppressed_total + seen.unplaced + seen.outside == seen.total == heat.total
    )
    if heat.additive:
        shown = seen.values[~seen.suppressed].sum()
        assert shown + seen.suppressed_total + seen.unplaced + seen.outside == seen.total
    visible = seen.n[~seen.suppressed]
    assert not ((visible > 0) & (visible < k)).any()
    assert np.isnan(seen.values[seen.suppressed]).all()
    assert (seen.n[seen.suppressed] == 0).all()
    for part in (seen.unplaced, seen.outside, seen.unassigned):
        assert part == 0 or part >= k
    assert (seen.n[~seen.suppressed] == heat.n[~seen.suppressed]).all()


@given(maps, st.integers(2, 10))
def test_never_exactly_one_hidden_while_another_could_be(heat: HeatMap, k: int) -> None:
    seen = protect(heat, k)
    folded = (seen.unplaced != heat.unplaced) + (seen.outside != heat.outside)
    others = int((~seen.suppressed).sum()) + (seen.unplaced > 0) + (seen.outside > 0)
    assert seen.suppressed.sum() != 1 or len(heat.n) == 1 or folded == 1
    assert seen.suppressed.sum() + folded != 1 or others == 0 or len(heat.n) == 1


@given(maps, st.integers(2, 10))
def test_hides_no_more_than_the_rule_says(heat: HeatMap, k: int) -> None:
    seen = protect(heat, k)
    low = (heat.n > 0) & (heat.n < k)
    assert (seen.suppressed & low).sum() == low.sum()
    if heat.total >= k and MEASURES[heat.measure].unit != "share":
        assert (seen.suppressed & ~low).sum() <= 1


@given(maps, st.integers(2, 10))
def test_the_hidden_come_to_k_or_everything_is_hidden(heat: HeatMap, k: int) -> None:
    seen = protect(heat, k)
    assert seen.suppressed_total == 0 or seen.suppressed_total >= k or seen.suppressed.all()
    if 0 < heat.total < k:
        assert seen.suppressed.all()
        assert (seen.suppressed_total, seen.unplaced, seen.outside) == (heat.total, 0, 0)
    bare = without_hidden(seen)
    assert not bare.suppressed.any()
    assert not set(bare.codes) & set(seen.codes[seen.suppressed])
    assert len(bare.codes) == len(bare.zones) == len(bare.n) == len(bare.values) == len(bare.names)
    assert int(bare.n.sum()) + bare.suppressed_total + bare.unplaced + bare.outside == bare.total


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8).map(
        lambda rows: [(max(row), min(row)) for row in rows]
    ),
    st.integers(2, 10),
)
def test_no_share_tells_a_small_count(rows: list[tuple[int, int]], k: int) -> None:
    heat = heat_map([n for n, _ in rows], unplaced=20, measure="resolved_share")
    part = np.array([p for _, p in rows], dtype=np.int64)
    with np.errstate(invalid="ignore"):
        heat = replace(heat, values=part / heat.n)
    seen = protect(heat, k)
    for counted in (part, heat.n - part):
        visible = counted[~seen.suppressed]
        assert not ((visible > 0) & (visible < k)).any()
        hidden = int(counted[seen.suppressed].sum())  # known where the sum over all is
        assert hidden == 0 or hidden >= k or seen.suppressed.all()
    assert int(seen.n.sum()) + seen.suppressed_total + seen.unplaced == seen.total


def test_a_plain_share_may_be_shown() -> None:
    heat = heat_map([50, 60, 70, 80], measure="resolved_share")
    seen = protect(replace(heat, values=np.array([1.0, 0.0, 67 / 70, 60 / 80])))
    assert seen.suppressed.tolist() == [False, False, True, True]  # 3 of 70 are open; 20 go with them
    assert not protect(replace(heat, values=np.array([1.0, 0.0, 60 / 70, 0.5]))).suppressed.any()


@given(maps, st.integers(2, 10), st.floats(-1, 12), st.floats(-1, 12))
def test_a_box_tells_no_more_than_the_whole(heat: HeatMap, k: int, west: float, east: float) -> None:
    whole = protect(heat, k)
    part = clip(whole, (west, -90, east, 90))
    assert int(part.n.sum()) + part.suppressed_total + part.unplaced + part.outside == part.total
    assert (part.suppressed_total, part.unplaced, part.outside) == (
        whole.suppressed_total,
        whole.unplaced,
        whole.outside,
    )
    assert set(part.codes[part.suppressed]) <= set(whole.codes[whole.suppressed])
    assert len(part.zones) == len(part.codes) == len(part.n) == len(part.values)


@pytest.mark.parametrize(
    ("n", "hidden"),
    [
        ([3, 100, 0, 7], [0, 3]),  # the only small one takes the next smallest with it, never a zero
        ([3, 2, 100], [0, 1]),
        ([0, 0, 5, 9], []),
        ([4, 0, 0], [0, 1, 2]),  # so few in all that a zero beside them would tell where they are
        ([1, 1, 9, 30], [0, 1, 2]),  # two alone do not come to k
        ([4], [0]),
        ([], []),
        ([3, 8, 8], [0, 1]),
    ],
)
def test_examples(n: list[int], hidden: list[int]) -> None:
    assert np.flatnonzero(protect(heat_map(n)).suppressed).tolist() == hidden


def test_unplaced_and_outside_are_folded_away() -> None:
    seen = protect(heat_map([50, 60, 70], unplaced=3, outside=90))
    assert (seen.unplaced, seen.outside) == (0, 90)
    assert seen.suppressed.tolist() == [True, False, False]  # or the sum would tell the three unplaced
    assert seen.suppressed_total == 53
    both = protect(heat_map([50, 60, 70], unplaced=3, outside=4))
    assert (both.unplaced, both.outside, both.suppressed_total) == (0, 0, 7)
    assert not both.suppressed.any()


def test_no_zone_is_hidden_where_unplaced_or_outside_will_do() -> None:
    seen = protect(heat_map([1048, 2000], unplaced=19, outside=3))
    assert (seen.unplaced, seen.outside, seen.suppressed_total) == (0, 0, 22)
    assert not seen.suppressed.any()


def test_unassigned_is_no_way_around() -> None:
    seen = protect(heat_map([50, 60], outside=40, unassigned=37))
    assert (seen.outside, seen.unassigned) == (40, 0)  # 40 - 37 would tell the three outside


def counts_of(values: list[int], sensitive: list[bool]) -> CategoryCounts:
    keys = tuple(str(i) for i in range(len(values)))
    numbers: NDArray[np.int64] = np.array(values, dtype=np.int64)
    none = np.zeros(len(values), dtype=bool)
    return CategoryCounts(keys, keys, keys, np.array(sensitive, dtype=bool), numbers, sum(values), none)


def test_sensitive_categories_need_ten() -> None:
    seen = protect_categories(counts_of([30, 9, 8, 4], [False, False, True, False]))
    assert seen.suppressed.tolist() == [False, False, True, True]
    assert seen.suppressed_total == 12
    assert SENSITIVE_K == 10


def test_hidden_categories_come_last_by_key() -> None:
    seen = protect_categories(counts_of([30, 9, 4, 20, 3], [False, True, False, False, False]))
    assert seen.keys == ("0", "3", "1", "2", "4")
    assert seen.values.tolist() == [30, 20, 0, 0, 0]
    assert seen.suppressed.tolist() == [False, False, True, True, True]
    assert seen.sensitive.tolist() == [False, False, True, False, False]


def test_a_top_with_a_hidden_part_is_hidden() -> None:
    def counts(keys: tuple[str, ...], values: list[int]) -> CategoryCounts:
        return replace(counts_of(values, [False] * len(keys)), keys=keys, names=keys, names_en=keys)

    tops = counts(("01", "02", "03"), [60, 43, 42])
    parts = counts(("01/a", "02/a", "03/a", "02/b", "03/b"), [60, 40, 40, 3, 2])
    assert not protect_categories(tops).suppressed.any()
    seen = protect_categories(tops, parts=parts)
    assert dict(zip(seen.keys, seen.suppressed.tolist(), strict=True)) == {
        "01": False,
        "02": True,
        "03": True,
    }
    assert int(seen.values.sum()) + seen.suppressed_total == 145


@given(st.lists(st.tuples(small, st.booleans()), max_size=9))
def test_categories_add_up(rows: list[tuple[int, bool]]) -> None:
    counts = counts_of([n for n, _ in rows], [s for _, s in rows])
    seen = protect_categories(counts)
    assert int(seen.values.sum()) + seen.suppressed_total == counts.total
    needed = np.where(counts.sensitive, 10, 5)
    order = [int(key) for key in seen.keys]
    assert not ((seen.values > 0) & (seen.values < needed[order])).any()
    small = needed[(counts.values > 0) & (counts.values < needed)]
    assert seen.suppressed_total >= small.max(initial=0) or seen.suppressed.all()
    assert np.flatnonzero(seen.suppressed).tolist() == list(range(len(order)))[(~seen.suppressed).sum() :]


@given(st.lists(small, max_size=20), st.integers(2, 10))
def test_series_add_up(n: list[int], k: int) -> None:
    numbers = np.array(n, dtype=np.int64)
    starts = tuple(dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(len(n)))
    none = np.zeros(len(n), dtype=bool)
    seen = protect_series(Series("day", starts, numbers.astype(float), numbers, int(numbers.sum()), none), k)
    assert int(seen.n.sum()) + seen.suppressed_total == seen.total
    assert not ((seen.n > 0) & (seen.n < k)).any()
    assert np.isnan(seen.values[seen.suppressed]).all()
    if len(n) > 1:
        assert seen.suppressed.sum() != 1
    assert not seen.suppressed.any() or seen.suppressed_total >= k or seen.suppressed.all()


@pytest.mark.parametrize(("whole", "shown"), [(100, True), (101, False), (104, False), (105, True)])
def test_a_share_does_not_tell_the_few_it_leaves_out(whole: int, shown: bool) -> None:
    """100 by residents or patrol of 104: the four reported by others would be a subtraction away."""
    nothing = Value(None, 0, reason="no-data")
    cases = Figure("cases", "cases", Value(whole, whole, 1.0, 2.0), nothing, None)
    share = Figure("service_share", "share", Value(0.5, 100, 0.4, 0.6), nothing, None)
    found = Summary(
        (None, None), None, "no-data", "previous", None, None, whole, 0, 0, (cases, share), (), "v"
    )  # fmt: skip
    told = {figure.key: figure.now for figure in protect_summary(found, 5, set(), set()).figures}
    assert told["cases"].value == whole
    assert (told["service_share"].value, told["service_share"].reason) == (
        (0.5, None) if shown else (None, "hidden")
    )
