"""The paired bootstrap by week on constructed data with a known answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grids.measures import balance
from grids.paired import LEAST_WEEKS, Weekly, compare, figures

WEEKS, GRIDS = 60, 7


def weekly(rng: np.random.Generator, weeks: int = WEEKS, k: int = GRIDS) -> Weekly:
    load = rng.poisson(20, (weeks, k)).astype(float)
    decided = np.floor(load * 0.9)
    placed = load.sum(axis=1)
    late = rng.binomial(decided.astype(int), 0.2).astype(float)
    near = rng.binomial(placed.astype(int), 0.3).astype(float)
    return Weekly(load, decided, late, near, placed, np.ones(k), np.full(k, 1 / k))


def test_the_whole_period_counts_every_week_once() -> None:
    week = weekly(np.random.default_rng(1))
    found = figures(week, np.ones((1, WEEKS)))
    total = week.load.sum(axis=0)
    assert found["gini"][0] == pytest.approx(balance.gini(total))
    assert found["largest_deviation"][0] == pytest.approx(np.abs(total / total.mean() - 1).max())
    assert found["near_line_share"][0] == pytest.approx(week.near.sum() / week.placed.sum())
    share, n = week.late.sum(axis=0) / week.decided.sum(axis=0), week.decided.sum(axis=0)
    common = week.late.sum() / n.sum()
    assert found["overdue_spread"][0] == pytest.approx(np.sqrt((n * (share - common) ** 2).sum() / n.sum()))


def test_a_plan_does_not_differ_from_itself() -> None:
    week = weekly(np.random.default_rng(2))
    for one in compare(week, week, np.random.default_rng(0)).values():
        assert (one.difference, one.low, one.high, one.b_better_share) == (0.0, 0.0, 0.0, 0.0)


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    """With equally many cases each week the near share is a mean of weeks: its interval is ± 1.96 standard errors."""
    rng = np.random.default_rng(3)
    a = replace(weekly(rng), placed=np.full(WEEKS, 100.0))
    b = replace(a, near=a.near + rng.normal(-5, 3, WEEKS))
    found = compare(a, b, np.random.default_rng(0), replicates=8000)["near_line_share"]
    each = (b.near - a.near) / 100
    error = each.std() / np.sqrt(WEEKS)
    assert found.difference == pytest.approx(each.mean())
    assert found.low == pytest.approx(each.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(each.mean() + 1.96 * error, abs=0.15 * error)
    assert found.b_better_share == 1.0


def test_what_both_plans_share_cancels() -> None:
    """A storm that doubles every grid of both plans widens no interval: weeks are drawn together."""
    rng = np.random.default_rng(4)
    storm = rng.lognormal(0, 1, (WEEKS, 1))
    a = weekly(rng)
    b = replace(a, near=a.near - 0.01 * a.placed)
    stormy_a = replace(a, near=a.near * storm[:, 0], placed=a.placed * storm[:, 0])
    stormy_b = replace(stormy_a, near=stormy_a.near - 0.01 * stormy_a.placed)
    calm, rough = (
        compare(x, y, np.random.default_rng(0))["near_line_share"] for x, y in ((a, b), (stormy_a, stormy_b))
    )
    assert calm.difference == pytest.approx(-0.01) and rough.difference == pytest.approx(-0.01)
    assert rough.low == pytest.approx(-0.01) == pytest.approx(rough.high)


def test_few_weeks_give_no_interval() -> None:
    week = weekly(np.random.default_rng(5), weeks=LEAST_WEEKS - 1)
    found = compare(week, week, np.random.default_rng(0))["gini"]
    assert found.difference == 0.0 and found.low is None and found.b_better_share is None


def test_nothing_decided_is_unknown_not_zero() -> None:
    week = weekly(np.random.default_rng(6))
    empty = replace(week, decided=week.decided * 0, late=week.late * 0)
    found = compare(empty, week, np.random.default_rng(0))["overdue_spread"]
    assert found.a is None and found.b is not None and found.difference is None


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_names_of_grids_do_not_matter(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    week = weekly(rng, 10, k)
    order = rng.permutation(k)
    other = replace(week, load=week.load[:, order], decided=week.decided[:, order], late=week.late[:, order])
    for one in compare(week, other, np.random.default_rng(0), replicates=20).values():
        assert one.difference == pytest.approx(0.0, abs=1e-12)
