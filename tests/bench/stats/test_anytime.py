"""The interval that may be looked at after every pass: its known widths, and its error over all looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.anytime import anytime_interval, half_width, passes_until

SPREADS = st.floats(1e-6, 1e3)
LEVELS = st.floats(1e-6, 0.5)


@pytest.mark.parametrize(
    ("passes", "level", "expected"), [(6, 0.02, 3.5), (8, 0.02, 1.9), (12, 0.02, 1.2), (24, 0.02, 0.77)]
)
def test_widths_in_units_of_the_spread(passes, level, expected):
    assert half_width(passes, 1.0, level) == pytest.approx(expected, rel=0.05)


def test_nothing_is_said_before_enough_passes():
    level = 0.01 * 0.8 / 24
    assert all(math.isinf(half_width(passes, 1.0, level)) for passes in range(9))
    assert half_width(10, 1.0, level) == pytest.approx(3.3, rel=0.03)


@given(st.integers(2, 200), SPREADS, LEVELS)
def test_it_scales_with_the_spread_and_narrows_with_passes_and_level(passes, spread, level):
    reach = half_width(passes, spread, level)
    assert half_width(passes, 2 * spread, level) == pytest.approx(2 * reach)
    assert half_width(passes + 1, spread, level) <= reach
    assert half_width(passes, spread, level * 1.5) <= reach


@given(st.floats(0.01, 10), SPREADS.filter(lambda one: one > 0.01), st.floats(0.001, 0.2))
def test_the_passes_that_are_needed_are_the_fewest(distance, spread, level):
    needed = passes_until(distance, spread, level)
    if needed is None:
        assert half_width(100_000, spread, level) >= distance
        return
    assert half_width(needed, spread, level) < distance
    assert needed == 2 or half_width(needed - 1, spread, level) >= distance


def test_no_number_of_passes_brings_a_mean_beyond_its_line():
    assert passes_until(0.0, 1.0, 0.02) is None
    assert passes_until(-1.0, 1.0, 0.02) is None


def test_one_value_has_no_interval_and_none_has_no_mean():
    assert anytime_interval([], 0.05) is None
    assert anytime_interval([0.5], 0.05).low is None


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1])
def test_a_level_that_is_no_probability(level):
    with pytest.raises(ValueError, match=f"level = {level} is not between 0 and 1"):
        half_width(5, 1.0, level)


@pytest.mark.parametrize("draw", ["normal", "laplace"])
def test_the_truth_is_left_out_in_few_series_over_all_of_sixty_looks(draw):
    """5 % are allowed; an ordinary t interval leaves it out in every fourth series."""
    figures = getattr(np.random.default_rng(3), draw)(size=(1000, 60))
    counts = np.arange(1, 61)
    means = figures.cumsum(axis=1) / counts
    variances = (np.square(figures).cumsum(axis=1) - counts * means**2)[:, 1:] / counts[:-1]
    reach = np.array([half_width(int(n), 1.0, 0.05) for n in counts[1:]]) * np.sqrt(variances)
    missed = (np.abs(means[:, 1:]) > reach).any(axis=1).mean()
    assert missed <= 0.05
