import itertools
import math

import numpy as np
import pytest

from bench.stats.intervals import t_interval
from bench.stats.resampled import resampled


def test_without_shared_training_data_it_is_students_interval():
    values = [1.0, 2.0, 4.0, 3.5]
    plain = t_interval(values)
    found = resampled(values, test_over_train=0)
    assert (found.low, found.centre, found.high) == pytest.approx((plain.low, plain.centre, plain.high))


def test_shared_training_data_widens_by_the_published_factor():
    """Nadeau and Bengio: 1/J becomes 1/J + test/train; of 10 folds, 1/10 becomes 1/10 + 1/9."""
    values = list(np.random.default_rng(0).normal(size=10))
    widths = [resampled(values, test_over_train=ratio).error for ratio in (0, 1 / 9)]
    assert widths[1] / widths[0] == pytest.approx(math.sqrt((1 / 10 + 1 / 9) / (1 / 10)))


EFFECTS = [(0, 0, 1), (1, 0, 0.2), (0, 1, 0.3), (1, 1, 0.3)]


@pytest.mark.parametrize(("seeds", "folds"), [(3, 3), (3, 5), (5, 3)])
@pytest.mark.parametrize("effects", EFFECTS, ids=["each its own", "of the fold", "of the seed", "of both"])
def test_the_interval_holds_the_truth_whatever_pairs_have_in_common(seeds, folds, effects):
    """Without the means over folds and seeds, 3 × 5 pairs with an effect of the seed held it in 84 of 100."""
    draw = np.random.default_rng(7)
    labels = [[fold for fold, _ in itertools.product(range(folds), range(seeds))], list(range(seeds)) * folds]
    held, tries = 0, 600
    for _ in range(tries):
        parts = [
            size * draw.normal(size=shape)
            for size, shape in zip(effects, ((folds, 1), (1, seeds), (folds, seeds)), strict=True)
        ]
        found = resampled(sum(parts).ravel(), test_over_train=1 / (folds - 1), clusters=labels)
        held += found.low <= 0 <= found.high
    assert held / tries >= 0.92


def test_the_smallest_difference_is_seen_four_times_of_five():
    draw = np.random.default_rng(3)
    smallest = np.mean([resampled(draw.normal(size=12), test_over_train=0).smallest for _ in range(200)])
    seen = [resampled(smallest + draw.normal(size=12), test_over_train=0).low > 0 for _ in range(2000)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.03)


def test_equal_rounded_figures_do_not_make_a_point_of_an_interval():
    found = resampled([0.001, 0.001, 0.001], test_over_train=0, resolution=0.001)
    assert found.error == pytest.approx(0.001 / math.sqrt(12) / math.sqrt(3))


def test_of_one_pair_there_is_no_interval_and_of_none_nothing():
    assert resampled([0.1], test_over_train=0).low is None
    assert resampled([], test_over_train=0) is None


@pytest.mark.parametrize("wrong", [{"test_over_train": -1}, {"test_over_train": 0, "level": 1.0}])
def test_impossible_ratios_and_levels_are_refused(wrong):
    with pytest.raises(ValueError, match=r"is (neither|not)"):
        resampled([1.0, 2.0], **wrong)
