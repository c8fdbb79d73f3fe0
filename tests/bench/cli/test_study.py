"""The command, with real trainings of a moment each."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch

from bench.cli.app import main

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'groupnorm-bench[study]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'groupnorm-bench[study]'")

ROOT = Path(__file__).parents[3]
GRID = (
    "--sampler", "grid", "--norm", "none,group:8", "--batch-size", "64", "--learning-rate", "1e-3", "--folds", "2",
    "--epochs", "2", "--workers", "1", "--no-timing",
)  # fmt: skip
DIFFERS = {"study_id", "trial", "duration_s", "seconds"}


def frames(folder):
    trials, epochs = (pd.read_parquet(folder / f"{name}.parquet") for name in ("trials", "epochs"))
    return trials, epochs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A grid that nobody killed."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    assert main(["study", *GRID, "--out", str(folder)]) == 0
    return folder


def test_a_grid_is_one_row_a_point_with_its_curve(whole):
    trials, epochs = frames(whole)
    assert trials[["norm", "fold", "status", "updates"]].to_records(index=False).tolist() == [
        (norm, fold, "complete", 22) for fold in range(2) for norm in ("none", "group")
    ]
    assert trials["accuracy"].between(0.5, 1).all()
    assert (trials["purpose"] == "sweep").all()
    assert trials["implementation"].dropna().unique().tolist() == ["native"]
    assert epochs.groupby("trial")["epoch"].apply(list).tolist() == [[1, 2]] * 4
    last = epochs[epochs["epoch"] == 2].set_index("trial")
    assert last["validation_accuracy"].tolist() == trials["validation_accuracy"].tolist()


def test_study_json_tells_what_was_asked_and_of_which_data(whole):
    info = json.loads((whole / "study.json").read_text())
    assert info["format"] == 1
    assert info["counts"] == {"complete": 4}
    assert info["end"] is not None
    assert info["data"]["name"] == "digits"
    sizes = (info["data"][part] for part in ("train", "validation", "test"))
    assert sum(sizes) == info["data"]["images"] == 1797
    assert info["versions"]["optuna"]


def killed(folder):
    """Start the same grid and kill it in the middle of its second training."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench", "study", *GRID, "--out", folder],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    journal = folder / "optuna.journal"
    ends = time.monotonic() + 120
    while time.monotonic() < ends and child.poll() is None:
        content = journal.read_bytes() if journal.exists() else b""
        if content.count(b'"outcome"') >= 1 and content.count(b'"point"') > content.count(b'"outcome"'):
            break
        time.sleep(0.002)
    workers = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert workers
    assert not psutil.wait_procs(workers, timeout=60)[1]  # none trains on for nobody


def test_a_killed_grid_ends_with_the_rows_of_one_never_killed(whole, tmp_path, capsys):
    folder = tmp_path / "study"
    killed(folder)
    assert main(["study", "--resume", str(folder), "--workers", "1"]) == 0
    assert "warning: 1 trainings were running when the study was stopped" in capsys.readouterr().err
    (trials, epochs), (of_whole, epochs_of_whole) = frames(folder), frames(whole)
    interrupted = trials[trials["status"] == "interrupted"]
    assert interrupted["reason"].tolist() == ["the study was stopped while it ran"]
    assert interrupted[["accuracy", "validation_accuracy"]].isna().all(axis=None)
    ended = trials[trials["status"] != "interrupted"]
    assert rows(ended) == rows(of_whole)
    assert len(epochs) == len(epochs_of_whole)
    curves, wanted = (one["validation_loss"].tolist() for one in (epochs, epochs_of_whole))
    assert curves == wanted
    assert json.loads((folder / "study.json").read_text())["counts"] == {"complete": 4, "interrupted": 1}


def rows(trials):
    plain = trials.drop(columns=list(DIFFERS & set(trials))).astype(object)
    return plain.where(plain.notna(), None).to_dict("records")


def test_a_finished_study_resumes_to_0_and_trains_nothing(whole, capsys):
    before = frames(whole)[0]
    assert main(["study", "--resume", str(whole), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left"] == 0
    assert frames(whole)[0].equals(before)
    assert main(["study", *GRID, "--out", str(whole)]) == 2
    assert capsys.readouterr().err == (
        f"gnbench: --out: {whole} already holds a study;"
        f" go on with 'gnbench study --resume {whole}', or name another folder\n"
    )


def test_a_budget_stops_cleanly_and_the_resumed_study_compares_with_the_rates_it_tuned(tmp_path, capsys):
    folder = tmp_path / "study"
    axes = ("--norm", "batch,group:8", "--batch-size", "128", "--learning-rate", "1e-4,1e-2", "--seeds", "1")
    lengths = ("--folds", "2", "--epochs", "1", "--updates", "3", "--implementation", "native", "--passes", "1")
    assert main(["study", *axes, *lengths, "--workers", "1", "--budget", "1e-9", "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"16 trainings are left; go on with 'gnbench study --resume {folder}'" in " ".join(out.split())
    steps = pd.read_parquet(folder / "steps.parquet")
    assert steps["norm"].tolist() == ["none", "batch", "group"]
    assert (steps["step_s"] > 0).all()
    assert (steps["peak_bytes"] > 1e6).all()
    assert main(["study", "--resume", str(folder), "--workers", "1"]) == 0
    trials, _ = frames(folder)
    assert trials.groupby("purpose")["status"].value_counts().to_dict() == {
        ("compare", "complete"): 8,
        ("tune", "complete"): 8,
    }
    assert trials.loc[trials["purpose"] == "tune", "accuracy"].isna().all()
    for (_, _), of_group in trials.groupby(["budget", "norm"]):
        tuned, compared = (of_group[of_group["purpose"] == purpose] for purpose in ("tune", "compare"))
        best = tuned.sort_values(["validation_accuracy", "validation_loss"], ascending=[False, True]).iloc[0]
        assert set(compared["learning_rate"]) == {best["learning_rate"]}
    assert trials["step_s"].notna().all()


def test_a_bigger_networks_step_is_timed_beside_batch_norm_and_none(tmp_path, capsys):
    folder = tmp_path / "steps"
    options = ("--network", "unet_small", "--implementation", "native", "--batch-size", "2", "--threads", "1")
    assert main(["study", *options, "--passes", "1", "--budget", "0.1", "--json", "--out", str(folder)]) == 0
    told = json.loads(capsys.readouterr().out)["steps"]
    assert [(row["norm"], row["implementation"]) for row in told] == [
        ("none", None),
        ("batch", None),
        ("group", "native"),
    ]
    steps = pd.read_parquet(folder / "steps.parquet")
    assert steps["reference"].tolist()[:2] == ["group:8 by native"] * 2
    assert steps["peak_bytes"].iloc[0] < steps["peak_bytes"].iloc[1:].min()
    assert (steps["rounds"] >= 3).all()


PLUGIN = """
import torch
from kernels import register

@register("tires", devices=("cpu",), differentiable=True)
def tires(x, num_groups, weight, bias, eps):
    if x.shape[0] > 2:
        raise RuntimeError("too many images")
    return torch.nn.functional.group_norm(x, num_groups, weight, bias, eps)
"""


def test_a_named_implementation_that_fails_is_status_1_and_its_rows_say_why(tmp_path, capsys):
    plugin, folder = tmp_path / "plugin.py", tmp_path / "study"
    plugin.write_text(PLUGIN)
    options = ("--sampler", "grid", "--norm", "none,group:8", "--batch-size", "128", "--learning-rate", "1e-3")
    ends = ("--folds", "2", "--updates", "2", "--no-timing", "--workers", "1", "--out", str(folder))
    assert main(["study", *options, "--plugin", str(plugin), "--implementation", "tires", *ends]) == 1
    told = "gnbench: tires: 2 trainings failed, the first of them: RuntimeError: too many images"
    assert told in capsys.readouterr().err.splitlines()
    trials, _ = frames(folder)
    assert trials["status"].tolist() == ["complete", "failed"] * 2
    assert trials["reason"].dropna().unique().tolist() == ["RuntimeError: too many images"]


def test_a_dry_run_tells_the_trainings_and_their_cost_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["study", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trainings"] == 1248
    assert told["seconds"] > 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--norm", "groop"), "--norm: 'groop' is unknown; did you mean 'group:8'?"),
        (("--batch-size", "1"), "--batch-size: 1 is below 2; batch norm has no variance of one value a channel"),
        (("--batch-size", "4096"), "--batch-size: 4096 is more than the 1,019 images of a fold's training part"),
        (("--sampler", "gird"), "--sampler: 'gird' is unknown; did you mean 'grid'?"),
        (("--sampler", "tpe"), "--trials: --sampler tpe has no end of its own; give --trials 50"),
        (("--prune",), "--prune: a comparison needs every one of its trials; give --sampler grid, random or tpe"),
        (("--learning-rate", "1e-4..1e-2"), "--learning-rate: only random and TPE draw from a range; give a comma"),
        (("--data", "minst"), "--data: 'minst' is unknown; did you mean 'mnist'?"),
        (("--data-dir", "absent"), "--data-dir: there is no folder absent; give the four IDX files"),
        (("--log", "mlflow"), "--log: 'mlflow' is unknown; known are wandb, tensorboard"),
        (("--network", "resnet"), "--network: 'resnet' is unknown; did you mean 'resnet50_gn'?"),
        (("--network", "unet_small", "--epochs", "2"), "--epochs: unet_small is not trained; its steps are timed"),
        (("--resume", "absent"), "--resume: there is no folder absent; name a folder that 'gnbench study' wrote"),
        (("--resume", "absent", "--norm", "batch"), "--norm: a study that is resumed has its own; leave it out"),
        pytest.param(
            ("--device", "cuda"),
            "--device: a worker for cuda cannot start: it exited with status 1; see 'gnbench doctor'",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here"),
        ),
        (("--folds", "999"), "--folds: 999 folds of 1,797 images leave "),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_leaves_nothing(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["study", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith(f"gnbench: {message}")
    assert not list(tmp_path.iterdir())
