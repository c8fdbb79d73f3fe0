"""Plugins whose ratio is known exactly: the reference's own call, twenty times, twenty times, twenty-one times.

    gnbench run --plugin docs/measurements/units.py --impl same,more --reference base

Real memory-bound work, and the true speed-up of ``same`` is 1, that of ``more`` 20 / 21.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F  # noqa: N812 - the name every torch user knows it by
from torch import Tensor

from kernels import register

UNITS = {"base": 20, "same": 20, "more": 21}


def times(units: int) -> Callable[..., Tensor]:
    """Make a kernel that computes its answer so many times."""

    def group_norm(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        for _ in range(units - 1):
            F.group_norm(x, num_groups, weight, bias, eps)
        return F.group_norm(x, num_groups, weight, bias, eps)

    return group_norm


FUNCTIONS = {name: register(name, devices=("cpu",))(times(units)) for name, units in UNITS.items()}
