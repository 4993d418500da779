"""Intervals and rank ranges against their definitions: brute force, published values, and coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geo.analysis import chances
from geo.analysis.ranks import apart, quantile_of_range, rank_ranges


def test_shares_of_newcombe() -> None:
    """The four worked examples of Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3."""
    examples = (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    )
    for part, whole, low, high in examples:
        found = chances.of_share(part, whole)
        assert [round(float(x), 4) for x in found] == [low, high]
    assert np.isnan(chances.of_share(0, 0)).all()
    assert chances.of_share(20, 20)[1] == 1


def test_counts_are_exact() -> None:
    """P(X ≥ x | low) = P(X ≤ x | high) = 2.5 %, by adding up the Poisson terms."""
    for x in (0, 1, 3, 17, 140):
        low, high = (float(v) for v in chances.of_count(x))
        at_most = sum(math.exp(-high + k * math.log(high) - math.lgamma(k + 1)) for k in range(x + 1))
        assert at_most == pytest.approx(0.025, rel=1e-6)
        if x:
            below = sum(math.exp(-low + k * math.log(low) - math.lgamma(k + 1)) for k in range(x))
            assert 1 - below == pytest.approx(0.025, rel=1e-6)
        else:
            assert low == 0


def test_ranks_of_medians_by_brute_force() -> None:
    n = np.arange(0, 400)
    low, high = chances.ranks_of_median(n)
    for size in n.tolist():
        missed, place = 0.0, 0
        while place < size and missed + math.comb(size, place) / 2**size <= 0.025:
            missed += math.comb(size, place) / 2**size
            place += 1
        assert low[size] == place
        assert high[size] == (size + 1 - place if place else 0)
    big, _ = chances.ranks_of_median(10_000_000)
    assert abs(int(big) - (10_000_000 - chances.Z95 * math.sqrt(10_000_000)) / 2) < 2


def test_differences() -> None:
    """Contrasts of Newcombe 1998 (Statistics in Medicine 17, 873-890), table II: whether method 10's interval holds 0."""
    assert chances.shares_differ(56, 70, 48, 80) is True
    assert chances.shares_differ(9, 10, 3, 10) is True
    assert chances.shares_differ(6, 7, 2, 7) is True
    assert chances.shares_differ(5, 56, 0, 29) is False
    assert chances.counts_differ(100, 100, 31, 30) is False
    assert chances.counts_differ(100, 200) is True
    assert chances.counts_differ(200, 100, 2, 1) is False


def test_the_studentized_range() -> None:
    """Upper 5 % points for infinite degrees of freedom (Harter 1960)."""
    for m, q in ((2, 2.772), (3, 3.314), (5, 3.858), (10, 4.474), (20, 5.012), (100, 6.085)):
        assert quantile_of_range(m) == pytest.approx(q, abs=0.002), m
    drawn = np.random.default_rng(3).standard_normal((2000, 500))
    inside = (np.ptp(drawn, axis=1) <= quantile_of_range(500)).mean()
    assert 0.935 < inside < 0.965


def test_apart_equals_every_pair() -> None:
    rng = np.random.default_rng(11)
    for m in (0, 1, 2, 50, 300):
        y, v = rng.normal(0, 3, m).round(1), rng.exponential(1, m)
        above, below = apart(y, v, 2.5)
        gap = y[None, :] - y[:, None]
        certain = gap > 2.5 * np.sqrt(v[None, :] + v[:, None])
        assert above.tolist() == certain.sum(axis=1).tolist()
        assert below.tolist() == certain.sum(axis=0).tolist()


def test_all_true_ranks_lie_in_their_ranges() -> None:
    """Simultaneous coverage: in at least about 95 % of repetitions no zone's true rank is missed."""
    rng = np.random.default_rng(29)
    mean = np.repeat([20.0, 30, 30, 45, 70, 120], 5)
    least = np.array(
        [(mean > one).sum() + 1 for one in mean]
    )  # with ties in truth any rank among them is true
    most = np.array([(mean >= one).sum() for one in mean])
    right = 0
    for _ in range(400):
        x = rng.poisson(mean)
        found = rank_ranges(x.astype(float), np.sqrt(x + 3 / 8), np.full(len(x), 0.25))
        right += bool((found.low <= least).all() and (most <= found.high).all())
    assert right / 400 > 0.93
    assert (found.high - found.low).min() < 15  # and they say something


def test_groups_and_missing_values() -> None:
    values = np.array([10.0, 9.9, np.nan, 1.0, 5.0])
    variance = np.array([0.01, 0.01, 0.01, 0.01, np.nan])
    found = rank_ranges(values, values, variance)
    assert found.rank.tolist() == [1, 2, 0, 4, 3]
    assert found.low.tolist() == [1, 1, 0, 3, 1]
    assert found.high.tolist() == [3, 3, 0, 4, 4]
    assert found.group.tolist() == [1, 1, 0, 2, 0]
    empty = rank_ranges(np.full(3, np.nan), np.zeros(3), np.ones(3))
    assert empty.rank.tolist() == [0, 0, 0]
