"""Contents that a row has never seen: an answer kept from before is stale then, or takes longer to give.

The rounds know two contents, so a row that recognises both, by their address or by their values, need never compute.
Here the values change in place, in a way that changes the truth by a known rule and costs no oracle:

- forward: x is shifted along N, H and W, as a ring. A group's mean and variance do not depend on the order of its
  values, so y is shifted in the same way.
- backward: dy is multiplied by a power of two. The gradients are linear in dy, and the factor costs no rounding.

Each new content is timed in two single calls: in the first it was never seen, in the second it was. Before each stands
a call on the other variant, so that code, caches and threads are the same in both. An honest row takes as long for
either. The reference is held to the same, as control.
"""

from __future__ import annotations

import random
import statistics
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.devices.base import Batch, Call, Device
from bench.measure import form
from bench.measure.error import Tolerance, judge
from bench.measure.variant import Variant
from bench.plan.problem import Problem

_PAIRS = 7
_LEAST_PAIRS = 5
"""Fewer say nothing of a pace: one call that was disturbed would decide it."""
_SLOW_CALL_S = 0.02
_LONG_CALL_S = 0.5
_TIMES_SLOWER = 2.0
_LOOSER = 4.0
"""Times the tolerance: sums in another order may be off by a little more, a stale answer is off by all of it."""
_MOST_KEPT = 3
"""Of three calls' outputs and more: a row may return the same memory again, or turn between two."""
_FACTORS = (-1.0, 2.0, -2.0, 0.5, -0.5, 4.0, -4.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Seconds of single calls on contents never seen, and on the same a second time."""

    unseen_s: tuple[float, ...]
    seen_s: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times slower the unseen are."""
        return statistics.median(self.unseen_s) / max(statistics.median(self.seen_s), 1e-9)

    def is_slower_unseen(self, control: float) -> bool:
        """Say whether the unseen calls took far longer, and by far more than the control's, in every pair but one."""
        limit = _TIMES_SLOWER * max(control, 1.0)
        slower = sum(unseen > limit * seen for unseen, seen in zip(self.unseen_s, self.seen_s, strict=True))
        return len(self.seen_s) >= _LEAST_PAIRS and self.ratio > limit and slower >= len(self.seen_s) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """New contents in the same memory, and what becomes of the truth."""

    apply: Callable[[], None]
    expected: Callable[[], tuple[Tensor, ...]]


def changes(problem: Problem, variant: Variant, rng: random.Random) -> Iterator[Change]:
    """Give contents, each another; for a single position of a single sample none are known."""
    if problem.direction == "backward":
        for factor in rng.sample(_FACTORS, len(_FACTORS)):
            yield _scaling(variant, factor)
        return
    places = problem.N * problem.H * problem.W
    for place in rng.sample(range(1, places), min(_PAIRS * 2, places - 1)):
        n, rest = divmod(place, problem.H * problem.W)
        yield _shift(variant, (n, *divmod(rest, problem.W)))


def _shift(variant: Variant, steps: tuple[int, int, int]) -> Change:
    def shifted(tensor: Tensor) -> Tensor:
        return tensor.roll(steps, (0, 2, 3))

    def apply() -> None:
        moved = shifted(variant.pristine.x)
        for given in variant.all_given:
            given.x.copy_(moved)

    return Change(apply=apply, expected=lambda: tuple(shifted(one) for one in variant.expected))


def _scaling(variant: Variant, factor: float) -> Change:
    def apply() -> None:
        for given in variant.all_given:
            assert given.dy is not None
            assert variant.pristine.dy is not None
            given.dy.copy_(variant.pristine.dy * factor)

    return Change(apply=apply, expected=lambda: tuple(one * factor for one in variant.expected))


def _put_back(variant: Variant) -> None:
    """Put back what the changes touch."""
    for given in variant.all_given:
        if given.dy is not None and variant.pristine.dy is not None:
            given.dy.copy_(variant.pristine.dy)
        else:
            given.x.copy_(variant.pristine.x)


class Challenge:
    """Asks one row after another, the reference first.

    Parameters
    ----------
    device, problem
        Where and what.
    variants
        The block's two variants; the first one's contents are changed and put back.
    cold
        Time the calls with cold caches.
    rng
        Which contents.
    """

    def __init__(
        self, device: Device, problem: Problem, variants: Sequence[Variant], *, cold: bool, rng: random.Random
    ) -> None:
        self._device = device
        self._problem = problem
        self._variants = variants
        self._cold = cold
        self._rng = rng
        self._control = 1.0

    def of(self, calls: Sequence[Call], call_s: float, *, is_control: bool) -> str | None:
        """Say what is dishonest in a row's calls on the two variants, or None."""
        try:
            pace = self._pace(calls, call_s)
            if isinstance(pace, str) or pace is None:
                return pace
            if is_control:
                self._control = max(self._control, pace.ratio)
                return None
            # A busy machine may once slow six calls of seven; not twice.
            if not pace.is_slower_unseen(self._control):
                return None
            again = self._pace(calls, call_s)
            if isinstance(again, str) or again is None or not again.is_slower_unseen(self._control):
                return again if isinstance(again, str) else None
            return f"answers repeated inputs from memory: {again.ratio:.3g} times slower on contents never seen"
        finally:
            with torch.no_grad():
                _put_back(self._variants[0])

    def _pace(self, calls: Sequence[Call], call_s: float) -> Pace | str | None:
        unseen, seen = [], []
        outputs: list[weakref.ref[Tensor]] = []
        pairs = _PAIRS if call_s < _SLOW_CALL_S else _LEAST_PAIRS if call_s < _LONG_CALL_S else 1
        for _, change in zip(range(pairs), changes(self._problem, self._variants[0], self._rng), strict=False):
            with torch.no_grad():
                change.apply()
            first, output = self._timed(calls)
            if (wrong := self._judged(output, change)) is not None:
                return f"wrong for contents it had never seen, at an address it had: {wrong}"
            outputs += [weakref.ref(tensor) for tensor in form.tensors(output)[:1]]
            del output
            again, _ = self._timed(calls)
            if not (first.struck or again.struck):
                unseen.append(first.seconds)
                seen.append(again.seconds)
        if len({id(kept) for output in outputs if (kept := output()) is not None}) >= _MOST_KEPT:
            return "keeps every output that it returned, so memory grows with each call"
        return Pace(unseen_s=tuple(unseen), seen_s=tuple(seen)) if unseen else None

    def _timed(self, calls: Sequence[Call]) -> tuple[Batch, object]:
        form.poison(calls[1]())
        return self._device.time(calls[0], 1, cold=self._cold)

    def _judged(self, output: object, change: Change) -> str | None:
        of = self._variants[0]
        looser = Tolerance(max_abs=tuple(_LOOSER * limit for limit in of.tolerance.max_abs))
        early = form.copied(output)
        wrong = judge(early, change.expected(), of.dtypes, looser).wrong
        # The output itself stays as it is: a row that keeps it, and works only when it was spoilt, is caught so.
        form.poison(early)
        return wrong
