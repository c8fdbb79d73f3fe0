"""``gnbench capture`` as a user calls it."""

import json
import subprocess
import sys
from pathlib import Path

from bench.cli.app import main

TRAIN = """\
import sys
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 8, 1), nn.GroupNorm(4, 8))
for _ in range(int(sys.argv[2])):
    net.zero_grad()
    net(torch.randn(4, 3, 8, 8)).square().mean().backward()
print(sum(float(one.grad.sum()) for one in net.parameters()).hex())
print("a warning", file=sys.stderr)
sys.exit(3)
"""


def test_a_training_becomes_a_preset_that_run_takes(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)  # tox's: `python -m mine` is found where it is started
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__main__.py").write_text(TRAIN)
    command = [sys.executable, "-m", "mine", "--steps", "5"]
    assert subprocess.run(command).returncode == 3
    plain = capfd.readouterr()
    assert main(["capture", "--out", "mine.toml", *command]) == 3
    done = capfd.readouterr()
    assert done.out == plain.out
    assert done.err == plain.err + (
        "gnbench: mine.toml: 20 calls of GroupNorm in 4 problems: 10 training_forward, 10 backward; "
        "the program ended with status 3\n"
    )
    assert main(["run", "--config", "mine.toml", "--dry-run", "--json"]) == 0
    planned = capfd.readouterr().out
    facts = ("N", "C", "H", "W", "G", "direction", "activation", "count")
    assert [tuple(one[name] for name in facts) for one in json.loads(planned)["problems"]] == [
        (4, 8, 6, 6, 2, "training_forward", "silu", 5),
        (4, 8, 6, 6, 4, "training_forward", "none", 5),
        (4, 8, 6, 6, 2, "backward", "silu", 5),
        (4, 8, 6, 6, 4, "backward", "none", 5),
    ]


def test_a_program_without_a_call_leaves_the_file_as_it_was(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("captured.toml").write_text("old")
    assert main(["capture", "--", sys.executable, "-c", "pass"]) == 2
    assert capsys.readouterr().err == (
        "gnbench: --out: captured.toml is there already; name a new file, or replace it with --force\n"
    )
    assert main(["capture", "--force", "--", sys.executable, "-c", "import sys; sys.exit(4)"]) == 2
    assert capsys.readouterr().err == (
        "gnbench: COMMAND: no call of GroupNorm was seen that can be measured (it ended with status 4); "
        "see docs/capture.md for what cannot be seen\n"
    )
    assert Path("captured.toml").read_text() == "old"


def test_what_is_wrong_is_said_before_the_program_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch = [sys.executable, "-c", "open('ran', 'w')"]
    for arguments, message in (
        (["--out", "nowhere/x.toml", *touch], "--out: there is no folder nowhere; make it, or name a file in one"),
        (["--out", ".", *touch], "--out: . is a folder; name a file"),
        (["--", "no-such-program"], "COMMAND: no-such-program cannot be started (No such file or directory); "),
        ([], "Missing argument 'COMMAND...'"),
    ):
        assert main(["capture", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"gnbench: {message}")
    assert list(tmp_path.iterdir()) == []


def test_help_shows_an_example(capsys):
    assert main(["capture", "--help"]) == 0
    assert "Example: gnbench capture --out captured.toml -- python train.py" in " ".join(
        capsys.readouterr().out.split()
    )
