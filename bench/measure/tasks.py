"""Threads and processes of a row that go on when its call has returned.

A pool's thread that sleeps is nobody's fault: pools start once and wait. A thread is blamed when it was at work after
the call, or computes while its row has nothing to do.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_TASKS = Path("/proc/self/task")
CAN_LOOK = _TASKS.is_dir()
# GNU OpenMP spins for 300,000 turns after a region, up to 15 ms, before its threads sleep.
_SETTLE_S = 0.03
_OBSERVED_S = 0.02
_AT_WORK_S = 1e-3
"""Of the processor's time after a return: a thread that was joined needs less to end."""
_BUSY = 0.5
_BUSY_S = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What was left behind, whose it is, and whether it is gone by now."""

    name: str
    what: str
    is_gone: bool


@dataclass(kw_only=True, slots=True)
class _Owned:
    """A thread that came with a row: how much it had computed when its row last acted, s."""

    name: str
    cpu_s: float
    since_s: float


class Tasks:
    """The threads of this process that are nobody's, and those that came with a row."""

    def __init__(self) -> None:
        self._known = _threads()
        self._owned: dict[int, _Owned] = {}

    def look(self, name: str) -> Left | None:
        """Look after an act of ``name``: about 15 microseconds when nothing is new."""
        if (left := children()) is not None:
            return _end_children(name, left)
        now = _threads()
        new = now - self._known
        self._known = now
        if new and (found := self._settle(name, new)) is not None:
            return found
        return self._at_work_for_another(name) if self._owned else None

    def _settle(self, name: str, new: Collection[int]) -> Left | None:
        """Give new threads the time to end or to sleep, and see which do neither."""
        python = {thread.native_id for thread in threading.enumerate()}
        at_return = {tid: _cpu_s(tid) for tid in new}
        last = dict(at_return)
        until = time.monotonic() + _SETTLE_S
        while time.monotonic() < until:
            time.sleep(_AT_WORK_S)
            last |= {tid: cpu_s for tid in new if (cpu_s := _cpu_s(tid)) is not None}
        for tid in new:
            worked_s = (last[tid] or 0.0) - (at_return[tid] or 0.0)
            if _cpu_s(tid) is None and (tid in python or worked_s > _AT_WORK_S):
                return Left(name=name, what="left a thread at work after its call had returned", is_gone=True)
        before = {tid: cpu_s for tid in new if (cpu_s := _cpu_s(tid)) is not None}
        began = time.monotonic()
        time.sleep(_OBSERVED_S)
        observed_s = time.monotonic() - began
        for tid, cpu_s in before.items():
            after_s = _cpu_s(tid)
            if after_s is not None and after_s - cpu_s > _BUSY * observed_s:
                return Left(name=name, what="left a thread computing after its call had returned", is_gone=False)
            self._owned[tid] = _Owned(name=name, cpu_s=after_s or cpu_s, since_s=time.monotonic())
        return None

    def _at_work_for_another(self, name: str) -> Left | None:
        """Find a thread that computes in other rows' time, which slows them."""
        for tid, owned in list(self._owned.items()):
            cpu_s, now_s = _cpu_s(tid), time.monotonic()
            if cpu_s is None:
                del self._owned[tid]
            elif owned.name == name:
                owned.cpu_s, owned.since_s = cpu_s, now_s
            elif cpu_s - owned.cpu_s > max(_BUSY_S, _BUSY * (now_s - owned.since_s)):
                return Left(name=owned.name, what="left a thread computing in other rows' time", is_gone=False)
        return None


def _threads() -> frozenset[int]:
    return frozenset([int(tid) for tid in os.listdir(_TASKS)]) if CAN_LOOK else frozenset()


def _cpu_s(tid: int) -> float | None:
    """Read a thread's time on a processor, s; None when it is gone or the system does not tell."""
    try:
        return int((_TASKS / str(tid) / "schedstat").read_bytes().split()[0]) / 1e9
    except (OSError, IndexError, ValueError):
        return None


def children() -> list[int] | None:
    """List this process's children, alive or not yet waited for; None when there is none."""
    if not hasattr(os, "waitid"):
        return [child.pid for child in psutil.Process().children()] or None
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return [child.pid for child in psutil.Process().children()] or None


def _end_children(name: str, left: Collection[int]) -> Left:
    end(left)
    them = "a process" if len(left) == 1 else f"{len(left)} processes"
    return Left(name=name, what=f"left {them} behind when its call had returned", is_gone=children() is None)


def end(processes: Collection[int]) -> None:
    """Kill children of this process and wait for them; theirs, where they come to this one, too."""
    for pid in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    for pid in processes:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
