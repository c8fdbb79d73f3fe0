"""The Triton kernels on torch's tensors: on a GPU, or through Triton's interpreter where there is none."""

# ruff: noqa: PLR0917 (the operators' schema)
from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from ..operators import check, gradients
from ..table import ACTIVATIONS, ProblemLike
from . import tuning
from .backward_launch import Backward
from .forward_launch import Forward
from .plan import Choice, Direction, Limits, Plan, Shape, ceil, choices, limits, plan
from .way import Problem, Way, kernels, on_device_of, problem


def forward(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    activation: int,
    statistics: Tensor | None = None,
    *,
    most: Limits | None = None,
    way: Way | None = None,
) -> Tensor:
    """Normalize x (N, C, ...), contiguous or channels_last; write ``statistics``, float32 (N, G, 3), where given.

    ``most`` replaces the limits of a program and ``way`` the kernels: for tests, and to compile without a GPU.

    Raises
    ------
    ValueError
        These make no GroupNorm, or x is neither contiguous nor channels_last.
    """
    check(x, num_groups, weight, bias)
    y = torch.empty_like(x)
    if x.numel() == 0:
        return y
    it, way = problem(x, num_groups), way or kernels()
    call = Forward(
        way=way,
        it=it,
        x=x,
        y=y,
        weight=_dense(weight),
        bias=_dense(bias),
        eps=eps,
        activation=ACTIVATIONS[activation],
        statistics=statistics,
    )
    most = most or limits("forward", x.element_size(), interpreted=way.interpreted)
    with on_device_of(x):
        _run(it, "forward", most, (activation,), call)
    return y


def backward(
    dy: Tensor,
    x: Tensor,
    statistics: Tensor,
    num_groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    activation: int,
    need_dx: bool,
    need_dweight: bool,
    need_dbias: bool,
    *,
    most: Limits | None = None,
    way: Way | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Give (dx, dweight, dbias), an unwanted one of shape (0,); dy lies as x does."""
    made = gradients(x, weight, bias, need_dx, need_dweight, need_dbias)
    if x.numel() == 0:
        return made[0], made[1].zero_(), made[2].zero_()
    if not (need_dx or need_dweight or need_dbias):
        return made
    it, way = problem(x, num_groups), way or kernels()
    call = Backward(
        way=way,
        it=it,
        dy=dy,
        x=x,
        statistics=statistics.contiguous(),
        weight=_dense(weight),
        bias=_dense(bias),
        activation=ACTIVATIONS[activation],
        made=made,
        need_dx=need_dx,
        need_dweight=need_dweight,
        need_dbias=need_dbias,
    )
    most = most or limits("backward", x.element_size(), interpreted=way.interpreted)
    with on_device_of(x):
        _run(it, "backward", most, (activation, need_dx), call)
    return made


def interpreted_programs(problem: ProblemLike) -> int:
    """Count a forward pass's programs, which the interpreter runs one after the other."""
    shape = Shape(
        groups=problem.G,
        channels=problem.C // problem.G,
        positions=problem.H * problem.W,
        channels_last=problem.layout == "channels_last" or problem.H * problem.W == 1,
        itemsize=getattr(torch, problem.dtype).itemsize,
    )
    by = _plan(shape, limits("forward", shape.itemsize, interpreted=True), Choice())
    if by.whole is not None:
        return ceil(problem.N, by.whole.samples) * ceil(shape.groups, by.whole.groups)
    parts = [part for part in (by.walk, by.walk, by.sums, by.apply) if part is not None]
    return sum(problem.N * ceil(shape.groups, part.tile.groups) * part.count for part in parts)


def _run(it: Problem, direction: Direction, most: Limits, words: tuple[int, ...], call: Callable[[Plan], None]) -> None:
    """Launch as the tuned plan says, tuned now if it was not yet."""
    choice = Choice()
    if it.device.type == "cuda":
        key = (direction, str(it.dtype), *words, it.shape)
        choice = tuning.chosen(key, it.device, _choices(it.shape, most), lambda one: call(_plan(it.shape, most, one)))
    call(_plan(it.shape, most, choice))


_plan = functools.lru_cache(maxsize=1024)(plan)
_choices = functools.lru_cache(maxsize=1024)(choices)


def _dense(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else parameter.contiguous()
