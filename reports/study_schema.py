"""The columns of what ``gnbench study`` writes, declared as those of ``schema`` are."""

from __future__ import annotations

from dataclasses import dataclass, field

from .schema import _column

TRIALS, EPOCHS, STEPS, INFO = "trials.parquet", "epochs.parquet", "steps.parquet", "study.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRow:
    """One training."""

    study_id: str = field(metadata=_column("the study"))
    trial: int = field(metadata=_column("number within the study, from 0"))
    network: str = field(metadata=_column("tutorial"))
    data: str = field(metadata=_column("digits, mnist5k, mnist or idx"))
    image_size: int = field(metadata=_column("height and width in pixels"))
    norm: str = field(metadata=_column("none, batch, layer, group or instance"))
    groups: int | None = field(
        default=None, metadata=_column("number of groups of norm 'group', 1 of 'layer'; instance: a group a channel")
    )
    implementation: str | None = field(
        default=None, metadata=_column("row of the plugin table that computes the norm; none for 'none' and 'batch'")
    )
    batch_size: int = field(metadata=_column("images an update"))
    learning_rate: float = field(metadata=_column("of Adam"))
    seed: int = field(metadata=_column("of the first weights, the order of images and the folds"))
    fold: int = field(metadata=_column("which part of the images is the test set"))
    budget: str = field(metadata=_column("epochs or updates: which of them is fixed"))
    epochs: float = field(metadata=_column("times every training image was used"))
    updates: int = field(metadata=_column("done"))
    purpose: str = field(
        metadata=_column("tune: chooses the learning rate; compare: with the rate chosen; sweep: a plain trial")
    )
    status: str = field(metadata=_column("complete, pruned, failed or interrupted"))
    reason: str | None = field(default=None, metadata=_column("why, where the status is not complete"))
    validation_accuracy: float | None = field(default=None, metadata=_column("share of validation images", "1"))
    validation_loss: float | None = field(default=None, metadata=_column("mean cross entropy", "nat"))
    accuracy: float | None = field(default=None, metadata=_column("share of test images; none where tuning", "1"))
    loss: float | None = field(default=None, metadata=_column("mean cross entropy of test images", "nat"))
    test_samples: int | None = field(default=None, metadata=_column("test images"))
    step_s: float | None = field(
        default=None, metadata=_column("a training step, timed apart from trainings; that of steps.parquet", "s")
    )
    norm_share: float | None = field(
        default=None, metadata=_column("of the step: what is saved without the norm, paired by round", "1")
    )
    peak_bytes: float | None = field(default=None, metadata=_column("most memory during a step", "B"))
    duration_s: float | None = field(default=None, metadata=_column("of the training, evaluations included", "s"))


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochRow:
    """One epoch of a training; of a fixed number of updates the last may be a part of one."""

    study_id: str = field(metadata=_column("the study"))
    trial: int = field(metadata=_column("number within the study, from 0"))
    epoch: int = field(metadata=_column("from 1"))
    updates: int = field(metadata=_column("done by its end"))
    train_loss: float | None = field(default=None, metadata=_column("mean cross entropy of its batches", "nat"))
    validation_loss: float | None = field(default=None, metadata=_column("mean cross entropy", "nat"))
    validation_accuracy: float | None = field(default=None, metadata=_column("share of validation images", "1"))
    seconds: float = field(metadata=_column("of training and validation", "s"))


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRow:
    """A training step's time and memory with one normalization by one implementation."""

    study_id: str = field(metadata=_column("the study"))
    network: str = field(metadata=_column("tutorial, resnet50_gn or unet_small"))
    norm: str = field(metadata=_column("none, batch, layer, group or instance"))
    groups: int | None = field(default=None, metadata=_column("as in trials"))
    implementation: str | None = field(default=None, metadata=_column("row of the plugin table"))
    batch_size: int = field(metadata=_column("images a step"))
    image_size: int = field(metadata=_column("height and width in pixels"))
    threads: int = field(metadata=_column("CPU threads"))
    step_s: float = field(metadata=_column("geometric mean over passes of each one's median", "s"))
    low: float | None = field(default=None, metadata=_column("lower end of its 95 % interval, t over passes", "s"))
    high: float | None = field(default=None, metadata=_column("upper end of its 95 % interval", "s"))
    reference: str | None = field(
        default=None, metadata=_column("what it is set against, 'norm by implementation'; none for that one itself")
    )
    speedup: float | None = field(
        default=None, metadata=_column("the reference's step time over this one's, paired by round", "1")
    )
    speedup_low: float | None = field(
        default=None, metadata=_column("lower end of its 95 % interval, t over passes", "1")
    )
    speedup_high: float | None = field(default=None, metadata=_column("upper end of its 95 % interval", "1"))
    norm_share: float | None = field(
        default=None, metadata=_column("of the step: what is saved without the norm, paired by round", "1")
    )
    peak_bytes: float | None = field(
        default=None,
        metadata=_column("most memory during a step: weights, optimizer, images and what the step takes", "B"),
    )
    passes: int = field(metadata=_column("fresh workers that timed it"))
    rounds: int = field(metadata=_column("timed rounds over all passes"))
