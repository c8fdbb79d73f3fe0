"""A baseline from whatever a user names: a run directory, a stored baseline, pytest-benchmark's JSON."""

from __future__ import annotations

from pathlib import Path

from bench.errors import UsageError
from bench.gate.baseline import stored
from bench.gate.baseline.stored import Baseline
from bench.record import frames, pytest_benchmark
from bench.record.rundir import open_run


def taken(path: Path, argument: str) -> Baseline:
    """Read a run, a stored baseline or pytest-benchmark's JSON.

    Raises
    ------
    UsageError
        It is none of them, or has no cell that is ok.
    """
    if path.is_dir():
        directory = open_run(path, argument)
        return stored.of_results(frames.read(directory.path).results, directory.info())
    if not path.is_file():
        raise UsageError(argument, f"there is no {path}", "name a run, a stored baseline or pytest-benchmark's JSON")
    if pytest_benchmark.is_one(path):
        read, info = pytest_benchmark.read(path, argument)
        return stored.of_results(read.results, info)
    return stored.read(path)
