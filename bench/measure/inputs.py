"""A problem and a seed to tensors, the same in every worker, each time in memory of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.plan.problem import Problem

_LINE_BYTES = 64
_PAGE_BYTES = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """What one call is given.

    ``x`` and ``dy``: (N, C, H, W) of the problem's dtype and layout. ``weight``, ``bias``: (C,) of its weight
    dtype, or None. ``dy`` is None where nothing goes backward.
    """

    x: Tensor
    weight: Tensor | None
    bias: Tensor | None
    dy: Tensor | None

    def copy(self, placement: random.Random) -> Inputs:
        """Copy everything to fresh memory."""
        return Inputs(
            x=_placed(self.x, placement),
            weight=None if self.weight is None else _placed(self.weight, placement),
            bias=None if self.bias is None else _placed(self.bias, placement),
            dy=None if self.dy is None else _placed(self.dy, placement),
        )

    def equal(self, other: Inputs) -> bool:
        """Say whether every bit is the same."""
        return all(
            mine is None or bits_equal(mine, theirs)
            for mine, theirs in zip(self.tensors(), other.tensors(), strict=True)
        )

    def restore(self, other: Inputs) -> None:
        """Take the other's values into this memory."""
        for mine, theirs in zip(self.tensors(), other.tensors(), strict=True):
            if mine is not None and theirs is not None:
                mine.copy_(theirs)

    def tensors(self) -> tuple[Tensor | None, ...]:
        """Give x, weight, bias and dy."""
        return (self.x, self.weight, self.bias, self.dy)


def make_inputs(problem: Problem, seed: int) -> Inputs:
    """Draw x and dy from N(0, 1), weight from N(1, 0.1), bias from N(0, 0.1), on the problem's device.

    Drawn on the CPU in float32, so that a problem's values do not depend on the device.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (problem.N, problem.C, problem.H, problem.W)
    memory_format = torch.channels_last if problem.layout == "channels_last" else torch.contiguous_format

    def normal(*size: int, mean: float, spread: float, dtype: str) -> Tensor:
        drawn = torch.randn(size, generator=generator) * spread + mean
        return drawn.to(dtype=getattr(torch, dtype), device=problem.device)

    x = normal(*shape, mean=0.0, spread=1.0, dtype=problem.dtype).contiguous(memory_format=memory_format)
    weight = normal(problem.C, mean=1.0, spread=0.1, dtype=problem.weight_dtype) if problem.affine else None
    bias = normal(problem.C, mean=0.0, spread=0.1, dtype=problem.weight_dtype) if problem.affine else None
    dy = None
    if problem.direction == "backward":
        dy = normal(*shape, mean=0.0, spread=1.0, dtype=problem.dtype).contiguous(memory_format=memory_format)
    return Inputs(x=x, weight=weight, bias=bias, dy=dy)


def _placed(value: Tensor, placement: random.Random) -> Tensor:
    """Copy to memory that begins a random number of cache lines, up to a page, into its own allocation.

    Where a tensor begins within a page moves a figure by tens of per cent (docs/method.md), so it is drawn anew.
    """
    items_a_line = _LINE_BYTES // value.element_size()
    offset = placement.randrange(_PAGE_BYTES // _LINE_BYTES) * items_a_line
    memory = torch.empty(value.numel() + offset, dtype=value.dtype, device=value.device)
    placed = torch.as_strided(memory, value.shape, value.stride(), storage_offset=offset)
    return placed.copy_(value)


def bits_equal(a: Tensor, b: Tensor | None) -> bool:
    """Compare bit by bit, so that NaN equals itself and 0.0 is not -0.0."""
    if b is None or a.shape != b.shape or a.dtype != b.dtype:
        return False
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    return torch.equal(a.view(whole), b.view(whole))
