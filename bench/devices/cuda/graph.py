"""Replays of a CUDA graph, for cells that a graph can be proved to tell the truth of.

A kernel that was not captured is skipped by every replay, and its stale output passes for an answer (as happened to
flashinfer-bench, issue 414). So a replay must run as many operations as its calls do eagerly; that it also reads its
inputs anew is tried by ``measure.replay``. Where the cache is to be cold, calls take turns among copies of the inputs
that together are five times the L2 cache: with fewer, part of a "cold" call is warm (flashinfer, issue 4468).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from bench.devices.base import Call, TimingRefused, Turns
from bench.devices.cuda.events import Held, Queued, Timed
from bench.devices.cuda.runtime import Recording, Runtime
from reports.schema import Status

CACHES_TOUCHED = 5
"""Times the L2 cache that the inputs of one cold replay must be."""
MOST_COPIES = 512
_LEAST_CALLS = 20
"""Of one replay: a graph's launch costs the host some microseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Recorded:
    recording: Recording
    calls: int


class GraphTimer:
    """Times replays between events."""

    def __init__(self, runtime: Runtime, held: Held) -> None:
        self._runtime = runtime
        self._held = held
        self._recorded: dict[Call, _Recorded] = {}

    def forget(self) -> None:
        """Drop the graphs and their memory."""
        self._recorded.clear()
        self._held.forget()

    def time(self, call: Call, calls: int, *, cold: bool) -> Timed:
        """Replay until at least so many calls were made; give the time of as many as were asked for.

        Raises
        ------
        TimingRefused
            The call cannot be captured, a replay runs something else than the calls do, or touches too little.
        """
        if call not in self._recorded:
            self._recorded[call] = self._record(call, cold=cold)
        one = self._recorded[call]
        replays = math.ceil(calls / one.calls)
        timed = self._held.time(call, replays, lambda count: self._queue(one, count))
        seconds = timed.seconds * calls / (replays * one.calls)
        return Timed(seconds=seconds, output=timed.output, remark=timed.remark)

    def _queue(self, one: _Recorded, count: int) -> Queued:
        start, end = self._runtime.event(), self._runtime.event()
        start.record()
        for _ in range(count):
            one.recording.replay()
        end.record()
        return Queued(pairs=[(start, end)], output=one.recording.output)

    def _record(self, call: Call, *, cold: bool) -> _Recorded:
        copies = len(call.calls) if isinstance(call, Turns) else 1
        if cold:
            self._refuse_too_little(call, copies)
        calls = copies * math.ceil(_LEAST_CALLS / copies)
        eager = self._runtime.activities(lambda: [call() for _ in range(copies)])
        if not eager:
            raise TimingRefused(Status.FAILED, "ran nothing on the device when called, so there is nothing to replay")
        try:
            recording = self._runtime.capture(call, calls)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise TimingRefused(Status.FAILED, f"cannot be captured in a CUDA graph: {why}") from error
        ran, wanted = len(self._runtime.activities(recording.replay)), len(eager) * calls // copies
        if ran != wanted:
            found = f"a replay of {calls} calls runs {ran} operations on the device where the calls run {wanted}"
            raise TimingRefused(Status.INCONSISTENT, f"{found}: what is not in the graph is not timed")
        return _Recorded(recording=recording, calls=calls)

    def _refuse_too_little(self, call: Call, copies: int) -> None:
        touched = copies * call.input_bytes if isinstance(call, Turns) else 0
        wanted = CACHES_TOUCHED * self._runtime.l2_bytes()
        if touched < wanted:
            found = f"{copies} copies of its inputs are {touched:,} bytes where {wanted:,} make a replay cold"
            raise TimingRefused(Status.FAILED, f"{found}: use --timer events, or --cache warm")


def copies_for(input_bytes: int, l2_bytes: int) -> int:
    """Give the copies of the inputs that make a replay cold, ``MOST_COPIES`` at most.

    >>> copies_for(10_000_000, 50_000_000)
    25
    """
    return min(MOST_COPIES, math.ceil(CACHES_TOUCHED * l2_bytes / max(1, input_bytes)))
