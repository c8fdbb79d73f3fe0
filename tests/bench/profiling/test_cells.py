import pytest

from bench.errors import UsageError
from bench.plan.config import Settings
from bench.plan.problem import Problem
from bench.plan.sweep import Axes, Sweep
from bench.profiling.cells import MOST_CELLS, chosen, problems, refuse_too_many, unfitting

SWEEP = Sweep(entries=(Axes(N=(1, 2, 3), C=(8,), H=(4,), W=(4,), G=("2",)),))


def test_the_first_problems_are_taken():
    assert [block.problem.N for block in problems(SWEEP, Settings(), most=2)] == [1, 2]
    assert len(problems(SWEEP, Settings())) == 3
    assert [block.problem.N for block in problems(SWEEP, Settings(shard=(2, 2)))] == [2]


def test_a_sweep_without_a_valid_problem_says_why():
    sweep = Sweep(entries=(Axes(N=(1,), C=(9,), H=(1,), W=(1,), G=("2",)),))
    with pytest.raises(UsageError, match=r"^sweep: no valid problem is left: C is not divisible by G \(1, as N1-C9"):
        problems(sweep, Settings())


def test_fifty_cells_are_taken_and_one_more_is_refused():
    sweep = Sweep(entries=(Axes(N=tuple(range(1, MOST_CELLS + 2)), C=(8,), H=(4,), W=(4,), G=("2",)),))
    blocks = problems(sweep, Settings())
    refuse_too_many(blocks[:-1], ("native",))
    with pytest.raises(UsageError) as raised:
        refuse_too_many(blocks, ("native",))
    assert str(raised.value) == (
        "cells: 51 problems x 1 implementation: 51 cells are more than 50; "
        "name implementations with --impl, or fewer values for -N -C -H -W -G"
    )


@pytest.mark.parametrize(
    ("impl", "names"),
    [((), ("native", "mine")), (("all",), ("native", "mine")), (("mine",), ("mine",)), (("native",), ("native",))],
)
def test_the_reference_is_profiled_only_where_it_was_asked_for(impl, names):
    assert chosen(("native", "mine"), Settings(impl=impl)) == names


def test_a_problem_that_does_not_fit_says_what_it_needs():
    assert unfitting(Problem(N=1, C=8, H=4, W=4, G=2)) is None
    assert "bytes of memory" in unfitting(Problem(N=1 << 20, C=1 << 10, H=64, W=64, G=2))
