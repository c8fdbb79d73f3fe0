"""What a case should come to, and how far off an answer may be: bench's own oracle and tolerance, for any rank."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.check.case import Case
from bench.measure import form
from bench.measure.error import Tolerance
from bench.measure.inputs import Inputs
from bench.measure.oracle import truth, without_doubtful_signs
from bench.measure.variant import native_outputs
from bench.plan.problem import Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """One output's truth.

    ``values`` is float64, of the output's shape; ``allowed`` is the largest absolute error of the contract's tolerance.
    """

    what: str
    """y, dX, dweight or dbias."""
    values: Tensor
    dtype: torch.dtype
    allowed: float


def settled(case: Case, inputs: Inputs) -> Inputs:
    """Zero dy where ReLU's side hangs on a rounding, as bench does before it checks."""
    if inputs.dy is None or case.activation != "relu" or not inputs.x.numel():
        return inputs
    flat = without_doubtful_signs(_flat_problem(case), _full(case, _flat(inputs)))
    assert flat.dy is not None
    return replace(inputs, dy=torch.empty_like(inputs.dy).copy_(flat.dy.view(case.shape)))


def truths(case: Case, inputs: Inputs, *, yardstick: Callable[[], object] | None) -> tuple[Truth, ...]:
    """Compute the truth of y, and going backward of the gradients wanted.

    Parameters
    ----------
    case, inputs
        What is called with what; see ``given.make``.
    yardstick
        Called before native is, which may die; None where it has.
    """
    names = ("y",) if case.direction == "forward" else ("y", "dX", "dweight", "dbias")
    if not inputs.x.numel():
        values = _of_nothing(case, inputs)
        allowed = (0.0,) * len(values)
    else:
        values, allowed = _by_oracle(case, inputs, yardstick)
    wanted = {"y", *(f"d{name}" if name != "x" else "dX" for name in case.wants)}
    dtypes = (inputs.x.dtype, inputs.x.dtype, *[getattr(torch, case.weight_dtype)] * 2)
    shapes = (case.shape, case.shape, (case.shape[1],), (case.shape[1],))
    is_given = (True, True, inputs.weight is not None, inputs.bias is not None)
    return tuple(
        Truth(what=what, values=value.view(shape), dtype=dtype, allowed=limit)
        for what, value, dtype, limit, shape, given in zip(
            names, values, dtypes, allowed, shapes, is_given, strict=False
        )
        if what in wanted and given
    )


def _of_nothing(case: Case, inputs: Inputs) -> tuple[Tensor, ...]:
    zeros = torch.zeros(case.shape[1], dtype=torch.float64, device=inputs.x.device)
    empty = torch.empty(case.shape, dtype=torch.float64, device=inputs.x.device)
    return (empty,) if case.direction == "forward" else (empty, empty, zeros, zeros)


def _by_oracle(
    case: Case, inputs: Inputs, yardstick: Callable[[], object] | None
) -> tuple[tuple[Tensor, ...], tuple[float, ...]]:
    flat = _flat(inputs)
    problem = _flat_problem(case)
    full = _full(case, flat)
    forward = replace(problem, direction="forward")
    values = truth(forward, full)
    own = None
    if yardstick is not None:
        yardstick()
        own = native_outputs(forward, full)
    counts: tuple[int, ...] = (problem.group_elements,)
    if case.direction == "backward":
        values += truth(problem, full)
        gradients = native_outputs(problem, full) if own is not None else None
        own = None if own is None or gradients is None else (*own, *gradients)
        counts += (problem.group_elements, *[problem.N * case.positions] * 2)[: len(values) - 1]
    dtypes = [full.x.dtype if tensor.dim() > 1 else getattr(torch, case.weight_dtype) for tensor in values]
    allowed = Tolerance.beside(
        None if own is None else [_comparable(mine, wanted) for mine, wanted in zip(own, values, strict=True)],
        [_finite(tensor) for tensor in values],
        dtypes,
        summed=counts,
    ).max_abs
    form.poison(own)  # the right answer must not lie in the memory that the row gets
    return values, allowed


def _finite(values: Tensor) -> Tensor:
    """Leave out what is not finite: the tolerance is that of the groups that are."""
    return values.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


def _comparable(own: Tensor, wanted: Tensor) -> Tensor:
    """Give native's finite values, where its others stand where the truth has its; else leave it as it is."""
    return _finite(own) if torch.equal(torch.isfinite(own), torch.isfinite(wanted)) else own


def _flat_problem(case: Case) -> Problem:
    """Give the problem of the same memory with one long row of positions, contiguous: what the oracle works on."""
    return replace(case.problem, H=1, W=case.positions, layout="contiguous")


def _flat(inputs: Inputs) -> Inputs:
    def flat(tensor: Tensor) -> Tensor:
        return tensor.contiguous().view(tensor.shape[0], tensor.shape[1], 1, -1)

    return replace(inputs, x=flat(inputs.x), dy=None if inputs.dy is None else flat(inputs.dy))


def _full(case: Case, inputs: Inputs) -> Inputs:
    """Give the weight or bias that is missing beside the other its neutral value."""
    if case.affine not in {"weight", "bias"}:
        return inputs
    given = inputs.weight if inputs.weight is not None else inputs.bias
    assert given is not None
    return replace(
        inputs,
        weight=torch.ones_like(given) if inputs.weight is None else given,
        bias=torch.zeros_like(given) if inputs.bias is None else given,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """One group of a case that is too large to be judged whole, as a case of its own."""

    case: Case
    sample: int
    channels: slice

    def of(self, tensor: Tensor) -> Tensor:
        """Cut it out of a tensor of x's shape."""
        return tensor[self.sample : self.sample + 1, self.channels]

    def inputs(self, inputs: Inputs) -> Inputs:
        """Cut it out of a forward call's tensors."""
        weight, bias = (None if one is None else one[self.channels] for one in (inputs.weight, inputs.bias))
        return Inputs(x=self.of(inputs.x), weight=weight, bias=bias, dy=None)


def groups(case: Case) -> Iterator[Group]:
    """Choose the groups of such a case: the first, the last, and some between."""
    assert case.groups_judged is not None
    channels = case.shape[1] // case.G
    alone = replace(case, shape=(1, channels, *case.shape[2:]), G=1, groups_judged=None)
    for place in range(case.groups_judged):
        sample, group = divmod(round(place * (case.shape[0] * case.G - 1) / (case.groups_judged - 1)), case.G)
        yield Group(case=alone, sample=sample, channels=slice(group * channels, (group + 1) * channels))
