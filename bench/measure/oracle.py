"""The truth: GroupNorm in float64, two passes over contiguous data.

torch's own in float64 will not do: on channels_last it computes E[x²] − E[x]² and is off by 7e-5 at mean 1e3,
spread 1e-2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.measure.inputs import Inputs
from bench.plan.problem import Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class _Forward:
    normalised: Tensor  # (N, C, H, W)
    rstd: Tensor  # (N, G, 1)
    preactivation: Tensor  # (N, C, H, W)


def truth(problem: Problem, inputs: Inputs) -> tuple[Tensor, ...]:
    """Compute what a call should return, float64, contiguous.

    Returns
    -------
    tuple of Tensor
        (y,) of shape (N, C, H, W); going backward (dx, dweight, dbias) of shapes (N, C, H, W), (C,), (C,), without
        the last two where the problem is not affine.
    """
    forward = _forward(problem, inputs)
    if problem.direction == "backward":
        return _backward(problem, inputs, forward)
    return (_activate(forward.preactivation, problem.activation),)


def without_doubtful_signs(problem: Problem, inputs: Inputs) -> Inputs:
    """Zero dy where ReLU's side cannot be told in the problem's dtype.

    There the gradient is either dy or 0, depending on a rounding that no implementation owes to the oracle.
    """
    if inputs.dy is None or problem.activation != "relu":
        return inputs
    doubtful = _forward(problem, inputs).preactivation.abs() < 1e-3
    return Inputs(x=inputs.x, weight=inputs.weight, bias=inputs.bias, dy=inputs.dy.masked_fill(doubtful, 0))


def _by_group(problem: Problem, tensor: Tensor) -> Tensor:
    return tensor.reshape(problem.N, problem.G, problem.group_elements)


def _by_channel(parameter: Tensor) -> Tensor:
    return parameter.double().view(1, -1, 1, 1)


def _forward(problem: Problem, inputs: Inputs) -> _Forward:
    x = inputs.x.double().contiguous()
    grouped = _by_group(problem, x)
    centred = grouped - grouped.mean(-1, keepdim=True)
    rstd = (centred.square().mean(-1, keepdim=True) + problem.eps).rsqrt()
    normalised = (centred * rstd).view_as(x)
    preactivation = normalised
    if inputs.weight is not None and inputs.bias is not None:
        preactivation = normalised * _by_channel(inputs.weight) + _by_channel(inputs.bias)
    return _Forward(normalised=normalised, rstd=rstd, preactivation=preactivation)


def _activate(z: Tensor, activation: str) -> Tensor:
    if activation == "silu":
        return z * torch.sigmoid(z)
    return z.clamp(min=0) if activation == "relu" else z


def _activation_slope(z: Tensor, activation: str) -> Tensor:
    if activation == "silu":
        s = torch.sigmoid(z)
        return s * (1 + z * (1 - s))
    return (z > 0).double() if activation == "relu" else torch.ones_like(z)


def _backward(problem: Problem, inputs: Inputs, forward: _Forward) -> tuple[Tensor, ...]:
    """Differentiate by Wu & He (2018), section 3: dx = rstd · (g − mean(g) − x̂ · mean(g · x̂)), g = dz · weight."""
    if inputs.dy is None:
        raise ValueError("a backward problem's inputs have a dy")
    dz = inputs.dy.double().contiguous() * _activation_slope(forward.preactivation, problem.activation)
    weighted = dz if inputs.weight is None else dz * _by_channel(inputs.weight)
    g, normalised = _by_group(problem, weighted), _by_group(problem, forward.normalised)
    dx = forward.rstd * (g - g.mean(-1, keepdim=True) - normalised * (g * normalised).mean(-1, keepdim=True))
    dx = dx.view_as(dz)
    if inputs.weight is None:
        return (dx,)
    return dx, (dz * forward.normalised).sum((0, 2, 3)), dz.sum((0, 2, 3))
