"""Inputs of one content, their truth, and how far an answer may be from it."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.measure import form
from bench.measure.call import bind, native
from bench.measure.error import Tolerance
from bench.measure.inputs import Inputs, make_inputs
from bench.measure.oracle import truth, without_doubtful_signs
from bench.plan.problem import Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """Inputs of one content, in memory of their own, and what they should come to."""

    given: Inputs
    pristine: Inputs
    expected: tuple[Tensor, ...]
    dtypes: tuple[torch.dtype, ...]
    tolerance: Tolerance
    copies: tuple[Inputs, ...] = ()
    """More of ``given``, where a call takes turns among addresses."""

    @property
    def all_given(self) -> tuple[Inputs, ...]:
        """Every memory that a call may be given."""
        return (self.given, *self.copies)


def make_variant(problem: Problem, seed: int, placement: random.Random, *, yardstick: bool = True) -> Variant:
    """Draw inputs, compute their truth, and how far native is from it on contiguous data.

    Without the yardstick native is not called: it has died of this problem before.
    """
    pristine = without_doubtful_signs(problem, make_inputs(problem, seed))
    expected = truth(problem, pristine)
    own_dtypes = (pristine.x, pristine.weight, pristine.bias) if problem.direction == "backward" else (pristine.x,)
    dtypes = tuple(tensor.dtype for tensor in own_dtypes if tensor is not None)
    own = native_outputs(problem, pristine) if yardstick else None
    tolerance = Tolerance.beside(
        own,
        expected,
        dtypes,
        summed=(problem.group_elements, *[problem.N * problem.H * problem.W] * (len(expected) - 1)),
    )
    form.poison(own)  # the right answer must not lie in the memory that the next one gets
    return Variant(
        given=pristine.copy(placement), pristine=pristine, expected=expected, dtypes=dtypes, tolerance=tolerance
    )


def native_outputs(problem: Problem, inputs: Inputs) -> tuple[Tensor, ...] | None:
    """Give what native returns on contiguous data; None where it raises."""
    contiguous = Inputs(
        x=inputs.x.contiguous(),
        weight=inputs.weight,
        bias=inputs.bias,
        dy=None if inputs.dy is None else inputs.dy.contiguous(),
    )
    try:
        output = bind(native, problem, contiguous)()
    except (RuntimeError, ValueError):  # as for a single value per channel
        return None
    return tuple(output) if isinstance(output, tuple) else (output.detach(),)
