"""``gnbench baseline``, ``gnbench export`` and ``gnbench gate --baseline`` on one small run."""

import json
import os
import re
import subprocess
import sys

import pytest

from bench.cli.app import main

SHAPE = ("-N", "2", "-C", "8", "-H", "9", "-W", "7", "-G", "4", "--threads", "1", "--impl", "native,naive")


def gnbench(folder, *arguments):
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=os.environ | {"COLUMNS": "200"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    done = gnbench(folder, "run", *SHAPE, "--budget", "1", "--passes", "6", "--out", "one")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def said(folder, monkeypatch, capsys):
    """What a command that measures nothing says; it runs in this process."""
    monkeypatch.chdir(folder)

    def answer(*arguments):
        capsys.readouterr()
        assert main(arguments) == 0
        return capsys.readouterr().out

    return answer


def test_a_run_is_saved_listed_shown_pruned_and_gated_against(folder, said):
    saved = said("baseline", "save", "one", "--name", "main")
    assert re.fullmatch(r"baselines/main.json: 2 cells, [\d,]+ bytes\n", saved)
    assert "2 cells" in said("baseline", "list")
    shown = said("baseline", "show", "baselines/main.json")
    assert "naive N2-C8-H9-W7-G4" in shown
    assert "speed-up" in shown
    gated = gnbench(folder, "gate", "--baseline", "baselines/main.json", "--threads", "1", "--budget", "1")
    assert gated.returncode == 0, gated.stdout + gated.stderr
    assert "no regression: " in gated.stdout
    cold = ("--threads", "1", "--cache", "cold", "--budget", "1")  # two threads have no figure beside a busy process
    other = gnbench(folder, "gate", "--baseline", "baselines/main.json", *cold)
    assert other.returncode == 2
    assert "taken under other conditions: cache warm against cold" in other.stderr
    said("baseline", "save", "one", "--name", "newer")
    assert said("baseline", "prune", "--keep", "1") == "removed baselines/main.json\n"


def test_a_run_is_read_by_pytest_benchmark_itself(folder, said):
    pytest.importorskip("pytest_benchmark")
    said("export", "one", "--to", "pytest-benchmark", "--out", "bench.json")
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "bench.json", "--columns=median,rounds"]
    compared = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert compared.returncode == 0, compared.stderr
    assert "test_group_norm[naive" in compared.stdout + compared.stderr
    said("report", "bench.json", "--out", "page", "--format", "csv")


def test_a_run_becomes_the_list_of_github_action_benchmark(said):
    entries = json.loads(said("export", "one", "--to", "github-action-benchmark"))
    assert [set(one) >= {"name", "unit", "value"} for one in entries] == [True, True]
    assert all(isinstance(one["value"], float) and one["unit"] == "µs" for one in entries)


def test_what_is_wrong_is_told_in_one_line(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for arguments, told in (
        (
            ("export", "one", "--to", "xml"),
            "--to: 'xml' is unknown; known are pytest-benchmark, github",
        ),
        (("baseline", "list", "--folder", "none"), "--folder: there is no folder none; save a baseline first"),
        (("baseline", "save", "none"), "RUN: there is no none; name a run"),
        (("baseline", "save", "one", "--name", "../x"), "--name: '../x' is no file's name"),
        (("baseline", "prune", "--keep", "0", "--folder", "."), "--keep: 0 is below 1"),
        (("gate", "--baseline", "none.json"), "--baseline: there is no none.json; name a run"),
        (("gate", "--baseline", "one", "--allow", "cpu"), "--allow: 'cpu' is no condition; known are model, threads"),
    ):
        monkeypatch.setattr(sys, "argv", ["gnbench", *arguments])
        status, said = main(), capsys.readouterr().err
        assert (status, said.count("\n")) == (2, 1), said
        assert said.startswith(f"gnbench: {told}"), said
