"""The CPU: threads, the host's clock, caches, page faults."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import statistics
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from operator import truediv
from pathlib import Path
from typing import Any

import torch

from bench.devices import waiting
from bench.devices.allocations import allocation_changes, peak_of
from bench.devices.base import Batch, Call, Clock, WarmUp
from bench.devices.resident import resident_peak_bytes

_EMPTY_CALLS = 10_000
_CLOCK_STEPS = 1_000
_MOST_PARTS = 25
"""Of a batch of 2.5 ms: of 0.1 ms each, beside which a reading of the clock and a loop's beginning are 0.2 %."""
_SPIN_STEPS = 2_000
_HIDDEN_FROM_BYTES = 1 << 18
"""Above what page rounding, and the stacks and arenas of a few threads come to: 78 kB were seen of a pool's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Timed:
    """Nanoseconds of a batch's parts, and whether another program took part."""

    parts_ns: list[int]
    struck: bool | None


class CpuDevice:
    """Times calls with the host's monotonic clock on a fixed number of threads."""

    name = "cpu"
    warm_up = WarmUp()
    replays = False

    def __init__(self) -> None:
        self._evicting = torch.empty(0)
        self._cores = os.cpu_count() or 1

    def prepare(self, threads: int) -> None:
        """Fix the threads and the cores, and keep the collector out of timed regions.

        Raises
        ------
        RuntimeError
            torch did not take the number of threads.
        """
        if hasattr(os, "sched_setaffinity"):
            # One thread wanders between cores that differ by 15 % and more; several keep all they were given.
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, cores[-threads:])
            self._cores = len(os.sched_getaffinity(0))
        torch.set_num_threads(threads)
        if torch.get_num_threads() != threads:
            raise RuntimeError(f"torch runs on {torch.get_num_threads()} threads where {threads} were asked for")
        gc.disable()

    def configure(self, *, timer: str | None, sustained: bool) -> None:
        """Do nothing: the host's clock is the only timer, and calls follow one another anyway."""

    def copies(self, input_bytes: int, *, cold: bool) -> int:
        """Keep a call on its own tensors: everything was written out of the caches where that is asked for."""
        return 1

    def synchronize(self) -> None:
        """Nothing runs on a CPU behind its caller's back."""

    def time(self, call: Call, calls: int, *, cold: bool) -> tuple[Batch, Any]:
        """Time a batch; when cold, each call by itself after everything was pushed out of the caches."""
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        timed, output = self._cold(call, calls) if cold else self._warm(call, calls)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        each_ns = statistics.median(map(truediv, timed.parts_ns, _part_calls(calls)))
        seconds = sum(timed.parts_ns) / 1e9
        return Batch(seconds=seconds, call_s=each_ns / 1e9, page_faults=faults, struck=timed.struck), output

    def _warm(self, call: Call, calls: int) -> tuple[_Timed, Any]:
        before = waiting.look()
        parts, output = _warm_parts(call, calls)
        struck = waiting.is_struck(before, waiting.look(), sum(parts) / 1e9, self._cores)
        return _Timed(parts_ns=parts, struck=struck), output

    def _cold(self, call: Call, calls: int) -> tuple[_Timed, Any]:
        parts, struck, output = [0] * len(_part_calls(calls)), [], None
        for place in range(calls):
            output = None
            self._evict()
            before = waiting.look()  # what waited while the caches were emptied is in no figure
            start = time.perf_counter_ns()
            output = call()
            took_ns = time.perf_counter_ns() - start
            struck.append(waiting.is_struck(before, waiting.look(), took_ns / 1e9, self._cores))
            parts[place % len(parts)] += took_ns
        return _Timed(parts_ns=parts, struck=None if None in struck else any(struck)), output

    def _evict(self) -> None:
        """Write through twice the last-level cache."""
        if not self._evicting.numel():
            self._evicting = torch.empty(2 * last_level_cache_bytes() // 4)
        self._evicting.add_(1.0)

    def stopwatch(self) -> None:
        """Leave the time to the host's own clock."""

    def host_seconds(self, call: Call) -> float | None:
        """Give None: ``time`` is already the host's."""
        return None

    def allocated_bytes(self, call: Call) -> int:
        """Take torch's own record, or what became resident where that is clearly more: memory past its allocator."""
        recorded = peak_of(allocation_changes(call))
        resident = resident_peak_bytes(call) or 0
        return resident if resident - recorded > max(_HIDDEN_FROM_BYTES, recorded // 16) else recorded

    def fresh_output_seconds(self, call: Call) -> float | None:
        """Give freed memory back to the system, so that the call's output is page-faulted as it is written."""
        if not sys.platform.startswith("linux"):
            return None
        ctypes.CDLL(None).malloc_trim(0)
        start = time.perf_counter_ns()
        output = call()
        seconds = (time.perf_counter_ns() - start) / 1e9
        del output
        return seconds

    def clock(self) -> Clock:
        """Time an empty call as a batch, and take the clock's smallest step."""
        steps = []
        for _ in range(_CLOCK_STEPS):
            first = time.perf_counter_ns()
            while (second := time.perf_counter_ns()) == first:
                continue
            steps.append(second - first)
        parts, _ = _warm_parts(_nothing, _EMPTY_CALLS)
        return Clock(resolution_s=min(steps) / 1e9, empty_call_s=sum(parts) / 1e9 / _EMPTY_CALLS)

    def spin_s(self) -> float | None:
        """Time a fixed bit of arithmetic, about 50 µs of it."""
        start = time.perf_counter_ns()
        sum(range(_SPIN_STEPS))
        return (time.perf_counter_ns() - start) / 1e9

    def stolen_s(self) -> float | None:
        """Read the steal time of the cores that this process may use, in ticks of 10 ms (see ``waiting``)."""
        return waiting.stolen_s(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None

    def cool_down(self, seconds: float) -> None:
        """Do nothing: a CPU does not tell whether it is throttled."""

    def recover(self) -> str | None:
        """Do nothing: a CPU is not broken by a call that raised."""
        return None


def _nothing() -> None:
    return None


def _warm_parts(call: Call, calls: int) -> tuple[list[int], Any]:
    """Call back to back; give the nanoseconds of each part of ``_part_calls``, and the last output."""
    *sizes, last = _part_calls(calls)
    stamps = [time.perf_counter_ns()]
    # All but the last output are dropped at once, so that each call writes to the same, already mapped memory.
    for size in sizes:
        for _ in range(size):
            call()
        stamps.append(time.perf_counter_ns())
    for _ in range(last - 1):
        call()
    output = call()
    stamps.append(time.perf_counter_ns())
    return [after - before for before, after in pairwise(stamps)], output


def _part_calls(calls: int) -> list[int]:
    """Give the calls of each part of a batch: as equal as they can be.

    >>> _part_calls(3), _part_calls(52)[:3]
    ([1, 1, 1], [3, 3, 2])
    """
    least, more = divmod(calls, min(calls, _MOST_PARTS))
    return [least + 1] * more + [least] * (min(calls, _MOST_PARTS) - more)


def last_level_cache_bytes() -> int:
    """Read the size of the largest cache from the system, or take 64 MiB where it does not say."""
    sizes = []
    for index in range(8):
        try:
            text = Path(f"/sys/devices/system/cpu/cpu0/cache/index{index}/size").read_text(encoding="ascii")
            sizes.append(int(text.strip().removesuffix("K")) * 1024)
        except (OSError, ValueError):
            break
    return max(sizes, default=64 << 20)
