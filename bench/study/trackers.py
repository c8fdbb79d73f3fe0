"""Trials written where people keep theirs: Weights & Biases, and TensorBoard with its HParams.

Each training is a run of its own: settings as its config, validation curves by epoch, one value each in its summary.
Both are written when a training has ended, in order, so that a run is never half there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from reports.schema import to_record
from reports.study_schema import EpochRow, TrialRow

_SETTINGS = (
    "network", "data", "image_size", "norm", "groups", "implementation", "batch_size", "learning_rate", "seed", "fold",
    "budget", "purpose",
)  # fmt: skip
_SUMMARY = (
    "status", "accuracy", "loss", "validation_accuracy", "validation_loss", "epochs", "updates", "step_s",
    "norm_share", "peak_bytes", "duration_s",
)  # fmt: skip
_CURVES = {
    "train/loss": "train_loss",
    "validation/loss": "validation_loss",
    "validation/accuracy": "validation_accuracy",
}


class Tracker(Protocol):
    """Somewhere that trials are written to."""

    def ended(self, trial: TrialRow, epochs: Sequence[EpochRow]) -> None:
        """Write a training that ended."""

    def close(self) -> None:
        """Write what is left."""


class Trackers:
    """All that were asked for.

    Parameters
    ----------
    names
        Of ``wandb`` and ``tensorboard``.
    folder
        The study's: local files go to ``wandb`` and ``tensorboard`` below it.
    study_id, settings
        What all trials share; the group of W&B's runs is the study.
    """

    def __init__(self, names: Sequence[str], folder: Path, study_id: str, settings: Mapping[str, Any]) -> None:
        made: dict[str, Callable[..., Tracker]] = {"wandb": _Wandb, "tensorboard": _TensorBoard}
        self._all: list[Tracker] = [made[name](folder, study_id, settings) for name in names]

    def ended(self, trial: TrialRow, epochs: Sequence[EpochRow]) -> None:
        """Write a training that ended; one that a signal stopped is done again and not written."""
        for tracker in self._all:
            tracker.ended(trial, epochs)

    def close(self) -> None:
        """Write what is left."""
        for tracker in self._all:
            tracker.close()


def _chosen(trial: TrialRow, names: Sequence[str]) -> dict[str, Any]:
    record = to_record(trial)
    return {name: record[name] for name in names if record[name] is not None}


class _Wandb:
    """Offline unless the user has a key or says otherwise: a study must not stop to ask for one."""

    def __init__(self, folder: Path, study_id: str, settings: Mapping[str, Any]) -> None:
        import wandb  # noqa: PLC0415 - an extra, and slow to import

        self._wandb, self._folder, self._group = wandb, folder, f"study-{study_id}"
        self._sweep = {f"study.{name}": value for name, value in settings.items()}
        self._mode: Any = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")

    def ended(self, trial: TrialRow, epochs: Sequence[EpochRow]) -> None:
        run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", "groupnorm-bench"),
            group=self._group,
            job_type=trial.purpose,
            name=f"trial-{trial.trial}",
            config=_chosen(trial, _SETTINGS) | self._sweep,
            dir=str(self._folder),
            mode=self._mode,
            reinit="create_new",
            settings=self._wandb.Settings(
                console="off", silent=True, x_disable_stats=True, x_disable_meta=True, disable_git=True, save_code=False
            ),
        )
        for epoch in epochs:
            record = to_record(epoch)
            curves = {name: record[column] for name, column in _CURVES.items() if record[column] is not None}
            run.log(curves | {"epoch": epoch.epoch, "updates": epoch.updates}, step=epoch.epoch)
        run.summary.update(_chosen(trial, _SUMMARY))
        run.finish(exit_code=0 if trial.status in {"complete", "pruned"} else 1)

    def close(self) -> None:
        """Stop wandb's own process, which would outlive a study in a notebook."""
        self._wandb.teardown()


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    netrc = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        return "api.wandb.ai" in netrc.read_text()
    except OSError:
        return False


class _TensorBoard:
    """A folder a trial; the HParams tab compares them.

    Written with tensorboard's own classes: torch's ``SummaryWriter`` writes the same, but the driver has no torch.
    """

    def __init__(self, folder: Path, study_id: str, settings: Mapping[str, Any]) -> None:
        self._folder, self._study_id = folder / "tensorboard", study_id

    def ended(self, trial: TrialRow, epochs: Sequence[EpochRow]) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb  # noqa: PLC0415 - an extra
        from tensorboard.summary.writer.event_file_writer import EventFileWriter  # noqa: PLC0415

        name = f"trial-{trial.trial}"
        settings = _chosen(trial, (*_SETTINGS, "status"))
        with closing(EventFileWriter(str(self._folder / name))) as writer:
            writer.add_event(_event(hparams_pb(settings, trial_id=f"{self._study_id}-{name}")))
            for epoch in epochs:
                record = to_record(epoch)
                for curve, column in _CURVES.items():
                    if record[column] is not None:
                        writer.add_event(_event(_scalar(curve, record[column]), epoch.epoch))
            for figure, value in _chosen(trial, _SUMMARY).items():
                if isinstance(value, int | float):
                    writer.add_event(_event(_scalar(f"summary/{figure}", value)))

    def close(self) -> None:
        """Do nothing: each trial's file was closed."""


def _scalar(tag: str, value: float) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415

    return Summary(value=[Summary.Value(tag=tag, simple_value=value)])


def _event(summary: Any, step: int = 0) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415

    return Event(wall_time=time.time(), step=step, summary=summary)
