"""What every launch starts from: the kernels, x as they see it, and the arguments that all kernels over tiles take."""

from __future__ import annotations

import functools
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..layout import Strides, strides
from .plan import Shape, Tile, ceil

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1" or not torch.cuda.is_available()
_REGISTERS = 65536  # of a multiprocessor, from sm_80 to sm_120


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """The modules of kernels, each called as ``kernel[grid](...)``, and whether they are interpreted."""

    forward: Any
    backward: Any
    partials: Any
    interpreted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """x as the kernels see it."""

    N: int
    C: int
    G: int
    lie: Strides
    dtype: torch.dtype
    device: torch.device
    shape: Shape
    """What the plan follows from."""

    @property
    def count(self) -> float:
        """Give a group's elements."""
        return float(self.C // self.G * self.lie.positions)

    def group_blocks(self, tile: Tile) -> int:
        """Count the tiles that hold a sample's groups."""
        return ceil(self.G, tile.groups)

    def sizes(self, tile: Tile) -> tuple[int, ...]:
        """Give what every kernel over tiles is told of x, in its order."""
        lie = self.lie
        return self.N, self.G, self.group_blocks(tile), lie.positions, lie.n, lie.c, lie.p


def problem(x: Tensor, num_groups: int) -> Problem:
    """Look at x (N, C, ...); raise ValueError if it is neither contiguous nor channels_last."""
    lie = strides(x)
    shape = Shape(
        groups=num_groups,
        channels=x.shape[1] // num_groups,
        positions=lie.positions,
        channels_last=lie.c == 1,
        itemsize=x.element_size(),
    )
    return Problem(N=x.shape[0], C=x.shape[1], G=num_groups, lie=lie, dtype=x.dtype, device=x.device, shape=shape)


@functools.cache
def kernels() -> Way:
    """Import the kernels, which are interpreted if Triton's switch says so at that moment."""
    from triton import knobs  # noqa: PLC0415 (triton is an extra)

    with knobs.runtime.scope():
        knobs.runtime.interpret = INTERPRETED
        from . import backward, forward, partials  # noqa: PLC0415

    return Way(forward=forward, backward=backward, partials=partials, interpreted=INTERPRETED)


def on_device_of(x: Tensor) -> AbstractContextManager[Any]:
    """Launch where x lies; interpreted, let overflow and NaN pass without a warning, as a GPU does."""
    if not x.is_cuda:
        return np.errstate(all="ignore")
    return nullcontext() if x.get_device() == torch.cuda.current_device() else torch.cuda.device(x.device)


def tile_arguments(it: Problem, tile: Tile, way: Way) -> dict[str, Any]:
    """Give the compile-time arguments and options that every kernel over tiles takes."""
    return {
        "D": it.shape.channels,
        "GROUPS": tile.groups,
        "CHANNELS": tile.channels,
        "POSITIONS": tile.positions,
        "P_AXIS": 0 if it.shape.channels_last else 2,
        "INTERPRETED": way.interpreted,
        # The last tile may reach past the end by one tile.
        "WIDE": it.lie.n + tile.positions * it.lie.p + tile.channels * it.lie.c >= 2**31,
        **options(tile.warps),
        # Left alone, the assembler spills 600 bytes a thread to fit two programs of 512 threads, 64 registers each.
        **({"maxnreg": _REGISTERS // (32 * tile.warps)} if tile.lanes >= 512 * tile.warps else {}),
    }


def options(warps: int = 4) -> dict[str, Any]:
    """Give Triton's options; it warns where fusion is left to its default, which 3.10 will change."""
    return {"num_warps": warps, "enable_fp_fusion": True}


def affine_flags(weight: Tensor | None, bias: Tensor | None, activation: str) -> dict[str, Any]:
    """Give the compile-time arguments of what follows normalization."""
    return {"HAS_WEIGHT": weight is not None, "HAS_BIAS": bias is not None, "ACTIVATION": activation}
