"""How long this process's threads stood ready to run while another program held their core, as Linux counts it.

A batch that was waiting in that sense has a scheduler's time slice in it, milliseconds where a call takes
microseconds; on a quiet machine the count stays at exactly 0, on one thread and on two.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TASKS = Path("/proc/self/task")


def run_queue_wait_s() -> float | None:
    """Add up the seconds that the threads living now have waited for a core since they began.

    Returns
    -------
    float or None
        From the second figure of each ``/proc/self/task/*/schedstat`` (Linux, Documentation/scheduler/
        sched-stats.rst); None where the system does not tell. Reading takes about 6 µs a thread.
    """
    try:
        return sum(_waits_ns()) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def _waits_ns() -> Iterator[int]:
    for thread in os.listdir(_TASKS):
        try:
            yield int((_TASKS / thread / "schedstat").read_bytes().split()[1])
        except (FileNotFoundError, ProcessLookupError):  # it ended between the two looks
            if not (_TASKS / str(os.getpid()) / "schedstat").exists():
                raise
