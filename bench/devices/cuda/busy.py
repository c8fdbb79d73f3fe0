"""Sustained load: the device works before each batch, so that its heat and power are those of work without a pause."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from bench.devices.base import Call
from bench.devices.cuda.nvml import Reading
from bench.devices.cuda.runtime import Runtime

LEAST_HEATING_S = 1.0
MOST_HEATING_S = 10.0
STRETCH_S = 0.05
IDLE_S = 0.2
"""A pause after which the device counts as cooled: checks and other blocks lie between."""
_CALLS = 50
_READINGS = 5
_SETTLED_WITHIN = 0.01


class Sustained:
    """Keeps the device busy with the very call that is timed next.

    Parameters
    ----------
    runtime
        torch's CUDA.
    read
        Reads the clock.
    """

    def __init__(self, runtime: Runtime, read: Callable[[], Reading]) -> None:
        self._runtime = runtime
        self._read = read
        self._last_s: float | None = None

    def before(self, call: Call) -> None:
        """Work until the clock has settled, or for a short stretch where the device has hardly rested."""
        rested = self._last_s is None or self._runtime.seconds() - self._last_s > IDLE_S
        if rested:
            self._heat(call)
        else:
            self._work(call, STRETCH_S)

    def after(self) -> None:
        """Note when the device stopped working."""
        self._last_s = self._runtime.seconds()

    def _heat(self, call: Call) -> None:
        began = self._runtime.seconds()
        clocks: deque[float | None] = deque(maxlen=_READINGS)
        while (spent := self._runtime.seconds() - began) < MOST_HEATING_S:
            if spent >= LEAST_HEATING_S and _has_settled(clocks):
                return
            self._work(call, LEAST_HEATING_S / _READINGS)
            clocks.append(self._read().sm_clock_hz)

    def _work(self, call: Call, seconds: float) -> None:
        began, calls = self._runtime.seconds(), 1
        while self._runtime.seconds() - began < seconds:
            for _ in range(calls):
                call()
            self._runtime.synchronize()
            calls = min(2 * calls, _CALLS)  # from one on: a slow call alone may be longer than the stretch


def _has_settled(clocks: deque[float | None]) -> bool:
    """Say whether the last readings are alike; where there are none to be had, time alone decides."""
    known = [clock for clock in clocks if clock is not None]
    return not known or max(known) - min(known) <= _SETTLED_WITHIN * max(known)
