"""The tables of goals, from frames that need no device and from a real run on the CPU."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parent))

from goals import GOALS, KEY, against, by_class, cells, device_of, goal, main, marks, size, with_goals
from roofline import H100, H200

from bench.plan.problem import Problem

HUNYUAN = Problem(N=1, C=128, H=5120, W=256, G=32, dtype="bfloat16", activation="silu", device="cuda")


def frame(problem, **seconds):
    """One result a row of ``seconds``, of 1 % interval, where a copy takes 100 us."""
    key = {name: getattr(problem, name) for name in KEY}
    return pd.DataFrame([
        key | {"implementation": name, "status": "ok", "cache": "cold", "timer": "events", "latency_s": time,
               "latency_low_s": time * 0.99, "latency_high_s": time * 1.01, "roofline_fraction": 1e-4 / time}
        for name, time in seconds.items()
    ])  # fmt: skip


def test_every_class_and_size_is_among_the_cells():
    assert {size(one) for _, one in cells()} == {"A", "B", "C", "C28", "D", "1 to 64 MB", "< 1 MB"}
    assert all(len(goals) == 5 for goals in GOALS.values())


def test_a_goal_follows_class_layout_and_direction():
    assert goal(HUNYUAN) == 0.92
    assert goal(Problem(N=2, C=320, H=64, W=64, G=32, dtype="bfloat16")) == pytest.approx(0.8)


def test_a_class_is_reached_by_the_geometric_mean_of_its_cells():
    told = with_goals(frame(HUNYUAN, cuda=1.25e-4, native=4e-3), H200)
    lines = by_class(told).set_index("implementation")
    assert lines.loc["cuda", "fraction"] == pytest.approx(0.8)
    assert lines["reached"].to_dict() == {"cuda": "no", "native": ""}
    assert 0.9 < lines.loc["cuda", "predicted"] < 1


def test_marks_are_those_of_this_device():
    told = with_goals(frame(HUNYUAN, cuda=1.6e-4, triton=2.4e-4), H200)
    (line,) = marks(told, H200).to_dict("records")
    assert (line["cuda"], line["triton"], line["mark"]) == pytest.approx((160, 240, 175))
    assert marks(told, H100).empty


def test_clearly_slower_is_beyond_both_intervals():
    told = frame(HUNYUAN, cuda=1e-4, native=2e-4, triton=0.995e-4, compiled=0.9e-4)
    lines = against(told).set_index("against")
    assert lines["speed-up"].to_dict() == pytest.approx({"native": 2, "triton": 0.995, "compiled": 0.9})
    assert lines["slower"].to_dict() == {"native": 0, "triton": 0, "compiled": 1}


def test_nothing_to_tell_is_said(tmp_path):
    with pytest.raises(SystemExit, match="there is no run goals"):
        main(tmp_path, "NVIDIA H200")
    with pytest.raises(SystemExit, match="'A100': the model knows H100 and H200"):
        device_of("A100")


def test_the_cells_are_what_the_command_would_run():
    command = [sys.executable, "-m", "bench", "run", "--config", str(Path(__file__).parent / "goals.toml")]
    command += ["--layout", "contiguous,channels_last", "--direction", "forward,backward", "--activation", "silu"]
    done = subprocess.run([*command, "--dry-run", "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    asked = {tuple(one[name] for name in ("N", "C", "H", "W", "G", "layout", "direction")) for one in problems(done)}
    ours = {(one.N, one.C, one.H, one.W, one.G, one.layout, one.direction) for _, one in cells() if one.N < 100}
    assert asked == ours


def problems(done):
    return json.loads(done.stdout)["problems"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measure.sh uses GNU timeout")
def test_the_one_call_runs_dry(tmp_path):
    """All of measure.sh but the timers; where it would measure, a recorder stands and leaves a run's frame."""
    frame(HUNYUAN, cuda=1.6e-4, native=4e-3).to_parquet(tmp_path / "results.parquet")
    python = tmp_path / "python"
    python.write_text(f"""#!/usr/bin/env bash
echo "$*" >>{tmp_path}/asked
if [[ $1 == tests/gpu/goals.py ]]; then exec {sys.executable} "$@"; fi
while (($#)); do
  if [[ $1 == --out ]]; then mkdir "$2" && cp {tmp_path}/results.parquet "$2"; fi
  shift
done
""")
    python.chmod(0o755)
    told = {"DEVICE": "cpu", "PYTHON": str(python), "OUT": str(tmp_path / "out")}
    script = ["bash", str(Path(__file__).parent / "measure.sh")]
    done = subprocess.run(script, env=os.environ | told, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    asked = [line for line in (tmp_path / "asked").read_text().splitlines() if "bench run" in line]
    assert [re.search(r"goals-(\w+)", line)[1] for line in asked] == ["forward", "backward", "kernelbench"]
    assert all("--impl native,compiled,triton,cuda" in line for line in asked)
    assert len(pd.read_csv(tmp_path / "out/goals.csv")) == 6
    assert "| cuda | 3 |" in (tmp_path / "out/goals.md").read_text()
    again = subprocess.run(script, env=os.environ | told, capture_output=True, text=True)
    assert (again.returncode, "is not empty" in again.stderr) == (2, True)
