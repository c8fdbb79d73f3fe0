"""Real workers: fresh ones, lost ones, and what their table tells. The faults themselves: tests/faults."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.errors import UsageError
from bench.events import Listener
from bench.executors import local
from bench.executors.local import BUILTIN_ROWS, LocalExecutor
from bench.measure.link import WorkerLost
from bench.measure.visited import Visit
from bench.plan.problem import Problem
from reports.schema import Status

PLUGINS = Path(__file__).parents[1] / "plugins"
NATIVE = ("native",)


@pytest.fixture(scope="module")
def executor():
    executor = LocalExecutor(device="cpu", threads=1, plugins=[str(PLUGINS / "faulty.py")])
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def rows(executor):
    return {row.name: row for row in executor.table().rows}


PLAN = Visit(
    problem=Problem(N=2, C=8, H=9, W=7, G=4),
    names=NATIVE,
    reference="native",
    pass_=0,
    launch=0,
    seed=0,
    cold=False,
    share_s=0.05,
    clock_s=1e-7,
    timeout_s=2.0,
    weighs=False,
)


def visit(executor, **changes):
    executor.begin_pass(NATIVE)
    return executor.visit(replace(PLAN, **changes))


def test_a_reference_that_dies_leaves_the_others_measured(executor, rows):
    made = visit(executor, names=("segfaults", "right"), reference="segfaults", timeout_s=5.0)
    assert {name: cell.status for name, cell in made.cells.items()} == {"segfaults": "crashed", "right": "ok"}
    assert "@twin" not in made.series


def test_where_native_dies_as_the_yardstick_the_block_does_without_it(executor, rows, monkeypatch):
    """Its death when a block is opened costs nobody's cell, and is not met again in the next pass."""
    made = []

    def dying(plan, worker, listener):
        made.append(plan.yardstick)
        if plan.yardstick:
            raise WorkerLost("@native", Status.CRASHED, "SIGSEGV (segmentation fault)")
        return whole(plan, worker, listener)

    whole = local.visit
    monkeypatch.setattr(local, "visit", dying)
    problem = Problem(N=3, C=8, H=2, W=2, G=4)
    for _ in range(2):
        cells = visit(executor, names=(*NATIVE, "right"), problem=problem, timeout_s=30.0).cells
        assert {name: cell.status for name, cell in cells.items()} == {"native": "ok", "right": "ok"}
    assert made == [True, False, False]


def test_cold_calls_are_timed_one_by_one(executor, rows):
    problem = Problem(N=1, C=8, H=4, W=4, G=4)
    made = visit(executor, problem=problem, cold=True, share_s=0.01, timeout_s=30.0)
    assert {series.calls for series in made.series.values()} == {1}


def test_a_fresh_worker_every_pass_and_a_fresh_zygote_every_third(executor, rows):
    launches = [executor.begin_pass(NATIVE) for _ in range(4)]
    assert launches[-1] == launches[0] + 1


def test_the_table_is_told_with_reasons(rows):
    assert rows["absent"].unavailable == "no such chip"
    assert rows["right"].origin == "plugin"
    assert re.search(r"faulty\.py:\d+$", rows["right"].place)
    assert set(BUILTIN_ROWS) <= set(rows)


@pytest.mark.parametrize(
    ("source", "name", "reason"),
    [
        ("import os; os._exit(7)", "deadly", "its import took the process down: exited with status 7"),
        ("def broken(:", "broken", "SyntaxError"),
        ("raise ImportError('libfancy.so')", "needy", "ImportError: libfancy.so"),
        ("import sys; sys.exit()", "leaving", "SystemExit"),
        ("x = 1", "idle", "register"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_a_row(tmp_path, source, name, reason):
    (tmp_path / f"{name}.py").write_text(source)
    executor = LocalExecutor(device="cpu", threads=1, plugins=[str(tmp_path / f"{name}.py")])
    try:
        rows = {row.name: row for row in executor.table().rows}
    finally:
        executor.close()
    assert reason in rows[name].unavailable
    assert rows["native"].unavailable is None


def test_no_gpu_is_said_by_the_worker():
    executor = LocalExecutor(device="cuda", threads=1)
    try:
        problem = executor.table().device_problem
    finally:
        executor.close()
    if not torch.cuda.is_available():
        assert problem == "RuntimeError: no CUDA device is visible"


def test_workers_that_cannot_start_are_a_users_matter(monkeypatch):
    monkeypatch.setattr("bench.measure.link.sys.executable", "/bin/false")
    executor = LocalExecutor(device="cpu", threads=1)
    try:
        with pytest.raises(UsageError, match=r"workers: cannot start .*exited with status 1.*; run 'gnbench doctor'"):
            executor.table()
    finally:
        executor.close()


def test_phases_are_told_in_order(executor, rows):
    class Phases(Listener):
        heard: list[str] = []  # noqa: RUF012

        def phase_started(self, pass_, problem, phase):
            self.heard.append(phase)

    executor._listener = Phases()
    visit(executor)
    executor._listener = Listener()
    assert Phases.heard[:3] == ["open", "check native", "warm @twin"]
    assert Phases.heard[-1] == "close"
