"""What the driver sees of a worker from outside: that it is dead, what memory it takes, what it writes.

Looked at while the driver waits for a late answer, and between two answers; never while a round is on its way.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from reports.schema import Status

WATCH_S = 0.5
"""Rounds are shorter as a rule, so nobody wakes beside them."""
LOG_BYTES = 10 << 20
_NOTE = b"\n[cut here: workers wrote more than 10 MiB]\n"
_NEAR = 0.8
"""Of what it may take, resident: the last request that was refused, and the heap's own reserve, are not in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """The resident memory of a worker when a block was opened, and what it may take beyond."""

    before_bytes: int
    spare_bytes: int

    @property
    def most_bytes(self) -> int:
        """What it may hold: an eighth more than its own limit lets it ask for, so that it hears of that one first."""
        return self.before_bytes + self.spare_bytes + self.spare_bytes // 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a process ended: its code (negative: a signal), the most memory it held, and whether we killed it."""

    code: int
    most_bytes: int
    was_killed: bool


def is_dead(pid: int) -> bool:
    """Say whether a process has ended, though a child of it may still hold its connection open."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def resident_bytes(pid: int) -> int:
    """Read the resident memory of a process."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def family_bytes(pid: int) -> int:
    """Add to a process's resident memory that of all it has started, pages they share in parts."""
    try:
        offspring = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return 0
    return resident_bytes(pid) + sum(map(_proportional_bytes, offspring))


def _proportional_bytes(process: psutil.Process) -> int:
    try:
        return int(getattr(process.memory_full_info(), "pss", 0))
    except psutil.Error:
        return 0


def oom_kills() -> int | None:
    """Read how often the system's memory killer struck (Linux 4.13 and later), or None where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def judged(ended: Ended, how: str, *, limit: Limit | None, kills_before: int | None) -> tuple[Status, str]:
    """Tell a death for lack of memory from any other.

    Parameters
    ----------
    ended, how
        How the worker ended, and that in words.
    limit
        The memory that it might take, if there was a limit.
    kills_before
        What ``oom_kills`` gave when it was started.
    """
    held = f"{how}, having held {_gib(ended.most_bytes)}"
    if ended.code == -signal.SIGKILL and not ended.was_killed:
        kills = oom_kills()
        if kills is None or kills_before is None or kills > kills_before:
            return Status.OUT_OF_MEMORY, f"{held}: the system's memory killer ends processes so"
    if limit is not None and ended.code < 0 and ended.most_bytes > limit.before_bytes + _NEAR * limit.spare_bytes:
        return Status.OUT_OF_MEMORY, f"{held} of the {_gib(limit.most_bytes)} that it may"
    return Status.CRASHED, how


def over(taken_bytes: int, limit: Limit) -> str:
    """Say that a worker took too much."""
    return f"took {_gib(taken_bytes)} with its children, where {_gib(limit.most_bytes)} are allowed"


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.2f} GiB"


def cut(log: IO[bytes] | int) -> None:
    """Keep a log from filling the disk: its beginning, a note, and what is written after it."""
    if isinstance(log, int) or os.fstat(log.fileno()).st_size <= LOG_BYTES:
        return
    os.ftruncate(log.fileno(), LOG_BYTES // 2)
    os.lseek(log.fileno(), 0, os.SEEK_END)  # one offset with the worker's own, where the file is not appended to
    os.write(log.fileno(), _NOTE)
