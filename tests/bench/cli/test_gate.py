"""``gnbench gate`` as a user and a CI call it."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

from bench.cli.app import main

PLUGIN = """
from kernels import register
import torch.nn.functional as F

@register("mine", devices=("cpu",), activations=("none",))
def group_norm(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps){after}
"""
SHAPE = ("--no-callgrind", "-N", "2", "-C", "8", "-H", "9", "-W", "7", "-G", "4", "--threads", "1")


def gnbench(*arguments, cwd=None, **environment):
    command = [sys.executable, "-m", "bench", "gate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=os.environ | environment)


def test_a_broken_head_fails_and_leaves_all_that_ci_wants(tmp_path):
    for name, after in (("base.py", ""), ("head.py", " * 1.1")):
        (tmp_path / name).write_text(PLUGIN.format(after=after))
    plugins = ("--base-plugin", tmp_path / "base.py", "--head-plugin", tmp_path / "head.py")
    done = gnbench(*plugins, *SHAPE, "--out", tmp_path / "out", GITHUB_ACTIONS="true")
    assert done.returncode == 1, done.stderr
    assert "regression: 1 broken" in done.stdout
    assert "::error file=" in done.stdout
    assert ET.parse(tmp_path / "out" / "junit.xml").getroot().find(".//failure") is not None
    assert (tmp_path / "out" / "gate.md").read_text().startswith("## ❌ GroupNorm: regression: 1 broken")
    done = gnbench(*plugins, *SHAPE, "--out", tmp_path / "json", "--json")
    assert json.loads(done.stdout)["gate"]["outcome"] == "regression"


def test_cells_that_are_gone_are_no_success(tmp_path):
    for name, row in (("base.py", "mine"), ("head.py", "other")):
        (tmp_path / name).write_text(PLUGIN.format(after="").replace("mine", row))
    plugins = ("--base-plugin", tmp_path / "base.py", "--head-plugin", tmp_path / "head.py")
    done = gnbench(*plugins, *SHAPE, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "gnbench: cells gone: allow it with [[gate.allow]] in gnbench.toml" in done.stderr


def test_what_is_wrong_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for arguments, told in (
        ((), "--base: is missing; name what to compare with, as --base main"),
        (("--base-plugin", "a.py"), "--head-plugin: is missing; give both plugin files"),
        (("--base", "main", "--base-plugin", "a.py"), "--base: is given together with a plugin file; give one of them"),
        (("--resume", "none"), "--resume: there is no folder none; name a folder that 'gnbench gate' wrote"),
        (("--resume", "none", "--impl", "cpp"), "--resume: is given together with --impl; the gate keeps its own"),
        (("--base", "main", "--threshold", "1"), "--threshold: tolerance = 0.015 is not from 0 to below"),
        (("--base", "main", "--arch", "sm_9"), "--arch: 'sm_9' is unknown; did you mean 'sm_90'?"),
        (("--base", "main", "--policy", "none.toml"), "--policy: none.toml cannot be read"),
    ):
        monkeypatch.setattr(sys, "argv", ["gnbench", "gate", *arguments])
        status, said = main(), capsys.readouterr()
        assert (status, said.out) == (2, ""), said.err
        assert said.err.startswith(f"gnbench: {told}"), said.err
        assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
