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
_LOOK_S = 5e-3
_QUIET_LOOKS = 3
_LONGEST_S = 1.0
_COMPUTING_S = 0.06
"""Of a processor, after a return. GNU OpenMP spins for 300,000 turns after a region, up to 0.015 s, and sleeps."""
_AT_WORK_S = 1e-3
"""The same for a thread that then ended: one that was joined needs less to end."""
_SUSPICIOUS = 0.1
_SUSPICIOUS_S = 0.05
"""Of others' time: worth a closer look. On one core a thread gets half of it at best."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What was left behind, whose it is, and whether it is gone by now."""

    name: str
    what: str
    is_gone: bool


@dataclass(kw_only=True, slots=True)
class _Owned:
    """A thread that came with a row: its processor time when last read, and what it took of others' time, s."""

    name: str
    cpu_s: float
    read_s: float
    taken_s: float = 0.0
    others_s: float = 0.0


class Tasks:
    """The threads of this process that are nobody's, and those that came with a row."""

    def __init__(self) -> None:
        self._known = threads()
        self._owned: dict[int, _Owned] = {}

    def look(self, name: str) -> Left | None:
        """Look after an act of ``name``: about 15 microseconds when nothing is new."""
        if (left := children()) is not None:
            return _end_children(name, left)
        new = threads() - self._known
        # None is ever forgotten: while threads end, the system's list may leave out one that lives.
        self._known |= new
        if new and (found := self._settle(name, new)) is not None:
            return found
        return self._at_work_for_another(name) if self._owned else None

    def _settle(self, name: str, new: Collection[int]) -> Left | None:
        """Give new threads the time to end or to sleep, and see which do neither."""
        python = {thread.native_id for thread in threading.enumerate()}
        found = None
        for tid in new:  # each to its end: none may be seen again in the next row's time
            worked = _worked_on(tid)
            if worked.is_gone and (tid in python or worked.cpu_s > _AT_WORK_S):
                found = Left(name=name, what="left a thread at work after its call had returned", is_gone=True)
            elif worked.cpu_s > _COMPUTING_S:
                return Left(name=name, what="left a thread computing after its call had returned", is_gone=False)
            elif not worked.is_gone:
                self._owned[tid] = _Owned(name=name, cpu_s=_cpu_s(tid) or 0.0, read_s=time.monotonic())
        return found

    def _at_work_for_another(self, name: str) -> Left | None:
        """Find a thread that computes in other rows' time, which slows them."""
        for tid, owned in list(self._owned.items()):
            cpu_s, now_s = _cpu_s(tid), time.monotonic()
            if cpu_s is None:
                del self._owned[tid]
                continue
            if owned.name != name:
                owned.taken_s += cpu_s - owned.cpu_s
                owned.others_s += now_s - owned.read_s
            owned.cpu_s, owned.read_s = cpu_s, now_s
            if owned.taken_s > max(_SUSPICIOUS_S, _SUSPICIOUS * owned.others_s):
                if _worked_on(tid).cpu_s > _COMPUTING_S:
                    return Left(name=owned.name, what="left a thread computing in other rows' time", is_gone=False)
                owned.taken_s = owned.others_s = 0.0  # it spins for a while, and sleeps
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Worked:
    """How much a thread computed from now on until it slept or ended, s, and whether it ended."""

    cpu_s: float
    is_gone: bool


def _worked_on(tid: int) -> _Worked:
    """Wait for a thread to sleep, to end, or to have computed for longer than any pool spins."""
    first_s = last_s = _cpu_s(tid)
    quiet, until = 0, time.monotonic() + _LONGEST_S
    while last_s is not None and quiet < _QUIET_LOOKS and time.monotonic() < until:
        assert first_s is not None
        if last_s - first_s > _COMPUTING_S:
            break
        time.sleep(_LOOK_S)
        now_s = _cpu_s(tid)
        if now_s is None:
            return _Worked(cpu_s=last_s - first_s, is_gone=True)
        quiet = quiet + 1 if now_s == last_s and not _is_running(tid) else 0
        last_s = now_s
    return _Worked(cpu_s=(last_s or 0.0) - (first_s or 0.0), is_gone=last_s is None)


def _is_running(tid: int) -> bool:
    try:
        return (_TASKS / str(tid) / "stat").read_bytes().rpartition(b")")[2].split()[0] == b"R"
    except (OSError, IndexError):
        return False


def threads() -> frozenset[int]:
    """List this process's threads by the system's numbers; none where it does not tell."""
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
