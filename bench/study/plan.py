"""What is trained, and in which order: points of the axes, and which of them are ready."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from bench.study import norms
from bench.study.asked import EPOCHS, TUNED, Asked

TUNE, COMPARE, SWEEP = "tune", "compare", "sweep"
CLAIMED = "group:8"
"""The tutorial's claim is about it, so implementations beyond the first are compared on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One training."""

    purpose: str
    budget: str
    """``epochs`` or ``updates``, of which there are ``length``."""
    length: int
    norm: str
    implementation: str | None
    batch_size: int
    learning_rate: float
    seed: int
    fold: int

    def to_dict(self) -> dict[str, Any]:
        """Give plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Make it of ``to_dict``'s."""
        return cls(**plain)

    @property
    def group(self) -> Group:
        """What its learning rate is tuned for."""
        return Group(budget=self.budget, norm=self.norm, batch_size=self.batch_size)

    def updates(self, train_size: int) -> int:
        """Count its updates; an incomplete last batch is left out."""
        return self.length * (train_size // self.batch_size) if self.budget == EPOCHS else self.length


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Trainings that share a learning rate."""

    budget: str
    norm: str
    batch_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How well a tuning trial did on validation data."""

    accuracy: float
    loss: float


Scores = Mapping[Point, Score | None]
"""The points that ended; None for one that failed."""


def planned(asked: Asked, scores: Scores) -> list[Point]:
    """Give the points that are known by now, in order; those drawn by a sampler are not among them.

    Points that compare come by seed and fold, each with every normalization: a study that is stopped early has whole
    pairs.
    """
    if asked.sampler == TUNED:
        return [*tuning(asked), *comparing(asked, chosen_rates(asked, scores))]
    return list(grid(asked)) if asked.sampler == "grid" else []


def tuning(asked: Asked) -> list[Point]:
    """Give the points that choose learning rates: one training each, at the first seed and fold."""
    return [
        Point(
            purpose=TUNE,
            budget=budget,
            length=length,
            norm=norm,
            implementation=first_implementation(asked, norm),
            batch_size=batch_size,
            learning_rate=rate,
            seed=0,
            fold=0,
        )
        for budget, length in asked.budgets
        for batch_size in asked.batch_sizes
        for norm in asked.norms
        for rate in asked.learning_rates
    ]


def chosen_rates(asked: Asked, scores: Scores) -> dict[Group, float]:
    """Give the learning rate with the best validation accuracy, the lower loss on a tie, of each group whose tuning
    has ended; a group whose every training failed has none."""  # noqa: D205, D209 - one sentence
    of_group: dict[Group, list[Point]] = {}
    for point in tuning(asked):
        of_group.setdefault(point.group, []).append(point)
    rates = {}
    for group, points in of_group.items():
        if all(point in scores for point in points):
            ended = [(score, point) for point in points if (score := scores[point]) is not None]
            if ended:
                _, best = max(ended, key=lambda one: (one[0].accuracy, -one[0].loss, -one[1].learning_rate))
                rates[group] = best.learning_rate
    return rates


def comparing(asked: Asked, rates: Mapping[Group, float]) -> list[Point]:
    """Give the points that compare normalizations, of the groups that have a learning rate."""
    return [
        Point(
            purpose=COMPARE,
            budget=budget,
            length=length,
            norm=norm,
            implementation=implementation,
            batch_size=batch_size,
            learning_rate=rates[group],
            seed=seed,
            fold=fold,
        )
        for seed in range(asked.seeds)
        for fold in range(asked.folds)
        for budget, length in asked.budgets
        for batch_size in asked.batch_sizes
        for norm in asked.norms
        if (group := Group(budget=budget, norm=norm, batch_size=batch_size)) in rates
        for implementation in implementations_of(asked, norm)
    ]


def grid(asked: Asked) -> Iterator[Point]:
    """Give every combination of the axes."""
    for seed in range(asked.seeds):
        for fold in range(asked.folds):
            for budget, length in asked.budgets:
                for batch_size in asked.batch_sizes:
                    for norm in asked.norms:
                        by_table = norms.read(norm).by_table
                        for implementation in asked.implementations if by_table else (None,):
                            for rate in asked.learning_rates:
                                yield Point(
                                    purpose=SWEEP,
                                    budget=budget,
                                    length=length,
                                    norm=norm,
                                    implementation=implementation,
                                    batch_size=batch_size,
                                    learning_rate=rate,
                                    seed=seed,
                                    fold=fold,
                                )


def first_implementation(asked: Asked, norm: str) -> str | None:
    """Give the row that computes a norm where one will do; None where the table does not compute it."""
    return asked.implementations[0] if norms.read(norm).by_table else None


def implementations_of(asked: Asked, norm: str) -> tuple[str | None, ...]:
    """Give the rows that a norm is compared with: all of them for the claimed one, or where that is not asked for."""
    first = first_implementation(asked, norm)
    if first is None or (norm != CLAIMED and CLAIMED in asked.norms):
        return (first,)
    return asked.implementations


def count(asked: Asked) -> int:
    """Count the trainings of the whole study, should none of them fail."""
    if asked.sampler == TUNED:
        every = {point.group: 0.0 for point in tuning(asked)}
        return len(tuning(asked)) + len(comparing(asked, every))
    return asked.trials if asked.trials is not None else sum(1 for _ in grid(asked))


def whole(asked: Asked) -> list[Point]:
    """Give points that stand for the whole study's cost: rates do not change it, and drawn points are like a grid's."""
    if asked.sampler == TUNED:
        return [*tuning(asked), *comparing(asked, {point.group: 0.0 for point in tuning(asked)})]
    every = list(grid(asked))
    return every if asked.trials is None else [every[place % len(every)] for place in range(asked.trials)]
