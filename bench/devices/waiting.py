"""Did another program hold a core that a batch needed? As Linux counts it for each thread.

A batch whose threads stood ready to run and waited has a scheduler's time slice in it, milliseconds where a call
takes microseconds. On a quiet machine the count stays at exactly 0, on one thread and on two. Where more threads of
this process ran than it has cores they waited for each other, and nothing can be said.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TASKS = Path("/proc/self/task")
_STAT = Path("/proc/stat")
_STEAL = 8
"""Place of the steal time in a line ``cpuN`` of /proc/stat, the name counted (proc(5))."""
_STRUCK_FROM = 0.01
"""Of a batch's time: 0 in all quiet batches of 2 ms, 0.3 to 30 in those with a time slice."""
_ENDED_THREAD_NS = 50_000
_TICK_NS = 5_000_000
"""Processor time that no living thread has: one was started and ended meanwhile. On several cores the count of a thread
that runs on another one is as old as the scheduler's last tick, so less than that says nothing there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    """What this process's threads have run and waited since each began."""

    threads: Mapping[int, tuple[int, int]]
    """Nanoseconds on a core and ready without one, by thread."""
    process_ns: int
    """On a core, threads that have ended included."""


def look() -> Waits | None:
    """Read every thread's ``schedstat`` (Linux, Documentation/scheduler/sched-stats.rst): 6 µs a thread.

    None where the system does not tell.
    """
    found = {}
    with suppress(FileNotFoundError):
        for thread in os.listdir(_TASKS):
            with suppress(FileNotFoundError, ProcessLookupError):  # it ended between the two looks, or has no such file
                run, wait = (_TASKS / thread / "schedstat").read_bytes().split()[:2]
                found[int(thread)] = (int(run), int(wait))
    return Waits(threads=found, process_ns=time.process_time_ns()) if found else None


def is_struck(before: Waits | None, after: Waits | None, seconds: float, cores: int) -> bool | None:
    """Say whether what was timed between two looks waited for another program.

    Parameters
    ----------
    before, after
        The looks.
    seconds
        What was timed.
    cores
        How many this process may use.
    """
    if before is None or after is None:
        return None
    ran = waited = running = 0
    for thread, (run_ns, wait_ns) in after.threads.items():
        old_run_ns, old_wait_ns = before.threads.get(thread, (0, 0))
        ran += run_ns - old_run_ns
        waited += wait_ns - old_wait_ns
        running += run_ns > old_run_ns
    unknown_ns = after.process_ns - before.process_ns - ran
    running += unknown_ns > (_ENDED_THREAD_NS if cores == 1 else _TICK_NS)
    return None if running > cores else waited > _STRUCK_FROM * seconds * 1e9


def stolen_s(cores: Collection[int]) -> float | None:
    """Add up what a hypervisor has taken of these cores since the system began, s.

    None where the system does not tell.
    """
    names = {f"cpu{core}" for core in cores}
    try:
        lines = [line.split() for line in _STAT.read_text(encoding="ascii").splitlines() if line.startswith("cpu")]
        return sum(int(line[_STEAL]) for line in lines if line[0] in names) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
