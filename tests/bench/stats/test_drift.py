import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.drift import autocorrelation, drift, outliers, spread_between, spread_within


def test_outliers_lie_beyond_three_interquartile_ranges():
    # Quartiles 2 and 4: the fences stand at -4 and 10.
    assert outliers([1, 2, 3, 4, 5]) == 0
    assert outliers([1, 2, 3, 4, 10]) == 0
    assert outliers([1, 2, 3, 4, 10.1]) == 1
    assert outliers([-9, 2, 3, 4, 5, 3, 3, 99]) == 2
    assert outliers([]) == 0


def test_spreads_take_their_two_parts_apart():
    rng = np.random.default_rng(1)
    passes = [np.exp(place + 0.02 * rng.normal(size=50)) for place in 0.1 * rng.normal(size=200)]
    within, between = spread_within(passes), spread_between([float(np.median(one)) for one in passes])
    assert within == pytest.approx(0.02, rel=0.05), within
    assert between == pytest.approx(0.1, rel=0.15), between


def test_spreads_of_too_few_values_are_none():
    assert spread_between([1.0]) is None
    assert spread_within([]) is None
    assert spread_within([[1.0], [2.0]]) is None
    assert spread_within([[1.0], [1.0, math.e]]) == pytest.approx(math.sqrt(0.5))


def test_autocorrelation_of_known_values():
    assert autocorrelation([1, -1, 1, -1]) == pytest.approx(-0.75)
    assert autocorrelation([-1, 0, 1]) == 0
    assert autocorrelation([1, 2]) is None
    assert autocorrelation([2, 2, 2, 2]) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=30, unique=True))
def test_trend_is_kendalls_rank_correlation_with_time(values):
    expected = scipy.stats.kendalltau(range(len(values)), values).statistic
    assert drift(values).trend == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([1, 2, 3, 4, 5, 6], "slower with time"),
        ([6, 5, 4, 3, 2, 1], "faster with time"),
        ([1, 2, 3, 4, 6, 5], None),  # one pair turned round: chance does it in 1 of 60
        ([1, 2, 3, 4, 5], None),  # fewer than six are never notable
        ([3, 3, 3, 3, 3, 3], None),
        ([math.cos(math.tau * place / 25) for place in range(50)], "moves slowly"),
    ],
)
def test_what_is_notable_has_a_word(values, word):
    assert drift(values).word == word


def test_too_few_values_do_not_drift():
    assert drift([1.0, 2.0]) is None


def test_noise_seldom_gets_a_word():
    rng = np.random.default_rng(2)
    words = [drift(rng.normal(size=30)).word for _ in range(1000)]
    assert sum(word is not None for word in words) < 40, words
