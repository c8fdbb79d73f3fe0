"""The pytest plugin in real pytest runs: fixture, marker, options, JSON, comparison, and the gate at the end."""

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest.importorskip("pytest_benchmark")

TESTS = """
import pytest
import torch
import torch.nn.functional as F

@pytest.mark.group_norm(N=[1, 2], C=8, H=5, W=7, G=[2, "C"])
def test_rows(group_norm_benchmark):
    group_norm_benchmark()

def mine(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)

def wrong(x, num_groups, weight, bias, eps):
    return 1.1 * F.group_norm(x, num_groups, weight, bias, eps)

@pytest.mark.group_norm(N=1, C=8, H=5, W=7, G=2)
def test_function(group_norm_benchmark):
    group_norm_benchmark(mine)

@pytest.mark.group_norm(N=1, C=8, H=5, W=7, G=2)
def test_wrong(group_norm_benchmark):
    group_norm_benchmark(wrong)
"""
QUICK = ("--benchmark-max-time=0.01", "--benchmark-min-rounds=3", "--benchmark-warmup=off")
LOADED = () if any(one.name == "gnbench" for one in entry_points(group="pytest11")) else ("-p", "bench.pytest_plugin")


def run(folder, *arguments, tests=TESTS):
    (folder / "test_it.py").write_text(tests)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        *LOADED,
        "-p",
        "no:cacheprovider",
        *QUICK,
        *arguments,
        "test_it.py",
    ]
    # Under pytest-xdist, which these runs know nothing of, pytest-benchmark would time nothing.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"GNBENCH_SHARE_DEVICE": "1", "COLUMNS": "120"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pytest")
    ended = run(folder, "--gnbench-impl=native,naive", "--benchmark-json=bench.json")
    return folder, ended


def test_axes_and_rows_are_expanded_and_what_is_wrong_fails(done):
    folder, ended = done
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "mine is wrong" not in ended.stdout
    assert "wrong is wrong: " in ended.stdout
    assert "9 passed, 2 skipped" in ended.stdout
    assert "1 failed" in ended.stdout
    written = json.loads((folder / "bench.json").read_text())
    rows = [one["extra_info"] for one in written["benchmarks"] if one["name"].startswith("test_rows")]
    assert {(row["N"], row["G"], row["implementation"]) for row in rows} == {
        (n, g, name) for n in (1, 2) for g in (2, 8) for name in ("native", "naive")
    }
    assert all(row["error_rms"] < 1e-6 and row["extra_bytes"] >= 0 and row["status"] == "ok" for row in rows)
    assert written["machine_info"]["gnbench"]["versions"]["torch"]


def test_its_json_is_read_into_frames_and_reported(done, tmp_path):
    folder, _ = done
    command = [sys.executable, "-m", "bench", "report", str(folder / "bench.json"), "--out", str(tmp_path)]
    ended = subprocess.run([*command, "--format", "csv,html,md"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    text = (tmp_path / "report.md").read_text()
    assert "naive" in text
    assert (tmp_path / "report.html").stat().st_size > 10_000
    missing = subprocess.run(command[:-2], capture_output=True, text=True)
    assert (missing.returncode, missing.stderr) == (
        2,
        "gnbench: --out: is missing; say where the report of a file is to go\n",
    )


def test_pytest_benchmarks_own_comparison_keeps_working(tmp_path):
    only = ("-k", "test_function and native")
    assert run(tmp_path, *only, "--benchmark-save=one").returncode == 0
    ended = run(tmp_path, *only, "--benchmark-compare", "--benchmark-compare-fail=min:100000%")
    assert ended.returncode == 0, ended.stdout
    assert "test_function" in ended.stdout
    assert "(NOW)" in ended.stdout


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("", "group_norm_benchmark wants @pytest.mark.group_norm(N=…, C=…, H=…, W=…, G=…)"),
        ("@pytest.mark.group_norm(2, C=8)", "group_norm: takes no positional arguments; name the axes: N=2"),
        ("@pytest.mark.group_norm(N=2, C=8, H=1, W=1)", "group_norm: G is missing; add G=1 or a list"),
        ("@pytest.mark.group_norm(N=2, K=8)", "group_norm: has no axis 'K'; known are N, C, H, W, G"),
        ("@pytest.mark.group_norm(N=2, C=8, H=1, W=1, G=3)", "group_norm: leaves no valid problem (C % G"),
        ("@pytest.mark.group_norm(N='x', C=8, H=1, W=1, G=3)", "group_norm(N=…): 'x' is not a whole number"),
    ],
)
def test_a_wrong_marker_is_told_with_its_mend(tmp_path, marker, told):
    ended = run(tmp_path, tests=f"import pytest\n{marker}\ndef test_it(group_norm_benchmark):\n    pass\n")
    assert ended.returncode != 0
    assert told.split(" (C %")[0] in ended.stdout + ended.stderr, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_row_that_is_unknown_fails_and_an_untimed_one_is_skipped(tmp_path):
    ended = run(tmp_path, "--gnbench-impl=nativ", "-k", "test_rows")
    assert "--gnbench-impl: no implementation is called 'nativ'; did you mean 'native'?" in ended.stdout
    ended = run(tmp_path, "--gnbench-impl=cuda", "-k", "test_rows")
    assert "4 skipped" in ended.stdout


def test_the_gate_is_the_sessions_verdict(tmp_path):
    outside = run(tmp_path, "-k", "test_rows and C", "--gnbench-gate=main")
    assert outside.returncode == 4, outside.stdout
    assert "gnbench: --base: " in outside.stdout
    nothing = run(tmp_path, "-k", "test_function", "--gnbench-gate=main")
    assert "gnbench: --gnbench-gate: no row of the plugin table was run" in nothing.stdout
    only = ("-k", "test_rows and N2 and G8")
    saved = run(tmp_path, *only, "--benchmark-json=bench.json")
    assert saved.returncode == 0, saved.stdout
    more = json.loads((tmp_path / "bench.json").read_text())
    (one,) = more["benchmarks"]
    more["benchmarks"].append(one | {"extra_info": one["extra_info"] | {"implementation": "naive"}})
    (tmp_path / "bench.json").write_text(json.dumps(more))
    gone = run(tmp_path, *only, "--gnbench-gate=bench.json", "--gnbench-budget=1")
    assert gone.returncode == 1, gone.stdout
    assert "GroupNorm gate" in gone.stdout
    assert "cells gone: 1 gone" in gone.stdout
