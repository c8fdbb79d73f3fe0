from bench.plan.block import Cell, blocks
from bench.plan.problem import Problem
from bench.plan.sweep import Counted

PROBLEM = Problem(N=2, C=32, H=4, W=5, G=8)


def test_a_block_sets_every_name_against_the_others_on_one_problem():
    (block,) = blocks([Counted(problem=PROBLEM, count=3, source="a")], ["native", "cpp"])
    assert (block.key, block.count, block.source) == (PROBLEM.key, 3, "a")
    assert block.cells == tuple(Cell(problem=PROBLEM, implementation=name) for name in ("native", "cpp"))
