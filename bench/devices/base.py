"""What a device can do, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Call = Callable[[], Any]
"""An implementation bound to its tensors; what it returns is its output."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One timed batch of calls."""

    seconds: float
    """Time of the whole batch on the device's own clock, s."""
    page_faults: int | None = None
    """Page faults of the whole batch (CPU)."""
    struck: bool | None = None
    """Another program held a core that the batch needed (CPU); None where the system does not tell."""
    sm_clock_hz: float | None = None
    throttled: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """What timing itself costs."""

    resolution_s: float
    """Smallest step the clock was seen to make, s."""
    empty_call_s: float
    """A call that does nothing, timed as a batch of many, s."""


class Device(Protocol):
    """One kind of device: how to prepare it, time on it, and see its memory."""

    name: str

    def prepare(self, threads: int) -> None:
        """Fix what must not change while measuring; called once, before any tensor is made."""

    def synchronize(self) -> None:
        """Wait until everything that was launched has ended."""

    def time(self, call: Call, calls: int, *, cold: bool) -> tuple[Batch, Any]:
        """Time ``calls`` calls as one batch; give the batch and the last call's output."""

    def host_seconds(self, call: Call) -> float | None:
        """Time one call end to end on the host, where that differs from ``time``."""

    def allocated_bytes(self, call: Call) -> int:
        """Measure the most memory that one call holds at once beyond what was held before it."""

    def fresh_output_seconds(self, call: Call) -> float | None:
        """Time one call whose output lies in memory never touched before (CPU), s."""

    def clock(self) -> Clock:
        """Measure what timing itself costs."""

    def spin_s(self) -> float | None:
        """Time a fixed bit of arithmetic, s: how fast the machine is at this moment (CPU)."""

    def cool_down(self, most_s: float) -> None:
        """Wait until the device is no longer slowed down, at most ``most_s`` seconds."""
