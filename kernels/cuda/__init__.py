"""The row ``cuda``: our CUDA C++, compiled at run time and launched on torch's current stream.

``group_norm.cu`` is the kernel, ``build`` compiles it, ``launch`` gives shapes their grid; the row is here.
"""

from __future__ import annotations

import ctypes
import functools
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from ..layout import strides
from ..table import ProblemLike, register
from . import build, launch


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


@register("cuda", devices=("cuda",), supports=_supports, unavailable=_unavailable, inspect=inspect)
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
        kernel = _kernel(x.get_device(), x.dtype, _parameter_dtype(C, weight, bias), activation)
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
        )
    return y
