"""What one call allocates through torch's CPU allocator, from the profiler's own record of every allocation.

Exact to a byte, but blind to memory that a kernel takes past torch's allocator (``malloc`` in its own C++): that is
seen by ``resident``, to a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

from torch.profiler import ProfilerActivity, profile


def peak_of(changes: Iterable[int]) -> int:
    """Find the largest running sum of a sequence of allocations (> 0) and frees (< 0), bytes.

    >>> peak_of([4, 2, -4, 1])
    6
    """
    return max(accumulate(changes, initial=0))


def allocation_changes(call: Callable[[], Any]) -> list[int]:
    """List every allocation (> 0) and free (< 0) of one call in the order they were made, bytes."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        output = call()
    del output  # held until here: its release is not part of the call
    profiler = trace.profiler
    if profiler is None or profiler.kineto_results is None:
        raise RuntimeError("torch's profiler recorded nothing: is another profiler active?")
    events = [event for event in profiler.kineto_results.events() if event.name() == "[memory]"]
    return [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
