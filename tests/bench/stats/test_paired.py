import math
import random

import numpy as np
import pytest
from simulated import Device, measure

from bench.measure.rounds import Rounds
from bench.stats.intervals import Interval
from bench.stats.paired import figures_of_pass, latency, log_ratio_of_pass, noise_floor, speedup


def test_a_ratio_is_paired_by_round():
    # The machine halves its speed between rounds; each round's ratio is 2 all the same.
    assert log_ratio_of_pass([2, 4, 2, 4], [1, 2, 1, 2]) == pytest.approx(math.log(2))


def test_rounds_that_one_side_lacks_are_left_out():
    assert log_ratio_of_pass([2, 2, 99], [1, 1]) == pytest.approx(math.log(2))
    assert log_ratio_of_pass([], [1, 1]) is None


def test_figures_of_a_pass():
    figures = figures_of_pass(
        {"native": [2.0, 4.0, 2.0, 4.0, 2.0], "cpp": [1.0, 2.0, 1.0, 2.0, 1.0], "gone": []}, "native"
    )
    assert set(figures) == {"native", "cpp"}
    assert (figures["cpp"].median_s, figures["cpp"].rounds, figures["cpp"].outliers) == (1.0, 5, 0)
    assert figures["cpp"].log_ratio == pytest.approx(math.log(2))
    assert figures["native"].log_ratio == 0
    assert figures_of_pass({"cpp": [1.0]}, "native")["cpp"].log_ratio is None


def test_speedup_is_the_exponential_of_the_t_interval():
    interval = speedup([math.log(2), math.log(8)])
    assert interval.centre == pytest.approx(4)
    assert interval.low * interval.high == pytest.approx(16)
    assert speedup([math.log(2)]) == Interval(centre=pytest.approx(2.0))
    assert speedup([]) is None


def test_latency_is_the_geometric_mean_of_the_medians():
    assert latency([1e-3, 4e-3]).centre == pytest.approx(2e-3)
    assert latency([]) is None


def test_noise_floor_is_the_larger_distance_from_one():
    assert noise_floor(Interval(centre=1.0, low=0.97, high=1.01)) == pytest.approx(0.03)
    assert noise_floor(Interval(centre=1.1, low=1.05, high=1.15)) == pytest.approx(0.15)
    assert noise_floor(Interval(centre=1.0)) is None
    assert noise_floor(None) is None


def run(device, seed, passes, rounds):
    """The timings of each pass: a fresh launch, rounds in balanced order."""
    rng, orders = np.random.default_rng(seed), random.Random(seed)
    calls = dict.fromkeys(device.base_s, 1)
    return [measure(Rounds(calls, rounds, orders), device.launch(rng)) for _ in range(passes)]


def test_coverage_over_passes_and_over_rounds_as_if_there_were_no_launches():
    """The 95 % interval holds the truth 95 % of the time, when the pass is its unit and only then."""
    device = Device(base_s={"native": 2e-3, "cpp": 1e-3}, placement=0.004, white=0.015)  # the notes' calm machine
    repeats, truth = 2000, 2.0
    held = {"passes": 0, "rounds": 0, "latency": 0}
    for seed in range(repeats):
        passes = run(device, seed, passes=6, rounds=10)
        figures = [figures_of_pass(timings, "native")["cpp"] for timings in passes]
        of_rounds = run(device, repeats + seed, passes=1, rounds=60)[0]  # as many rounds, one launch
        ratios = np.log(of_rounds["native"]) - np.log(of_rounds["cpp"])
        intervals = {
            "passes": (speedup([one.log_ratio for one in figures]), truth),
            "rounds": (speedup(ratios.tolist()), truth),
            "latency": (latency([one.median_s for one in figures]), 1e-3),
        }
        for name, (interval, true) in intervals.items():
            held[name] += interval.low <= true <= interval.high
    coverage = {name: count / repeats for name, count in held.items()}
    assert 0.93 <= coverage["passes"] <= 0.97, coverage
    assert 0.93 <= coverage["latency"] <= 0.97, coverage
    assert coverage["rounds"] < 0.70, coverage


@pytest.mark.parametrize("seed", range(3))
def test_a_speedup_paired_by_round_is_immune_to_drift(seed):
    """The machine becomes three times slower in a pass; the paired ratio stays, that of medians one by one does not."""

    def throttling(moment_s):
        return math.log(3) * min(1, moment_s / 0.1)

    device = Device(base_s={"native": 1e-3, "same": 1e-3}, white=0.001, drift=throttling)
    together = [figures_of_pass(timings, "native")["same"].log_ratio for timings in run(device, seed, 6, 12)]
    assert speedup(together).centre == pytest.approx(1, abs=0.01)

    launch = device.launch(np.random.default_rng(seed))
    first, then = (np.median([launch.time([(name, 1)])[0] for _ in range(72)]) for name in ("native", "same"))
    assert first / then < 0.9
