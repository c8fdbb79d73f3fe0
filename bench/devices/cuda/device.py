"""A CUDA device: the timers, the caching allocator, the clock and the throttling, and whether it still works."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from typing import Any

from bench.devices.base import Batch, Call, Clock, WarmUp
from bench.devices.cuda import graph
from bench.devices.cuda.busy import Sustained
from bench.devices.cuda.cupti import CuptiTimer
from bench.devices.cuda.events import EventTimer, Held, Timer
from bench.devices.cuda.graph import GraphTimer
from bench.devices.cuda.nvbench import NvbenchTimer
from bench.devices.cuda.nvml import Monitor, Reading, over
from bench.devices.cuda.runtime import Runtime, TorchRuntime
from bench.devices.cuda.stopwatch import Stopwatch
from bench.devices.environment import most_cold_calls

_EMPTY_CALLS = 100
_HOST_CALLS = 11
_COOLING_STEP_S = 0.1
_MEMORY_SHARE = 16
"""Copies of inputs take at most this part of the memory that is free: the implementations need the rest."""


class CudaDevice:
    """Times calls on the current stream of the current device; no setting of the device is changed."""

    name = "cuda"
    # A GPU comes out of its rest over tens of milliseconds: it is warm when neither time nor clock moves any more.
    warm_up = WarmUp(window=5, within=0.05, drift=0.01, clock_within=0.02, most_batches=64, most_s=2.0)

    def __init__(self, runtime: Runtime | None = None, nvml: Any = None) -> None:
        self._runtime: Runtime = runtime or TorchRuntime()
        if not self._runtime.is_available():
            raise RuntimeError("no CUDA device is visible")
        self._nvml = nvml
        self._monitor: Monitor | None = None
        self._readings: list[Reading] = []
        self._held = Held(self._runtime, self._observe)
        self._timers: dict[str, Timer] = {"events": EventTimer(self._runtime, self._held)}
        self._timer = "events"
        self._sustained: Sustained | None = None

    def prepare(self, threads: int) -> None:
        """Fix the host's threads, make the context and find the device among NVML's."""
        self._runtime.init(threads)
        self._monitor = Monitor(self._runtime.identity(), self._nvml)
        gc.disable()

    def configure(self, *, timer: str | None, sustained: bool) -> None:
        """Take a block's timer, and forget the last block's calls, graphs and chunks."""
        for one in self._timers.values():
            one.forget()
        self._timer = timer or "events"
        if self._timer not in self._timers:
            self._timers[self._timer] = self._made(self._timer)
        self._sustained = Sustained(self._runtime, self._read) if sustained else None

    def _made(self, timer: str) -> Timer:
        if timer == "graph":
            return GraphTimer(self._runtime, self._held)
        if timer == "cupti":
            return CuptiTimer(self._runtime, self._observe)
        return NvbenchTimer(self._runtime, self._observe)

    def _read(self) -> Reading:
        return self._monitor.read() if self._monitor is not None else Reading()

    def _observe(self) -> None:
        self._readings.append(self._read())

    @property
    def replays(self) -> bool:
        """Say whether a recording is run."""
        return self._timer == "graph"

    def copies(self, input_bytes: int, *, cold: bool) -> int:
        """Give each call of a cold batch an address of its own, or a cold graph five caches of inputs; warm, one."""
        if not cold:
            return 1
        wanted = graph.copies_for(input_bytes, self._runtime.l2_bytes()) if self.replays else most_cold_calls("cuda")
        affordable = self._runtime.free_bytes() // _MEMORY_SHARE // max(1, input_bytes)
        return max(2, min(wanted, affordable))

    def synchronize(self) -> None:
        """Wait for the device."""
        self._runtime.synchronize()

    def time(self, call: Call, calls: int, *, cold: bool) -> tuple[Batch, Any]:
        """Time a batch with the block's timer, and tell the clock and the throttling while it ran."""
        if self._sustained is not None:
            self._sustained.before(call)
        self._runtime.synchronize()
        self._readings = []
        timed = self._timers[self._timer].time(call, calls, cold=cold)
        if self._sustained is not None:
            self._sustained.after()
        seen = over(self._readings)
        batch = Batch(
            seconds=timed.seconds,
            sm_clock_hz=seen.sm_clock_hz,
            throttled=seen.throttled,
            power_w=seen.power_w,
            temperature_c=seen.temperature_c,
            remark=timed.remark,
        )
        return batch, timed.output

    def stopwatch(self) -> Callable[[], float]:
        """Give the GPU's clock: each reading is an event that is waited for."""
        return Stopwatch(self._runtime)

    def host_seconds(self, call: Call) -> float | None:
        """Time calls from the host's launch to the device's end, each by itself; give the median."""
        taken = []
        for _ in range(_HOST_CALLS):
            self._runtime.synchronize()
            start = self._runtime.seconds()
            call()
            self._runtime.synchronize()
            taken.append(self._runtime.seconds() - start)
        return statistics.median(taken)

    def allocated_bytes(self, call: Call) -> int:
        """Take the caching allocator's peak during the call over what was held before it."""
        self._runtime.synchronize()
        self._runtime.reset_peak()
        before = self._runtime.allocated_bytes()
        output = call()
        self._runtime.synchronize()
        peak = self._runtime.peak_bytes()
        del output
        return peak - before

    def fresh_output_seconds(self, call: Call) -> float | None:
        """Give None: device memory is not page-faulted."""
        return None

    def clock(self) -> Clock:
        """Time pairs of events with nothing between them; an event's step is half a microsecond (CUDA's manual)."""
        timed = self._timers["events"].time(_nothing, _EMPTY_CALLS, cold=False)
        return Clock(resolution_s=0.5e-6, empty_call_s=timed.seconds / _EMPTY_CALLS)

    def spin_s(self) -> float | None:
        """Give None: the device tells its clock itself."""
        return None

    def stolen_s(self) -> float | None:
        """Give None: a hypervisor takes no GPU away for a while."""
        return None

    def cool_down(self, seconds: float) -> None:
        """Wait until no reason for throttling stands, ``seconds`` at most; without NVML not at all."""
        until = self._runtime.seconds() + seconds
        while self._read().throttled and self._runtime.seconds() < until:
            self._runtime.sleep(_COOLING_STEP_S)

    def recover(self) -> str | None:
        """Empty the cache that a failed call may have filled, and see whether the context survived it.

        An illegal access or a device-side assertion is sticky: every later call of CUDA in this process fails.
        """
        try:
            gc.collect()
            self._runtime.release_memory()
            self._runtime.synchronize()
        except RuntimeError as error:
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            return f"its CUDA context is lost ({why})"
        return None


def _nothing() -> None:
    return None
