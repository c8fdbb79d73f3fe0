import pytest

from bench.stats.trend import trend


@pytest.mark.parametrize(
    ("values", "s"), [([1, 2, 3, 4, 5], 10), ([5, 4, 3, 2, 1], -10), ([1, 1, 1], 0), ([2, 1, 3], 1), ([], 0)]
)
def test_trend_is_pairs_that_rise_less_pairs_that_fall(values, s):
    assert trend(values) == s
