"""Other programs that compute on the cores of a run: looked for once, before the first pass."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psutil

from bench import gpus

_WINDOW_S = 0.2
_NOISE = 0.02
"""Of a core: less than two ticks of the system's clock in the window, which any program may take."""
MUCH = 0.2
"""Of a core: from here on the run says so. A quiet desktop's programs take a tenth together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """One busy process."""

    pid: int
    name: str
    cores: float
    """Cores' worth of time that it took."""


def look(cores: Collection[int], window_s: float = _WINDOW_S) -> tuple[Neighbour, ...]:
    """Give the busy processes that may run on these cores, the busiest first, but for this one and its children.

    What the system does not show (other containers, other virtual machines) is not seen.
    """
    before = _spent_s()
    began = time.monotonic()
    time.sleep(window_s)
    elapsed_s = time.monotonic() - began
    return busy(before, _spent_s(), elapsed_s, cores)


def busy(
    before: Mapping[psutil.Process, float],
    after: Mapping[psutil.Process, float],
    elapsed_s: float,
    cores: Collection[int],
) -> tuple[Neighbour, ...]:
    """Give the processes whose CPU seconds grew, if they may run on one of ``cores``."""
    ours = _own_pids()
    found = []
    for process, spent_s in after.items():
        share = (spent_s - before.get(process, spent_s)) / elapsed_s
        if share > _NOISE and process.pid not in ours and _may_run_on(process, cores):
            found.append(Neighbour(pid=process.pid, name=_name(process), cores=round(share, 2)))
    return tuple(sorted(found, key=lambda one: -one.cores))


def warning(found: Collection[Neighbour]) -> str | None:
    """Say in one line what the busy processes do to the figures; None where they hardly do."""
    total = sum(one.cores for one in found)
    if total <= MUCH:
        return None
    top = max(found, key=lambda one: one.cores)
    others = f", {len(found) - 1} more with it" if len(found) > 1 else ""
    return (
        f"other programs keep {total:.1f} cores busy, most of it {top.name} (process {top.pid}){others}: "
        "figures taken beside them are doubtful; stop them, or wait"
    )


def on_gpu(gpu: str | None) -> str | None:
    """Say in one line that another process holds a context on a GPU; None where none does, or there is no GPU."""
    if gpu is None:
        return None
    ours = _own_pids()
    others = [pid for pid in gpus.computing_on(gpu) if pid not in ours]
    if not others:
        return None
    return f"process {others[0]} computes on GPU {gpu} too: figures taken beside it are doubtful; end it, or wait"


def _own_pids() -> set[int]:
    return {psutil.Process().pid, *(child.pid for child in psutil.Process().children(recursive=True))}


def _spent_s() -> dict[psutil.Process, float]:
    spent = {}
    for process in psutil.process_iter():
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        spent[process] = times.user + times.system
    return spent


def _may_run_on(process: psutil.Process, cores: Collection[int]) -> bool:
    try:
        return not cores or bool(set(process.cpu_affinity() or cores) & set(cores))
    except (psutil.Error, AttributeError):  # macOS tells no affinity
        return True


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "a process"
