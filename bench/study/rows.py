"""What became of trainings, as the rows of the frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.study import norms
from bench.study.asked import EPOCHS
from bench.study.records import Record
from reports.study_schema import EpochRow, TrialRow

_OF_OUTCOME = ("validation_accuracy", "validation_loss", "accuracy", "loss", "test_samples", "duration_s")


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What all rows of a study share."""

    study_id: str
    data: str
    image_size: int
    train_size: int
    """Of the first fold: those of the others differ by an image or two."""


def trial_rows(records: Iterable[Record], about: About, steps: pd.DataFrame) -> list[TrialRow]:
    """Make a row of each training that is not running; ``steps`` has the steps' times (``StepRow``)."""
    by_variant: dict[tuple[object, ...], Mapping[Any, object]] = {
        (row["norm"], _none(row["groups"]), _none(row["implementation"]), row["batch_size"]): row
        for row in steps.to_dict("records")
    }
    return [_trial_row(record, about, by_variant) for record in records if not record.is_running]


def epoch_rows(records: Iterable[Record], about: About) -> list[EpochRow]:
    """Make a row of each epoch of the trainings that are not running."""
    return [
        EpochRow(study_id=about.study_id, trial=record.trial, **epoch)
        for record in records
        if not record.is_running
        for epoch in record.epochs
    ]


def _trial_row(record: Record, about: About, by_variant: Mapping[tuple[object, ...], Mapping[Any, object]]) -> TrialRow:
    point, norm = record.point, norms.read(record.point.norm)
    step = by_variant.get((norm.kind, norm.groups, point.implementation, point.batch_size), {})
    updates = record.outcome.get("updates", _last(record.epochs, "updates"))
    epochs = updates * point.batch_size / about.train_size
    outcome = {name: record.outcome.get(name) for name in _OF_OUTCOME}
    return TrialRow(
        study_id=about.study_id,
        trial=record.trial,
        network="tutorial",
        data=about.data,
        image_size=about.image_size,
        norm=norm.kind,
        groups=norm.groups,
        implementation=point.implementation,
        batch_size=point.batch_size,
        learning_rate=point.learning_rate,
        seed=point.seed,
        fold=point.fold,
        budget=point.budget,
        epochs=_last(record.epochs, "epoch") if point.budget == EPOCHS else epochs,
        updates=updates,
        purpose=point.purpose,
        status=record.status,
        reason=record.reason,
        step_s=_figure(step, "step_s"),
        norm_share=_figure(step, "norm_share"),
        peak_bytes=_figure(step, "peak_bytes"),
        **outcome,
    )


def _last(epochs: Sequence[Mapping[str, int]], name: str) -> int:
    return epochs[-1][name] if epochs else 0


def _figure(step: Mapping[Any, object], name: str) -> float | None:
    value = _none(step.get(name))
    assert value is None or isinstance(value, int | float)
    return None if value is None else float(value)


def _none(value: object) -> object:
    return None if value is None or value is pd.NA or value != value else value  # noqa: PLR0124 - NaN alone
