"""Shares, assembled intervals and what they hold, against values computed by hand or known by construction."""

import math
import random

import numpy as np
import pytest

from bench.selftest import assess
from bench.stats.intervals import Interval


@pytest.mark.parametrize(
    ("held", "of", "ends"),
    [
        (0, 10, (0.0, 1 - 0.025 ** (1 / 10))),
        (10, 10, (0.025 ** (1 / 10), 1.0)),
        # Clopper and Pearson's own example of 1934: 10 of 30 lie between 0.173 and 0.528.
        (10, 30, (0.17287, 0.52812)),
    ],
)
def test_clopper_pearson_gives_known_ends(held, of, ends):
    assert assess.clopper_pearson(held, of) == pytest.approx(ends, abs=1e-5)


@pytest.mark.parametrize(("held", "of"), [(-1, 3), (4, 3), (0, 0)])
def test_what_is_no_share_is_refused(held, of):
    with pytest.raises(ValueError, match=f"{held} of {of} is no share"):
        assess.clopper_pearson(held, of)


def test_a_share_is_as_sure_as_the_independent_ones_make_it():
    found = assess.share_of([True] * 950 + [False] * 50, independent=20)
    assert (found.held, found.of, found.share, found.independent) == (950, 1000, 0.95, 20)
    assert (found.low, found.high) == assess.clopper_pearson(19, 20)
    assert assess.share_of([], independent=3) is None
    assert assess.share_of([True], independent=0) is None


def test_intervals_are_made_of_every_choice_of_whole_launches():
    by_launch = [[0.0, 0.1, 0.2], [0.3, 0.4, 0.5], [0.6, 0.7, 0.8]]
    found = assess.assembled(by_launch, 6, random.Random(0))
    assert [one.centre for one in found] == pytest.approx([math.exp(mean) for mean in (0.25, 0.4, 0.55)])
    # Six values 0.1 apart: s = sqrt(0.035), and t of 5 degrees of freedom is 2.5706 at 97.5 %.
    assert math.log(found[0].high) == pytest.approx(0.25 + 2.5706 * math.sqrt(0.035 / 6), abs=1e-5)
    assert assess.independent_of(by_launch, 6) == 1
    assert assess.independent_of(by_launch * 2, 6) == 3


def test_a_launch_that_was_cut_short_takes_no_part():
    assert assess.whole([[1.0, 2.0], [3.0], [4.0, 5.0]]) == [[1.0, 2.0], [4.0, 5.0]]
    assert assess.whole([]) == assess.whole([[]]) == assess.assembled([], 6, random.Random(0)) == []
    assert assess.independent_of([], 6) == 0


def test_too_many_choices_are_drawn_from():
    by_launch = [[float(launch)] * 3 for launch in range(100)]
    assert math.comb(100, 2) > 3000
    found = assess.assembled(by_launch, 6, random.Random(0))
    assert len(found) == 3000
    assert all(one.low < one.high for one in found)  # never one launch twice


def test_assembled_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    held = []
    for _ in range(60):  # sixty machines of 24 launches; no launch effect, so that the level is exact
        by_launch = rng.normal(0.02, 0.004, size=(24, 3)).tolist()
        held += [assess.holds(one, math.exp(0.02)) for one in assess.assembled(by_launch, 6, random.Random(0))[::5]]
    assert len(held) > 3000
    assert 0.93 < sum(held) / len(held) < 0.97


def test_an_interval_without_ends_holds_nothing():
    assert not assess.holds(Interval(centre=1.0), 1.0)
    assert assess.holds(Interval(centre=2.0, low=1.0, high=3.0), 1.0)
    assert not assess.holds(Interval(centre=2.0, low=1.5, high=3.0), 1.0)


def test_bias_is_signed():
    assert assess.relative_bias(1.01, 1.0) == pytest.approx(0.01)
    assert assess.relative_bias(95.0, 100.0) == pytest.approx(-0.05)
