"""The way of a profile with pretended workers: what is asked of ``ncu``, and what becomes of its answers."""

import json

import pytest
from pretended import NCU_CSV

from bench.errors import UsageError
from bench.measure.messages import Loaded, Profiled, RowFacts
from bench.plan.config import Settings
from bench.plan.sweep import Axes, Sweep
from bench.profiling import profile as module
from bench.profiling import request
from bench.profiling.profile import profile
from bench.profiling.visit import CellFound

SWEEP = Sweep(entries=(Axes(N=(1, 2), C=(8,), H=(4,), W=(4,), G=("2",)),))


class Executor:
    def __init__(self, **_):
        self.closed = False

    def table(self):
        native = RowFacts(
            name="native", place="", origin="builtin", devices=["cpu"], dtypes=[], layouts=[], activations=[],
            differentiable=True, slow_start=False, unavailable=None,
        )  # fmt: skip
        return Loaded(rows=[native], device_problem=None, threads=1, resolution_s=1e-8, empty_call_s=1e-8)

    def close(self):
        self.closed = True


def visit(plan, executor):
    if plan.cell.problem.N == 9:
        (plan.trace.parent / ".unfinished").mkdir()
    plan.trace.write_bytes(b"a trace")
    status = "inconsistent" if plan.cell.problem.N == 9 else "ok"
    return CellFound(cell=plan.cell, status=status, call_s=1e-5, profiled=Profiled(calls=1, seconds=1e-4))


@pytest.fixture
def pretended(monkeypatch):
    monkeypatch.setattr(module, "LocalExecutor", Executor)
    monkeypatch.setattr(module, "visit", visit)
    monkeypatch.setattr(module, "counters_of", lambda device: "ncu")


def counting(tmp_path, then):
    """An ncu that writes down the request it was given, then does the rest."""
    return f"import sys\nwith open({str(tmp_path / 'asked')!r}, 'a') as file: print(sys.argv[-1], file=file)\n{then}"


def asked(tmp_path):
    return [path.rsplit("/", 1)[1].split("-C8")[0] for path in (tmp_path / "asked").read_text().split()]


def test_each_cell_is_counted_and_its_bytes_are_those_of_its_kernels(pretended, tool, tmp_path):
    tool("ncu", counting(tmp_path, f"print({NCU_CSV!r})"))
    made = profile(SWEEP, Settings(), out=tmp_path / "made")
    assert asked(tmp_path) == ["native-N1", "native-N2"]
    assert made.cells["moved_bytes"].to_list() == [1_048_576 + 4096 + 4_000_000] * 2
    assert made.cells["counters_reason"].isna().all()
    assert made.device_kernels["N"].to_list() == [1, 1, 2, 2]
    assert made.device_kernels["registers"].to_list() == [32, 40, 32, 40]
    page = made.folder.page.read_text()
    assert "stats_kernel&lt;float, 4&gt;" in page
    assert "caches emptied before each kernel" in page


def test_what_forbids_ncu_once_is_not_asked_again(pretended, tool, tmp_path):
    tool("ncu", counting(tmp_path, "print('==ERROR== ERR_NVGPUCTRPERM - no permission')\nsys.exit(1)"))
    made = profile(SWEEP, Settings(), out=tmp_path / "made")
    assert asked(tmp_path) == ["native-N1"]
    assert made.cells["counters_reason"].str.contains("ERR_NVGPUCTRPERM").all()
    assert made.cells["status"].to_list() == ["ok", "ok"]
    assert made.device_kernels.empty


def test_what_goes_wrong_in_one_cell_is_asked_again_of_the_next(pretended, tool, tmp_path):
    tool("ncu", counting(tmp_path, "print('==ERROR== The application returned an error code (1).')"))
    profile(SWEEP, Settings(), out=tmp_path / "made")
    assert asked(tmp_path) == ["native-N1", "native-N2"]


def test_a_cell_that_was_wrong_after_all_keeps_no_trace_and_is_not_counted(pretended, tool, tmp_path):
    tool("ncu", counting(tmp_path, f"print({NCU_CSV!r})"))
    sweep = Sweep(entries=(Axes(N=(9, 1), C=(8,), H=(4,), W=(4,), G=("2",)),))
    made = profile(sweep, Settings(impl=("native",)), out=tmp_path / "made")
    assert asked(tmp_path) == ["native-N1"]
    assert made.cells["trace"].isna().to_list() == [True, False]
    (left,) = (tmp_path / "made" / "traces").iterdir()
    assert left.name.startswith("native-N1-")
    assert made.failed() == ["native on N9-C8-H4-W4-G2: inconsistent: None"]


def test_a_request_comes_back_as_it_was_written(pretended, tool, tmp_path):
    profile(SWEEP, Settings(seed=3, threads=1), out=tmp_path / "made")
    (first, _) = sorted((tmp_path / "made" / "requests").iterdir())
    read = request.read(first)
    assert (read.name, read.problem["N"], read.calls, read.threads) == ("native", 1, 1, 1)
    request.write(first, read)
    assert request.read(first) == read


def test_the_listener_hears_every_cell_and_the_info_says_when_it_ended(pretended, tool, tmp_path):
    heard = []
    made = profile(SWEEP, Settings(), out=tmp_path / "made", tell=heard.append)
    assert [(one.place, one.cells, one.cell.problem.N) for one in heard] == [(1, 2, 1), (2, 2, 2)]
    assert heard[0].left_s is None
    assert heard[1].left_s >= 0
    info = json.loads((made.folder.path / "profile.json").read_text())
    assert info["finished"]
    assert info["run_id"] == made.cells["run_id"].unique().item()


def test_a_question_that_is_wrong_leaves_a_folder_as_it_was(pretended, tmp_path):
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "empty", tmp_path / "new"):
        with pytest.raises(UsageError, match="no implementation is called 'natve'"):
            profile(SWEEP, Settings(impl=("natve",)), out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert list((tmp_path / "empty").iterdir()) == []
