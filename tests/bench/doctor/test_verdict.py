"""Noise made up, and what it comes to."""

from dataclasses import replace

import pytest

from bench.doctor.findings import Level
from bench.doctor.noise import Noise, Spread
from bench.doctor.verdict import free_cores, judge, judge_noise
from bench.doctor.watch import Disturbance

CALM = Disturbance(seconds=2.0, others_cores=0.1, busiest=None, stolen=0.0, waited=0.0, preemptions=3, throttlings=0)


def noise(floor, **disturbed):
    one = Spread(floor=floor, spread=0.04, median_s=1e-3)
    return Noise(memory=one, arithmetic=replace(one, floor=0.0001), disturbance=replace(CALM, **disturbed))


@pytest.mark.parametrize(
    ("floor", "level", "sentence"),
    [
        (0.004, Level.OK, "good for 1 % differences"),
        (0.005, Level.OK, "good for 1 % differences"),
        (0.006, Level.WARNING, "usable: expect to tell 2%"),
        (0.014, Level.WARNING, "usable: expect to tell 3%"),
        (0.04, Level.WARNING, "usable: expect to tell 10%"),
        (0.06, Level.PROBLEM, "not usable now: the error of a ratio of equal work is 6%"),
    ],
)
def test_the_verdict_names_the_least_difference_beyond_two_floors(floor, level, sentence):
    found = judge(noise(floor), cores=2)
    assert (found.level, found.sentence) == (level, sentence)


def test_without_a_floor_nothing_is_promised():
    bare = Spread(floor=None, spread=0.1, median_s=1.0)
    found = judge(Noise(memory=bare, arithmetic=bare, disturbance=CALM), cores=2)
    assert (found.level, found.tells) == (Level.PROBLEM, None)
    assert found.sentence.endswith("is unknown")


@pytest.mark.parametrize(
    ("others", "cores", "free", "tail"),
    [
        (1.2, 4, 2, "give --threads 2 at most"),
        (0.5, 2, 1, "give --threads 1 at most"),
        (1.5, 2, 0, "stop them first"),
    ],
)
def test_busy_cores_are_left_to_their_programs(others, cores, free, tail):
    assert free_cores(replace(CALM, others_cores=others), cores) == free
    found = judge(noise(0.001, others_cores=others), cores)
    assert (found.level, found.tells) == (Level.WARNING, 0.01)
    assert found.sentence == f"usable: expect to tell 1% on one thread; other programs are busy, so {tail}"


@pytest.mark.parametrize(
    ("disturbed", "what"),
    [
        ({"others_cores": 1.5, "busiest": "cc1 (8)"}, "other programs used 1.5 cores, most of it cc1 (8)"),
        ({"waited": 0.2}, "this process waited 20.0% of the time for a core, and was taken off it 3 times"),
        ({"stolen": 0.05}, "the hypervisor took 5.0% of a core's time"),
        ({"throttlings": 4}, "cores were slowed by heat 4 times meanwhile"),
    ],
)  # fmt: skip
def test_each_disturbance_is_a_warning_of_its_own(disturbed, what):
    (warning,) = (one for one in judge_noise(noise(0.001, **disturbed)) if one.level is Level.WARNING)
    assert warning.what == what
    assert warning.why
    assert warning.mend


def test_a_calm_machine_has_no_warning_and_a_noisy_one_is_told_why():
    assert {one.level for one in judge_noise(noise(0.001))} == {Level.OK}
    first = next(iter(judge_noise(noise(0.02))))
    assert (first.level, first.what) == (
        Level.WARNING,
        "equal memory-bound work: ratio known to 2.00%, batches 4% apart",
    )


def test_what_is_not_counted_is_not_judged():
    unknown = {"others_cores": None, "stolen": None, "waited": None, "throttlings": None}
    found = list(judge_noise(noise(0.001, **unknown)))
    assert [one.level for one in found] == [Level.OK, Level.OK, Level.NOTE]
    assert free_cores(replace(CALM, **unknown), 2) == 2
