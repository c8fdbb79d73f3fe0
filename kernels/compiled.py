"""The row ``compiled``: the textbook's form through ``torch.compile``, compiled anew for each problem.

Not ``F.group_norm``: inductor's CPU backend keeps that as a call of native's own kernel.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable
from types import FunctionType

import torch
from torch import Tensor

from . import naive
from .table import register

# Inductor's worker processes would outlive the compilation and disturb what is measured after it.
_OPTIONS: dict[str, str | int | bool | Callable[..., object]] = {"compile_threads": 1}


def _unavailable() -> str | None:
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if torch.cuda.is_available() or shutil.which(compiler):
        return None
    return f"torch.compile needs a C++ compiler on the CPU: {compiler} is not on PATH (set CXX)"


def compile_anew(backend: str | Callable[..., object] = "inductor") -> Callable[..., Tensor]:
    """Compile naive's function as if never compiled before.

    Dynamo counts compilations by code object, and after 8 of one it would run it uncompiled: ``compiled``
    would then mean ``naive``. So each gets a code object of its own, and ``fullgraph`` makes the limit an error.
    """
    code = naive.group_norm.__code__
    fresh = FunctionType(code.replace(), vars(naive), code.co_name)
    fresh.__kwdefaults__ = naive.group_norm.__kwdefaults__
    options = _OPTIONS if backend == "inductor" else None
    return torch.compile(fresh, backend=backend, options=options, dynamic=False, fullgraph=True)


@functools.cache
def _for_problem(*key: object) -> Callable[..., Tensor]:  # noqa: ARG001 (the cache reads it)
    return compile_anew()


def _form(tensor: Tensor | None) -> tuple[object, ...] | None:
    """Give what the compiled code depends on."""
    if tensor is None:
        return None
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device, tensor.requires_grad


@register(
    "compiled",
    devices=("cpu", "cuda"),
    dtypes=("float32", "float16", "bfloat16", "float64"),
    differentiable=True,
    unavailable=_unavailable,
    anew=compile_anew,
    slow_start=True,
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
    """Normalize x (N, C, ...) by code compiled for these very sizes, types and number of threads.

    Finding that code costs 2 us a call; a benchmark calls ``compile_anew`` for each problem and has none to find.
    """
    compiled = _for_problem(
        _form(x),
        _form(weight),
        _form(bias),
        num_groups,
        eps,
        activation,
        torch.is_grad_enabled(),
        torch.get_num_threads(),
    )
    return compiled(x, num_groups, weight, bias, eps, activation=activation)
