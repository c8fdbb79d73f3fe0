"""CUDA: events on the device's own clock, the L2 cache, the caching allocator, clocks and throttling.

Everything goes through the ``api`` it is given (``torch.cuda``, or a fake with exact numbers in the tests).
"""

from __future__ import annotations

import gc
import time
from typing import Any

import torch

from bench.devices.base import Batch, Call, Clock

_EMPTY_CALLS = 100
# Long enough for the host to queue a batch behind it, so that launch gaps do not show: about 1 ms at 1.8 GHz.
_HEAD_START_CYCLES = 2_000_000


class CudaDevice:
    """Times calls between CUDA events on the current stream of device 0."""

    name = "cuda"

    def __init__(self, api: Any = torch.cuda) -> None:
        if not api.is_available():
            raise RuntimeError("no CUDA device is visible")
        self._api = api
        self._flushing: torch.Tensor | None = None

    def prepare(self, threads: int) -> None:
        """Fix the host's threads and make the context; no setting of the GPU is changed."""
        torch.set_num_threads(threads)
        self._api.init()
        gc.disable()

    def synchronize(self) -> None:
        """Wait for the device."""
        self._api.synchronize()

    def time(self, call: Call, calls: int, *, cold: bool) -> tuple[Batch, Any]:
        """Time a batch: when cold each call between its own events after a flush of L2, else all between one pair."""
        self._api.synchronize()
        seconds, output = self._cold_seconds(call, calls) if cold else self._warm_seconds(call, calls)
        return Batch(seconds=seconds), output

    def _cold_seconds(self, call: Call, calls: int) -> tuple[float, Any]:
        pairs, output = [], None
        for _ in range(calls):
            output = None
            start, end = (self._api.Event(enable_timing=True) for _ in range(2))
            self._flush()  # takes longer than a launch, so it also hides the launch
            start.record()
            output = call()
            end.record()
            pairs.append((start, end))
        self._api.synchronize()
        return sum(start.elapsed_time(end) for start, end in pairs) / 1e3, output

    def _warm_seconds(self, call: Call, calls: int) -> tuple[float, Any]:
        start, end = (self._api.Event(enable_timing=True) for _ in range(2))
        self._api._sleep(_HEAD_START_CYCLES)  # noqa: SLF001 - torch's only spinning kernel
        start.record()
        for _ in range(calls - 1):
            call()
        output = call()
        end.record()
        self._api.synchronize()
        return start.elapsed_time(end) / 1e3, output

    def _flush(self) -> None:
        """Write through twice the L2 cache."""
        if self._flushing is None:
            l2_bytes = self._api.get_device_properties(0).L2_cache_size
            self._flushing = torch.empty(2 * l2_bytes, dtype=torch.uint8, device="cuda")
        self._flushing.zero_()

    def host_seconds(self, call: Call) -> float | None:
        """Time one call from the host's launch to the device's end."""
        self._api.synchronize()
        start = time.perf_counter_ns()
        call()
        self._api.synchronize()
        return (time.perf_counter_ns() - start) / 1e9

    def allocated_bytes(self, call: Call) -> int:
        """Take the caching allocator's peak during the call over what was held before it."""
        self._api.synchronize()
        self._api.reset_peak_memory_stats()
        before: int = self._api.memory_allocated()
        output = call()
        self._api.synchronize()
        peak: int = self._api.max_memory_allocated()
        del output
        return peak - before

    def fresh_output_seconds(self, call: Call) -> float | None:
        """Give None: device memory is not page-faulted."""
        return None

    def spin_s(self) -> float | None:
        """Give None: the device tells its clock itself."""
        return None

    def cool_down(self, most_s: float) -> None:
        """Nothing yet: whether the device is slowed down is not asked."""

    def clock(self) -> Clock:
        """Time pairs of events with nothing between them; an event's step is half a microsecond (CUDA's manual)."""
        seconds, _ = self._warm_seconds(lambda: None, _EMPTY_CALLS)
        return Clock(resolution_s=0.5e-6, empty_call_s=seconds / _EMPTY_CALLS)
