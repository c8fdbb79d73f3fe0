"""One training: a point in, epochs on the way, and what it came to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.study import norms, splits
from bench.study.asked import DIVERGED
from bench.study.data import Data
from bench.study.network import classifier
from bench.study.plan import TUNE, Point

_EVALUATED_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Epoch:
    """One epoch's figures; of a fixed number of updates the last may be a part of one."""

    epoch: int
    updates: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a training came to; the test set was looked at once, or never where the learning rate was tuned."""

    epochs: float
    updates: int
    validation_accuracy: float
    validation_loss: float
    accuracy: float | None
    loss: float | None
    test_samples: int | None
    duration_s: float
    pruned: bool


class Diverged(Exception):  # noqa: N818 - an outcome, no error of the program
    """The loss is no number any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """Images (N, 1, H, W) of unit spread, and their labels (N,)."""

    images: Tensor
    labels: Tensor


def train(
    point: Point, data: Data, *, folds: int, study_seed: int, device: str, go_on: Callable[[Epoch], bool]
) -> Outcome:
    """Train one point; ``go_on`` hears each epoch and stops the training with False.

    Raises
    ------
    Diverged
        The loss is not finite.
    """
    began = time.perf_counter()
    split = splits.split(data.labels, study_seed=study_seed, seed=point.seed, folds=folds, fold=point.fold)
    training, validation, test = _parts(data, split, device)
    # Weights and the images' order follow from the seed alone: every norm gets the same of both.
    torch.manual_seed(point.seed)
    network = classifier(
        norms.read(point.norm), point.implementation, image_size=data.image_size, classes=data.classes
    ).to(device)
    course = _Course(point, network, training)
    goes_on, figures = True, None
    while goes_on and not course.is_over:
        figures = course.epoch(validation)
        goes_on = go_on(figures)
    assert figures is not None
    tested = goes_on and point.purpose != TUNE
    loss, accuracy = _evaluated(network, test) if tested else (None, None)
    return Outcome(
        epochs=course.updates * point.batch_size / len(training.labels),
        updates=course.updates,
        validation_accuracy=figures.validation_accuracy,
        validation_loss=figures.validation_loss,
        accuracy=accuracy,
        loss=loss,
        test_samples=len(test.labels) if tested else None,
        duration_s=time.perf_counter() - began,
        pruned=not goes_on,
    )


class _Course:
    """A training between its epochs."""

    def __init__(self, point: Point, network: nn.Module, training: _Part) -> None:
        self._network, self._training, self._batch = network, training, point.batch_size
        self._most = point.updates(len(training.labels))
        self._optimizer = torch.optim.Adam(network.parameters(), lr=point.learning_rate)
        self._order = torch.Generator().manual_seed(point.seed)
        self._epochs = 0
        self.updates = 0

    @property
    def is_over(self) -> bool:
        return self.updates >= self._most

    def epoch(self, validation: _Part) -> Epoch:
        """Train an epoch, or what is left of the updates, and validate."""
        began = time.perf_counter()
        self._network.train()
        order = torch.randperm(len(self._training.labels), generator=self._order).to(self._training.labels.device)
        batches = min(len(order) // self._batch, self._most - self.updates)
        total = torch.zeros((), device=order.device)
        for place in range(batches):
            chosen = order[place * self._batch : (place + 1) * self._batch]
            total += step(
                self._network, self._optimizer, self._training.images[chosen], self._training.labels[chosen]
            ).detach()
        self.updates += batches
        self._epochs += 1
        train_loss = float(total) / batches
        validation_loss, accuracy = _evaluated(self._network, validation)
        if not (math.isfinite(train_loss) and math.isfinite(validation_loss)):
            raise Diverged(f"{DIVERGED} within {self.updates} updates")
        return Epoch(
            epoch=self._epochs,
            updates=self.updates,
            train_loss=train_loss,
            validation_loss=validation_loss,
            validation_accuracy=accuracy,
            seconds=time.perf_counter() - began,
        )


def step(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> Tensor:
    """Make one update and give the batch's mean loss."""
    optimizer.zero_grad()
    loss = functional.cross_entropy(network(images), labels)
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it so
    optimizer.step()
    return loss


def _parts(data: Data, split: splits.Split, device: str) -> tuple[_Part, _Part, _Part]:
    """Shift and scale by the training part's own mean and spread: what is tested takes no part in that either."""
    images = torch.from_numpy(data.images).float().unsqueeze(1)
    labels = torch.from_numpy(data.labels).long()
    spread, mean = torch.std_mean(images[torch.from_numpy(split.train)])
    scaled = ((images - mean) / spread).to(device)
    places = (torch.from_numpy(part) for part in (split.train, split.validation, split.test))
    training, validation, test = (_Part(images=scaled[part], labels=labels[part].to(device)) for part in places)
    return training, validation, test


def _evaluated(network: nn.Module, part: _Part) -> tuple[float, float]:
    """Give the mean loss and the accuracy, with batch norm's running statistics."""
    network.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for first in range(0, len(part.labels), _EVALUATED_AT_ONCE):
            images, labels = (one[first : first + _EVALUATED_AT_ONCE] for one in (part.images, part.labels))
            answers = network(images)
            loss += float(functional.cross_entropy(answers, labels, reduction="sum"))
            right += int((answers.argmax(1) == labels).sum())
    return loss / len(part.labels), right / len(part.labels)
