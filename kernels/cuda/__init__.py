"""The row ``cuda``: our CUDA C++, compiled at run time and launched on torch's current stream.

``group_norm.cu`` is the forward kernel, ``build`` compiles it, ``launch`` gives shapes their grid; ``backward.cu``,
``backward_build`` and ``backward_plan`` are the same for the gradients, which ``backward`` launches. The row is here.
"""

# ruff: noqa: PLR0917 (operators have the arguments of their schema)
from __future__ import annotations

import ctypes
import functools
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from .. import operators
from ..layout import strides
from ..table import ACTIVATIONS, ProblemLike, register
from . import backward_build, build, launch
from .backward import group_norm_backward


def _unavailable() -> str | None:
    if find_spec("cuda") is None or find_spec("cuda.core") is None:
        return "cuda-core is not installed: pip install 'groupnorm-bench[cuda]'"
    return None if torch.cuda.is_available() else "no CUDA device"


def _supports(problem: ProblemLike) -> str | None:
    if not problem.affine or problem.weight_dtype in (problem.dtype, "float32"):
        return None
    return f"weights of {problem.weight_dtype} beside {problem.dtype}: only its own type or float32"


def inspect(arch: str) -> dict[str, build.Resources]:
    """Give each variant's registers, spills and shared memory on ``arch``, as ``sm_90``; needs no GPU."""
    return {
        "/".join((dtype, weight_dtype, activation)): build.compile_for(
            arch, dtype=dtype, weight_dtype=weight_dtype, activation=activation
        ).resources
        for dtype, weight_dtype, activation in build.variants()
    } | {
        f"backward/{variant}/{kernel}": resources
        for variant in backward_build.widest()
        for kernel, resources in backward_build.compile_for(arch, variant).resources.items()
    }


@functools.cache
def _kernel(device: int, dtype: torch.dtype, weight_dtype: torch.dtype, activation: str) -> Any:
    """Load one variant into a device's context, which torch has made current."""
    from cuda.core import Device, ObjectCode  # noqa: PLC0415 (cuda-core is an extra)

    # cuda-core keeps a current device of its own; the primary context behind it is torch's.
    Device(device).set_current()
    major, minor = torch.cuda.get_device_capability(device)
    x, weight = (str(t).removeprefix("torch.") for t in (dtype, weight_dtype))
    built = build.compile_for(f"sm_{major}{minor}", dtype=x, weight_dtype=weight, activation=activation)
    return ObjectCode.from_cubin(built.cubin.read_bytes(), name=build.KERNEL).get_kernel(build.KERNEL)


def _parameter_dtype(C: int, weight: Tensor | None, bias: Tensor | None) -> torch.dtype:
    given = [parameter for parameter in (weight, bias) if parameter is not None]
    if any(parameter.shape != (C,) or not parameter.is_contiguous() for parameter in given):
        raise ValueError(f"weight and bias: {C} contiguous values are wanted")
    if len({parameter.dtype for parameter in given}) > 1:
        raise ValueError("weight and bias: one type is wanted")
    return given[0].dtype if given else torch.float32


def _normalize(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    activation: int,
    statistics: Tensor | None,
) -> Tensor:
    """Launch the forward kernel on x, dense, and on the statistics' memory if they are wanted."""
    from cuda.core import LaunchConfig  # noqa: PLC0415 (cuda-core is an extra)
    from cuda.core import launch as enqueue  # noqa: PLC0415

    lie = strides(x)
    y = torch.empty_like(x)
    if x.numel() == 0:
        return y
    N, C = x.shape[:2]
    channels_last = lie.p != 1
    plan = launch.plan(N=N, C=C, G=num_groups, positions=lie.positions, channels_last=channels_last)
    with torch.cuda.device(x.device):
        kernel = _kernel(x.get_device(), x.dtype, _parameter_dtype(C, weight, bias), ACTIVATIONS[activation])
        enqueue(
            torch.cuda.current_stream(),
            LaunchConfig(grid=plan.grid, block=plan.block),
            kernel,
            x.data_ptr(),
            y.data_ptr(),
            0 if weight is None else weight.data_ptr(),
            0 if bias is None else bias.data_ptr(),
            *map(ctypes.c_int64, (num_groups, C // num_groups, lie.n, lie.c, plan.outer, plan.inner, plan.stride)),
            ctypes.c_int(channels_last),
            ctypes.c_double(eps),
            0 if statistics is None else statistics.data_ptr(),
        )
    return y


def _forward(
    x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, activation: int
) -> Tensor:
    return _normalize(x, num_groups, weight, bias, eps, activation, None)


def _training(
    x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, activation: int
) -> tuple[Tensor, Tensor]:
    statistics = x.new_empty((x.shape[0], num_groups, 3), dtype=torch.float32)
    return _normalize(x, num_groups, weight, bias, eps, activation, statistics), statistics


_operators = operators.define(
    "cuda",
    {
        "CUDA": {
            "group_norm": _forward,
            "group_norm_training": _training,
            "group_norm_backward": group_norm_backward,
        }
    },
)


@register("cuda", devices=("cuda",), supports=_supports, unavailable=_unavailable, inspect=inspect, differentiable=True)
def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    *,
    activation: str = "none",
) -> Tensor:
    """Normalize x (N, C, ...), float32, float16 or bfloat16; raise `build.BuildError` if it cannot be compiled."""
    if torch.compiler.is_compiling():
        return operators.compiled("cuda", x, num_groups, weight, bias, eps, activation)
    return _operators(x, num_groups, weight, bias, eps, activation)
