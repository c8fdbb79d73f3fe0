"""The GPU's own clock as a reading in seconds, for loops that are not ours."""

from __future__ import annotations

from bench.devices.cuda.runtime import Runtime


class Stopwatch:
    """The seconds since it was made, on the GPU's clock.

    Summed from reading to reading: CUDA tells the time between two events as a float of 32 bits, which after a
    quarter of an hour no longer tells 60 µs.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seconds = 0.0
        self._last = runtime.event()
        self._last.record()

    def __call__(self) -> float:
        """Record an event, wait for it, and give the seconds until it."""
        now = self._runtime.event()
        now.record()
        self._runtime.synchronize()
        self._seconds += self._last.elapsed_time(now) / 1000
        self._last = now
        return self._seconds
