import os
import sys
from pathlib import Path

import pytest

from bench import doctor
from bench.doctor import Finding, Level, Spin


def test_an_examination_looks_at_everything_and_puts_the_worst_first(monkeypatch):
    monkeypatch.setattr(doctor, "_PROBE_S", 0.01)
    loaded = "torch" in sys.modules
    found = doctor.examine()
    ranks = [list(Level).index(finding.level) for finding in found.findings]
    assert ranks == sorted(ranks, reverse=True)
    assert found.facts["cpu"]["logical_cores"] == os.cpu_count()
    assert 0 < found.clock_step_s < 1e-3
    assert ("torch" in sys.modules) == loaded
    for finding in found.findings:
        assert bool(finding.why) == bool(finding.mend) == (finding.level is not Level.OK)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system pins no thread to a core")
def test_a_spin_leaves_the_threads_cores_as_they_were():
    before = os.sched_getaffinity(0)
    spun = doctor.spin(min(before), seconds=0.005)
    assert os.sched_getaffinity(0) == before
    assert spun.median_s > 0
    assert spun.spread > -1


def test_spins_are_judged_by_spread_and_across_cores():
    steady = Spin(core=0, median_s=1e-4, spread=0.02)
    assert list(doctor._judge_spins((steady,))) == [Finding(level=Level.OK, what="equal work varies by 2% on core 0")]
    restless, slow = doctor._judge_spins((steady, Spin(core=3, median_s=1.3e-4, spread=0.4)))
    assert (restless.level, restless.what) == (Level.WARNING, "equal work varies by 40% on core 3")
    assert (slow.level, slow.what) == (Level.WARNING, "core 3 is 30% slower than core 0")


@pytest.mark.parametrize(
    ("step_s", "level", "what"),
    [
        (4e-8, Level.OK, "the clock's smallest step is 40 ns"),
        (1.5e-5, Level.WARNING, "the clock's smallest step is 15000 ns"),
    ],
)
def test_a_coarse_clock_is_a_warning(step_s, level, what):
    (finding,) = doctor._judge_clock(step_s)
    assert (finding.level, finding.what) == (level, what)


def test_a_missing_extra_gives_its_install_line(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda package: None if package == "triton" else "1")
    (finding,) = doctor._judge_packages({"versions": {"torch": "2.13.0"}})
    assert finding == Finding(
        level=Level.NOTE,
        what="triton is not installed",
        why="needed for the Triton kernels",
        mend="pip install 'groupnorm-bench[triton]'",
    )


def test_without_torch_nothing_works(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda package: "1")
    (finding,) = doctor._judge_packages({"versions": {"torch": None}})
    assert (finding.level, finding.mend) == (Level.PROBLEM, "pip install torch")


def test_a_foreign_import_name_is_a_problem(monkeypatch):
    theirs = Path("/elsewhere")
    real = doctor._folder_of
    monkeypatch.setattr(doctor, "_folder_of", lambda name: theirs if name == "kernels" else real(name))
    monkeypatch.setattr(doctor.importlib.metadata, "packages_distributions", lambda: {"kernels": ["kernels-hub"]})
    (finding,) = doctor._judge_import_names()
    assert finding.level is Level.PROBLEM
    assert (finding.what, finding.mend) == ("the import name kernels belongs to kernels-hub", "uninstall kernels-hub")


def test_no_compiler_says_where_it_looked(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    (finding,) = doctor._judge_compiler()
    assert (finding.level, finding.what) == (Level.NOTE, "no C++ compiler: no-such-compiler not on PATH")


def test_a_cache_folder_that_cannot_be_made_is_a_warning(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GNBENCH_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (finding,) = doctor._judge_cache()
    assert (finding.level, finding.what) == (Level.WARNING, f"{tmp_path / 'file'} cannot be written")
    monkeypatch.setenv("GNBENCH_CACHE_DIR", str(tmp_path / "new" / "cache"))
    (finding,) = doctor._judge_cache()
    assert finding == Finding(level=Level.OK, what=f"compiled kernels are kept in {tmp_path / 'new' / 'cache'}")
    assert not (tmp_path / "new").exists()
