"""One block as it lies open in a worker: tensors, truth, and the calls bound to them."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bench.devices.base import Batch, Call, Device, Turns
from bench.devices.environment import most_cold_calls
from bench.measure import form, tasks
from bench.measure.call import Gradient, Kernel, bind, cloning, copying, saved_bytes
from bench.measure.compiles import Compiles, told
from bench.measure.error import Errors, judge
from bench.measure.honesty import Challenge
from bench.measure.inputs import Inputs, bits_equal
from bench.measure.messages import CLONE, COPY, TWIN, Challenged, Checked, TimedBatch, Warmed, Weighed
from bench.measure.replay import stale
from bench.measure.variant import Variant, make_variant
from bench.measure.warming import Warming
from bench.plan.problem import Problem
from reports.schema import Status

VARIANTS = 2
"""Rounds alternate between inputs of other contents at other addresses: an answer kept from the last is seen."""

_SLOW_CALL_S = 0.02
_OUTSIDE_CALLS = 3
_MOST_REPEATS = 8
_MOST_REPEATING_S = 0.1
_PAUSE_S = 1e-3
"""Who has slept is not preempted at once: of 2 ms batches beside a load of 7, 38 % stay whole after it, else 10 %."""
_FINISHING_S = 0.05
"""Waited, before an output is called wrong, for a thread that may still be writing it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What an output comes to."""

    status: Status
    reason: str | None
    errors: Errors | None = None


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
        compiles: Compiles | None = None,
        yardstick: bool = True,
    ) -> None:
        self._problem = problem
        self._kernels = kernels
        self._reference = reference
        self._device = device
        self._cold = cold
        self._left_grad_mode = False
        with self._grad_mode():
            self._variants = [
                self._with_copies(make_variant(problem, seed + index, placement, yardstick=yardstick), placement)
                for index in range(VARIANTS)
            ]
        # Something of random size before them moves where the kernels' outputs come to lie.
        self._padding = torch.empty(placement.randrange(1, 1 << 20), dtype=torch.uint8, device=problem.device)
        self._calls: dict[str, list[Call]] = {}
        self._call_s: dict[str, float] = {}
        self._reference_output: Any = None
        self._is_scribbled = False
        self._scribblers: set[str] = set()
        self._compiles = compiles or Compiles()
        self._threads = tasks.threads()
        self._challenge = Challenge(device, problem, self._variants, cold=cold, rng=placement)

    @contextmanager
    def _grad_mode(self) -> Iterator[None]:
        """Set the direction's grad mode, and see whether a row left another; only in here does that show."""
        wanted = self._problem.direction != "forward"
        with torch.set_grad_enabled(wanted):
            yield
            self._left_grad_mode |= torch.is_grad_enabled() != wanted

    def _with_copies(self, variant: Variant, placement: random.Random) -> Variant:
        more = self._device.copies(self._problem.input_bytes, cold=self._cold) - 1
        return replace(variant, copies=tuple(variant.pristine.copy(placement) for _ in range(more)))

    def _bound(self, binding: Callable[[Inputs], Call]) -> list[Call]:
        """Bind a call to each variant, and to each copy of it where the device wants new addresses."""
        bound = [[binding(given) for given in variant.all_given] for variant in self._variants]
        return [calls[0] if len(calls) == 1 else Turns(calls, self._problem.input_bytes) for calls in bound]

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
            calls = self._bound(lambda given: bind(self._kernels[name], self._problem, given))
            output = calls[0]()
            self._device.synchronize()
            first_call_s = time.perf_counter() - started
            verdict = other = self._held(0, output)
            layout = form.layout_of(output, self._problem.layout)
            if name == self._reference:
                self._reference_output = form.copied(output)
            equal = self._equals_reference(output) if verdict.errors else None
            self._poison(output)  # the memory that the next one gets must not hold the right answer
            if verdict.status == Status.OK:
                output = calls[1]()
                other = self._held(1, output)
                self._poison(output)
        self._calls[name] = calls
        errors = verdict.errors
        return Checked(
            status=other.status,
            reason=other.reason,
            first_call_s=first_call_s,
            error_max_abs=_finite(errors.max_abs) if errors else None,
            error_max_rel=_finite(errors.max_rel) if errors else None,
            error_rms=_finite(errors.rms) if errors else None,
            error_ulp=_finite(errors.ulp) if errors else None,
            bitwise_equal=equal,
            output_layout=layout,
        )

    def _held(self, variant: int, output: object) -> Verdict:
        """Hold an output, as it is at this moment, against the truth."""
        of = self._variants[variant]
        if (wrong := form.ill_formed(output, self._problem.device)) is not None:
            return Verdict(status=Status.INCORRECT, reason=wrong)
        if self._shares_memory(output):
            return Verdict(status=Status.INCORRECT, reason="returned the memory of its input")
        early = form.copied(output)
        judgement = judge(early or output, of.expected, of.dtypes, of.tolerance)
        status = Status.INCORRECT if judgement.wrong else Status.OK
        verdict = Verdict(status=status, reason=judgement.wrong, errors=judgement.errors)
        if judgement.wrong and self._still_changes(output, early):
            unfinished = "its output was still being written when its call had returned"
            verdict = Verdict(status=Status.INCONSISTENT, reason=unfinished)
        form.poison(early)
        return verdict

    def _still_changes(self, output: object, early: Sequence[Tensor]) -> bool:
        if tasks.CAN_LOOK and tasks.threads() <= self._threads:
            return False  # nobody is there who could write
        time.sleep(_FINISHING_S)
        pairs = zip(form.tensors(output), early, strict=True)
        return not all(bits_equal(tensor.detach().clone(), copy) for tensor, copy in pairs)

    def _shares_memory(self, output: object) -> bool:
        given = {one.x.untyped_storage().data_ptr() for variant in self._variants for one in variant.all_given}
        return any(tensor.numel() and tensor.untyped_storage().data_ptr() in given for tensor in form.tensors(output))

    def _equals_reference(self, output: object) -> bool | None:
        if self._reference_output is None:
            return None
        pairs = zip(form.tensors(output), form.tensors(self._reference_output), strict=False)
        return all(bits_equal(mine.detach().contiguous(), theirs.detach().contiguous()) for mine, theirs in pairs)

    def _changed_inputs(self) -> str | None:
        """Say that inputs were changed, and give them their values back."""
        pairs = [(given, variant.pristine) for variant in self._variants for given in variant.all_given]
        changed = [(given, pristine) for given, pristine in pairs if not given.equal(pristine)]
        for given, pristine in changed:
            with torch.no_grad():
                given.restore(pristine)
        return "changed its inputs" if changed else None

    def changed_grad_mode(self) -> str | None:
        """Say that the last act left another grad mode; it is put back already."""
        left, self._left_grad_mode = self._left_grad_mode, False
        return "changed the grad mode, which is everybody's" if left else None

    def _add_companions(self) -> None:
        """Bind the reference's twin and the plain copies."""
        with self._grad_mode():
            if self._reference in self._calls:
                kernel = self._kernels[self._reference]
                self._calls[TWIN] = self._bound(lambda given: bind(kernel, self._problem, given))
            self._calls[COPY] = self._bound(copying)
            self._calls[CLONE] = self._bound(cloning)

    def warm(self, name: str) -> Warmed:
        """Call in growing batches until the device's rule finds it steady; give a call's time."""
        if not self._calls.get(COPY):
            self._add_companions()
        if name not in self._calls:
            return Warmed(call_s=None, status=Status.NOT_MEASURED, reason="the reference was not checked")
        rule = self._device.warm_up
        if self._cold:
            # Each call is flushed before: doubling a call of 5 µs to a millisecond of them took 8 s.
            rule = replace(rule, most_calls=min(rule.most_calls, most_cold_calls(self._problem.device)))
        warming = Warming(rule)
        with self._grad_mode():
            while not warming.is_over:
                batch, _, _ = self._undisturbed(self._calls[name][0], warming.calls, warms=False)
                warming.feed(batch.seconds, batch.sm_clock_hz)
            if self._device.replays and name in self._kernels and (wrong := self._stale(name)):
                return Warmed(call_s=None, status=Status.INCONSISTENT, reason=wrong)
        self._call_s[name] = warming.call_s
        return Warmed(call_s=warming.call_s)

    def _stale(self, name: str) -> str | None:
        """Change the inputs under a recording of the call and see whether its answer changes with them."""
        mine, other = self._variants

        def replayed() -> tuple[Tensor, ...]:
            _, output = self._device.time(self._calls[name][0], 1, cold=self._cold)
            return tuple(tensor.detach() for tensor in form.tensors(output))

        wrong = stale(
            self._problem,
            mine.all_given,
            mine.pristine,
            other.pristine,
            answer=replayed,
            judge=lambda output, expected: judge(output, expected, mine.dtypes, mine.tolerance).wrong,
        )
        return wrong and f"its replay does not read its inputs anew: {wrong}"

    def time(self, name: str, calls: int, round_: int, *, verify: bool) -> TimedBatch:
        """Time one batch on the round's inputs, then poison its output; hold it against the truth first where asked."""
        if verify and self._changed_inputs():
            self._is_scribbled = True  # by one of the rounds before; who it was is found out when the visit ends
        variant = round_ % VARIANTS
        call = self._calls[name][variant]
        compiled = self._compiles.count()
        with self._grad_mode():
            batch, output, repeats = self._undisturbed(call, calls, warms=self._call_s.get(name, 0.0) < _SLOW_CALL_S)
            unsteady = told(compiled, self._compiles.count()) if name in self._kernels else None
            wrong = self._wrong_while_timed(name, variant, output) if verify and name in self._kernels else None
            self._poison(output)
        return TimedBatch(
            name=name,
            calls=calls,
            seconds=batch.seconds,
            call_s=batch.call_s,
            page_faults=batch.page_faults,
            struck=bool(batch.struck),
            repeats=repeats,
            sm_clock_hz=batch.sm_clock_hz,
            throttled=batch.throttled,
            power_w=batch.power_w,
            temperature_c=batch.temperature_c,
            status=Status.INCONSISTENT if wrong else Status.UNSTEADY if unsteady else None,
            reason=wrong or (f"while timed: {unsteady}" if unsteady else batch.remark),
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

    def _wrong_while_timed(self, name: str, variant: int, output: object) -> str | None:
        verdict = self._held(variant, output)
        if changed := self._changed_inputs():
            self._scribblers.add(name)
            return changed
        return f"right when checked, wrong while timed: {verdict.reason}" if verdict.reason else None

    def _poison(self, output: object) -> None:
        if form.ill_formed(output, self._problem.device) is None and not self._shares_memory(output):
            form.poison(output)

    def challenge(self, name: str) -> Challenged:
        """Call on contents never seen: an answer kept from before shows itself."""
        with self._grad_mode():
            wrong = self._challenge.of(self._calls[name], self._call_s[name], is_control=name == self._reference)
        return Challenged(status=Status.INCONSISTENT if wrong else None, reason=wrong)

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
            output_bytes = sum(tensor.nbytes for tensor in form.tensors(call()))
            allocated = self._device.allocated_bytes(call)
            training = self._problem.direction == "training_forward"
            return Weighed(
                peak_bytes=self._input_bytes() + allocated,
                extra_bytes=max(0, allocated - output_bytes),
                saved_bytes=saved_bytes(call, self._variants[0].all_given) if training else None,
                fresh_output_s=_median(self._device.fresh_output_seconds, call) if is_timed else None,
                host_latency_s=_median(self._device.host_seconds, call) if is_timed else None,
            )

    def _input_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self._variants[0].given.tensors() if tensor is not None)

    def fell(self, name: str) -> None:
        """Look, when a row falls out, whether it leaves the inputs changed: nobody else is asked about those then."""
        if self._changed_inputs():
            self._scribblers.add(name)

    def suspects(self, fallen: Collection[str] = ()) -> list[str]:
        """List who was timed and has not fallen out, if the inputs were changed by somebody."""
        if self._changed_inputs() is None and not self._is_scribbled:
            return []
        self._is_scribbled = True
        return [name for name in self._call_s if name in self._kernels and name not in fallen]

    def changed_by(self, name: str) -> str | None:
        """Call an implementation on both variants and see whether it changes them."""
        with self._grad_mode(), suppress(Exception):  # what it raises is not asked here, what it leaves behind is
            for call in self._calls[name]:
                call()
        return self._changed_inputs()

    def unexplained(self) -> dict[str, str]:
        """Name everybody, where inputs were changed and nobody is known to do it."""
        if not self._is_scribbled or self._scribblers:
            return {}
        return dict.fromkeys(self._kernels, "inputs changed while timed; by which one was not found")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _median(measure: Callable[[Call], float | None], call: Call) -> float | None:
    values = [value for value in (measure(call) for _ in range(_OUTSIDE_CALLS)) if value is not None]
    return statistics.median(values) if values else None
