"""A case and a seed to tensors, the same for every row and device."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from bench.check.case import Case
from bench.measure.inputs import Inputs

_Fill = Callable[[Tensor, torch.dtype], Tensor]
"""Numbers of N(0, 1), (N, G, elements), float64, and x's type to x's contents in the same form."""
_PATTERN = (1 << 22) + 1
"""Numbers drawn for a tensor that is judged in parts; repeated, at an odd period, so no two groups are alike."""


def _outlier(z: Tensor, _: torch.dtype) -> Tensor:
    z[..., z.shape[-1] // 3] = 1e4
    return z


def _halves(z: Tensor, _: torch.dtype) -> Tensor:
    z[...] = 1000.0
    z[..., z.shape[-1] // 2 :] = 1001.0
    return z


def _near_limit(z: Tensor, dtype: torch.dtype) -> Tensor:
    most = min(1e38, 0.95 * torch.finfo(dtype).max)
    z = (z * (most / 3)).clamp(-most, most)
    z[..., 0] = most
    return z


def _mean_near_limit(z: Tensor, dtype: torch.dtype) -> Tensor:
    return (1 + z * 2e-2) * min(1e38, 0.6 * torch.finfo(dtype).max)


def _constant(z: Tensor, _: torch.dtype) -> Tensor:
    return (z[..., :1] * 10 + 3.7).expand_as(z).clone()


def _one(value: float) -> _Fill:
    def fill(z: Tensor, _: torch.dtype) -> Tensor:
        z[0, z.shape[1] // 2, z.shape[2] // 2] = value
        return z

    return fill


_FILL: Mapping[str, _Fill] = MappingProxyType(
    {
        "normal": lambda z, _: z,
        "mean 1e4": lambda z, _: z + 1e4,
        "mean 1e3 spread 1e-2": lambda z, _: z * 1e-2 + 1e3,
        "mean 200": lambda z, _: z + 200,
        "near-constant": lambda z, _: z * 1e-6 + 5,
        "halves": _halves,
        "outlier": _outlier,
        "near the limit": _near_limit,
        "mean near the limit": _mean_near_limit,
        "scale 1e30": lambda z, _: z * 1e30,
        "subnormal": lambda z, _: z * 2e-39,
        "subnormal y": lambda z, _: z,
        "constant": _constant,
        "NaN": _one(math.nan),
        "infinity": _one(math.inf),
        "-infinity": _one(-math.inf),
    }
)


def memory_format(case: Case) -> torch.memory_format:
    """Give the memory format that x is to have."""
    if case.layout == "contiguous":
        return torch.contiguous_format
    return torch.channels_last_3d if len(case.shape) == 5 else torch.channels_last


def make(case: Case, seed: int, device: str) -> Inputs:
    """Draw a case's tensors.

    Returns
    -------
    Inputs
        x and dy of the case's shape, layout and type, x dense; weight and bias of shape (C,), or None; dy drawn from
        N(0, 1) where the case goes backward, else None.
    """
    generator = torch.Generator().manual_seed(seed)
    C = case.shape[1]
    spread, mean = (0.1, 1.0) if case.content != "subnormal y" else (1e-6, 1e-5)

    def parameter(name: str, *, spread: float, mean: float) -> Tensor | None:
        drawn = torch.randn(C, generator=generator) * spread + mean
        is_given = case.affine in {"both", name}
        return drawn.to(dtype=getattr(torch, case.weight_dtype), device=device) if is_given else None

    weight = parameter("weight", spread=spread, mean=mean)
    bias = parameter("bias", spread=0.1, mean=0.0)
    return Inputs(
        x=_laid(case, _contents(case, generator), device),
        weight=weight,
        bias=bias,
        dy=_laid(case, _normal(case, generator), device) if case.direction == "backward" else None,
    )


def _normal(case: Case, generator: torch.Generator) -> Tensor:
    elements = math.prod(case.shape)
    if case.groups_judged is None:
        return torch.randn(case.shape, generator=generator)
    pattern = torch.randn(_PATTERN, generator=generator).to(getattr(torch, case.dtype))
    return pattern.repeat(-(-elements // _PATTERN))[:elements].view(case.shape)


def _contents(case: Case, generator: torch.Generator) -> Tensor:
    drawn = _normal(case, generator)
    if case.content == "normal" or not drawn.numel():
        return drawn
    grouped = drawn.double().view(case.shape[0], case.G, -1)
    return _FILL[case.content](grouped, getattr(torch, case.dtype)).view(case.shape)


def _laid(case: Case, values: Tensor, device: str) -> Tensor:
    return values.to(dtype=getattr(torch, case.dtype), device=device).contiguous(memory_format=memory_format(case))


def placed(case: Case, inputs: Inputs, placement: random.Random) -> Inputs:
    """Copy to memory of its own, x with the strides that the case asks for."""
    copied = inputs.copy(placement)
    if case.memory == "dense" or not inputs.x.numel():
        return copied
    if case.memory == "offset":
        memory = torch.empty(inputs.x.numel() + 1, dtype=inputs.x.dtype, device=inputs.x.device)
        x = memory[1:].view(case.shape)
    else:
        x = torch.empty((*case.shape[:-1], 2 * case.shape[-1]), dtype=inputs.x.dtype, device=inputs.x.device)[..., ::2]
    return Inputs(x=x.copy_(inputs.x), weight=copied.weight, bias=copied.bias, dy=copied.dy)
