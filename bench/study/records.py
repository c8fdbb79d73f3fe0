"""Trainings as the storage has them, whatever the storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.study.plan import Point, Score, Scores


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One training as the storage has it."""

    trial: int
    point: Point
    status: str
    is_running: bool
    reason: str | None
    outcome: Mapping[str, Any]
    """Of ``train.Outcome``; empty where it did not end."""
    epochs: Sequence[Mapping[str, Any]]
    """Of ``train.Epoch``."""

    @property
    def is_settled(self) -> bool:
        """Whether it needs no repeat: an interrupted training does, a failed one would fail again."""
        return not self.is_running and self.status != "interrupted"

    @property
    def score(self) -> Score | None:
        """What it came to on validation data."""
        if self.status != "complete":
            return None
        return Score(accuracy=self.outcome["validation_accuracy"], loss=self.outcome["validation_loss"])


def scores(records: Sequence[Record]) -> Scores:
    """Give what the settled trainings came to, by their points."""
    return {record.point: record.score for record in records if record.is_settled}
