"""When a call is warm, by the CPU's rule and by CUDA's."""

import math

import pytest

from bench.devices.base import WarmUp
from bench.devices.cuda import CudaDevice
from bench.measure.warming import Warming

CPU = WarmUp()
CUDA = CudaDevice.warm_up


def fed(rule, call_s, clock_hz=lambda batch: None, batches=1000):
    """Feed batches whose calls take ``call_s(batch)``; give the warming and how many it took."""
    warming = Warming(rule)
    for batch in range(batches):
        if warming.is_over:
            return warming, batch
        warming.feed(call_s(batch) * warming.calls, clock_hz(batch))
    raise AssertionError("it never ended")


def test_batches_double_until_they_are_long_enough():
    warming = Warming(CPU)
    asked = []
    while not warming.is_over:
        asked.append(warming.calls)
        warming.feed(1e-4 * warming.calls)
    assert asked == [1, 2, 4, 8, 16]  # of 0.1 ms each: 16 are the first to last a millisecond, and agree with 8


def test_two_that_agree_are_enough_on_a_cpu():
    times = [1.0, 0.5, 0.49]
    warming, batches = fed(CPU, times.__getitem__)
    assert (batches, warming.call_s) == (3, 0.49)


def test_a_cpu_that_never_agrees_is_given_up_after_sixteen():
    warming, batches = fed(CPU, lambda batch: 1.0 + batch % 2)
    assert batches == 16
    assert not warming.is_steady


def test_cuda_waits_for_five_alike():
    assert fed(CUDA, lambda batch: 2e-3)[1] == 5


def test_cuda_does_not_stop_on_a_slope_that_two_batches_cannot_show():
    """2 % a batch: two in succession agree within 10 % at once, though the time goes on to fall by half."""

    def call_s(batch):
        return 2e-3 * max(0.5, 0.98**batch)

    assert fed(CPU, call_s)[1] == 2
    warming, batches = fed(CUDA, call_s)
    assert batches >= math.log(0.5) / math.log(0.98)
    assert warming.call_s == pytest.approx(1e-3, rel=0.01)


def test_a_trend_of_less_than_a_per_cent_is_not_waited_for():
    assert fed(CUDA, lambda batch: 2e-3 * (1 - 0.001 * batch))[1] == 5


def test_cuda_waits_for_the_clock_to_reach_its_plateau():
    def clock_hz(batch):
        return min(1.98e9, 0.6e9 + 0.1e9 * batch)

    # A kernel that waits for memory shows nothing of the clock in its time.
    warming, batches = fed(CUDA, lambda batch: 2e-3, clock_hz)
    assert batches == 14 + 5
    assert warming.is_steady


def test_a_clock_that_settles_below_its_highest_is_settled():
    assert fed(CUDA, lambda batch: 2e-3, lambda batch: 1.98e9 if batch < 3 else 1.4e9)[1] == 8


def test_what_never_settles_is_given_up_in_time():
    warming, batches = fed(CUDA, lambda batch: 0.1 * 1.1**batch)
    assert not warming.is_steady
    assert batches < 15


@pytest.mark.parametrize("rule", [CPU, CUDA])
def test_a_call_that_takes_no_time_at_all_ends_too(rule):
    warming, _ = fed(rule, lambda batch: 0.0)
    assert warming.calls == 1 << 15


def test_noise_around_a_level_is_steady():
    noise = [0.0, 0.02, -0.01, 0.015, -0.02, 0.01]
    assert fed(CUDA, lambda batch: 2e-3 * (1 + noise[batch % 6]))[1] <= 8
