"""What a device can do, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reports.schema import Status

Call = Callable[[], Any]
"""An implementation bound to its tensors; what it returns is its output."""


class Turns:
    """A call that takes turns among copies of its inputs, so that each call meets other addresses than the last.

    Parameters
    ----------
    calls
        The same implementation bound to each copy; all give the same values.
    input_bytes
        Bytes of one copy.
    """

    def __init__(self, calls: Sequence[Call], input_bytes: int) -> None:
        self.calls = tuple(calls)
        self.input_bytes = input_bytes
        self._next = 0

    def __call__(self) -> Any:
        """Make the next one's call."""
        call = self.calls[self._next]
        self._next = (self._next + 1) % len(self.calls)
        return call()


class TimingRefused(Exception):  # noqa: N818 - a cell's status, not an error of the program
    """The timer asked for cannot say what this cell takes; no other takes its place.

    Parameters
    ----------
    status
        What becomes of the cell.
    reason
        Why, in one line.
    """

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One timed batch of calls."""

    seconds: float
    """Time of the whole batch on the device's own clock, s."""
    call_s: float | None = None
    """A call's time: the median over parts of the batch, so that what struck one part is in none of it; None where the
    device has but the whole."""
    page_faults: int | None = None
    """Page faults of the whole batch (CPU)."""
    struck: bool | None = None
    """Another program held a core that the batch needed (CPU); None where the system does not tell."""
    sm_clock_hz: float | None = None
    throttled: bool | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    remark: str | None = None
    """What a reader of the figure should know of how it was taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """What timing itself costs."""

    resolution_s: float
    """Smallest step the clock was seen to make, s."""
    empty_call_s: float
    """A call that does nothing, timed as a batch of many, s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmUp:
    """When a call counts as warm (``measure.warming`` applies it)."""

    batch_s: float = 1e-3
    """Batches double until one lasts so long, s."""
    window: int = 2
    """So many batches in succession must agree."""
    within: float = 0.1
    """Largest relative distance from the one before (window of 2) or from the window's median."""
    drift: float | None = None
    """A trend over the window counts when it moves the time by more than this fraction; None looks for none."""
    clock_within: float | None = None
    """The clock is at its plateau when it moved by no more than this fraction over the window; None does not look."""
    most_calls: int = 1 << 15
    """Of one batch: a call that runs nothing on the device would never make a batch that is long enough."""
    most_batches: int = 16
    most_s: float = float("inf")
    """Of the device's time, s: what never settles is measured as it is."""


class Device(Protocol):
    """One kind of device: how to prepare it, time on it, and see its memory."""

    name: str
    warm_up: WarmUp

    def prepare(self, threads: int) -> None:
        """Fix what must not change while measuring; called once, before any tensor is made."""

    def configure(self, *, timer: str | None, sustained: bool) -> None:
        """Take the timer of the block that is opened (None: the device's own), and forget the last block's calls.

        ``sustained`` keeps the device busy before each batch, so that its heat is that of continuous load.
        """

    @property
    def replays(self) -> bool:
        """Say whether the timer runs a recording of a call, which then must prove that it reads its inputs anew."""

    def copies(self, input_bytes: int, *, cold: bool) -> int:
        """Say among how many copies of its inputs a call should take turns (see ``Turns``)."""

    def synchronize(self) -> None:
        """Wait until everything that was launched has ended."""

    def time(self, call: Call, calls: int, *, cold: bool) -> tuple[Batch, Any]:
        """Time ``calls`` calls as one batch; give the batch and the last call's output.

        Raises
        ------
        TimingRefused
            The timer cannot time this call.
        """

    def stopwatch(self) -> Callable[[], float] | None:
        """Give the device's own clock in seconds, for a loop that reads it before and after; None is the host's."""

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

    def stolen_s(self) -> float | None:
        """Read what a hypervisor has taken of this process's cores since the system began, s (CPU)."""

    def cool_down(self, seconds: float) -> None:
        """Wait until the device is not throttled, ``seconds`` at most."""

    def recover(self) -> str | None:
        """Give back what a failed call left behind; say why this process can use the device no more, if so."""
