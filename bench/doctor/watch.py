"""What took the processor away while something ran: the system's counters read before and after.

A counter that the system does not have is None, and so is what would be told by it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")
_CPU = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """A process and the processor time it has used, s."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The counters at one moment; all of them only grow."""

    moment_s: float
    own_s: float
    """Processor time of this process."""
    busy_s: float | None = None
    """Processor time of everything that ran on this machine, added over the cores."""
    stolen_s: float | None = None
    """Time that the hypervisor gave to others while something here wanted to run, added over the cores."""
    waited_s: float | None = None
    """Time for which this process wanted to run and another was on its core."""
    preemptions: int | None = None
    throttlings: int | None = None
    """How often a core was slowed because of its heat, added over the cores."""
    processes: Mapping[int, Used] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Disturbance:
    """What happened between two readings."""

    seconds: float
    others_cores: float | None
    """Cores' worth of time that other programs used."""
    busiest: str | None
    """The program among them that used most, with its number; None where none used a twentieth of a core."""
    stolen: float | None
    """Share of one core's time that the hypervisor took, added over the cores."""
    waited: float | None
    """Share of the time that this process waited for its core."""
    preemptions: int | None
    throttlings: int | None


def read() -> Reading:
    """Read the counters now; takes some milliseconds."""
    times = psutil.cpu_times()
    return Reading(
        moment_s=time.monotonic(),
        own_s=time.process_time(),
        # Of Linux' counters, a guest's time is in user's already.
        busy_s=sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq")),
        stolen_s=getattr(times, "steal", None),
        waited_s=_known(_waited_s),
        preemptions=_known(lambda: int(psutil.Process().num_ctx_switches().involuntary)),
        throttlings=_known(_throttlings),
        processes=_known(_processes),
    )


def between(before: Reading, after: Reading) -> Disturbance:
    """Say what happened between two readings."""
    seconds = after.moment_s - before.moment_s
    busy = _grown(before.busy_s, after.busy_s)
    stolen = _grown(before.stolen_s, after.stolen_s)
    waited = _grown(before.waited_s, after.waited_s)
    own = after.own_s - before.own_s
    return Disturbance(
        seconds=seconds,
        others_cores=None if busy is None else max(0.0, busy - own) / seconds,
        busiest=_busiest(before.processes or {}, after.processes or {}, seconds),
        stolen=None if stolen is None else stolen / seconds,
        waited=None if waited is None else waited / seconds,
        preemptions=_grown(before.preemptions, after.preemptions),
        throttlings=_grown(before.throttlings, after.throttlings),
    )


Number = TypeVar("Number", int, float)


def _grown(before: Number | None, after: Number | None) -> Number | None:
    return None if before is None or after is None else after - before


_NOTABLE_CORES = 0.05


def _busiest(before: Mapping[int, Used], after: Mapping[int, Used], seconds: float) -> str | None:
    def since(pid: int) -> float:
        return after[pid].seconds - (before[pid].seconds if pid in before else 0.0)

    pid = max((one for one in after if one != os.getpid()), key=since, default=None)
    if pid is None or since(pid) < _NOTABLE_CORES * seconds:
        return None
    return f"{after[pid].name} (process {pid})"


def _known(ask: Callable[[], T]) -> T | None:
    """Ask the system, which may lack the file or the permission."""
    try:
        return ask()
    except (OSError, ValueError, IndexError, AttributeError, psutil.Error):
        return None


def _waited_s() -> float:
    """Read the second of the scheduler's three numbers: ns waited on a run queue (Linux, sched-stats.rst)."""
    return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def _throttlings() -> int | None:
    counts = [int(path.read_text()) for path in _CPU.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    return sum(counts) if counts else None


def _processes() -> dict[int, Used]:
    found = {}
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None:
            found[process.pid] = Used(name=process.info["name"] or "?", seconds=times.user + times.system)
    return found
