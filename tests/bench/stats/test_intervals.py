import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.intervals import (
    Interval,
    geometric_interval,
    interquartile_mean,
    logs,
    relative_spread,
    t_interval,
    welch_interval,
)

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20)


def ends(interval):
    return (interval.low, interval.high)


def test_t_interval_of_known_values():
    # mean 3, s = sqrt(2.5), t(0.975, 4) = 2.776445
    interval = t_interval([1, 2, 3, 4, 5])
    reach = 2.7764451051977987 * math.sqrt(2.5 / 5)
    assert interval.centre == 3
    assert ends(interval) == pytest.approx((3 - reach, 3 + reach))
    assert interval.half_width == pytest.approx(reach)


@given(VALUES, st.floats(0.5, 0.999))
def test_t_interval_is_scipys(values, level):
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    if error > 0:
        expected = scipy.stats.t.interval(level, len(values) - 1, loc=np.mean(values), scale=error)
        assert ends(t_interval(values, level)) == pytest.approx(expected)


def test_equal_values_have_an_interval_without_width():
    assert t_interval([2.0] * 6) == Interval(centre=2.0, low=2.0, high=2.0)
    assert welch_interval([2.0] * 6, [1.0] * 4) == Interval(centre=1.0, low=1.0, high=1.0)


@pytest.mark.parametrize("interval", [t_interval, geometric_interval])
def test_one_value_has_no_interval_and_none_has_nothing(interval):
    assert interval([]) is None
    assert interval([1.0]) == Interval(centre=1.0, low=None, high=None)
    assert interval([1.0]).half_width is None


def test_geometric_interval_is_symmetric_in_ratio():
    interval = geometric_interval([1.0, 2.0, 4.0])
    assert interval.centre == pytest.approx(2.0)
    assert interval.low * interval.high == pytest.approx(interval.centre**2)


@given(VALUES, VALUES)
def test_welch_interval_is_scipys(a, b):
    if np.std(a) > 1e-6 and np.std(b) > 1e-6:
        expected = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
        assert ends(welch_interval(a, b)) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_welch_needs_two_values_a_side():
    assert welch_interval([], [1.0, 2.0]) is None
    assert welch_interval([3.0], [1.0, 2.0]) == Interval(centre=1.5)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], 7.0),
        ([1.0, 3.0], 2.0),
        ([9.0, 0.0, 3.0], (0 * 0.25 + 3 * 1 + 9 * 0.25) / 1.5),  # a quarter of three values is three quarters of one
        ([1e9, 2.0, 4.0, -1e9], 3.0),
        ([0, 1, 2, 3, 400], (1 * 0.75 + 2 + 3 * 0.75) / 2.5),
    ],
)
def test_interquartile_mean_of_known_values(values, expected):
    assert interquartile_mean(values) == pytest.approx(expected)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=5).map(lambda values: values * 4))
def test_of_a_multiple_of_four_it_is_the_trimmed_mean(values):
    assert interquartile_mean(values) == pytest.approx(scipy.stats.trim_mean(values, 0.25), abs=1e-9)


@given(st.lists(st.floats(-100, 100), min_size=1), st.floats(-10, 10), st.randoms())
def test_interquartile_mean_moves_with_its_values_in_any_order(values, shift, random):
    moved = [value + shift for value in values]
    random.shuffle(moved)
    assert interquartile_mean(moved) == pytest.approx(interquartile_mean(values) + shift, abs=1e-9)
    assert min(values) - 1e-9 <= interquartile_mean(values) <= max(values) + 1e-9


def test_relative_spread():
    assert relative_spread([1.0]) is None
    assert relative_spread([1.0, math.e]) == pytest.approx(math.sqrt(0.5))
    assert relative_spread([0.99, 1.01]) == pytest.approx(np.std([0.99, 1.01], ddof=1), rel=1e-3)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.inf, math.nan])
def test_a_time_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="not positive and finite"):
        logs([1.0, bad])
