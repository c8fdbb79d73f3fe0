"""The device's own timer: events around calls that were queued while the device was held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bench.devices.base import Call
from bench.devices.cuda.runtime import Blocker, Event, Runtime

TIMEOUT_S = 0.1
"""A hundred calls are queued within a few milliseconds; what takes longer waits for the device it holds up."""
_MOST_IN_QUEUE = 100
"""Calls queued at once: the launch queue holds about 1,000 launches, and a textbook GroupNorm makes about ten."""
_HEAD_START_CYCLES = 2_000_000
"""About 1 ms at 1.8 GHz, where there is no blocking kernel."""

UNHELD = "it waits for the device while it is called, so launches show in its time"
HEAD_START = "no blocking kernel (pip install 'groupnorm-bench[cuda]'): behind 1 ms of head start, launches may show"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """A batch's time on the device, s, the last call's output, and what is to be said of how it was taken."""

    seconds: float
    output: Any
    remark: str | None = None


class Timer(Protocol):
    """Times a batch of calls on the device; the caller has synchronized."""

    def time(self, call: Call, calls: int, *, cold: bool) -> Timed: ...  # noqa: D102
    def forget(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, slots=True)
class Queued:
    """Pairs of events that were queued, and the last call's output."""

    pairs: list[tuple[Event, Event]]
    output: Any


class Held:
    """Queues work while the device is held, in chunks that the launch queue can take, and adds up its time.

    Parameters
    ----------
    runtime
        torch's CUDA.
    observe
        Called when a chunk was let go, while it runs: to read the clock and the throttling.
    """

    def __init__(self, runtime: Runtime, observe: Callable[[], None]) -> None:
        self._runtime = runtime
        self._observe = observe
        self._blocker: Blocker | None = None
        self._is_made = False
        self._chunk: dict[Call, int] = {}
        """Units queued at once, where fewer than usual; 0: not behind the blocking kernel at all."""
        self._timed_out: set[Call] = set()

    def forget(self) -> None:
        """Forget what was learnt of calls: they are another block's now."""
        self._chunk.clear()
        self._timed_out.clear()

    def time(self, call: Call, units: int, queue: Callable[[int], Queued]) -> Timed:
        """Time so many units, each of which ``queue`` can put on the stream; ``call`` is what they are of."""
        seconds, left, output = 0.0, units, None
        while left:
            output = None
            count = min(left, self._chunk.get(call, _MOST_IN_QUEUE) or _MOST_IN_QUEUE)
            queued = self._held(call, count, queue)
            if queued is None:
                continue  # timed out: again, as was learnt
            seconds += sum(start.elapsed_time(end) for start, end in queued.pairs) / 1e3
            output = queued.output
            left -= count
        return Timed(seconds=seconds, output=output, remark=self._remark(call))

    def _remark(self, call: Call) -> str | None:
        if self._blocker is None:
            return HEAD_START
        return UNHELD if self._chunk.get(call) == 0 else None

    def _held(self, call: Call, count: int, queue: Callable[[int], Queued]) -> Queued | None:
        """Queue a chunk while the device is held; None if it had to let go by itself."""
        if not self._is_made:
            self._blocker, self._is_made = self._runtime.blocker(TIMEOUT_S), True
        blocker = self._blocker if self._chunk.get(call) != 0 else None
        if blocker is None:
            self._runtime.spin(_HEAD_START_CYCLES)
            queued = queue(count)
        else:
            blocker.block()
            try:
                queued = queue(count)
            finally:
                blocker.release()  # whatever the call raised, the device must not stay held
        self._observe()
        self._runtime.synchronize()
        if blocker is None or not blocker.timed_out():
            return queued
        self._learn(call, count)
        return None

    def _learn(self, call: Call, count: int) -> None:
        """Take smaller chunks: the queue was full. The first time may have loaded or compiled something instead."""
        if call in self._timed_out:
            self._chunk[call] = count // 4
        self._timed_out.add(call)


class EventTimer:
    """Warm: one pair of events around a chunk of calls. Cold: a pair around each call, after a flush of L2."""

    def __init__(self, runtime: Runtime, held: Held) -> None:
        self._runtime = runtime
        self._held = held

    def forget(self) -> None:
        """Forget the last block's calls."""
        self._held.forget()

    def time(self, call: Call, calls: int, *, cold: bool) -> Timed:
        """Time a batch."""
        queue = self._queue_cold if cold else self._queue_warm
        return self._held.time(call, calls, lambda count: queue(call, count))

    def _queue_warm(self, call: Call, count: int) -> Queued:
        start, end = self._runtime.event(), self._runtime.event()
        start.record()
        for _ in range(count - 1):
            call()
        output = call()
        end.record()
        return Queued(pairs=[(start, end)], output=output)

    def _queue_cold(self, call: Call, count: int) -> Queued:
        pairs, output = [], None
        for _ in range(count):
            output = None
            start, end = self._runtime.event(), self._runtime.event()
            self._runtime.flush()
            start.record()
            output = call()
            end.record()
            pairs.append((start, end))
        return Queued(pairs=pairs, output=output)
