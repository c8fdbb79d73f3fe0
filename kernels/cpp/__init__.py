"""The row ``cpp``: our C++ for the CPU, three operators on torch's stable ABI.

``build`` makes a library at the first call, for the instruction set of this CPU. ``operators.cpp`` holds the operators,
which know torch, and ``autograd.cpp`` their gradient. ``forward.cpp`` and ``backward.cpp`` are the kernels, which know
no torch: ``vector.h`` loads, stores and converts; ``statistics.h`` and ``rows.h`` give the moments of a group,
contiguous and channels_last; ``contiguous.h`` and ``channels_last.h`` normalize, by ``apply.h``; ``share.h`` says who
does what.
"""

from __future__ import annotations

import functools
import os

import torch
from torch import Tensor

from .. import operators
from ..table import NAMESPACE, ProblemLike, register
from . import build


def _unavailable() -> str | None:
    named = os.environ.get("GNBENCH_CPP_ISA")
    if named and named not in build.levels():
        return f"GNBENCH_CPP_ISA={named}: set it to {', '.join(build.levels())}, or not at all"
    return None if build.compiler() else "no C++ compiler: set CXX, or put g++ or clang++ on PATH"


def _supports(problem: ProblemLike) -> str | None:
    if not problem.affine or problem.weight_dtype in (problem.dtype, "float32"):
        return None
    return f"weights of {problem.weight_dtype} beside {problem.dtype}: only its own type or float32"


@functools.cache
def _operators() -> operators.Operators:
    torch.ops.load_library(str(build.build(NAMESPACE)))  # type: ignore[no-untyped-call] # torch leaves it so
    return operators.complete("cpp", has_autograd=True)


def _are_loaded() -> bool:
    """Load the library while torch.compile traces a call, which cannot follow that itself."""
    _operators()
    return True


# All that torch.compiler.assume_constant_result does besides importing torch._dynamo: 0.8 s of every worker's start.
_are_loaded._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001


@register("cpp", devices=("cpu",), differentiable=True, supports=_supports, unavailable=_unavailable)
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
    if torch.compiler.is_compiling():
        _are_loaded()
        return operators.compiled("cpp", x, num_groups, weight, bias, eps, activation)
    return _operators()(x, num_groups, weight, bias, eps, activation)
