"""Two plugins whose true speed-ups are known: the reference's own code, and the same work done twice.

gnbench run --plugin docs/measurements/same_and_double.py --impl same,double --seed 1
"""

from __future__ import annotations

from torch import Tensor

from kernels import register
from kernels.native import group_norm


@register("same", devices=("cpu", "cuda"))
def same(
    x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, *, activation: str = "none"
) -> Tensor:
    """Do what the reference does, through one more Python call."""
    return group_norm(x, num_groups, weight, bias, eps, activation=activation)


@register("double", devices=("cpu", "cuda"))
def double(
    x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, *, activation: str = "none"
) -> Tensor:
    """Do it twice."""
    group_norm(x, num_groups, weight, bias, eps, activation=activation)
    return group_norm(x, num_groups, weight, bias, eps, activation=activation)
