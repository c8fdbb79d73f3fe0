"""Pass after pass on a pretended machine: what is measured, written down, and when it ends."""

import math

import pytest
from gating import LIKE, OTHER, PROBLEM

from bench.events import Listener
from bench.gate.judge import CONTROL, Judge, Lines
from bench.gate.pairs import Pair, figure
from bench.gate.passes import Made, Pass, Passes
from bench.measure.messages import TWIN
from bench.measure.visited import CellVisit, Series, Visited
from reports.gate_schema import Outcome, Word

PAIRS = {pair.key: pair for pair in (Pair(problem=problem, row="cpp") for problem in (PROBLEM, OTHER))}


class Machine:
    """An executor whose calls take as long as it is told, with a spread that is the same on both sides."""

    def __init__(self, slower=1.0, broken_from=None):
        self.slower, self.broken_from = slower, broken_from
        self.visits = []
        self.now = 0.0

    def begin_pass(self, names):
        self.names = names
        return 0

    def visit(self, plan):
        self.visits.append(plan)
        self.now += 1.0
        visited = Visited(key=plan.problem.key, pass_=plan.pass_, launch=plan.launch)
        for name in (*plan.names, *plan.companions):
            is_slow = name == "cpp@head" and plan.problem == PROBLEM
            call_s = (1 + 0.001 * (plan.pass_ % 2)) * (self.slower if is_slow else 1.0)
            visited.cells[name] = CellVisit()
            visited.series[name] = Series(calls=1, seconds=[call_s] * plan.rounds, positions=[0] * plan.rounds)
            if is_slow and self.broken_from is not None and plan.pass_ >= self.broken_from:
                visited.cells[name] = CellVisit(status="incorrect", reason="off by one")
                del visited.series[name]
        return visited


def made_on(machine, budget_s=1e6, past=()):
    made = Made(judge=Judge(tuple(PAIRS), Lines()))
    for one in past:
        made.take(one)
    written = []
    passes = Passes(
        pairs=PAIRS, control=OTHER, like=LIKE, listener=Listener(), write=written.append, clock=lambda: machine.now
    )
    passes.make(machine, made, budget_s)
    return made, written


def test_equal_sides_end_after_the_passes_that_clearing_takes():
    machine = Machine()
    made, written = made_on(machine)
    assert made.judge.outcome == Outcome.CLEAR
    assert len(written) == len(made.passes) == made.judge.passes
    assert [Pass.from_dict(one) for one in written] == made.passes
    first = machine.visits[:3]
    assert (first[0].names, first[0].companions) == (("native",), (TWIN,))
    assert {plan.problem for plan in first[1:]} == {PROBLEM, OTHER}
    assert all(plan.names == ("cpp@base", "cpp@head") for plan in first[1:])
    assert all(plan.rounds == 12 for plan in first)


def test_a_slower_head_is_found_and_the_other_cell_cleared():
    made, _ = made_on(Machine(slower=1.1))
    slow, equal = made.judge.verdicts().values()
    assert (slow.word, equal.word) == (Word.REGRESSED, Word.UNCHANGED)
    assert slow.change.centre == pytest.approx(1.1)
    assert made.judge.control.centre == pytest.approx(1.0)


@pytest.mark.parametrize(("budget_s", "passes"), [(3.0, 1), (5.9, 1), (6.0, 2)])
def test_no_pass_begins_that_would_not_fit_into_the_budget(budget_s, passes):
    """A visit takes a second, so a pass three."""
    made, _ = made_on(Machine(), budget_s=budget_s)
    assert len(made.passes) == passes
    assert all(len(one.figures) == 3 for one in made.passes)
    assert made.judge.outcome == Outcome.UNDECIDED


@pytest.mark.parametrize(("budget_s", "figures"), [(0.0, 1), (1.5, 2)])
def test_a_pass_that_outlasts_the_budget_is_kept_as_far_as_it_came(budget_s, figures):
    made, written = made_on(Machine(), budget_s=budget_s)
    (one,) = made.passes
    assert len(one.figures) == figures
    assert written == [one.to_dict()]
    assert made.judge.outcome == Outcome.UNDECIDED
    assert made_on(Machine(), past=made.passes)[0].judge.outcome == Outcome.CLEAR


def test_a_gate_goes_on_where_it_was_left():
    whole, _ = made_on(Machine(slower=1.1))
    first, _ = made_on(Machine(slower=1.1), budget_s=3.0)
    machine = Machine(slower=1.1)
    rest, written = made_on(machine, past=first.passes)
    assert machine.visits[0].pass_ == 1
    assert len(written) == len(rest.passes) - 1
    assert rest.judge.verdicts() == whole.judge.verdicts()


def test_a_cell_that_falls_out_on_head_is_broken_and_costs_no_other():
    made, _ = made_on(Machine(broken_from=2))
    (key,) = made.left
    assert made.left[key].word == Word.BROKEN
    assert made.left[key].reason == "head is incorrect: off by one"
    assert list(made.judge.verdicts()) == [PAIRS[f"cpp {OTHER.key}"].key]
    assert made.judge.outcome == Outcome.CLEAR


def test_a_figure_wants_three_rounds_of_both_sides():
    def visited(base, head):
        series = {
            name: Series(calls=2, seconds=seconds, positions=[0] * len(seconds))
            for name, seconds in (("a", base), ("b", head))
        }
        return Visited(key="", pass_=0, launch=0, series=series)

    found = figure(visited([2.0, 2.0, 2.0], [2.2, 2.2, 2.2]), "a", "b")
    assert found.log_ratio == pytest.approx(math.log(1.1))
    assert (found.base_s, found.head_s) == pytest.approx((1.0, 1.1))
    assert figure(visited([2.0, 2.0], [2.2, 2.2, 2.2]), "a", "b") is None
    assert figure(visited([2.0] * 3, [2.2] * 3), "a", "c") is None


def test_the_control_is_fed_with_every_pass():
    made, _ = made_on(Machine())
    assert all(CONTROL in one.figures for one in made.passes)
