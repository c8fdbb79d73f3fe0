"""An implementation bound to its tensors: a call without arguments, as a device times it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch user knows it by
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from bench.devices.base import Call
from bench.measure.inputs import Inputs
from bench.plan.problem import Problem
from kernels.table import Implementation

Kernel = Callable[..., Tensor]
"""``group_norm(x, num_groups, weight, bias, eps, *, activation="none")``, as the plugin table has it."""


@dataclass(frozen=True, slots=True)
class Gradient:
    """A kernel's own backward pass, for one that autograd does not go through.

    ``call(dy, x, num_groups, weight, bias, eps, *, activation="none")`` gives (dx, dweight, dbias).
    """

    call: Callable[..., tuple[Tensor | None, ...]]


def kernel_of(row: Implementation, problem: Problem) -> Kernel | Gradient:
    """Give what of a row computes a problem: its own backward pass where it has one, else its call, made anew."""
    assert row.call is not None
    if problem.direction == "backward" and row.backward is not None:
        return Gradient(row.backward)
    return row.anew() if row.anew is not None else row.call


def bind(kernel: Kernel | Gradient, problem: Problem, inputs: Inputs) -> Call:
    """Bind a kernel to its inputs in the problem's direction.

    Returns
    -------
    Call
        forward and training_forward: gives y. backward: gives the gradients of x, weight and bias, and
        nothing but the gradient's call is in it (the forward pass happens here, once).
    """
    if isinstance(kernel, Gradient):
        given = (inputs.dy, inputs.x, problem.G, inputs.weight, inputs.bias, problem.eps)
        gradients = partial(kernel.call, *given, **_options(kernel.call, problem))
        # Without weight and bias their gradients are None, and what is checked is dx alone.
        return gradients if problem.affine else lambda: gradients()[:1]
    if problem.direction == "forward":
        return partial(
            kernel, inputs.x, problem.G, inputs.weight, inputs.bias, problem.eps, **_options(kernel, problem)
        )
    # Of .data, not of detach(): a version counter of their own, so that no row's write voids another one's graph.
    leaves = [tensor.data.requires_grad_() for tensor in (inputs.x, inputs.weight, inputs.bias) if tensor is not None]
    weight, bias = leaves[1:] if problem.affine else (None, None)
    forward = partial(kernel, leaves[0], problem.G, weight, bias, problem.eps, **_options(kernel, problem))
    if problem.direction == "training_forward":
        return forward
    return partial(torch.autograd.grad, forward(), leaves, inputs.dy, retain_graph=True)


def _options(kernel: Callable[..., Any], problem: Problem) -> dict[str, Any]:
    """Leave ``activation`` out for a kernel that has none; the table lets it have no problem with one."""
    return {"activation": problem.activation} if "activation" in inspect.signature(kernel).parameters else {}


def native(
    x: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, *, activation: str
) -> Tensor:
    """Call torch's own GroupNorm: the yardstick of the tolerance, whatever the plugin table holds."""
    y = F.group_norm(x, num_groups, weight, bias, eps)
    if activation == "silu":
        return F.silu(y)
    return F.relu(y) if activation == "relu" else y


def copying(inputs: Inputs) -> Call:
    """Move the problem's bytes and nothing else, into memory that exists: x to y; backward, x and dy to dx."""
    target = torch.empty_like(inputs.x)
    if inputs.dy is not None:
        return partial(torch.add, inputs.x, inputs.dy, out=target)
    return partial(target.copy_, inputs.x)


def cloning(inputs: Inputs) -> Call:
    """Move the same bytes into memory that the call allocates."""
    if inputs.dy is not None:
        return partial(torch.add, inputs.x, inputs.dy)
    return inputs.x.clone


def saved_bytes(call: Call, given: Sequence[Inputs] = ()) -> int:
    """Add up what one training forward keeps for the backward pass, each storage once.

    Of ``given`` only the tensors' own bytes count: what they were placed behind in their memory is the harness's.
    """
    inputs = [tensor for one in given for tensor in one.tensors()]
    own = {tensor.untyped_storage().data_ptr(): tensor.nbytes for tensor in inputs if tensor is not None}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = own.get(storage.data_ptr(), storage.nbytes())
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = call()
    del output
    return sum(kept.values())
