"""The row ``native``: PyTorch's own ``torch.nn.functional.group_norm``, and the activation after it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .table import ProblemLike, register


def _supports(problem: ProblemLike) -> str | None:
    if not problem.affine or problem.weight_dtype == problem.dtype:
        return None
    if problem.device == "cpu" and problem.weight_dtype == "float32" and problem.dtype in ("float16", "bfloat16"):
        return None
    return f"torch has no {problem.dtype} group_norm with {problem.weight_dtype} weights on {problem.device}"


@register(
    "native",
    devices=("cpu", "cuda"),
    dtypes=("float32", "float16", "bfloat16", "float64"),
    differentiable=True,
    supports=_supports,
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
    """Normalize x (N, C, ...) as torch does; on CUDA, torch before 2.14 answers channels_last with contiguous."""
    y = functional.group_norm(x, num_groups, weight, bias, eps)
    if activation == "none":
        return y
    # In place saves a tensor; silu's gradient needs its own input, which must then stay whole.
    in_place = not (torch.is_grad_enabled() and y.requires_grad)
    return functional.silu(y, inplace=in_place) if activation == "silu" else functional.relu(y, inplace=in_place)
