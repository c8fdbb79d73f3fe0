"""How x lies in memory, for the kernels that read both layouts where they lie."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Strides:
    """Elements between neighbors of a dense x (N, C, P), P = H * W * ... being its positions."""

    n: int
    c: int
    p: int
    positions: int


def memory_format(x: Tensor) -> torch.memory_format:
    """Give the memory format of x (N, C, ...); contiguous where sizes of 1 make it both."""
    if x.ndim not in (4, 5) or x.is_contiguous():
        return torch.contiguous_format
    return torch.channels_last if x.ndim == 4 else torch.channels_last_3d


def strides(x: Tensor) -> Strides:
    """Measure x (N, C, ...); raise ValueError if it is neither contiguous nor channels_last."""
    layout = memory_format(x)
    if not x.is_contiguous(memory_format=layout):
        raise ValueError(f"x has strides {x.stride()}: contiguous or channels_last memory is wanted")
    C, positions = x.shape[1], math.prod(x.shape[2:])
    if layout is torch.contiguous_format:
        return Strides(n=C * positions, c=positions, p=1, positions=positions)
    return Strides(n=C * positions, c=1, p=C, positions=positions)
