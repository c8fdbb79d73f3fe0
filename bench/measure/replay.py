"""Whether a recording of a call reads its inputs anew: they are changed under it, and its answer must change too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from bench.measure.inputs import Inputs
from bench.measure.oracle import truth, without_doubtful_signs
from bench.plan.problem import Problem

Outputs = tuple[Tensor, ...]


def stale(
    problem: Problem,
    given: Sequence[Inputs],
    pristine: Inputs,
    other: Inputs,
    *,
    answer: Callable[[], Outputs],
    judge: Callable[[Outputs, Outputs], str | None],
) -> str | None:
    """Give what is wrong with the answer to changed inputs, or None; the inputs are put back.

    Parameters
    ----------
    problem
        What is computed.
    given
        The memory that the recording reads: every copy is changed.
    pristine
        What it holds, and will hold again.
    other
        Other contents. Backward only its gradient is taken: what autograd saved of x is not recorded anew.
    answer
        Runs the recording.
    judge
        Says what is wrong with outputs beside the truth.
    """
    fresh = other
    if problem.direction == "backward":
        fresh = without_doubtful_signs(problem, replace(pristine, dy=other.dy))
    try:
        _fill(given, fresh)
        return judge(answer(), truth(problem, fresh))
    finally:
        _fill(given, pristine)


def _fill(given: Sequence[Inputs], contents: Inputs) -> None:
    with torch.no_grad():
        for one in given:
            one.restore(contents)
