"""One block as it lies open in a worker: tensors, truth, and the calls bound to them."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bench.devices.base import Batch, Call, Device
from bench.measure.call import Gradient, Kernel, bind, cloning, copying, native, saved_bytes
from bench.measure.error import Judgement, Tolerance, judge
from bench.measure.inputs import Inputs, bits_equal, make_inputs
from bench.measure.messages import CLONE, COPY, TWIN, Checked, TimedBatch, Warmed, Weighed
from bench.measure.oracle import truth, without_doubtful_signs
from bench.plan.problem import Problem
from reports.schema import Status

VARIANTS = 2
"""Rounds alternate between inputs of other contents at other addresses: an answer kept from the last is seen."""

_STEADY_WITHIN = 0.1
_STEADY_BATCH_S = 1e-3
_MOST_WARMING_BATCHES = 16
_SLOW_CALL_S = 0.02
_OUTSIDE_CALLS = 3
_MOST_REPEATS = 8
_MOST_REPEATING_S = 0.1
_PAUSE_S = 1e-3
"""Who has slept is not preempted at once: of 2 ms batches beside a load of 7, 38 % stay whole after it, else 10 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """Inputs of one content, in memory of their own, and what they should come to."""

    given: Inputs
    pristine: Inputs
    expected: tuple[Tensor, ...]
    dtypes: tuple[torch.dtype, ...]
    tolerance: Tolerance


def make_variant(problem: Problem, seed: int, placement: random.Random) -> Variant:
    """Draw inputs, compute their truth, and how far native is from it on contiguous data."""
    pristine = without_doubtful_signs(problem, make_inputs(problem, seed))
    expected = truth(problem, pristine)
    own_dtypes = (pristine.x, pristine.weight, pristine.bias) if problem.direction == "backward" else (pristine.x,)
    dtypes = tuple(tensor.dtype for tensor in own_dtypes if tensor is not None)
    return Variant(
        given=pristine.copy(placement),
        pristine=pristine,
        expected=expected,
        dtypes=dtypes,
        tolerance=Tolerance.beside(
            _native_outputs(problem, pristine),
            expected,
            dtypes,
            summed=(problem.group_elements, *[problem.N * problem.H * problem.W] * (len(expected) - 1)),
        ),
    )


def _native_outputs(problem: Problem, inputs: Inputs) -> tuple[Tensor, ...] | None:
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


class OpenedBlock:
    """The implementations of one problem, ready to be checked, warmed, timed and weighed by name."""

    def __init__(
        self,
        problem: Problem,
        kernels: Mapping[str, Kernel | Gradient],
        *,
        reference: str,
        device: Device,
        cold: bool,
        seed: int,
        placement: random.Random,
    ) -> None:
        self._problem = problem
        self._kernels = kernels
        self._reference = reference
        self._device = device
        self._cold = cold
        with self._grad_mode():
            self._variants = [make_variant(problem, seed + index, placement) for index in range(VARIANTS)]
        # Something of random size before them moves where the kernels' outputs come to lie.
        self._padding = torch.empty(placement.randrange(1, 1 << 20), dtype=torch.uint8)
        self._calls: dict[str, list[Call]] = {}
        self._call_s: dict[str, float] = {}
        self._reference_output: Any = None
        self._is_scribbled = False
        self._state = (torch.get_num_threads(), torch.get_default_dtype())

    def _grad_mode(self) -> AbstractContextManager[object]:
        return torch.no_grad() if self._problem.direction == "forward" else torch.enable_grad()

    def check(self, name: str) -> Checked:
        """Bind and call an implementation for the first time, and hold what it gives against the truth."""
        try:
            checked = self._first_calls(name)
        finally:
            # Whatever came of it, the next one finds its inputs as they were drawn.
            changed = self._changed_inputs()
        return replace(checked, status=Status.INCONSISTENT, reason=changed) if changed else checked

    def _first_calls(self, name: str) -> Checked:
        started = time.perf_counter()
        with self._grad_mode():
            calls = [bind(self._kernels[name], self._problem, variant.given) for variant in self._variants]
            output = calls[0]()
            self._device.synchronize()
            first_call_s = time.perf_counter() - started
            judgement = self._judge(0, output)
            wrong = judgement.wrong or self._judge(1, calls[1]()).wrong
        if name == self._reference:
            self._reference_output = output
        self._calls[name] = calls
        errors = judgement.errors
        return Checked(
            status=Status.INCORRECT if wrong else Status.OK,
            reason=wrong,
            first_call_s=first_call_s,
            error_max_abs=_finite(errors.max_abs) if errors else None,
            error_max_rel=_finite(errors.max_rel) if errors else None,
            error_rms=_finite(errors.rms) if errors else None,
            error_ulp=_finite(errors.ulp) if errors else None,
            bitwise_equal=self._equals_reference(output),
            output_layout=_layout_of(_tensors(output), self._problem.layout),
        )

    def _judge(self, variant: int, output: object) -> Judgement:
        of = self._variants[variant]
        if self._shares_memory(output):
            return Judgement(wrong="returned the memory of its input", errors=None)
        detached = tuple(tensor.detach() for tensor in _tensors(output)) or output
        return judge(detached, of.expected, of.dtypes, of.tolerance)

    def _shares_memory(self, output: object) -> bool:
        given = {variant.given.x.untyped_storage().data_ptr() for variant in self._variants}
        return any(tensor.numel() and tensor.untyped_storage().data_ptr() in given for tensor in _tensors(output))

    def _equals_reference(self, output: object) -> bool | None:
        if self._reference_output is None:
            return None
        pairs = zip(_tensors(output), _tensors(self._reference_output), strict=False)
        return all(bits_equal(mine.detach().contiguous(), theirs.detach().contiguous()) for mine, theirs in pairs)

    def _changed_inputs(self) -> str | None:
        """Say that inputs were changed, and give them their values back."""
        changed = [variant for variant in self._variants if not variant.given.equal(variant.pristine)]
        for variant in changed:
            with torch.no_grad():
                variant.given.restore(variant.pristine)
        return "changed its inputs" if changed else None

    def changed_state(self) -> str | None:
        """Say that torch's state, which every row shares, was changed, and put it back."""
        if (torch.get_num_threads(), torch.get_default_dtype()) == self._state:
            return None
        torch.set_num_threads(self._state[0])
        torch.set_default_dtype(self._state[1])
        return "changed torch's number of threads or default dtype, which is everybody's"

    def _add_companions(self) -> None:
        """Bind the reference's twin and the plain copies."""
        with self._grad_mode():
            if self._reference in self._calls:
                kernel = self._kernels[self._reference]
                self._calls[TWIN] = [bind(kernel, self._problem, variant.given) for variant in self._variants]
            self._calls[COPY] = [copying(variant.given) for variant in self._variants]
            self._calls[CLONE] = [cloning(variant.given) for variant in self._variants]

    def warm(self, name: str) -> Warmed:
        """Call in growing batches until two in succession agree within 10 %; give a call's time."""
        if not self._calls.get(COPY):
            self._add_companions()
        if name not in self._calls:
            return Warmed(call_s=None, status=Status.NOT_MEASURED, reason="the reference was not checked")
        calls, previous = 1, 0.0
        with self._grad_mode():
            for _ in range(_MOST_WARMING_BATCHES):
                batch, _ = self._device.time(self._calls[name][0], calls, cold=self._cold)
                call_s = batch.seconds / calls
                if batch.seconds >= _STEADY_BATCH_S and abs(call_s - previous) <= _STEADY_WITHIN * previous:
                    break
                previous = call_s
                if batch.seconds < _STEADY_BATCH_S:
                    calls *= 2
        self._call_s[name] = call_s
        return Warmed(call_s=call_s)

    def time(self, name: str, calls: int, round_: int, *, verify: bool) -> TimedBatch:
        """Time one batch on the round's inputs, then poison its output; hold it against the truth first where asked."""
        if verify and self._changed_inputs():
            self._is_scribbled = True  # by one of the rounds before; who it was is found out when the visit ends
        variant = round_ % VARIANTS
        call = self._calls[name][variant]
        with self._grad_mode():
            batch, output, repeats = self._undisturbed(call, calls, warms=self._call_s.get(name, 0.0) < _SLOW_CALL_S)
            wrong = self._wrong_while_timed(variant, output) if verify and name in self._kernels else None
            self._poison(output)
        return TimedBatch(
            name=name,
            calls=calls,
            seconds=batch.seconds,
            page_faults=batch.page_faults,
            struck=bool(batch.struck),
            repeats=repeats,
            sm_clock_hz=batch.sm_clock_hz,
            throttled=batch.throttled,
            status=Status.INCONSISTENT if wrong else None,
            reason=wrong,
        )

    def _undisturbed(self, call: Call, calls: int, *, warms: bool) -> tuple[Batch, Any, int]:
        """Time a batch, again at once while another program took a core from it; give how often it was repeated."""
        ends = time.perf_counter() + _MOST_REPEATING_S
        repeats = 0
        while True:
            if warms and not self._cold:
                call()  # the last batch was another's: this one's data and code are not in the caches yet
            batch, output = self._device.time(call, calls, cold=self._cold)
            if not batch.struck or repeats == _MOST_REPEATS or time.perf_counter() > ends:
                return batch, output, repeats
            repeats += 1
            time.sleep(_PAUSE_S)

    def _wrong_while_timed(self, variant: int, output: object) -> str | None:
        wrong = self._judge(variant, output).wrong
        return self._changed_inputs() or (wrong and f"right when checked, wrong while timed: {wrong}")

    def _poison(self, output: object) -> None:
        """Fill an output with NaN, so that a call which leaves its memory as it found it is seen."""
        if not self._shares_memory(output):
            with torch.no_grad():
                for tensor in _tensors(output):
                    tensor.fill_(math.nan)

    def call(self, name: str) -> Call:
        """Give the call of a checked implementation in its problem's grad mode, for another timer than ours."""
        call = self._calls[name][0]

        def in_grad_mode() -> Any:
            with self._grad_mode():
                return call()

        return in_grad_mode

    def weigh(self, name: str) -> Weighed:
        """Measure one call's memory and, where it has a latency, its times that no round can show."""
        call = self._calls[name][0]
        is_timed = name in self._call_s
        with self._grad_mode():
            output_bytes = sum(tensor.nbytes for tensor in _tensors(call()))
            allocated = self._device.allocated_bytes(call)
            training = self._problem.direction == "training_forward"
            return Weighed(
                peak_bytes=self._input_bytes() + allocated,
                extra_bytes=max(0, allocated - output_bytes),
                saved_bytes=saved_bytes(call, self._variants[0].given) if training else None,
                fresh_output_s=_median(self._device.fresh_output_seconds, call) if is_timed else None,
                host_latency_s=_median(self._device.host_seconds, call) if is_timed else None,
            )

    def _input_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self._variants[0].given.tensors() if tensor is not None)

    def close(self) -> dict[str, str]:
        """Look whether the inputs are as they were; if not, find who changes them."""
        if self._changed_inputs() is None and not self._is_scribbled:
            return {}
        culprits = {name: wrong for name in self._calls if name in self._kernels and (wrong := self._changed_by(name))}
        return culprits or dict.fromkeys(self._kernels, "inputs changed while timed; by which one was not found")

    def _changed_by(self, name: str) -> str | None:
        """Call an implementation on both variants and see whether it changes them."""
        with self._grad_mode(), suppress(Exception):  # what it raises is not asked here, what it leaves behind is
            for call in self._calls[name]:
                call()
        return self._changed_inputs()


def _tensors(output: object) -> Sequence[Tensor]:
    if isinstance(output, Tensor):
        return (output,)
    return tuple(one for one in output if isinstance(one, Tensor)) if isinstance(output, (tuple, list)) else ()


def _layout_of(output: Sequence[Tensor], asked: str) -> str | None:
    if not output or output[0].dim() != 4:
        return None
    has = {
        "contiguous": output[0].is_contiguous(),
        "channels_last": output[0].is_contiguous(memory_format=torch.channels_last),
    }
    # With one channel or one pixel both hold; the one asked for is the one kept.
    return asked if has[asked] else next((layout for layout, holds in has.items() if holds), "strided")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _median(measure: Callable[[Call], float | None], call: Call) -> float | None:
    values = [value for value in (measure(call) for _ in range(_OUTSIDE_CALLS)) if value is not None]
    return statistics.median(values) if values else None
