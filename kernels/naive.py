"""The row ``naive``: reshape, mean, variance, normalize, as a textbook writes it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .layout import memory_format
from .table import register


@register(
    "naive",
    devices=("cpu", "cuda"),
    dtypes=("float32", "float16", "bfloat16", "float64"),
    differentiable=True,
)
def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    *,
    activation: str = "none",
) -> Tensor:
    """Normalize x (N, C, ...), by the formulas of Wu and He, "Group Normalization" (2018), in float32 or wider."""
    N, C, *space = x.shape
    # In bfloat16 a mean of 40,960 elements would have 8 bits, and so would each step after it.
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    groups = wide.reshape(N, num_groups, C // num_groups, *space)
    axes = tuple(range(2, groups.ndim))
    centered = groups - groups.mean(axes, keepdim=True)
    variance = centered.square().mean(axes, keepdim=True)
    y = (centered * torch.rsqrt(variance + eps)).reshape(x.shape)
    channel = (1, C, *(1 for _ in space))
    if weight is not None:
        y = y * weight.reshape(channel)
    if bias is not None:
        y = y + bias.reshape(channel)
    if activation == "silu":
        y = functional.silu(y)
    elif activation == "relu":
        y = functional.relu(y)
    return y.to(x.dtype, memory_format=memory_format(x))
