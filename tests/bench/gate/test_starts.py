"""Starts on a pretended machine: how many are made, and on which problem."""

import math
from dataclasses import replace

from gating import LIKE, OTHER, PROBLEM

from bench.gate.pairs import Pair
from bench.gate.starts import Starts
from bench.measure.messages import Checked
from bench.measure.visited import CellVisit, Visited

PAIRS = [Pair(problem=problem, row=row) for problem in (OTHER, PROBLEM) for row in ("cpp", "triton")]


class Machine:
    """An executor whose first calls take as long as it is told, by sided name."""

    def __init__(self, **seconds):
        self.seconds = seconds
        self.plans = []

    def begin_pass(self, names):
        self.names = names
        return len(self.plans)

    def visit(self, plan):
        self.plans.append(plan)
        visited = Visited(key=plan.problem.key, pass_=plan.pass_, launch=plan.launch)
        for name in plan.names:
            wobble = math.exp(0.05 * (-1) ** plan.pass_) if name.endswith("@head") else 1.0
            first_call_s = self.seconds.get(name.replace("@", "_"), 1e-4) * wobble
            visited.cells[name] = CellVisit(checked=Checked(status="ok", reason=None, first_call_s=first_call_s))
        return visited


def made_on(machine, ends=math.inf, **past):
    growth = {"cpp": 0.5, "triton": 0.5}
    return Starts(executor=machine, like=LIKE, growth=growth, alpha=0.01, ends=ends).made(PAIRS, past)


def test_rows_that_start_alike_are_left_after_three():
    machine = Machine(cpp_base=0.5, cpp_head=0.55)
    found = made_on(machine)
    assert {row: len(seconds) for row, seconds in found.items()} == {"cpp": 3, "triton": 3}
    assert {plan.problem for plan in machine.plans} == {PROBLEM}  # the smaller one
    assert machine.plans[0].names[0] == LIKE.reference
    assert all((plan.rounds, plan.companions) == (0, ()) for plan in machine.plans)


def test_a_suspect_gets_as_many_as_its_verdict_takes_and_alone():
    machine = Machine(cpp_base=0.1, cpp_head=0.4)
    found = made_on(machine)
    assert len(found["triton"]) == 3
    assert 8 <= len(found["cpp"]) < 18
    assert not any("triton" in name for name in machine.names)


def test_no_start_begins_after_the_budget():
    machine = Machine()
    assert made_on(machine, ends=0.0) == {"cpp": [], "triton": []}
    assert machine.plans == []


def test_a_continued_gate_takes_the_starts_that_its_budget_did_not_reach():
    machine = Machine(cpp_base=0.5, cpp_head=0.55)
    found = made_on(machine, cpp=[(0.5, 0.5)])
    assert {row: len(seconds) for row, seconds in found.items()} == {"cpp": 3, "triton": 3}
    assert found["cpp"][0] == (0.5, 0.5)
    assert made_on(machine, **found) == found


def test_a_continued_gate_goes_on_with_a_suspect_alone():
    machine = Machine(cpp_base=0.1, cpp_head=0.4)
    whole = made_on(Machine(cpp_base=0.1, cpp_head=0.4))
    found = made_on(machine, cpp=whole["cpp"][:4], triton=whole["triton"])
    assert len(found["cpp"]) >= 8
    assert {name for plan in machine.plans for name in plan.names} == {LIKE.reference, "cpp@base", "cpp@head"}


def test_a_side_that_falls_out_has_no_figure():
    class Broken(Machine):
        def visit(self, plan):
            visited = super().visit(plan)
            for name, cell in visited.cells.items():
                if name == "cpp@head":
                    visited.cells[name] = replace(cell, checked=None)
            return visited

    assert made_on(Broken())["cpp"] == []
