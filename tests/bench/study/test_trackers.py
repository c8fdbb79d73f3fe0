"""What trackers write, read back."""

import struct

import pytest

from bench.study.trackers import Trackers
from reports.study_schema import EpochRow, TrialRow

TRIAL = TrialRow(
    study_id="s", trial=3, network="tutorial", data="digits", image_size=8, norm="group", groups=8,
    implementation="native", batch_size=32, learning_rate=1e-3, seed=0, fold=1, budget="epochs", epochs=2.0,
    updates=76, purpose="compare", status="complete", validation_accuracy=0.9, validation_loss=0.3, accuracy=0.91,
    loss=0.31, test_samples=305, duration_s=1.5,
)  # fmt: skip
EPOCHS = [
    EpochRow(
        study_id="s", trial=3, epoch=epoch, updates=38 * epoch, train_loss=1 / epoch, validation_loss=0.6 / epoch,
        validation_accuracy=0.45 * epoch, seconds=0.2,
    )
    for epoch in (1, 2)
]  # fmt: skip


def wandb_records(path):
    """Read a .wandb file: a header of 7 bytes, then blocks of 32 KiB of (crc32, length, type) and what they hold."""
    from wandb.proto.wandb_internal_pb2 import Record

    content = path.read_bytes()
    assert content[:4] == b":W&B"
    place, parts, found = 7, b"", []
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in {1, 4}:  # full, last
            found.append(Record.FromString(parts))
            parts = b""
    return found


def test_wandb_offline_has_config_curves_summary_and_group(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'groupnorm-bench[wandb]'")
    for name in ("API_KEY", "MODE", "PROJECT"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    for name in ("CACHE_DIR", "CONFIG_DIR", "DATA_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / name))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    trackers = Trackers(("wandb",), tmp_path, "id", {"seeds": 2, "norms": ("batch", "group:8")})
    trackers.ended(TRIAL, EPOCHS)
    trackers.close()
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    records = wandb_records(path)
    (run,) = [one.run for one in records if one.HasField("run")]
    config = {item.key: item.value_json for item in run.config.update}
    assert (run.run_group, run.job_type, run.display_name) == ("study-id", "compare", "trial-3")
    assert config["norm"] == '"group"'
    assert config["groups"] == "8"
    assert config["learning_rate"] == "0.001"
    assert config["study.seeds"] == "2"
    rows = [
        {item.key or item.nested_key[0]: item.value_json for item in one.history.item}
        for one in records
        if one.HasField("history")
    ]
    assert [(row["epoch"], float(row["validation/accuracy"])) for row in rows] == [("1", 0.45), ("2", 0.9)]
    summary = {
        item.key or item.nested_key[0]: item.value_json
        for one in records
        if one.HasField("summary")
        for item in one.summary.update
    }
    assert (summary["accuracy"], summary["status"]) == ("0.91", '"complete"')


def test_tensorboard_has_hparams_curves_and_summary(tmp_path):
    reason = "tensorboard is not installed: pip install 'groupnorm-bench[tensorboard]'"
    pytest.importorskip("tensorboard", reason=reason)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    trackers = Trackers(("tensorboard",), tmp_path, "id", {})
    trackers.ended(TRIAL, EPOCHS)
    trackers.close()
    read = EventAccumulator(str(tmp_path / "tensorboard" / "trial-3"))
    read.Reload()
    assert [(one.step, one.value) for one in read.Scalars("validation/accuracy")] == [
        (1, pytest.approx(0.45)),
        (2, pytest.approx(0.9)),
    ]
    assert read.Scalars("summary/accuracy")[0].value == pytest.approx(0.91)
    content = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    hparams = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert (hparams["norm"].string_value, hparams["groups"].number_value) == ("group", 8)
    assert hparams["status"].string_value == "complete"
