"""CUPTI's activity records: from the start of a call's first kernel to the end of its last. Needs the extra ``cupti``.

The gaps between a call's kernels are in it, the launch of the first is not. Refused where the kernels differ from call
to call, for then something is tuned or compiled while timed (as SOL-ExecBench does).
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.devices.base import Call, TimingRefused
from bench.devices.cuda.events import Timed
from bench.devices.cuda.runtime import Runtime
from reports.schema import Status

_BUFFER_BYTES = 8 << 20
_NS = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One kernel, copy or fill on the device; times in ns."""

    name: str
    start: int
    end: int
    correlation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """One call of CUDA's interface on the host; its correlation is that of the work it launched."""

    start: int
    correlation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What one call did on the device."""

    seconds: float
    names: tuple[str, ...]
    """In the order they started."""


def spans(windows: Sequence[tuple[int, int]], launches: Iterable[Launch], works: Iterable[Work]) -> list[Span | None]:
    """Give each call's span by the launches the host made while it was called; None where it launched nothing.

    By correlation and not by time: the host's and the device's clock are not quite the same.

    Parameters
    ----------
    windows
        (begin, end) of each call on the host, ns, in order.
    launches, works
        What was recorded, in any order.
    """
    of: dict[int, list[Work]] = {}
    for work in works:
        of.setdefault(work.correlation, []).append(work)
    ordered = sorted(launches, key=lambda launch: launch.start)
    starts = [launch.start for launch in ordered]
    found: list[Span | None] = []
    for begin, end in windows:
        inside = ordered[bisect.bisect_left(starts, begin) : bisect.bisect_right(starts, end)]
        # The runtime's call and the driver's beneath it may carry the same correlation.
        correlations = dict.fromkeys(launch.correlation for launch in inside)
        done = sorted((work for one in correlations for work in of.get(one, ())), key=lambda work: work.start)
        if not done:
            found.append(None)
            continue
        seconds = (max(work.end for work in done) - done[0].start) * _NS
        found.append(Span(seconds=seconds, names=tuple(work.name for work in done)))
    return found


@dataclass(kw_only=True, slots=True)
class _Records:
    launches: list[Launch] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)


def _imported() -> Any:
    from cupti import cupti  # noqa: PLC0415 - an extra's package

    return cupti


class CuptiTimer:
    """Times each call by itself, the device idle before it."""

    def __init__(self, runtime: Runtime, observe: Callable[[], None], api: Any = None) -> None:
        self._runtime = runtime
        self._observe = observe
        self._api = api or _imported()
        self._is_registered = False
        self._records = _Records()

    def forget(self) -> None:
        """Nothing is kept of a block."""

    def time(self, call: Call, calls: int, *, cold: bool) -> Timed:
        """Time a batch.

        Raises
        ------
        TimingRefused
            A call ran nothing, or other kernels than the one before; or CUPTI is somebody else's in this process.
        """
        windows, output = self._recorded(call, calls, cold=cold)
        found = spans(windows, self._records.launches, self._records.works)
        seen = [span for span in found if span is not None]
        if len(seen) < len(found):
            raise TimingRefused(Status.FAILED, "CUPTI saw nothing run on the device in one of its calls")
        kinds = {tuple(sorted(span.names)) for span in seen}
        if len(kinds) > 1:
            first, second = sorted(kinds)[:2]
            odd = sorted({*first} ^ {*second}) or ["the same ones, more often"]
            raise TimingRefused(Status.UNSTEADY, f"its calls run different kernels, as {odd[0]}")
        return Timed(seconds=sum(span.seconds for span in seen), output=output)

    def _recorded(self, call: Call, calls: int, *, cold: bool) -> tuple[list[tuple[int, int]], Any]:
        self._records = _Records()
        windows: list[tuple[int, int]] = []
        output = None
        self._enable()
        try:
            for _ in range(calls):
                output = None
                if cold:
                    self._runtime.flush()
                self._runtime.synchronize()
                begin = self._api.get_timestamp()
                output = call()
                windows.append((begin, self._api.get_timestamp()))
                self._runtime.synchronize()
            self._observe()
        finally:
            self._api.activity_flush_all(0)
            self._switch(self._api.activity_disable)
        return windows, output

    def _enable(self) -> None:
        try:
            if not self._is_registered:
                self._api.activity_register_callbacks(lambda: (_BUFFER_BYTES, 0), self._take)
                self._is_registered = True
            self._switch(self._api.activity_enable)
        except Exception as error:  # CUPTI has one subscriber in a process
            raise TimingRefused(Status.FAILED, f"CUPTI cannot be used ({error})") from error

    def _switch(self, turn: Callable[[Any], Any]) -> None:
        kinds = self._api.ActivityKind
        for kind in (kinds.RUNTIME, kinds.DRIVER, kinds.CONCURRENT_KERNEL, kinds.MEMCPY, kinds.MEMSET):
            turn(kind)

    def _take(self, activities: Iterable[Any]) -> None:
        """Keep what is needed of records whose memory is CUPTI's."""
        kinds = self._api.ActivityKind
        names = {kinds.MEMCPY: "copy", kinds.MEMSET: "fill"}
        for one in activities:
            if one.kind in {kinds.RUNTIME, kinds.DRIVER}:
                self._records.launches.append(Launch(start=one.start, correlation=one.correlation_id))
            elif one.kind == kinds.CONCURRENT_KERNEL or one.kind in names:
                name = names.get(one.kind) or one.name
                work = Work(name=name, start=one.start, end=one.end, correlation=one.correlation_id)
                self._records.works.append(work)
