"""Frames with figures that are right or wrong by a known amount."""

import math

import pandas as pd
import pytest

from bench.selftest import truths
from bench.selftest.checks import by_name, known_checks, liar_checks, ratio_checks, trial_s
from bench.selftest.passes import log_ratios

COST = {"wall_s": 76.0, "reporting_s": 4.0, "measuring_s": 60.0}
EXACT = {pair.name: pair.units / 100 for pair in truths.PAIRS}


def samples(ratios, launches=24, passes=3, rounds=5, shift=lambda launch, pass_: 0.0):
    """A base of 10 ms a call and rows that take ``ratios`` times as long, shifted by a log a pass."""
    rows = []
    for launch in range(launches):
        for pass_ in range(passes):
            for round_ in range(rounds):
                drift = 1 + round_  # the machine's own, the same for both sides of a pair
                for name, ratio in {truths.REFERENCE.name: 1.0, **ratios}.items():
                    off = shift(launch, pass_) if name in ratios else 0.0
                    seconds = 2 * 0.01 * drift * ratio * math.exp(off)
                    rows.append((launch, launch * passes + pass_, round_, name, 2, seconds))
    return pd.DataFrame(rows, columns=["launch", "pass", "round", "implementation", "calls", "seconds"])


def results(ratios, **changed):
    rows = [
        {"implementation": name, "status": "ok", "reason": None, "speedup": 1 / one, "speedup_low": 0.99 / one,
         "speedup_high": 1.01 / one} | changed.get(name, {})
        for name, one in ratios.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def wobble(launch, pass_):
    """Plus and minus half a per cent by turns: every interval of two launches of three is centred near the truth."""
    return 0.005 * (-1) ** (launch + pass_)


def checks(**kwargs):
    made = ratio_checks(results(EXACT), samples(EXACT, **kwargs), COST, 0)
    return {check.check: check for check in made}


def test_a_passes_log_ratio_is_paired_by_round_and_ordered_by_launch():
    frame = samples({"units-102": 1.02}, launches=2, shift=lambda launch, pass_: 0.1 * launch + 0.01 * pass_)
    shuffled = frame.sample(frac=1, random_state=3)
    base = -math.log(1.02)
    for launch, found in enumerate(log_ratios(shuffled, "units-102", truths.REFERENCE.name)):
        assert found == pytest.approx([base - 0.1 * launch - 0.01 * pass_ for pass_ in range(3)])
    assert log_ratios(shuffled, "absent", truths.REFERENCE.name) == []


def test_right_ratios_have_no_bias_and_are_told_apart_and_intervals_too_wide_are_seen():
    found = checks(shift=wobble)
    assert found["time ratio of units-102"].measured == pytest.approx(1.02)
    assert found["time ratio of units-102"].low == pytest.approx(1.02 / 1.01)
    assert found["time ratio of units-102"].high == pytest.approx(1.02 / 0.99)
    assert found["time ratio of units-110"].bias == pytest.approx(0)
    coverage = found["95 % intervals that hold the truth"]
    assert coverage.remark.startswith(f"{4 * math.comb(24, 2)} intervals of 6 passes, at most 48 of them independent")
    assert coverage.measured == 1.0
    assert coverage.met is False  # intervals too wide are not what they say either
    assert found["1.02 told from 1.00"].measured == 1.0
    assert found["1.02 told from 1.00"].met
    assert found["1.00 taken for a difference"].measured == 0.0


def test_a_biased_instrument_is_seen():
    frame = results({name: one * 1.011 for name, one in EXACT.items()})
    found = list(
        ratio_checks(frame, samples(EXACT, shift=lambda launch, pass_: 0.011 + wobble(launch, pass_)), COST, 0)
    )
    assert [check.bias for check in found[:4]] == pytest.approx([0.011] * 4)
    assert [check.met for check in found[:4]] == [False] * 4
    by = {check.check: check for check in found}
    assert by["95 % intervals that hold the truth"].measured == 0.0
    assert by["1.00 taken for a difference"].met is False


def test_a_difference_on_the_wrong_side_is_not_told():
    found = checks(shift=lambda launch, pass_: -0.06 + wobble(launch, pass_))
    assert found["1.02 told from 1.00"].measured == 0.0  # every interval excludes 1, as faster
    assert found["1.00 taken for a difference"].measured == 1.0


def test_a_blunt_instrument_tells_nothing_apart():
    found = checks(shift=lambda launch, pass_: 10 * wobble(launch, pass_))
    assert found["1.02 told from 1.00"].measured == 0.0
    assert found["1.02 told from 1.00"].met is False


def test_telling_apart_too_slowly_is_not_enough():
    made = ratio_checks(results(EXACT), samples(EXACT, shift=wobble), COST | {"wall_s": 100.0}, 0)
    told = next(check for check in made if check.check == "1.02 told from 1.00")
    assert (told.measured, told.met, told.remark) == (1.0, False, "a trial takes 10.3 s")


def test_few_passes_are_shown_and_not_judged():
    found = checks(launches=4, shift=wobble)
    coverage = found["95 % intervals that hold the truth"]
    assert (coverage.measured, coverage.met) == (1.0, None)
    assert coverage.remark.endswith("1000 are needed to judge")
    assert checks(launches=1)["95 % intervals that hold the truth"].measured is None


def test_a_trial_takes_its_own_batches_and_all_that_is_not_a_batch():
    # Per pass: two rows of five rounds of 0.02 s times 1 to 5, each with its untimed twin; (76 - 4 - 60) / 72 besides.
    frame = samples(EXACT)
    own_s = 2 * 0.02 * (1 + 2 + 3 + 4 + 5) * (1 + 1.02)
    assert trial_s(frame, COST, 102) == pytest.approx(6 * (own_s + 12 / 72))
    assert trial_s(frame.iloc[:0], COST, 102) is None


def test_a_row_without_a_figure_misses_its_goal_and_says_why():
    frame = results(EXACT, **{"units-102": {"status": "crashed", "reason": "SIGSEGV", "speedup": None}})
    found = {check.check: check for check in ratio_checks(frame, samples(EXACT), COST, 0)}
    lost = found["time ratio of units-102"]
    assert (lost.measured, lost.met, lost.remark) == (None, False, "crashed: SIGSEGV")
    assert found["1.02 told from 1.00"].met is False


RIGHT = {
    "waits-100us": {"latency_s": 1.005e-4, "latency_low_s": 1.0e-4, "latency_high_s": 1.01e-4},
    "waits-1ms": {"latency_s": 1.02e-3, "latency_low_s": 1.01e-3, "latency_high_s": 1.03e-3},
    "takes-8mib": {"extra_bytes": 8 << 20},
    "takes-64kib": {"extra_bytes": (64 << 10) + 8},
    "off-by-2-ulp": {"error_ulp": 2.5},
    "off-by-1000-ulp": {"error_ulp": 1000.2, "status": "incorrect", "reason": "error"},
}


def known(rows):
    return {check.check: check for check in known_checks(rows)}


def rows(**changed):
    return {name: {"status": "ok", "reason": None} | row | changed.get(name, {}) for name, row in RIGHT.items()}


def test_times_bytes_and_errors_are_held_against_the_truth():
    found = known(rows())
    assert {name: check.met for name, check in found.items()} == {
        "time of waits-100us": True,
        "time of waits-1ms": False,
        "memory of takes-8mib": True,
        "memory of takes-64kib": False,
        "error of off-by-2-ulp": True,
        "error of off-by-1000-ulp": True,
    }
    assert found["time of waits-1ms"].bias == pytest.approx(0.02)
    assert found["time of waits-1ms"].high == 1.03e-3


def test_an_error_that_is_allowed_must_not_be_called_incorrect():
    found = known(rows(**{"off-by-2-ulp": {"status": "incorrect", "reason": "too strict"}}))["error of off-by-2-ulp"]
    assert (found.met, found.remark) == (False, "incorrect: too strict")


def test_a_run_without_the_rows_misses_everything():
    assert {check.met for check in known_checks({})} == {False}
    assert {check.met for check in liar_checks({})} == {False}


def test_a_liar_is_caught_by_the_right_name_only():
    frame = pd.DataFrame(
        [{"implementation": liar.name, "status": liar.caught[0], "reason": pd.NA} for liar in truths.LIARS]
    )
    caught = by_name(frame)
    assert {check.met for check in liar_checks(caught)} == {True}
    for liar in truths.LIARS:
        undiscovered = caught | {liar.name: {"status": "ok"}}
        assert [check.check for check in liar_checks(undiscovered) if not check.met] == [f"liar {liar.name}"]
