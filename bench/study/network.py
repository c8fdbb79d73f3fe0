"""The tutorial's classifier of digits."""

from __future__ import annotations

from torch import nn

from bench.study.layers import normalized
from bench.study.norms import Norm

CHANNELS = (32, 64)


def classifier(norm: Norm, implementation: str | None, *, image_size: int, classes: int = 10) -> nn.Sequential:
    """Make the network: two of convolution 5 x 5, norm, ReLU and max-pooling by 2, then a linear layer.

    Images are (N, 1, ``image_size``, ``image_size``); the linear layer's size follows theirs: 7·7·64 at 28 x 28,
    2·2·64 at 8 x 8. Weights are drawn in the same order whatever the norm, so one seed gives all the same.
    """
    first, second = CHANNELS
    return nn.Sequential(
        nn.Conv2d(1, first, 5, padding=2),
        normalized(norm, first, implementation, "relu"),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 5, padding=2),
        normalized(norm, second, implementation, "relu"),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear((image_size // 4) ** 2 * second, classes),
    )
