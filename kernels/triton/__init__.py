"""The row ``triton``: our Triton kernels, launched on CUDA and interpreted where there is none.

``plan`` decides which tiles and how many programs, ``tuning`` which of its choices is fastest here; ``launch`` does
it, with the kernels of ``forward`` and ``backward`` (both made of ``tiles``), which are imported at the first call.
``machine`` compiles them without a GPU and reads what they take. The row and its operators are here.
"""

# ruff: noqa: PLR0917 (the operators' schema)
from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from .. import operators
from ..table import ProblemLike, register
from . import launch, machine
from .way import INTERPRETED

# At 4 ms and more a program: 8,192 of them took over a minute for one check.
_MOST_INTERPRETED = 512


def _unavailable() -> str | None:
    return None if find_spec("triton") else "triton is not installed: pip install 'groupnorm-bench[triton]'"


def _untimed(_: ProblemLike) -> str | None:
    return "run through Triton's interpreter: checked, not timed" if INTERPRETED else None


def _supports(problem: ProblemLike) -> str | None:
    if problem.affine and problem.weight_dtype not in (problem.dtype, "float32"):
        return f"weights of {problem.weight_dtype} beside {problem.dtype}: only its own type or float32"
    if not INTERPRETED:
        return (
            "compiled for the GPU in this process: TRITON_INTERPRET=1 runs it here" if problem.device == "cpu" else None
        )
    programs = launch.interpreted_programs(problem)
    if programs <= _MOST_INTERPRETED:
        return None
    return f"interpreted here, and {programs:,} programs one after the other would take too long to check"


def _training(
    x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, activation: int
) -> tuple[Tensor, Tensor]:
    statistics = x.new_empty((x.shape[0], num_groups, 3), dtype=torch.float32)
    if x.numel() == 0:
        statistics.fill_(float("nan"))
    return launch.forward(x, num_groups, weight, bias, eps, activation, statistics), statistics


def _forward(
    x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, activation: int
) -> Tensor:
    return launch.forward(x, num_groups, weight, bias, eps, activation)


def _backward(
    dy: Tensor,
    x: Tensor,
    statistics: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    activation: int,
    need_dx: bool,
    need_dweight: bool,
    need_dbias: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    return launch.backward(dy, x, statistics, num_groups, weight, bias, activation, need_dx, need_dweight, need_dbias)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "group_norm": _forward,
    "group_norm_training": _training,
    "group_norm_backward": _backward,
}
_OPERATORS = operators.define("triton", {"CPU": _FUNCTIONS, "CUDA": _FUNCTIONS})


@register(
    "triton",
    devices=("cpu", "cuda"),
    differentiable=True,
    supports=_supports,
    unavailable=_unavailable,
    untimed=_untimed,
    inspect=machine.inspect,
    launches=machine.launched,
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
    """Normalize x (N, C, ...), float32, float16 or bfloat16, with weight and bias of its type or float32."""
    if torch.compiler.is_compiling():
        return operators.compiled("triton", x, num_groups, weight, bias, eps, activation)
    return _OPERATORS(x, num_groups, weight, bias, eps, activation)
