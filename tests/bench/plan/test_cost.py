import pytest

from bench.plan.block import Block
from bench.plan.config import Settings
from bench.plan.cost import estimate, memory_bytes
from bench.plan.problem import Problem


def block(**changed):
    return Block(problem=Problem(**({"N": 1, "C": 32, "H": 8, "W": 8, "G": 8} | changed)), names=("native", "naive"))


# Bytes an element, counted by hand: inputs + truths + outputs + temporaries.
@pytest.mark.parametrize(
    ("changed", "bytes_an_element"),
    [
        ({}, 2 * 4 + 2 * 8 + 2 * 4 + 44),
        ({"dtype": "bfloat16"}, 2 * 2 + 2 * 8 + 2 * 2 + 44),
        ({"direction": "backward"}, 4 * 4 + 2 * 8 + 2 * 4 + 88),
    ],
)
def test_memory_is_the_stated_sum(changed, bytes_an_element):
    assert memory_bytes(block(affine=False, **changed).problem) == bytes_an_element * 2048


def test_memory_in_float32_is_19_inputs():
    problem = block(affine=False).problem
    assert memory_bytes(problem) == 19 * problem.input_bytes


def test_a_problem_fits_up_to_the_last_byte():
    small, large = block(), block(N=64)
    needed = [memory_bytes(one.problem) for one in (small, large)]
    exact = estimate([small, large], Settings(), needed[1])
    assert [(need.key, need.needed_bytes, need.fits) for need in exact.needs] == [
        (small.key, needed[0], True),
        (large.key, needed[1], True),
    ]
    assert (exact.problems, exact.cells, exact.most_bytes) == (2, 4, needed[1])
    less = estimate([small, large], Settings(), needed[1] - 1)
    assert [need.fits for need in less.needs] == [True, False]
    assert less.most_bytes == needed[0]


def test_nothing_fits():
    cost = estimate([block()], Settings(), 0)
    assert not cost.fits_any
    assert (cost.seconds, cost.most_bytes) == (0.0, 0)


def test_seconds_are_the_budget_or_the_least_passes_past_it():
    assert estimate([block()], Settings(budget_s=40), 10**9).seconds == 40
    many = [block(N=1 + place) for place in range(200)]
    six = estimate(many, Settings(budget_s=1), 10**9).seconds
    assert six > 40
    assert estimate(many, Settings(budget_s=1, passes=3), 10**9).seconds == pytest.approx(six / 2)
