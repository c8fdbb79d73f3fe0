"""Real workers, real deaths."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.errors import UsageError
from bench.events import Listener
from bench.executors.local import BUILTIN_ROWS, LocalExecutor
from bench.measure.visit import Visit
from bench.plan.problem import Problem

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


@pytest.fixture(scope="module")
def all_at_once(executor, rows):
    """One visit of a block that holds every faulty row."""
    names = [name for name, row in rows.items() if row.origin == "plugin"]
    random.Random(3).shuffle(names)
    return visit(executor, names=(*NATIVE, *names))


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("native", "ok", None),
        ("right", "ok", None),
        ("chatty", "ok", None),
        ("twice", "ok", None),
        ("untimed", "ok", "interpreted"),
        ("segfaults", "crashed", "SIGSEGV (segmentation fault)"),
        ("aborts", "crashed", "SIGABRT (aborted)"),
        ("exits", "crashed", "exited with status 3"),
        ("hangs", "timeout", "no answer in 2 s"),
        ("leaves", "failed", "SystemExit: 0"),
        ("raises", "failed", "RuntimeError: no kernel image"),
        ("raises-later", "failed", "RuntimeError: enough"),
        ("wrong", "incorrect", None),
        ("wrong-shape", "incorrect", "returned shape (1, 1, 9, 7) where (2, 8, 9, 7) was expected"),
        ("wrong-dtype", "incorrect", "returned torch.float64 where torch.float32 was expected"),
        ("nan", "incorrect", "1 of 1,008 values are not finite where the oracle's are, or the reverse"),
        ("in-place", "inconsistent", "changed its inputs"),
        ("scribbles", "inconsistent", "changed its inputs"),
        ("scribbles-later", "inconsistent", "changed its inputs"),
        ("remembers", "inconsistent", None),
        ("rethreads", "inconsistent", "changed the default dtype, which is everybody's"),
        ("rethreads-later", "inconsistent", "changed the default dtype, which is everybody's"),
        ("greedy", "out_of_memory", None),
        ("choosy", "unsupported", "G is even"),
        ("absent", "unavailable", "no such chip"),
    ],
)
def test_each_row_pays_for_its_own_fault_alone(all_at_once, name, status, reason):
    cell = all_at_once.cells[name]
    assert cell.status == status
    assert reason is None or cell.reason == reason


def test_only_what_is_right_and_timed_has_batches(all_at_once):
    assert set(all_at_once.series) == {"native", "right", "chatty", "twice", "@twin", "@copy", "@clone"}


def test_no_two_names_share_a_place_in_a_round(all_at_once):
    rounds = list(zip(*(series.positions for series in all_at_once.series.values()), strict=True))
    assert len(rounds) >= 5
    assert all(len(set(places)) == 7 for places in rounds)


def test_a_reference_that_dies_leaves_the_others_measured(executor, rows):
    made = visit(executor, names=("segfaults", "right"), reference="segfaults", timeout_s=5.0)
    assert {name: cell.status for name, cell in made.cells.items()} == {"segfaults": "crashed", "right": "ok"}
    assert "@twin" not in made.series


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
