"""A row's call as a case asks for it: forward, or forward and backward for the gradients wanted."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.check.case import GRADIENTS, Case
from bench.measure.inputs import Inputs
from kernels.table import Implementation

_Forward = Callable[[Tensor, Tensor | None, Tensor | None], Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Called:
    """What a call gave, in the order of the truths: y, then the gradients wanted."""

    outputs: tuple[object, ...]
    left_grad_mode: bool
    """It left autograd on or off, other than it was."""


def not_for(row: Implementation, case: Case, device: str) -> str | None:
    """Say why a case does not apply to a row, or None."""
    if (refusal := row.refusal(replace(case.problem, device=device))) is not None:
        return refusal.reason
    if case.act == "threads" and device != "cpu":
        return "threads are the CPU's"
    if case.direction == "backward" and row.backward is not None:
        if case.wants != GRADIENTS:
            return "its backward= gives all gradients at once"
        if case.act in {"compile", "autocast"}:
            return "its backward= is no part of autograd"
    return None


def call(row: Implementation, case: Case, inputs: Inputs) -> Called:
    """Call a row, once; compiled or under autocast where the case says so."""
    assert row.call is not None
    options = _options(row.call, case)

    def forward(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        assert row.call is not None
        given: Tensor = row.call(x, case.G, weight, bias, case.eps, **options)
        return given

    function: _Forward = forward
    if case.act == "compile":
        function = torch.compile(forward, fullgraph=True, dynamic=False)
    autocast = torch.autocast(inputs.x.device.type, torch.bfloat16) if case.act == "autocast" else nullcontext()
    is_training = case.direction == "backward" and row.backward is None
    with torch.set_grad_enabled(is_training), autocast:
        if is_training:
            outputs = _through_autograd(function, case, inputs)
        else:
            outputs = (function(inputs.x, inputs.weight, inputs.bias),)
            if case.direction == "backward":
                outputs += _by_itself(row, case, inputs)
        left = torch.is_grad_enabled() != is_training
    return Called(outputs=outputs, left_grad_mode=left)


def _options(function: Callable[..., Any], case: Case) -> dict[str, Any]:
    return {"activation": case.activation} if "activation" in inspect.signature(function).parameters else {}


def _through_autograd(forward: _Forward, case: Case, inputs: Inputs) -> tuple[object, ...]:
    given = {"x": inputs.x, "weight": inputs.weight, "bias": inputs.bias}
    # Of .data: a row that keeps its inputs must not keep another call's graph.
    leaves = {
        name: tensor.data.requires_grad_()
        for name, tensor in given.items()
        if tensor is not None and name in case.wants
    }
    y: object = forward(*[leaves.get(name, tensor) for name, tensor in given.items()])  # type: ignore[arg-type]
    if not isinstance(y, Tensor):  # whatever a plugin's annotation says
        return (y,)
    assert inputs.dy is not None
    dy = inputs.dy if inputs.dy.dtype == y.dtype or y.shape != inputs.dy.shape else inputs.dy.to(y.dtype)
    return (y.detach(), *torch.autograd.grad(y, list(leaves.values()), dy))


def _by_itself(row: Implementation, case: Case, inputs: Inputs) -> tuple[object, ...]:
    assert row.backward is not None
    backward = partial(row.backward, **_options(row.backward, case))
    gradients = backward(inputs.dy, inputs.x, case.G, inputs.weight, inputs.bias, case.eps)
    if not isinstance(gradients, (tuple, list)):
        return (gradients,)
    wanted = (True, inputs.weight is not None, inputs.bias is not None)
    return tuple(one for one, is_wanted in zip(gradients, wanted, strict=False) if is_wanted)
