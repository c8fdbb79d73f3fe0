"""The row ``triton``: our Triton kernel, launched on CUDA and interpreted where there is none.

``kernel`` is what the GPU runs, imported at the first call; the launch and the row are here.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..layout import strides
from ..table import ProblemLike, register

# Triton decides at its import whether kernels are compiled or interpreted; a CPU can only interpret.
_TOO_LATE = "triton" in sys.modules and not torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1"
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
# The interpreter pays for each operation, about 50 us whatever the tile; a GPU for registers.
_LARGEST_BLOCK = 16384 if _INTERPRETED else 4096


def _unavailable() -> str | None:
    if find_spec("triton") is None:
        return "triton is not installed: pip install 'groupnorm-bench[triton]'"
    return "triton was imported before this row could ask for its interpreter: set TRITON_INTERPRET=1" if _TOO_LATE else None


def _untimed(_: ProblemLike) -> str | None:
    return "run through Triton's interpreter: checked, not timed" if _INTERPRETED else None


def _block(group_elements: int) -> int:
    """Give a tile's elements, a power of two."""
    return min(_LARGEST_BLOCK, max(64, 1 << (group_elements - 1).bit_length()))


def _on_device_of(x: Tensor) -> AbstractContextManager[Any]:
    """Launch where x lies; interpreted, let overflow and NaN pass without a warning, as a GPU does."""
    return torch.cuda.device(x.device) if x.is_cuda else np.errstate(all="ignore")


@register("triton", devices=("cpu", "cuda"), unavailable=_unavailable, untimed=_untimed)
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
    from .kernel import group_norm_kernel  # noqa: PLC0415 (triton is an extra)

    lie = strides(x)
    y = torch.empty_like(x)
    if x.numel() == 0:
        return y
    channels = x.shape[1] // num_groups
    block = _block(channels * lie.positions)
    with _on_device_of(x):
        group_norm_kernel[(x.shape[0] * num_groups,)](
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
            # The last tile may reach past the end by one tile.
            WIDE=lie.n + block * lie.p >= 2**31,
            BLOCK=block,
            num_warps=8 if block >= 2048 else 4,
        )
    return y
