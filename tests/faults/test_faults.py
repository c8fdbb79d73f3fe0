"""Every fault in one block, through real workers: each costs its own cell, and no other cell moves."""

import random
import re
from dataclasses import replace
from pathlib import Path

import page
import psutil
import pytest

from bench.executors.local import LocalExecutor
from bench.measure import watch
from bench.measure.tally import Conditions, Tally
from bench.measure.visited import Visit
from bench.plan.block import Block
from bench.plan.problem import Problem
from bench.stats.stopping import Stopping

NATIVE = ("native",)
GOOD = {name for family in ("good", "noise") for name, _, _ in page.FAMILIES[family][1]}
HANGS = [name for name, _, _ in page.FAMILIES["hangs"][1]]
COMPILING = ["recompiles", "runs-a-compiler"]
FAULTS = {name: (status, reason) for _, rows in page.FAMILIES.values() for name, status, reason in rows}
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
    timeout_s=60.0,
    weighs=True,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def executor(folder):
    """One executor for the module; a worker may take 1 GiB here, so that few seconds go into filling memory."""
    with pytest.MonkeyPatch.context() as patch, (folder / "worker.log").open("ab") as log:
        patch.setattr("bench.measure.visit.SPARE_BYTES", 1 << 30)
        patch.setenv("GNBENCH_TEST_PIDS", str(folder / "pids"))
        plugins = [str(path) for path in sorted(page.PLUGINS.glob("*.py"))]
        executor = LocalExecutor(device="cpu", threads=1, plugins=plugins, log=log)
        yield executor
        executor.close()


@pytest.fixture(scope="module")
def rows(executor):
    return {row.name: row for row in executor.table().rows if row.origin == "plugin"}


def visit(executor, *names, **changes):
    executor.begin_pass(NATIVE)
    return executor.visit(replace(PLAN, names=names, **changes))


@pytest.fixture(scope="module")
def all_at_once(executor, rows):
    """One visit of a block that holds every row but the slow ones, in any order."""
    names = sorted(rows.keys() - {*HANGS, *COMPILING})
    random.Random(3).shuffle(names)
    return visit(executor, *NATIVE, *names)


@pytest.fixture(scope="module")
def hung(executor, rows):
    """The rows that hang, beside one that does not."""
    return visit(executor, *NATIVE, "right", *HANGS, timeout_s=1.5, weighs=False)


@pytest.fixture(scope="module")
def compiling(executor, rows):
    """The rows that compile while timed: dynamo alone takes seconds to import."""
    return visit(executor, *NATIVE, "right", *COMPILING, weighs=False)


def is_as_told(found, told):
    return told is None or re.fullmatch(".*".join(map(re.escape, told.split("…"))), found or "")


@pytest.mark.parametrize("name", FAULTS)
def test_each_row_has_its_status_and_its_reason(request, name):
    block = "hung" if name in HANGS else "compiling" if name in COMPILING else "all_at_once"
    visited = request.getfixturevalue(block)
    cell, (status, reason) = visited.cells[name], FAULTS[name]
    assert cell.status == status, cell.reason
    assert is_as_told(cell.reason, reason), cell.reason
    assert (name in visited.series) == (name in GOOD)


def test_no_other_cell_is_touched(all_at_once, executor, rows):
    """What was measured beside every fault is what is measured without any: the same cells, errors and bytes."""
    alone = visit(executor, *NATIVE, *sorted(GOOD))
    for name in (*NATIVE, *GOOD):
        with_faults, without = all_at_once.cells[name], alone.cells[name]
        assert (with_faults.status, with_faults.reason) == ("ok", None)
        assert with_faults.checked == replace(without.checked, first_call_s=with_faults.checked.first_call_s)
        assert with_faults.weighed.peak_bytes == without.weighed.peak_bytes
    assert all_at_once.series.keys() == alone.series.keys() == {*NATIVE, *GOOD, "@twin", "@copy", "@clone"}
    rounds = list(zip(*(series.positions for series in all_at_once.series.values()), strict=True))
    assert len(rounds) >= 5
    assert all(len(set(places)) == len(places) for places in rounds)


def test_who_hangs_costs_nobody_else_anything(hung):
    assert {name for name, cell in hung.cells.items() if cell.status == "ok"} == {"native", "right"}
    assert {"native", "right", "@twin"} <= hung.series.keys()


def test_no_process_outlives_its_row(all_at_once, folder):
    started = [int(pid) for pid in (folder / "pids").read_text().split()]
    assert len(started) >= 4
    assert not [pid for pid in started if psutil.pid_exists(pid) and "sleep" in psutil.Process(pid).name()]


def test_a_worker_is_the_only_process_left(all_at_once, executor):
    family = psutil.Process(executor._zygote._process.pid).children(recursive=True)
    assert len(family) == 1


def test_the_log_is_bounded_and_says_so(all_at_once, folder):
    log = folder / "worker.log"
    assert log.stat().st_size <= watch.LOG_BYTES + (1 << 20)
    assert b"[cut here: " in log.read_bytes()


@pytest.mark.parametrize("reference", ["native-dies", "raises", "wrong"])
def test_without_its_reference_a_block_is_measured_and_says_why_it_has_no_speedups(executor, rows, reference):
    """``native-dies`` is torch's own segmentation fault."""
    visited = visit(executor, reference, "right", "twice", reference=reference)
    block = Block(problem=PLAN.problem, names=(reference, "right", "twice"))
    tally = Tally(block, (), Stopping(precision=0.01, least_passes=1, most_passes=1))
    tally.feed(visited)
    conditions = Conditions(run_id="r", reference=reference, timer="host", cache="warm", threads=1)
    found = {row.implementation: row for row in tally.results(conditions)}
    fallen = found[reference]
    assert fallen.status == FAULTS[reference][0]
    for name in ("right", "twice"):
        row = found[name]
        assert (row.status, row.speedup) == ("ok", None)
        assert row.latency_s > 0
        assert row.reason == f"no speed-up: {reference} is {fallen.status} ({fallen.reason})"
    assert tally.is_done(reference, budget_is_spent=False)


def test_the_page_of_faults_is_the_table():
    """Made by ``python tests/faults/page.py > docs/faults.md``."""
    assert Path(__file__).parents[2].joinpath("docs/faults.md").read_text() == page.page()


def test_every_row_of_the_plugins_is_in_the_table(rows):
    assert set(page.what_rows_do()) == set(FAULTS) == set(rows)
