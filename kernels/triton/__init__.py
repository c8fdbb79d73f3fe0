"""The row ``triton``: our Triton kernel, launched on CUDA and interpreted where there is none.

``kernel`` is what the GPU runs, imported at the first call; the launch and the row are here.
"""

from __future__ import annotations

import functools
import os
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..layout import strides
from ..table import ProblemLike, register

_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1" or not torch.cuda.is_available()
# The interpreter pays for each operation, about 50 us whatever the tile; a GPU for registers.
_LARGEST_BLOCK = 16384 if _INTERPRETED else 4096
# At 4 ms and more a program: 8,192 of them, RWKV-7's rows, took over a minute for one check.
_MOST_INTERPRETED = 512


def _unavailable() -> str | None:
    return None if find_spec("triton") else "triton is not installed: pip install 'groupnorm-bench[triton]'"


def _untimed(_: ProblemLike) -> str | None:
    return "run through Triton's interpreter: checked, not timed" if _INTERPRETED else None


def _supports(problem: ProblemLike) -> str | None:
    groups = problem.N * problem.G
    if not _INTERPRETED or groups <= _MOST_INTERPRETED:
        return None
    return f"interpreted here, and {groups:,} programs one after the other would take too long to check"


def _block(group_elements: int) -> int:
    """Give a tile's elements, a power of two."""
    return min(_LARGEST_BLOCK, max(64, 1 << (group_elements - 1).bit_length()))


@functools.cache
def _kernel() -> Any:
    """Import the kernel, which is interpreted if Triton's switch says so at that moment."""
    from triton import knobs  # noqa: PLC0415 (triton is an extra)

    with knobs.runtime.scope():
        knobs.runtime.interpret = _INTERPRETED
        from .kernel import group_norm_kernel  # noqa: PLC0415

    return group_norm_kernel


def _on_device_of(x: Tensor) -> AbstractContextManager[Any]:
    """Launch where x lies; interpreted, let overflow and NaN pass without a warning, as a GPU does."""
    return torch.cuda.device(x.device) if x.is_cuda else np.errstate(all="ignore")


@register("triton", devices=("cpu", "cuda"), supports=_supports, unavailable=_unavailable, untimed=_untimed)
def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    *,
    activation: str = "none",
) -> Tensor:
    """Normalize x (N, C, ...), float32, float16 or bfloat16, with weight and bias of any of these types."""
    lie = strides(x)
    y = torch.empty_like(x)
    if x.numel() == 0:
        return y
    channels = x.shape[1] // num_groups
    block = _block(channels * lie.positions)
    with _on_device_of(x):
        _kernel()[(x.shape[0] * num_groups,)](
            x,
            y,
            x if weight is None else weight,
            x if bias is None else bias,
            num_groups,
            channels,
            lie.positions,
            lie.n,
            lie.c,
            lie.p,
            eps,
            CHANNELS_LAST=lie.p != 1,
            HAS_WEIGHT=weight is not None,
            HAS_BIAS=bias is not None,
            ACTIVATION=activation,
            ROUND=_INTERPRETED and x.dtype is torch.bfloat16,
            # The last tile may reach past the end by one tile.
            WIDE=lie.n + block * lie.p >= 2**31,
            BLOCK=block,
            # Triton 3.9 warns where this is left to its default, which will change.
            enable_fp_fusion=True,
            num_warps=8 if block >= 2048 else 4,
        )
    return y
