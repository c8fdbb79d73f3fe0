import math
import random

import numpy as np
import pytest
from simulated import Device, measure

from bench.measure.rounds import Rounds
from bench.stats.intervals import t_interval
from bench.stats.paired import figures_of_pass
from bench.stats.stopping import Stopping

RULE = Stopping(precision=0.01)
T_6 = 2.570581835636314  # t(0.975, 5)


def six(half_width):
    """Six figures whose interval has this half-width: three a bit above 0, three as much below."""
    step = half_width / T_6 * math.sqrt(5)
    return [step, -step] * 3


def test_the_built_series_has_the_width_that_it_says():
    assert t_interval(six(0.02)).half_width == pytest.approx(0.02)


@pytest.mark.parametrize(("relative", "done"), [(0.0, True), (0.00999, True), (0.01001, False)])
def test_done_at_the_precision_and_not_before(relative, done):
    assert RULE.is_done({"a": six(math.log1p(relative))}, 6) is done


def test_one_wide_interval_keeps_the_block_open():
    assert not RULE.is_done({"a": six(0.001), "b": six(0.05)}, 6)
    assert RULE.is_done({"a": six(0.001), "b": six(0.05)}, 8)


def test_never_before_the_least_passes_and_never_beyond_the_most():
    exact = [0.0] * 9
    for passes in range(1, 10):
        assert RULE.is_done({"a": exact[:passes]}, passes) is (passes >= 6)
    assert Stopping(precision=0.01, most_passes=2).is_done({"a": [1.0, -1.0]}, 2)
    assert Stopping(precision=0.01, least_passes=3).is_done({"a": [0.0] * 3}, 3)


def test_a_slow_row_needs_three_passes_and_its_interval_is_not_chased():
    wide = [0.5, -0.5, 0.5]
    assert RULE.is_done({"a": six(0.001), "compiled": wide}, 6, slow={"compiled"})
    assert not RULE.is_done({"a": six(0.001), "compiled": wide[:2]}, 6, slow={"compiled"})
    assert not RULE.is_done({"a": six(0.001), "compiled": wide}, 6)


def test_a_name_with_too_few_figures_keeps_the_block_open():
    assert not RULE.is_done({"a": []}, 6)
    assert not RULE.is_done({"a": [0.0]}, 6)


def test_nothing_left_to_measure_is_done():
    assert RULE.is_done({}, 6)


def test_a_rule_without_sense_is_refused():
    with pytest.raises(ValueError, match="precision = 0 is not positive"):
        Stopping(precision=0)
    with pytest.raises(ValueError, match="a number of passes is below 1"):
        Stopping(precision=0.01, most_passes=0)


@pytest.mark.parametrize(("placement", "fewest", "most"), [(0.001, 6, 6), (0.05, 24, 24)])
def test_a_calm_device_is_done_soon_and_a_noisy_one_goes_to_the_end(placement, fewest, most):
    rule = Stopping(precision=0.01, most_passes=24)
    device = Device(base_s={"native": 2e-3, "cpp": 1e-3}, placement=placement, white=0.01)
    for seed in range(5):
        rng, orders = np.random.default_rng(seed), random.Random(seed)
        ratios = []
        while not rule.is_done({"cpp": ratios}, len(ratios)):
            timings = measure(Rounds({"native": 1, "cpp": 2}, 12, orders), device.launch(rng))
            ratios.append(figures_of_pass(timings, "native")["cpp"].log_ratio)
        assert fewest <= len(ratios) <= most
