"""The clock and the cores, and how they are judged."""

import os

import pytest

from bench.doctor import cores
from bench.doctor.cores import Spin
from bench.doctor.findings import Finding, Level


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system pins no thread to a core")
def test_a_spin_leaves_the_threads_cores_as_they_were():
    before = os.sched_getaffinity(0)
    spun = cores.spin(min(before), seconds=0.005)
    assert os.sched_getaffinity(0) == before
    assert spun.median_s > 0
    assert spun.spread > -1


def test_spins_are_judged_by_spread_and_across_cores():
    steady = Spin(core=0, median_s=1e-4, spread=0.02)
    assert list(cores.judge_spins((steady,))) == [Finding(level=Level.OK, what="equal work varies by 2% on core 0")]
    restless, slow = cores.judge_spins((steady, Spin(core=3, median_s=1.3e-4, spread=0.4)))
    assert (restless.level, restless.what) == (Level.WARNING, "equal work varies by 40% on core 3")
    assert (slow.level, slow.what) == (Level.WARNING, "core 3 is 30% slower than core 0")


@pytest.mark.parametrize(
    ("step_s", "level", "what"),
    [
        (4e-8, Level.OK, "the clock's smallest step is 40 ns"),
        (1.5e-5, Level.WARNING, "the clock's smallest step is 15000 ns"),
    ],
)
def test_a_coarse_clock_is_a_warning(step_s, level, what):
    (finding,) = cores.judge_clock(step_s)
    assert (finding.level, finding.what) == (level, what)
