"""The row ``cuda``: our CUDA C++, compiled at run time and launched on torch's current stream.

``group_norm.cu`` has the forward kernels, ``build`` compiles them, ``launch`` plans and ``forward`` launches them;
``backward.cu``, ``backward_build``, ``backward_plan`` and ``backward`` are the same for the gradients. The row is here.
"""

# ruff: noqa: PLR0917 (operators have the arguments of their schema)
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from .. import operators
from ..table import ProblemLike, register
from . import backward_build, backward_plan, build, launch, nvrtc
from .backward import group_norm_backward
from .device import TYPICAL
from .forward import normalize


def _unavailable() -> str | None:
    if find_spec("cuda") is None or find_spec("cuda.core") is None:
        return "cuda-core is not installed: pip install 'groupnorm-bench[cuda]'"
    return None if torch.cuda.is_available() else "no CUDA device"


def _supports(problem: ProblemLike) -> str | None:
    if not problem.affine or problem.weight_dtype in (problem.dtype, "float32"):
        return None
    return f"weights of {problem.weight_dtype} beside {problem.dtype}: only its own type or float32"


def inspect(arch: str) -> dict[str, nvrtc.Resources]:
    """Give each kernel's registers, spills and shared memory on ``arch``, as ``sm_90``; needs no GPU.

    Shared memory is what a kernel has by itself: what a launch asks for besides is in its plan.
    """
    import_module("cuda.core")  # two threads that import it at once find it half made
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NVRTC lets go of the interpreter: on two cores 7 s, not 14
        forward = list(pool.map(partial(build.compile_for, arch), build.variants()))
        backward = list(pool.map(partial(backward_build.compile_for, arch), backward_build.widest()))
    named: list[tuple[str, Any, nvrtc.Built]] = [("", *one) for one in zip(build.variants(), forward, strict=True)]
    named += [("backward/", *one) for one in zip(backward_build.widest(), backward, strict=True)]
    return {
        f"{kind}{variant}/{kernel}": resources
        for kind, variant, built in named
        for kernel, resources in built.resources.items()
    }


def launches(problem: ProblemLike, arch: str) -> tuple[str, ...]:
    """Name what a call launches on a GPU of ``arch``, in order; a memory that is set to zero counts as a launch.

    Raises
    ------
    KeyError
        No GPU of that architecture is known.
    """
    positions = problem.H * problem.W
    shape: dict[str, Any] = {
        "N": problem.N,
        "C": problem.C,
        "G": problem.G,
        "positions": positions,
        "channels_last": problem.layout == "channels_last" and positions > 1,
        "itemsize": getattr(torch, problem.dtype).itemsize,
    }
    if problem.direction == "backward":
        chosen = backward_plan.plan(**shape, needs_parameters=problem.affine)
        return tuple(one.kernel for one in chosen.launches)
    forward = launch.plan(**shape, device=TYPICAL[arch])
    return (*("zeros" for _ in range(forward.counters > 0)), *(one.kernel for one in forward.launches))


def _forward(
    x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, activation: int
) -> Tensor:
    return normalize(x, num_groups, weight, bias, eps, activation, None)


def _training(
    x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, activation: int
) -> tuple[Tensor, Tensor]:
    statistics = x.new_empty((x.shape[0], num_groups, 3), dtype=torch.float32)
    return normalize(x, num_groups, weight, bias, eps, activation, statistics), statistics


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


@register(
    "cuda",
    devices=("cuda",),
    differentiable=True,
    supports=_supports,
    unavailable=_unavailable,
    inspect=inspect,
    launches=launches,
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
    """Normalize x (N, C, ...), float32, float16 or bfloat16; raise `nvrtc.BuildError` if it cannot be compiled."""
    if torch.compiler.is_compiling():
        return operators.compiled("cuda", x, num_groups, weight, bias, eps, activation)
    return _operators(x, num_groups, weight, bias, eps, activation)
