"""Packages, compiler and cache folder, present and missing."""

from pathlib import Path

from bench.doctor import software
from bench.doctor.findings import Finding, Level


def test_a_missing_extra_gives_its_install_line(monkeypatch):
    monkeypatch.setattr(software, "_version", lambda package: None if package == "triton" else "1")
    (finding,) = software.judge_packages({"versions": {"torch": "2.13.0"}})
    assert finding == Finding(
        level=Level.NOTE,
        what="triton is not installed",
        why="needed for the Triton kernels",
        mend="pip install 'groupnorm-bench[triton]'",
    )


def test_without_torch_nothing_works(monkeypatch):
    monkeypatch.setattr(software, "_version", lambda package: "1")
    (finding,) = software.judge_packages({"versions": {"torch": None}})
    assert (finding.level, finding.mend) == (Level.PROBLEM, "pip install torch")


def test_a_foreign_import_name_is_a_problem(monkeypatch):
    theirs = Path("/elsewhere")
    real = software._folder_of
    monkeypatch.setattr(software, "_folder_of", lambda name: theirs if name == "kernels" else real(name))
    monkeypatch.setattr(software.importlib.metadata, "packages_distributions", lambda: {"kernels": ["kernels-hub"]})
    (finding,) = software.judge_import_names()
    assert finding.level is Level.PROBLEM
    assert (finding.what, finding.mend) == ("the import name kernels belongs to kernels-hub", "uninstall kernels-hub")


def test_no_compiler_says_where_it_looked(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    (finding,) = software.judge_compiler()
    assert (finding.level, finding.what) == (Level.NOTE, "no C++ compiler: no-such-compiler not on PATH")


def test_a_cache_folder_that_cannot_be_made_is_a_warning(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GNBENCH_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (finding,) = software.judge_cache()
    assert (finding.level, finding.what) == (Level.WARNING, f"{tmp_path / 'file'} cannot be written")
    monkeypatch.setenv("GNBENCH_CACHE_DIR", str(tmp_path / "new" / "cache"))
    (finding,) = software.judge_cache()
    assert finding == Finding(level=Level.OK, what=f"compiled kernels are kept in {tmp_path / 'new' / 'cache'}")
    assert not (tmp_path / "new").exists()
