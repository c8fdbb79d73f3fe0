"""Training steps of several networks in alternating rounds: what a step takes, and how much memory.

One pass of a fresh process; passes are put together by ``timing``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bench.devices.base import Device
from bench.study import norms
from bench.study.network import classifier
from bench.study.train import step

_BATCH_S = 10e-3
"""A round's batch of steps lasts about so long: a scheduler's interruption is then rarely in it, and is an outlier."""
_WARM_STEPS = 3
_LEAST_ROUNDS = 3
_WEIGHED = 3

Build = Callable[[norms.Norm, str | None, int], tuple[nn.Module, tuple[int, ...]]]
"""Norm, implementation and image size to a network and the shape of one input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clocked:
    """What one pass says of one network."""

    seconds: list[float]
    """Of a step, by round."""
    peak_bytes: int | None


def _tutorial(norm: norms.Norm, implementation: str | None, image_size: int) -> tuple[nn.Module, tuple[int, ...]]:
    return classifier(norm, implementation, image_size=image_size), (1, image_size, image_size)


def _resnet(norm: norms.Norm, implementation: str | None, image_size: int) -> tuple[nn.Module, tuple[int, ...]]:
    from bench.study.resnet import resnet50  # noqa: PLC0415

    return resnet50(norm, implementation), (3, image_size, image_size)


def _unet(norm: norms.Norm, implementation: str | None, image_size: int) -> tuple[nn.Module, tuple[int, ...]]:
    from bench.study.unet import unet_small  # noqa: PLC0415

    return unet_small(norm, implementation), (3, image_size, image_size)


NETWORKS: dict[str, Build] = {"tutorial": _tutorial, "resnet50_gn": _resnet, "unet_small": _unet}


def clocked(
    variants: Sequence[tuple[str, str | None]],
    *,
    network: str,
    batch_size: int,
    image_size: int,
    device: Device,
    seed: int,
    most_s: float,
    weigh: bool,
) -> list[Clocked]:
    """Time a step of each variant, all within each round, in random order.

    Parameters
    ----------
    variants
        Norm and implementation of each.
    most_s
        Rounds end after so many seconds, though not before three.
    weigh
        Tell the memory of a step too; costs some steps under torch's profiler.
    """
    torch.manual_seed(seed)
    build = NETWORKS[network]
    trained = [_Trained(build(norms.read(norm), row, image_size), batch_size, device) for norm, row in variants]
    weights = [one.peak_bytes() if weigh else None for one in trained]
    counts = [one.warmed() for one in trained]
    seconds: list[list[float]] = [[] for _ in trained]
    chance, began = random.Random(seed), time.perf_counter()
    while len(seconds[0]) < _LEAST_ROUNDS or time.perf_counter() - began < most_s:
        for place in chance.sample(range(len(trained)), len(trained)):
            seconds[place].append(trained[place].timed(counts[place]))
    return [Clocked(seconds=one, peak_bytes=peak) for one, peak in zip(seconds, weights, strict=True)]


class _Trained:
    """One network with its optimizer and a batch to learn, again and again."""

    def __init__(self, built: tuple[nn.Module, tuple[int, ...]], batch_size: int, device: Device) -> None:
        made, shape = built
        self._network, self._device = made.to(device.name), device
        self._images = torch.randn(batch_size, *shape).to(device.name)
        # A network that paints answers for each pixel: cross entropy takes both.
        with torch.no_grad():
            _, classes, *pixels = self._network(self._images).shape
        self._labels = torch.randint(0, classes, (batch_size, *pixels)).to(device.name)
        self._optimizer = torch.optim.Adam(made.parameters(), lr=1e-4)

    def _step(self) -> Any:
        return step(self._network, self._optimizer, self._images, self._labels)

    def warmed(self) -> int:
        """Warm up, and give how many steps make a batch."""
        took = min(self.timed(1) for _ in range(_WARM_STEPS))
        return max(1, round(_BATCH_S / took))

    def timed(self, steps: int) -> float:
        """Give a step's mean seconds over a batch of them."""
        self._device.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            self._step()
        self._device.synchronize()
        return (time.perf_counter() - start) / steps

    def peak_bytes(self) -> int:
        """Give the most memory a step holds: what it takes, and what is there before it."""
        for _ in range(2):  # the optimizer makes its state in the first
            self._step()
        self._optimizer.zero_grad()
        state = [value for of_one in self._optimizer.state.values() for value in of_one.values()]
        held = [*self._network.parameters(), *self._network.buffers(), *state, self._images, self._labels]
        there = sum(tensor.numel() * tensor.element_size() for tensor in held if isinstance(tensor, torch.Tensor))
        # The least of a few: pages that an allocator keeps from one step are seen as memory of the next, at random.
        return there + min(self._device.allocated_bytes(self._step) for _ in range(_WEIGHED))
