"""Plugin file: kernels that are not what they seem (see ``truths.LIARS``); each must be caught."""

# ruff: noqa: ARG001 (a liar takes what a kernel is given, and leaves it)
from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor
from torch.nn import functional

from kernels import register

# A worker is one visit's: what a liar remembers ends with it.
_calls: Counter[str] = Counter()
_answers: dict[int, Tensor] = {}

_CHECKED_CALLS = 2
"""A check calls once on each of two sets of inputs; a liar behaves until then."""


def _is_timed(name: str) -> bool:
    _calls[name] += 1
    return _calls[name] > _CHECKED_CALLS


@register("does-nothing", devices=("cpu",))
def does_nothing(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Return zeros."""
    return torch.zeros_like(x)


@register("hands-back", devices=("cpu",))
def hands_back(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Return the input."""
    return x


@register("errs-when-timed", devices=("cpu",))
def errs_when_timed(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Be right when checked only."""
    y = functional.group_norm(x, num_groups, weight, bias, eps)
    return y + 1e-3 if _is_timed("errs-when-timed") else y


@register("scribbles", devices=("cpu",))
def scribbles(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Change one value of the input once it is timed."""
    y = functional.group_norm(x, num_groups, weight, bias, eps)
    if _is_timed("scribbles"):
        x[0, 0, 0, 0] += 1
    return y


@register("replays-by-pointer", devices=("cpu",))
def replays_by_pointer(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Work once for each address, then hand the same answer out again."""
    if x.data_ptr() not in _answers:
        _answers[x.data_ptr()] = functional.group_norm(x, num_groups, weight, bias, eps)
    return _answers[x.data_ptr()]


@register("retypes-everything", devices=("cpu",))
def retypes_everything(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Change what every row shares."""
    y = functional.group_norm(x, num_groups, weight, bias, eps)
    if _is_timed("retypes-everything"):
        torch.set_default_dtype(torch.float64)
    return y
