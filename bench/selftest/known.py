"""Plugin file: kernels whose time, memory or error is known (see ``truths``); workers load it, the driver never."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from bench.selftest import truths
from kernels import register

Kernel = Callable[[Tensor, int, Tensor | None, Tensor | None, float], Tensor]


def _repeating(units: int) -> Kernel:
    def group_norm(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        # Each output is dropped before the next is made, so that every unit writes to the same memory.
        for _ in range(units - 1):
            functional.group_norm(x, num_groups, weight, bias, eps)
        return functional.group_norm(x, num_groups, weight, bias, eps)

    return group_norm


def _waiting(wait_ns: int) -> Kernel:
    def group_norm(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        end = time.perf_counter_ns() + wait_ns
        y = functional.group_norm(x, num_groups, weight, bias, eps)
        while time.perf_counter_ns() < end:
            pass
        return y

    return group_norm


def _taking(extra_bytes: int) -> Kernel:
    def group_norm(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        # As large as the output and the extra together, and gone before the output is made: the worst moment is here.
        held = torch.empty(x.nbytes + extra_bytes, dtype=torch.uint8).fill_(1)
        del held
        return functional.group_norm(x, num_groups, weight, bias, eps)

    return group_norm


def _off(ulp: int) -> Kernel:
    def group_norm(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        exact = _in_float64(x, num_groups, weight, bias, eps)
        flat = exact.view(-1)
        at = flat.abs().argmax()
        value = flat[at].item()
        step = torch.finfo(x.dtype).eps * 2.0 ** (math.frexp(abs(value))[1] - 1)
        # Towards zero: above the next power of two the neighbours would be twice as far apart.
        flat[at] = value - math.copysign(ulp * step, value)
        return exact.to(x.dtype)

    return group_norm


def _in_float64(x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Mean first, then the squares about it: as exact as the oracle, on which the known error stands."""
    groups = x.double().reshape(x.shape[0], num_groups, -1)
    centred = groups - groups.mean(-1, keepdim=True)
    y = (centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()).reshape(x.shape)
    a_channel = (1, -1, *[1] * (x.dim() - 2))
    if weight is not None:
        y = y * weight.double().view(a_channel)
    return (y if bias is None else y + bias.double().view(a_channel)).contiguous()


for _one in (truths.REFERENCE, *truths.PAIRS):
    register(_one.name, devices=("cpu",), dtypes=("float32",))(_repeating(_one.units))
for _wait in truths.WAITS:
    register(_wait.name, devices=("cpu",), dtypes=("float32",))(_waiting(round(_wait.seconds * 1e9)))
for _take in truths.TAKINGS:
    register(_take.name, devices=("cpu",), dtypes=("float32",))(_taking(_take.extra_bytes))
for _error in truths.OFFS:
    register(_error.name, devices=("cpu",), dtypes=("float32",), layouts=("contiguous",))(_off(_error.ulp))
