"""The plugin files' own work is what the table of truths says: counted, on a clock that is injected, or to the bit."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from bench.measure.error import errors_of
from bench.measure.inputs import make_inputs
from bench.measure.oracle import truth
from bench.plan.problem import Problem
from bench.selftest import run, truths
from kernels import discovery, table

FOLDER = Path(run.__file__).parent
PROBLEM = Problem(N=1, C=16, H=16, W=16, G=4)


@pytest.fixture(scope="module")
def rows():
    """The rows of both plugin files alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "_rows", {})
        patch.setattr(table, "sources", set())
        return discovery.load((), [FOLDER / "known.py", FOLDER / "liars.py"])


def call(row, inputs):
    return row.call(inputs.x, PROBLEM.G, inputs.weight, inputs.bias, PROBLEM.eps)


def test_every_row_of_the_truths_is_a_row_of_the_plugins_and_no_other(rows):
    named = (truths.REFERENCE, *truths.PAIRS, *truths.WAITS, *truths.TAKINGS, *truths.OFFS, *truths.LIARS)
    assert sorted(rows) == sorted(one.name for one in named)
    assert {row.broken for row in rows.values()} == {None}


@pytest.mark.parametrize("units", [truths.REFERENCE, *truths.PAIRS], ids=lambda one: one.name)
def test_a_row_of_units_does_the_same_work_so_many_times(rows, units, monkeypatch):
    calls = []
    real = functional.group_norm
    monkeypatch.setattr(functional, "group_norm", lambda *given: calls.append(given) or real(*given))
    inputs = make_inputs(PROBLEM, 1)
    y = call(rows[units.name], inputs)
    assert len(calls) == units.units
    assert all(given[0] is inputs.x for given in calls)
    assert torch.equal(y, real(inputs.x, PROBLEM.G, inputs.weight, inputs.bias, PROBLEM.eps))


@pytest.mark.parametrize("wait", truths.WAITS, ids=lambda one: one.name)
def test_a_wait_ends_at_the_first_look_at_the_clock_past_its_end(rows, wait, monkeypatch):
    class Clock:
        now = 0

        def perf_counter_ns(self):
            self.now += 30_000
            return self.now

    clock = Clock()
    monkeypatch.setitem(rows[wait.name].call.__globals__, "time", clock)
    call(rows[wait.name], make_inputs(PROBLEM, 1))
    began = 30_000
    assert 0 <= clock.now - began - wait.seconds * 1e9 < 30_000


@pytest.mark.parametrize("off", truths.OFFS, ids=lambda one: one.name)
@pytest.mark.parametrize("seed", range(5))
def test_an_error_is_what_it_says_to_half_a_unit(rows, off, seed):
    inputs = make_inputs(PROBLEM, seed)
    errors = errors_of(call(rows[off.name], inputs), truth(PROBLEM, inputs)[0])
    assert errors.ulp == pytest.approx(off.ulp, abs=0.5)


def test_the_pairs_have_the_ratios_that_are_asked_for():
    assert [pair.units / truths.REFERENCE.units for pair in truths.PAIRS] == [1.00, 1.02, 1.05, 1.10]
