"""Class limits and ramps: exact, readable, never an empty class, order visible to everybody."""

from __future__ import annotations

import doctest
import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maps import classify
from maps.natural import natural_starts

VALUES = st.lists(st.one_of(st.integers(0, 50), st.integers(0, 10**7), st.just(0)), max_size=60)
FLOATS = st.lists(st.floats(0, 1e9, allow_subnormal=False), max_size=60)


def test_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(classify).failed == 0


@given(st.lists(st.integers(0, 60), min_size=1, max_size=11), st.integers(1, 6), st.randoms())
def test_natural_classes_are_the_best_of_all(values: list[int], classes: int, random: object) -> None:
    axis = np.unique(np.array(values, dtype=float))
    weight = np.array([1.0 + (v * 7) % 4 for v in axis])
    k = min(classes, len(axis))

    def spread(starts: tuple[int, ...]) -> float:
        edges = (*starts, len(axis))
        return sum(
            float((weight[a:b] * (axis[a:b] - np.average(axis[a:b], weights=weight[a:b])) ** 2).sum())
            for a, b in itertools.pairwise(edges)
        )

    best = min(spread((0, *cut)) for cut in itertools.combinations(range(1, len(axis)), k - 1))
    found = natural_starts(axis, weight, k)
    assert spread(tuple(found.tolist())) == pytest.approx(best, abs=1e-6)


@given(
    st.one_of(VALUES, FLOATS),
    st.integers(2, 9),
    st.sampled_from(["natural", "quantile", "equal"]),
    st.booleans(),
)
def test_limits_rise_hold_everything_and_leave_no_class_empty(
    values: list[float], classes: int, method: classify.Method, zero: bool
) -> None:
    limits = classify.breaks(values, classes=classes, method=method, zero_class=zero, steady=zero)
    assert len(limits) <= classes
    assert limits == sorted(set(limits))
    found = classify.classify(values, limits)
    if values:
        assert limits[0] <= min(values)
        assert set(found.tolist()) == set(range(len(limits)))
    else:
        assert limits == []


@given(VALUES)
def test_zero_is_a_class_of_its_own_and_counts_have_whole_limits(values: list[int]) -> None:
    limits = classify.for_measure("cases", values)
    assert all(v == int(v) for v in limits)
    if 0 in values and max(values) > 0:
        assert limits[0] == 0
        assert limits[1] >= 1
        assert {v for v, c in zip(values, classify.classify(values, limits), strict=True) if c == 0} == {0}


def test_missing_values_do_not_count() -> None:
    assert classify.for_measure("median_days_to_close", [float("nan"), 2.0, float("inf"), 2.0]) == [2.0]
    assert classify.breaks([float("nan")]) == []
    assert classify.classify([float("nan"), 1.0], [0.0]).tolist() == [-1, 0]


def test_ties_stay_in_one_class() -> None:
    values = [1] * 50 + [2] * 3 + [9] * 40
    limits = classify.breaks(values, classes=3, method="quantile")
    assert limits == [1.0, 2.0, 9.0]


def test_one_far_outlier_leaves_the_limit_near_the_many() -> None:
    limits = classify.for_measure("cases", [*range(5, 220), 3896])
    assert 220 <= limits[-1] <= 440, limits


def test_limits_have_few_digits() -> None:
    values = np.random.default_rng(7).lognormal(4, 1.2, 3000)
    limits = classify.for_measure("per_km2", values)
    assert all(len(f"{v:.10g}".replace(".", "").strip("0")) <= 3 for v in limits[1:]), limits


def test_ten_thousand_zones_are_cut_at_once() -> None:
    values = np.random.default_rng(1).lognormal(3, 1.5, 10_000)
    started = time.perf_counter()
    classify.for_measure("per_km2", values)
    assert time.perf_counter() - started < 1.0  # 0.05 s when alone


def test_limits_mirrored_around_a_centre() -> None:
    limits = classify.diverging([-4, 2, 11], centre=1.0, arms=2)
    steps = np.array(limits[1:]) - 1.0
    assert steps == pytest.approx(-steps[::-1])
    assert set(classify.classify([-4, 2, 11], limits).tolist()) <= set(range(5))


# Machado, Oliveira, Fernandes (2009), severity 1.0, in linear RGB
BLIND = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}


def _linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _lightness(linear: np.ndarray) -> float:
    y = float(np.clip(linear, 0, 1) @ [0.2126, 0.7152, 0.0722])
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


@pytest.mark.parametrize("ramp", ["heat", "calm"])
@pytest.mark.parametrize("eye", ["full", *BLIND])
def test_ramps_darken_step_by_step_for_every_eye(ramp: str, eye: str) -> None:
    for classes in (3, 6, 9):
        seen = [_linear(c) for c in classify.colours(ramp, classes)]
        if eye != "full":
            seen = [np.array(BLIND[eye]) @ c for c in seen]
        steps = -np.diff([_lightness(c) for c in seen])
        assert (steps > 40 / classes * 0.5).all(), (ramp, eye, classes, steps)


def test_the_middle_of_the_diverging_ramp_is_the_lightest() -> None:
    light = [_lightness(_linear(c)) for c in classify.ramps()["balance"]]
    assert light.index(max(light)) == 4
    assert (np.diff(light[:5]) > 0).all()
    assert (np.diff(light[4:]) < 0).all()


def test_every_measure_has_a_ramp() -> None:
    for measure in ("cases", "open", "per_km2", "median_days_to_close", "satisfied_share", "unknown"):
        assert classify.ramp_of(measure) in ("heat", "calm")
    assert classify.colours("heat", 0) == []
    assert len(classify.colours("heat", 1)) == 1
