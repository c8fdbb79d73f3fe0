"""Whose turn it is, in memory that outlives the worker: a death has a name.

A write to shared memory, not a message: it costs no system call and wakes nobody beside a measurement.
"""

from __future__ import annotations

import mmap
import os
import tempfile

_BYTES = 256


class Mark:
    """One name, written by a worker and read by the driver."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, _BYTES)

    def set(self, name: str, note: str = "") -> None:
        """Say whose turn it is ("" for nobody's), and what else is known of it."""
        data = (name.encode()[: _BYTES // 2 - 1] + b"\0" + note.encode())[: _BYTES - 1]
        self._memory[: len(data) + 1] = data + b"\0"

    def get(self) -> str:
        """Read whose turn it was."""
        return self._memory[:].split(b"\0", 1)[0].decode(errors="replace")

    def note(self) -> str:
        """Read what else was known."""
        return self._memory[:].split(b"\0", 2)[1].decode(errors="replace")


def shared_memory_fd() -> int:
    """Make the memory; both ends map it."""
    with tempfile.TemporaryFile() as file:
        file.truncate(_BYTES)
        return os.dup(file.fileno())
