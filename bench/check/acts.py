"""What needs several calls: the same again, on other threads, with others in the batch."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from bench.check.calls import call
from bench.check.case import Case
from bench.check.given import placed
from bench.check.judge import Finding, same_bits
from bench.measure import form
from bench.measure.inputs import Inputs
from kernels.table import Implementation

_TIMES_AGAIN = 3
_MOST_SAMPLES = 3


def _tensors(row: Implementation, case: Case, inputs: Inputs) -> tuple[Tensor, ...]:
    return form.copied(call(row, case, inputs).outputs)


def _names(case: Case) -> tuple[str, ...]:
    return ("y", "dX", "dweight", "dbias") if case.direction == "backward" else ("y",)


def again(row: Implementation, case: Case, inputs: Inputs, placement: random.Random) -> Finding:
    """Call again, on the same numbers in other memory."""
    first = _tensors(row, case, inputs)
    for _ in range(_TIMES_AGAIN):
        found = same_bits(first, _tensors(row, case, placed(case, inputs, placement)), _names(case), "run to run")
        if not found.holds:
            break
    return found


@contextmanager
def _on_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads(row: Implementation, case: Case, inputs: Inputs, _: random.Random) -> Finding:
    """Call with one thread, and with as many as there are (two at least)."""
    many = max(2, torch.get_num_threads())
    with _on_threads(1):
        alone = _tensors(row, case, inputs)
    with _on_threads(many):
        shared = _tensors(row, case, inputs)
    return same_bits(alone, shared, _names(case), f"between 1 and {many} threads")


def batch(row: Implementation, case: Case, inputs: Inputs, placement: random.Random) -> Finding:
    """Call with one sample of the batch; y and dX of that sample must be what they were among the others."""
    whole = _tensors(row, case, inputs)[:2]
    samples = sorted({0, case.shape[0] // 2, case.shape[0] - 1})[:_MOST_SAMPLES]
    for sample in samples:
        own = replace(case, shape=(1, *case.shape[1:]))
        alone = _tensors(row, own, placed(own, _sample(inputs, sample), placement))[:2]
        # N = 1 may have other strides for what lies in the same order.
        found = same_bits([one[sample : sample + 1] for one in whole], alone, _names(case)[:2], "alone in the batch")
        if not found.holds:
            break
    return found


def _sample(inputs: Inputs, sample: int) -> Inputs:
    cut = slice(sample, sample + 1)
    return replace(inputs, x=inputs.x[cut], dy=None if inputs.dy is None else inputs.dy[cut])


ACTS: Mapping[str, Callable[[Implementation, Case, Inputs, random.Random], Finding]] = MappingProxyType(
    {"again": again, "threads": threads, "batch": batch}
)
