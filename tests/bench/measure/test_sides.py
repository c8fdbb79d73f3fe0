"""Two copies of kernels beside the harness's own, in one worker."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import kernels
from bench.executors.local import LocalExecutor
from bench.measure import messages
from bench.measure.visited import Visit
from bench.plan.problem import Problem

PLUGIN = """
from kernels import register
import torch.nn.functional as F

@register("mine", devices=("cpu",), activations=("none",))
def group_norm(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps){tail}
"""
PLAN = Visit(
    problem=Problem(N=2, C=8, H=9, W=7, G=4),
    names=("native@base", "native@head", "mine@base", "mine@head"),
    reference="native",
    pass_=0,
    launch=0,
    seed=0,
    cold=False,
    share_s=0.05,
    clock_s=1e-7,
    timeout_s=30.0,
    weighs=False,
    companions=(),
    is_paired=True,
    rounds=4,
    batch_s=1e-4,
)


@pytest.fixture
def sides(tmp_path):
    made = []
    for label, tail in (("base", ""), ("head", " * 1.1")):
        root = tmp_path / label
        shutil.copytree(Path(kernels.__file__).parent, root / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
        plugin = root / "mine.py"
        plugin.write_text(PLUGIN.format(tail=tail))
        made.append(messages.Side(label=label, root=str(root), plugins=[str(plugin)]))
    return made


@pytest.fixture
def executor(sides):
    executor = LocalExecutor(device="cpu", threads=1, sides=sides)
    yield executor
    executor.close()


def test_each_side_has_its_own_rows_and_its_own_plugin(executor):
    """The base's plugin is right and the head's is 10 % off, under one name in one process."""
    executor.begin_pass(PLAN.names)
    made = executor.visit(PLAN)
    assert {name: cell.status for name, cell in made.cells.items()} == {
        "native@base": "ok",
        "native@head": "ok",
        "mine@base": "ok",
        "mine@head": "incorrect",
    }
    assert {name: len(series.seconds) for name, series in made.series.items()} == {
        "native@base": 4,
        "native@head": 4,
        "mine@base": 4,
    }


def test_no_round_is_made_where_none_is_asked_for(executor):
    executor.begin_pass(PLAN.names)
    made = executor.visit(replace(PLAN, rounds=0, weighs=True))
    assert made.cells["native@head"].weighed.extra_bytes is not None
    assert not made.series


def test_rows_that_a_side_died_of_at_import_are_that_sides_alone(sides, executor):
    Path(sides[1].root, "mine.py").write_text("import os\nos.abort()\n")
    rows = {row.name: row for row in executor.table().rows}
    assert "took the process down" in rows["mine@head"].unavailable
    assert rows["mine@base"].unavailable is None
    assert {"native", "native@base", "native@head"} <= set(rows)
