"""The row ``cpp``: our C++ for the CPU, an operator on torch's stable ABI.

``group_norm.cpp`` is the kernel, ``build`` makes a library of it at the first call; the row is here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from ..table import ACTIVATIONS, NAMESPACE, ProblemLike, register
from . import build

_ACTIVATION = {word: number for number, word in enumerate(ACTIVATIONS)}


def _unavailable() -> str | None:
    return None if build.compiler() else "no C++ compiler: set CXX, or put g++ or clang++ on PATH"


def _supports(problem: ProblemLike) -> str | None:
    if not problem.affine or problem.weight_dtype in (problem.dtype, "float32"):
        return None
    return f"weights of {problem.weight_dtype} beside {problem.dtype}: only its own type or float32"


@functools.cache
def _operator() -> Callable[..., Tensor]:
    torch.ops.load_library(str(build.build(NAMESPACE)))  # type: ignore[no-untyped-call] # torch leaves it so
    return cast("Callable[..., Tensor]", getattr(torch.ops, NAMESPACE).cpp_group_norm.default)


@register("cpp", devices=("cpu",), supports=_supports, unavailable=_unavailable)
def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    *,
    activation: str = "none",
) -> Tensor:
    """Normalize x (N, C, ...), float32, float16 or bfloat16; raise `build.BuildError` if it cannot be built."""
    return _operator()(x, num_groups, weight, bias, eps, _ACTIVATION[activation])
